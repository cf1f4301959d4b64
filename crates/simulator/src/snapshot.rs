//! The picture of the simulator's state for tests and people.

use std::collections::BTreeMap;

use serde::Serialize;

use super::faults::FaultState;
use super::order::{AssetCount, Order, Step};
use super::scenario::CaseKind;
use super::settings::Settings;
use super::state::{Account, State};

/// One request that was answered. Neither tokens nor bodies are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestRecord {
    /// When it came, in milliseconds since the simulator's start.
    pub at_ms: u64,
    /// The endpoint's name.
    pub endpoint: String,
    /// The `Host` that was asked.
    pub host: String,
    /// Whether the path was one that discovery gives out.
    pub discovered: bool,
    /// The account of the token, if it was valid.
    pub account: Option<String>,
    /// The order, if the path names one.
    pub order: Option<String>,
    /// The asset, if the path names one.
    pub asset: Option<String>,
    /// The status of the answer; 0 if the connection was closed instead.
    pub status: u16,
}

/// One notification that was sent, or should have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The prescription.
    pub rx_id: String,
    /// The account.
    pub account: String,
    /// The status that the receiver answered with.
    pub status: Option<u16>,
    /// Why it did not arrive.
    pub error: Option<String>,
}

/// What is counted over all accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Logins that ended with tokens.
    pub logins: u64,
    /// Access tokens that were refreshed.
    pub refreshes: u64,
    /// Refresh tokens that were used a second time.
    pub refresh_reuses: u64,
    /// "Get orders" that were answered.
    pub polls: u64,
    /// "Get orders" that came too early and were refused.
    pub poll_violations: u64,
    /// Requests to the storage host that carried a bearer token, and were refused.
    pub storage_with_authorization: u64,
    /// All requests by endpoint.
    pub requests: BTreeMap<String, u64>,
    /// Those of them that came by a path that discovery gave out.
    pub discovered_requests: BTreeMap<String, u64>,
}

/// An account as tests and people see it.
#[derive(Debug, Clone, Serialize)]
pub struct AccountState {
    /// The account.
    pub id: String,
    /// The lab's name.
    pub name: String,
    /// The OAuth client.
    pub client_id: String,
    /// Whether notifications are sent.
    pub callback: bool,
    /// Who is paired.
    pub paired_users: Vec<String>,
    /// "Get orders" that were answered.
    pub polls: u64,
    /// "Get orders" that came too early.
    pub poll_violations: u64,
}

/// An order as tests and people see it.
#[derive(Debug, Clone, Serialize)]
pub struct OrderState {
    /// The order.
    pub id: String,
    /// Its prescription.
    pub rx_id: String,
    /// Its short code.
    pub code: String,
    /// Its account.
    pub account: String,
    /// What its package holds.
    pub kind: CaseKind,
    /// Its status.
    pub status: String,
    /// What the status was before.
    pub history: Vec<Step>,
    /// When it changed.
    pub updated_at: String,
    /// Whether the list of ready orders shows it.
    pub listed: bool,
    /// Whether it will change by itself: once it was downloaded, or soon.
    pub pending_flow: bool,
    /// How often its files changed.
    pub variant: u32,
    /// Whether they come from the modeler.
    pub modeled: bool,
    /// What was downloaded, by asset.
    pub assets: BTreeMap<String, AssetCount>,
}

/// All state as tests and people see it.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// That the wire format is assumed.
    pub note: String,
    /// The settings.
    pub settings: Settings,
    /// The accounts.
    pub accounts: Vec<AccountState>,
    /// The orders.
    pub orders: Vec<OrderState>,
    /// What was counted.
    pub counters: Counters,
    /// The injected faults.
    pub faults: Vec<FaultState>,
    /// The notifications.
    pub notifications: Vec<Delivery>,
    /// Orders that the lab returned, with the reasons.
    pub returns: Vec<(String, String)>,
    /// The last requests, oldest first.
    pub log: Vec<RequestRecord>,
}

impl Snapshot {
    /// One order.
    pub fn order(&self, id: &str) -> Option<&OrderState> {
        self.orders.iter().find(|order| order.id == id)
    }

    /// What was counted for one asset of an order; zeros if nothing was.
    pub fn asset(&self, order: &str, asset: &str) -> AssetCount {
        self.order(order).and_then(|order| order.assets.get(asset)).cloned().unwrap_or_default()
    }

    /// How many requests an endpoint got.
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
