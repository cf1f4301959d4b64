//! The page's styles, scripts and pictures. They are part of the program.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::model::digest::sha256;

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! files {
    ($($name:literal: $kind:expr,)*) => {
        &[$(($name, $kind, include_bytes!(concat!("assets/", $name)) as &[u8]),)*]
    };
}

static FILES: &[(&str, &str, &[u8])] = files! {
    "style.css": STYLE,
    "pages.css": STYLE,
    "viewer.css": STYLE,
    "app.js": SCRIPT,
    "downloads.js": SCRIPT,
    "first-start.js": SCRIPT,
    "format.js": SCRIPT,
    "live.js": SCRIPT,
    "mesh.js": SCRIPT,
    "morph.js": SCRIPT,
    "orientation.js": SCRIPT,
    "scene.js": SCRIPT,
    "times.js": SCRIPT,
    "viewer.js": SCRIPT,
    "vendor/three.js": SCRIPT,
    "icon.svg": "image/svg+xml",
};

/// An asset, and the tag by which browsers know whether their copy is current.
struct Asset {
    kind: &'static str,
    content: &'static [u8],
    tag: String,
}

static ASSETS: LazyLock<BTreeMap<&str, Asset>> = LazyLock::new(|| {
    let asset = |(name, kind, content): &(&'static str, &'static str, &'static [u8])| {
        let tag = format!("\"{}\"", &sha256(content)[..32]);
        (*name, Asset { kind, content, tag })
    };
    FILES.iter().map(asset).collect()
});

pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.get(name.as_str()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let is_known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|tags| tags.to_str().ok())
        .any(|tags| tags.split(',').any(|tag| tag.trim() == asset.tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, asset.kind)], asset.content).into_response()
    };
    let headers = response.headers_mut();
    // Browsers must revalidate each time, since an update may change assets.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&asset.tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_browser_has_already_is_not_sent_again() {
        let name = || Path("style.css".to_owned());
        let first = asset(name(), HeaderMap::new()).await;
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[header::ETAG].clone();
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, tag);
        assert_eq!(asset(name(), headers).await.status(), StatusCode::NOT_MODIFIED);
        let other = asset(Path("../mod.rs".to_owned()), HeaderMap::new()).await;
        assert_eq!(other.status(), StatusCode::NOT_FOUND);
    }
}
