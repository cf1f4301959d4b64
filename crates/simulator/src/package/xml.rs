//! The metadata XML, in the versions found in exports.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::content::{Body, Member, XmlVersion};
use super::noise::hash;
use super::samples::Jaw;
use super::samples::View;
use super::spec::CaseSpec;
use super::xml_tables as tables;

/// Writes the XML of a version, listing the given members.
pub(super) fn export(
    spec: &CaseSpec,
    version: XmlVersion,
    members: &[Member],
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if version == XmlVersion::V24 {
        // Older versions start with a byte order mark.
        bytes.extend_from_slice("\u{feff}".as_bytes());
    }
    let mut out = Writer::new_with_indent(&mut bytes, b'\t', 1);
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    let mut doc = Doc { out };
    let number = match version {
        XmlVersion::V24 => "2.4",
        XmlVersion::V30 => "3.0",
        XmlVersion::V50 => "5.0",
    };
    doc.group("iTeroExport", &[("Version", number)], |doc| {
        doc.group("RxInfo", &[], |doc| match version {
            XmlVersion::V24 => info_v24(spec, doc),
            XmlVersion::V30 => info_v30(spec, doc),
            XmlVersion::V50 => info_v50(spec, doc),
        })?;
        if version != XmlVersion::V30 {
            defines(version, doc)?;
        }
        doc.group("ExportedObjects", &[], |doc| objects(version, members, doc))?;
        if version != XmlVersion::V30 {
            doc.group("ActualUsedTransforms", &[], |doc| doc.text("Transformation", IDENTITY))?;
            doc.empty("ScanBodyRecognitionData", &[])?;
        }
        Ok(())
    })?;
    Ok(bytes)
}

const IDENTITY: &str = "1.000000 0.000000 0.000000 0.000000 0.000000 1.000000 0.000000 0.000000 \
                        0.000000 0.000000 1.000000 0.000000 0.000000 0.000000 0.000000 1.000000";
const CAAS_VERSION: &str = "0.9.7.14";
const ITERO_VERSION: &str = "2.15.0.35";

/// A thin layer that keeps the tables below readable.
struct Doc<'a> {
    out: Writer<&'a mut Vec<u8>>,
}

impl Doc<'_> {
    fn group(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        inside: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let start = BytesStart::new(name).with_attributes(attributes.iter().copied());
        self.out.write_event(Event::Start(start))?;
        inside(self)?;
        self.out.write_event(Event::End(BytesEnd::new(name)))
    }

    fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return self.empty(name, &[]);
        }
        self.out.write_event(Event::Start(BytesStart::new(name)))?;
        self.out.write_event(Event::Text(BytesText::new(text)))?;
        self.out.write_event(Event::End(BytesEnd::new(name)))
    }

    fn texts(&mut self, rows: &[(&str, &str)]) -> io::Result<()> {
        rows.iter().try_for_each(|(name, text)| self.text(name, text))
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        let start = BytesStart::new(name).with_attributes(attributes.iter().copied());
        self.out.write_event(Event::Empty(start))
    }
}

/// Values that several versions write.
struct Values {
    id: String,
    patient: String,
    doctor: String,
    doctor_id: String,
    license: String,
    company: String,
    lab_id: String,
    due: String,
    exported: String,
    modeled: &'static str,
}

impl Values {
    fn of(spec: &CaseSpec) -> Self {
        // A doctor's numbers stay the same across orders.
        let doctor = spec.doctor.last_first();
        let seed = doctor.bytes().fold(0, |sum, byte| hash(sum, u64::from(byte), 0));
        Self {
            id: spec.order_id.to_string(),
            patient: spec.patient_text(),
            doctor_id: (100_000 + seed % 900_000).to_string(),
            license: format!("{}-{}", super::people::DOCTOR_MARKER, seed % 100_000),
            company: (10_000 + seed % 90_000).to_string(),
            doctor,
            lab_id: spec.lab_id.to_string(),
            due: spec.due.strftime("%m/%d/%Y").to_string(),
            exported: spec.exported.strftime("%m/%d/%Y %H:%M:%S").to_string(),
            modeled: if spec.modeled { "True" } else { "False" },
        }
    }
}

fn info_v24(spec: &CaseSpec, doc: &mut Doc<'_>) -> io::Result<()> {
    let v = Values::of(spec);
    doc.texts(&[
        ("CaseId", &v.id),
        ("Modeled", v.modeled),
        ("FilePath", ""),
        ("ExportTime", &v.exported),
        ("UtcOffset", "0"),
        ("LabTechnician", ""),
        ("Patient", &v.patient),
        ("ChartNumber", &spec.chart_number),
        ("Doctor", &v.doctor),
        ("DoctorLicense", &v.license),
        ("DoctorID", &v.doctor_id),
        ("LabName", &spec.lab_name),
        ("LabID", &v.lab_id),
        ("PracticeShipToAddress", &spec.practice_address),
        ("DueDate", &v.due),
    ])?;
    scan_range(doc)?;
    doc.texts(&[("CaaSVersion", CAAS_VERSION), ("iTeroVersion", ITERO_VERSION)])?;
    scheme(doc)?;
    teeth(spec, XmlVersion::V24, doc)?;
    rest(spec, doc)
}

fn info_v30(spec: &CaseSpec, doc: &mut Doc<'_>) -> io::Result<()> {
    let v = Values::of(spec);
    doc.texts(&[
        ("OrderID", &v.id),
        ("OrderCode", &spec.order_code),
        ("CaseTypeID", &spec.case_type_id().to_string()),
        ("CaseTypeName", &spec.case_type),
        ("Patient", &v.patient),
        ("Doctor", &v.doctor),
        ("DoctorID", &v.doctor_id),
        ("DoctorLicense", &v.license),
        ("DoctorCompanyID", &v.company),
        ("DueDate", &v.due),
        ("LabID", &v.lab_id),
        ("PracticeShipToAddress", &spec.practice_address),
        ("ExportTime", &v.exported),
        ("UtcOffset", "0"),
        ("CaaSVersion", CAAS_VERSION),
        ("iTeroVersion", ITERO_VERSION),
    ])
}

fn info_v50(spec: &CaseSpec, doc: &mut Doc<'_>) -> io::Result<()> {
    let v = Values::of(spec);
    doc.texts(&[
        ("OrderID", &v.id),
        ("OrderCode", &spec.order_code),
        ("Modeled", v.modeled),
        ("FilePath", ""),
        ("ExportTime", &v.exported),
        ("UtcOffset", "0"),
        ("LabTechnician", ""),
        ("Patient", &v.patient),
        ("UniquePatientIdentifier", &guid(spec.order_id)),
        ("ChartNumber", &spec.chart_number),
        ("Doctor", &v.doctor),
        ("DoctorLicense", &v.license),
        ("DoctorID", &v.doctor_id),
        ("LabName", &spec.lab_name),
        ("LabID", &v.lab_id),
        ("PracticeShipToAddress", &spec.practice_address),
        ("DueDate", &v.due),
    ])?;
    scan_range(doc)?;
    doc.texts(&[("CaaSVersion", CAAS_VERSION), ("iTeroVersion", ITERO_VERSION)])?;
    scheme(doc)?;
    doc.texts(&[
        ("Procedure", "4"),
        ("ProcedureType", "-1"),
        ("Denture", ""),
        ("TreatmentStage", "-1"),
    ])?;
    teeth(spec, XmlVersion::V50, doc)?;
    rest(spec, doc)?;
    doc.text("DoctorCompanyID", &v.company)
}

fn scan_range(doc: &mut Doc<'_>) -> io::Result<()> {
    doc.group("ScanRange", &[], |doc| {
        doc.empty("UpperRange", &[("FromAdaId", "2"), ("ToAdaId", "15")])?;
        doc.empty("LowerRange", &[("FromAdaId", "18"), ("ToAdaId", "31")])
    })
}

fn scheme(doc: &mut Doc<'_>) -> io::Result<()> {
    doc.texts(&[
        ("ExportScheme", "3Shape"),
        (
            "SchemeInfo",
            "Exported files are compatible with 3Shape Dental System version 2008/1 or later",
        ),
        ("ToothShadeSystem", "VITA Lumin"),
    ])
}

fn teeth(spec: &CaseSpec, version: XmlVersion, doc: &mut Doc<'_>) -> io::Result<()> {
    doc.group("Teeth", &[], |doc| {
        for tooth in &spec.teeth {
            let text = |number: i64| number.to_string();
            let (ada, kind) = (text(tooth.ada.into()), text(tooth.restoration.into()));
            let material = text(tooth.material.into());
            let in_bridge = text(tooth.in_bridge.into());
            let ditch = if spec.modeled { "1" } else { "0" };
            let bridge = if tooth.in_bridge < 0 { "-1" } else { "1" };
            let mut row: Vec<(&str, &str)> = vec![("AdaId", &ada), ("RestorationType", &kind)];
            if version == XmlVersion::V50 {
                row.extend([
                    ("Specification", "1"),
                    ("ImplantBasedRestorationType", "-1"),
                    ("AbutmentType", "-1"),
                    ("PonticDesign", "-1"),
                ]);
            }
            row.extend([
                ("Ditch", ditch),
                ("ToothMaterial", &material),
                ("MarginDesignInt", ""),
                ("MarginDesignExt", ""),
                ("IncisalShade", &tooth.shade),
                ("MiddleShade", &tooth.shade),
                ("GingivalShade", &tooth.shade),
                ("DieShade", ""),
                ("PreparationDesignBuccal", ""),
                ("PreparationDesignLingual", ""),
            ]);
            if version == XmlVersion::V50 {
                row.push(("AbutmentMaterial", "-1"));
            }
            row.extend([("TypeInBridge", in_bridge.as_str()), ("BridgeID", bridge)]);
            doc.empty("Tooth", &row)?;
        }
        Ok(())
    })?;
    doc.empty("TeethBuccalTransforms", &[])
}

fn rest(spec: &CaseSpec, doc: &mut Doc<'_>) -> io::Result<()> {
    let in_bridge = || spec.teeth.iter().filter(|tooth| tooth.in_bridge > 0);
    let ends = (in_bridge().next(), in_bridge().next_back());
    if let (Some(from), Some(to)) = ends {
        let (from, to) = (from.ada.to_string(), to.ada.to_string());
        let row = [("Id", "1"), ("Type", "1"), ("FromAdaId", &from), ("ToAdaId", &to)];
        doc.group("Bridges", &[], |doc| doc.empty("Bridge", &row))?;
    } else {
        doc.empty("Bridges", &[])?;
    }
    doc.text("Notes", &spec.notes)?;
    doc.empty("Local_iDE", &[("ProductionCenterID", "-1")])?;
    doc.empty(
        "iDE_Order",
        &[
            ("ProductionCenterID", "0"),
            ("CADCAMSystemTypeID", "-1"),
            ("SelectedProductionCenterName", ""),
            ("SelectedCadcamSystemName", "3Shape"),
        ],
    )?;
    doc.empty("CA_Order", &[("ProductionCenterID", "0"), ("SelectedProductionCenterName", "")])
}

fn defines(version: XmlVersion, doc: &mut Doc<'_>) -> io::Result<()> {
    doc.group("RxDefines", &[], |doc| {
        for (group, row, table) in tables::TABLES {
            doc.group(group, &[], |doc| {
                table.iter().try_for_each(|(id, name)| {
                    doc.empty(row, &[("Id", &id.to_string()), ("Name", name)])
                })
            })?;
        }
        let implants = if version == XmlVersion::V24 { tables::IMPLANTS } else { 12 };
        doc.group("ImplantTypes", &[], |doc| {
            (1..=implants).try_for_each(|id| {
                let implant = tables::implant(id);
                doc.empty(
                    "Type",
                    &[
                        ("Id", &id.to_string()),
                        ("Name", &implant.name),
                        ("ScanBodyMfg", &implant.maker),
                        ("ScanBodyMfgExtID", ""),
                        ("ImplantManufacturerName", &implant.maker),
                    ],
                )
            })
        })
    })
}

fn objects(version: XmlVersion, members: &[Member], doc: &mut Doc<'_>) -> io::Result<()> {
    let jaw_id = |jaw: Jaw| if jaw == Jaw::Upper { "Upper" } else { "Lower" };
    for member in members {
        let mut row = Vec::new();
        match &member.body {
            Body::Mesh(mesh) => {
                // SEEN: the older version calls a pretreatment scan a plain jaw.
                let before = mesh.pretreatment && version != XmlVersion::V24;
                row.extend([
                    ("ObjectType", "Surface"),
                    ("SubType", if before { "PreTreatment_Jaw" } else { "Jaw" }),
                ]);
                row.extend(mesh.jaw().map(|jaw| ("JawId", jaw_id(jaw))));
            }
            Body::Texture(jaw) => {
                row.extend([
                    ("ObjectType", "Texture"),
                    ("SubType", "Jaw"),
                    ("JawId", jaw_id(*jaw)),
                ]);
            }
            Body::Picture(View::Capture(_)) => continue,
            Body::Picture(_) => row.extend([("ObjectType", "Image"), ("SubType", "Gallery")]),
            _ => continue,
        }
        row.push(("FileName", &member.name));
        doc.empty("Object", &row)?;
    }
    Ok(())
}

fn guid(order: u64) -> String {
    let (a, b) = (hash(order, 0x601d, 1), hash(order, 0x601d, 2));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}
