//! All files of an order in one zip, made while it is sent: it is nowhere on the disk and never
//! whole in memory.

use std::io::{self, Read as _, Write};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::address::named;
use super::data::PageData;
use super::files::{disposition, may_show};
use super::frame::Call;
use super::shared::Shared;
use super::streamed::streamed;
use crate::model::fault::Fault;
use crate::model::ids::OrderKey;
use crate::model::path::RelPath;

/// Zips have to note in advance that a file may be larger.
const LARGE: u64 = 0xffff_ffff;

/// The URL of the zip of a revision.
pub(super) fn href(order: &str, revision: u32) -> String {
    format!("{order}/archive/{revision}")
}

pub(super) async fn all(
    State(shared): State<Arc<Shared>>,
    Path((lab, account, order, revision)): Path<(String, String, String, u32)>,
    call: Call,
) -> Response {
    let Some(key) = named((lab, account, order)) else {
        return call.nothing(call.texts.not_found_order);
    };
    let (show_names, asked) = (shared.show_names, key.clone());
    let found = shared.ask(move |data| whole(data, &asked, revision, show_names)).await;
    let paths = match found {
        Ok(Some(paths)) => paths,
        Ok(None) => return call.nothing(call.lang.order_texts().taken),
        Err(fault) => return call.cannot(&fault),
    };
    let name = format!("{}-r{revision}.zip", key.order);
    let data = Arc::clone(&shared.data);
    let body = streamed(move |out| pack(out, &*data, &key, revision, &paths));
    let mut response = (StatusCode::OK, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    if let Some(way) = disposition("attachment", &name) {
        headers.insert(header::CONTENT_DISPOSITION, way);
    }
    response
}

/// The files that the page may show, if every one of them is still in the order's folder.
fn whole(
    data: &dyn PageData,
    key: &OrderKey,
    revision: u32,
    show_names: bool,
) -> Result<Option<Vec<RelPath>>, Fault> {
    let Some(view) = data.order(key)? else { return Ok(None) };
    let Some(manifest) = view.at_hand(revision) else { return Ok(None) };
    let shown = manifest.files.iter().filter(|file| may_show(file.role, show_names));
    let paths: Vec<_> = shown.map(|file| file.path.clone()).collect();
    for path in &paths {
        if data.file(key, revision, path)?.is_none() {
            return Ok(None);
        }
    }
    Ok((!paths.is_empty()).then_some(paths))
}

fn pack(
    out: &mut dyn Write,
    data: &dyn PageData,
    key: &OrderKey,
    revision: u32,
    paths: &[RelPath],
) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(out);
    for path in paths {
        let found = data.file(key, revision, path).map_err(|fault| io::Error::other(fault.chain()));
        let found = found?.ok_or(io::ErrorKind::NotFound)?;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(1))
            .large_file(found.len >= LARGE);
        // Paths of a manifest are relative and stay below the folder.
        zip.start_file(format!("{}/{path}", key.order), options)?;
        let copied = io::copy(&mut found.content.take(found.len), &mut zip)?;
        if copied < found.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    zip.finish()?;
    Ok(())
}
