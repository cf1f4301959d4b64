//! Requests about the test order.

use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, TryLockError};

use serde::Serialize;
use serde_json::json;

use super::refusal::cannot_use;
use super::refusal::{refused, usage};
use super::{Live, RequestHandler, Task};
use crate::agent::clock::wall_now;
use crate::agent::test_order::{self as making, Means, Standing, look_whole};
use crate::audit::{AuditEvent, Entry, Mark};
use crate::hotfolder::inspect::{Read, glance, read_manifest};
use crate::hotfolder::retention::Fate;
use crate::journal::{Store, StoreError};
use crate::model::fault::{DISK_FULL, Fault, FaultClass};
use crate::model::ids::OrderKey;
use crate::model::manifest::Manifest;
use crate::model::request::{Outcome, Reply};
use crate::model::size::size;
use crate::model::test_order::{LAB, key};
use crate::model::time::WallMs;

/// When the test order was last published: kept in the journal, so that it counts as published even
/// if a CAD program took it away.
const PUBLISHED: &str = "test-order-published";

/// Begins the answer if there is nothing to do.
const ALREADY: &str = "The test order is already at";

/// The state of the test order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TestOrder {
    /// Its name in the tree.
    #[serde(flatten)]
    pub key: OrderKey,
    /// Where it is, or would be.
    pub path: PathBuf,
    /// What is there, judging by names and sizes.
    pub standing: TestOrderStanding,
    /// What others did to it, if anything.
    pub what: Option<String>,
    /// When the one that is there was published: RFC 3339, UTC.
    pub published_at: Option<String>,
    /// When one was last published, whatever became of it since; `None`: never.
    pub last: Option<String>,
    /// Whether it is being published or removed right now.
    pub under_way: bool,
}

/// What is at the test order's location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestOrderStanding {
    Absent,
    There,
    /// Some of its files: a program took the others.
    PartlyTaken,
    /// Something that is not ours, or that others changed.
    Changed,
}

impl RequestHandler {
    /// Returns the state of the test order. Looks at names and sizes only.
    ///
    /// # Errors
    /// The folder or the journal cannot be read now.
    pub fn test_order(&self) -> Result<TestOrder, Fault> {
        let key = key()?;
        let (disk, layout) = (Arc::clone(&self.disk), self.layout.clone());
        let look = move || making::standing(&*disk, &layout, glance);
        let standing = self.prober.ask(look)??;
        let last = self.journal.look(|store| store.fact(PUBLISHED)).map_err(cannot_use)?.flatten();
        let (standing, what, published_at) = match standing {
            Standing::Absent => (TestOrderStanding::Absent, None, None),
            Standing::Whole(it) => (TestOrderStanding::There, None, Some(it.published_at)),
            Standing::Partly(it) => (TestOrderStanding::PartlyTaken, None, Some(it.published_at)),
            Standing::Others(what) => (TestOrderStanding::Changed, Some(what), None),
        };
        Ok(TestOrder {
            path: self.layout.order_dir(&key),
            key,
            standing,
            what,
            published_at,
            last,
            under_way: matches!(self.trying_out.try_lock(), Err(TryLockError::WouldBlock)),
        })
    }

    /// Publishes the test order; a complete one that is already there is left alone.
    pub(super) fn publish_test_order(&self, task: &Task<'_>) -> Result<Reply, Fault> {
        let begun = self.turn_to_try_out().and_then(|turn| Ok((turn, self.means()?, key()?)));
        let (_turn, means, key) = match begun {
            Ok(begun) => begun,
            Err(fault) => return refused(fault),
        };
        let found = means
            .root
            .check()
            .and_then(|()| making::standing(&*self.disk, &self.layout, look_whole));
        let partly = match found {
            Err(fault) => return Ok(failed(fault)),
            Ok(Standing::Whole(manifest)) => return Ok(self.is_there(&key, &manifest, ALREADY)),
            Ok(Standing::Others(what)) => return Ok(self.in_the_way(&key, &what)),
            Ok(Standing::Partly(_)) => true,
            Ok(Standing::Absent) => false,
        };
        let call = || {
            if partly && let Fate::LeftAlone(what) = making::remove(&means)? {
                return Ok(self.in_the_way(&key, &what));
            }
            let manifest = making::publish(&means)?;
            Ok(self.is_there(&key, &manifest, "Test order published to"))
        };
        let call = || Ok(call().unwrap_or_else(failed));
        let entry = |mark| self.entry(task, AuditEvent::TestOrder, mark, &key);
        self.beyond(task, "publish the test order", entry, call, |store, now| {
            store.set_fact(PUBLISHED, &now.to_rfc3339())
        })
    }

    /// Removes the test order, unless someone changed it.
    pub(super) fn remove_test_order(&self, task: &Task<'_>) -> Result<Reply, Fault> {
        let begun = self.turn_to_try_out().and_then(|turn| Ok((turn, self.means()?, key()?)));
        let (_turn, means, key) = match begun {
            Ok(begun) => begun,
            Err(fault) => return refused(fault),
        };
        let call = || {
            Ok(match making::remove(&means)? {
                Fate::Removed => Reply::new(Outcome::Done, "The test order was removed."),
                Fate::Absent => Reply::new(Outcome::Done, "There is no test order anymore."),
                Fate::LeftAlone(what) => self.in_the_way(&key, &what),
            })
        };
        let call = || Ok(call().unwrap_or_else(failed));
        let entry = |mark| self.removal(task, mark, &key);
        self.beyond(task, "remove the test order", entry, call, |_, _| Ok(()))
    }

    /// Removes the test order from an output that is being replaced. What cannot be removed stays.
    pub(super) fn leave_no_test_order(&self, task: &Task<'_>) -> Result<(), Fault> {
        let (means, key) = (self.means()?, key()?);
        if making::standing(&*self.disk, &self.layout, glance)? == Standing::Absent {
            return Ok(());
        }
        self.audit.record(&self.removal(task, Mark::Begun, &key))?;
        let fate = making::remove(&means);
        let mark = match &fate {
            Ok(Fate::Removed | Fate::Absent) => Mark::Done,
            Ok(Fate::LeftAlone(_)) => Mark::Refused,
            Err(_) => Mark::Failed,
        };
        self.audit.record(&self.removal(task, mark, &key))?;
        fate.map(|_| ())
    }

    /// Returns the audit entry of a removal. For an interrupted removal, the `Begun` entry is all
    /// that the next start knows, since the test order is in no journal.
    fn removal(&self, task: &Task<'_>, mark: Mark, key: &OrderKey) -> Entry {
        let entry = self.entry(task, AuditEvent::TestOrderRemoved, mark, key);
        if mark != Mark::Begun {
            return entry;
        }
        match read_manifest(&*self.disk, &self.layout.order_dir(key)) {
            Ok(Read::Manifest(_, sha256)) => entry.detail("manifests", vec![sha256]),
            _ => entry,
        }
    }

    /// When a test order was last published, if ever.
    pub(super) fn test_order_published(store: &Store) -> Result<Option<String>, StoreError> {
        store.fact(PUBLISHED)
    }

    /// Takes the lock that allows only one such request at a time.
    pub(super) fn turn_to_try_out(&self) -> Result<MutexGuard<'_, ()>, Fault> {
        match self.trying_out.try_lock() {
            Ok(turn) => Ok(turn),
            Err(TryLockError::Poisoned(poisoned)) => Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                let text = "the test order is just being published or removed, or the output is \
                            being changed";
                Err(usage(text).hint("wait until that is done"))
            }
        }
    }

    /// Returns the agent running in this process.
    pub(super) fn running(&self) -> Result<&Live, Fault> {
        self.live.as_ref().ok_or_else(|| {
            usage("Casedrop is not running, and only a running agent can do that")
                .hint("start the agent with `casedrop run`, or its service")
        })
    }

    fn means(&self) -> Result<Means, Fault> {
        let live = self.running()?;
        if let Some(lab) =
            self.config.labs.iter().find(|lab| lab.name.as_str().eq_ignore_ascii_case(LAB))
        {
            let text = format!(
                "the config has a lab named {}, but the test order needs that name",
                lab.name
            );
            return Err(usage(text).hint("give that lab another name if you want a test order"));
        }
        Ok(Means {
            config: Arc::clone(&self.config),
            disk: Arc::clone(&self.disk),
            layout: self.layout.clone(),
            root: Arc::clone(&live.root),
            audit: self.audit.clone(),
            progress: Arc::clone(&live.progress),
            cancel: live.stopping.clone(),
            step: live.step,
            clock: wall_now,
            handle: self.labs.handle().clone(),
        })
    }

    fn is_there(&self, key: &OrderKey, manifest: &Manifest, what: &str) -> Reply {
        let path = self.layout.order_dir(key);
        let (files, bytes) = (manifest.files.len(), manifest.bytes());
        let text = format!("{what} {}: {files} files, {}.", path.display(), size(bytes));
        let details = json!({ "path": path, "files": files, "bytes": bytes,
            "published_at": manifest.published_at, "lab": key.lab, "account": key.account,
            "order_id": key.order });
        Reply::new(Outcome::Done, text)
            .next(
                "look for it in the CAD program; it contains a made-up case and can be removed \
                 again",
            )
            .details(details)
    }

    fn in_the_way(&self, key: &OrderKey, what: &str) -> Reply {
        let path = self.layout.order_dir(key);
        let text = format!(
            "nothing was done: {} contains more than the test order: {what}",
            path.display()
        );
        Reply::new(Outcome::Refused, text)
            .next("move that folder away or delete it, if nobody needs it; then try again")
            .details(json!({ "path": path, "code": "changed-by-others" }))
    }

    fn entry(&self, task: &Task<'_>, what: AuditEvent, mark: Mark, key: &OrderKey) -> Entry {
        let now: WallMs = (self.now)().wall;
        let entry = Entry::new(now, task.who.clone(), what, mark);
        entry.about(key)
    }
}

/// Turns a fault into a reply for the waiting user: none of this is retried automatically.
fn failed(fault: Fault) -> Reply {
    let code = fault.code;
    let hint = match code {
        DISK_FULL => Some("free some space on that volume, and try again"),
        "output-not-ready" => Some("the output is being prepared: try again in a moment"),
        _ if fault.class == FaultClass::Cancelled => {
            Some("try again when the agent is running again")
        }
        _ => None,
    };
    let fault = match hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    };
    Reply { outcome: Outcome::Failed, ..fault.into() }.details(json!({ "code": code }))
}
