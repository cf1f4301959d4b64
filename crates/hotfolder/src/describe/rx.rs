//! The prescription in the vendor's XML: which order it belongs to and what is to be made.
//! Advisory: unreadable content counts as absent. Patients are skipped.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use casedrop_model::manifest::Jaw;

/// The content of `RxInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rx {
    /// Whether this is one of the vendor's exports at all.
    pub(super) is_export: bool,
    /// The format's version, in tenths: 50 for 5.0. 0 if unknown.
    pub(super) version: u32,
    pub(super) order_id: Option<String>,
    /// Older versions have `CaseId` instead of `OrderID`.
    pub(super) case_id: Option<String>,
    pub(super) order_code: Option<String>,
    /// `Procedure`: 4 is a fixed restoration. Older versions lack it.
    pub(super) procedure: Option<String>,
    /// `DueDate`, month first.
    pub(super) due_date: Option<String>,
    pub(super) doctor: Option<String>,
    /// Whether the XML has a section for teeth.
    pub(super) has_teeth: bool,
    pub(super) teeth: Vec<Tooth>,
    /// The jaws to be scanned.
    pub(super) ranges: Vec<Jaw>,
}

/// One tooth of the prescription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tooth {
    /// Universal number, 1 to 32.
    pub(super) ada: u8,
    pub(super) restoration: i32,
}

impl Tooth {
    pub(super) fn jaw(self) -> Option<Jaw> {
        match self.ada {
            1..=16 => Some(Jaw::Upper),
            17..=32 => Some(Jaw::Lower),
            _ => None,
        }
    }

    /// Whether a fixed restoration is ordered for it: a crown, an abutment, an inlay, an onlay, a
    /// veneer or part of a bridge.
    pub(super) fn is_fixed(self) -> bool {
        matches!(self.restoration, 2..=7 | 20 | 21)
    }

    fn set(&mut self, field: &str, value: &str) {
        match field {
            "adaid" => self.ada = value.parse().unwrap_or_default(),
            "restorationtype" => self.restoration = value.parse().unwrap_or_default(),
            _ => {}
        }
    }
}

impl Rx {
    pub(super) fn is_fixed(&self) -> bool {
        let procedure = self.procedure.as_deref().unwrap_or_default();
        procedure == "4" || procedure.to_lowercase().contains("fixed")
    }

    fn set(&mut self, field: &str, value: &str) {
        let slot = match field {
            "orderid" => &mut self.order_id,
            "caseid" => &mut self.case_id,
            "ordercode" => &mut self.order_code,
            "procedure" => &mut self.procedure,
            "duedate" => &mut self.due_date,
            "doctor" => &mut self.doctor,
            _ => return,
        };
        let value = value.trim();
        if slot.is_none() && !value.is_empty() {
            *slot = Some(value.to_owned());
        }
    }

    fn open(&mut self, name: &str, tag: &BytesStart<'_>) {
        match name {
            "iteroexport" => {
                self.is_export = true;
                each_attribute(tag, |field, value| {
                    if field == "version" {
                        self.version = value.trim().replace('.', "").parse().unwrap_or_default();
                    }
                });
            }
            "rxinfo" => each_attribute(tag, |field, value| self.set(field, value)),
            "teeth" => self.has_teeth = true,
            "tooth" => {
                let mut tooth = Tooth::default();
                each_attribute(tag, |field, value| tooth.set(field, value.trim()));
                self.teeth.push(tooth);
            }
            "upperrange" | "lowerrange" => {
                let mut teeth = 0;
                each_attribute(tag, |_, value| {
                    let ada = value.trim().parse().unwrap_or(0_u8);
                    teeth += usize::from((1..=32).contains(&ada));
                });
                if teeth >= 2 {
                    self.ranges.push(if name == "upperrange" { Jaw::Upper } else { Jaw::Lower });
                }
            }
            _ => {}
        }
    }
}

/// Reads up to the end of `RxInfo`. Fields may be attributes or elements.
pub(super) fn read(text: &str) -> Rx {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().check_end_names = false;
    let mut rx = Rx::default();
    let mut path: Vec<String> = Vec::new();
    let mut found = String::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                let name = tag.local_name().as_ref().to_lowercase();
                rx.open(&name, &tag);
                path.push(name);
                found.clear();
            }
            Ok(Event::Empty(tag)) => {
                rx.open(&tag.local_name().as_ref().to_lowercase(), &tag);
            }
            Ok(Event::Text(text)) => found.push_str(&text),
            Ok(Event::GeneralRef(name)) => found.extend(["&", &name, ";"]),
            Ok(Event::End(_)) => {
                let Some(name) = path.pop() else { return rx };
                match path.last().map(String::as_str) {
                    Some("rxinfo") => {
                        if let Ok(value) = unescape(&found) {
                            rx.set(&name, &value);
                        }
                    }
                    Some("tooth") => {
                        if let Some(tooth) = rx.teeth.last_mut() {
                            tooth.set(&name, found.trim());
                        }
                    }
                    _ => {}
                }
                found.clear();
                if name == "rxinfo" {
                    return rx;
                }
            }
            Ok(Event::Eof) | Err(_) => return rx,
            Ok(_) => {}
        }
    }
}

fn each_attribute(tag: &BytesStart<'_>, mut visit: impl FnMut(&str, &str)) {
    for attribute in tag.attributes().with_checks(false).flatten() {
        if let Ok(value) = unescape(&attribute.value) {
            visit(&attribute.key.local_name().as_ref().to_lowercase(), &value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_from_elements_and_attributes() {
        let elements = "\u{feff}<?xml version='1.0'?><iTeroExport Version='5.0'><RxInfo>\
            <OrderID> 17544365 </OrderID><OrderCode>02NR8VTN</OrderCode><Patient>4711</Patient>\
            <Doctor>O&apos;Sample, J&#246;rg</Doctor><DoctorLicense>L-1</DoctorLicense>\
            <DueDate>12/01/2026</DueDate>\
            <ScanRange><UpperRange FromAdaId='2' ToAdaId='15'/>\
            <LowerRange FromAdaId='-1' ToAdaId='-1'/></ScanRange><Procedure>4</Procedure>\
            <Teeth><Tooth AdaId='3' RestorationType='2'/>\
            <Tooth><AdaId>19</AdaId><RestorationType>9</RestorationType></Tooth></Teeth>\
            <Notes>AdaId</Notes></RxInfo><RxDefines><OrderID>1</OrderID></RxDefines></iTeroExport>";
        let rx = read(elements);
        assert_eq!(rx.order_id.as_deref(), Some("17544365"));
        assert_eq!(rx.order_code.as_deref(), Some("02NR8VTN"));
        assert!(rx.is_export && rx.is_fixed() && rx.has_teeth);
        let teeth: Vec<_> = rx.teeth.iter().map(|one| (one.jaw(), one.is_fixed())).collect();
        assert_eq!(teeth, [(Some(Jaw::Upper), true), (Some(Jaw::Lower), false)]);
        assert_eq!(rx.ranges, [Jaw::Upper]);
        assert_eq!(rx.doctor.as_deref(), Some("O'Sample, J\u{f6}rg"));
        assert_eq!(rx.due_date.as_deref(), Some("12/01/2026"));
        let attributes = "<iTeroExport><RxInfo CaseId='17' Procedure='Fixed Restorative'/>";
        let rx = read(attributes);
        assert_eq!((rx.case_id.as_deref(), rx.is_fixed()), (Some("17"), true));
        for text in ["", "<a/>", "<<", "<RxInfo><Teeth><Tooth"] {
            assert!(!read(text).is_fixed());
        }
    }
}
