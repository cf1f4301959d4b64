//! Builds the status snapshot from the journal and from what only the running agent knows.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::login::is_over_with_login;
use super::refusal::cannot_use;
use super::{Live, RequestHandler};
use crate::agent::welcome::{Access, SoFar, Welcome, WelcomeStep, next_step};
use crate::align::Ending;
use crate::config::LabConfig;
use crate::disk::{Disk as _, RealDisk};
use crate::engine::{SHORTEST_INTERVAL, earliest_poll};
use crate::journal::{
    ErrandKind, LabActivity, LabRecord, Paused, Rebuilt, Store, StoreError, StoreTrouble,
};
use crate::model::day::Day;
use crate::model::fault::{Fault, FaultClass, NOT_PAIRED};
use crate::model::ids::LabName;
use crate::model::listing::OrderQuery;
use crate::model::record::{OrderRecord, OrderState};
use crate::model::request::{Outcome, Reply};
use crate::model::size::size;
use crate::model::time::{Now, WallMs};
use crate::status::{
    AgentStatus, Code, FailingOrder, LabState, LabStatus, Note, NotificationsStatus, PauseStatus,
    RunningDownload, Status, VolumeStatus, Wish, WishKind,
};

/// Maximum number of failing orders listed.
const LISTED: usize = 20;
/// The states of failing orders, those that need attention first.
const FAILING: [OrderState; 2] = [OrderState::Attention, OrderState::Retrying];
/// In bytes: how much the journal's log may grow between two clean-ups. With less space on its
/// volume, the journal soon cannot be written.
const JOURNAL_ROOM: u64 = 4 << 20;

/// What the journal contributes.
#[derive(Default)]
struct Told {
    labs: Vec<(LabRecord, Option<Duration>)>,
    pauses: BTreeMap<String, Paused>,
    activity: BTreeMap<LabName, LabActivity>,
    orders: BTreeMap<String, usize>,
    incomplete: BTreeMap<String, u64>,
    due_today: BTreeMap<String, u64>,
    failing: Vec<OrderRecord>,
    waits: Option<String>,
    rebuilt: Option<Rebuilt>,
    notifications: Option<NotificationsStatus>,
    wishes: Vec<Wish>,
}

impl RequestHandler {
    /// Returns the current status. Always succeeds; it says what could not be determined.
    pub fn picture(&self) -> Status {
        let now = (self.now)();
        let (told, fault) = match self.told(now) {
            Ok(told) => (told, None),
            Err(fault) => (Told::default(), Some(note(&fault))),
        };
        let running = self.agent_runs();
        let labs = self.config.labs.iter();
        let labs = labs.map(|lab| self.lab_status(lab, &told, now, running)).collect();
        let fails = |state: OrderState| told.orders.get(state.as_str()).copied().unwrap_or(0);
        let failing_more = FAILING.into_iter().map(fails).sum::<usize>();
        let failing_more = failing_more.saturating_sub(told.failing.len());
        let failing = told.failing.into_iter();
        let failing = failing.filter_map(|order| failing_order(order, now.wall)).collect();
        let page = self.live.as_ref().and_then(|live| live.page_at.borrow().clone());
        Status {
            version: self.updating().map_or_else(
                || env!("CARGO_PKG_VERSION").to_owned(),
                |updating| updating.program.version.to_string(),
            ),
            at: now.wall.to_rfc3339(),
            agent: AgentStatus {
                running,
                since: self.live.as_ref().map(|live| live.since.to_rfc3339()),
                silent: self.last_beat().map(|ago| ago.as_secs()),
            },
            labs,
            orders: told.orders,
            incomplete: told.incomplete,
            due_today: told.due_today,
            failing,
            failing_more,
            poll_interval: self.config.polling.interval.as_secs(),
            set_up_code: page.as_ref().and_then(|_| self.code_file()),
            page,
            no_orders_after: self.config.alerts.no_orders_after.map(|after| after.as_secs()),
            notifications: told.notifications,
            downloads: self.live.as_ref().map(downloads).unwrap_or_default(),
            pauses: self.live.as_ref().map(Live::pauses).unwrap_or_default(),
            output: self.volume(told.waits.filter(|_| running)),
            journal: self.journal_note(),
            update: self.updating().map(|updating| updating.status(&*self.disk)),
            wishes: told.wishes,
            notes: self.notes(told.rebuilt.as_ref()),
            fault,
        }
    }

    /// Whether an agent runs on this state folder, in this process or another one.
    pub(super) fn agent_runs(&self) -> bool {
        self.live.is_some() || super::super::agent_runs(&self.config.state)
    }

    /// Returns how far a new installation has come, and what the user does next.
    ///
    /// # Errors
    /// The journal cannot be used now.
    pub fn welcome(&self) -> Result<Welcome, Fault> {
        let so_far = self
            .journal
            .with(|store| SoFar::of(store, Self::test_order_published(store)?.is_some()));
        let so_far = so_far.map_err(cannot_use)?;
        let labs = self.config.labs.iter();
        let labs: Vec<_> = labs.map(|lab| (lab.name.clone(), self.access(&lab.name))).collect();
        Ok(Welcome { step: next_step(&labs, so_far), so_far })
    }

    /// Records that the user is done with a step of the welcome, or with all of it: it is not
    /// offered again.
    ///
    /// # Errors
    /// The journal cannot be used now.
    pub fn pass_welcome(&self, step: &WelcomeStep) -> Result<(), Fault> {
        self.journal.with(|store| SoFar::pass(store, step)).map_err(cannot_use)
    }

    fn access(&self, lab: &LabName) -> Access {
        match self.with_link(lab, |link| (link.connect)()) {
            Ok(_) => Access::Paired,
            Err(fault) if fault.code == NOT_PAIRED => Access::LoggedIn,
            Err(_) => Access::LoggedOut,
        }
    }

    /// Time since the last heartbeat of the agent's loop; `None` if no agent runs in this process,
    /// or there was no heartbeat yet. Returns at once, whatever the state of disk and journal.
    pub fn last_beat(&self) -> Option<Duration> {
        self.live.as_ref()?.heartbeat.last()
    }

    fn notes(&self, rebuilt: Option<&Rebuilt>) -> Vec<Note> {
        let of_updates = self.updating().map(|updating| updating.notes(&*self.disk));
        let of_updates = of_updates.into_iter().flatten();
        let of_updates =
            of_updates.map(|(code, message, hint)| Note::new(message, Some(&hint)).code(code));
        rebuilt.into_iter().map(rebuilt_note).chain(of_updates).collect()
    }

    pub(super) fn status_reply(&self) -> Result<Reply, Fault> {
        let status = self.picture();
        let details = serde_json::to_value(&status).map_err(|error| {
            Fault::new(FaultClass::Local, "status", "cannot write the status").caused_by(error)
        })?;
        let reply = Reply::new(Outcome::Done, status.to_string().trim_end()).details(details);
        let todo: Vec<_> = status.labs.iter().filter_map(|lab| lab.todo.clone()).collect();
        let next = (!todo.is_empty()).then(|| todo.join("\n"));
        // Problems are part of the answer, so the outcome is still a success.
        Ok(Reply { next, ..reply })
    }

    /// Reads everything from the journal in one transaction. Empty if no agent has ever run here,
    /// or while a freshly started one is creating its journal.
    fn told(&self, now: Now) -> Result<Told, Fault> {
        let read = |store: &Store| {
            let is_being_made = store.holds_nothing()? && self.agent_runs();
            if is_being_made { Ok(None) } else { self.read(store, now).map(Some) }
        };
        let told = self.journal.look(read).map_err(cannot_use)?;
        match told.flatten() {
            Some(told) => Ok(told),
            None if self.live.is_none() => Ok(Told::default()),
            None => Err(Fault::new(FaultClass::Local, "journal", "the journal is gone")
                .hint("nothing: the agent rebuilds it")),
        }
    }

    fn read(&self, store: &Store, now: Now) -> Result<Told, StoreError> {
        store.atomically(|store| {
            let wanted = store.polls_wanted()?;
            let with_wait = |record: LabRecord| {
                let interval = if wanted.contains(&record.lab) {
                    self.config.polling.interval.min(SHORTEST_INTERVAL)
                } else {
                    self.config.polling.interval
                };
                let wait = record
                    .account
                    .as_deref()
                    .map(|account| earliest_poll(store, account, interval, now))
                    .transpose()?;
                Ok((record, wait))
            };
            Ok(Told {
                labs: store
                    .labs()?
                    .into_iter()
                    .map(with_wait)
                    .collect::<Result<_, StoreError>>()?,
                pauses: store.pauses()?,
                activity: self.activity(store, now)?,
                orders: store.count_by_state_now(&self.activities())?,
                incomplete: store.incomplete()?,
                due_today: store.due_unpublished(Day::at(now.wall))?,
                failing: failing_orders(store)?,
                waits: store.output_waits()?,
                wishes: wishes(store)?,
                notifications: match self.config.notifications {
                    Some(_) => Some(notifications(store)?),
                    None => None,
                },
                rebuilt: store.rebuilt()?.filter(|rebuilt| is_still_news(rebuilt, now.wall)),
            })
        })
    }

    fn activity(
        &self,
        store: &Store,
        now: Now,
    ) -> Result<BTreeMap<LabName, LabActivity>, StoreError> {
        let today = now.wall.start_of_day();
        let names = self.config.labs.iter().map(|lab| &lab.name);
        names.map(|name| Ok((name.clone(), store.activity(name.as_str(), today)?))).collect()
    }

    fn lab_status(&self, lab: &LabConfig, told: &Told, now: Now, running: bool) -> LabStatus {
        let name = &lab.name;
        let known = told.labs.iter().find(|(record, _)| record.lab == name.as_str());
        let record = known.map(|(record, _)| record.clone()).unwrap_or_default();
        let paused = told.pauses.get(name.as_str());
        let activity = told.activity.get(name).cloned().unwrap_or_default();
        let login = self.with_link(name, |link| (link.connect)());
        let (account, account_name) = match &login {
            Ok(paired) => (Some(paired.id.clone()), paired.name.clone()),
            Err(_) => (None, None),
        };
        let (trouble, fault, hint) = match login {
            Err(fault) => {
                (Some((fault.class, fault.code.to_owned())), Some(fault.brief()), fault.hint)
            }
            Ok(_) if record.fault_code.as_deref().is_some_and(is_over_with_login) => {
                (None, None, None)
            }
            Ok(_) => (
                record
                    .fault_code
                    .map(|code| (record.fault_class.unwrap_or(FaultClass::Transient), code)),
                record.fault,
                record.hint,
            ),
        };
        let ending = self.labs.client(name).ok().and_then(|client| client.ending());
        let (fault, hint) = match (&trouble, &ending) {
            (None, Some(ending)) => (Some(in_words(ending, now)), ending.why.hint.clone()),
            _ => (fault, hint),
        };
        let waits = told.waits.is_some() || record.good_poll.is_none() || !running;
        let without_pause = match &trouble {
            Some((FaultClass::Auth, code)) if code == NOT_PAIRED => LabState::NotPaired,
            Some((FaultClass::Auth, _)) => LabState::LoginNeeded,
            Some(_) => LabState::Unreachable,
            None if waits => LabState::Waiting,
            None => LabState::Polling,
        };
        // A pause does not hide a missing login, which must be fixed first.
        let state = match paused {
            Some(_) if !without_pause.needs_login() => LabState::Paused,
            _ => without_pause,
        };
        let polls = running && paused.is_none() && !state.needs_login();
        let wait = known.and_then(|(_, wait)| *wait).filter(|_| polls);
        LabStatus {
            lab: name.clone(),
            account,
            account_name,
            state,
            paused: paused
                .map(|paused| PauseStatus { since: paused.at.to_rfc3339(), by: paused.by.clone() }),
            good_poll: record.good_poll.map(WallMs::to_rfc3339),
            next_poll: wait.map(|wait| now.wall.plus(wait).to_rfc3339()),
            last_publication: activity.last.map(WallMs::to_rfc3339),
            published_today: activity.since,
            worked_since: activity.last.map(|last| {
                let hours = &self.config.alerts.working_hours;
                hours.between(last, now.wall, &TimeZone::system()).as_secs()
            }),
            login_ends: ending.as_ref().map(|ending| WallMs::from(ending.at).to_rfc3339()),
            fault,
            hint,
            todo: match state {
                _ if ending.is_some() => Some(format!("casedrop login {name}")),
                LabState::LoginNeeded => Some(format!("casedrop login {name}")),
                LabState::NotPaired => Some(format!("casedrop pair {name}")),
                LabState::Paused => Some(format!("casedrop resume --lab {name}")),
                LabState::Polling | LabState::Unreachable | LabState::Waiting => None,
            },
        }
    }

    /// Returns the state of the output and its volume. A hanging share does not delay the answer.
    fn volume(&self, waits: Option<String>) -> VolumeStatus {
        let (disk, staging) = (Arc::clone(&self.disk), self.layout.staging.clone());
        // Before the first start there is no staging yet, but its volume is known.
        let look = move || staging.ancestors().find_map(|dir| disk.free_space(dir).ok());
        let free = self.prober.free(look);
        VolumeStatus {
            path: self.layout.output.clone(),
            waits,
            free: free.bytes,
            free_age: free.bytes.map(|_| free.age.as_secs()),
            silent: self.prober.silent().map(|silent| silent.as_secs()),
            min_free: self.config.retention.min_free,
        }
    }

    /// Returns why the journal cannot be written. It can usually still be read.
    fn journal_note(&self) -> Option<Note> {
        let told = self.journal_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if told.is_some() {
            return told;
        }
        let state = &self.config.state;
        let free = self.disk.free_space(state).ok().filter(|free| *free < JOURNAL_ROOM)?;
        let room = size(free);
        Some(Note::new(
            format!("the journal's volume is full: {} has only {room} free", state.display()),
            Some(StoreTrouble::Full.hint()),
        ))
    }
}

fn notifications(store: &Store) -> Result<NotificationsStatus, StoreError> {
    let (received, missed) = (store.received()?, store.missed()?);
    Ok(NotificationsStatus {
        received: received.received,
        last: received.last.map(WallMs::to_rfc3339),
        waiting: store.notified_count()?,
        refused: received.refused,
        unreadable: received.unreadable,
        missed: missed.missed,
        last_missed: missed.last.map(WallMs::to_rfc3339),
        trouble: store.listener_trouble()?,
    })
}

fn wishes(store: &Store) -> Result<Vec<Wish>, StoreError> {
    let polls = store.polls_wanted()?.into_iter().map(|lab| Wish {
        what: WishKind::Poll,
        lab,
        account: None,
        order_id: None,
        since: None,
    });
    let orders = store.asked()?.into_iter().filter_map(|errand| match errand.what {
        ErrandKind::Refetch { .. } => Some(Wish {
            what: WishKind::Fetch,
            lab: errand.key.lab.to_string(),
            account: Some(errand.key.account.to_string()),
            order_id: Some(errand.key.order.to_string()),
            since: Some(errand.at.to_rfc3339()),
        }),
        ErrandKind::Returned => None,
    });
    Ok(polls.chain(orders.take(LISTED)).collect())
}

fn downloads(live: &Live) -> Vec<RunningDownload> {
    let running = live.progress.stages().into_iter();
    let told = running
        .filter_map(|(key, (stage, transfer))| Some(RunningDownload::of(key, &transfer?, stage)));
    told.collect()
}

/// Describes a login that is about to end.
fn in_words(ending: &Ending, now: Now) -> String {
    let until = WallMs::from(ending.at).in_words(now.wall);
    format!("the login works until {until}; log in again before then: {}", ending.why.brief())
}

/// Returns the first failing orders, those that need attention before the others.
fn failing_orders(store: &Store) -> Result<Vec<OrderRecord>, StoreError> {
    let mut found = Vec::new();
    for state in FAILING {
        let limit = LISTED.saturating_sub(found.len());
        let query = OrderQuery { limit, ..OrderQuery::in_state(state) };
        found.append(&mut store.list(&query)?.orders);
    }
    Ok(found)
}

fn failing_order(order: OrderRecord, now: WallMs) -> Option<FailingOrder> {
    let state = order.state().as_str().to_owned();
    let trouble = order.trouble?;
    Some(FailingOrder {
        key: order.key,
        state,
        next_try: trouble.next_try_from(now).map(WallMs::to_rfc3339),
        message: trouble.message,
        hint: trouble.hint,
    })
}

/// Whether a rebuilt journal is still reported: until the old one is deleted, or for a month if
/// nothing was left of it.
pub fn is_still_news(rebuilt: &Rebuilt, now: WallMs) -> bool {
    match &rebuilt.kept {
        Some(kept) => !matches!(RealDisk.kind(kept), Ok(None)),
        None => now < rebuilt.at.plus(Duration::from_hours(30 * 24)),
    }
}

fn rebuilt_note(rebuilt: &Rebuilt) -> Note {
    let hint = "if no order is missing, delete the folder of the old journal, if there is one";
    Note::new(rebuilt.to_string(), Some(hint)).code(Code::JournalRebuilt)
}

fn note(fault: &Fault) -> Note {
    Note::new(fault.brief(), fault.hint.as_deref())
}
