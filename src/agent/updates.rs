//! Updates in parallel with the engine: checks for releases automatically, puts a staged version on
//! trial once nothing is in flight, and reports to the keeper of a version on trial how its polls
//! go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use semver::Version;
use tokio_util::sync::CancellationToken;

use crate::audit::{AuditEvent, Entry, Mark};
use crate::journal::{LabRecord, Store, StoreError};
use crate::model::fault::{Fault, FaultClass};
use crate::model::request::{Via, Who};
use crate::model::time::WallMs;
use crate::service::eventlog;
use crate::update::Place;
use crate::update::daily::{Daily, is_open};
use crate::update::keeper_link::KeeperLink;
use crate::update::protocol::PollResult;
use crate::update::stage::{self, Found};

use super::background::BackgroundTasks;
use super::clock::wall_now;
use super::context::AgentContext;
use super::updating::{AHEAD, Updating, put_on_trial};

/// Interval for checking the polls of a version on trial, and whether it is quiet.
const LOOK: Duration = Duration::from_millis(500);
/// The longest time for finding a version and downloading it.
const LOOK_MAX: Duration = Duration::from_hours(2);
/// Faults of the network or the server, not of the program.
const UNREACHED: [&str; 9] = [
    "connect",
    "proxy",
    "dns",
    "stalled",
    "broken-off",
    "too-slow",
    "http-408",
    "http-425",
    "http-429",
];

/// Starts the tasks that updates need.
pub(super) fn start(context: &Arc<AgentContext>, tasks: &mut BackgroundTasks) {
    let Some(updating) = context.handler.updating().cloned() else { return };
    let both = (Arc::clone(context), Arc::clone(&updating));
    tasks.start(|until| tell_news(both.0, both.1, until));
    if let (true, Some((kept, _))) = (updating.on_trial, &updating.kept) {
        let (context, kept) = (Arc::clone(context), Arc::clone(kept));
        tasks.start(|until| report(context, kept, until));
    }
    let both = (Arc::clone(context), Arc::clone(&updating));
    tasks.start(|until| switch_when_asked(both.0, both.1, until));
    if context.config.updates.automatic {
        let both = (Arc::clone(context), updating);
        tasks.start(|until| automatic(both.0, both.1, until));
    }
}

/// Reports finished trials: a failed one at startup, a passed one when the keeper says so.
async fn tell_news(context: Arc<AgentContext>, updating: Arc<Updating>, until: CancellationToken) {
    let (there, place) = (Arc::clone(&context), updating.place.clone());
    let own = updating.program.version.clone();
    drop(tokio::task::spawn_blocking(move || tell_failures(&there, &place, &own)).await);
    let Some((_, orders)) = updating.kept.as_ref().filter(|_| updating.on_trial) else { return };
    let mut passed = orders.passed.clone();
    tokio::select! {
        () = until.cancelled() => {}
        said = passed.wait_for(|passed| *passed) => {
            if said.is_ok() {
                tracing::info!("version {} passed its trial", updating.program.version);
                let entry = Entry::by_agent(wall_now(), AuditEvent::Update, Mark::Done)
                    .detail("version", updating.program.version.to_string());
                record(&context, &entry);
            }
        }
    }
}

fn tell_failures(context: &AgentContext, place: &Place, own: &Version) {
    let mut all = place.refused(&*context.disk);
    let mut is_news = false;
    for (version, refused) in all.iter_mut().filter(|(_, refused)| !refused.told) {
        if version > own {
            tracing::error!(
                "version {version} did not work and was rolled back, version {own} is running \
                 again: {}",
                refused.why
            );
            eventlog::write(&eventlog::Entry::rolled_back(&version.to_string(), &refused.why));
            let entry = Entry::by_agent(wall_now(), AuditEvent::Update, Mark::Failed)
                .detail("version", version.to_string())
                .detail("why", refused.why.clone());
            record(context, &entry);
        }
        refused.told = true;
        is_news = true;
    }
    if is_news && let Err(fault) = place.set_refused(&*context.disk, &all) {
        tracing::warn!("{}", fault.chain());
    }
}

fn record(context: &AgentContext, entry: &Entry) {
    if let Err(fault) = context.audit.record(entry) {
        tracing::warn!("{}", fault.chain());
    }
}

/// Reports to the keeper how the polls of a version on trial go, and gets each lab polled soon.
async fn report(context: Arc<AgentContext>, kept: Arc<KeeperLink>, until: CancellationToken) {
    let mut before: Option<BTreeMap<String, LabRecord>> = None;
    let mut told: BTreeMap<String, PollResult> = BTreeMap::new();
    loop {
        let (there, is_first) = (Arc::clone(&context), before.is_none());
        let looked = tokio::task::spawn_blocking(move || {
            there.journal.with(|store| labs(store, is_first, wall_now()))
        });
        if let Ok(Ok((labs, resting))) = looked.await {
            if is_first {
                context.wake.now();
            }
            let first = before.get_or_insert_with(|| labs.clone());
            for (name, lab) in &labs {
                let Some((went, why)) = went(first.get(name), lab, resting.contains(name)) else {
                    continue;
                };
                if told.insert(name.clone(), went) != Some(went) {
                    kept.polled(name, went, why);
                }
            }
        }
        tokio::select! {
            () = until.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

type Seen = (BTreeMap<String, LabRecord>, Vec<String>);

/// Returns what is known about the labs, and which are paused. The first time, requests a poll for
/// each of the others.
fn labs(store: &Store, is_first: bool, now: WallMs) -> Result<Seen, StoreError> {
    let resting: Vec<_> = store.pauses()?.into_keys().collect();
    let labs: BTreeMap<_, _> =
        store.labs()?.into_iter().map(|lab| (lab.lab.clone(), lab)).collect();
    if is_first {
        for lab in labs.keys().filter(|lab| !resting.contains(*lab)) {
            store.want_poll(lab, now)?;
        }
    }
    Ok((labs, resting))
}

/// Returns the result of the last poll since the start, if there was one.
fn went(
    first: Option<&LabRecord>,
    lab: &LabRecord,
    rests: bool,
) -> Option<(PollResult, Option<String>)> {
    if rests {
        return Some((PollResult::Well, None));
    }
    if first == Some(lab) {
        return None;
    }
    match lab.fault_code.as_deref() {
        Some(code) if UNREACHED.contains(&code) || code.starts_with("http-5") => {
            Some((PollResult::Unreached, None))
        }
        Some(code) => {
            Some((PollResult::Failed, Some(lab.fault.clone().unwrap_or_else(|| code.to_owned()))))
        }
        None => {
            let polled = lab.good_poll != first.and_then(|first| first.good_poll);
            polled.then_some((PollResult::Well, None))
        }
    }
}

/// Puts a staged version on trial when requested and nothing is in flight.
async fn switch_when_asked(
    context: Arc<AgentContext>,
    updating: Arc<Updating>,
    until: CancellationToken,
) {
    let mut wanted = updating.wanted.subscribe();
    loop {
        let asked = tokio::select! {
            () = until.cancelled() => return,
            asked = wanted.wait_for(Option::is_some) => asked.ok().and_then(|asked| asked.clone()),
        };
        let Some((version, who)) = asked else { return };
        if !updating.place.has(&*context.disk, &version) {
            let staged = tokio::select! {
                () = until.cancelled() => return,
                staged = look_and_stage(&context, &updating) => staged,
            };
            let fault = match staged {
                Ok(Some(staged)) if staged == version => None,
                Ok(_) => Some("the source no longer offers that version".to_owned()),
                Err(fault) => Some(fault.chain()),
            };
            if let Some(fault) = fault {
                tracing::error!("version {version} cannot be tried out: {fault}");
                let entry = Entry::new(wall_now(), who, AuditEvent::Update, Mark::Failed)
                    .detail("version", version.to_string());
                record(&context, &entry);
                updating.wanted.send_replace(None);
                continue;
            }
        }
        let began = Instant::now();
        while !updating.may_switch(&context.idle, began.elapsed()) {
            tokio::select! {
                () = until.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        updating.wanted.send_replace(None);
        switch(&context, &updating, version, who).await;
    }
}

/// Puts the version on trial and ends the agent.
async fn switch(context: &Arc<AgentContext>, updating: &Arc<Updating>, version: Version, who: Who) {
    let (there, mine) = (Arc::clone(context), Arc::clone(updating));
    let begun = tokio::task::spawn_blocking(move || {
        let entry = |mark| mine.entry(&version, &who, mark);
        // What cannot be recorded is not done.
        there.audit.record(&entry(Mark::Begun))?;
        let begun = put_on_trial(&mine, &there.config, &*there.disk, &version, &there.journal);
        if begun.is_err() {
            record(&there, &entry(Mark::Failed));
        }
        begun.map(|()| version)
    });
    match begun.await {
        Ok(Ok(version)) => {
            let Some((kept, _)) = &updating.kept else {
                tracing::warn!("the agent will try out version {version} at its next start");
                return;
            };
            tracing::warn!("the agent is stopping so that version {version} can be tried out");
            kept.restart();
            updating.restart.send_replace(true);
        }
        Ok(Err(fault)) => tracing::error!("the update cannot be tried out: {}", fault.chain()),
        Err(error) => tracing::error!("the update cannot be tried out: {error}"),
    }
}

/// Checks for releases once a day, stages new ones, and puts them on trial in a quiet moment.
async fn automatic(context: Arc<AgentContext>, updating: Arc<Updating>, until: CancellationToken) {
    if let Some(manager) = updating.manager {
        tracing::info!(
            "this PC is updated through {}, so Casedrop does not update itself",
            manager.through()
        );
        return;
    }
    if let Err(fault) = stage::source(&updating.program, &context.config) {
        tracing::warn!("updates are off: {}", fault.chain());
        return;
    }
    let window = context.config.updates.window;
    let pace = updating.program.pace;
    let mut daily = Daily::new(pace, wall_now(), fastrand::f64());
    let mut staged: Option<Version> = None;
    loop {
        tokio::select! {
            () = until.cancelled() => return,
            () = tokio::time::sleep(pace.tick) => {}
        }
        let minute = minute_of_day();
        if !updating.is_on_trial() && daily.is_due(wall_now(), window, minute, fastrand::f64()) {
            let looked = tokio::select! {
                () = until.cancelled() => return,
                looked = look_and_stage(&context, &updating) => looked,
            };
            match looked {
                Ok(found) => staged = found,
                Err(fault) => tracing::warn!("no update: {}", fault.chain()),
            }
        }
        if is_open(window, minute_of_day())
            && context.idle.is_idle(AHEAD.min(pace.tick))
            && let Some(version) = staged.take()
        {
            let who = Who { user: None, via: Via::Agent };
            switch(&context, &updating, version, who).await;
        }
    }
}

/// Looks for a newer version and stages it; returns it if there is one. Gives up after two hours,
/// in case the source only dribbles.
async fn look_and_stage(
    context: &AgentContext,
    updating: &Updating,
) -> Result<Option<Version>, Fault> {
    let looked = tokio::time::timeout(LOOK_MAX, bring(context, updating)).await;
    looked.unwrap_or_else(|_| {
        let text = format!("the update did not arrive within {} s", LOOK_MAX.as_secs());
        Err(Fault::new(FaultClass::Transient, "update-fetch", text))
    })
}

async fn bring(context: &AgentContext, updating: &Updating) -> Result<Option<Version>, Fault> {
    let Updating { program, place, .. } = updating;
    let (config, disk) = (&*context.config, &*context.disk);
    match stage::look(program, place, config, disk, wall_now()).await? {
        Found::UpToDate => Ok(None),
        Found::There(release) => {
            stage::stage(program, place, config, disk, &release).await?;
            tracing::warn!("version {} is staged", release.version);
            Ok(Some(release.version))
        }
        Found::Failed(release, refused) => {
            tracing::info!("version {} failed here before: {}", release.version, refused.why);
            Ok(None)
        }
        Found::Distrusted(why) => {
            tracing::warn!("no update: {why}");
            Ok(None)
        }
    }
}

/// Local time, in minutes since midnight.
fn minute_of_day() -> u16 {
    let now = jiff::ZonedDateTime::now();
    let minute = i32::from(now.hour()) * 60 + i32::from(now.minute());
    u16::try_from(minute).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_the_networks_fault_is_not_the_programs() {
        let good = |at| LabRecord { good_poll: Some(WallMs(at)), ..LabRecord::default() };
        let bad = |code: &str| LabRecord { fault_code: Some(code.to_owned()), ..good(1) };
        let first = good(1);
        let went = |lab: &LabRecord, rests| went(Some(&first), lab, rests).map(|(went, _)| went);
        assert_eq!(went(&good(1), false), None, "it was not polled since");
        assert_eq!(went(&good(2), false), Some(PollResult::Well));
        assert_eq!(went(&good(0), false), Some(PollResult::Well), "the clock was set back");
        for code in ["dns", "connect", "proxy", "http-503", "http-5xx", "http-429", "stalled"] {
            assert_eq!(went(&bad(code), false), Some(PollResult::Unreached), "{code}");
        }
        for code in ["bad-answer", "http-400", "login-needed", "tls", "http-404"] {
            assert_eq!(went(&bad(code), false), Some(PollResult::Failed), "{code}");
        }
        assert_eq!(went(&bad("http-400"), true), Some(PollResult::Well), "it rests");
        let before = super::went(Some(&bad("dns")), &bad("dns"), false);
        assert_eq!(before, None, "that was before the start");
    }
}
