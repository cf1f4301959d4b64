//! The simulated Align: accounts, orders, lists and downloads, all in memory and drawn from a seed.
//! It misbehaves on request, and checks that the agent behaves.

mod body;
mod content;
mod download;
mod faults;
mod order;
mod outage;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use casedrop::model::asset::AssetRequest;
use casedrop::model::cancel::Cancel;
use casedrop::model::fault::Fault;
use casedrop::model::ids::{AccountId, LabName, OrderId, RxId};
use casedrop::model::order::RemoteOrder;
use casedrop::model::remote::{AssetBody, ReadyList, Remote};
use casedrop::secrets::PairedAccount;

pub use content::{Broken, CaseKind, Shape, hash, thumbnails};
pub use faults::{Chaos, InPlaceOfFiles};
pub use order::{Flow, SimOrder, Tells};
pub use outage::{ALL as OUTAGES, Outage};

use crate::tally::Tally;

/// Shortest time between two polls of one account, in milliseconds.
const INTERVAL: u64 = 120_000;

/// One account and its lab.
#[derive(Debug, Clone)]
pub struct Account {
    /// The lab's name in the agent's config.
    pub lab: LabName,
    pub id: AccountId,
    /// Which signs of a change its answers carry.
    pub tells: Tells,
    /// Whether bodies have an `ETag` and a length.
    pub tags_bodies: bool,
    /// Whether range requests are ignored.
    pub ignores_ranges: bool,
    /// Whether the login is valid.
    pub logged_in: bool,
    /// How long a downloaded order may stay listed, in milliseconds.
    pub lag: u64,
    /// The last list, for answers that are out of date.
    last_list: Vec<(RemoteOrder, u32)>,
    /// The agent's last contact about the list: its poll, or the arrival of the answer.
    last_contact: Option<u64>,
}

impl Account {
    /// An account with a valid login.
    pub fn new(lab: LabName, id: AccountId, rng: &mut fastrand::Rng) -> Self {
        let tells = Tells { updated_at: rng.bool(), etag: rng.bool(), history: rng.bool() };
        Self {
            lab,
            id,
            tells,
            tags_bodies: rng.u8(..4) > 0,
            ignores_ranges: rng.u8(..4) == 0,
            logged_in: true,
            lag: if rng.bool() { 0 } else { rng.u64(..300_000) },
            last_list: Vec::new(),
            last_contact: None,
        }
    }
}

/// The whole state of Align.
pub struct Cloud {
    pub rng: fastrand::Rng,
    /// True time in milliseconds.
    pub now: u64,
    /// Whether the agent's PC has power: without it, no call gets out.
    pub powered: bool,
    /// Whether Align answers at all.
    pub alive: bool,
    /// How badly it behaves.
    pub chaos: Chaos,
    /// The current outage, if any.
    pub outage: Option<Outage>,
    pub accounts: Vec<Account>,
    pub orders: Vec<SimOrder>,
    /// Violations by the agent.
    pub complaints: Vec<String>,
    pub tally: Tally,
    /// One line per call, for the trace.
    pub log: Vec<String>,
    /// The list that was handed out last, with the generations behind it.
    pub handed_out: Vec<(RemoteOrder, u32)>,
    /// The answer to all downloads instead of files, if set.
    pub in_place_of_files: Option<InPlaceOfFiles>,
}

/// Shared by the agent's links and the script.
#[derive(Clone)]
pub struct SimAlign(Arc<Mutex<Cloud>>);

impl SimAlign {
    pub fn new(rng: fastrand::Rng, accounts: Vec<Account>, orders: Vec<SimOrder>) -> Self {
        Self(Arc::new(Mutex::new(Cloud {
            rng,
            now: 0,
            powered: true,
            in_place_of_files: None,
            alive: true,
            chaos: Chaos::default(),
            outage: None,
            accounts,
            orders,
            complaints: Vec::new(),
            tally: Tally::default(),
            log: Vec::new(),
            handed_out: Vec::new(),
        })))
    }

    pub fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the connection of one lab.
    pub fn remote(&self, account: usize) -> AccountRemote {
        AccountRemote { align: self.clone(), account }
    }
}

impl Cloud {
    pub fn pass(&mut self, now: u64) {
        self.now = now;
        for order in &mut self.orders {
            order.pass(now);
        }
    }

    /// The agent has now received this list.
    pub fn list_arrived(&mut self, account: &AccountId, shown: &[(RemoteOrder, u32)]) {
        for order in self.orders.iter_mut().filter(|order| order.key.account == *account) {
            // Of duplicate entries the first one counts, as it does for the agent.
            match shown.iter().find(|(entry, _)| entry.order_id == order.key.order) {
                Some((entry, generation)) => order.was_shown(entry, *generation),
                None => order.was_not_shown(),
            }
        }
    }

    /// The agent has received an answer about the list, good or bad.
    pub fn answer_arrived(&mut self, account: &AccountId, now: u64) {
        if let Some(account) = self.accounts.iter_mut().find(|known| known.id == *account) {
            account.last_contact = account.last_contact.max(Some(now));
        }
    }

    fn reach(&mut self, account: usize, what: &str) -> Result<(), Fault> {
        if !self.powered || !self.alive {
            return Err(faults::unreachable());
        }
        if let Some(outage) = self.outage.filter(|outage| !outage.spares_lists) {
            return Err(outage.fault());
        }
        if self.hits(self.chaos.unreachable) {
            self.tally.count("align: unreachable");
            self.log.push(format!("{what}: unreachable"));
            return Err(faults::unreachable());
        }
        if !self.accounts[account].logged_in {
            self.tally.count("align: login refused");
            self.log.push(format!("{what}: login refused"));
            return Err(faults::refused());
        }
        if self.hits(self.chaos.throttled) {
            self.tally.count("align: throttled");
            self.log.push(format!("{what}: throttled"));
            return Err(faults::throttled(&mut self.rng));
        }
        Ok(())
    }

    fn hits(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.f64() < probability
    }

    fn list(&mut self, index: usize) -> Result<ReadyList, Fault> {
        self.watch_manners(index);
        self.handed_out.clear();
        self.reach(index, "list")?;
        let account = self.accounts[index].clone();
        let mut list: Vec<(RemoteOrder, u32)> = self
            .orders
            .iter()
            .filter(|order| order.listed && order.key.account == account.id)
            .map(|order| (order.describe(account.tells), order.generation))
            .collect();
        if self.hits(self.chaos.stale_list) {
            self.tally.count("align: stale list");
            list.clone_from(&account.last_list);
        } else {
            self.accounts[index].last_list.clone_from(&list);
        }
        if !list.is_empty() && self.hits(self.chaos.missing_entry) {
            self.tally.count("align: missing entry");
            let at = self.rng.usize(..list.len());
            list.remove(at);
        }
        if !list.is_empty() && self.hits(self.chaos.duplicate_entry) {
            self.tally.count("align: duplicate entry");
            let at = self.rng.usize(..list.len());
            list.push(list[at].clone());
        }
        let mut unreadable = Vec::new();
        if self.hits(self.chaos.unreadable_entry) {
            self.tally.count("align: unreadable entry");
            unreadable.push("an entry without an id".to_owned());
        }
        self.rng.shuffle(&mut list);
        let names: Vec<String> =
            list.iter().map(|(entry, at)| format!("{}@{at}", entry.order_id)).collect();
        self.log.push(format!("list of {}: {}", account.id, names.join(" ")));
        self.handed_out.clone_from(&list);
        let orders = list.into_iter().map(|(entry, _)| entry).collect();
        Ok(ReadyList { host: Some(faults::HOST.to_owned()), orders, unreadable })
    }

    fn watch_manners(&mut self, index: usize) {
        if !self.powered {
            return;
        }
        let now = self.now;
        let account = &mut self.accounts[index];
        if let Some(last) = account.last_contact
            && now < last + INTERVAL
        {
            let text = format!(
                "account {} was asked {} ms after the last contact",
                account.id,
                now - last
            );
            self.complaints.push(text);
        }
        account.last_contact = Some(now);
    }
}

/// One lab's connection to the simulated Align.
pub struct AccountRemote {
    align: SimAlign,
    account: usize,
}

impl AccountRemote {
    /// Returns the account that the login is paired with.
    pub fn connect(&self) -> Result<PairedAccount, Fault> {
        let mut cloud = self.align.cloud();
        cloud.reach(self.account, "connect")?;
        let id = cloud.accounts[self.account].id.clone();
        Ok(PairedAccount { id, name: Some("Smile Lab".to_owned()) })
    }
}

impl Remote for AccountRemote {
    fn account(&self) -> Result<AccountId, Fault> {
        self.connect().map(|paired| paired.id)
    }

    fn prove_login(&self, _cancel: &Cancel) -> Result<(), Fault> {
        self.connect().map(drop)
    }

    fn ready_orders(&self, _cancel: &Cancel) -> Result<ReadyList, Fault> {
        self.align.cloud().list(self.account)
    }

    fn order_by_rx(&self, rx: &RxId, _cancel: &Cancel) -> Result<RemoteOrder, Fault> {
        let mut cloud = self.align.cloud();
        cloud.reach(self.account, "order by rx")?;
        let account = &cloud.accounts[self.account];
        let found = cloud
            .orders
            .iter()
            .find(|order| order.key.account == account.id && order.rx == rx.as_str());
        let found = found.filter(|order| order.generation > 0);
        found.map(|order| order.describe(account.tells)).ok_or_else(|| faults::unknown("such Rx"))
    }

    fn download(
        &self,
        request: &AssetRequest,
        _cancel: &Cancel,
    ) -> Result<Box<dyn AssetBody>, Fault> {
        let body = self.align.cloud().download(self.account, request)?;
        Ok(Box::new(body.of(self.align.clone())))
    }

    fn return_to_doctor(&self, id: &OrderId, _reason: &str, _cancel: &Cancel) -> Result<(), Fault> {
        let mut cloud = self.align.cloud();
        cloud.reach(self.account, "return")?;
        let account = cloud.accounts[self.account].id.clone();
        let mut orders = cloud.orders.iter_mut();
        let found = orders.find(|order| order.key.account == account && order.key.order == *id);
        let order = found.ok_or_else(|| faults::unknown("such order"))?;
        Flow::ReturnToDoctor.happen(order);
        Ok(())
    }
}
