//! The admin handle: everything that tests and the admin endpoint can do to the running simulator.

use std::sync::Arc;

use casedrop_model::asset::AssetKind;

use super::assets;
use super::faults::FaultRule;
use super::flows;
use super::hub::Hub;
use super::notify;
use super::scenario::OrderSpec;
use super::settings::Settings;
use super::snapshot::Snapshot;

/// Controls a running simulator. Calls can be made from any thread and return at once, except
/// [`prepare`](Self::prepare).
#[derive(Clone)]
pub struct Admin {
    hub: Arc<Hub>,
}

impl Admin {
    pub(super) fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }

    /// Returns the simulator's state and counters.
    pub fn state(&self) -> Snapshot {
        self.hub.state().snapshot()
    }

    /// Creates a scan and notifies the lab, unless the specification says not to. Returns the
    /// order's id.
    ///
    /// # Errors
    /// Says what is wrong with the specification.
    pub fn create_order(&self, spec: &OrderSpec) -> Result<String, String> {
        let (id, notice) = {
            let mut state = self.hub.state();
            let early = state.settings.early_notification;
            let id = state.create_order(spec)?;
            let order = state.order_mut(&id).filter(|order| !spec.quiet && order.is_ready());
            let notice = order.map(|order| {
                if early > 0 {
                    order.early = true;
                    order.regenerating = early;
                }
                (order.rx_id.clone(), order.account.clone())
            });
            (id, notice)
        };
        if let Some((rx_id, account)) = notice {
            notify::send(&self.hub, &rx_id, &account);
        }
        Ok(id)
    }

    /// Applies one of the [`TRANSITIONS`](super::TRANSITIONS) to an order.
    ///
    /// # Errors
    /// Names the order or transition that does not exist.
    pub fn flow(&self, order: &str, transition: &str) -> Result<(), String> {
        flows::apply(&self.hub, order, transition)
    }

    /// Has another client download the order: it leaves the list.
    ///
    /// # Errors
    /// Names the order that does not exist.
    pub fn take(&self, order: &str) -> Result<(), String> {
        self.flow(order, "take")
    }

    /// Sends an order's notification again.
    ///
    /// # Errors
    /// Names the order that does not exist.
    pub fn notify(&self, order: &str) -> Result<(), String> {
        let found =
            self.hub.state().order(order).map(|order| (order.rx_id.clone(), order.account.clone()));
        let (rx_id, account) = found.ok_or_else(|| format!("there is no order {order:?}"))?;
        notify::send(&self.hub, &rx_id, &account);
        Ok(())
    }

    /// Generates an order's package now, so that the first download of a large one need not wait.
    /// `parameters` are those that the client will send. Blocks until it is done, and returns the
    /// package's size in bytes.
    ///
    /// # Errors
    /// Names the order that does not exist, or says why there is no package.
    pub fn prepare(&self, order: &str, parameters: &[(&str, &str)]) -> Result<u64, String> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let parameters = parameters.iter().map(pair).collect();
        let (hub, order) = (self.hub.clone(), order.to_owned());
        let (sender, receiver) = std::sync::mpsc::channel();
        self.hub.runtime.spawn(async move {
            let made = assets::content(&hub, &order, AssetKind::Ide, &parameters, &mut None).await;
            // The caller waits for as long as the channel is open.
            let _ = sender.send(made.map(|content| content.bytes.len()));
        });
        let made = receiver.recv().map_err(|_| "the simulator has stopped".to_owned())?;
        made.map_err(|error| error.to_string())
    }

    /// Injects a fault and returns its number.
    pub fn inject(&self, rule: FaultRule) -> u64 {
        self.hub.state().faults.add(rule)
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.hub.state().faults.clear();
    }

    /// Expires all access tokens now; refresh tokens stay valid.
    pub fn expire_tokens(&self) {
        self.hub.state().tokens.expire(None);
    }

    pub fn update_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.hub.state().settings);
    }

    /// Changes the settings named in the JSON object.
    ///
    /// # Errors
    /// Names the setting that does not exist or has the wrong type.
    pub fn patch_settings(&self, changes: &serde_json::Value) -> Result<Settings, String> {
        let mut state = self.hub.state();
        let patched = state.settings.patched(changes)?;
        state.settings = patched.clone();
        Ok(patched)
    }

    /// Forgets when accounts last polled, so that the next poll is allowed at once.
    pub fn forget_polls(&self) {
        for account in &mut self.hub.state().accounts {
            account.last_poll = None;
        }
    }

    /// Adds orders for packages that have appeared in the folder.
    pub fn look_for_packages(&self) {
        self.hub.look_for_packages();
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Admin")
    }
}
