//! Archives that a careful client refuses or defuses: small, and each wrong in one way.
//!
//! Where the zip writer refuses to write such an archive, we make a sound one and change its bytes.

use std::io::{Cursor, Write};

use super::people::PATIENT_MARKER;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

pub type Maker = fn() -> Vec<u8>;

/// Every hostile archive, with the name that a fault injection request can give.
pub const ALL: [(&str, Maker); 20] = [
    ("traversal", traversal),
    ("traversal-backslash", traversal_backslash),
    ("absolute", absolute),
    ("absolute-windows", absolute_windows),
    ("symlink", symlink),
    ("duplicate-names", duplicate_names),
    ("case-clash", case_clash),
    ("file-and-folder", file_and_folder),
    ("reserved-names", reserved_names),
    ("bomb", bomb),
    ("many-members", many_members),
    ("bad-crc", bad_crc),
    ("named-after-patient", named_after_patient),
    ("lying-size", lying_size),
    ("wide-window", wide_window),
    ("truncated", truncated),
    ("local-name-differs", local_name_differs_from_central),
    ("nested-top-folder", nested_top_folder),
    ("not-a-zip", not_a_zip),
    ("empty-zip", empty_zip),
];

/// Returns the archive of a name in [`ALL`], or of `all-named-after-patient`, which is sound.
pub fn by_name(name: &str) -> Option<Vec<u8>> {
    if name == "all-named-after-patient" {
        return Some(all_named_after_patient());
    }
    ALL.iter().find(|(known, _)| *known == name).map(|(_, make)| make())
}

/// A member named `../../outside.stl`.
pub fn traversal() -> Vec<u8> {
    with_renamed("aa/bb/outside.stl", "../../outside.stl")
}

/// A member named `..\..\outside.stl`, which only Windows reads as a way up.
pub fn traversal_backslash() -> Vec<u8> {
    with_renamed("aa_bb_outside.stl", "..\\..\\outside.stl")
}

/// A member named `/tmp/casedrop-outside.stl`.
pub fn absolute() -> Vec<u8> {
    with_renamed("_tmp/casedrop-outside.stl", "/tmp/casedrop-outside.stl")
}

/// A member named `C:\Windows\outside.stl`.
pub fn absolute_windows() -> Vec<u8> {
    with_renamed("C__Windows_outside.stl", "C:\\Windows\\outside.stl")
}

/// A symbolic link to `/etc`, and a member that would be written through it.
pub fn symlink() -> Vec<u8> {
    build(CompressionMethod::Stored, |zip, options| {
        zip.add_symlink("link", "/etc", options)?;
        zip.start_file("link/casedrop-outside.stl", options)?;
        Ok(zip.write_all(STL)?)
    })
}

/// Two members with the same name and different content.
pub fn duplicate_names() -> Vec<u8> {
    let zip = stored(&[("17_shell_occlusion_u.stl", STL), ("17_shell_occlusion_x.stl", b"other")]);
    replace(zip, b"occlusion_x.stl", b"occlusion_u.stl", Which::All)
}

/// Two names that differ only in case.
pub fn case_clash() -> Vec<u8> {
    stored(&[("17_shell_occlusion_u.stl", STL), ("17_Shell_Occlusion_U.STL", b"other")])
}

/// A name that is both a file and the folder of another.
pub fn file_and_folder() -> Vec<u8> {
    stored(&[("jaw", STL), ("jaw/upper.stl", STL)])
}

/// Names that Windows does not allow.
pub fn reserved_names() -> Vec<u8> {
    stored(&[
        ("CON.stl", STL),
        ("aux", STL),
        ("nul.tar.txt", STL),
        ("COM1.xml", STL),
        ("trailing dot.", STL),
        ("trailing space ", STL),
        ("colon:stream.stl", STL),
        ("what?.stl", STL),
    ])
}

/// 320 MiB of zeros in some 320 KiB.
pub fn bomb() -> Vec<u8> {
    build(CompressionMethod::Deflated, |zip, options| {
        zip.start_file("17_shell_occlusion_u.stl", options)?;
        let zeros = [0; 0x4000];
        for _ in 0..20_480 {
            zip.write_all(&zeros)?;
        }
        Ok(())
    })
}

/// Twenty thousand empty members.
pub fn many_members() -> Vec<u8> {
    build(CompressionMethod::Stored, |zip, options| {
        (0..20_000).try_for_each(|number| zip.start_file(format!("{number}.stl"), options))
    })
}

/// A member whose content does not match its checksum.
pub fn bad_crc() -> Vec<u8> {
    replace(good(), b"facet normal", b"facet NORMAL", Which::First)
}

/// Like [`bad_crc`], with the member named after the patient.
pub fn named_after_patient() -> Vec<u8> {
    let name = format!("Wilhelmina {PATIENT_MARKER}-Specimen.stl");
    replace(stored(&[(&name, STL)]), b"facet normal", b"facet NORMAL", Which::First)
}

/// A sound archive in which every name contains the patient's.
pub fn all_named_after_patient() -> Vec<u8> {
    let name = |rest: &str| format!("{PATIENT_MARKER}{rest}");
    let names = [
        name("_Wilhelmina_u.stl"),
        name("_Wilhelmina_l.stl"),
        name(" folder/Foto of ") + &name(".jpg"),
        format!("__MACOSX/{}", name(".stl")),
    ];
    let members: Vec<_> = names.iter().map(|name| (name.as_str(), STL)).collect();
    stored(&members)
}

/// A member that is longer than both directories say.
pub fn lying_size() -> Vec<u8> {
    let text = "All work and no play makes a dull mesh. ".repeat(100);
    let zip = build(CompressionMethod::Deflated, |zip, options| {
        zip.start_file("17_shell_occlusion_u.stl", options)?;
        Ok(zip.write_all(text.as_bytes())?)
    });
    let size = u32::try_from(text.len()).unwrap_or_default().to_le_bytes();
    replace(zip, &size, &100_u32.to_le_bytes(), Which::All)
}

/// 40 MiB of zeros in some 2 KiB of zstd with a 32 MiB window: sound, though costly.
pub fn wide_window() -> Vec<u8> {
    const BLOCK: u32 = 128 * 1024;
    const BLOCKS: u32 = 320;
    // RFC 8878, 3.1.1: magic number, no flags, a window of 2^25; then blocks of one repeated byte.
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0, 15 << 3];
    for block in 1..=BLOCKS {
        let header = BLOCK << 3 | 1 << 1 | u32::from(block == BLOCKS);
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    let mut crc = flate2::Crc::new();
    for _ in 0..BLOCKS {
        crc.update(&vec![0; BLOCK as usize]);
    }
    let (packed_crc, packed_len) = {
        let mut crc = flate2::Crc::new();
        crc.update(&frame);
        (crc.sum(), u32::try_from(frame.len()).unwrap_or_default())
    };
    let zip = stored(&[("17_shell_occlusion_u.stl", &frame)]);
    // The checksum and both sizes are next to each other in both places; the method is six bytes
    // before.
    let fields = |crc: u32, size: u32| {
        [crc.to_le_bytes(), packed_len.to_le_bytes(), size.to_le_bytes()].concat()
    };
    let (from, to) = (fields(packed_crc, packed_len), fields(crc.sum(), BLOCK * BLOCKS));
    let mut zip = replace(zip, &from, &to, Which::All);
    let places: Vec<usize> = (0..zip.len()).filter(|at| zip[*at..].starts_with(&to)).collect();
    for at in places {
        zip[at - 6..at - 4].copy_from_slice(&93_u16.to_le_bytes());
    }
    zip
}

/// The first half of a sound archive.
pub fn truncated() -> Vec<u8> {
    let mut zip = good();
    zip.truncate(zip.len() / 2);
    zip
}

/// A member whose name before its data differs from the one in the central directory.
pub fn local_name_differs_from_central() -> Vec<u8> {
    replace(good(), b"occlusion_u.stl", b"occlusion_q.stl", Which::First)
}

/// Everything in three nested folders: sound, though odd.
pub fn nested_top_folder() -> Vec<u8> {
    stored(&[
        ("top/middle/inner/17_shell_occlusion_u.stl", STL),
        ("top/middle/inner/17_shell_occlusion_l.stl", STL),
    ])
}

/// An error page instead of an archive.
pub fn not_a_zip() -> Vec<u8> {
    b"<!DOCTYPE html>\n<html><head><title>Service unavailable</title></head>\
      <body><h1>Please try again later</h1></body></html>\n"
        .to_vec()
}

/// An archive without members.
pub fn empty_zip() -> Vec<u8> {
    stored(&[])
}

const STL: &[u8] = b"solid jaw\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\n\
                     vertex 0 1 0\nendloop\nendfacet\nendsolid jaw\n";

fn good() -> Vec<u8> {
    stored(&[("17_shell_occlusion_u.stl", STL), ("17_shell_occlusion_l.stl", STL)])
}

/// A sound archive in which one member has a name that the writer would refuse.
fn with_renamed(from: &str, to: &str) -> Vec<u8> {
    let zip = stored(&[("17_shell_occlusion_u.stl", STL), (from, b"must not be written")]);
    replace(zip, from.as_bytes(), to.as_bytes(), Which::All)
}

fn stored(members: &[(&str, &[u8])]) -> Vec<u8> {
    build(CompressionMethod::Stored, |zip, options| {
        members.iter().try_for_each(|(name, content)| {
            zip.start_file(*name, options)?;
            Ok(zip.write_all(content)?)
        })
    })
}

type Writer = ZipWriter<Cursor<Vec<u8>>>;

fn build(
    method: CompressionMethod,
    fill: impl FnOnce(&mut Writer, SimpleFileOptions) -> zip::result::ZipResult<()>,
) -> Vec<u8> {
    let options = SimpleFileOptions::default()
        .system(System::Dos)
        .compression_method(method)
        .last_modified_time(DateTime::default());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    fill(&mut zip, options).expect("fixed small members fit into memory");
    zip.finish().expect("memory takes everything").into_inner()
}

#[derive(Clone, Copy)]
enum Which {
    First,
    All,
}

/// Overwrites bytes with others of the same length.
fn replace(mut zip: Vec<u8>, from: &[u8], to: &[u8], which: Which) -> Vec<u8> {
    debug_assert_eq!(from.len(), to.len(), "offsets must stay");
    let mut at = 0;
    while let Some(found) = zip[at..].windows(from.len()).position(|here| here == from) {
        at += found;
        zip[at..at + to.len()].copy_from_slice(to);
        if matches!(which, Which::First) {
            break;
        }
    }
    zip
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use zip::ZipArchive;

    use super::*;

    fn names(zip: Vec<u8>) -> Vec<String> {
        let archive = ZipArchive::new(Cursor::new(zip)).expect("readable");
        archive.file_names().map(|name| name.expect("text").into_owned()).collect()
    }

    fn count(haystack: &[u8], needle: &[u8]) -> usize {
        haystack.windows(needle.len()).filter(|here| *here == needle).count()
    }

    #[test]
    fn each_has_a_name_to_ask_for_it() {
        for (name, make) in ALL {
            assert_eq!(by_name(name), Some(make()), "{name}");
        }
        assert_eq!(by_name("harmless"), None);
    }

    #[test]
    fn wicked_names_are_really_in_the_archives() {
        for (zip, name) in [
            (traversal(), "../../outside.stl"),
            (traversal_backslash(), "..\\..\\outside.stl"),
            (absolute(), "/tmp/casedrop-outside.stl"),
            (absolute_windows(), "C:\\Windows\\outside.stl"),
            (reserved_names(), "CON.stl"),
            (reserved_names(), "trailing space "),
            (case_clash(), "17_Shell_Occlusion_U.STL"),
            (file_and_folder(), "jaw/upper.stl"),
        ] {
            // Once before the data, and once in the central directory.
            assert_eq!(count(&zip, name.as_bytes()), 2, "{name}");
        }
        assert!(names(traversal()).contains(&"../../outside.stl".to_owned()));
    }

    #[test]
    fn a_link_is_a_link() {
        let mut archive = ZipArchive::new(Cursor::new(symlink())).expect("readable");
        assert!(archive.by_index(0).expect("there").is_symlink());
    }

    #[test]
    fn duplicates_stand_in_both_directories() {
        assert_eq!(count(&duplicate_names(), b"17_shell_occlusion_u.stl"), 4);
    }

    #[test]
    fn the_bomb_is_small_outside_and_large_inside() {
        let zip = bomb();
        assert!(zip.len() < 400_000, "{} bytes", zip.len());
        let mut archive = ZipArchive::new(Cursor::new(zip)).expect("readable");
        assert_eq!(archive.by_index(0).expect("there").size(), 320 << 20);
        assert_eq!(names(many_members()).len(), 20_000);
    }

    #[test]
    fn damaged_members_fail_when_read_and_open_otherwise() {
        let mut archive = ZipArchive::new(Cursor::new(bad_crc())).expect("readable");
        let mut content = Vec::new();
        let read = archive.by_index(0).expect("there").read_to_end(&mut content);
        assert!(read.is_err());
        assert!(archive.by_index(1).expect("there").read_to_end(&mut content).is_ok());

        let mut archive = ZipArchive::new(Cursor::new(lying_size())).expect("readable");
        assert_eq!(archive.by_index(0).expect("there").size(), 100);
    }

    #[test]
    fn the_two_names_of_one_member_differ() {
        let zip = local_name_differs_from_central();
        assert_eq!(count(&zip, b"occlusion_q.stl"), 1);
        assert_eq!(count(&zip, b"occlusion_u.stl"), 1);
        assert!(names(zip).contains(&"17_shell_occlusion_u.stl".to_owned()));
    }

    #[test]
    fn what_is_no_archive_does_not_open_as_one() {
        for zip in [not_a_zip(), truncated()] {
            assert!(ZipArchive::new(Cursor::new(zip)).is_err());
        }
        assert!(names(empty_zip()).is_empty());
        assert!(
            names(nested_top_folder()).iter().all(|name| name.starts_with("top/middle/inner/"))
        );
    }
}
