//! Time from an answered scan notification to the published order, compared with a plain download
//! of the same bytes: the real program against the simulator, one order at a time. More than 20
//! orders in a row show how a flood is throttled: from then on the agent asks Align once a second.
//!
//! ```sh
//! cargo bench --bench latency                    # 20 orders
//! cargo bench --bench latency -- 10 20000        # 10 orders of 20,000 triangles
//! ```

#[path = "../tests/e2e/tree.rs"]
#[expect(dead_code, unreachable_pub, reason = "made for the tests")]
mod tree;
#[path = "../tests/e2e/world.rs"]
#[expect(dead_code, unreachable_pub, reason = "made for the tests")]
mod world;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use casedrop::agent::CALLBACK_SECRET;
use casedrop::disk::RealDisk;
use casedrop::secrets::{FileSecrets, SecretStore as _};
use casedrop::simulator::{AccountSpec, CaseKind, OrderSpec, Scenario, SimulatorConfig};
use reqwest::Client;
use serde_json::{Value, json};

use world::{ACCOUNT, LAB, World, follow, wait_for};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";
const REDIRECT: &str = "https://lab0.example/callback";
const CLIENT: [(&str, &str); 2] = [("client_id", "client"), ("client_secret", "s3cret-of-client")];
/// The format that the agent requests: another one would be another package.
const FORMAT: &str =
    "fileType=STL&fileFormat=TwoFiles_ArchesOrientedInOcclusion&typeFormat=OpenShell";
/// An order that takes longer counts as lost.
const PATIENCE: Duration = Duration::from_secs(60);

struct Measured {
    answered: Duration,
    visible: Duration,
    download: Duration,
}

#[expect(clippy::print_stdout, reason = "it prints its results")]
fn main() {
    // `cargo bench` adds `--bench`.
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<u32>().ok());
    let count = numbers.next().unwrap_or(20).max(1);
    let triangles = numbers.next().unwrap_or(2_000);
    let (world, address) = listening();
    let _agent = world.run();
    wait_for("the listener", || TcpStream::connect(address).ok());
    wait_for("the first poll", || (world.align().state().counters.polls > 0).then_some(()));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let measured: Vec<_> = runtime.block_on(async {
        let client = world::client();
        let token = token(&world, &client).await;
        let mut measured = Vec::new();
        for _ in 0..count {
            measured.push(one(&world, address, (&client, &token), triangles as usize).await);
        }
        measured
    });
    let title = format!("{count} orders of {triangles} triangles, in ms");
    println!("{title:<42}      p50      p95      max");
    let line = |what: &str, of: fn(&Measured) -> Duration| {
        let mut all: Vec<_> = measured.iter().map(of).collect();
        all.sort();
        let at = |percent: usize| all[(all.len() * percent / 100).min(all.len() - 1)];
        let [p50, p95, most] = [at(50), at(95), at(100)].map(|time| time.as_secs_f64() * 1e3);
        println!("{what:<42} {p50:8.1} {p95:8.1} {most:8.1}");
    };
    line("notification answered", |one| one.answered);
    line("answered -> manifest visible", |one| one.visible);
    line("a plain download of the package", |one| one.download);
    line("what the agent adds to the download", |one| one.visible.saturating_sub(one.download));
}

/// One lab, logged in and paired, whose agent polls hourly and listens for notifications.
fn listening() -> (World, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("bound");
    drop(free);
    let account = AccountSpec {
        redirect_urls: vec![REDIRECT.to_owned()],
        ..AccountSpec::new(ACCOUNT, "Smile Dental Lab", CLIENT[0].1, CLIENT[1].1)
    };
    let mut scenario = Scenario::empty();
    scenario.accounts = vec![account.clone()];
    let config = format!(
        "polling: {{ interval: 1h, follow_up: false }}\nnotifications:\n  listen: \"{address}\"\n  \
         public_url: http://{address}/itero\n"
    );
    let world = World::of(SimulatorConfig::new(scenario), vec![(LAB.to_owned(), account)], &config);
    let secrets = FileSecrets::new(Arc::new(RealDisk), &world.state());
    secrets.save_text(CALLBACK_SECRET, &SECRET.into()).expect("kept");
    world.log_in_and_pair(LAB);
    (world, address)
}

/// Creates an order, sends its notification, waits until it is published, and downloads it again.
async fn one(
    world: &World,
    address: SocketAddr,
    (client, token): (&Client, &str),
    triangles: usize,
) -> Measured {
    let spec = OrderSpec {
        quiet: true,
        triangles: Some(triangles),
        pixels: Some(64),
        ..OrderSpec::new(CaseKind::OrthoShell)
    };
    let order = world.align().create_order(&spec).expect("created");
    let asset =
        format!("{}/api/third-party/v1/orders/{order}/assets/IDE?{FORMAT}", world.base_url());
    // The simulator builds a package on the first request for a format; keep that out of the
    // figures.
    download(client, token, &asset).await;
    let rx = world.align().state().order(&order).expect("known").rx_id.clone();
    let body = json!({ "rxId": rx, "accountNumber": ACCOUNT });
    let began = Instant::now();
    let answer = client.post(format!("http://{address}/itero/{SECRET}")).json(&body).send().await;
    let answered = began.elapsed();
    assert_eq!(answer.expect("answered").status(), 200);
    let began = Instant::now();
    visible(&world.dir_of(&order).join("manifest.json")).await;
    let visible = began.elapsed();
    let download = download(client, token, &asset).await;
    Measured { answered, visible, download }
}

async fn visible(manifest: &Path) {
    let began = Instant::now();
    while !manifest.exists() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {}", manifest.display());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn download(client: &Client, token: &str, asset: &str) -> Duration {
    let began = Instant::now();
    let answer = client.get(asset).bearer_auth(token).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert!(!answer.bytes().await.expect("a whole body").is_empty());
    began.elapsed()
}

/// A login separate from the agent's.
async fn token(world: &World, client: &Client) -> String {
    let url = format!(
        "{}/authorize?response_type=code&state=s&client_id={}&redirect_uri={REDIRECT}",
        world.oauth_base(),
        CLIENT[0].1
    );
    let back = tokio::task::spawn_blocking(move || follow(&url)).await.expect("followed");
    let back = reqwest::Url::parse(&back).expect("a URL");
    let code = back.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let form = [
        CLIENT[0],
        CLIENT[1],
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
    ];
    let url = format!("{}/oauth/token", world.oauth_base());
    let tokens = client.post(url).form(&form).send().await.expect("an answer");
    let tokens: Value = tokens.json().await.expect("tokens");
    let url = format!("{}/api/third-party/v1/pair", world.base_url());
    let call = client.post(url).bearer_auth(tokens["access_token"].as_str().expect("a token"));
    let paired = call.json(&json!({ "accountId": ACCOUNT })).send().await.expect("an answer");
    let paired: Value = paired.json().await.expect("tokens");
    paired["access_token"].as_str().expect("a token").to_owned()
}
