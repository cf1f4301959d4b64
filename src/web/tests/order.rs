//! An order's page: its scan, its pictures, its files, and all of them in one zip.

use std::io::Read as _;

use super::*;
use crate::model::manifest::{Jaw, Stage};

/// Files that the fake agent serves, all with the content `abc`.
fn held_with(files: Vec<ManifestFile>) -> Browser {
    let browser = Browser::new(false);
    let manifest = Manifest { revision: 2, files, ..manifest() };
    let view = HeldView { manifest, at: WallMs(0), released: false };
    *browser.made.held.lock().expect("sound") = Some(view);
    browser
}

async fn zip_of(browser: &mut Browser, revision: u32) -> (StatusCode, Vec<u8>) {
    let request = HttpRequest::get(format!("{ORDER}/archive/{revision}"));
    let response = browser.call(request, String::new()).await;
    let status = response.status();
    if status == StatusCode::OK {
        let headers = response.headers();
        assert_eq!(headers[header::CONTENT_TYPE], "application/zip");
        let name = format!("attachment; filename*=UTF-8''17%2Dr{revision}%2Ezip");
        assert_eq!(headers[header::CONTENT_DISPOSITION], name);
    }
    (status, to_bytes(response.into_body(), 1 << 20).await.expect("a body").to_vec())
}

#[tokio::test]
async fn all_files_come_in_one_zip_with_what_names_a_patient_only_where_it_is_shown() {
    for (show_names, expected) in
        [(false, &["17/upper.stl"][..]), (true, &["17/rx.html", "17/upper.stl"][..])]
    {
        let mut browser = Browser::new(show_names);
        let (status, bytes) = zip_of(&mut browser, 1).await;
        assert_eq!(status, StatusCode::OK);
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).expect("a zip");
        let mut names: Vec<_> =
            zip.file_names().map(|name| name.expect("readable").into_owned()).collect();
        names.sort();
        assert_eq!(names, expected);
        let mut text = String::new();
        zip.by_name("17/upper.stl").expect("a file").read_to_string(&mut text).expect("readable");
        assert_eq!(text, "abc");
    }
}

#[tokio::test]
async fn there_is_no_zip_of_what_was_taken() {
    let mut browser = Browser::new(true);
    // A revision that is not there, and one of which a file is gone.
    let (status, page) = zip_of(&mut browser, 3).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(String::from_utf8_lossy(&page).contains("was taken or changed"));
    let mut browser = held_with(vec![file("upper.stl", Role::Scan), file("gone.stl", Role::Scan)]);
    assert_eq!(zip_of(&mut browser, 2).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_scan_comes_first_then_pictures_history_and_the_files_in_groups() {
    let scan = |path, jaw| ManifestFile { jaw: Some(jaw), ..file(path, Role::Scan) };
    let distinct = |number: u8, file| ManifestFile { sha256: format!("{number:064x}"), ..file };
    let mut browser = held_with(vec![
        distinct(1, scan("upper_jaw_without_ditch_#17.stl", Jaw::Upper)),
        distinct(
            2,
            ManifestFile {
                stage: Some(Stage::Pretreatment),
                ..scan("upper_jaw_pretreatment_#17.stl", Jaw::Upper)
            },
        ),
        distinct(3, file("thumbnails/gallery_#17_penta_front_m.jpg", Role::Thumbnail)),
        distinct(4, file("rx_17.pdf", Role::RxPdf)),
        distinct(5, file("case.xml", Role::Metadata)),
    ]);
    for (lang, words) in [
        ("en", ["Upper jaw, pre-treatment", "Front</a>", "Download all shown here (3 files, 9 B)"]),
        (
            "de",
            [
                "Oberkiefer, vor der Behandlung",
                "Vorn</a>",
                "Alle hier gezeigten herunterladen (3 Dateien, 9 B)",
            ],
        ),
    ] {
        browser.cookie = format!("casedrop_lang={lang}");
        let (_, page) = browser.get(ORDER).await;
        for word in words {
            assert!(page.contains(word), "{word}: {page}");
        }
        let places = ["id=\"viewer\"", "id=\"pictures\"", "id=\"story\"", "id=\"files\""]
            .map(|part| page.find(part).unwrap_or_else(|| panic!("{part}: {page}")));
        assert!(places.is_sorted(), "{places:?}");
        let groups = ["files-scans", "files-prescription", "files-pictures", "files-other"]
            .map(|part| page.find(&format!("<h3 id=\"{part}\"")).expect(part));
        assert!(groups.is_sorted(), "{groups:?}");
        let (head, details) = page.split_once("<details id=\"checksums\">").expect("details");
        let hash = format!("{:064x}", 1);
        assert!(!head.contains(&hash) && details.contains(&hash), "{page}");
    }
}

#[tokio::test]
async fn a_picture_has_a_page_with_its_name_and_the_way_to_the_next() {
    let picture = |view| file(&format!("gallery_#17_penta_{view}_m.jpg"), Role::Thumbnail);
    let mut browser = held_with(vec![picture("left"), picture("front"), file("x.stl", Role::Scan)]);
    let at = |view| format!("{ORDER}/pictures/2/gallery%5F%2317%5Fpenta%5F{view}%5Fm%2Ejpg");
    let (status, page) = browser.get(&at("front")).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    assert!(page.contains("<h1>Front · Order 17</h1>"), "{page}");
    assert!(page.contains(&format!("rel=\"next\" href=\"{}\"", at("left"))), "{page}");
    assert!(!page.contains("rel=\"prev\""), "{page}");
    for path in ["pictures/2/x%2Estl", "pictures/3/x%2Ejpg", "pictures/2/rx%2Epdf"] {
        let (status, _) = browser.get(&format!("{ORDER}/{path}")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn files_are_checked_by_button_one_order_or_all() {
    let mut browser = Browser::new(false);
    for (page, action, orders) in
        [(ORDER, &*format!("{ORDER}/verify"), vec![key().order]), ("/commands", "/verify", vec![])]
    {
        let csrf = browser.field(page, "csrf").await;
        let id = format!("page-{}", orders.len());
        let answer = browser.post(action, &[("csrf", &csrf), ("id", &id)]).await;
        assert_eq!(answer.headers()[header::LOCATION], format!("{page}?answer={id}"));
        assert_eq!(browser.done().last().expect("one").1, Request::Verify { orders });
    }
}

#[tokio::test]
async fn the_settings_name_their_file_and_say_how_to_change_them() {
    let mut browser = Browser::new(false);
    let (_, page) = browser.get("/settings").await;
    assert!(page.contains("/etc/casedrop/casedrop.yaml"), "{page}");
    assert!(page.contains("edit this file and restart Casedrop"), "{page}");
}
