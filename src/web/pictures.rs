//! The pictures of an order: what each shows, and a page for each.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

use super::address::{href, named};
use super::files::{self, may_show, segments};
use super::frame::{Call, Frame, show};
use super::order_texts::OrderTexts;
use super::shared::Shared;
use super::texts::fill;
use crate::model::manifest::{Manifest, ManifestFile, Role};

/// What a picture shows, in the order in which they are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Motif {
    All,
    Front,
    Left,
    Right,
    Upper,
    Lower,
    Unknown,
    Capture,
}

pub(super) struct Picture {
    /// The page that shows only this picture.
    pub(super) page: String,
    /// The picture itself.
    pub(super) source: String,
    pub(super) label: String,
}

#[derive(Template)]
#[template(path = "picture.html")]
struct PicturePage {
    frame: Frame,
    w: &'static OrderTexts,
    order_page: String,
    to_order: String,
    picture: Picture,
    before: Option<String>,
    after: Option<String>,
}

/// All pictures of a revision that the page may show.
pub(super) fn of(
    manifest: &Manifest,
    order_page: &str,
    show_names: bool,
    w: &OrderTexts,
) -> Vec<Picture> {
    let revision = manifest.revision;
    let shown = manifest.files.iter().filter(|file| may_show(file.role, show_names));
    let mut found: Vec<_> = shown.filter_map(|file| Some((Motif::of(file)?, file))).collect();
    found.sort_by_key(|(motif, _)| *motif);
    let (mut unknown, mut captures) = (0, 0);
    let picture = |(motif, file): (Motif, &ManifestFile)| {
        let count = if motif == Motif::Capture { &mut captures } else { &mut unknown };
        if motif >= Motif::Unknown {
            *count += 1;
        }
        Picture {
            page: format!("{order_page}/pictures/{revision}/{}", segments(&file.path)),
            source: files::href(order_page, revision, &file.path),
            label: fill(motif.words(w), &[("n", &count.to_string())]),
        }
    };
    found.into_iter().map(picture).collect()
}

impl Motif {
    /// `None` for what is no picture.
    fn of(file: &ManifestFile) -> Option<Self> {
        match file.role {
            Role::ScreenCapture => return Some(Self::Capture),
            Role::Thumbnail => {}
            _ => return None,
        }
        let name = file.path.file_name().to_lowercase();
        let words = name.split(|c: char| !c.is_alphanumeric());
        let words: Vec<_> = words.chain(file.part.as_deref()).collect();
        let views = [
            ("front", Self::Front),
            ("left", Self::Left),
            ("right", Self::Right),
            ("upper", Self::Upper),
            ("lower", Self::Lower),
            ("gallery", Self::All),
        ];
        let found = views.into_iter().find(|(word, _)| words.contains(word));
        Some(found.map_or(Self::Unknown, |(_, motif)| motif))
    }

    fn words(self, w: &OrderTexts) -> &'static str {
        match self {
            Self::All => w.all_views,
            Self::Front => w.front,
            Self::Left => w.left,
            Self::Right => w.right,
            Self::Upper => w.upper,
            Self::Lower => w.lower,
            Self::Unknown => w.picture,
            Self::Capture => w.capture,
        }
    }
}

/// Shows one picture, with its name and the way to the others.
pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Path((lab, account, order, revision, path)): Path<(String, String, String, u32, String)>,
    call: Call,
) -> Response {
    let Some(key) = named((lab, account, order)) else {
        return call.nothing(call.texts.not_found_order);
    };
    let order_page = href(&key);
    let asked = key.clone();
    let view = match shared.ask(move |data| data.order(&asked)).await {
        Ok(view) => view,
        Err(fault) => return call.cannot(&fault),
    };
    let w = call.lang.order_texts();
    let manifest = view.as_ref().and_then(|view| view.at_hand(revision));
    let mut all = manifest.map(|it| of(it, &order_page, shared.show_names, w)).unwrap_or_default();
    let here = format!("{order_page}/pictures/{revision}/{}", segments(&path));
    let Some(at) = all.iter().position(|picture| picture.page == here) else {
        return call.nothing(call.texts.not_found);
    };
    let page_at = |at: Option<usize>| Some(all.get(at?)?.page.clone());
    let (before, after) = (page_at(at.checked_sub(1)), page_at(at.checked_add(1)));
    let picture = all.swap_remove(at);
    let order = key.order.as_str();
    let title = fill(w.picture_of, &[("picture", &picture.label), ("order", order)]);
    show(&PicturePage {
        frame: call.frame(title, "orders").still(),
        w,
        to_order: fill(w.to_order, &[("order", order)]),
        order_page,
        picture,
        before,
        after,
    })
}

#[cfg(test)]
mod tests {
    use super::super::order_texts::{ENGLISH, GERMAN};
    use super::super::tests::file;
    use super::*;

    #[test]
    fn pictures_are_named_by_what_they_show_in_the_order_of_looking() {
        let files = vec![
            file("screen-captures/screen_capture_1.jpg", Role::ScreenCapture),
            file("thumbnails/gallery_#17_penta_lower_m.jpg", Role::Thumbnail),
            file("thumbnails/gallery_#17_penta_front_m.jpg", Role::Thumbnail),
            file("thumbnails/gallery_#17.jpg", Role::Thumbnail),
            file("thumbnails/x.jpg", Role::Thumbnail),
            file("thumbnails/y.jpg", Role::Thumbnail),
            file("upper.stl", Role::Scan),
        ];
        let manifest = Manifest { files, ..casedrop_testing::manifest_of(2, &[]) };
        let labels = |show_names, w| {
            let all = of(&manifest, "/orders/a/1/17", show_names, w);
            all.into_iter().map(|picture| picture.label).collect::<Vec<_>>()
        };
        let some = ["Overview", "Front", "Lower jaw", "Picture 1", "Picture 2"];
        assert_eq!(labels(false, &ENGLISH), some);
        assert_eq!(labels(true, &ENGLISH)[5], "Screen capture 1");
        assert_eq!(labels(true, &GERMAN)[..2], ["Gesamtansicht", "Vorn"]);
    }
}
