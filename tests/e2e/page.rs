//! The status page of the real program, as browsers and monitoring request it.

use casedrop::model::day::Day;
use casedrop::simulator::package::DOCTOR_MARKER;
use casedrop::simulator::{CaseKind, FaultKind, FaultRule, OrderSpec};

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
fn an_unknown_number_is_fetched_from_the_page() {
    let world = World::with_config(PAGE);
    let agent = world.run();
    let mut browser = Browser::of(&world);
    let number = "99999999";
    let (code, html) = browser.get(&format!("/orders/{number}"));
    assert_eq!((code, html.contains("action=\"/orders/fetch\"")), (404, true), "{html}");
    let fields = [("id", "page-e2e"), ("order", number), ("lab", LAB), ("kind", "restorative")];
    let (code, _) = browser.post("/orders/fetch", &fields);
    assert_eq!(code, 303);
    world.wait_for_state(number, "attention");
    assert!(world.audit().contains(&("refetch".to_owned(), "done".to_owned())));
    let (code, _) = browser.get(&format!("/orders/{number}"));
    assert_eq!(code, 303, "it leads to the order");
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

#[test]
fn orders_are_found_by_due_date_and_doctor_whether_align_or_the_files_tell_them() {
    let world = World::with_config(PAGE);
    let create = |days| {
        let order = order(CaseKind::Restorative);
        let spec = OrderSpec { due_in_days: Some(days), ..order };
        world.align().create_order(&spec).expect("created")
    };
    // Then Align's list has neither for one order in four.
    world.align().update_settings(|settings| settings.vary = true);
    let ids: Vec<String> = (1..5).map(create).collect();
    let agent = world.run();
    let mut page = Browser::of(&world);
    let mut days = Vec::new();
    for id in &ids {
        world.wait_for_state(id, "published");
        let order = world.order(id);
        let (due, doctor) = (order["due_date"].as_str(), order["doctor"].as_str());
        let (due, doctor) = (due.expect("a day"), doctor.expect("a doctor"));
        assert!(doctor.contains(DOCTOR_MARKER), "{order}");
        assert!(!order["teeth"].as_array().expect("a list").is_empty(), "{order}");
        let manifest = world.published(id);
        let told = (manifest.due_date.map(|day| day.to_string()), manifest.doctor.as_deref());
        assert_eq!(told, (Some(due.to_owned()), Some(doctor)));
        assert_eq!(serde_json::json!(manifest.teeth), order["teeth"]);

        let (_, html) = page.get(&format!("/orders?q={}+{due}", DOCTOR_MARKER.to_lowercase()));
        let day = due.parse::<Day>().expect("a day").in_words("en");
        assert!(html.contains(&day), "{day} is not in {html}");
        let listed: Vec<bool> = ids.iter().map(|id| html.contains(&format!(">{id}</a>"))).collect();
        assert_eq!(listed.iter().filter(|listed| **listed).count(), 1, "only {id}: {html}");
        days.push(due.to_owned());
    }
    let mut sorted = days.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), ids.len(), "each is due on a day of its own");
    let (_, html) = page.get("/orders?sort=due");
    let places: Vec<_> = ids.iter().map(|id| html.find(&format!(">{id}</a>"))).collect();
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{places:?}");

    // What is due today and does not come is counted.
    let count = |page: &mut Browser| {
        let (_, text) = page.get("/metrics");
        let of_lab = format!("casedrop_orders_due_today{{lab=\"{LAB}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&of_lab)?.parse::<f64>().ok())
    };
    assert_eq!(count(&mut page), Some(0.0));
    world.align().update_settings(|settings| settings.vary = false);
    let hostile = FaultKind::Hostile { which: "traversal".to_owned() };
    world.align().inject(FaultRule::on("downloadAsset", hostile).asset("IDE"));
    let late = create(0);
    world.wait_for_state(&late, "attention");
    wait_for("the count", || (count(&mut page) == Some(1.0)).then_some(()));
    agent.kill();
}
