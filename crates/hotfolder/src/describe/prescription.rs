//! The prescription in the vendor's XML, as manifests and lists of orders tell it.

use std::collections::BTreeMap;

use super::rx::{self, Rx};
use super::told::Told;
use casedrop_model::day::Day;
use casedrop_model::ids::OrderId;
use casedrop_model::prescription::{Prescription, Restoration, Tooth};

/// Longer texts are cut off, in characters.
const MAX: usize = 200;

/// Returns what the order's XML files say, the newest version of the format first. A file that
/// names another order says nothing.
pub(super) fn of(told: &[Told], order: &OrderId) -> Prescription {
    let is_of_order = |rx: &Rx| {
        let named = rx.order_id.as_deref().or(rx.case_id.as_deref());
        rx.is_export && named.is_none_or(|named| named == order.as_str())
    };
    let mut all: Vec<&Told> = told.iter().filter(|told| is_of_order(&told.rx)).collect();
    all.sort_by_key(|told| std::cmp::Reverse(told.rx.version));
    let first = |of: fn(&Rx) -> Option<&String>| all.iter().find_map(|told| tidy(of(&told.rx)?));
    let teeth = all.iter().map(|told| teeth(&told.rx)).find(|teeth| !teeth.is_empty());
    Prescription {
        due_date: all.iter().find_map(|told| Day::from_vendor(told.rx.due_date.as_deref()?)),
        doctor: first(|rx| rx.doctor.as_ref()),
        procedure: first(|rx| rx.procedure.as_ref()).and_then(procedure),
        teeth: teeth.unwrap_or_default(),
    }
}

/// A text that says anything, on one line.
fn tidy(text: &str) -> Option<String> {
    let text: String = text.trim().chars().filter(|c| !c.is_control()).take(MAX).collect();
    text.chars().any(char::is_alphanumeric).then_some(text)
}

/// SEEN: 4. The meaning of other numbers is unknown; ASSUMED: a text says it by itself.
fn procedure(text: String) -> Option<String> {
    if text.parse::<i64>().is_err() {
        return Some(text);
    }
    (text == "4").then(|| "Fixed Restorative".to_owned())
}

/// Regular teeth are listed too, and nothing is ordered for them.
fn teeth(rx: &Rx) -> Vec<Tooth> {
    const REGULAR: i32 = 1;
    let ordered = rx.teeth.iter().filter(|tooth| tooth.restoration != REGULAR);
    let teeth = ordered.filter_map(|one: &rx::Tooth| Tooth::new(one.ada, restoration(*one)));
    let by_number: BTreeMap<u8, Tooth> = teeth.map(|tooth| (tooth.number, tooth)).collect();
    by_number.into_values().collect()
}

/// SEEN: `RestorationType` in published exports.
fn restoration(tooth: rx::Tooth) -> Option<Restoration> {
    Some(match tooth.restoration {
        2 => Restoration::Crown,
        3 => Restoration::ThreeQuarterCrown,
        4 => Restoration::Abutment,
        5 => Restoration::Inlay,
        6 => Restoration::Onlay,
        7 => Restoration::Veneer,
        8 => Restoration::Removable,
        9 => Restoration::Missing,
        10 => Restoration::MissingClosed,
        11 => Restoration::Deciduous,
        12 => Restoration::ScanBody,
        13 => Restoration::CerecGuide,
        20 => Restoration::Bridge,
        21 => Restoration::Pontic,
        22 => Restoration::EggShell,
        23 => Restoration::Mockup,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(texts: &[&str]) -> Prescription {
        let told: Vec<Told> = texts
            .iter()
            .map(|text| Told { index: 0, objects: Vec::new(), rx: rx::read(text), is_whole: true })
            .collect();
        of(&told, &"17".parse().expect("an order"))
    }

    #[test]
    fn the_newest_version_of_the_xml_counts_and_older_ones_fill_its_gaps() {
        let told = told(&[
            "<iTeroExport Version='2.4'><RxInfo><CaseId>17</CaseId><Doctor>Old, Dr.</Doctor>\
             <DueDate>12/01/2026</DueDate></RxInfo></iTeroExport>",
            "<iTeroExport Version='5.0'><RxInfo><OrderID>17</OrderID><Doctor>New,&#10; Dr.</Doctor>\
             <DueDate>01/01/0001</DueDate><Procedure>4</Procedure><Teeth>\
             <Tooth AdaId='9' RestorationType='1'/><Tooth AdaId='8' RestorationType='2'/>\
             <Tooth AdaId='7' RestorationType='77'/><Tooth AdaId='0' RestorationType='2'/>\
             </Teeth></RxInfo></iTeroExport>",
        ]);
        assert_eq!(told.doctor.as_deref(), Some("New, Dr."));
        assert_eq!(told.due_date.map(|day| day.to_string()).as_deref(), Some("2026-12-01"));
        assert_eq!(told.procedure.as_deref(), Some("Fixed Restorative"));
        let teeth: Vec<_> = told.teeth.iter().map(|one| (one.number, one.restoration)).collect();
        assert_eq!(teeth, [(7, None), (8, Some(Restoration::Crown))]);
    }

    #[test]
    fn what_says_nothing_or_belongs_to_another_order_is_left_out() {
        for text in [
            "",
            "<RxInfo><Doctor>Sample</Doctor></RxInfo>",
            "<iTeroExport><RxInfo><OrderID>18</OrderID><Doctor>Sample</Doctor></RxInfo></iTeroExport>",
            "<iTeroExport><RxInfo><Doctor> , </Doctor><Procedure>-1</Procedure><DueDate/></RxInfo>",
        ] {
            assert_eq!(told(&[text]), Prescription::default(), "{text}");
        }
    }
}
