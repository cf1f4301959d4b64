//! The scans of an order: what the 3D view draws, and how it tells them apart.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::markup::size;
use super::order_texts::OrderTexts;
use super::texts::{Texts, fill};
use crate::model::manifest::{Jaw, ManifestFile};

/// A mesh, in the form that the viewer's script expects.
#[derive(Serialize)]
pub(super) struct Mesh<'a> {
    name: &'a str,
    label: String,
    url: String,
    jaw: &'static str,
    format: &'static str,
    bytes: u64,
    /// Whether it is shown only on request: it is not what the order is worked on with.
    further: bool,
}

/// A scan as a link, for browsers without scripts.
pub(super) struct ScanLink {
    pub(super) href: String,
    pub(super) label: String,
    pub(super) size: String,
}

/// The moment and the part that a scan shows.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// What the order is worked on with.
    Working,
    Pretreatment,
    /// An additional bite, with its number.
    Bite(String),
}

impl Stage {
    fn of(file: &ManifestFile) -> Self {
        // The published name may say less than the vendor's.
        let original = file.original_name.as_deref().unwrap_or_default();
        let names = format!("{} {original}", file.path.file_name()).to_lowercase();
        let words: Vec<&str> = names.split(|c: char| !c.is_alphanumeric()).collect();
        let bite = words.iter().find_map(|word| {
            let number = word.strip_prefix("bite")?;
            number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.to_owned())
        });
        match bite {
            Some(number) => Self::Bite(number),
            None if words.contains(&"pretreatment") => Self::Pretreatment,
            None => Self::Working,
        }
    }
}

/// The format of a mesh that can be drawn.
fn format(file: &ManifestFile) -> Option<&'static str> {
    match file.path.extension().as_str() {
        "stl" => Some("stl"),
        "ply" => Some("ply"),
        _ => None,
    }
}

/// What can be drawn, those to work on first; each scan once, even if it is there under two names.
pub(super) fn meshes<'a>(
    scans: impl Iterator<Item = &'a ManifestFile>,
    address: &impl Fn(&ManifestFile) -> Option<String>,
    t: &Texts,
    w: &OrderTexts,
) -> Vec<Mesh<'a>> {
    let mut known = BTreeSet::new();
    let mut found: Vec<_> = scans
        .filter(|file| known.insert((&file.sha256, t.jaw_of(file.jaw))))
        .filter_map(|file| Some((Stage::of(file), file, format(file)?, address(file)?)))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mesh = |(stage, file, format, url): (Stage, &'a ManifestFile, _, _)| {
        let (jaw, words) = match file.jaw {
            Some(Jaw::Upper) => ("upper", t.v_upper),
            Some(Jaw::Lower) => ("lower", t.v_lower),
            Some(Jaw::Both) => ("other", w.both_jaws),
            None => ("other", w.other_scan),
        };
        let label = match &stage {
            Stage::Working => words.to_owned(),
            Stage::Pretreatment => fill(w.pretreatment, &[("jaw", words)]),
            Stage::Bite(number) => fill(w.bite, &[("jaw", words), ("n", number)]),
        };
        let count = names.entry(label.clone()).or_default();
        *count += 1;
        let label = match *count {
            1 => label,
            n => fill(w.numbered, &[("name", &label), ("n", &n.to_string())]),
        };
        let further = stage != Stage::Working;
        Mesh { name: file.path.file_name(), label, url, jaw, format, bytes: file.size, further }
    };
    found.into_iter().map(mesh).collect()
}

impl Mesh<'_> {
    pub(super) fn link(&self, lang: &str) -> ScanLink {
        ScanLink { href: self.url.clone(), label: self.label.clone(), size: size(self.bytes, lang) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::order_texts;
    use super::super::texts::{ENGLISH, GERMAN};
    use super::*;
    use crate::model::manifest::Role;
    use crate::model::path::RelPath;

    fn scan(path: &str, jaw: Option<Jaw>) -> ManifestFile {
        ManifestFile {
            path: RelPath::parse(path).expect("portable"),
            size: 3,
            sha256: path.to_owned(),
            role: Role::Scan,
            jaw,
            original_name: None,
            raw_name: None,
        }
    }

    fn labels(files: &[ManifestFile], t: &Texts, w: &OrderTexts) -> Vec<(String, bool)> {
        let all = meshes(files.iter(), &|_| Some("/x".to_owned()), t, w);
        all.into_iter().map(|mesh| (mesh.label, mesh.further)).collect()
    }

    #[test]
    fn scans_are_told_apart_by_short_words() {
        let files = [
            scan("upper_jaw_pretreatment_#17.ply", Some(Jaw::Upper)),
            scan("upper_jaw_without_ditch_#17.ply", Some(Jaw::Upper)),
            scan("17_shell_occlusion_l_bite1.stl", Some(Jaw::Lower)),
            scan("scan-lower.stl", Some(Jaw::Lower)),
            scan("die_14.stl", None),
            scan("die_15.stl", None),
            scan("notes.obj", None),
        ];
        let said = |label: &str, further| (label.to_owned(), further);
        assert_eq!(
            labels(&files, &ENGLISH, &order_texts::ENGLISH),
            [
                said("Upper jaw", false),
                said("Lower jaw", false),
                said("Other scan", false),
                said("Other scan (2)", false),
                said("Upper jaw, pre-treatment", true),
                said("Lower jaw, bite 1", true),
            ]
        );
        let german = labels(&files[..3], &GERMAN, &order_texts::GERMAN);
        assert_eq!(german[1], said("Oberkiefer, vor der Behandlung", true));
        assert_eq!(german[2], said("Unterkiefer, Biss 1", true));
    }

    #[test]
    fn a_scan_under_two_names_is_drawn_once_and_a_plain_name_keeps_its_stage() {
        let plain = ManifestFile {
            original_name: Some("upper_jaw_pretreatment_#17.stl".to_owned()),
            ..scan("scan-upper-2.stl", Some(Jaw::Upper))
        };
        let copy = ManifestFile {
            sha256: plain.sha256.clone(),
            ..scan("upper_jaw_pretreatment_#17.stl", Some(Jaw::Upper))
        };
        let found = labels(&[plain, copy], &ENGLISH, &order_texts::ENGLISH);
        assert_eq!(found, [("Upper jaw, pre-treatment".to_owned(), true)]);
    }
}
