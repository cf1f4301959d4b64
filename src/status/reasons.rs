//! What blocks the agent or is worth knowing, each with a stable code, a message and the remedy.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::health::{STUCK_AFTER, patience};
use super::report::{LabState, LabStatus, Note, Status};
use crate::model::ids::LabName;
use crate::model::local_time::local;
use crate::model::record::OrderState;
use crate::model::size::size;
use crate::model::time::WallMs;
use crate::model::time::in_words;

/// Missed notifications are reported for this long, unless one comes through.
const STILL_MISSING: Duration = Duration::from_hours(24);
/// Space is low below this multiple of what must stay free.
const SCARCE: u64 = 2;

/// A lab is reported as unreachable once Align has not answered for this many poll intervals.
const FAILED_POLLS: u32 = 3;

/// One reason for the agent's state of health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reason {
    /// Never changes for a given reason, so programs and translations can rely on it.
    pub code: Code,
    pub severity: Severity,
    /// The lab it concerns, if any.
    pub lab: Option<LabName>,
    /// In English.
    pub message: String,
    /// What the user can do, in English.
    pub hint: Option<String>,
    /// What failed, in the agent's words, for callers that translate the rest.
    #[serde(skip)]
    pub detail: Option<Note>,
    /// The number in the message, for the same callers.
    #[serde(skip)]
    pub figure: Option<Figure>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    Count(u64),
    Time(Duration),
    /// Free bytes.
    Free(u64),
}

/// How serious a reason is, in ascending order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something needs attention; the rest keeps working.
    Warning,
    /// No orders arrive until someone acts.
    Critical,
}

/// The kind of reason, the most urgent of equal severity first.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    JsonSchema,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Code {
    /// No agent runs on this state folder.
    AgentStopped,
    /// The agent's loop sends no heartbeat.
    AgentStuck,
    /// The journal cannot be read or written.
    Journal,
    /// The output is missing or cannot be written.
    OutputAway,
    /// Too little space: nothing is fetched.
    DiskFull,
    /// A lab has no login.
    LoginNeeded,
    /// A lab is paired with no account, or with another one.
    NotPaired,
    /// A lab has had no good poll for too long.
    NoGoodPoll,
    /// A lab's login still works, but Align no longer renews it.
    LoginEnds,
    /// Nothing can be downloaded from a server, or it asks for fewer requests.
    DownloadsPaused,
    /// Orders need attention.
    OrdersNeedAttention,
    /// Incomplete orders are held back until a user decides.
    OrdersHeld,
    /// Nothing was published for a lab for suspiciously many of its working hours.
    NoOrders,
    /// Space is running low.
    DiskLow,
    /// Align's last answer to a lab was missing or faulty.
    AlignUnreachable,
    /// The listener for scan notifications does not work.
    Listener,
    /// Polling found orders that no notification named.
    NotificationsMissing,
    /// An update was tried and rolled back.
    UpdateTakenBack,
    /// The journal was damaged or lost, and rebuilt from the output.
    JournalRebuilt,
    /// Anything else the user should know; see the message.
    Note,
    /// An update is on trial.
    UpdateOnTrial,
    /// A user paused a lab.
    Paused,
    /// Waiting for Align's first answer.
    Starting,
}

impl Code {
    pub const ALL: [Self; 23] = [
        Self::AgentStopped,
        Self::AgentStuck,
        Self::Journal,
        Self::OutputAway,
        Self::DiskFull,
        Self::LoginNeeded,
        Self::NotPaired,
        Self::NoGoodPoll,
        Self::LoginEnds,
        Self::DownloadsPaused,
        Self::OrdersNeedAttention,
        Self::OrdersHeld,
        Self::NoOrders,
        Self::DiskLow,
        Self::AlignUnreachable,
        Self::Listener,
        Self::NotificationsMissing,
        Self::UpdateTakenBack,
        Self::JournalRebuilt,
        Self::Note,
        Self::UpdateOnTrial,
        Self::Paused,
        Self::Starting,
    ];

    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the code with that name.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }

    /// The severity of the code, which never changes.
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
            Self::LoginEnds
            | Self::OrdersNeedAttention
            | Self::OrdersHeld
            | Self::NoOrders
            | Self::DownloadsPaused
            | Self::DiskLow
            | Self::AlignUnreachable
            | Self::Listener
            | Self::NotificationsMissing
            | Self::UpdateTakenBack
            | Self::JournalRebuilt
            | Self::Note => Severity::Warning,
            Self::UpdateOnTrial | Self::Paused | Self::Starting => Severity::Info,
        }
    }
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A status snapshot under evaluation.
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

    /// Returns all reasons, most urgent first. This is what the status page, `casedrop status`,
    /// `/health`, the metrics, the event log and mail report.
    pub(super) fn reasons(&self) -> Vec<Reason> {
        let agent = self.agent();
        let is_running = self.status.agent.running;
        let mut all: Vec<_> = agent
            .into_iter()
            .chain(self.journal())
            .chain(self.output())
            .chain(self.status.labs.iter().flat_map(|lab| self.lab(lab)))
            .chain(self.pauses())
            .chain(self.orders())
            .chain(self.held())
            .chain(self.notifications().filter(|_| is_running))
            .chain(self.update())
            .chain(self.notes())
            .collect();
        all.sort_by_key(|reason| (std::cmp::Reverse(reason.severity), reason.code));
        all
    }

    /// Whether a lab that should be polled has gone too long without an answer, counted from the
    /// agent's start at the earliest.
    pub(super) fn lacks_polls(&self, lab: &LabStatus) -> bool {
        let should = !matches!(lab.state, LabState::Paused) && !lab.state.needs_login();
        let good = lab.good_poll.as_deref().and_then(WallMs::from_rfc3339);
        should
            && self.status.agent.running
            && self.status.fault.is_none()
            && good.max(self.since).is_some_and(|last| self.now.after(last) > self.patience)
    }

    /// Whether Align answered so recently that only one or two polls can have failed.
    fn answered_lately(&self, lab: &LabStatus) -> bool {
        let interval = Duration::from_secs(self.status.poll_interval);
        let good = lab.good_poll.as_deref().and_then(WallMs::from_rfc3339);
        good.is_some_and(|good| self.now <= good.plus(interval * FAILED_POLLS))
    }

    fn agent(&self) -> Option<Reason> {
        let agent = &self.status.agent;
        if !agent.running {
            let hint = "start it: `casedrop service start`, or `casedrop run`";
            return Some(reason(Code::AgentStopped, "Casedrop is not running", hint));
        }
        let silent =
            agent.silent.map(Duration::from_secs).filter(|silent| *silent > STUCK_AFTER)?;
        let text = format!("the agent has given no sign of life for {}", in_words(silent));
        let hint = "restart the service; if that happens again, send a support bundle";
        Some(reason(Code::AgentStuck, text, hint).figure(Figure::Time(silent)))
    }

    fn journal(&self) -> Option<Reason> {
        let fault = self.status.fault.as_ref().or(self.status.journal.as_ref())?;
        Some(bare(Code::Journal, fault.message.clone()).said(fault.clone()))
    }

    fn output(&self) -> Vec<Reason> {
        let output = &self.status.output;
        let mut all = Vec::new();
        if let Some(why) = &output.waits {
            let hint = "bring the folder or its share back; the agent then continues automatically";
            let text = format!("the agent is waiting for the output folder: {why}");
            all.push(reason(Code::OutputAway, text, hint).detail(why));
        }
        if let Some(silent) = output.silent.filter(|_| output.waits.is_none() && output.hangs()) {
            let silent = in_words(Duration::from_secs(silent));
            let text = format!("the output folder has not answered for {silent}");
            let hint = "check the share and its server; the agent continues once it answers";
            all.push(reason(Code::OutputAway, text.clone(), hint).detail(&text));
        }
        let Some(free) = output.free else { return all };
        let text = format!("{} free, {} must stay free", size(free), size(output.min_free));
        let hint = "free some space on the output's volume, or set `retention.keep`";
        if output.is_full() {
            let text = format!("too little free space, so nothing is fetched: {text}");
            all.push(reason(Code::DiskFull, text, hint).figure(Figure::Free(free)));
        } else if free < output.min_free.saturating_mul(SCARCE) {
            let text = format!("free space is running low: {text}");
            all.push(reason(Code::DiskLow, text, hint).figure(Figure::Free(free)));
        }
        all
    }

    fn lab(&self, lab: &LabStatus) -> Vec<Reason> {
        let name = &lab.lab;
        let mut all = Vec::new();
        let of = |code: Code, text: &str| Reason {
            lab: Some(name.clone()),
            ..bare(code, format!("{name}: {text}"))
        };
        let fault = |code: Code, or: &str| match &lab.fault {
            Some(fault) => of(code, fault).detail(fault),
            None => of(code, or),
        };
        let run = || lab.todo.as_ref().map(|todo| format!("run `{todo}`"));
        match lab.state {
            LabState::LoginNeeded => {
                all.push(fault(Code::LoginNeeded, "a login is needed").hint(run()));
            }
            LabState::NotPaired => {
                all.push(fault(Code::NotPaired, "it is not paired").hint(run()));
            }
            LabState::Paused => all.push(of(Code::Paused, &rest(lab)).hint(run())),
            LabState::Polling | LabState::Unreachable | LabState::Waiting
                if self.lacks_polls(lab) =>
            {
                let why = lab.fault.as_deref().unwrap_or("Align has not answered");
                let since = lab.good_poll.as_deref().map_or_else(|| "never".to_owned(), local);
                let text = format!("no successful poll for too long (last: {since}): {why}");
                let hint = "check the network, the proxy and the firewall of this PC, and whether \
                            Align has an outage";
                let found = of(Code::NoGoodPoll, &text).hint(Some(hint.to_owned()));
                all.push(match &lab.fault {
                    Some(fault) => found.said(Note::new(fault, lab.hint.as_deref())),
                    None => found,
                });
            }
            LabState::Unreachable => {
                let or = "Align did not answer properly";
                let said = Note::new(lab.fault.as_deref().unwrap_or(or), lab.hint.as_deref());
                let mut found = fault(Code::AlignUnreachable, or).said(said);
                if self.answered_lately(lab) {
                    // The agent asks again, and mostly that is all.
                    found.severity = Severity::Info;
                }
                all.push(found);
            }
            LabState::Waiting => {
                if self.status.agent.running
                    && self.status.output.waits.is_none()
                    && self.status.fault.is_none()
                {
                    all.push(of(Code::Starting, "waiting for Align's first answer"));
                }
            }
            LabState::Polling => {}
        }
        if lab.login_ends.is_some() && !lab.state.needs_login() {
            all.push(fault(Code::LoginEnds, "its login ends soon").hint(run()));
        }
        if lab.state == LabState::Polling
            && let Some((worked, after)) = lab.worked_since.zip(self.status.no_orders_after)
            && worked > after
        {
            let worked = Duration::from_secs(worked);
            let text = format!("nothing was published for {} of working time", in_words(worked));
            let hint = "ask a doctor whether a case was sent, and look for it at myitero.com; if \
                        the lab gets few cases, raise `alerts.no_orders_after`";
            let found = of(Code::NoOrders, &text).figure(Figure::Time(worked));
            all.push(found.hint(Some(hint.to_owned())));
        }
        all
    }

    fn pauses(&self) -> impl Iterator<Item = Reason> {
        self.status.pauses.iter().map(|pause| {
            let hint = "usually nothing: the agent retries automatically. If it lasts, check the \
                        network and the proxy of this PC, and whether Align has an outage";
            let mut reason = reason(Code::DownloadsPaused, pause.cause(), hint);
            reason.detail = Some(Note::new(pause.message(), None));
            if !pause.outage {
                // The server asks for fewer requests, and gets them.
                reason.severity = Severity::Info;
            }
            reason
        })
    }

    fn orders(&self) -> Option<Reason> {
        let count = self.status.orders.get(OrderState::Attention.as_str()).copied();
        let count = count.unwrap_or(0);
        let text = match count {
            0 => return None,
            1 => "1 order needs attention".to_owned(),
            count => format!("{count} orders need attention"),
        };
        let hint = "`casedrop orders --state attention` lists them, each with what to do";
        let found = reason(Code::OrdersNeedAttention, text, hint);
        Some(found.figure(Figure::Count(count as u64)))
    }

    fn held(&self) -> Option<Reason> {
        let count = self.status.orders.get(OrderState::Held.as_str()).copied().unwrap_or(0);
        let text = match count {
            0 => return None,
            1 => "1 order is held back as incomplete".to_owned(),
            count => format!("{count} orders are held back as incomplete"),
        };
        let hint = "`casedrop orders --state held` lists them; look at each on the status page, \
                    then publish it anyway or ask the doctor for a new scan";
        let found = reason(Code::OrdersHeld, text, hint);
        Some(found.figure(Figure::Count(count as u64)))
    }

    fn notifications(&self) -> impl Iterator<Item = Reason> {
        let told = self.status.notifications.as_ref();
        let listener = told.and_then(|told| told.trouble.as_ref()).map(|why| {
            let text = format!("scan notifications cannot be received: {why}");
            let hint =
                "nothing at first: the agent keeps trying; until it works, orders are found by \
                 polling";
            reason(Code::Listener, text, hint).detail(why)
        });
        let time = |text: &Option<String>| text.as_deref().and_then(WallMs::from_rfc3339);
        let missing = told.filter(|told| {
            let missed = time(&told.last_missed);
            missed > time(&told.last)
                && missed.is_some_and(|missed| self.now.after(missed) <= STILL_MISSING)
        });
        let missing = missing.map(|told| {
            let text = format!(
                "polling found orders that no scan notification announced: {} so far",
                told.missed
            );
            let hint = "check notifications.public_url, the reverse proxy and firewall in front of \
                        it, and pair the labs again";
            reason(Code::NotificationsMissing, text, hint).figure(Figure::Count(told.missed))
        });
        listener.into_iter().chain(missing)
    }

    fn update(&self) -> Vec<Reason> {
        let Some(update) = &self.status.update else { return Vec::new() };
        // A note of the running program has more detail.
        let is_noted =
            |code: Code| self.status.notes.iter().any(|note| code_of(note) == Some(code));
        let taken_back = update.taken_back.as_ref().map(|version| {
            let text = format!("version {version} did not work and was rolled back");
            let hint = "`casedrop status` says why; `casedrop update --retry` tries it again";
            reason(Code::UpdateTakenBack, text, hint)
        });
        let trial = update.trial.as_ref().map(|version| {
            let text = format!("version {version} is on trial");
            let hint = "nothing: if it does not work, the old version comes back automatically";
            reason(Code::UpdateOnTrial, text, hint)
        });
        let all = taken_back.into_iter().chain(trial);
        all.filter(|reason| !is_noted(reason.code)).collect()
    }

    fn notes(&self) -> impl Iterator<Item = Reason> {
        self.status.notes.iter().map(|note| {
            let code = code_of(note).unwrap_or(Code::Note);
            bare(code, note.message.clone()).said(note.clone())
        })
    }
}

impl Reason {
    /// Whether a message is sent if it lasts: it needs attention, and it does not turn into another
    /// reason later.
    pub fn is_for_messages(&self) -> bool {
        // It heals, or becomes `no-good-poll`.
        self.severity >= Severity::Warning && self.code != Code::AlignUnreachable
    }

    fn hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }

    fn figure(self, figure: Figure) -> Self {
        Self { figure: Some(figure), ..self }
    }

    fn detail(self, said: &str) -> Self {
        Self { detail: Some(Note::new(said, None)), ..self }
    }

    /// Attaches what failed. The agent's own hint, if any, wins over the general one.
    fn said(self, said: Note) -> Self {
        Self { hint: said.hint.clone().or(self.hint), detail: Some(said), ..self }
    }
}

fn code_of(note: &Note) -> Option<Code> {
    Code::of_word(note.code.as_deref()?)
}

fn bare(code: Code, message: impl Into<String>) -> Reason {
    let (severity, message) = (code.severity(), message.into());
    Reason { code, severity, lab: None, message, hint: None, detail: None, figure: None }
}

fn reason(code: Code, message: impl Into<String>, hint: &str) -> Reason {
    Reason { hint: Some(hint.to_owned()), ..bare(code, message) }
}

fn rest(lab: &LabStatus) -> String {
    let paused = lab.paused.as_ref();
    let since =
        paused.map_or_else(String::new, |paused| format!(" since {}", local(&paused.since)));
    format!("paused{since}")
}
