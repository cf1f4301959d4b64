//! What a file's name says about it: the one place that knows the vendor's names. Manifests, plain
//! names, findings and the 3D view all build on it. Names are matched case-insensitively.
//!
//! **SEEN** marks names that occur in published exports, **ASSUMED** those that we only expect.

use casedrop_model::manifest::{Jaw, Role};
use casedrop_model::path::RelPath;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) role: Option<Role>,
    pub(super) jaw: Option<Jaw>,
    /// Whether it shows the teeth before treatment.
    pub(super) pretreatment: bool,
    /// What it shows if not a jaw.
    pub(super) part: Option<Part>,
}

/// A part of a case that is not a jaw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// The word in manifests.
    pub(super) word: &'static str,
    /// As the name writes it, with its number: `bite1`.
    pub(super) label: String,
}

impl Part {
    pub(super) fn is_bite(&self) -> bool {
        self.word == BITE
    }
}

const BITE: &str = "bite";
/// The word for margins.
pub(super) const MARGIN: &str = "margin";

/// How names begin the word for a part, before a number, and the word in manifests.
const PARTS: [(&str, &str); 5] = [
    // SEEN: `…_l_bite1`.
    (BITE, BITE),
    // ASSUMED: public pages show no mesh of any of these.
    ("die", "die"),
    (MARGIN, MARGIN),
    ("scanbody", "scan-body"),
    ("abutment", "abutment"),
];

pub(super) fn hint(path: &RelPath) -> Hint {
    let extension = path.extension();
    let name = path.file_name().to_lowercase();
    let stem = name.strip_suffix(&format!(".{extension}")).unwrap_or(&name);
    let words: Vec<&str> =
        stem.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let role = role(path, &extension, stem, &words);
    let mut hint = Hint { role, ..Hint::default() };
    if matches!(role, Some(Role::Scan | Role::Texture)) {
        hint.jaw = jaw(&words);
        hint.pretreatment = words.contains(&"pretreatment");
        hint.part = words.iter().find_map(|word| part(word));
    }
    hint
}

fn role(path: &RelPath, extension: &str, stem: &str, words: &[&str]) -> Option<Role> {
    if is_picture(extension) {
        let top = path.as_str().split_once('/').map(|(top, _)| top.to_lowercase());
        return match top.as_deref() {
            Some("thumbnails") => Some(Role::Thumbnail),
            Some("screen-captures") => Some(Role::ScreenCapture),
            _ if words.contains(&"texture") => Some(Role::Texture),
            _ if stem.starts_with("gallery") => Some(Role::Thumbnail),
            _ => None,
        };
    }
    match extension {
        "stl" | "ply" | "obj" => Some(Role::Scan),
        "xml" => Some(Role::Metadata),
        "pdf" if words.contains(&"rx") => Some(Role::RxPdf),
        "html" | "htm" if words.contains(&"rx") => Some(Role::RxHtml),
        _ => None,
    }
}

pub(super) fn is_picture(extension: &str) -> bool {
    matches!(extension, "jpg" | "jpeg" | "png" | "bmp" | "tif" | "tiff")
}

fn jaw(words: &[&str]) -> Option<Jaw> {
    let says = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
    match (says(&["upper", "maxilla", "maxillary"]), says(&["lower", "mandible", "mandibular"])) {
        (true, true) => return Some(Jaw::Both),
        (true, false) => return Some(Jaw::Upper),
        (false, true) => return Some(Jaw::Lower),
        (false, false) => {}
    }
    // `<id>_shell_occlusion_u`, and `…_l_bite1` for a second bite: the letters are near the end.
    words.iter().rev().take(2).find_map(|word| match *word {
        "u" => Some(Jaw::Upper),
        "l" => Some(Jaw::Lower),
        "ul" | "lu" => Some(Jaw::Both),
        _ => None,
    })
}

fn part(word: &str) -> Option<Part> {
    let (_, of) =
        PARTS.into_iter().find(|(begins, _)| word.strip_prefix(begins).is_some_and(all_digits))?;
    Some(Part { word: of, label: word.to_owned() })
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> (Option<Role>, Option<Jaw>) {
        let hint = hint(&RelPath::parse(name).expect("portable"));
        (hint.role, hint.jaw)
    }

    #[test]
    fn the_vendors_names_are_understood() {
        let scan = |jaw| (Some(Role::Scan), Some(jaw));
        assert_eq!(read("17544365_shell_occlusion_u.stl"), scan(Jaw::Upper));
        assert_eq!(read("17544365_lprofile_teethup_l.PLY"), scan(Jaw::Lower));
        assert_eq!(read("17544365_shell_lockedocclusion_ul.stl"), scan(Jaw::Both));
        assert_eq!(read("17544365_shell_occlusion_l_bite1.stl"), scan(Jaw::Lower));
        assert_eq!(read("upper_jaw_with_ditch_#17544365.ply"), scan(Jaw::Upper));
        assert_eq!(read("Lower_Jaw_pretreatment_17544365.stl"), scan(Jaw::Lower));
        let texture = (Some(Role::Texture), Some(Jaw::Lower));
        assert_eq!(read("lower_jaw_without_ditch_17544365_texture.jpg"), texture);
        assert_eq!(read("iTero_Export_#17544365_v50.xml"), (Some(Role::Metadata), None));
        assert_eq!(read("iTero_Rx_17544365.pdf"), (Some(Role::RxPdf), None));
        assert_eq!(read("Rx_17544365.html"), (Some(Role::RxHtml), None));
        let thumbnail = (Some(Role::Thumbnail), None);
        assert_eq!(read("gallery_#17544365_penta_upper_m.jpg"), thumbnail);
        assert_eq!(read("thumbnails/front.jpg"), thumbnail);
        assert_eq!(read("screen-captures/1.png"), (Some(Role::ScreenCapture), None));
    }

    #[test]
    fn other_names_claim_nothing() {
        for name in ["itero_element_logo.png", "photo.jpg", "letter.pdf", "readme", "x.zip"] {
            assert_eq!(read(name), (None, None), "{name}");
        }
        assert_eq!(read("model.stl"), (Some(Role::Scan), None));
    }

    #[test]
    fn variants_are_seen() {
        let hint = |name: &str| hint(&RelPath::parse(name).expect("portable"));
        // SEEN: `SubType` calls it a jaw, the name does not.
        assert!(hint("upper_jaw_pretreatment_#1.stl").pretreatment);
        let part = |name: &str| hint(name).part.map(|part| (part.word, part.label));
        assert_eq!(part("1_shell_occlusion_l_bite1.stl"), Some(("bite", "bite1".to_owned())));
        assert_eq!(part("lower_die19_#1.stl"), Some(("die", "die19".to_owned())));
        assert_eq!(part("upper_ScanBody_#1.ply"), Some(("scan-body", "scanbody".to_owned())));
        for name in ["lower_jaw_with_ditch_#1.stl", "diet_1.stl", "bitewing.stl", "die.pdf"] {
            assert_eq!(part(name), None, "{name}");
        }
    }
}
