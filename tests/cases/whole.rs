//! Whole cases of every kind, from a seed.

use std::fmt::Write as _;

use casedrop::config::Names;
use fastrand::Rng;

use crate::mesh::{Colour, Form, Mesh, jaw};
use crate::pack::Pack;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Shell,
    LowProfile,
    Locked,
    SecondBite,
    OneArchOrtho,
    Crown,
    Bridge,
    Implant,
    Veneers,
    Denture,
    Guard,
    Plain,
}

impl Kind {
    pub(crate) const ALL: [Self; 12] = [
        Self::Shell,
        Self::LowProfile,
        Self::Locked,
        Self::SecondBite,
        Self::OneArchOrtho,
        Self::Crown,
        Self::Bridge,
        Self::Implant,
        Self::Veneers,
        Self::Denture,
        Self::Guard,
        Self::Plain,
    ];

    fn is_ortho(self) -> bool {
        matches!(
            self,
            Self::Shell | Self::LowProfile | Self::Locked | Self::SecondBite | Self::OneArchOrtho
        )
    }
}

/// How a case is written.
#[expect(clippy::struct_excessive_bools, reason = "cases differ in many independent ways")]
pub(crate) struct Style {
    pub(crate) kind: Kind,
    pub(crate) form: Form,
    pub(crate) is_textured: bool,
    pub(crate) is_coloured: bool,
    pub(crate) versions: Vec<&'static str>,
    pub(crate) pretreatment: bool,
    pub(crate) modeled: bool,
    pub(crate) hash: &'static str,
    pub(crate) top: &'static str,
    pub(crate) seed: u64,
    pub(crate) is_wide: bool,
    pub(crate) names: Names,
}

impl Style {
    /// The usual style of a kind.
    pub(crate) fn new(kind: Kind, form: Form) -> Self {
        Self {
            kind,
            form,
            is_textured: false,
            is_coloured: false,
            versions: if kind.is_ortho() { vec!["30"] } else { vec!["24", "50"] },
            pretreatment: false,
            modeled: false,
            hash: "#",
            top: "",
            seed: 1,
            is_wide: false,
            names: Names::Vendor,
        }
    }

    fn of(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let kind = Kind::ALL[usize::try_from(seed).expect("small") % Kind::ALL.len()];
        let sets: &[&[&str]] = if kind.is_ortho() {
            &[&["30"], &["50"], &["30", "50"]]
        } else {
            &[&["50"], &["24", "50"], &["10", "21", "22", "23", "24", "50"], &["24"], &["10"]]
        };
        Self {
            is_textured: rng.u8(..3) == 0,
            is_coloured: rng.bool(),
            versions: sets[rng.usize(..sets.len())].to_vec(),
            pretreatment: rng.bool(),
            modeled: rng.bool(),
            hash: if rng.bool() { "#" } else { "" },
            top: if rng.u8(..4) == 0 { "iTero_Export/" } else { "" },
            seed,
            is_wide: rng.u8(..5) == 0,
            names: [Names::Vendor, Names::Plain, Names::Both][rng.usize(..3)],
            ..Self::new(kind, Form::ALL[rng.usize(..Form::ALL.len())])
        }
    }

    fn teeth(&self) -> Vec<(u8, u8)> {
        let first = [3, 12, 19, 28][usize::try_from(self.seed % 4).expect("small")];
        match self.kind {
            Kind::Crown => vec![(first, 2), (first + 2, 1), (first + 1, 9)],
            Kind::Bridge => vec![(first, 2), (first + 1, 21), (first + 2, 2)],
            Kind::Implant => vec![(first, 4), (first + 1, 12)],
            Kind::Veneers => vec![(7, 7), (8, 7), (9, 7), (24, 5)],
            Kind::Denture if self.seed.is_multiple_of(2) => vec![(3, 8), (4, 9)],
            _ => Vec::new(),
        }
    }
}

const CODE: &str = "02NR8VTN";

pub(crate) fn case(seed: u64) -> (Kind, Pack) {
    let style = Style::of(seed);
    (style.kind, pack(&style))
}

/// A mesh of the package: its file name's stem, its type in the XML, its jaw, and the mesh.
struct Part(String, &'static str, Option<bool>, Mesh);

pub(crate) fn pack(style: &Style) -> Pack {
    let id = 17_544_365 + style.seed * 37;
    let procedure = if style.kind.is_ortho() { "Orthodontic" } else { "Restorative" };
    let types = match style.kind {
        kind if kind.is_ortho() => ["iRecord", "iCast", "Invisalign + iRecord"],
        Kind::Denture => ["Denture", "Restorative", "Denture/Removable"],
        Kind::Guard => ["Appliance", "Restorative", "Guard"],
        _ => ["Restorative", "Fixed Restorative", "Restorative"],
    };
    let case_type = types[usize::try_from(style.seed % 3).expect("small")];
    let mut pack = Pack::new(id, CODE, case_type, procedure);
    pack.names = style.names;
    let parts = parts(style, id);
    let mut objects = String::new();
    let mut object = |kind: &str, sub: &str, upper: Option<bool>, name: &str| {
        let jaw = match upper {
            Some(true) => " JawId=\"Upper\"",
            Some(false) => " JawId=\"Lower\"",
            None => "",
        };
        writeln!(
            objects,
            "<Object ObjectType=\"{kind}\" SubType=\"{sub}\"{jaw} FileName=\"{name}\"/>"
        )
        .expect("memory");
    };
    let is_textured = style.is_textured && style.form.ending() != "stl";
    for Part(stem, sub, upper, mesh) in parts {
        let name = format!("{stem}.{}", style.form.ending());
        let (picture, materials) = (format!("{stem}_texture.jpg"), format!("{stem}.mtl"));
        let colour = match (is_textured, style.is_coloured) {
            (true, _) => Colour::Texture(picture.clone()),
            (false, true) => Colour::Points,
            (false, false) => Colour::None,
        };
        pack.add(format!("{}{name}", style.top), mesh.bytes(style.form, &colour, &materials));
        object("Surface", sub, upper, &name);
        if is_textured {
            if style.form == Form::Obj {
                let text = format!("newmtl jaw\nmap_Kd {picture}\n");
                pack.add(format!("{}{materials}", style.top), text);
            }
            pack.add(format!("{}{picture}", style.top), "a picture");
            object("Texture", "Jaw", upper, &picture);
        }
    }
    if style.modeled && !style.kind.is_ortho() {
        let name = format!("margin_3_{id}.pts");
        pack.add(format!("{}{name}", style.top), "1 2 3\n");
        object("Line", "Margin", None, &name);
    }
    if style.kind.is_ortho() {
        for view in ["", "_penta_front_m"] {
            let name = format!("gallery_#{id}{view}.jpg");
            pack.add(format!("{}{name}", style.top), "a picture");
            object("Image", "Gallery", None, &name);
        }
    } else {
        // This picture comes by a call of its own.
        object("Image", "Gallery", None, &format!("gallery_#{id}.jpg"));
    }
    for version in &style.versions {
        let text = xml(style, version, id, &objects);
        let bytes = if style.is_wide {
            format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
        } else {
            text.into_bytes()
        };
        pack.add(format!("{}itero_export_#{id}_v{version}.xml", style.top), bytes);
    }
    let teeth: Vec<String> = style.teeth().iter().map(|(ada, _)| ada.to_string()).collect();
    let teeth = teeth.join("</td><td>");
    pack.add(format!("{}iTero_Rx_{id}.pdf", style.top), "%PDF-1.4\n%stuff\n%%EOF\n");
    let page =
        format!("<html><img src='itero_element_logo.png'><table><td>{teeth}</td></table></html>");
    pack.add(format!("{}Rx_{id}.html", style.top), page);
    pack.add(format!("{}itero_element_logo.png", style.top), "a logo");
    if style.seed.is_multiple_of(6) {
        pack.add(format!("{}Foto 20260131.jpg", style.top), "a photo");
        pack.add(format!("{}note.xml", style.top), "<note>as on the phone");
    }
    pack
}

fn parts(style: &Style, id: u64) -> Vec<Part> {
    let upper = jaw(true, style.seed, 1.0);
    let lower = jaw(false, style.seed + 1, 1.0);
    let name = |middle: &str, end: &str| format!("{id}_{middle}_{end}");
    let both = |middle: &str| {
        vec![
            Part(name(middle, "l"), "Jaw", Some(false), lower.clone()),
            Part(name(middle, "u"), "Jaw", Some(true), upper.clone()),
        ]
    };
    let is_upper = style.seed.is_multiple_of(2);
    match style.kind {
        Kind::Shell => both("shell_occlusion"),
        // Each jaw on its own, in a different place.
        Kind::LowProfile => {
            let mut parts = both("lprofile_teethup");
            parts[1].3 = parts[1].3.clone().moved([0.0, 0.0, 80.0]);
            parts
        }
        Kind::Locked => {
            let apart = upper.moved([0.0, 0.0, 12.0]).with(&lower);
            vec![Part(name("shell_lockedocclusion", "ul"), "Jaw", None, apart)]
        }
        Kind::SecondBite => {
            let mut parts = both("shell_occlusion");
            let bite = lower.clone().moved([0.4, 1.2, -0.7]);
            parts.push(Part(name("shell_occlusion", "l_bite1"), "Jaw", Some(false), bite));
            parts
        }
        Kind::OneArchOrtho => {
            let mut parts = both("shell_occlusion");
            parts.remove(usize::from(!is_upper));
            parts
        }
        Kind::Plain => vec![Part(format!("scan {id}"), "Jaw", None, upper)],
        Kind::Denture | Kind::Guard if style.seed.is_multiple_of(3) => {
            let stem = format!("upper_jaw_without_ditch_{}{id}", style.hash);
            vec![Part(stem, "Jaw", Some(true), upper)]
        }
        _ => {
            let ditch = if style.modeled { "with_ditch" } else { "without_ditch" };
            let stem = |jaw: &str, what: &str| format!("{jaw}_jaw_{what}_{}{id}", style.hash);
            let mut parts = vec![
                Part(stem("upper", ditch), "Jaw", Some(true), upper.clone()),
                Part(stem("lower", ditch), "Jaw", Some(false), lower),
            ];
            if style.pretreatment {
                let before = jaw(true, style.seed + 2, 1.0);
                parts.push(Part(stem("upper", "pretreatment"), "Jaw", Some(true), before));
            }
            if style.kind == Kind::Implant {
                let body = jaw(true, style.seed + 3, 0.15);
                parts.push(Part(format!("scanbody_{id}"), "ScanBody", None, body));
                let with_body = upper.with(&jaw(true, 5, 0.2).moved([10.0, 12.0, 20.0]));
                parts.push(Part(stem("upper", "scanbody"), "Jaw", Some(true), with_body));
            }
            parts
        }
    }
}

fn xml(style: &Style, version: &str, id: u64, objects: &str) -> String {
    let number = format!("{}.{}", &version[..1], &version[1..]);
    let mut info = String::new();
    let old = version.starts_with('1') || version.starts_with('2');
    if old {
        write!(info, "<CaseId>{id}</CaseId>").expect("memory");
    } else {
        write!(info, "<OrderID>{id}</OrderID><OrderCode>{CODE}</OrderCode>").expect("memory");
    }
    info += "<Patient>Placeholder, Sample</Patient><Notes>see 3 &amp; 4</Notes>";
    if version != "10" && version != "30" {
        info += "<ScanRange><UpperRange FromAdaId=\"2\" ToAdaId=\"15\"/>\
            <LowerRange FromAdaId=\"18\" ToAdaId=\"31\"/></ScanRange>";
    }
    if version == "50" {
        let procedure = match style.kind {
            Kind::Crown | Kind::Bridge | Kind::Implant | Kind::Veneers => "4",
            Kind::Denture => "6",
            _ => "7",
        };
        write!(info, "<Procedure>{procedure}</Procedure>").expect("memory");
    }
    if version != "30" {
        info += "<Teeth>";
        for (ada, kind) in style.teeth() {
            write!(info, "<Tooth AdaId=\"{ada}\" RestorationType=\"{kind}\" BridgeID=\"-1\"/>")
                .expect("memory");
        }
        info += "</Teeth>";
    }
    let encoding = if style.is_wide { "utf-16" } else { "utf-8" };
    format!(
        "<?xml version=\"1.0\" encoding=\"{encoding}\"?>\r\n<iTeroExport Version=\"{number}\">\
         <RxInfo>{info}</RxInfo><RxDefines><Type Id=\"2\" Name=\"Crown\"/></RxDefines>\
         <ExportedObjects>\n{objects}</ExportedObjects></iTeroExport>\n"
    )
}
