//! Requests for whole labs: pause, resume, poll soon.

use serde_json::json;

use super::refusal::{cannot_use, refused};
use super::{RequestHandler, Task};
use crate::audit::{AuditEvent, Entry, Mark};
use crate::config::LabConfig;
use crate::engine::{SHORTEST_INTERVAL, earliest_poll};
use crate::journal::{LabRecord, Paused, Store, StoreError};
use crate::model::fault::Fault;
use crate::model::ids::LabName;
use crate::model::request::{Outcome, Reply, Who};
use crate::model::time::in_words;
use crate::model::time::{Now, WallMs};

/// The request is recorded, but nothing carries it out yet.
pub const NOT_RUNNING: &str = "Casedrop is not running.";
/// What to do about that.
pub const START_IT: &str =
    "start it: `casedrop run`, or `casedrop service start` where it is installed as a service";

impl RequestHandler {
    pub(super) fn pause(&self, task: &Task<'_>, lab: Option<&str>) -> Result<Reply, Fault> {
        let labs = match self.labs(lab) {
            Ok(labs) => labs,
            Err(fault) => return refused(fault),
        };
        self.in_journal(task, &format!("pause {}", names(&labs)), |store, now| {
            let resting = store.pauses()?;
            let (mut lines, mut entries) = (Vec::new(), Vec::new());
            for lab in &labs {
                let name = lab.name.as_str();
                if let Some(paused) = resting.get(name) {
                    lines.push(format!("{name} is already paused, since {}", since(paused)));
                    continue;
                }
                store.pause(name, &Paused { at: now, by: task.who.user.clone() })?;
                entries.push(entry(now, task.who, AuditEvent::Pause, lab));
                lines.push(format!(
                    "{name} is paused. Running downloads will finish; new orders wait. Scan \
                     notifications are still recorded."
                ));
            }
            let reply = Reply::new(Outcome::Done, lines.join("\n"))
                .next("to continue: `casedrop resume`")
                .details(json!({ "labs": named(&labs), "paused": true }));
            Ok((reply, entries))
        })
    }

    pub(super) fn resume(&self, task: &Task<'_>, lab: Option<&str>) -> Result<Reply, Fault> {
        let labs = match self.labs(lab) {
            Ok(labs) => labs,
            Err(fault) => return refused(fault),
        };
        self.in_journal(task, &format!("resume {}", names(&labs)), |store, now| {
            let resting = store.pauses()?;
            let (mut lines, mut entries) = (Vec::new(), Vec::new());
            for lab in &labs {
                let name = lab.name.as_str();
                let Some(paused) = resting.get(name) else {
                    lines.push(format!("{name} was not paused"));
                    continue;
                };
                store.resume(name)?;
                entries.push(entry(now, task.who, AuditEvent::Resume, lab));
                lines.push(format!("{name} resumed ({}).", had_paused(paused)));
            }
            let reply = Reply::new(Outcome::Done, lines.join("\n"))
                .details(json!({ "labs": named(&labs), "paused": false }));
            Ok((reply, entries))
        })
    }

    /// Polls as soon as Align may be asked.
    pub(super) fn poll(&self, task: &Task<'_>, lab: Option<&str>) -> Result<Reply, Fault> {
        let labs = match self.labs(lab) {
            Ok(labs) => labs,
            Err(fault) => return refused(fault),
        };
        let interval = self.config.polling.interval.min(SHORTEST_INTERVAL);
        let now = (self.now)();
        let runs = self.agent_runs();
        // The vault may be slow; the journal should not wait for it.
        let records = self.journal.with(Store::labs).map_err(cannot_use)?;
        let lacks: Vec<_> = labs
            .iter()
            .map(|lab| {
                let record = records.iter().find(|record| record.lab == lab.name.as_str());
                self.login_lacks(&lab.name, record)
            })
            .collect();
        self.in_journal(task, &format!("poll {}", names(&labs)), |store, _| {
            let (resting, records) = (store.pauses()?, store.labs()?);
            let mut rows = Vec::new();
            let mut lines = Vec::new();
            let mut next = Vec::new();
            let mut outcomes = Vec::new();
            for (lab, lacks) in labs.iter().zip(lacks) {
                let name = lab.name.as_str();
                if let Some(paused) = resting.get(name) {
                    lines.push(format!(
                        "{name} is not polled: it has been paused since {}",
                        since(paused)
                    ));
                    next.push(format!("to continue: `casedrop resume --lab {name}`"));
                    outcomes.push(Outcome::Refused);
                    continue;
                }
                store.want_poll(name, now.wall)?;
                let record = records.iter().find(|record| record.lab == name);
                if let Some(lacks) = lacks {
                    lines.push(format!("{name} cannot be polled yet: {}", lacks.fault));
                    next.extend(lacks.hint);
                    outcomes.push(Outcome::LoginNeeded);
                    continue;
                }
                let wait = earliest(store, record, interval, now)?;
                let at = now.wall.plus(wait);
                lines.push(match (runs, wait.is_zero()) {
                    (false, _) => format!("{name} will be polled when Casedrop starts"),
                    (true, true) => format!("{name}: polling now"),
                    (true, false) => format!(
                        "{name} will be polled in {}, at {}. Align does not allow it sooner.",
                        in_words(wait),
                        at.in_words(now.wall)
                    ),
                });
                rows.push(json!({ "lab": name, "poll_at": runs.then(|| at.to_rfc3339()) }));
                outcomes.push(Outcome::Done);
            }
            // Success for one lab counts as success; what blocks the others is a remark.
            let best = [Outcome::Done, Outcome::LoginNeeded, Outcome::Refused];
            let outcome = best.into_iter().find(|outcome| outcomes.contains(outcome));
            if !runs && outcome == Some(Outcome::Done) {
                lines.insert(0, NOT_RUNNING.to_owned());
                next.insert(0, START_IT.to_owned());
            }
            let reply = Reply::new(outcome.unwrap_or(Outcome::Refused), lines.join("\n"));
            let next = (!next.is_empty()).then(|| next.join("\n"));
            Ok((
                Reply { next, ..reply }.details(json!({ "polls": rows, "agent_runs": runs })),
                Vec::new(),
            ))
        })
    }

    /// Returns which of these labs are paused.
    pub(super) fn paused_among<'a>(
        &self,
        labs: impl Iterator<Item = &'a LabName>,
    ) -> Result<Vec<LabName>, Fault> {
        let resting = self.journal.with(Store::pauses).map_err(cannot_use)?;
        let paused = labs.filter(|lab| resting.contains_key(lab.as_str())).cloned();
        let paused: std::collections::BTreeSet<_> = paused.collect();
        Ok(paused.into_iter().collect())
    }
}

fn earliest(
    store: &Store,
    record: Option<&LabRecord>,
    interval: std::time::Duration,
    now: Now,
) -> Result<std::time::Duration, StoreError> {
    match record.and_then(|record| record.account.as_deref()) {
        Some(account) => earliest_poll(store, account, interval, now),
        None => Ok(std::time::Duration::ZERO),
    }
}

fn since(paused: &Paused) -> String {
    let at = paused.at.local();
    paused.by.as_ref().map_or(at.clone(), |by| format!("{at}, by {by}"))
}

fn had_paused(paused: &Paused) -> String {
    let at = paused.at.local();
    match &paused.by {
        Some(by) => format!("{by} had paused it at {at}"),
        None => format!("it had been paused since {at}"),
    }
}

fn entry(at: WallMs, who: &Who, what: AuditEvent, lab: &LabConfig) -> Entry {
    Entry::new(at, who.clone(), what, Mark::Done).lab(&lab.name)
}

fn names(labs: &[&LabConfig]) -> String {
    named(labs).iter().map(|lab| lab.as_str()).collect::<Vec<_>>().join(", ")
}

fn named<'a>(labs: &[&'a LabConfig]) -> Vec<&'a LabName> {
    labs.iter().map(|lab| &lab.name).collect()
}
