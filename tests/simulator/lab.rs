//! A lab with a login, a small and fast package source, and a notification receiver.

use std::io;
use std::sync::{Arc, Once};
use std::time::Duration;

use casedrop::model::asset::AssetKind;
use casedrop::simulator::{
    Admin, OrderSpec, PackageOrder, PackageSource, Running, Scenario, Simulator, SimulatorConfig,
    WriteSeek,
};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc;

pub(crate) const CLIENT: [(&str, &str); 2] =
    [("client_id", "casedrop-sim"), ("client_secret", "simulated-secret")];
pub(crate) const REDIRECT: &str = "http://127.0.0.1:9/callback";

/// Length of every package of [`Plain`].
pub(crate) const LENGTH: usize = 300_000;

/// Packages of equal length that say what they were made from.
pub(crate) struct Plain;

impl PackageSource for Plain {
    fn write(
        &self,
        asset: AssetKind,
        order: &PackageOrder,
        out: &mut dyn WriteSeek,
    ) -> io::Result<()> {
        let mut bytes = format!("{} {order:?} ", asset.as_str()).into_bytes();
        let filling = (0..=255_u8).cycle().take(LENGTH - bytes.len());
        bytes.extend(filling);
        out.write_all(&bytes)
    }

    fn hostile(&self, which: &str, _: &PackageOrder) -> io::Result<Vec<u8>> {
        Ok(format!("hostile {which}").into_bytes())
    }
}

/// Returns the text that [`Plain`] wrote, without the padding.
pub(crate) fn made_from(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).expect("filling");
    String::from_utf8(bytes[..end].to_vec()).expect("text")
}

pub(crate) fn http() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // The simulator may have installed it first.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
        .expect("client")
}

/// A running simulator and a lab that talks to it.
pub(crate) struct Lab {
    pub(crate) sim: Running,
    pub(crate) http: Client,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Lab {
    /// Logged in and paired, with no orders and no minimum interval between polls.
    pub(crate) async fn paired() -> Self {
        let mut lab = Self::signed_in(Scenario::empty()).await;
        lab.pair(None).await;
        lab
    }

    /// Logged in, not paired.
    pub(crate) async fn signed_in(scenario: Scenario) -> Self {
        let mut lab = Self::start(SimulatorConfig::with_packages(scenario, Arc::new(Plain)));
        let tokens = lab.login().await;
        lab.take(&tokens);
        lab
    }

    pub(crate) fn start(config: SimulatorConfig) -> Self {
        let http = http();
        let sim = Simulator::start(config).expect("start");
        sim.admin().update_settings(|settings| settings.min_poll_interval_ms = 0);
        Self { sim, http, access: String::new(), refresh: String::new() }
    }

    pub(crate) fn admin(&self) -> &Admin {
        self.sim.admin()
    }

    fn take(&mut self, tokens: &Value) {
        tokens["access_token"].as_str().expect("access").clone_into(&mut self.access);
        tokens["refresh_token"].as_str().expect("refresh").clone_into(&mut self.refresh);
    }

    pub(crate) async fn login(&self) -> Value {
        let code = self.code().await;
        let form =
            [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT)];
        let answer = self.token(&form).await;
        assert_eq!(answer.status(), 200);
        answer.json().await.expect("tokens")
    }

    pub(crate) async fn code(&self) -> String {
        let location = location(&self.authorize(&[]).await);
        value_of(&location, "code").expect("a code")
    }

    /// Opens the sign-in URL with additional parameters.
    pub(crate) async fn authorize(&self, more: &[(&str, &str)]) -> Response {
        let mut query = vec![("response_type", "code"), ("state", "s t+a")];
        for default in [("client_id", "casedrop-sim"), ("redirect_uri", REDIRECT)] {
            if more.iter().all(|(name, _)| *name != default.0) {
                query.push(default);
            }
        }
        query.extend_from_slice(more);
        let url = format!("{}/authorize", self.sim.oauth_base());
        self.http.get(url).query(&query).send().await.expect("authorize")
    }

    pub(crate) async fn token(&self, form: &[(&str, &str)]) -> Response {
        let form = [&CLIENT[..], form].concat();
        let url = format!("{}/oauth/token", self.sim.oauth_base());
        self.http.post(url).form(&form).send().await.expect("token")
    }

    pub(crate) async fn pair(&mut self, callback: Option<&str>) -> Value {
        let body = json!({"accountId": "4711", "callbackUrl": callback});
        let answer = self.post("/api/third-party/v1/pair", &body).await;
        assert_eq!(answer.status(), 200);
        let tokens = answer.json().await.expect("tokens");
        self.take(&tokens);
        tokens
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sim.base_url())
    }

    pub(crate) fn request(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.get(self.url(path)).bearer_auth(&self.access)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(path).send().await.expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        let request = self.http.post(self.url(path)).bearer_auth(&self.access);
        request.json(body).send().await.expect("an answer")
    }

    pub(crate) async fn list(&self) -> Vec<Value> {
        let answer = self.get("/api/third-party/v1/orders/lab").await;
        assert_eq!(answer.status(), 200);
        answer.json().await.expect("a list")
    }

    pub(crate) async fn listed(&self) -> Vec<String> {
        self.list().await.iter().map(|order| text(&order["orderId"])).collect()
    }

    pub(crate) fn order(&self, spec: &OrderSpec) -> String {
        self.admin().create_order(spec).expect("created")
    }

    pub(crate) async fn download(&self, order: &str, asset: &str) -> Response {
        self.get(&asset_path(order, asset)).await
    }

    pub(crate) async fn bytes(&self, order: &str, asset: &str) -> Vec<u8> {
        let answer = self.download(order, asset).await;
        assert_eq!(answer.status(), 200);
        answer.bytes().await.expect("a whole body").to_vec()
    }

    pub(crate) fn status(&self, order: &str) -> String {
        self.admin().state().order(order).expect("known").status.clone()
    }
}

pub(crate) fn asset_path(order: &str, asset: &str) -> String {
    format!("/api/third-party/v1/orders/{order}/assets/{asset}")
}

/// Returns an id that may be a number or a string.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(crate) fn location(answer: &Response) -> String {
    assert_eq!(answer.status(), 302);
    answer.headers()["location"].to_str().expect("text").to_owned()
}

pub(crate) fn value_of(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).expect("a URL");
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    bodies: mpsc::UnboundedReceiver<Value>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let (sender, bodies) = mpsc::unbounded_channel();
        let take = move |axum::Json(body): axum::Json<Value>| async move {
            sender.send(body).map_err(|_| axum::http::StatusCode::GONE)
        };
        let router = axum::Router::new().route("/hook/secret", axum::routing::post(take));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let url = format!("http://{}/hook/secret", listener.local_addr().expect("address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, bodies }
    }

    /// Returns the next notification; fails if none arrives.
    pub(crate) async fn next(&mut self) -> Value {
        let waiting = tokio::time::timeout(Duration::from_secs(20), self.bodies.recv());
        waiting.await.expect("a notification").expect("open")
    }

    /// Whether no notification is left unread.
    pub(crate) fn is_empty(&self) -> bool {
        self.bodies.is_empty()
    }
}
