//! The pages, requested as a browser does, from a fake agent.

mod set_up;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request as HttpRequest, Response, StatusCode, header};
use tower_service::Service as _;

use super::gate::Settings;
use super::*;
use crate::audit::Record;
use crate::config::InForce;
use crate::model::fault::{Fault, FaultClass};
use crate::model::ids::OrderKey;
use crate::model::listing::{OrderPage, OrderQuery};
use crate::model::manifest::{Manifest, ManifestFile, Role};
use crate::model::order::{RemoteOrder, Status as AtAlign};
use crate::model::record::{OrderRecord, Place};
use crate::model::request::{Outcome, Reply, Request, Requests, Via, Who};
use crate::model::time::WallMs;
use crate::password::PasswordHash;
use crate::status::testing::well;
use crate::status::{Health, Status, Transfer, Wish, health};

const HOSTILE: &str = "<script>alert(1)</script>\"'&";
const PATIENT: &str = "Doe, Jane";

/// An agent that knows one order, and records the requests it gets.
#[derive(Default)]
struct Made {
    done: Mutex<Vec<(String, Request, Who)>>,
    held: Mutex<Option<HeldView>>,
    /// Changes the progress of the set-up.
    setup: Mutex<Option<fn(&mut Setup)>>,
    passed: Mutex<Vec<SetupStep>>,
    /// The list of orders, if it is not that of the one order.
    listed: Mutex<Option<OrderPage>>,
    queries: Mutex<Vec<OrderQuery>>,
    wishes: Mutex<Vec<Wish>>,
    /// What to answer, if not that all is done.
    answer: Mutex<Option<fn() -> Reply>>,
}

fn key() -> OrderKey {
    OrderKey {
        lab: "smile-lab".parse().expect("valid"),
        account: "4711".parse().expect("valid"),
        order: "17".parse().expect("valid"),
    }
}

fn record() -> OrderRecord {
    let mut remote = RemoteOrder::new(key().order, AtAlign::Other(HOSTILE.to_owned()));
    remote.case_type = Some(HOSTILE.to_owned());
    OrderRecord::new(key(), remote, WallMs(0))
}

pub(super) fn file(path: &str, role: Role) -> ManifestFile {
    ManifestFile {
        path: crate::model::path::RelPath::parse(path).expect("portable"),
        size: 3,
        sha256: "ab".repeat(32),
        role,
        jaw: None,
        stage: None,
        part: None,
        copy_of: None,
        original_name: None,
        raw_name: None,
    }
}

fn manifest() -> Manifest {
    Manifest {
        status: "Ready".to_owned(),
        published_at: "2026-06-01T12:00:00Z".to_owned(),
        agent: "casedrop".to_owned(),
        files: vec![file("upper.stl", Role::Scan), file("rx.html", Role::RxHtml)],
        ..casedrop_testing::manifest_of(1, &[])
    }
}

impl Requests for Made {
    fn serve_once(&self, id: &str, request: &Request, who: &Who) -> Result<Reply, Fault> {
        let mut done = self.done.lock().expect("sound");
        if !done.iter().any(|(other, ..)| other == id) {
            done.push((id.to_owned(), request.clone(), who.clone()));
        }
        if let Some(answer) = *self.answer.lock().expect("sound") {
            return Ok(answer());
        }
        Ok(Reply::new(Outcome::Done, format!("done {HOSTILE}")))
    }

    fn settled(&self, _: &str) -> Result<(), Fault> {
        Ok(())
    }
}

impl Made {
    fn record(&self) -> OrderRecord {
        let mut record = record();
        if let Some(view) = &*self.held.lock().expect("sound") {
            held::remembered(&mut record, view);
        }
        record
    }
}

impl PageData for Made {
    fn status(&self) -> Status {
        let mut status = Status { wishes: self.wishes.lock().expect("sound").clone(), ..well() };
        // The same logins as in the set-up.
        for (lab, one) in status.labs.iter_mut().zip(self.setup().expect("told").labs) {
            if matches!(one.login, LoginView::LoggedOut | LoginView::Waiting { .. }) {
                lab.account = None;
            }
        }
        status
    }

    fn transfers(&self) -> BTreeMap<OrderKey, Transfer> {
        BTreeMap::new()
    }

    fn orders(&self, query: &OrderQuery) -> Result<OrderPage, Fault> {
        self.queries.lock().expect("sound").push(query.clone());
        if let Some(page) = &*self.listed.lock().expect("sound") {
            let orders = page.orders.iter().skip(query.skip).take(query.limit);
            return Ok(OrderPage { orders: orders.cloned().collect(), total: page.total });
        }
        Ok(OrderPage { orders: vec![self.record()], total: 1 })
    }

    fn order(&self, asked: &OrderKey) -> Result<Option<OrderView>, Fault> {
        let story = ["published", "something-new"].map(|kind| StoryLine {
            key: key(),
            at: WallMs(0),
            kind: kind.to_owned(),
            text: HOSTILE.to_owned(),
        });
        Ok((*asked == key()).then(|| OrderView {
            record: self.record(),
            folder: Some(PathBuf::from("/orders/smile-lab/4711/17")),
            revisions: vec![RevisionView {
                manifest: manifest(),
                manifest_sha256: "cd".repeat(32),
                at: WallMs(0),
                place: Place::Main,
                folder: Some(PathBuf::from("/orders/smile-lab/4711/17")),
            }],
            held: self.held.lock().expect("sound").clone(),
            story: story.into(),
        }))
    }

    fn news(&self, _: usize) -> Result<Vec<StoryLine>, Fault> {
        Ok(Vec::new())
    }

    fn file(&self, asked: &OrderKey, _: u32, path: &str) -> Result<Option<OrderFile>, Fault> {
        let found = manifest().files.into_iter().find(|file| file.path == path);
        let found = found.filter(|_| *asked == key());
        let content = || Box::new(Cursor::new(b"abc".to_vec()));
        Ok(found.map(|file| OrderFile { file, len: 3, content: content() }))
    }

    fn patient(&self, _: &OrderKey) -> Option<String> {
        Some(PATIENT.to_owned())
    }

    fn receipts(&self, _: usize) -> Result<Vec<ReceiptView>, Fault> {
        Ok(Vec::new())
    }

    fn command_folder(&self) -> Option<PathBuf> {
        None
    }

    fn audit(&self, _: &AuditQuery) -> Result<Vec<Record>, Fault> {
        let text = "the audit cannot be read";
        Err(Fault::new(FaultClass::Local, "audit", text).hint("look at the disk"))
    }

    fn settings(&self) -> Vec<InForce> {
        Vec::new()
    }

    fn config_file(&self) -> Option<PathBuf> {
        Some(PathBuf::from("/etc/casedrop/casedrop.yaml"))
    }

    fn log(&self, _: &LogQuery) -> Vec<LogLine> {
        vec![LogLine {
            at: WallMs(0),
            level: "WARN",
            lab: None,
            order: None,
            text: HOSTILE.to_owned(),
        }]
    }

    fn setup(&self) -> Result<Setup, Fault> {
        let mut setup = Setup {
            step: SetupStep::TestOrder,
            labs: vec![SetupLab {
                lab: "smile-lab".to_owned(),
                login: LoginView::LoggedIn,
                trouble: Some((HOSTILE.to_owned(), None)),
                cannot_wait: None,
                choices: vec![Choice { id: "4711".to_owned(), name: Some(HOSTILE.to_owned()) }],
            }],
            output: PathBuf::from("/orders"),
            may_choose: Ok(()),
            suggestions: Vec::new(),
            test: TestView {
                folder: PathBuf::from("/orders/test"),
                is_there: false,
                changed: None,
                last: None,
            },
        };
        if let Some(change) = *self.setup.lock().expect("sound") {
            change(&mut setup);
        }
        Ok(setup)
    }

    fn pass(&self, step: SetupStep) -> Result<(), Fault> {
        self.passed.lock().expect("sound").push(step);
        Ok(())
    }

    fn metrics(&self) -> String {
        "casedrop_build_info 1\n".to_owned()
    }

    fn health(&self) -> Health {
        health(&well(), WallMs::from_rfc3339(&well().at).expect("a time"))
    }

    fn is_live(&self) -> bool {
        false
    }
}

/// A browser with its cookie.
struct Browser {
    router: Router,
    made: Arc<Made>,
    cookie: String,
    gate: Gate,
    _told: watch::Sender<()>,
}

impl Browser {
    fn new(show_names: bool) -> Self {
        Self::with_password(show_names, None)
    }

    fn with_password(show_names: bool, password_hash: Option<PasswordHash>) -> Self {
        let settings = Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            tls: None,
            names: Vec::new(),
            password_hash,
            care: Duration::from_secs(1),
        };
        let gate = Gate::new(&settings, Arc::new(|| Duration::ZERO)).expect("a gate");
        let (made, told) = (Arc::new(Made::default()), watch::Sender::default());
        let labs = vec!["smile-lab".to_owned()];
        let data = Arc::<Made>::clone(&made);
        let router = router(data, &gate, labs, show_names, told.subscribe());
        Self { router, made, cookie: String::new(), gate, _told: told }
    }

    async fn call(
        &mut self,
        request: axum::http::request::Builder,
        body: String,
    ) -> Response<Body> {
        let request = request
            .header(header::HOST, "localhost:8780")
            .header(header::COOKIE, &self.cookie)
            .body(Body::from(body))
            .expect("a request");
        let response = self.router.call(request).await.expect("answered");
        if let Some(cookie) = response.headers().get(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("text");
            self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        }
        response
    }

    async fn get(&mut self, path: &str) -> (StatusCode, String) {
        let response = self.call(HttpRequest::get(path), String::new()).await;
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        (status, String::from_utf8(bytes.to_vec()).expect("text"))
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Response<Body> {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let request = HttpRequest::post(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.call(request, body.finish()).await
    }

    /// The value of a hidden field on a page.
    async fn field(&mut self, path: &str, name: &str) -> String {
        let (_, page) = self.get(path).await;
        let from = format!("name=\"{name}\" value=\"");
        let rest = page.split_once(&from).expect("the field").1;
        rest.split('"').next().unwrap_or_default().to_owned()
    }

    fn done(&self) -> Vec<(String, Request, Who)> {
        self.made.done.lock().expect("sound").clone()
    }
}

const ORDER: &str = "/orders/smile%2Dlab/4711/17";

#[tokio::test]
async fn whatever_stands_in_a_text_stays_text() {
    let mut browser = Browser::new(false);
    for path in ["/", "/orders", ORDER, "/log", "/welcome", "/commands", "/settings?all=1"] {
        for lang in ["en", "de"] {
            browser.cookie = format!("casedrop_lang={lang}");
            let (status, page) = browser.get(path).await;
            assert_eq!(status, StatusCode::OK, "{path}");
            assert!(!page.contains("<script>alert"), "{path}: {page}");
            assert!(page.contains(&format!("<html lang=\"{lang}\">")), "{path}");
        }
    }
    let (_, page) = browser.get(ORDER).await;
    assert!(page.contains("&#60;script&#62;alert(1)"), "{page}");
    assert!(page.contains("something-new"), "a line that nobody knows yet is shown as it is");
}

#[tokio::test]
async fn an_action_is_carried_out_once_and_leads_back_to_its_answer() {
    let mut browser = Browser::new(false);
    let csrf = browser.field(ORDER, "csrf").await;
    let id = browser.field(ORDER, "id").await;
    let path = format!("{ORDER}/refetch");
    let mut to = String::new();
    for _ in 0..2 {
        let answer = browser.post(&path, &[("csrf", &csrf), ("id", &id)]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        answer.headers()[header::LOCATION].to_str().expect("text").clone_into(&mut to);
    }
    assert_eq!(to, format!("{ORDER}?answer={id}"));
    let (_, page) = browser.get(&to).await;
    assert!(page.contains("data-test=\"answer\"") && page.contains("done &#60;script"), "{page}");
    let done = browser.done();
    let request = Request::Refetch {
        lab: Some("smile-lab".to_owned()),
        orders: vec![key().order],
        kind: None,
    };
    assert_eq!(done, [(id, request, Who { user: None, via: Via::Page })]);
}

#[tokio::test]
async fn nothing_is_done_without_the_token_or_with_an_id_of_others() {
    let mut browser = Browser::new(false);
    let csrf = browser.field(ORDER, "csrf").await;
    let path = format!("{ORDER}/refetch");
    for (fields, expected) in [
        (vec![("id", "page-1")], StatusCode::FORBIDDEN),
        (vec![("csrf", "0"), ("id", "page-1")], StatusCode::FORBIDDEN),
        (vec![("csrf", csrf.as_str()), ("id", "asked-1")], StatusCode::UNPROCESSABLE_ENTITY),
        (vec![("csrf", csrf.as_str())], StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        assert_eq!(browser.post(&path, &fields).await.status(), expected, "{fields:?}");
    }
    let (status, _) = browser.get(&path).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(browser.done(), []);
}

#[tokio::test]
async fn an_answer_leads_to_no_other_site() {
    let mut browser = Browser::new(false);
    let csrf = browser.field("/", "csrf").await;
    let fields = [("csrf", csrf.as_str()), ("id", "page-1"), ("back", "//evil.example")];
    let answer = browser.post("/labs/smile%2Dlab/pause", &fields).await;
    assert_eq!(answer.headers()[header::LOCATION], "/?answer=page-1");
    let nothing = browser.post("/labs/smile%2Dlab/explode", &fields).await;
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn names_and_what_holds_them_are_shown_only_where_the_config_says_so() {
    for show_names in [false, true] {
        let mut browser = Browser::new(show_names);
        let (_, page) = browser.get(ORDER).await;
        assert_eq!(page.contains(PATIENT), show_names);
        let (scan, _) = browser.get(&format!("{ORDER}/files/1/upper.stl")).await;
        assert_eq!(scan, StatusCode::OK);
        let (rx, body) = browser.get(&format!("{ORDER}/files/1/rx.html")).await;
        let expected = if show_names { StatusCode::OK } else { StatusCode::NOT_FOUND };
        assert_eq!(rx, expected, "{body}");
        let (_, list) = browser.get("/orders").await;
        assert!(!list.contains(PATIENT));
    }
}

#[tokio::test]
async fn a_file_is_sent_whole_and_as_no_page() {
    let mut browser = Browser::new(true);
    let path = format!("{ORDER}/files/1/rx.html");
    let response = browser.call(HttpRequest::get(&path), String::new()).await;
    let headers = response.headers().clone();
    assert_eq!(headers[header::CONTENT_TYPE], "application/octet-stream");
    assert_eq!(headers[header::CONTENT_DISPOSITION], "attachment; filename*=UTF-8''rx%2Ehtml");
    assert_eq!(headers[header::CONTENT_LENGTH], "3");
    let bytes = to_bytes(response.into_body(), 10).await.expect("a body");
    assert_eq!(&bytes[..], b"abc");
    for path in ["files/1/other.stl", "files/1/..%2F..%2Fetc%2Fpasswd", "files/x/upper.stl"] {
        let (status, _) = browser.get(&format!("{ORDER}/{path}")).await;
        assert!(status.is_client_error(), "{path}: {status}");
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_cannot_be_shown_is_said() {
    let mut browser = Browser::new(false);
    for path in ["/orders/smile%2Dlab/4711/18", "/orders/a%20b/1/2", "/nothing"] {
        let (status, page) = browser.get(path).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.contains("href=\"/\""), "{page}");
    }
    let (status, page) = browser.get("/audit").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.contains("the audit cannot be read") && page.contains("look at the disk"));
}

#[tokio::test]
async fn the_language_is_kept_and_the_address_stays() {
    let mut browser = Browser::new(false);
    let request = HttpRequest::get("/orders?q=17&lang=de");
    let answer = browser.call(request, String::new()).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()[header::LOCATION], "/orders?q=17");
    let (_, page) = browser.get("/orders?q=17").await;
    assert!(page.contains("Aufträge") && page.contains("/orders?q=17&#38;lang=en"), "{page}");
}

#[tokio::test]
async fn monitors_are_answered() {
    let mut browser = Browser::new(false);
    let (status, text) = browser.get("/metrics").await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "casedrop_build_info 1\n"));
    let (status, text) = browser.get("/health").await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("\"ready\":true"), "{text}");
    let (status, text) = browser.get("/health/live").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text, "{\"live\":false}");
}

mod finding;
mod held;
mod order;
