//! Orders as they come, under each way of naming.

use super::super::files::sha256;
use super::super::testing::content_of;
use super::*;
use crate::disk::RealDisk;
use crate::model::path::RelPath;

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
            StagedFile { path, size: bytes.len() as u64, sha256, original_name: None }
        })
        .collect();
    let described = describe(&RealDisk, dir.path(), staged, names).expect("described");
    check_against_disk(dir.path(), &described);
    (dir, described)
}

/// Every file of the manifest is there with its size and hash, and nothing else.
fn check_against_disk(dir: &Path, described: &Described) {
    let mut content = content_of(dir);
    for file in &described.files {
        let bytes = content.remove(&file.path).expect("on disk");
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
    assert!(described.notes.iter().any(|note| note.starts_with("scanbody.stl is neither")));
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
                let staged =
                    StagedFile { path, size: 0, sha256: String::new(), original_name: None };
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
    let staged =
        vec![StagedFile { path, size: 6, sha256: sha256(b"\xFF\xFE<\0a\0"), original_name: None }];
    let described = describe(&RealDisk, dir.path(), staged, Names::Plain).expect("described");
    assert_eq!(described.files[0].role, Role::Metadata);
    assert_eq!(described.notes.len(), 1);
}
