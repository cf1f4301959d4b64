//! Only visitors who proved a right to may change the set-up on the page.

use secrecy::ExposeSecret as _;

use super::*;
use crate::disk::RealDisk;
use crate::password::cheap;
use crate::web::gate::{CODE_FILE, SetUpCode, read_code};

/// Everything on the page that changes where orders go or who is logged in, with its fields.
const CHANGES: [(&str, &[(&str, &str)]); 6] = [
    ("/welcome/folder", &[("path", "/tmp/elsewhere")]),
    ("/welcome/keep-folder", &[]),
    ("/welcome/skip", &[]),
    ("/labs/smile%2Dlab/pair", &[]),
    ("/labs/smile%2Dlab/pair", &[("code", "https://x.example/?code=1&state=2")]),
    ("/labs/smile%2Dlab/pair", &[("account", "4711")]),
];

fn waiting(setup: &mut Setup) {
    setup.step = SetupStep::Folder;
    setup.labs[0].login = LoginView::Waiting {
        url: "https://align.example/login".to_owned(),
        until: "2026-06-01T12:00:00Z".to_owned(),
        by_itself: true,
    };
}

impl Browser {
    fn with_code(state: &std::path::Path) -> (Self, Arc<SetUpCode>) {
        let browser = Self::new(false);
        *browser.made.setup.lock().expect("sound") = Some(waiting);
        let code = Arc::new(SetUpCode::new(Arc::new(RealDisk), state).expect("made"));
        browser.gate.set_code(Arc::clone(&code));
        (browser, code)
    }

    async fn change(&mut self, number: usize) -> StatusCode {
        let (path, more) = CHANGES[number];
        let csrf = self.field("/welcome", "csrf").await;
        let id = format!("page-{number}");
        let fields = [&[("csrf", csrf.as_str()), ("id", &id), ("back", "/welcome")], more].concat();
        self.post(path, &fields).await.status()
    }

    async fn type_code(&mut self, code: &str) -> StatusCode {
        let csrf = self.field("/welcome", "csrf").await;
        self.post("/welcome/code", &[("csrf", &csrf), ("code", code)]).await.status()
    }

    /// How many requests reached the agent.
    fn reached(&self) -> usize {
        self.done().len() + self.made.passed.lock().expect("sound").len()
    }
}

fn code_of(code: &SetUpCode) -> String {
    read_code(&RealDisk, code.file()).expect("a code").expose_secret().to_owned()
}

#[tokio::test]
async fn nothing_of_the_set_up_changes_without_the_code_that_only_the_agents_user_can_read() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut browser, code) = Browser::with_code(dir.path());
    let (_, page) = browser.get("/welcome").await;
    assert!(page.contains("id=\"set-up-code\""), "{page}");
    assert!(page.contains(CODE_FILE) && !page.contains(&code_of(&code)), "{page}");
    // Whoever opens the link of a pending login decides who is logged in.
    assert!(!page.contains("align.example") && !page.contains("action=\"/welcome/folder\""));
    for (number, change) in CHANGES.iter().enumerate() {
        assert_eq!(browser.change(number).await, StatusCode::FORBIDDEN, "{change:?}");
    }
    assert_eq!(browser.type_code("AAAA-AAAA").await, StatusCode::FORBIDDEN);
    assert_eq!(browser.change(0).await, StatusCode::FORBIDDEN);
    assert_eq!(browser.reached(), 0);

    assert_eq!(browser.type_code(&code_of(&code)).await, StatusCode::SEE_OTHER);
    let (_, page) = browser.get("/welcome").await;
    assert!(!page.contains("id=\"set-up-code\""), "once is enough: {page}");
    assert!(page.contains("align.example") && page.contains("action=\"/welcome/folder\""));
    for (number, change) in CHANGES.iter().enumerate() {
        let status = browser.change(number).await;
        assert!(status.is_success() || status.is_redirection(), "{change:?}: {status}");
    }
    assert_eq!(browser.reached(), CHANGES.len());
}

#[tokio::test]
async fn a_used_code_is_of_no_use_to_another_browser_and_daily_work_needs_none() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut browser, code) = Browser::with_code(dir.path());
    let used = code_of(&code);
    assert_eq!(browser.type_code(&used).await, StatusCode::SEE_OTHER);
    browser.cookie.clear();
    assert_eq!(browser.type_code(&used).await, StatusCode::FORBIDDEN);
    assert_eq!(browser.change(0).await, StatusCode::FORBIDDEN);
    let csrf = browser.field(ORDER, "csrf").await;
    for (number, path) in ["/labs/smile%2Dlab/pause", "/welcome/test"].into_iter().enumerate() {
        let fields = [("csrf", csrf.as_str()), ("id", &*format!("page-d{number}"))];
        assert_eq!(browser.post(path, &fields).await.status(), StatusCode::SEE_OTHER, "{path}");
    }
    assert_eq!(browser.reached(), 2);
}

#[tokio::test]
async fn who_knows_the_pages_password_needs_no_code() {
    let mut browser = Browser::with_password(false, Some(cheap("correct horse")));
    *browser.made.setup.lock().expect("sound") = Some(waiting);
    let csrf = browser.field("/login", "csrf").await;
    let fields = [("csrf", csrf.as_str()), ("password", "correct horse")];
    assert_eq!(browser.post("/login", &fields).await.status(), StatusCode::SEE_OTHER);
    let (_, page) = browser.get("/welcome").await;
    assert!(!page.contains("id=\"set-up-code\""), "{page}");
    for number in 0..CHANGES.len() {
        let status = browser.change(number).await;
        assert!(status.is_success() || status.is_redirection(), "{status}");
    }
    assert_eq!(browser.reached(), CHANGES.len());
}

#[tokio::test]
async fn without_code_and_password_nobody_sets_up() {
    let mut browser = Browser::new(false);
    *browser.made.setup.lock().expect("sound") = Some(waiting);
    assert_eq!(browser.type_code("").await, StatusCode::FORBIDDEN);
    for number in 0..CHANGES.len() {
        assert_eq!(browser.change(number).await, StatusCode::FORBIDDEN);
    }
    assert_eq!(browser.reached(), 0);
}

#[tokio::test]
async fn the_set_up_calls_nothing_done_that_is_not() {
    let mut browser = Browser::new(false);
    let t = &texts::ENGLISH;
    let mut shown = async |change: fn(&mut Setup)| {
        *browser.made.setup.lock().expect("sound") = Some(change);
        browser.get("/welcome").await.1
    };
    // Orders come in already, and one of two labs waits for its login.
    let page = shown(|setup| {
        setup.step = SetupStep::Done;
        let paired = LoginView::Paired { account: "4711".to_owned() };
        let north = SetupLab {
            lab: "north".to_owned(),
            login: LoginView::LoggedOut,
            trouble: None,
            cannot_wait: None,
            choices: Vec::new(),
        };
        setup.labs[0].login = paired;
        setup.labs.push(north);
    })
    .await;
    assert!(!page.contains(t.all_set) && page.contains("for: north."), "{page}");
    assert_eq!(page.matches(t.step_some).count(), 2, "login and account");
    assert_eq!(page.matches(t.step_not_made).count(), 1, "nobody made a test");
    let page = shown(|setup| {
        setup.step = SetupStep::Done;
        setup.labs[0].login = LoginView::Paired { account: "4711".to_owned() };
        setup.test.last = Some("2026-06-01T12:00:00Z".to_owned());
    })
    .await;
    assert!(page.contains(t.all_set), "{page}");
    assert!(!page.contains(t.step_some) && !page.contains(t.step_not_made), "{page}");
}

#[tokio::test]
async fn a_pc_that_cannot_work_yet_shows_the_set_up_first() {
    let mut browser = Browser::new(false);
    assert_eq!(browser.get("/").await.0, StatusCode::OK, "somebody is logged in");
    *browser.made.setup.lock().expect("sound") = Some(waiting);
    let response = browser.call(HttpRequest::get("/"), String::new()).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()[header::LOCATION], "/welcome");
    *browser.made.setup.lock().expect("sound") = Some(|setup| {
        setup.step = SetupStep::Folder;
        setup.labs[0].login = LoginView::Paired { account: "4711".to_owned() };
    });
    assert_eq!(browser.get("/").await.0, StatusCode::OK, "orders come already");
}

#[tokio::test]
async fn one_click_leads_to_aligns_login_page_and_nothing_is_left_of_it_afterwards() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut browser, code) = Browser::with_code(dir.path());
    *browser.made.answer.lock().expect("sound") = Some(|| {
        let details = serde_json::json!({ "lab": "smile-lab", "finishes_by_itself": true,
            "login_url": "https://align.example/login?a=1&b=2" });
        Reply::new(Outcome::LoginNeeded, "log in at https://align.example/login").details(details)
    });
    browser.type_code(&code_of(&code)).await;
    let csrf = browser.field("/welcome", "csrf").await;
    let fields = |id| [("csrf", csrf.clone()), ("id", id)];
    let click = fields("page-login".to_owned());
    let click = click.each_ref().map(|(name, value)| (*name, value.as_str()));
    let response = browser.post("/labs/smile%2Dlab/login", &click).await;
    assert_eq!(response.status(), StatusCode::OK);
    let to = response.headers()[header::REFRESH].to_str().expect("text");
    assert_eq!(to, "1; url=https://align.example/login?a=1&b=2");

    // Somebody who has to bring back the address stays on the page with the field for it.
    *browser.made.answer.lock().expect("sound") = Some(|| {
        let details = serde_json::json!({ "lab": "smile-lab", "finishes_by_itself": false,
            "login_url": "https://align.example/login" });
        Reply::new(Outcome::LoginNeeded, "log in").details(details)
    });
    let again = [("csrf", csrf.as_str()), ("id", "page-login-2")];
    let response = browser.post("/labs/smile%2Dlab/login", &again).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()[header::LOCATION], "/welcome?lab=smile%2Dlab");

    // The answer that asks for a login vanishes with the login.
    let pair = [("csrf", csrf.as_str()), ("id", "page-pair"), ("back", "/welcome")];
    browser.post("/labs/smile%2Dlab/pair", &pair).await;
    let asks = |page: &str| page.contains("data-test=\"answer\"");
    assert!(asks(&browser.get("/welcome?answer=page-pair").await.1));
    *browser.made.setup.lock().expect("sound") = None;
    assert!(!asks(&browser.get("/welcome?answer=page-pair").await.1), "somebody logged in");
}
