//! A held order: what its page says, and its two buttons.

use super::*;
use crate::model::finding_code::FindingCode;
use crate::model::findings::FindingCounts;
use crate::model::manifest::{Finding, Severity};
use crate::model::record::HeldRecord;

fn held() -> HeldView {
    let serious =
        Finding::new(FindingCode::JawAbsent, Severity::Serious, "the lower jaw is missing");
    let note = Finding::new(FindingCode::MemberTwice, Severity::Note, "it is there twice");
    let newer = Finding {
        code: "of-another-version".to_owned(),
        words: "nobody knows this yet".to_owned(),
        ..note.clone()
    };
    let files = vec![file("new upper.stl", Role::Scan), file("rx.html", Role::RxHtml)];
    let findings = vec![serious, note.of(HOSTILE), newer];
    let manifest = Manifest { findings, revision: 2, files, ..manifest() };
    HeldView { manifest, at: WallMs(0), released: false }
}

fn browser(view: HeldView) -> Browser {
    let browser = Browser::new(false);
    *browser.made.held.lock().expect("sound") = Some(view);
    browser
}

/// Makes the journal's record match the held revision.
pub(super) fn remembered(record: &mut OrderRecord, view: &HeldView) {
    record.fetched = record.evidence;
    record.trouble = None;
    record.held = Some(HeldRecord {
        revision: view.manifest.revision,
        at: view.at,
        confirmed: view.at,
        released: view.released,
        findings: FindingCounts::of(&view.manifest.findings),
    });
}

#[tokio::test]
async fn the_page_says_in_both_languages_that_it_is_held_back_and_why() {
    let mut browser = browser(held());
    for (lang, words) in [
        (
            "en",
            [
                "held back: incomplete",
                "Publish anyway",
                "Ask the doctor",
                "it is there twice",
                "the lower jaw is missing",
            ],
        ),
        (
            "de",
            [
                "zurückgehalten: unvollständig",
                "Trotzdem ablegen",
                "Praxis fragen",
                "Eine Datei steht zweimal im ZIP-Archiv",
                "Der Scan eines Kiefers fehlt",
            ],
        ),
    ] {
        browser.cookie = format!("casedrop_lang={lang}");
        let (_, page) = browser.get(ORDER).await;
        for word in words {
            assert!(page.contains(word), "{word}: {page}");
        }
        // A manifest of another version may have findings that this one has no words for.
        assert!(page.contains("<span lang=\"en\">nobody knows this yet</span>"), "{page}");
        assert!(!page.contains("<script>alert"));
        let (_, list) = browser.get("/orders").await;
        assert!(list.contains("badge warn"), "{list}");
    }
}

#[tokio::test]
async fn publish_anyway_asks_for_just_that() {
    let mut browser = browser(held());
    let csrf = browser.field(ORDER, "csrf").await;
    let id = browser.field(ORDER, "id").await;
    let path = format!("{ORDER}/publish");
    let answer = browser.post(&path, &[("csrf", &csrf), ("id", &id)]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let request = Request::Publish { lab: Some("smile-lab".to_owned()), orders: vec![key().order] };
    assert_eq!(browser.done()[0].1, request);
}

#[tokio::test]
async fn the_doctor_is_asked_with_a_text_that_is_shown_first_and_names_no_file() {
    let mut browser = browser(held());
    let path = format!("{ORDER}/return");
    let (_, page) = browser.get(&format!("{path}?ask=incomplete")).await;
    let shown = "incomplete: the lower jaw is missing</textarea>";
    assert!(page.contains(shown), "{page}");
    assert!(browser.done().is_empty(), "nothing is sent before the number is typed");
    let (_, plain) = browser.get(&path).await;
    assert!(!plain.contains("the lower jaw is missing"), "{plain}");
}

#[tokio::test]
async fn what_is_released_has_no_buttons_any_more() {
    let mut browser = browser(HeldView { released: true, ..held() });
    let (_, page) = browser.get(ORDER).await;
    assert!(!page.contains("Publish anyway") && !page.contains("Ask the doctor"), "{page}");
    assert!(page.contains("is about to be put into the hot folder"), "{page}");
}

#[tokio::test]
async fn what_is_held_back_can_be_looked_at_by_the_rules_of_published_files() {
    let mut browser = browser(held());
    let (_, page) = browser.get(ORDER).await;
    let scan = format!("{ORDER}/files/2/new%20upper%2Estl");
    assert!(page.contains(&format!("<a href=\"{scan}\" download>")), "{page}");
    assert!(page.contains("data-meshes") && page.contains("new%20upper%2Estl&#34;"), "{page}");
    assert!(!page.contains("/files/1/"), "the older revision is not what is decided on: {page}");
    assert!(!page.contains("files/2/rx"), "a prescription names the patient: {page}");
}
