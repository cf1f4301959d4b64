//! Archives that are well formed, damaged, or built to do harm.

use std::io::{Cursor, Write as _};

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::super::testing::{Lie, NoExchange, Volume, content_of, zip_of};
use super::*;
use casedrop_disk::RealDisk;
use casedrop_model::digest::sha256;
use casedrop_model::fault::FaultClass;

fn try_unpack_with(bytes: &[u8], limits: &Limits) -> (tempfile::TempDir, Result<Unpacked, Fault>) {
    let dir = tempfile::tempdir().expect("tempdir");
    let spool = dir.path().join("spool");
    std::fs::write(&spool, bytes).expect("spooled");
    let dest = dir.path().join("dest");
    let result = unpack(&RealDisk, &spool, &dest, limits, &Cancel::new());
    (dir, result)
}

fn refused(bytes: &[u8]) -> (FaultClass, &'static str) {
    let (_dir, result) = try_unpack_with(bytes, &Limits::default());
    let fault = result.expect_err("refused");
    (fault.class, fault.code)
}

/// Replaces every occurrence of some bytes with others of the same length, so in both directories.
fn patched(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut out = bytes.to_vec();
    let mut found = 0;
    for at in 0..out.len() - from.len() {
        if &out[at..at + from.len()] == from {
            out[at..at + from.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0, "nothing to patch");
    out
}

#[test]
fn files_are_unpacked_hashed_and_their_top_folder_stripped() {
    let bytes = zip_of(&[
        ("iTero_Export_1/", b""),
        ("iTero_Export_1/1_shell_occlusion_u.stl", b"solid"),
        ("iTero_Export_1/itero_export_#1_v30.xml", b"<x/>"),
        ("__MACOSX/iTero_Export_1/._x", b"junk"),
        ("iTero_Export_1/.DS_Store", b"junk"),
        ("iTero_Export_1/empty.txt", b""),
    ]);
    let (dir, result) = try_unpack_with(&bytes, &Limits::default());
    let unpacked = result.expect("good");
    let content = content_of(&dir.path().join("dest"));
    assert_eq!(
        content.keys().collect::<Vec<_>>(),
        ["1_shell_occlusion_u.stl", "empty.txt", "itero_export_#1_v30.xml"]
    );
    for file in &unpacked.files {
        let bytes = &content[file.path.as_str()];
        assert_eq!((file.size, &file.sha256), (bytes.len() as u64, &sha256(bytes)));
        assert_eq!(file.original_name, None);
    }
    assert_eq!(unpacked.left_out, ["__MACOSX/iTero_Export_1/._x", "iTero_Export_1/.DS_Store"]);
}

#[test]
fn archives_written_without_seeking_work_too() {
    // Streamed archives store sizes and checksums after the data.
    let mut out = Vec::new();
    let mut writer = ZipWriter::new_stream(&mut out);
    for name in ["a.stl", "b.stl"] {
        writer.start_file(name, SimpleFileOptions::default()).expect("member");
        writer.write_all(&vec![7; 100_000]).expect("written");
    }
    writer.finish().expect("finished");
    let (dir, result) = try_unpack_with(&out, &Limits::default());
    assert_eq!(result.expect("good").files.len(), 2);
    assert_eq!(content_of(&dir.path().join("dest"))["b.stl"], vec![7; 100_000]);
}

#[test]
fn names_that_leave_the_directory_are_refused_before_anything_is_written() {
    let good = zip_of(&[("first.stl", b"x"), ("AA/escape", b"x")]);
    let (dir, result) =
        try_unpack_with(&patched(&good, b"AA/escape", b"../escape"), &Limits::default());
    let fault = result.expect_err("refused");
    assert_eq!((fault.class, fault.code), (FaultClass::Permanent, "zip-traversal"));
    assert!(!dir.path().join("dest").exists() && !dir.path().join("escape").exists());

    let permanent = |code| (FaultClass::Permanent, code);
    assert_eq!(refused(&patched(&good, b"AA/escape", b"/A/escape")), permanent("zip-absolute"));
    assert_eq!(refused(&patched(&good, b"AA/escape", b"C:\\escape")), permanent("zip-absolute"));
    assert_eq!(refused(&patched(&good, b"AA/escape", b"..\\escape")), permanent("zip-traversal"));
}

#[test]
fn links_encryption_and_duplicates_are_refused() {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("link", "/etc/passwd", SimpleFileOptions::default()).expect("link");
    let link = writer.finish().expect("finished").into_inner();
    assert_eq!(refused(&link), (FaultClass::Permanent, "zip-link"));

    let twice = patched(&zip_of(&[("aa.stl", b"1"), ("bb.stl", b"2")]), b"bb.stl", b"aa.stl");
    assert_eq!(refused(&twice), (FaultClass::Permanent, "zip-duplicate"));

    let mut secret = zip_of(&[("aa.stl", b"1")]);
    let central = secret.windows(4).rposition(|w| w == b"PK\x01\x02").expect("directory");
    secret[6] |= 1;
    secret[central + 8] |= 1;
    assert_eq!(refused(&secret), (FaultClass::Permanent, "zip-encrypted"));
}

#[test]
fn headers_that_contradict_each_other_are_damage() {
    let good = zip_of(&[("aa.stl", b"content")]);
    let mut name = good.clone();
    name[30] = b'b';
    assert_eq!(refused(&name), (FaultClass::Damaged, "zip-corrupt"));
    let mut size = good.clone();
    size[22] += 1;
    assert_eq!(refused(&size), (FaultClass::Damaged, "zip-corrupt"));
    let mut crc = good.clone();
    crc[14] ^= 1;
    assert_eq!(refused(&crc), (FaultClass::Damaged, "zip-corrupt"));
}

#[test]
fn damage_is_found_and_worth_another_download() {
    assert_eq!(refused(b"<html>busy</html>"), (FaultClass::Damaged, "not-a-zip"));
    assert_eq!(refused(b""), (FaultClass::Damaged, "not-a-zip"));
    assert_eq!(refused(&zip_of(&[])), (FaultClass::Damaged, "zip-empty"));
    assert_eq!(refused(&zip_of(&[("only/", b"")])), (FaultClass::Damaged, "zip-empty"));
    let good = zip_of(&[("a.stl", b"some content that is long enough"), ("b", b"x")]);
    for cut in 1..good.len() {
        let (class, code) = refused(&good[..cut]);
        assert_eq!(class, FaultClass::Damaged, "{code} after {cut} bytes");
    }
    // In stored data, only the checksum can reveal damage.
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file("a", stored).expect("member");
    writer.write_all(b"content").expect("written");
    let bytes = writer.finish().expect("finished").into_inner();
    let damaged = patched(&bytes, b"content", b"cantent");
    assert_eq!(refused(&damaged), (FaultClass::Damaged, "zip-crc"));
}

#[test]
fn every_single_damaged_byte_is_found_or_harmless() {
    let files: [(&str, &[u8]); 2] = [("a.stl", b"solid solid solid"), ("b.xml", b"<x></x>")];
    let good = zip_of(&files);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        let (dir, result) = try_unpack_with(&bad, &Limits::default());
        if result.is_ok() {
            // Only bytes that carry no content (dates, versions, attributes, a name in both places)
            // may go unnoticed.
            let content: Vec<_> = content_of(&dir.path().join("dest")).into_values().collect();
            assert_eq!(content, [files[0].1.to_vec(), files[1].1.to_vec()], "byte {at}");
        }
    }
}

#[test]
fn limits_hold_whatever_the_headers_claim() {
    let zeros = vec![0; 3 << 20];
    let bytes = zip_of(&[("zeros", &zeros), ("b", b"x")]);
    let code = |limits: Limits| {
        let (_dir, result) = try_unpack_with(&bytes, &limits);
        result.map_or_else(|fault| fault.code, |_| "fine")
    };
    let wide = Limits::default();
    // Blank content compresses very well and is harmless.
    assert_eq!(code(Limits { ratio: 1, ..wide }), "fine");
    assert_eq!(code(Limits { unpacked_bytes: 3 << 20, ..wide }), "zip-bomb");
    assert_eq!(code(Limits { members: 1, ..wide }), "zip-too-many");

    // Data that unpacks to more than both headers say.
    let mut lying = zip_of(&[("zeros", &zeros)]);
    let small = 1000_u32.to_le_bytes();
    let central = lying.windows(4).rposition(|w| w == b"PK\x01\x02").expect("directory");
    lying[22..26].copy_from_slice(&small);
    lying[central + 24..central + 28].copy_from_slice(&small);
    assert_eq!(refused(&lying), (FaultClass::Damaged, "zip-corrupt"));
}

#[test]
fn unpacking_stops_when_asked() {
    let dir = tempfile::tempdir().expect("tempdir");
    let spool = dir.path().join("spool");
    std::fs::write(&spool, zip_of(&[("a", b"x")])).expect("spooled");
    let cancel = Cancel::new();
    cancel.cancel();
    let fault = unpack(&RealDisk, &spool, &dir.path().join("dest"), &Limits::default(), &cancel)
        .expect_err("stopped");
    assert_eq!(fault.class, FaultClass::Cancelled);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_is_written_outside_whatever_the_names(
        names in proptest::collection::btree_set(r"(\.\./|/|C:|a|B|\\|\.|con|\u{e9}|:){1,6}", 1..5)
    ) {
        let members: Vec<(&str, &[u8])> =
            names.iter().map(|name| (name.as_str(), b"x".as_slice())).collect();
        let (dir, result) = try_unpack_with(&zip_of(&members), &Limits::default());
        let outside: Vec<_> = content_of(dir.path())
            .into_keys()
            .filter(|path| path != "spool" && !path.starts_with("dest/"))
            .collect();
        prop_assert!(outside.is_empty(), "{outside:?}");
        if let Ok(unpacked) = result {
            let told = unpacked.files.len() + unpacked.left_out.len();
            let files = names.iter().filter(|name| !name.ends_with('/')).count();
            prop_assert_eq!(told, files);
        }
    }
}

/// Members with content, each packed or flagged in its own way.
fn with_attachment(name: &str, change: &dyn Fn(&mut [u8], usize, usize)) -> Vec<u8> {
    let mut bytes = zip_of(&[("1_shell_u.stl", b"solid"), (name, b"attached"), ("z.xml", b"<x/>")]);
    let find = |bytes: &[u8], signature: &[u8]| {
        let starts = bytes.windows(4).enumerate().filter(|(_, at)| *at == signature);
        starts.map(|(at, _)| at).nth(1).expect("the second")
    };
    let (local, central) = (find(&bytes, b"PK\x03\x04"), find(&bytes, b"PK\x01\x02"));
    change(&mut bytes, local, central);
    bytes
}

fn encrypt(bytes: &mut [u8], local: usize, central: usize) {
    bytes[local + 6] |= 1;
    bytes[central + 8] |= 1;
}

fn odd_method(bytes: &mut [u8], local: usize, central: usize) {
    bytes[local + 8] = 98;
    bytes[central + 10] = 98;
}

fn damage(bytes: &mut [u8], local: usize, central: usize) {
    bytes[local + 14] ^= 1;
    bytes[central + 16] ^= 1;
}

fn unpacked_as(bytes: &[u8], leave_damaged: bool) -> Result<Unpacked, Fault> {
    let dir = tempfile::tempdir().expect("tempdir");
    let spool = dir.path().join("spool");
    std::fs::write(&spool, bytes).expect("spooled");
    let limits = Limits::default();
    let reading = Reading { leave_damaged, ..Reading::within(&limits) };
    let dest = dir.path().join("dest");
    let unpacked = unpack_as(&RealDisk, &spool, &dest, reading, &Cancel::new())?;
    assert_eq!(content_of(&dest).len(), unpacked.files.len(), "nothing is left of the others");
    Ok(unpacked)
}

#[test]
fn what_cannot_be_read_is_left_out_alone_unless_the_order_is_nothing_without_it() {
    type Change = fn(&mut [u8], usize, usize);
    let kinds: [(Change, &str, &str); 3] = [
        (encrypt, "zip-encrypted", "encrypted"),
        (odd_method, "zip-unsupported", "cannot read"),
        (damage, "zip-crc", "damaged"),
    ];
    for (change, code, words) in kinds {
        for name in ["photo.bmp", "lower_texture.jpg"] {
            let unpacked = unpacked_as(&with_attachment(name, &change), true).expect("the rest");
            assert_eq!(unpacked.left_out, [name]);
            assert_eq!(unpacked.files.len(), 2);
            let [finding] = unpacked.findings.as_slice() else { panic!("{unpacked:?}") };
            assert_eq!(
                (finding.code.as_str(), finding.path.as_deref()),
                ("member-unreadable", Some(name))
            );
            assert!(finding.words.contains(words), "{}", finding.words);
        }
        for name in ["2_shell_l.stl", "lower.ply", "a.xml", "Rx_1.pdf", "iTero_Rx_1.html"] {
            let fault = unpacked_as(&with_attachment(name, &change), true).expect_err("needed");
            assert_eq!(fault.code, code, "{name}");
        }
    }
    // Another download may cure damage, so a member is not given up at once.
    let fault = unpacked_as(&with_attachment("photo.bmp", &damage), false).expect_err("damaged");
    assert_eq!((fault.class, fault.code), (FaultClass::Damaged, "zip-crc"));
}

#[test]
fn a_name_that_is_too_long_is_shortened_and_kept() {
    let long = format!("{}.txt", "n".repeat(1100));
    let deep = format!("{}deep.txt", "folder of some length/".repeat(60));
    let unpacked = unpacked_as(&zip_of(&[("a.stl", b"s"), (&long, b"l"), (&deep, b"d")]), false);
    let unpacked = unpacked.expect("read");
    for name in [&long, &deep] {
        let file = unpacked.files.iter().find(|file| file.original_name.as_ref() == Some(name));
        let file = file.expect("published");
        assert!(file.path.as_str().len() <= 1024 && file.path.extension() == "txt");
        let told = unpacked.findings.iter().find(|finding| finding.code == "name-shortened");
        assert!(told.is_some());
    }
    assert_eq!(unpacked.files.len(), 3);
}

#[test]
fn names_in_a_code_page_are_read_and_their_bytes_are_kept() {
    let good = zip_of(&[("1_u.stl", b"solid"), ("Foto_M#ller.jpg", b"photo"), ("abcdeX", b"file")]);
    let flagless = patched(&good, b"Foto_M#ller.jpg", b"Foto_M\x81ller.jpg");
    let unpacked = unpacked_as(&flagless, false).expect("read");
    let photo = unpacked.files.iter().find(|file| file.raw_name.is_some()).expect("a photo");
    assert_eq!(photo.path.as_str(), "Foto_Müller.jpg");
    assert_eq!(photo.raw_name.as_deref(), Some("Foto_M%81ller.jpg"));
    assert_eq!(photo.original_name, None);
    assert_eq!(unpacked.findings[0].code, "names-guessed");

    // The last byte of this name is a backslash.
    let japanese = patched(&good, b"abcdeX", b"\x8F\xE3\x8A{\x95\\");
    let unpacked = unpacked_as(&japanese, false).expect("read");
    assert!(unpacked.files.iter().any(|file| file.path.as_str() == "上顎表"), "{unpacked:?}");
    assert_eq!((unpacked.files.len(), unpacked.left_out.len()), (3, 0));

    // The name in the XML takes precedence over the best guess.
    let xml = "<x><Object FileName=\"Foto_Mⁿller.jpg\"/></x>";
    let with_xml = zip_of(&[("a.xml", xml.as_bytes()), ("Foto_M#ller.jpg", b"photo")]);
    let with_xml = patched(&with_xml, b"Foto_M#ller.jpg", b"Foto_M\xFCller.jpg");
    let unpacked = unpacked_as(&with_xml, false).expect("read");
    assert!(unpacked.files.iter().any(|file| file.path.as_str() == "Foto_Mⁿller.jpg"));
}

#[test]
fn no_text_of_a_library_and_no_name_of_a_person_gets_into_a_fault() {
    for name in ["Zzyzx Patient_u.stl", "Zzyzx Patient.stl"] {
        let files: [(&str, &[u8]); 2] = [(name, b"solid solid solid solid"), ("b", b"x")];
        let good = zip_of(&files);
        for at in 0..good.len() {
            for bit in [1, 0x10, 0x80] {
                let mut bad = good.clone();
                bad[at] ^= bit;
                let (_dir, result) = try_unpack_with(&bad, &Limits::default());
                if let Err(fault) = result {
                    let told = format!("{} {:?}", fault.chain(), fault.hint);
                    assert!(!told.contains("Zzyzx") && !told.contains("atient"), "{at}: {told}");
                    assert_eq!(fault.chain(), fault.message, "{at}");
                    assert_ne!(fault.class, FaultClass::Local, "{at}: {told}");
                }
            }
        }
    }
}

/// Unpacks on a volume of `size` bytes, of which `keep_free` must stay free.
fn unpacked_on(bytes: &[u8], size: u64, keep_free: u64) -> (Result<Unpacked, Fault>, usize, u64) {
    let dir = tempfile::tempdir().expect("tempdir");
    let spool = dir.path().join("spool");
    std::fs::write(&spool, bytes).expect("spooled");
    let limits = Limits::default();
    let reading = Reading { keep_free, ..Reading::within(&limits) };
    let dest = dir.path().join("dest");
    let volume = Volume::of(dir.path(), size);
    let disk = NoExchange(Lie::Small(volume));
    let result = unpack_as(&disk, &spool, &dest, reading, &Cancel::new());
    let files = if dest.exists() { content_of(&dest).len() } else { 0 };
    (result, files, volume.size - volume.used())
}

#[test]
fn what_must_stay_free_is_found_missing_before_a_byte_is_written() {
    let zeros = vec![0; 1 << 20];
    let names: Vec<String> = (0..40).map(|at| format!("{at}.stl")).collect();
    let members: Vec<(&str, &[u8])> =
        names.iter().map(|name| (name.as_str(), zeros.as_slice())).collect();
    let bytes = zip_of(&members);
    assert!(bytes.len() < 1 << 20, "it is small");
    let (result, files, free) = unpacked_on(&bytes, 44 << 20, 5 << 20);
    let fault = result.expect_err("40 MiB and 5 MiB are more than 44 MiB");
    assert_eq!((fault.class, fault.code), (FaultClass::Local, "disk-full"));
    assert!(files == 0 && free >= 43 << 20, "{files} files were written");
    let (result, files, free) = unpacked_on(&bytes, 48 << 20, 5 << 20);
    assert_eq!(result.expect("there is room").files.len(), files);
    assert!(free >= 5 << 20, "{free} are left");
}

#[test]
fn many_small_files_need_more_than_their_sizes() {
    let names: Vec<String> = (0..1000).map(|at| format!("{at}.txt")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    let (result, files, _) = unpacked_on(&zip_of(&members), 3 << 20, 1 << 20);
    assert_eq!((result.expect_err("8 MB of blocks").code, files), ("disk-full", 0));
}

#[test]
fn what_others_write_meanwhile_is_noticed_while_unpacking() {
    let dir = tempfile::tempdir().expect("tempdir");
    let volume = Volume::of(dir.path(), 40 << 20);
    let disk = NoExchange(Lie::Small(volume));
    let sizes = [20 << 20].into_iter();
    let mut room = super::Room::for_files(&disk, dir.path(), 10 << 20, sizes).expect("enough");
    let piece = 64 << 10;
    for _ in 0..128 {
        room.take(piece).expect("nothing changed");
    }
    let other = std::fs::File::create(dir.path().join("other")).expect("made");
    other.set_len(30 << 20).expect("sparse");
    let refused = (0..128).position(|_| room.take(piece).is_err()).expect("noticed");
    assert!(refused <= 64, "within 4 MiB");
}
