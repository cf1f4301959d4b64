//! The code tables that the XML includes in `RxDefines`.

/// Codes and their meanings.
type Rows = &'static [(i32, &'static str)];

/// The tables: the group element, the row element, the rows.
pub(super) const TABLES: [(&str, &str, Rows); 4] = [
    ("RestorationTypes", "Type", &RESTORATIONS),
    ("BridgeTypes", "Type", &[(1, "Traditional"), (2, "Cantilever"), (3, "Maryland")]),
    ("ToothInBridgeTypes", "Type", &IN_BRIDGE),
    ("Materials", "Material", &MATERIALS),
];

const RESTORATIONS: [(i32, &str); 17] = [
    (1, "Regular"),
    (2, "Crown"),
    (3, "3/4 Crown"),
    (4, "Implant Abutment"),
    (5, "Inlay"),
    (6, "Onlay"),
    (7, "Veneer"),
    (8, "Detachable"),
    (9, "Missing (edentulous space)"),
    (10, "Missing (no space)"),
    (11, "Deciduous"),
    (12, "Scan Body"),
    (13, "CerecGuide"),
    (20, "Bridge"),
    (21, "Pontic"),
    (22, "EggShell"),
    (23, "MockupTooth"),
];

const IN_BRIDGE: [(i32, &str); 6] = [
    (-1, "N/R"),
    (1, "Abutment"),
    (2, "Intermediate Abutment"),
    (3, "Maryland Abutment"),
    (4, "Pontic"),
    (5, "Skipped"),
];

const MATERIALS: [(i32, &str); 18] = [
    (2009, "Ceramic: Zirconia"),
    (2010, "Ceramic: Translucent Zirconia"),
    (2011, "Ceramic: Multilayer Zirconia"),
    (2012, "Ceramic: Lithium Disilicate"),
    (2013, "Ceramic: Lithium Silicate"),
    (2014, "Ceramic: Glass Ceramic"),
    (2015, "Ceramic: Feldspathic Ceramic"),
    (2016, "Ceramic: Hybrid"),
    (2017, "Lab Preference"),
    (2018, "Metal: High Noble"),
    (2019, "Metal: Semi-Precious"),
    (2020, "Metal: Titanium"),
    (2021, "Metal: Cobalt Chrome"),
    (2022, "Acrylic/PMMA"),
    (2023, "PEEK"),
    (2024, "Composite"),
    (2025, "Other (check note)"),
    (2026, "Wax"),
];

pub(super) fn restoration(code: u8) -> &'static str {
    named(&RESTORATIONS, code.into())
}

pub(super) fn material(code: u16) -> &'static str {
    named(&MATERIALS, code.into())
}

fn named(table: &[(i32, &'static str)], code: i32) -> &'static str {
    table.iter().find(|(id, _)| *id == code).map_or("Other", |(_, name)| name)
}

/// How many implants the older version lists: they make it as long as a megabyte.
pub(super) const IMPLANTS: u32 = 7_081;

/// An invented implant.
pub(super) struct Implant {
    pub(super) name: String,
    pub(super) maker: String,
}

/// The implant with this id.
pub(super) fn implant(id: u32) -> Implant {
    let lines = ["Tissue", "Bone", "Conical", "Internal Hex", "External Hex", "Tri-Lobe"];
    let line = lines[usize::try_from(id).unwrap_or_default() % lines.len()];
    let tenths = 30 + id / 6 % 31;
    Implant {
        name: format!("{line} Level {}.{} mm", tenths / 10, tenths % 10),
        maker: format!("Sample Implants {:02}", id / 186 + 1),
    }
}
