//! Case flows: named transitions of one order, which keeps its order id.
//!
//! | transition | status | files | notification |
//! |---|---|---|---|
//! | `first-scan` | Ready for Download | | yes |
//! | `send-to-modeling` | iTero Modeling | | |
//! | `modeling-completed` | Lab Review | change, modeled | yes |
//! | `return-to-doctor` | Scanning | | |
//! | `rescan-completed` | Ready for Download | change | yes |
//! | `physical-model` | iTero Milling; on the second call, Ready to Ship; on the third, Downloaded | | |
//! | `interpretation-2` | iTero Milling; on the second call, Lab Review | change on the second call | on the second call |
//! | `files-changed` | unchanged | change | yes |
//! | `take` | Downloaded, by another client | | |
//! | `complete` | Completed | | |
//!
//! FACT: which status and notification belong to which transition. ASSUMED: a physical model
//! changes none of the order's files.

use std::sync::Arc;
use std::time::Duration;

use casedrop_model::order::Status;

use super::hub::Hub;
use super::notify;
use super::order::Order;

pub const TRANSITIONS: [&str; 10] = [
    "first-scan",
    "send-to-modeling",
    "modeling-completed",
    "return-to-doctor",
    "rescan-completed",
    "physical-model",
    "interpretation-2",
    "files-changed",
    "take",
    "complete",
];

/// The effect of a transition: the new status, whether files change, whether they are now modeled,
/// and whether a notification is sent.
struct Effect {
    status: Option<Status>,
    files: bool,
    modeled: bool,
    notify: bool,
}

impl Effect {
    fn silent(status: Status) -> Self {
        Self { status: Some(status), files: false, modeled: false, notify: false }
    }
}

fn effect(order: &Order, transition: &str) -> Option<Effect> {
    let current = order.parsed_status();
    Some(match transition {
        "first-scan" => Effect { notify: true, ..Effect::silent(Status::Ready) },
        "send-to-modeling" => Effect::silent(Status::Modeling),
        "modeling-completed" => {
            Effect { status: Some(Status::LabReview), files: true, modeled: true, notify: true }
        }
        "return-to-doctor" => Effect::silent(Status::Scanning),
        "rescan-completed" => {
            Effect { status: Some(Status::Ready), files: true, modeled: false, notify: true }
        }
        "physical-model" => Effect::silent(match current {
            Status::Milling => Status::ReadyToShip,
            Status::ReadyToShip => Status::Downloaded,
            _ => Status::Milling,
        }),
        "interpretation-2" if current == Status::Milling => {
            Effect { status: Some(Status::LabReview), files: true, modeled: true, notify: true }
        }
        "interpretation-2" => Effect::silent(Status::Milling),
        "files-changed" => {
            Effect { status: None, files: true, modeled: order.modeled, notify: true }
        }
        "take" => Effect::silent(Status::Downloaded),
        "complete" => Effect::silent(Status::Completed),
        _ => return None,
    })
}

/// Applies a transition to an order.
///
/// # Errors
/// Names the order or transition that does not exist.
pub(super) fn apply(hub: &Arc<Hub>, id: &str, transition: &str) -> Result<(), String> {
    let notice = {
        let mut state = hub.state();
        let early = state.settings.early_notification;
        let order = state.order_mut(id).ok_or_else(|| format!("there is no order {id:?}"))?;
        let effect = effect(order, transition).ok_or_else(|| {
            format!("there is no transition {transition:?}; known: {}", TRANSITIONS.join(", "))
        })?;
        if effect.files {
            order.change_files();
            order.modeled = effect.modeled;
        }
        if let Some(status) = &effect.status {
            order.set_status(status);
        }
        if effect.notify && early > 0 {
            order.early = true;
            order.regenerating = early;
        }
        tracing::info!(order = id, transition, status = %order.status, "order moved");
        effect.notify.then(|| (order.rx_id.clone(), order.account.clone()))
    };
    if let Some((rx_id, account)) = notice {
        notify::send(hub, &rx_id, &account);
    }
    Ok(())
}

/// Starts the order's automatic transitions after its first download.
pub(super) fn start_auto_flow(hub: &Arc<Hub>, id: &str) {
    let auto = hub.state().order_mut(id).and_then(|order| {
        order.flowing = order.auto_flow.is_some();
        order.auto_flow.take()
    });
    let Some(auto) = auto else { return };
    if apply(hub, id, "send-to-modeling").is_err() {
        return;
    }
    let (hub, id) = (hub.clone(), id.to_owned());
    hub.clone().runtime.spawn(async move {
        tokio::time::sleep(Duration::from_millis(auto.modeling_ms)).await;
        let still_there =
            hub.state().order(&id).is_some_and(|order| order.parsed_status() == Status::Modeling);
        if still_there && let Err(error) = apply(&hub, &id, "modeling-completed") {
            tracing::warn!(order = id, error, "the order did not come back from modeling");
        }
        if let Some(order) = hub.state().order_mut(&id) {
            order.flowing = false;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::scenario::OrderSpec;
    use super::*;

    #[test]
    fn a_physical_model_goes_through_its_stations() {
        let mut order = Order::new(&OrderSpec::default(), "1", 1);
        let mut seen = Vec::new();
        for _ in 0..3 {
            let effect = effect(&order, "physical-model").expect("known");
            assert!(!effect.notify && !effect.files);
            order.set_status(&effect.status.expect("a status"));
            seen.push(order.status.clone());
        }
        assert_eq!(seen, ["iTero Milling", "Ready to Ship", "Downloaded"]);
    }

    #[test]
    fn every_named_transition_exists() {
        let order = Order::new(&OrderSpec::default(), "1", 1);
        assert!(TRANSITIONS.iter().all(|name| effect(&order, name).is_some()));
        assert!(effect(&order, "evaporate").is_none());
    }
}
