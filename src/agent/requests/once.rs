//! At-most-once execution: a completed request is stored with its reply, and one that reaches
//! beyond this PC is recorded before it begins.

use std::sync::PoisonError;

use super::refusal::cannot_use;
use super::{RequestHandler, Task};
use crate::audit::{Entry, Mark};
use crate::journal::{CommandRecord, Store, StoreError};
use crate::model::fault::Fault;
use crate::model::request::{KEEP_ANSWERS, Outcome, Reply, Request};
use crate::model::time::{WallMs, millis};

/// Reserves an id while its request is being carried out.
pub(super) struct Turn<'a> {
    handler: &'a RequestHandler,
    id: String,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut under_way = self.handler.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.remove(&self.id);
        self.handler.one_ended.notify_all();
    }
}

impl RequestHandler {
    /// Waits until no one else is carrying out the request with that id.
    pub(super) fn take_turn(&self, id: &str) -> Turn<'_> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        while under_way.contains(id) {
            under_way = self.one_ended.wait(under_way).unwrap_or_else(PoisonError::into_inner);
        }
        under_way.insert(id.to_owned());
        Turn { handler: self, id: id.to_owned() }
    }

    /// Returns the earlier reply, if the request was carried out or begun before.
    pub(super) fn earlier(&self, id: &str, request: &Request) -> Result<Option<Reply>, Fault> {
        let known = self.journal.with(|store| store.command(id)).map_err(cannot_use)?;
        let Some(known) = known else { return Ok(None) };
        // A reply that cannot be read anymore counts as none.
        let reply = known.reply.as_deref().and_then(|text| serde_json::from_str(text).ok());
        Ok(Some(reply.unwrap_or_else(|| interrupted(request, &known))))
    }

    /// Does work in the journal and stores the reply in the same transaction. Writes the audit
    /// entries first: what cannot be recorded is not done. A refusal is not stored, since it
    /// changed nothing.
    pub(super) fn in_journal(
        &self,
        task: &Task<'_>,
        what: &str,
        work: impl FnOnce(&Store, WallMs) -> Result<(Reply, Vec<Entry>), StoreError>,
    ) -> Result<Reply, Fault> {
        let now = (self.now)().wall;
        let mut unrecorded = None;
        let reply = self.journal.with(|store| {
            store.atomically(|store| {
                let (reply, entries) = work(store, now)?;
                if reply.outcome != Outcome::Refused {
                    store.sweep_commands(WallMs(now.0.saturating_sub(millis(KEEP_ANSWERS))))?;
                    store.save_command(task.id, &answered(now, what, &reply))?;
                }
                for entry in &entries {
                    if let Err(fault) = self.audit.record(entry) {
                        let text = fault.brief();
                        unrecorded = Some(fault);
                        return Err(StoreError::Row(text));
                    }
                }
                Ok(reply)
            })
        });
        if let Some(fault) = unrecorded {
            return Err(fault);
        }
        let reply = reply.map_err(cannot_use)?;
        self.wake.now();
        Ok(reply)
    }

    /// Does work that reaches beyond this PC: stores and audits it as begun before `call`, and with
    /// its reply afterwards. If the call succeeds, `then` is written to the journal together with
    /// the reply.
    pub(super) fn beyond(
        &self,
        task: &Task<'_>,
        what: &str,
        entry: impl Fn(Mark) -> Entry,
        call: impl FnOnce() -> Result<Reply, Fault>,
        then: impl FnOnce(&Store, WallMs) -> Result<(), StoreError>,
    ) -> Result<Reply, Fault> {
        let about = entry(Mark::Begun);
        let (lab, order) = (about.lab.as_deref(), about.order.as_deref());
        self.audit.record(&about)?;
        let begun = CommandRecord { at: (self.now)().wall, what: what.to_owned(), reply: None };
        self.journal.with(|store| store.save_command(task.id, &begun)).map_err(cannot_use)?;
        let reply = call().unwrap_or_else(Reply::from);
        if let Err(fault) = self.audit.record(&entry(reply.outcome.into())) {
            tracing::error!(
                lab,
                order,
                "{what}: the result could not be recorded: {}",
                fault.chain()
            );
        }
        let now = (self.now)().wall;
        let kept = self.journal.with(|store| {
            store.atomically(|store| {
                if reply.outcome == Outcome::Done {
                    then(store, now)?;
                }
                store.save_command(task.id, &answered(now, what, &reply))
            })
        });
        if let Err(error) = kept {
            // It is done all the same. If this reply is lost too, the result counts as unknown.
            tracing::warn!(lab, order, "{what}: the reply could not be stored: {}", error.chain());
        }
        self.wake.now();
        Ok(reply)
    }

    pub(super) fn forget(&self, id: &str) -> Result<(), Fault> {
        self.journal.with(|store| store.forget_command(id)).map_err(cannot_use)
    }
}

fn answered(at: WallMs, what: &str, reply: &Reply) -> CommandRecord {
    // Text without keys of its own can always be serialized.
    let reply = serde_json::to_string(reply).ok();
    CommandRecord { at, what: what.to_owned(), reply }
}

/// Returns the reply if the agent ended between the call and its reply.
fn interrupted(request: &Request, known: &CommandRecord) -> Reply {
    let text = format!(
        "it is not known whether this was done ({}): it was started at {}, and Casedrop stopped \
         before the answer arrived. It is not retried automatically",
        known.what,
        known.at.local()
    );
    Reply::new(Outcome::Unknown, text).next(match request {
        Request::Return { order, .. } => format!(
            "look up order {order} at myitero.com: if its status is Scanning, it was sent back; if \
             not, try again"
        ),
        Request::Pair { lab, .. } => {
            let lab = lab.as_deref().unwrap_or("LAB");
            format!(
                "`casedrop accounts {lab}` shows which account the lab is paired with; pairing \
                 again does no harm"
            )
        }
        Request::Unpair { lab, account, .. } => {
            let lab = lab.as_deref().unwrap_or("LAB");
            format!(
                "`casedrop accounts {lab}` shows whether account {account} is still paired; if so, \
                 try again"
            )
        }
        _ => "try again".to_owned(),
    })
}
