use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use quick_xml::Reader;
use quick_xml::events::Event;
use zip::ZipArchive;

use super::*;

const ID: u64 = 17_544_365;

fn package(spec: &CaseSpec) -> (Vec<u8>, PackageSummary) {
    let mut out = Cursor::new(Vec::new());
    let summary = write_ide_package(spec, &mut out).expect("memory takes everything");
    (out.into_inner(), summary)
}

fn unpack(bytes: Vec<u8>) -> BTreeMap<String, Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).expect("a zip");
    (0..archive.len())
        .filter_map(|index| {
            let mut file = archive.by_index(index).expect("a member");
            let mut content = Vec::new();
            file.read_to_end(&mut content).expect("sound");
            let name = file.name().expect("text").into_owned();
            file.is_file().then_some((name, content))
        })
        .collect()
}

/// Every attribute of this name in an XML; panics unless it is well-formed.
fn attributes(xml: &[u8], wanted: &str) -> Vec<String> {
    let text = std::str::from_utf8(xml).expect("UTF-8");
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().check_end_names = true;
    let mut found = Vec::new();
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Eof => return found,
            Event::Start(tag) | Event::Empty(tag) => {
                for attribute in tag.attributes() {
                    let attribute = attribute.expect("well-formed");
                    if attribute.key.as_ref() == wanted {
                        let value = quick_xml::escape::unescape(&attribute.value);
                        found.push(value.expect("escaped").into_owned());
                    }
                }
            }
            _ => {}
        }
    }
}

fn varied() -> Vec<CaseSpec> {
    let small = CaseSpec::small;
    vec![
        small(ID, CaseKind::OrthoShell),
        CaseSpec { top_folder: true, macosx: true, ..small(1, CaseKind::OrthoLowProfile) },
        CaseSpec { mesh: MeshFormat::Ply, bite2: true, ..small(2, CaseKind::OrthoShell) },
        CaseSpec { placement: Placement::LockedOcclusion, ..small(3, CaseKind::OrthoShell) },
        small(4, CaseKind::Restorative),
        CaseSpec { modeled: true, hash_in_names: false, ..small(5, CaseKind::Restorative) },
        CaseSpec {
            mesh: MeshFormat::Ply,
            texture: true,
            attachments: true,
            stored: true,
            ..small(6, CaseKind::Restorative)
        },
    ]
}

#[test]
fn an_ortho_package_holds_what_a_real_one_holds() {
    let names: BTreeSet<_> =
        unpack(package(&CaseSpec::small(ID, CaseKind::OrthoShell)).0).into_keys().collect();
    let expected = [
        "17544365_shell_occlusion_l.stl",
        "17544365_shell_occlusion_u.stl",
        "Rx_17544365.html",
        "gallery_#17544365.jpg",
        "gallery_#17544365_penta_front_m.jpg",
        "gallery_#17544365_penta_left_m.jpg",
        "gallery_#17544365_penta_lower_m.jpg",
        "gallery_#17544365_penta_right_m.jpg",
        "gallery_#17544365_penta_upper_m.jpg",
        "iTero_Rx_17544365.pdf",
        "itero_element_logo.png",
        "itero_export_#17544365_v30.xml",
    ];
    assert_eq!(names, expected.map(str::to_owned).into());
}

#[test]
fn a_restorative_package_has_two_xml_files_and_no_thumbnails() {
    let spec =
        CaseSpec { teeth: vec![ToothRx::new(3, 2)], ..CaseSpec::small(ID, CaseKind::Restorative) };
    let names = |spec: &CaseSpec| unpack(package(spec).0).into_keys().collect::<Vec<_>>();
    let first = names(&spec);
    for name in [
        "upper_jaw_without_ditch_#17544365.stl",
        "lower_jaw_without_ditch_#17544365.stl",
        "upper_jaw_pretreatment_#17544365.stl",
        "itero_export_#17544365_v24.xml",
        "itero_export_#17544365_v50.xml",
    ] {
        assert!(first.iter().any(|found| found == name), "{name} in {first:?}");
    }
    assert!(!first.iter().any(|name| name.contains("gallery") || name.contains("lower_jaw_pre")));
    let modeled = names(&CaseSpec { modeled: true, hash_in_names: false, ..spec });
    assert!(modeled.contains(&"upper_jaw_with_ditch_17544365.stl".to_owned()), "{modeled:?}");
}

#[test]
fn every_file_name_of_every_xml_is_in_the_package() {
    for spec in varied() {
        let files = unpack(package(&spec).0);
        let prefix = if spec.top_folder { "OrthoCAD_Export_1/" } else { "" };
        let mut versions = 0;
        for (name, content) in files.iter().filter(|(name, _)| name.contains("itero_export_#")) {
            versions += 1;
            let listed = attributes(content, "FileName");
            assert!(!listed.is_empty(), "{name} lists nothing");
            for file in listed {
                assert!(files.contains_key(&format!("{prefix}{file}")), "{file} of {name}");
            }
        }
        assert_eq!(versions, if spec.kind.is_ortho() { 1 } else { 2 });
    }
}

#[test]
fn the_xml_is_escaped_and_says_which_version_and_jaw() {
    let spec = CaseSpec { revision: 3, ..CaseSpec::small(4, CaseKind::Restorative) };
    let files = unpack(package(&spec).0);
    let (old, new) = (&files["itero_export_#4_v24.xml"], &files["itero_export_#4_v50.xml"]);
    assert!(old.starts_with("\u{feff}<?xml".as_bytes()) && new.starts_with(b"<?xml"));
    assert_eq!(attributes(old, "Version")[0], "2.4");
    assert_eq!(attributes(new, "Version")[0], "5.0");
    assert!(attributes(new, "JawId").contains(&"Upper".to_owned()));
    assert!(attributes(new, "SubType").contains(&"PreTreatment_Jaw".to_owned()));
    let text = std::str::from_utf8(new).expect("UTF-8");
    assert!(text.contains("Dental &amp; Partners &lt;West&gt;"), "{text}");
    assert!(text.contains(&format!("<OrderCode>{}</OrderCode>", spec.order_code)));
    assert!(old.len() > 800_000, "the implants make it long: {}", old.len());
}

#[test]
fn the_summary_tells_what_the_archive_holds() {
    use sha2::{Digest, Sha256};
    for spec in varied() {
        let (bytes, summary) = package(&spec);
        let files = unpack(bytes);
        assert_eq!(summary.entries.len(), files.len());
        for entry in &summary.entries {
            let content = &files[&entry.name];
            assert_eq!(content.len() as u64, entry.size);
            let digest = Sha256::digest(content);
            for (at, byte) in digest.iter().enumerate() {
                assert_eq!(format!("{byte:02x}"), entry.sha256[at * 2..at * 2 + 2]);
            }
            assert_eq!(entry.sha256.len(), 64);
        }
    }
}

#[test]
fn equal_specs_make_equal_bytes_and_revisions_do_not() {
    for spec in varied() {
        let (first, summary) = package(&spec);
        assert_eq!(first, package(&spec.clone()).0);
        let (_, next) = package(&spec.next_revision());
        let mesh = |entry: &&Entry| {
            let name = entry.name.to_ascii_lowercase();
            (name.ends_with("stl") || name.ends_with("ply")) && !name.starts_with("__macosx")
        };
        for entry in summary.entries.iter().filter(mesh) {
            let other = next.entries.iter().find(|other| other.name == entry.name);
            assert_ne!(other.expect("same names").sha256, entry.sha256, "{}", entry.name);
        }
    }
}

#[test]
fn leftovers_of_macos_come_only_where_asked_for() {
    let spec = CaseSpec { macosx: true, ..CaseSpec::small(9, CaseKind::OrthoShell) };
    let files = unpack(package(&spec).0);
    assert!(files.contains_key("__MACOSX/._9_shell_occlusion_l.stl"));
    assert!(files.contains_key(".DS_Store"));
    let files = unpack(package(&CaseSpec { macosx: false, ..spec }).0);
    assert!(!files.keys().any(|name| name.contains("MACOSX") || name.contains("DS_Store")));
}

#[test]
fn pictures_are_jpegs_of_the_sample_that_is_nearest_to_the_size_asked_for() {
    for (asked, given) in [(200, (160, 90)), (1920, (1280, 720))] {
        let spec = CaseSpec { pixels: asked, ..CaseSpec::small(ID, CaseKind::Restorative) };
        assert_pictures(&spec, given);
    }
}

fn assert_pictures(spec: &CaseSpec, pixels: (u16, u16)) {
    let mut thumbnails = Cursor::new(Vec::new());
    let summary = write_thumbnails(spec, &mut thumbnails).expect("memory takes everything");
    assert_eq!(summary.entries.len(), 6);
    let mut captures = Cursor::new(Vec::new());
    write_screen_captures(spec, 3, &mut captures).expect("memory takes everything");
    let captures = unpack(captures.into_inner());
    assert_eq!(captures.keys().next_back().map(String::as_str), Some("screen_capture_3.jpg"));
    let mut seen = BTreeSet::new();
    for (name, jpeg) in unpack(thumbnails.into_inner()).into_iter().chain(captures) {
        assert!(jpeg.starts_with(&[0xff, 0xd8, 0xff]) && jpeg.ends_with(&[0xff, 0xd9]), "{name}");
        let frame = jpeg.windows(2).position(|at| at == [0xff, 0xc0]).expect("a baseline frame");
        let size = |at: usize| u16::from_be_bytes([jpeg[frame + at], jpeg[frame + at + 1]]);
        assert_eq!((size(7), size(5)), pixels, "{name}");
        assert!(seen.insert(jpeg), "{name} looks like another one");
    }
}

#[test]
fn the_pdf_finds_its_objects_where_its_table_says() {
    let files = unpack(package(&CaseSpec::small(4, CaseKind::Restorative)).0);
    let pdf = &files["iTero_Rx_4.pdf"];
    assert!(pdf.starts_with(b"%PDF-1.4\n") && pdf.ends_with(b"%%EOF\n"));
    // Each byte as one Latin-1 character, so that offsets stay valid.
    let text: String = pdf.iter().map(|byte| char::from(*byte)).collect();
    let at = |offset: usize| -> String { text.chars().skip(offset).take(40).collect() };
    let start = text.rsplit("startxref\n").next().and_then(|rest| rest.lines().next());
    let start: usize = start.expect("a start").parse().expect("a number");
    assert!(at(start).starts_with("xref\n0 8\n"));
    let table: String = text.chars().skip(start).collect();
    for (number, line) in table.lines().skip(3).take(7).enumerate() {
        assert_eq!(line.len() + 1, 20, "{line:?}");
        let offset = line[..10].parse().expect("a number");
        assert!(at(offset).starts_with(&format!("{} 0 obj\n", number + 1)), "{line}");
    }
    let length = text.split("/Length ").nth(1).and_then(|rest| rest.split(' ').next());
    let length: usize = length.expect("a length").parse().expect("a number");
    let body = text.split_once("stream\n").map(|(_, rest)| rest).expect("a stream");
    assert!(body.chars().skip(length).collect::<String>().starts_with("\nendstream"));
    assert!(body.contains(PATIENT_MARKER));
}

#[test]
fn the_page_shows_the_logo_beside_it_and_escapes_what_people_wrote() {
    let files = unpack(package(&CaseSpec::small(ID, CaseKind::OrthoShell)).0);
    let page = std::str::from_utf8(&files["Rx_17544365.html"]).expect("UTF-8");
    assert!(page.contains("src=\"itero_element_logo.png\""));
    assert!(page.contains("Partners &lt;West&gt;"));
    assert!(files["itero_element_logo.png"].starts_with(b"\x89PNG\r\n\x1a\n"));
}

#[test]
fn no_file_name_holds_a_persons_name() {
    for spec in varied() {
        for entry in package(&spec).1.entries {
            assert!(!entry.name.contains(PATIENT_MARKER) && !entry.name.contains(DOCTOR_MARKER));
        }
    }
}

/// Counts what is written and keeps none of it.
#[derive(Default)]
struct Counter {
    at: u64,
    end: u64,
    largest: usize,
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.largest = self.largest.max(bytes.len());
        self.at += bytes.len() as u64;
        self.end = self.end.max(self.at);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Counter {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(by) => self.end.saturating_add_signed(by),
            SeekFrom::Current(by) => self.at.saturating_add_signed(by),
        };
        Ok(self.at)
    }
}

#[test]
fn a_large_package_has_about_the_size_asked_for_and_is_written_in_small_pieces() {
    let spec = CaseSpec { stored: true, ..CaseSpec::small(8, CaseKind::OrthoShell) };
    let spec = spec.with_mesh_bytes(24_000_000);
    let mut out = Counter::default();
    let summary = write_ide_package(&spec, &mut out).expect("counting cannot fail");
    assert!(summary.total_size().abs_diff(24_000_000) < 1_000_000, "{}", summary.total_size());
    assert!(out.end >= summary.total_size());
    assert!(out.largest < 200_000, "{} bytes at once", out.largest);
}
