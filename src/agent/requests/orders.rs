//! Orders: fetch again, return to the doctor.

use std::collections::BTreeMap;

use serde_json::json;

use super::labs::{NOT_RUNNING, START_IT};
use super::names::Named;
use super::refusal::{self, usage};
use super::{RequestHandler, Task};
use crate::audit::{AuditEvent, Entry, Mark};
use crate::journal::ErrandKind;
use crate::model::cancel::Cancel;
use crate::model::fault::{Fault, FaultClass};
use crate::model::ids::{AccountId, LabName, OrderId, OrderKey};
use crate::model::request::{CaseKind, Outcome, Reply, Text, Who};
use crate::model::time::WallMs;

/// Maximum orders per request.
pub(super) const MAX_ORDERS: usize = 1000;

/// An order to fetch again.
struct Wanted {
    key: OrderKey,
    /// Whether it is in the journal.
    known: bool,
}

/// The orders of a request.
#[derive(Default)]
struct Sorted {
    wanted: Vec<Wanted>,
    /// Orders that cannot be fetched, with the reason.
    refused: Vec<(OrderId, Fault)>,
}

impl RequestHandler {
    pub(super) fn refetch(
        &self,
        task: &Task<'_>,
        lab: Option<&str>,
        orders: &[OrderId],
        kind: Option<CaseKind>,
    ) -> Result<Reply, Fault> {
        let Sorted { wanted, mut refused } = match self.wanted(lab, orders) {
            Ok(sorted) => sorted,
            Err(fault) => return refusal::refused(fault),
        };
        if wanted.is_empty() {
            // A single order gets its own reason; several share one reply.
            return match refused.len() {
                1 => refusal::refused(refused.remove(0).1),
                _ => Ok(none_wanted(refused)),
            };
        }
        let what = format!("refetch {}", list(&wanted));
        let procedure = kind.map(|kind| procedure(kind).to_owned());
        let paused = self.paused_among(wanted.iter().map(|wanted| &wanted.key.lab))?;
        let runs = self.agent_runs();
        self.in_journal(task, &what, |store, now| {
            for Wanted { key, .. } in &wanted {
                let procedure = procedure.clone();
                store.put_in(key, now, &ErrandKind::Refetch { procedure })?;
            }
            let reply = refetch_reply(&wanted, &refused, kind, &paused, runs);
            let keys = wanted.iter().map(|wanted| &wanted.key);
            Ok((reply, by_account(now, task.who, AuditEvent::Refetch, keys)))
        })
    }

    /// Resolves the requested orders, each once, and those that are refused.
    fn wanted(&self, lab: Option<&str>, orders: &[OrderId]) -> Result<Sorted, Fault> {
        if orders.is_empty() {
            return Err(usage("no order was given").hint("give one or more order numbers"));
        }
        if orders.len() > MAX_ORDERS {
            return Err(usage(format!("{} orders at once are too many", orders.len()))
                .hint(format!("give at most {MAX_ORDERS} at once")));
        }
        if let Some(name) = lab {
            self.lab(name)?;
        }
        let mut sorted = Sorted::default();
        for id in orders {
            match self.one_wanted(lab, id) {
                Ok(next) if sorted.wanted.iter().any(|other| other.key == next.key) => {}
                Ok(next) => sorted.wanted.push(next),
                // It affects all of them.
                Err(fault) if fault.class == FaultClass::Local => return Err(fault),
                Err(fault) => sorted.refused.push((id.clone(), fault)),
            }
        }
        Ok(sorted)
    }

    fn one_wanted(&self, lab: Option<&str>, id: &OrderId) -> Result<Wanted, Fault> {
        Ok(match self.order(id, lab)? {
            Named::Known(key) => Wanted { key, known: true },
            Named::Unknown(lab, order) => {
                let account = self.paired_account(&lab)?;
                Wanted { key: OrderKey { lab, account, order }, known: false }
            }
        })
    }

    fn paired_account(&self, lab: &LabName) -> Result<AccountId, Fault> {
        self.with_link(lab, |link| (link.connect)()).map(|paired| paired.id)
    }

    /// Returns an order to the doctor. The reason goes to Align and nowhere else.
    pub(super) fn send_back(
        &self,
        task: &Task<'_>,
        lab: Option<&str>,
        order: &OrderId,
        reason: &Text,
        confirm: Option<&OrderId>,
    ) -> Result<Reply, Fault> {
        let key = match self.order(order, lab) {
            Ok(Named::Known(key)) => key,
            Ok(Named::Unknown(lab, order)) => {
                OrderKey { account: self.paired_account(&lab)?, lab, order }
            }
            Err(fault) => return refusal::refused(fault),
        };
        if confirm.is_none_or(|confirm| confirm != order) {
            return Ok(unconfirmed(&key, order, confirm.is_some()));
        }
        let reason = reason.0.trim();
        if reason.is_empty() {
            let text = format!("nothing was sent: returning order {} needs a reason", key.order);
            return Ok(Reply::new(Outcome::Refused, text)
                .next("tell the doctor in a few words what to scan again"));
        }
        let paired = self.paired_account(&key.lab)?;
        if paired != key.account {
            let text = format!(
                "nothing was sent: order {} belongs to account {}, but lab {} is paired with \
                 {paired}",
                key.order, key.account, key.lab
            );
            return Ok(Reply::new(Outcome::Refused, text)
                .next("pair the lab with that account again, or return the order at myitero.com"));
        }
        let entry = |mark| {
            let entry = Entry::new((self.now)().wall, task.who.clone(), AuditEvent::Return, mark);
            entry.about(&key)
        };
        let call = || {
            let sent = self.with_link(&key.lab, |link| {
                link.remote.return_to_doctor(&key.order, reason, &Cancel::new())
            });
            Ok(match sent {
                Ok(()) => sent_back(&key),
                Err(fault) => not_sent_back(&key, fault),
            })
        };
        self.beyond(task, &format!("return {key}"), entry, call, |store, now| {
            store.put_in(&key, now, &ErrandKind::Returned)
        })
    }
}

/// Builds one audit entry per account.
pub(super) fn by_account<'a>(
    now: WallMs,
    who: &Who,
    deed: AuditEvent,
    keys: impl Iterator<Item = &'a OrderKey>,
) -> Vec<Entry> {
    let mut orders: BTreeMap<(&LabName, &AccountId), Vec<&OrderId>> = BTreeMap::new();
    for key in keys {
        orders.entry((&key.lab, &key.account)).or_default().push(&key.order);
    }
    let entry = |((lab, account), orders): ((&LabName, &AccountId), Vec<&OrderId>)| {
        let entry = Entry::new(now, who.clone(), deed, Mark::Done);
        let entry = entry.lab(lab).account(account);
        match orders.as_slice() {
            [order] => entry.order(order),
            many => entry.detail("orders", json!(many)),
        }
    };
    orders.into_iter().map(entry).collect()
}

/// The spelling that Align uses.
fn procedure(kind: CaseKind) -> &'static str {
    match kind {
        CaseKind::Ortho => "Orthodontic",
        CaseKind::Restorative => "Restorative",
    }
}

fn list(wanted: &[Wanted]) -> String {
    let some: Vec<_> = wanted.iter().take(5).map(|wanted| wanted.key.to_string()).collect();
    let more = wanted.len() - some.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    some.join(", ") + &more
}

fn refetch_reply(
    wanted: &[Wanted],
    refused: &[(OrderId, Fault)],
    kind: Option<CaseKind>,
    paused: &[LabName],
    runs: bool,
) -> Reply {
    let mut lines = Vec::new();
    if !runs {
        let what = if wanted.len() == 1 { "order" } else { "orders" };
        lines.push(format!("{NOT_RUNNING} The {what} will be fetched when it starts."));
    }
    lines.extend(wanted.iter().map(|Wanted { key, known }| {
        if *known {
            format!("{key}: will be fetched again")
        } else {
            format!(
                "{key}: new here; it will be requested from Align by its number. If the number is \
                 wrong, the order will be listed as failing"
            )
        }
    }));
    lines.extend(refused.iter().map(|(id, fault)| format!("{id}: NOT fetched: {}", fault.brief())));
    if wanted.iter().any(|wanted| !wanted.known) && kind.is_none() {
        lines.push(
            "the kind of case was not given, so the files are requested as for a restorative case; \
             for an orthodontic one, ask again with kind ortho"
                .to_owned(),
        );
    }
    for lab in paused {
        lines.push(format!("{lab} is paused: its orders are fetched after `casedrop resume`"));
    }
    let orders: Vec<_> = wanted
        .iter()
        .map(|Wanted { key, known }| {
            json!({ "lab": key.lab, "account": key.account, "order": key.order, "known": known })
        })
        .collect();
    let not: Vec<_> = refused.iter().map(|(id, _)| id).collect();
    let outcome = if refused.is_empty() { Outcome::Done } else { Outcome::Differs };
    let mut next: Vec<_> = refused.iter().filter_map(|(_, fault)| fault.hint.clone()).collect();
    next.dedup();
    next.push(match (runs, wanted) {
        (false, _) => START_IT.to_owned(),
        (true, [only]) => format!("progress: `casedrop show {}`", only.key.order),
        (true, _) => "progress: `casedrop orders`".to_owned(),
    });
    Reply::new(outcome, lines.join("\n")).next(next.join("\n")).details(json!({
        "orders": orders, "refused": not, "agent_runs": runs, "paused": paused,
    }))
}

/// Returns the reply if none of several orders can be fetched.
fn none_wanted(refused: Vec<(OrderId, Fault)>) -> Reply {
    let needs_login = refused.iter().any(|(_, fault)| fault.class == FaultClass::Auth);
    let outcome = if needs_login { Outcome::LoginNeeded } else { Outcome::Refused };
    let line = |(id, fault): &(OrderId, Fault)| format!("{id}: NOT fetched: {}", fault.brief());
    let lines: Vec<_> = refused.iter().map(line).collect();
    let mut next: Vec<_> = refused.into_iter().filter_map(|(_, fault)| fault.hint).collect();
    next.dedup();
    let reply = Reply::new(outcome, lines.join("\n"));
    Reply { next: (!next.is_empty()).then(|| next.join("\n")), ..reply }
}

fn unconfirmed(key: &OrderKey, named: &OrderId, is_other: bool) -> Reply {
    let why = if is_other {
        format!(": the number you typed does not match {named}")
    } else {
        String::new()
    };
    let text = format!(
        "nothing was sent{why}. Order {} of lab {} would go back to the doctor for a rescan; its \
         status at Align would become Scanning, and it would return with the same number",
        key.order, key.lab
    );
    Reply::new(Outcome::Refused, text).next(format!(
        "if that is what you want, confirm it: `casedrop return {named} --reason \"…\" --confirm \
         {named}`"
    ))
}

fn sent_back(key: &OrderKey) -> Reply {
    let text = format!("order {} of lab {} was sent back to the doctor", key.order, key.lab);
    Reply::new(Outcome::Done, text)
        .next("nothing: the rescan arrives under the same number, as the next revision")
        .details(json!({ "lab": key.lab, "account": key.account, "order": key.order }))
}

fn not_sent_back(key: &OrderKey, fault: Fault) -> Reply {
    let perhaps = fault.class == FaultClass::Transient;
    let reply = Reply::from(fault);
    if perhaps {
        // No answer does not prove that it did not arrive.
        let order = &key.order;
        return reply.next(format!(
            "first look up order {order} at myitero.com: if its status is Scanning, it was sent \
             back after all; if not, try again"
        ));
    }
    reply
}
