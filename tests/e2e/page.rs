//! The status page of the real program, as browsers and monitoring request it.

use casedrop::simulator::CaseKind;

use super::world::{ACCOUNT, LAB, World, client, order, wait_for};

const PAGE: &str = "status_page: { listen: '127.0.0.1:0' }\n";

pub(super) struct Browser {
    runtime: tokio::runtime::Runtime,
    client: reqwest::Client,
    /// Without a trailing slash.
    base: String,
    cookie: String,
}

impl Browser {
    pub(super) fn of(world: &World) -> Self {
        let base = wait_for("the page", || {
            // A failing order would change the exit code.
            let status = world.casedrop(&["status", "--json"]).stdout;
            let status: serde_json::Value = serde_json::from_str(&status).ok()?;
            status["page"].as_str().map(|url| url.trim_end_matches('/').to_owned())
        });
        Self::at(base)
    }

    /// A browser for the page at that URL, without a trailing slash.
    pub(super) fn at(base: String) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("runtime");
        Self { runtime, client: client(), base, cookie: String::new() }
    }

    /// Whether a page is served that contains these words; `false` also if nobody listens.
    pub(super) fn sees(&mut self, path: &str, words: &str) -> bool {
        let call = self.client.get(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        let text = self.runtime.block_on(async { call.send().await.ok()?.text().await.ok() });
        text.is_some_and(|text| text.contains(words))
    }

    pub(super) fn get(&mut self, path: &str) -> (u16, String) {
        let call = self.client.get(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        self.runtime.block_on(async {
            let answer = call.send().await.expect("answered");
            if let Some(cookie) = answer.headers().get("set-cookie") {
                let cookie = cookie.to_str().expect("text").split(';').next().unwrap_or_default();
                cookie.clone_into(&mut self.cookie);
            }
            (answer.status().as_u16(), answer.text().await.expect("a body"))
        })
    }

    /// Sends a form with the token of the set-up page.
    pub(super) fn post(&mut self, action: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let (_, html) = self.get("/welcome");
        let rest = html.split_once("name=\"csrf\" value=\"").expect("a token").1;
        let csrf = rest.split('"').next().unwrap_or_default();
        let call = self
            .client
            .post(format!("{}{action}", self.base))
            .header("cookie", &self.cookie)
            .form(&[&[("csrf", csrf)], fields].concat());
        self.runtime.block_on(async {
            let answer = call.send().await.expect("answered");
            if let Some(cookie) = answer.headers().get("set-cookie") {
                let cookie = cookie.to_str().expect("text").split(';').next().unwrap_or_default();
                cookie.clone_into(&mut self.cookie);
            }
            (answer.status().as_u16(), answer.text().await.expect("a body"))
        })
    }

    /// Fills in the first form of a page that leads to `action`, and sends it.
    fn submit(&mut self, page: &str, action: &str) -> (u16, String) {
        let (_, html) = self.get(page);
        let form = html.split("<form ").find(|form| form.contains(action)).expect("the form");
        let field = |name: &str| {
            let from = format!("name=\"{name}\" value=\"");
            let rest = form.split_once(&from).expect("the field").1;
            rest.split('"').next().unwrap_or_default().to_owned()
        };
        let call = self
            .client
            .post(format!("{}{action}", self.base))
            .header("cookie", &self.cookie)
            .form(&[("csrf", field("csrf")), ("id", field("id")), ("back", "/".to_owned())]);
        self.runtime.block_on(async {
            let answer = call.send().await.expect("answered");
            let to = answer.headers().get("location").map(|to| to.to_str().expect("text"));
            (answer.status().as_u16(), to.unwrap_or_default().to_owned())
        })
    }
}

#[test]
fn the_set_up_asks_for_a_code_that_only_the_agents_user_can_read() {
    let world = World::with_config(&format!("{PAGE}log: {{ level: trace }}\n"));
    let agent = world.run();
    let mut browser = Browser::of(&world);
    let file = world.state().join("set-up-code.txt");
    let code = || std::fs::read_to_string(&file).expect("a code").trim().to_owned();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let status = world.good(&["status"]).stdout;
    assert!(status.contains("set-up-code.txt") && !status.contains(&code()), "{status}");

    let other = world.dir().join("elsewhere");
    let choose = |browser: &mut Browser| {
        let fields = [("id", "page-e2e"), ("path", other.to_str().expect("Unicode"))];
        browser.post("/welcome/folder", &fields).0
    };
    assert_eq!(choose(&mut browser), 403);
    assert_eq!(browser.post("/welcome/code", &[("code", "AAAA-AAAA")]).0, 403);
    assert_eq!(choose(&mut browser), 403);
    assert!(!world.yaml().contains("elsewhere") && !other.exists(), "nothing was done");
    let used = code();
    assert_eq!(browser.post("/welcome/code", &[("code", &used)]).0, 303);
    assert_ne!(code(), used, "each works once");
    assert_eq!(browser.post("/welcome/keep-folder", &[("id", "page-e2e-2")]).0, 303);
    let second = code();
    let log = agent.kill();
    assert!(log.contains("set-up-code.txt"), "the log tells where it is: {log}");
    for code in [&used, &second] {
        assert!(!log.contains(code.as_str()), "and not what it is");
    }
}

#[test]
fn the_page_shows_what_happens_does_what_is_asked_and_tells_monitors() {
    let world = World::with_config(PAGE);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_revision(&id, 1);
    let mut browser = Browser::of(&world);
    let page = format!("/orders/{}/{ACCOUNT}/{id}", LAB.replace('-', "%2D"));

    let (code, overview) = browser.get("/");
    assert_eq!(code, 200);
    assert!(overview.contains(LAB) && overview.contains("Published"), "{overview}");
    let (code, html) = browser.get(&page);
    assert_eq!(code, 200);
    let published = world.published(&id);
    for file in &published.files {
        assert!(html.contains(&file.sha256), "{}", file.path);
    }
    let link = html.split("href=\"").find(|link| link.contains("%2Estl\"")).expect("a link");
    let (code, scan) = browser.get(link.split('"').next().unwrap_or_default());
    assert_eq!((code, scan.is_empty()), (200, false));

    let (code, to) = browser.submit(&page, &format!("{page}/refetch"));
    assert_eq!(code, 303);
    let (_, answer) = browser.get(&to);
    assert!(answer.contains("will be fetched again"), "{answer}");
    let line = format!("casedrop_unchanged_orders_total{{lab=\"{LAB}\"}} 1");
    wait_for("the fetch", || browser.get("/metrics").1.contains(&line).then_some(()));
    assert!(world.audit().contains(&("refetch".to_owned(), "done".to_owned())));

    let (code, metrics) = browser.get("/metrics");
    assert_eq!(code, 200);
    let line = format!("casedrop_publications_total{{lab=\"{LAB}\",reason=\"first-scan\"}} 1");
    assert!(metrics.contains(&line), "{metrics}");
    assert!(!metrics.contains(&id) && !metrics.contains(ACCOUNT), "{metrics}");
    let (code, health) = browser.get("/health");
    assert_eq!((code, health.contains("\"ready\":true")), (200, true), "{health}");
    assert_eq!(browser.get("/health/live").0, 200);
    agent.kill();
}

#[test]
fn a_port_that_is_taken_keeps_no_agent_from_its_work_and_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("its address");
    let world = World::with_config(&format!("status_page: {{ listen: '{at}' }}\n"));
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_revision(&id, 1);
    assert!(world.json(&["status"])["page"].is_null());
    let said = agent.kill();
    let told = said.lines().filter(|line| line.contains("the status page cannot be shown at"));
    assert_eq!(told.count(), 1, "{said}");
}
