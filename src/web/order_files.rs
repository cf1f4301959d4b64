//! The files of an order, in the groups in which people look for them.

use super::markup::size;
use super::order_texts::OrderTexts;
use super::texts::Texts;
use crate::model::manifest::{ManifestFile, Role};

pub(super) struct FileGroup {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) files: Vec<FileView>,
}

pub(super) struct FileView {
    pub(super) path: String,
    pub(super) role: &'static str,
    pub(super) jaw: &'static str,
    pub(super) size: String,
    pub(super) sha256: String,
    pub(super) href: Option<String>,
}

/// The groups that have files.
pub(super) fn groups(
    files: &[ManifestFile],
    address: &impl Fn(&ManifestFile) -> Option<String>,
    (t, w): (&Texts, &OrderTexts),
    lang: &str,
) -> Vec<FileGroup> {
    let view = |file: &ManifestFile| FileView {
        path: file.path.to_string(),
        role: t.role_of(file.role),
        jaw: t.jaw_of(file.jaw),
        size: size(file.size, lang),
        sha256: file.sha256.clone(),
        href: address(file),
    };
    let titles = [
        ("scans", w.scans),
        ("prescription", w.prescription),
        ("pictures", t.pictures),
        ("other", w.other),
    ];
    let group = |(id, title)| {
        let of_it = files.iter().filter(|file| group_of(file.role) == id);
        FileGroup { id, title, files: of_it.map(view).collect() }
    };
    titles.into_iter().map(group).filter(|group| !group.files.is_empty()).collect()
}

fn group_of(role: Role) -> &'static str {
    match role {
        Role::Scan | Role::Texture => "scans",
        Role::RxPdf | Role::RxHtml => "prescription",
        Role::Thumbnail | Role::ScreenCapture => "pictures",
        Role::Metadata | Role::Attachment => "other",
    }
}
