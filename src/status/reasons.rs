//! What stands in the agent's way, or is good to know, each with a stable code, words, and the way out.

use std::time::Duration;

use serde::Serialize;

use super::health::{STUCK_AFTER, patience};
use super::report::{LabState, LabStatus, Status};
use crate::model::ids::LabName;
use crate::model::record::OrderState;
use crate::model::time::WallMs;
use crate::sync::notice::{in_words, size};

/// Notifications that were missed are told for so long, unless one comes through.
const STILL_MISSING: Duration = Duration::from_hours(24);
/// Room is getting scarce where there is less than so many times what must stay free.
const SCARCE: u64 = 2;

/// One thing that there is to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// What kind of thing: the same for ever, so that programs and translations can hold on to it.
    pub code: Code,
    /// How grave it is.
    pub severity: Severity,
    /// Which lab, if it concerns one.
    pub lab: Option<LabName>,
    /// What there is to know, in English.
    pub message: String,
    /// What a person can do, in English.
    pub hint: Option<String>,
}

/// How grave a reason is. The gravest is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something waits for a person; the rest goes on.
    Warning,
    /// Orders do not arrive until somebody acts.
    Critical,
}

/// What kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// No agent runs on this state folder.
    AgentStopped,
    /// The agent's loop gives no sign of life.
    AgentStuck,
    /// The journal cannot be read.
    Journal,
    /// The output is away or cannot be written.
    OutputAway,
    /// Too little room: nothing is fetched.
    DiskFull,
    /// Little room is left.
    DiskLow,
    /// A lab has no login.
    LoginNeeded,
    /// A lab is paired with no account, or with another one.
    NotPaired,
    /// A lab's Align was not reached for too long.
    NoGoodPoll,
    /// Align did not answer a lab as it should, the last time.
    AlignUnreachable,
    /// Nothing was published for a lab for suspiciously many of its working hours.
    NoOrders,
    /// Orders wait for a person.
    OrdersNeedAttention,
    /// The listener for scan notifications does not work.
    Listener,
    /// Polling found orders that no notification named.
    NotificationsMissing,
    /// An update was tried out and taken back.
    UpdateTakenBack,
    /// An update is on trial.
    UpdateOnTrial,
    /// Somebody lets a lab rest.
    Paused,
    /// The first answer of Align is waited for.
    Starting,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 18] = [
        Self::AgentStopped,
        Self::AgentStuck,
        Self::Journal,
        Self::OutputAway,
        Self::DiskFull,
        Self::DiskLow,
        Self::LoginNeeded,
        Self::NotPaired,
        Self::NoGoodPoll,
        Self::AlignUnreachable,
        Self::NoOrders,
        Self::OrdersNeedAttention,
        Self::Listener,
        Self::NotificationsMissing,
        Self::UpdateTakenBack,
        Self::UpdateOnTrial,
        Self::Paused,
        Self::Starting,
    ];

    /// The word for it, as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AgentStopped => "agent-stopped",
            Self::AgentStuck => "agent-stuck",
            Self::Journal => "journal",
            Self::OutputAway => "output-away",
            Self::DiskFull => "disk-full",
            Self::DiskLow => "disk-low",
            Self::LoginNeeded => "login-needed",
            Self::NotPaired => "not-paired",
            Self::NoGoodPoll => "no-good-poll",
            Self::AlignUnreachable => "align-unreachable",
            Self::NoOrders => "no-orders",
            Self::OrdersNeedAttention => "orders-need-attention",
            Self::Listener => "listener",
            Self::NotificationsMissing => "notifications-missing",
            Self::UpdateTakenBack => "update-taken-back",
            Self::UpdateOnTrial => "update-on-trial",
            Self::Paused => "paused",
            Self::Starting => "starting",
        }
    }

    /// How grave it is, always.
    pub fn severity(self) -> Severity {
        match self {
            Self::AgentStopped
            | Self::AgentStuck
            | Self::Journal
            | Self::OutputAway
            | Self::DiskFull
            | Self::LoginNeeded
            | Self::NotPaired
            | Self::NoGoodPoll => Severity::Critical,
            Self::DiskLow
            | Self::AlignUnreachable
            | Self::NoOrders
            | Self::OrdersNeedAttention
            | Self::Listener
            | Self::NotificationsMissing
            | Self::UpdateTakenBack => Severity::Warning,
            Self::UpdateOnTrial | Self::Paused | Self::Starting => Severity::Info,
        }
    }
}

/// A look at a picture.
pub(super) struct Look<'a> {
    status: &'a Status,
    now: WallMs,
    since: Option<WallMs>,
    patience: Duration,
}

impl<'a> Look<'a> {
    pub(super) fn new(status: &'a Status, now: WallMs) -> Self {
        let since = status.agent.since.as_deref().and_then(WallMs::from_rfc3339);
        Self { status, now, since, patience: patience(status) }
    }

    /// All that there is to know, the gravest first.
    pub(super) fn reasons(&self) -> Vec<Reason> {
        let agent = self.agent();
        let is_running = self.status.agent.running;
        let mut all: Vec<_> = agent
            .into_iter()
            .chain(self.journal())
            .chain(self.output())
            .chain(self.status.labs.iter().flat_map(|lab| self.lab(lab)))
            .chain(self.orders())
            .chain(self.notifications().filter(|_| is_running))
            .chain(self.update())
            .collect();
        all.sort_by_key(|reason| std::cmp::Reverse(reason.severity));
        all
    }

    /// Whether a lab that should be polled has had no answer for too long, by the time that the agent
    /// has been running at the most.
    pub(super) fn lacks_polls(&self, lab: &LabStatus) -> bool {
        let should = !matches!(lab.state, LabState::Paused) && !lab.state.needs_login();
        let good = lab.good_poll.as_deref().and_then(WallMs::from_rfc3339);
        should
            && self.status.agent.running
            && self.status.fault.is_none()
            && good.max(self.since).is_some_and(|last| self.now.after(last) > self.patience)
    }

    fn agent(&self) -> Option<Reason> {
        let agent = &self.status.agent;
        if !agent.running {
            let hint = "start it: `casedrop service start`, or `casedrop run`";
            return Some(reason(Code::AgentStopped, "no agent runs", hint));
        }
        let silent =
            agent.silent.map(Duration::from_secs).filter(|silent| *silent > STUCK_AFTER)?;
        let text = format!("the agent has given no sign of life for {}", in_words(silent));
        let hint = "start the service anew; if that happens again, send a support bundle";
        Some(reason(Code::AgentStuck, text, hint))
    }

    fn journal(&self) -> Option<Reason> {
        let fault = self.status.fault.as_ref()?;
        Some(Reason { hint: fault.hint.clone(), ..bare(Code::Journal, fault.message.clone()) })
    }

    fn output(&self) -> Vec<Reason> {
        let output = &self.status.output;
        let mut all = Vec::new();
        if let Some(why) = &output.waits {
            let hint = "bring the folder or its share back; the agent goes on by itself then";
            let text = format!("the agent waits for the output folder: {why}");
            all.push(reason(Code::OutputAway, text, hint));
        }
        let Some(free) = output.free else { return all };
        let text = format!("{} free, {} must stay free", size(free), size(output.min_free));
        let hint = "make room on the output's volume, or set `retention.keep`";
        if output.is_full() {
            let text = format!("too little room, so nothing is fetched: {text}");
            all.push(reason(Code::DiskFull, text, hint));
        } else if free < output.min_free.saturating_mul(SCARCE) {
            all.push(reason(Code::DiskLow, format!("room is getting scarce: {text}"), hint));
        }
        all
    }

    fn lab(&self, lab: &LabStatus) -> Vec<Reason> {
        let name = &lab.lab;
        let mut all = Vec::new();
        let mut add = |code: Code, text: String, hint: Option<String>| {
            let message = format!("{name}: {text}");
            all.push(Reason { lab: Some(name.clone()), hint, ..bare(code, message) });
        };
        let fault = |or: &str| lab.fault.clone().unwrap_or_else(|| or.to_owned());
        let run = || lab.todo.as_ref().map(|todo| format!("run `{todo}`"));
        match lab.state {
            LabState::LoginNeeded => add(Code::LoginNeeded, fault("a login is needed"), run()),
            LabState::NotPaired => add(Code::NotPaired, fault("it is not paired"), run()),
            LabState::Paused => add(Code::Paused, rest(lab), run()),
            LabState::Polling | LabState::Unreachable | LabState::Waiting
                if self.lacks_polls(lab) =>
            {
                let why = fault("the agent had no answer");
                let since = lab.good_poll.as_deref().unwrap_or("never");
                let text = format!("no good poll for too long (the last: {since}): {why}");
                let hint = "look at the network, the proxy and the firewall of this PC, and \
                            whether Align has an outage";
                add(Code::NoGoodPoll, text, lab.hint.clone().or_else(|| Some(hint.to_owned())));
            }
            LabState::Unreachable => {
                let text = fault("Align did not answer as it should");
                add(Code::AlignUnreachable, text, lab.hint.clone());
            }
            LabState::Waiting => {
                if self.status.agent.running
                    && self.status.output.waits.is_none()
                    && self.status.fault.is_none()
                {
                    add(Code::Starting, "waits for Align's first answer".to_owned(), None);
                }
            }
            LabState::Polling => {}
        }
        if lab.state == LabState::Polling
            && let Some((worked, after)) = lab.worked_since.zip(self.status.no_orders_after)
            && worked > after
        {
            let worked = in_words(Duration::from_secs(worked));
            let text = format!("nothing was published for {worked} of working time");
            let hint = "ask a dentist whether a case was sent, and look at it in MyiTero; with few \
                        cases, raise `alerts.no_orders_after`";
            add(Code::NoOrders, text, Some(hint.to_owned()));
        }
        all
    }

    fn orders(&self) -> Option<Reason> {
        let count = self.status.orders.get(OrderState::Attention.as_str()).copied();
        let text = match count.unwrap_or(0) {
            0 => return None,
            1 => "1 order needs a person".to_owned(),
            count => format!("{count} orders need a person"),
        };
        let hint = "`casedrop orders --state attention` lists them, each with what to do";
        Some(reason(Code::OrdersNeedAttention, text, hint))
    }

    fn notifications(&self) -> impl Iterator<Item = Reason> {
        let told = self.status.notifications.as_ref();
        let listener = told.and_then(|told| told.trouble.as_ref()).map(|why| {
            let text = format!("scan notifications cannot be received: {why}");
            let hint = "mend it at leisure: until then orders are found by polling";
            reason(Code::Listener, text, hint)
        });
        let time = |text: &Option<String>| text.as_deref().and_then(WallMs::from_rfc3339);
        let missing = told.filter(|told| {
            let missed = time(&told.last_missed);
            missed > time(&told.last)
                && missed.is_some_and(|missed| self.now.after(missed) <= STILL_MISSING)
        });
        let missing = missing.map(|told| {
            let text = format!(
                "polling found orders that no scan notification named, {} so far",
                told.missed
            );
            let hint = "check notifications.public_url, the reverse proxy and firewall in front of \
                        it, and pair the labs again";
            reason(Code::NotificationsMissing, text, hint)
        });
        listener.into_iter().chain(missing)
    }

    fn update(&self) -> Vec<Reason> {
        let Some(update) = &self.status.update else { return Vec::new() };
        let taken_back = update.taken_back.as_ref().map(|version| {
            let text = format!("version {version} was tried out and taken back");
            let hint = "`casedrop status` says why; `casedrop update --retry` tries it again";
            reason(Code::UpdateTakenBack, text, hint)
        });
        let trial = update.trial.as_ref().map(|version| {
            let text = format!("version {version} is on trial");
            let hint = "nothing: if it does not work, the old version comes back by itself";
            reason(Code::UpdateOnTrial, text, hint)
        });
        taken_back.into_iter().chain(trial).collect()
    }
}

fn bare(code: Code, message: impl Into<String>) -> Reason {
    let message = message.into();
    Reason { code, severity: code.severity(), lab: None, message, hint: None }
}

fn reason(code: Code, message: impl Into<String>, hint: &str) -> Reason {
    Reason { hint: Some(hint.to_owned()), ..bare(code, message) }
}

fn rest(lab: &LabStatus) -> String {
    let paused = lab.paused.as_ref();
    let since = paused.map_or_else(String::new, |paused| format!(" since {}", paused.since));
    format!("it rests{since}, as somebody wanted")
}
