//! A lab that is logged in to a small fake of Align.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use casedrop::align::{AlignClient, AlignSettings};
use casedrop::http::client::Outgoing;
use casedrop::model::asset::{AssetKind, AssetRequest, Format};
use casedrop::model::ids::LabName;
use casedrop::secrets::{Login, MemorySecrets, SecretStore};
use secrecy::ExposeSecret as _;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::server::{Call, End, Reply, Server};

pub(crate) const ORDERS: &str = "/api/third-party/v1/orders/lab";
pub(crate) const DISCOVERY: &str = "/api/third-party/v2/discovery";
pub(crate) const TOKEN: &str = "/oauth/token";
pub(crate) const ASSET: &str = "/api/third-party/v1/orders/17/assets/IDE";
pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// The tokens that the fake accepts: `access-N` and `refresh-N`, and no older ones. Unless it is
/// strict, the previous refresh token still works.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Arc<Mutex<Given>>);

#[derive(Default)]
struct Given {
    number: u32,
    /// The oldest access token that still works.
    oldest: u32,
    is_strict: bool,
    /// How many more answers to renewals get lost.
    lost: u32,
}

impl Tokens {
    fn given(&self) -> MutexGuard<'_, Given> {
        self.0.lock().expect("tokens")
    }

    pub(crate) fn access(&self) -> String {
        format!("access-{}", self.given().number)
    }

    /// Refuses all access tokens handed out so far.
    pub(crate) fn revoke_access(&self) {
        let mut given = self.given();
        given.number += 1;
        given.oldest = given.number;
    }

    /// From now on each refresh token works once, and access tokens survive a renewal.
    pub(crate) fn be_strict(&self) {
        self.given().is_strict = true;
    }

    /// Loses the answers to the next renewals after the tokens were rotated.
    pub(crate) fn lose(&self, answers: u32) {
        self.given().lost = answers;
    }

    fn accepts(&self, bearer: Option<&str>) -> bool {
        let given = self.given();
        let number = bearer.and_then(|token| token.strip_prefix("access-")?.parse().ok());
        number.is_some_and(|number: u32| (given.oldest..=given.number).contains(&number))
    }

    fn refresh(&self, call: &Call) -> Reply {
        let mut given = self.given();
        let sent = call.form("refresh_token").unwrap_or_default();
        let sent: u32 = sent.strip_prefix("refresh-").and_then(|n| n.parse().ok()).unwrap_or(99);
        let oldest = if given.is_strict { given.number } else { given.number.saturating_sub(1) };
        if !(oldest..=given.number).contains(&sent) {
            return Reply::json(&json!({ "error": "invalid_grant" })).with_status(400);
        }
        given.number = sent + 1;
        if !given.is_strict {
            given.oldest = given.number;
        }
        let number = given.number;
        let (access, refresh) = (format!("access-{number}"), format!("refresh-{number}"));
        let reply = Reply::json(&json!({ "access_token": access, "refresh_token": refresh,
            "token_type": "Bearer", "expires_in": 3600 }));
        if given.lost == 0 {
            return reply;
        }
        given.lost -= 1;
        reply.header("Content-Length", 100_000).end(End::Reset)
    }
}

/// One lab, its client, and the server that it talks to.
pub(crate) struct Lab {
    pub(crate) server: Server,
    pub(crate) tokens: Tokens,
    pub(crate) store: Arc<dyn SecretStore>,
    pub(crate) clock: Arc<Mutex<SystemTime>>,
    pub(crate) runtime: Runtime,
    pub(crate) client: AlignClient,
}

impl Lab {
    /// Logged in with a fresh token. `special` may answer any call; the rest is answered as Align
    /// would: discovery is missing, tokens rotate, wrong tokens are refused.
    pub(crate) fn new(special: impl Fn(&Call) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self::with(Arc::new(MemorySecrets::new()), special)
    }

    pub(crate) fn with(
        store: Arc<dyn SecretStore>,
        special: impl Fn(&Call) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let tokens = Tokens::default();
        let accepted = tokens.clone();
        let server = Server::start(move |call| {
            if let Some(reply) = special(call) {
                return reply;
            }
            match call.path.as_str() {
                DISCOVERY => Reply::status(404),
                TOKEN => accepted.refresh(call),
                _ if !accepted.accepts(call.bearer()) => Reply::status(401),
                ORDERS => Reply::json(&json!([{ "orderId": 17 }])),
                _ => Reply::status(404),
            }
        });
        let clock = Arc::new(Mutex::new(SystemTime::now()));
        let issued_at = *clock.lock().expect("clock");
        let login = Login {
            access: "access-0".into(),
            refresh: Some("refresh-0".into()),
            issued_at,
            lifetime: HOUR,
            account: None,
            former: None,
            renewal: None,
        };
        store.save(&lab_name(), &login).expect("saved");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let client = client(&server, &store, &clock, &runtime, |_| {});
        Self { server, tokens, store, clock, runtime, client }
    }

    /// Returns another client of the same lab, as another process would have it.
    pub(crate) fn another(&self, store: &Arc<dyn SecretStore>) -> AlignClient {
        client(&self.server, store, &self.clock, &self.runtime, |_| {})
    }

    pub(crate) fn another_with(&self, adjust: impl FnOnce(&mut AlignSettings)) -> AlignClient {
        client(&self.server, &self.store, &self.clock, &self.runtime, adjust)
    }

    pub(crate) fn pass(&self, time: Duration) {
        *self.clock.lock().expect("clock") += time;
    }

    pub(crate) fn refreshes(&self) -> usize {
        self.server.calls_to(TOKEN).len()
    }

    pub(crate) fn stored(&self) -> Login {
        self.store.load(&lab_name()).expect("load").expect("logged in")
    }

    pub(crate) fn stored_access(&self) -> String {
        self.stored().access.expose_secret().to_owned()
    }
}

pub(crate) fn lab_name() -> LabName {
    "smile-lab".parse().expect("valid")
}

pub(crate) fn ide() -> AssetRequest {
    AssetRequest {
        order: "17".parse().expect("valid"),
        kind: AssetKind::Ide,
        format: Format::default(),
        resume: None,
    }
}

fn client(
    server: &Server,
    store: &Arc<dyn SecretStore>,
    clock: &Arc<Mutex<SystemTime>>,
    runtime: &Runtime,
    adjust: impl FnOnce(&mut AlignSettings),
) -> AlignClient {
    let clock = Arc::clone(clock);
    let url = |path| server.url(path).parse().expect("a URL");
    let mut settings = AlignSettings {
        lab: lab_name(),
        oauth_base: url("/"),
        base_url: url("/"),
        client_id: "client-1".to_owned(),
        client_secret: Some("hush".into()),
        redirect_url: "https://lab.example/return".parse().expect("a URL"),
        allowed_hosts: vec!["itero.cloud".to_owned()],
        api_paths: BTreeMap::new(),
        outgoing: Outgoing::default(),
        stall_timeout: Duration::from_secs(20),
        clock: Arc::new(move || *clock.lock().expect("clock")),
        memory: None,
        step: |_| {},
    };
    adjust(&mut settings);
    AlignClient::new(settings, Arc::clone(store), runtime.handle().clone()).expect("a client")
}
