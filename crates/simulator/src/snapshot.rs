//! A snapshot of the simulator's state for tests and people.

use std::collections::BTreeMap;

use serde::Serialize;

use super::faults::FaultState;
use super::order::{AssetCount, Order, Step};
use super::scenario::CaseKind;
use super::settings::Settings;
use super::state::{Account, State};

/// One answered request. Neither tokens nor bodies are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestRecord {
    /// When it arrived, in milliseconds since the simulator started.
    pub at_ms: u64,
    pub endpoint: String,
    /// The `Host` header.
    pub host: String,
    /// Whether the path was one that discovery returns.
    pub discovered: bool,
    /// The account of the token, if it was valid.
    pub account: Option<String>,
    /// The order, if the path names one.
    pub order: Option<String>,
    /// The asset, if the path names one.
    pub asset: Option<String>,
    /// The status of the response; 0 if the connection was closed instead.
    pub status: u16,
}

/// One notification that was sent, or should have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    pub rx_id: String,
    pub account: String,
    /// The status with which the receiver answered.
    pub status: Option<u16>,
    /// Why it was not delivered.
    pub error: Option<String>,
}

/// Counters over all accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Logins that ended with tokens.
    pub logins: u64,
    /// Access tokens that were refreshed.
    pub refreshes: u64,
    /// Refresh tokens that were used a second time.
    pub refresh_reuses: u64,
    /// "Get orders" calls that were answered.
    pub polls: u64,
    /// "Get orders" calls that came too early and were refused.
    pub poll_violations: u64,
    /// Requests to the storage host that were refused because they carried a bearer token.
    pub storage_with_authorization: u64,
    /// All requests by endpoint.
    pub requests: BTreeMap<String, u64>,
    /// The subset that used a path from discovery.
    pub discovered_requests: BTreeMap<String, u64>,
}

/// An account as shown to tests and people.
#[derive(Debug, Clone, Serialize)]
pub struct AccountState {
    pub id: String,
    pub name: String,
    pub client_id: String,
    /// Whether notifications are sent.
    pub callback: bool,
    pub paired_users: Vec<String>,
    /// "Get orders" calls that were answered.
    pub polls: u64,
    /// "Get orders" calls that came too early.
    pub poll_violations: u64,
}

/// An order as shown to tests and people.
#[derive(Debug, Clone, Serialize)]
pub struct OrderState {
    pub id: String,
    pub rx_id: String,
    /// Its short code.
    pub code: String,
    pub account: String,
    pub kind: CaseKind,
    pub status: String,
    /// Earlier statuses.
    pub history: Vec<Step>,
    pub updated_at: String,
    /// Whether the list of ready orders shows it.
    pub listed: bool,
    /// Whether it will change automatically, either soon or after its first download.
    pub pending_flow: bool,
    /// How often its files changed.
    pub variant: u32,
    /// Whether its files come from the modeler.
    pub modeled: bool,
    /// Download counters by asset.
    pub assets: BTreeMap<String, AssetCount>,
}

/// All state as shown to tests and people.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// States that the wire format is assumed.
    pub note: String,
    pub settings: Settings,
    pub accounts: Vec<AccountState>,
    pub orders: Vec<OrderState>,
    pub counters: Counters,
    pub faults: Vec<FaultState>,
    pub notifications: Vec<Delivery>,
    /// Orders that the lab returned, with the reasons.
    pub returns: Vec<(String, String)>,
    /// The latest requests, oldest first.
    pub log: Vec<RequestRecord>,
}

impl Snapshot {
    pub fn order(&self, id: &str) -> Option<&OrderState> {
        self.orders.iter().find(|order| order.id == id)
    }

    /// Returns the counters for one asset of an order; zeros if there are none.
    pub fn asset(&self, order: &str, asset: &str) -> AssetCount {
        self.order(order).and_then(|order| order.assets.get(asset)).cloned().unwrap_or_default()
    }

    /// Returns how many requests an endpoint received.
    pub fn requests(&self, endpoint: &str) -> u64 {
        self.counters.requests.get(endpoint).copied().unwrap_or_default()
    }
}

impl State {
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot {
            note: super::NOTE.to_owned(),
            settings: self.settings.clone(),
            accounts: self.accounts.iter().map(|account| self.account_state(account)).collect(),
            orders: self.orders.iter().map(order_state).collect(),
            counters: self.counters.clone(),
            faults: self.faults.snapshot(),
            notifications: self.deliveries.clone(),
            returns: self.returns.clone(),
            log: self.log.iter().cloned().collect(),
        }
    }

    fn account_state(&self, account: &Account) -> AccountState {
        AccountState {
            id: account.id.clone(),
            name: account.name.clone(),
            client_id: account.client_id.clone(),
            callback: account.callback.is_some(),
            paired_users: self.tokens.paired_users(&account.id),
            polls: account.polls,
            poll_violations: account.violations,
        }
    }
}

fn order_state(order: &Order) -> OrderState {
    let counts = order.counts.iter();
    OrderState {
        id: order.id.clone(),
        rx_id: order.rx_id.clone(),
        code: order.code.clone(),
        account: order.account.clone(),
        kind: order.kind,
        status: order.status.clone(),
        history: order.history.clone(),
        updated_at: order.updated.to_string(),
        listed: order.listed().is_some(),
        pending_flow: order.auto_flow.is_some() || order.flowing,
        variant: order.variant,
        modeled: order.modeled,
        assets: counts.map(|(name, count)| ((*name).to_owned(), count.clone())).collect(),
    }
}
