//! Everything that the simulated service remembers.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::faults::{FaultKind, Faults};
use super::order::{Files, Order};
use super::scenario::{AccountSpec, CaseKind, OrderSpec, Scenario, UserSpec};
use super::settings::Settings;
use super::snapshot::{Counters, Delivery, RequestRecord};
use super::tokens::Tokens;

/// How many requests are kept in the log.
const LOG: usize = 2000;

#[derive(Debug)]
pub(super) struct Account {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) client_id: String,
    pub(super) client_secret: String,
    pub(super) redirect_urls: Vec<String>,
    pub(super) users: Vec<UserSpec>,
    pub(super) callback: Option<String>,
    pub(super) last_poll: Option<Instant>,
    pub(super) polls: u64,
    pub(super) violations: u64,
}

/// A code that has not been exchanged for tokens yet.
#[derive(Debug)]
pub(super) struct AuthCode {
    pub(super) code: String,
    pub(super) account: String,
    pub(super) user: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<String>,
    pub(super) until: Instant,
}

/// A signed one-time URL at the storage host.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) order: String,
    pub(super) asset: String,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) fault: Option<FaultKind>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) accounts: Vec<Account>,
    pub(super) orders: Vec<Order>,
    pub(super) codes: Vec<AuthCode>,
    pub(super) tokens: Tokens,
    pub(super) tickets: BTreeMap<String, Ticket>,
    pub(super) faults: Faults,
    pub(super) counters: Counters,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) returns: Vec<(String, String)>,
    pub(super) log: VecDeque<RequestRecord>,
    serial: usize,
    began: Instant,
}

impl State {
    pub(super) fn new(scenario: Scenario) -> Self {
        let mut state = Self {
            settings: scenario.settings,
            accounts: Vec::new(),
            orders: Vec::new(),
            codes: Vec::new(),
            tokens: Tokens::default(),
            tickets: BTreeMap::new(),
            faults: Faults::default(),
            counters: Counters::default(),
            deliveries: Vec::new(),
            returns: Vec::new(),
            log: VecDeque::new(),
            serial: 0,
            began: Instant::now(),
        };
        for account in scenario.accounts {
            state.add_account(account);
        }
        state
    }

    fn add_account(&mut self, spec: AccountSpec) {
        let id = spec.id.clone();
        self.accounts.push(Account {
            id: spec.id,
            name: spec.name,
            client_id: spec.client_id,
            client_secret: spec.client_secret,
            redirect_urls: spec.redirect_urls,
            users: spec.users,
            callback: spec.callback_url,
            last_poll: None,
            polls: 0,
            violations: 0,
        });
        for order in &spec.orders {
            self.push_order(order, &id);
        }
    }

    fn push_order(&mut self, spec: &OrderSpec, account: &str) -> &mut Order {
        loop {
            self.serial += 1;
            let order = Order::new(spec, account, self.serial);
            if spec.id.is_some() || self.orders.iter().all(|other| other.id != order.id) {
                self.orders.push(order);
                let last = self.orders.len() - 1;
                return &mut self.orders[last];
            }
        }
    }

    /// Adds an order and returns its id, or what is wrong with the specification.
    pub(super) fn create_order(&mut self, spec: &OrderSpec) -> Result<String, String> {
        let account = match &spec.account {
            Some(wanted) if self.account(wanted).is_some() => wanted.clone(),
            Some(wanted) => return Err(format!("there is no account {wanted:?}")),
            None => self.accounts.first().map(|account| account.id.clone()).ok_or("no account")?,
        };
        if let Some(id) = spec.id.as_ref().filter(|id| self.order(id).is_some()) {
            return Err(format!("there is already an order {id:?}"));
        }
        Ok(self.push_order(spec, &account).id.clone())
    }

    /// Adds an order whose package is in a folder, unless the id already exists.
    pub(super) fn add_package(&mut self, id: String, restorative: bool, path: PathBuf) {
        if self.order(&id).is_some() {
            return;
        }
        let kind = if restorative { CaseKind::Restorative } else { CaseKind::OrthoShell };
        let spec = OrderSpec { id: Some(id), ..OrderSpec::new(kind) };
        if let Some(account) = self.accounts.first().map(|account| account.id.clone()) {
            self.push_order(&spec, &account).files = Files::Package(path);
        }
    }

    pub(super) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.id == id)
    }

    pub(super) fn account_mut(&mut self, id: &str) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.id == id)
    }

    pub(super) fn order(&self, id: &str) -> Option<&Order> {
        self.orders.iter().find(|order| order.id == id)
    }

    pub(super) fn order_mut(&mut self, id: &str) -> Option<&mut Order> {
        self.orders.iter_mut().find(|order| order.id == id)
    }

    pub(super) fn age_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn token_life(&self) -> Duration {
        Duration::from_secs(self.settings.access_token_seconds)
    }

    pub(super) fn record(&mut self, record: RequestRecord) {
        *self.counters.requests.entry(record.endpoint.clone()).or_default() += 1;
        if record.discovered {
            *self.counters.discovered_requests.entry(record.endpoint.clone()).or_default() += 1;
        }
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        self.log.push_back(record);
    }
}
