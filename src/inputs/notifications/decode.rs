//! Request bodies that a gateway compressed on the way.

use std::borrow::Cow;
use std::io::Read;

use axum::http::{HeaderMap, header};
use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};

/// Maximum size of a notification, in bytes: it names a few orders.
pub(super) const MOST_BYTES: usize = 64 * 1024;

/// The first bytes of every gzip stream.
const GZIP: [u8; 2] = [0x1F, 0x8B];

/// Returns the body as it was before compression. Undeclared gzip compression is recognized, too.
///
/// # Errors
/// Why the body cannot be decoded.
pub(super) fn plain<'a>(body: &'a [u8], headers: &HeaderMap) -> Result<Cow<'a, [u8]>, String> {
    let named = headers.get_all(header::CONTENT_ENCODING).iter();
    let named = named.map(|value| value.to_str().map_err(|_| "its encoding has no readable name"));
    let named: Vec<_> = named.collect::<Result<_, _>>()?;
    let names = named.iter().flat_map(|list| list.split(','));
    let names: Vec<_> = names
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && name != "identity")
        .collect();
    match names.as_slice() {
        [] if body.starts_with(&GZIP) => unpacked(GzDecoder::new(body)).map(Cow::Owned),
        [] => Ok(Cow::Borrowed(body)),
        [one] => match one.as_str() {
            "gzip" | "x-gzip" if body.starts_with(&GZIP) => {
                unpacked(GzDecoder::new(body)).map(Cow::Owned)
            }
            // RFC 9110 means the zlib format; some send the raw stream.
            "deflate" => unpacked(ZlibDecoder::new(body))
                .or_else(|_| unpacked(DeflateDecoder::new(body)))
                .map(Cow::Owned),
            // A gateway unpacked it and left the header.
            "gzip" | "x-gzip" => Ok(Cow::Borrowed(body)),
            _ => Err("it is compressed in an unknown way".to_owned()),
        },
        _ => Err("it is compressed more than once".to_owned()),
    }
}

/// Never unpacks more than a notification may hold.
fn unpacked(from: impl Read) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    let read = from.take(MOST_BYTES as u64 + 1).read_to_end(&mut plain);
    match read {
        Ok(bytes) if bytes > MOST_BYTES => Err("it is too large once it is unpacked".to_owned()),
        Ok(_) => Ok(plain),
        Err(_) => Err("it cannot be unpacked".to_owned()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use axum::http::HeaderValue;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    pub(in super::super) fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(plain).expect("written");
        packer.finish().expect("packed")
    }

    fn read(body: &[u8], encoding: Option<&'static str>) -> Result<Vec<u8>, String> {
        let mut headers = HeaderMap::new();
        if let Some(encoding) = encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        plain(body, &headers).map(Cow::into_owned)
    }

    #[test]
    fn compressed_bodies_are_unpacked_however_they_say_so() {
        let text = br#"{"rxId":"77"}"#;
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(text).expect("written");
        bare.write_all(text).expect("written");
        let (zlib, bare) = (zlib.finish().expect("packed"), bare.finish().expect("packed"));
        for (body, encoding) in [
            (gzip(text), Some("gzip")),
            (gzip(text), Some("identity, X-GZip")),
            (gzip(text), None),
            (zlib, Some("deflate")),
            (bare, Some("deflate")),
            (text.to_vec(), Some("gzip")),
            (text.to_vec(), Some("identity")),
            (text.to_vec(), None),
        ] {
            assert_eq!(read(&body, encoding).expect("readable"), text, "{encoding:?}");
        }
        assert!(read(text, Some("br")).is_err());
        assert!(read(&gzip(text), Some("gzip, gzip")).is_err());
        assert!(read(&gzip(text)[..20], Some("gzip")).is_err(), "cut off");
    }

    #[test]
    fn a_small_body_that_becomes_a_large_one_is_unpacked_no_further_than_it_may_be() {
        let most = vec![b' '; MOST_BYTES];
        assert_eq!(read(&gzip(&most), Some("gzip")).expect("as large as may be").len(), MOST_BYTES);
        let bomb = gzip(&vec![b' '; 50_000_000]);
        assert!(bomb.len() < MOST_BYTES);
        assert!(read(&bomb, Some("gzip")).expect_err("refused").contains("too large"));
    }
}
