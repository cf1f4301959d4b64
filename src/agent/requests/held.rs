//! Publishing incomplete orders that are held back, as they are.

use serde_json::json;

use super::labs::{NOT_RUNNING, START_IT};
use super::names::Named;
use super::orders::{MAX_ORDERS, by_account};
use super::refusal::{self, usage};
use super::{RequestHandler, Task};
use crate::audit::AuditEvent;
use crate::journal::Held;
use crate::model::fault::{Fault, FaultClass};
use crate::model::ids::{OrderId, OrderKey};
use crate::model::request::{Outcome, Reply};

use super::refusal::cannot_use;

impl RequestHandler {
    pub(super) fn publish_held(
        &self,
        task: &Task<'_>,
        lab: Option<&str>,
        orders: &[OrderId],
    ) -> Result<Reply, Fault> {
        let (mut held, mut refused) = (Vec::new(), Vec::new());
        if orders.is_empty() || orders.len() > MAX_ORDERS {
            return refusal::refused(
                usage(format!("{} orders were given", orders.len()))
                    .hint(format!("give 1 to {MAX_ORDERS} order numbers")),
            );
        }
        for id in orders {
            match self.held_back(lab, id) {
                Ok(one) if held.contains(&one.key) => {}
                Ok(one) => held.push(one.key),
                Err(fault) if fault.class == FaultClass::Local => return Err(fault),
                Err(fault) => refused.push(fault),
            }
        }
        if held.is_empty() {
            return refusal::refused(refused.remove(0));
        }
        let what = format!("publish {}", list(&held));
        let runs = self.agent_runs();
        self.in_journal(task, &what, |store, now| {
            for key in &held {
                store.release(key)?;
                let text = "will be published as it is, although it is incomplete";
                store.tell(key, now, "released", text)?;
            }
            let reply = reply(&held, &refused, runs);
            let keys = held.iter();
            Ok((reply, by_account(now, task.who, AuditEvent::Publish, keys)))
        })
    }

    /// Returns the held-back revision of an order.
    fn held_back(&self, lab: Option<&str>, id: &OrderId) -> Result<Held, Fault> {
        let key = match self.order(id, lab)? {
            Named::Known(key) => key,
            Named::Unknown(_, order) => {
                return Err(usage(format!("unknown order {order}"))
                    .hint("`casedrop orders --state held` lists the orders that are held back"));
            }
        };
        let held = self.journal.with(|store| store.held(&key)).map_err(cannot_use)?;
        held.ok_or_else(|| {
            usage(format!("nothing was done: order {} is not held back", key.order))
                .hint(format!("to see its state: `casedrop show {}`", key.order))
        })
    }
}

fn list(keys: &[OrderKey]) -> String {
    let some: Vec<_> = keys.iter().take(5).map(ToString::to_string).collect();
    let more = keys.len() - some.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    some.join(", ") + &more
}

fn reply(held: &[OrderKey], refused: &[Fault], runs: bool) -> Reply {
    let mut lines = Vec::new();
    if !runs {
        lines.push(format!("{NOT_RUNNING} The held-back orders will be published when it starts."));
    }
    lines.extend(held.iter().map(|key| format!("{key}: will be published as it is")));
    lines.extend(refused.iter().map(Fault::chain));
    let outcome = if refused.is_empty() { Outcome::Done } else { Outcome::Differs };
    let orders: Vec<_> = held
        .iter()
        .map(|key| json!({ "lab": key.lab, "account": key.account, "order": key.order }))
        .collect();
    let next = match (runs, held) {
        (false, _) => START_IT.to_owned(),
        (true, [only]) => format!("progress: `casedrop show {}`", only.order),
        (true, _) => "progress: `casedrop orders`".to_owned(),
    };
    Reply::new(outcome, lines.join("\n"))
        .next(next)
        .details(json!({ "orders": orders, "agent_runs": runs }))
}
