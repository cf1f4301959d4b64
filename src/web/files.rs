//! An order's files as the page serves them: only files that a manifest lists, and none that
//! identifies a patient unless the config allows it.

use std::io::{self, Read as _};
use std::sync::Arc;

use axum::extract::{Path as InPath, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::address::named;
use super::data::OrderFile;
use super::frame::Call;
use super::markup::segment;
use super::shared::Shared;
use super::streamed::streamed;
use crate::model::manifest::Role;

/// Whether the page serves files of a role. Prescriptions, screen captures and the case's XML name
/// the patient; unknown files may, too.
pub(super) fn may_show(role: Role, show_names: bool) -> bool {
    match role {
        Role::Scan | Role::Texture | Role::Thumbnail => true,
        Role::RxPdf | Role::RxHtml | Role::ScreenCapture | Role::Metadata | Role::Attachment => {
            show_names
        }
    }
}

/// The URL of a file of a revision.
pub(super) fn href(order: &str, revision: u32, path: &str) -> String {
    format!("{order}/files/{revision}/{}", segments(path))
}

/// A path below a folder as a part of a URL.
pub(super) fn segments(path: &str) -> String {
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// How a browser handles a file, and the name under which it saves it.
pub(super) fn disposition(way: &str, name: &str) -> Option<HeaderValue> {
    // Percent-encoded text is always a valid header value.
    HeaderValue::from_str(&format!("{way}; filename*=UTF-8''{}", segment(name))).ok()
}

pub(super) async fn file(
    State(shared): State<Arc<Shared>>,
    InPath((lab, account, order, revision, path)): InPath<(String, String, String, u32, String)>,
    call: Call,
) -> Response {
    let Some(key) = named((lab, account, order)) else {
        return call.nothing(call.texts.not_found_order);
    };
    let found = shared.ask(move |data| data.file(&key, revision, &path)).await;
    match found {
        Ok(Some(found)) if may_show(found.file.role, shared.show_names) => served(found),
        Ok(_) => call.nothing(call.texts.not_found),
        Err(fault) => call.cannot(&fault),
    }
}

/// How to send a file. A browser must never treat one as a page: a prescription may contain
/// scripts.
fn kind(path: &str) -> (&'static str, &'static str) {
    let ending = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "jpg" | "jpeg" => ("image/jpeg", "inline"),
        "png" => ("image/png", "inline"),
        "bmp" => ("image/bmp", "inline"),
        "stl" => ("model/stl", "attachment"),
        "pdf" => ("application/pdf", "attachment"),
        _ => ("application/octet-stream", "attachment"),
    }
}

fn served(found: OrderFile) -> Response {
    let OrderFile { file, len, content } = found;
    // Send what is there now, but no more than announced.
    let body = streamed(move |out| {
        let copied = io::copy(&mut content.take(len), out)?;
        if copied < len { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    });
    let (kind, way) = kind(&file.path);
    let name = file.path.rsplit('/').next().unwrap_or(&file.path);
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    if let Some(way) = disposition(way, name) {
        headers.insert(header::CONTENT_DISPOSITION, way);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_patient_is_shown_only_where_the_config_allows_it() {
        for role in
            [Role::RxPdf, Role::RxHtml, Role::ScreenCapture, Role::Metadata, Role::Attachment]
        {
            assert!(!may_show(role, false) && may_show(role, true), "{role:?}");
        }
        assert!(may_show(Role::Scan, false) && may_show(Role::Thumbnail, false));
    }

    #[test]
    fn nothing_is_sent_as_a_page() {
        for path in ["rx.html", "x.svg", "x.xml", "x.htm", "x", "x.js", "x.HTML"] {
            assert_eq!(kind(path), ("application/octet-stream", "attachment"), "{path}");
        }
        assert_eq!(kind("a/B.JPG"), ("image/jpeg", "inline"));
    }

    #[test]
    fn an_address_keeps_the_folders_apart() {
        assert_eq!(
            href("/orders/l/1/2", 3, "a b/c#.stl"),
            "/orders/l/1/2/files/3/a%20b/c%23%2Estl"
        );
    }
}
