//! Typical orders under each naming scheme.

use super::super::testing::content_of;
use super::*;
use casedrop_disk::RealDisk;
use casedrop_model::digest::sha256;
use casedrop_model::path::RelPath;

const XML: &str = "\u{feff}<iTeroExport Version=\"5.0\"><ExportedObjects>\n\
    <Object ObjectType=\"Surface\" SubType=\"Jaw\" JawId=\"Upper\" FileName=\"upper_jaw_without_ditch_#1.stl\"/>\n\
    <Object ObjectType=\"Surface\" SubType=\"Jaw\" JawId=\"Upper\" FileName=\"upper_jaw_pretreatment_1.stl\"/>\n\
    <Object ObjectType=\"Surface\" SubType=\"PreTreatment_Jaw\" JawId=\"Lower\" FileName=\"scanbody.stl\"/>\n\
    <Object ObjectType=\"Texture\" JawId=\"Lower\" FileName=\"colours.jpg\"/>\n\
    <Object ObjectType=\"Line\" SubType=\"Margin\" FileName=\"margin.pts\"/>\n\
    </ExportedObjects></iTeroExport>\n";

const FILES: [&str; 12] = [
    "upper_jaw_without_ditch_#1.stl",
    "upper_jaw_with_ditch_#1.stl",
    "upper_jaw_pretreatment_#1.stl",
    "scanbody.stl",
    "colours.jpg",
    "margin.pts",
    "itero_export_#1_v50.xml",
    "iTero_Rx_1.pdf",
    "Rx_1.html",
    "itero_element_logo.png",
    "gallery_#1.jpg",
    "thumbnails/front.jpg",
];

fn described(names: Names) -> (tempfile::TempDir, Described) {
    let dir = tempfile::tempdir().expect("tempdir");
    let staged = FILES
        .iter()
        .map(|name| {
            let path = RelPath::parse(name).expect("portable");
            let bytes = if name.ends_with("xml") { XML } else { name };
            let to = path.under(dir.path());
            std::fs::create_dir_all(to.parent().expect("parent")).expect("mkdir");
            std::fs::write(to, bytes).expect("written");
            let sha256 = sha256(bytes.as_bytes());
            StagedFile {
                path,
                size: bytes.len() as u64,
                sha256,
                original_name: None,
                raw_name: None,
            }
        })
        .collect();
    let described = describe(&RealDisk, dir.path(), staged, names).expect("described");
    check_against_disk(dir.path(), &described);
    (dir, described)
}

/// Checks that the manifest's files are on disk with their sizes and hashes, and nothing else is.
fn check_against_disk(dir: &Path, described: &Described) {
    let mut content = content_of(dir);
    for file in &described.files {
        let bytes = content.remove(file.path.as_str()).expect("on disk");
        assert_eq!(
            (file.size, &file.sha256),
            (bytes.len() as u64, &sha256(&bytes)),
            "{}",
            file.path
        );
    }
    assert!(content.is_empty(), "{content:?}");
}

fn find<'a>(described: &'a Described, path: &str) -> &'a ManifestFile {
    described.files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}"))
}

#[test]
fn vendor_names_stay_and_roles_come_from_name_then_xml() {
    let (_dir, described) = described(Names::Vendor);
    let what = |path: &str| {
        let file = find(&described, path);
        (file.role, file.jaw)
    };
    assert_eq!(what("upper_jaw_pretreatment_#1.stl"), (Role::Scan, Some(Jaw::Upper)));
    assert_eq!(what("scanbody.stl"), (Role::Scan, Some(Jaw::Lower)));
    assert_eq!(what("colours.jpg"), (Role::Texture, Some(Jaw::Lower)));
    assert_eq!(what("margin.pts"), (Role::Attachment, None));
    assert_eq!(what("itero_element_logo.png"), (Role::Attachment, None));
    assert_eq!(what("gallery_#1.jpg"), (Role::Thumbnail, None));
    assert_eq!(what("Rx_1.html"), (Role::RxHtml, None));
    assert_eq!(described.files.len(), FILES.len());
    assert!(described.files.iter().all(|file| file.original_name.is_none()));
    assert!(described.notes.is_empty() && described.findings.is_empty());
}

#[test]
fn each_scan_says_which_it_is() {
    let (_dir, vendor) = described(Names::Vendor);
    let what = |path: &str| {
        let file = find(&vendor, path);
        (file.stage, file.part.as_deref())
    };
    assert_eq!(what("upper_jaw_without_ditch_#1.stl"), (Some(Stage::Working), None));
    assert_eq!(what("upper_jaw_pretreatment_#1.stl"), (Some(Stage::Pretreatment), None));
    // Its stage is in the XML only.
    assert_eq!(what("scanbody.stl"), (Some(Stage::Pretreatment), Some("scan-body")));
    assert_eq!(what("margin.pts"), (None, Some("margin")));
    assert_eq!(what("Rx_1.html"), (None, None));
    assert!(vendor.files.iter().all(|file| file.copy_of.is_none()));

    // Whatever the names, the manifest says the same.
    let (_dir, both) = described(Names::Both);
    let copies: Vec<_> = both.files.iter().filter(|file| file.copy_of.is_some()).collect();
    assert_eq!(copies.len(), both.files.len() - FILES.len());
    let (_dir, plain) = described(Names::Plain);
    for copy in copies {
        let of = find(&both, copy.copy_of.as_deref().expect("it is one"));
        assert_eq!(copy.sha256, of.sha256);
        for same in [of, find(&plain, &copy.path)] {
            let told = |file: &ManifestFile| (file.role, file.jaw, file.stage, file.part.clone());
            assert_eq!(told(copy), told(same), "{}", copy.path);
        }
    }
}

#[test]
fn plain_names_rename_files_and_what_the_xml_says() {
    let (dir, described) = described(Names::Plain);
    let original = |path: &str| find(&described, path).original_name.as_deref();
    assert_eq!(original("scan-upper.stl"), Some("upper_jaw_without_ditch_#1.stl"));
    assert_eq!(original("scan-upper-2.stl"), Some("upper_jaw_with_ditch_#1.stl"));
    assert_eq!(original("scan-upper-pretreatment.stl"), Some("upper_jaw_pretreatment_#1.stl"));
    assert_eq!(original("scan-lower-pretreatment.stl"), Some("scanbody.stl"));
    assert_eq!(original("texture-lower.jpg"), Some("colours.jpg"));
    assert_eq!(original("rx.pdf"), Some("iTero_Rx_1.pdf"));
    assert_eq!(original("rx.html"), Some("Rx_1.html"));
    assert_eq!(original("thumbnails/gallery_#1.jpg"), Some("gallery_#1.jpg"));
    assert_eq!(original("thumbnails/front.jpg"), None);
    assert_eq!(original("itero_element_logo.png"), None);
    assert_eq!(described.files.len(), FILES.len());
    let xml = std::fs::read_to_string(dir.path().join("itero_export_#1_v50.xml")).expect("read");
    let expected = XML
        .replace("upper_jaw_without_ditch_#1.stl", "scan-upper.stl")
        .replace("upper_jaw_pretreatment_1.stl", "scan-upper-pretreatment.stl")
        .replace("scanbody.stl", "scan-lower-pretreatment.stl")
        .replace("colours.jpg", "texture-lower.jpg");
    assert_eq!(xml, expected);
}

#[test]
fn both_keeps_the_vendors_files_and_adds_plain_names() {
    let (dir, described) = described(Names::Both);
    let content = content_of(dir.path());
    assert_eq!(content["itero_export_#1_v50.xml"], XML.as_bytes());
    for file in FILES {
        assert_eq!(find(&described, file).original_name, None);
    }
    let plain = find(&described, "scan-upper.stl");
    assert_eq!(plain.original_name.as_deref(), Some("upper_jaw_without_ditch_#1.stl"));
    assert_eq!(content["scan-upper.stl"], content["upper_jaw_without_ditch_#1.stl"]);
    assert_eq!(described.files.len(), FILES.len() + 8);
}

#[test]
fn a_plain_name_never_takes_the_name_of_another_file() {
    let files: Vec<Known> =
        ["scan-upper.stl", "1_shell_u.stl", "2_shell_u.stl", "rx.pdf", "Rx_1.pdf"]
            .iter()
            .map(|name| {
                let path = RelPath::parse(name).expect("portable");
                let staged = StagedFile {
                    path,
                    size: 0,
                    sha256: String::new(),
                    original_name: None,
                    raw_name: None,
                };
                know(staged, &BTreeMap::new())
            })
            .collect();
    let names = plain::names(&files);
    let name = |index: usize| names.get(&index).map(RelPath::as_str);
    assert_eq!(name(0), None);
    assert_eq!((name(1), name(2)), (Some("scan-upper-2.stl"), Some("scan-upper-3.stl")));
    assert_eq!((name(3), name(4)), (None, Some("rx-2.pdf")));
}

#[test]
fn an_unreadable_xml_fails_nothing() {
    let dir = tempfile::tempdir().expect("tempdir");
    std::fs::write(dir.path().join("a.xml"), b"\xFF\xFE<\0a\0").expect("written");
    let path = RelPath::parse("a.xml").expect("portable");
    let staged = vec![StagedFile {
        path,
        size: 6,
        sha256: sha256(b"\xFF\xFE<\0a\0"),
        original_name: None,
        raw_name: None,
    }];
    let described = describe(&RealDisk, dir.path(), staged, Names::Plain).expect("described");
    assert_eq!(described.files[0].role, Role::Metadata);
}

/// Writes files into a directory and describes them.
fn described_as(files: &[(&str, Vec<u8>)], names: Names) -> (tempfile::TempDir, Described) {
    let dir = tempfile::tempdir().expect("tempdir");
    let staged = files
        .iter()
        .map(|(name, bytes)| {
            let path = RelPath::parse(name).expect("portable");
            let to = path.under(dir.path());
            std::fs::create_dir_all(to.parent().expect("parent")).expect("mkdir");
            std::fs::write(to, bytes).expect("written");
            StagedFile {
                path,
                size: bytes.len() as u64,
                sha256: sha256(bytes),
                original_name: None,
                raw_name: None,
            }
        })
        .collect();
    let described = describe(&RealDisk, dir.path(), staged, names).expect("described");
    check_against_disk(dir.path(), &described);
    (dir, described)
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

const UPPER: &str = "1_shell_occlusion_u.ply";
const OVER: &str = "upper_texture.jpg";

fn listing(rest: &str) -> String {
    format!(
        "<iTeroExport><ExportedObjects><Object ObjectType=\"Surface\" JawId=\"Upper\" \
         FileName=\"{UPPER}\"/>{rest}</ExportedObjects></iTeroExport>"
    )
}

fn ply(texture: &str) -> Vec<u8> {
    let head = format!(
        "ply\nformat binary_little_endian 1.0\ncomment TextureFile {texture}\nelement vertex 1\n\
         property float x\nend_header\n"
    );
    // Data after the header may look like anything.
    [head.as_bytes(), b"\ncomment TextureFile upper_texture.jpg\n"].concat()
}

fn text_of(dir: &tempfile::TempDir, name: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(dir.path().join(name)).expect("read")).into_owned()
}

#[test]
fn plain_names_follow_into_every_file_that_names_another() {
    let materials = b"newmtl a\nmap_Kd -bm 0.5 pictures\\upper_texture.jpg\r\nKd 1 1 1\n".to_vec();
    let html = "<img src=\"gallery_%231.jpg\"><img src='itero_element_logo.png'>".into();
    let latin = b"<?xml version=\"1.0\" encoding=\"windows-1252\"?><a Doctor=\"M\xFCller\">\
        <Object FileName=\"1_shell_occlusion_u.ply\"/></a>"
        .to_vec();
    let (dir, described) = described_as(
        &[
            (UPPER, ply("pictures/upper_texture.jpg")),
            ("meshes/1_shell_l.obj", b"mtllib 1 lower.mtl\nv 0 0 0\n".to_vec()),
            ("meshes/1 lower.mtl", b"map_Kd lower_texture.jpg\n".to_vec()),
            ("meshes/lower_texture.jpg", b"L".to_vec()),
            ("pictures/upper_texture.jpg", b"U".to_vec()),
            ("other.mtl", materials),
            ("itero_export_#1_v30.xml", wide(&format!("\u{feff}{}", listing("")))),
            ("itero_export_#1_v50.xml", latin),
            ("Rx_1.html", html),
            ("gallery_#1.jpg", b"G".to_vec()),
            ("itero_element_logo.png", b"logo".to_vec()),
        ],
        Names::Plain,
    );
    assert_eq!(described.findings, []);
    let upper = std::fs::read(dir.path().join("scan-upper.ply")).expect("read");
    let expected = String::from_utf8(ply("texture-upper.jpg")).expect("text");
    assert_eq!(String::from_utf8_lossy(&upper), expected);
    assert!(text_of(&dir, "scan-lower.obj").starts_with("mtllib meshes/1 lower.mtl\nv "));
    assert_eq!(text_of(&dir, "meshes/1 lower.mtl"), "map_Kd ../texture-lower.jpg\n");
    assert!(text_of(&dir, "other.mtl").contains("\nmap_Kd -bm 0.5 texture-upper.jpg\r\nKd"));
    let xml = std::fs::read(dir.path().join("itero_export_#1_v30.xml")).expect("read");
    assert_eq!(xml, wide(&format!("\u{feff}{}", listing("").replace(UPPER, "scan-upper.ply"))));
    let latin = std::fs::read(dir.path().join("itero_export_#1_v50.xml")).expect("read");
    assert!(latin.windows(16).any(|at| at == b"Doctor=\"M\xFCller\">"));
    assert!(String::from_utf8_lossy(&latin).contains("FileName=\"scan-upper.ply\""));
    let html = text_of(&dir, "rx.html");
    assert_eq!(html, "<img src=\"thumbnails/gallery_%231.jpg\"><img src='itero_element_logo.png'>");
}

#[test]
fn where_a_reference_cannot_be_proven_the_order_keeps_the_vendors_names() {
    let good = listing("");
    let long = listing(&" ".repeat(usize::try_from(xml::MAX).expect("small")));
    let elsewhere = listing(&format!("<Object Preview=\"{UPPER}\"/>"));
    let cases: [(&str, Vec<u8>, &str); 4] = [
        ("too long", long.into_bytes(), "too long"),
        ("not text", b"<a>\xFC</a>".to_vec(), "encoding"),
        ("half a letter", b"\xFF\xFE<\0a".to_vec(), "encoding"),
        ("named in another place", elsewhere.into_bytes(), "could not all be found"),
    ];
    for (what, xml, why) in cases {
        let files = [
            (UPPER, ply(OVER)),
            (OVER, b"U".to_vec()),
            ("a.xml", good.clone().into_bytes()),
            ("b.xml", xml),
        ];
        let (dir, described) = described_as(&files, Names::Plain);
        let [finding] = described.findings.as_slice() else { panic!("{what}: {described:?}") };
        assert_eq!((finding.code.as_str(), finding.path.as_deref()), ("names-kept", Some("b.xml")));
        assert!(finding.words.contains(why), "{what}: {}", finding.words);
        let content = content_of(dir.path());
        for (name, bytes) in &files {
            assert!(content.get(*name) == Some(bytes), "{what}: {name} has changed");
        }
    }
}

#[test]
fn a_reference_that_may_mean_two_files_is_no_guess() {
    let files = [
        ("a/texture.jpg", b"1".to_vec()),
        ("b/texture.jpg", b"2".to_vec()),
        ("1_shell_u.ply", ply("texture.jpg")),
    ];
    let (_dir, described) = described_as(&files, Names::Plain);
    assert_eq!(described.findings[0].code, "names-kept");
    assert_eq!(described.findings[0].path.as_deref(), Some("1_shell_u.ply"));
    let (dir, described) = described_as(
        &[files[0].clone(), files[1].clone(), ("1_shell_u.ply", ply("b\\texture.jpg"))],
        Names::Plain,
    );
    assert_eq!(described.findings, []);
    let second =
        described.files.iter().find(|file| file.original_name.as_deref() == Some("b/texture.jpg"));
    let named = &second.expect("renamed").path;
    assert!(text_of(&dir, "scan-upper.ply").contains(&format!("TextureFile {named}\n")));
}
