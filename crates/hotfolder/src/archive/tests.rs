//! Archives as other programs write them, one by one; `tests/archives` generates thousands.

use std::io::Cursor;

use super::*;
use casedrop_model::digest::sha256;
use casedrop_model::fault::FaultClass;

/// The same mesh, packed by each method: by Python's `zipfile`, by 7-Zip and by zstd.
const PACKED: [(&str, &[u8]); 6] = [
    ("bzip2", include_bytes!("../../../../tests/data/archives/bzip2.zip")),
    ("deflate64", include_bytes!("../../../../tests/data/archives/deflate64.zip")),
    ("lzma", include_bytes!("../../../../tests/data/archives/lzma.zip")),
    ("lzma by 7-Zip", include_bytes!("../../../../tests/data/archives/lzma-7z.zip")),
    ("xz", include_bytes!("../../../../tests/data/archives/xz.zip")),
    ("zstd", include_bytes!("../../../../tests/data/archives/zstd.zip")),
];
const PPMD: &[u8] = include_bytes!("../../../../tests/data/archives/ppmd.zip");

fn opened(bytes: &[u8]) -> Result<Archive, Fault> {
    Archive::open(Box::new(Cursor::new(bytes.to_vec())), 100)
}

fn content(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut content = Vec::new();
    opened(bytes)?.extract(0, "it", &mut [0; 1000], &mut |more| {
        content.extend_from_slice(more);
        Ok(())
    })?;
    Ok(content)
}

#[test]
fn every_method_in_use_is_read() {
    let expected = content(PACKED[0].1).expect("read");
    assert!(expected.starts_with(b"facet normal") && expected.len() > 30_000);
    for (name, bytes) in PACKED {
        let found = content(bytes).unwrap_or_else(|fault| panic!("{name}: {fault:?}"));
        assert_eq!(sha256(&found), sha256(&expected), "{name}");
    }
}

#[test]
fn a_method_that_nobody_reads_is_no_damage() {
    let fault = content(PPMD).expect_err("unsupported");
    assert_eq!((fault.class, fault.code), (FaultClass::Permanent, "zip-unsupported"));
    assert_eq!(fault.chain(), fault.message, "no text of a library");
}

#[test]
fn every_changed_byte_of_packed_data_is_found_whatever_the_method() {
    for (name, bytes) in PACKED {
        let expected = content(bytes).expect("good");
        let entry = opened(bytes).expect("good").entries.remove(0);
        let data = usize::try_from(entry.data).expect("small");
        let end = data + usize::try_from(entry.packed).expect("small");
        for at in (data..end).step_by(37) {
            let mut bad = bytes.to_vec();
            bad[at] ^= 0x10;
            match content(&bad) {
                // Some bytes carry no meaning, as in a frame header.
                Ok(found) => assert_eq!(found, expected, "{name}, byte {at}"),
                Err(fault) => assert!(
                    matches!(fault.code, "zip-corrupt" | "zip-crc" | "zip-unsupported"),
                    "{name}, byte {at}: {fault:?}"
                ),
            }
        }
        for cut in [1, 2, 3, end - data - 1] {
            let mut short = bytes.to_vec();
            short.drain(end - cut..end);
            assert!(content(&short).is_err(), "{name} without {cut} bytes");
        }
    }
}

#[test]
fn a_window_beyond_the_bounds_is_refused_before_it_is_made() {
    // LZMA states its window size in the four bytes after its properties byte.
    let (_, bytes) = PACKED[2];
    let entry = opened(bytes).expect("good").entries.remove(0);
    let at = usize::try_from(entry.data).expect("small") + 5;
    let mut wide = bytes.to_vec();
    wide[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    // Never more than the whole file is needed.
    assert_eq!(content(&wide).expect("read"), content(bytes).expect("read"));

    let size = 1_u32 << 30;
    let central = wide.windows(4).rposition(|at| at == b"PK\x01\x02").expect("directory");
    wide[22..26].copy_from_slice(&size.to_le_bytes());
    wide[central + 24..central + 28].copy_from_slice(&size.to_le_bytes());
    let fault = content(&wide).expect_err("too much");
    assert_eq!((fault.class, fault.code), (FaultClass::Permanent, "zip-unsupported"));
}
