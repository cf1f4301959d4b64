//! The scans of an order: what the 3D view draws, and how it tells them apart.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::lang::Lang;
use super::markup::size;
use super::prescription::shows;
use super::texts::fill;
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
    lang: Lang,
) -> Vec<Mesh<'a>> {
    let (t, w) = (lang.texts(), lang.order_texts());
    let mut known = BTreeSet::new();
    let mut found: Vec<_> = scans
        .filter(|file| file.copy_of.is_none())
        // Older manifests do not say which file is a copy.
        .filter(|file| known.insert((&file.sha256, t.jaw_of(file.jaw))))
        .filter_map(|file| Some((shows(file, lang.code()), file, format(file)?, address(file)?)))
        .collect();
    found.sort_by_key(|(more, file, ..)| (!more.is_empty(), jaw_rank(file.jaw)));
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mesh = |(more, file, format, url): (String, &'a ManifestFile, _, _)| {
        let (jaw, words) = match file.jaw {
            Some(Jaw::Upper) => ("upper", t.v_upper),
            Some(Jaw::Lower) => ("lower", t.v_lower),
            Some(Jaw::Both) => ("other", w.both_jaws),
            None => ("other", w.other_scan),
        };
        let further = !more.is_empty();
        let label = if further { format!("{words}, {more}") } else { words.to_owned() };
        let count = names.entry(label.clone()).or_default();
        *count += 1;
        let label = match *count {
            1 => label,
            n => fill(w.numbered, &[("name", &label), ("n", &n.to_string())]),
        };
        Mesh { name: file.path.file_name(), label, url, jaw, format, bytes: file.size, further }
    };
    found.into_iter().map(mesh).collect()
}

/// Upper before lower, and jaws before everything else.
fn jaw_rank(jaw: Option<Jaw>) -> u8 {
    match jaw {
        Some(Jaw::Upper) => 0,
        Some(Jaw::Lower) => 1,
        Some(Jaw::Both) => 2,
        None => 3,
    }
}

impl Mesh<'_> {
    pub(super) fn link(&self, lang: &str) -> ScanLink {
        ScanLink { href: self.url.clone(), label: self.label.clone(), size: size(self.bytes, lang) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::{Role, Stage};

    fn scan(path: &str, jaw: Option<Jaw>) -> ManifestFile {
        ManifestFile { jaw, sha256: path.to_owned(), ..crate::web::tests::file(path, Role::Scan) }
    }

    fn labels(files: &[ManifestFile], lang: Lang) -> Vec<(String, bool)> {
        let all = meshes(files.iter(), &|_| Some("/x".to_owned()), lang);
        all.into_iter().map(|mesh| (mesh.label, mesh.further)).collect()
    }

    #[test]
    fn scans_are_told_apart_by_short_words() {
        let files = [
            ManifestFile {
                stage: Some(Stage::Pretreatment),
                ..scan("upper_jaw_pretreatment_#17.ply", Some(Jaw::Upper))
            },
            scan("upper_jaw_without_ditch_#17.ply", Some(Jaw::Upper)),
            ManifestFile {
                part: Some("bite".to_owned()),
                ..scan("17_shell_occlusion_l_bite1.stl", Some(Jaw::Lower))
            },
            scan("scan-lower.stl", Some(Jaw::Lower)),
            scan("die_14.stl", None),
            scan("die_15.stl", None),
            scan("notes.obj", None),
        ];
        let said = |label: &str, further| (label.to_owned(), further);
        assert_eq!(
            labels(&files, Lang::English),
            [
                said("Upper jaw", false),
                said("Lower jaw", false),
                said("Other scan", false),
                said("Other scan (2)", false),
                said("Upper jaw, pre-treatment", true),
                said("Lower jaw, bite", true),
            ]
        );
        let german = labels(&files[..3], Lang::German);
        assert_eq!(german[1], said("Oberkiefer, vor der Behandlung", true));
        assert_eq!(german[2], said("Unterkiefer, Biss", true));
    }

    #[test]
    fn a_scan_under_two_names_is_drawn_once() {
        let plain = scan("scan-upper-2.stl", Some(Jaw::Upper));
        let copy = ManifestFile {
            sha256: plain.sha256.clone(),
            ..scan("upper_jaw_pretreatment_#17.stl", Some(Jaw::Upper))
        };
        let told = ManifestFile {
            copy_of: Some(plain.path.clone()),
            ..scan("again.stl", Some(Jaw::Upper))
        };
        let found = labels(&[plain, copy, told], Lang::English);
        assert_eq!(found, [("Upper jaw".to_owned(), false)]);
    }
}
