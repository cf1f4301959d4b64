//! What needs attention, for the Windows event log: one entry when a problem starts, one when this
//! PC is well again, and nothing in between. Entries name labs, order numbers and folders, but no
//! people and no secrets.

#[cfg(windows)]
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[cfg(windows)]
pub use windows::{is_registered, register, unregister};

use crate::model::fault::{DISK_FULL, FaultClass};
use crate::model::ids::{LabName, OrderKey};
use crate::model::notice::Notice;
use crate::status::{self, Code, Reason};

/// Problems that end sooner are not reported.
const LASTS: Duration = Duration::from_mins(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Some or all work has stopped until someone acts.
    Error,
    /// A single thing needs attention.
    Warning,
    /// The problem is over.
    Information,
}

/// An entry of the event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Identifies the kind of entry, so that monitoring can filter by it.
    pub id: u16,
    pub severity: Severity,
    /// What happened and what to do.
    pub text: String,
}

impl Entry {
    /// A lab must be logged in or paired.
    pub const LOGIN: u16 = 101;
    /// A problem of this PC, such as a missing output.
    pub const PC: u16 = 102;
    /// No space left.
    pub const DISK_FULL: u16 = 103;
    /// An order needs attention.
    pub const ORDER: u16 = 104;
    /// The agent does not start because its config is invalid.
    pub const CONFIG: u16 = 105;
    /// An update failed and was rolled back.
    pub const UPDATE: u16 = 106;
    /// Any other lasting problem, with its code from `/health`.
    pub const REASON: u16 = 107;
    /// A problem of this PC is over.
    pub const HEALED: u16 = 110;
    /// The address of the status page, and where to find its setup code.
    pub const PAGE: u16 = 111;

    /// The agent could not start because of its config. `faults` is the output of `casedrop check`.
    pub fn config(faults: &str) -> Self {
        let text = format!("Casedrop cannot start: {faults}\n\nRun `casedrop check`.");
        Self { id: Self::CONFIG, severity: Severity::Error, text }
    }

    /// The agent ended on its own.
    pub fn ended(why: &str) -> Self {
        let text = format!("Casedrop stopped: {why}");
        Self { id: Self::PC, severity: Severity::Error, text }
    }

    /// A lasting problem.
    fn reason(reason: &Reason) -> Self {
        let severity = match reason.severity {
            status::Severity::Critical => Severity::Error,
            status::Severity::Warning | status::Severity::Info => Severity::Warning,
        };
        let hint = reason.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        let id = match reason.code {
            Code::LoginNeeded | Code::NotPaired => Self::LOGIN,
            Code::DiskFull => Self::DISK_FULL,
            _ => Self::REASON,
        };
        let text = format!("{}{hint} [{}]", reason.message, reason.code.as_str());
        Self { id, severity, text }
    }

    /// A new version was rolled back; `why` is a full sentence.
    pub fn rolled_back(version: &str, why: &str) -> Self {
        let text = format!(
            "Casedrop {version} did not work and was rolled back; the previous version is running. \
             {why}"
        );
        Self { id: Self::UPDATE, severity: Severity::Warning, text }
    }
}

/// A destination for entries.
pub trait Sink: Send {
    /// Writes an entry. One that cannot be written is lost, but the log has it too.
    fn write(&mut self, entry: &Entry);
}

/// The agent's event log. Writes nothing until it is begun.
#[derive(Default)]
pub struct EventLog(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    sink: Option<Box<dyn Sink>>,
    open: BTreeSet<Condition>,
    /// Lasting reasons that no notice reports.
    reasons: BTreeMap<(Code, Option<LabName>), Lasting>,
}

/// A reason that has been present at every check since.
struct Lasting {
    since: Duration,
    message: String,
    written: bool,
}

/// A condition that lasts until it is resolved.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Condition {
    Login(LabName),
    Pc(String),
    DiskFull,
    Order(OrderKey),
    Unknown(LabName, String),
}

impl EventLog {
    /// Starts writing to the system's event log, if there is one and Casedrop is registered with
    /// it.
    pub fn begin(&self) {
        self.inner().sink = system();
    }

    /// Starts writing to that sink.
    pub fn begin_with(&self, sink: Box<dyn Sink>) {
        self.inner().sink = Some(sink);
    }

    /// Processes a notice and writes an entry if it reports a new problem that needs attention.
    pub fn tell(&self, notice: &Notice) {
        let mut inner = self.inner();
        if inner.sink.is_none() {
            return;
        }
        if let Some(entry) = inner.entry(notice)
            && let Some(sink) = &mut inner.sink
        {
            sink.write(&entry);
        }
    }

    /// Whether entries are written anywhere.
    pub fn is_on(&self) -> bool {
        self.inner().sink.is_some()
    }

    /// Checks all current reasons; `now` is the computer's uptime. A lasting reason without an
    /// entry gets one.
    pub fn look(&self, reasons: &[Reason], now: Duration) {
        let mut inner = self.inner();
        let entries = inner.lasting(reasons, now);
        if let Some(sink) = &mut inner.sink {
            for entry in &entries {
                sink.write(entry);
            }
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere cannot leave it half updated.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes one entry from a process that is not (yet) an agent, if Casedrop is registered with the
/// system's event log.
pub fn write(entry: &Entry) {
    if let Some(mut sink) = system() {
        sink.write(entry);
    }
}

#[cfg(windows)]
fn system() -> Option<Box<dyn Sink>> {
    is_registered().then(|| Box::new(windows::SystemLog) as Box<dyn Sink>)
}

/// On other systems, the log goes to the system's journal anyway.
#[cfg(not(windows))]
fn system() -> Option<Box<dyn Sink>> {
    None
}

impl Inner {
    fn entry(&mut self, notice: &Notice) -> Option<Entry> {
        let (condition, id, severity) = match notice {
            Notice::LabTrouble { lab, class: FaultClass::Auth, .. } => {
                (Condition::Login(lab.clone()), Entry::LOGIN, Severity::Error)
            }
            Notice::PcTrouble { message, .. } => {
                (Condition::Pc(message.clone()), Entry::PC, Severity::Error)
            }
            Notice::JournalRebuilt(rebuilt) => {
                (Condition::Pc(rebuilt.to_string()), Entry::PC, Severity::Warning)
            }
            Notice::Failed { code, .. } if code == DISK_FULL => {
                (Condition::DiskFull, Entry::DISK_FULL, Severity::Error)
            }
            Notice::Failed { key, attention: true, .. } | Notice::Held { key, .. } => {
                (Condition::Order(key.clone()), Entry::ORDER, Severity::Warning)
            }
            Notice::NamedInVain { lab, rx, .. } => (
                Condition::Unknown(lab.clone(), rx.as_str().to_owned()),
                Entry::ORDER,
                Severity::Warning,
            ),
            // The code itself is never logged.
            Notice::PageAt { code: Some(_), .. } => {
                let (severity, text) = (Severity::Information, notice.to_string());
                return Some(Entry { id: Entry::PAGE, severity, text });
            }
            over => return self.over(over),
        };
        self.open.insert(condition).then(|| Entry { id, severity, text: notice.to_string() })
    }

    fn lasting(&mut self, reasons: &[Reason], now: Duration) -> Vec<Entry> {
        // Without the journal, the remaining reasons are unknown.
        if reasons.iter().any(|reason| reason.code == Code::Journal) {
            return Vec::new();
        }
        let mut entries = Vec::new();
        let mut before = std::mem::take(&mut self.reasons);
        for reason in reasons.iter().filter(|reason| reason.is_for_messages()) {
            let told = match (reason.code, &reason.lab) {
                // Notices report every order, and report this PC and updates at once.
                (
                    Code::OrdersNeedAttention
                    | Code::OrdersHeld
                    | Code::OutputAway
                    | Code::JournalRebuilt
                    | Code::UpdateTakenBack,
                    _,
                ) => continue,
                (Code::LoginNeeded | Code::NotPaired, Some(lab)) => {
                    self.open.contains(&Condition::Login(lab.clone()))
                }
                (Code::DiskFull, _) => self.open.contains(&Condition::DiskFull),
                _ => false,
            };
            let key = (reason.code, reason.lab.clone());
            let mut lasting = before.remove(&key).unwrap_or_else(|| Lasting {
                since: now,
                message: reason.message.clone(),
                written: told,
            });
            if !lasting.written && now.saturating_sub(lasting.since) >= LASTS {
                lasting.written = true;
                entries.push(Entry::reason(reason));
            }
            self.reasons.insert(key, lasting);
        }
        let over = before.into_iter().filter(|(_, lasting)| lasting.written);
        entries.extend(over.map(|((code, _), lasting)| Entry {
            id: Entry::HEALED,
            severity: Severity::Information,
            text: format!("Resolved: {} ({})", lasting.message, code.as_str()),
        }));
        entries
    }

    /// Resolves the conditions that a notice ends.
    fn over(&mut self, notice: &Notice) -> Option<Entry> {
        match notice {
            Notice::Connected { lab, .. } | Notice::Polled { lab, .. } => {
                self.open.remove(&Condition::Login(lab.clone()));
            }
            Notice::Published { key, .. } => {
                self.open.remove(&Condition::Order(key.clone()));
                self.open.remove(&Condition::DiskFull);
            }
            Notice::Unchanged { key } | Notice::Removed { key } => {
                self.open.remove(&Condition::Order(key.clone()));
            }
            Notice::PcHealed { message } => {
                let before = self.open.len();
                self.open.retain(|condition| !matches!(condition, Condition::Pc(_)));
                let text = message.clone();
                let healed = Entry { id: Entry::HEALED, severity: Severity::Information, text };
                return (self.open.len() < before).then_some(healed);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::record::Place;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<Entry>>>);

    impl Sink for Kept {
        fn write(&mut self, entry: &Entry) {
            self.0.lock().expect("sound").push(entry.clone());
        }
    }

    /// The ids of the entries that these notices produce.
    fn ids(notices: &[Notice]) -> Vec<u16> {
        let (log, kept) = (EventLog::default(), Kept::default());
        log.begin_with(Box::new(kept.clone()));
        for notice in notices {
            log.tell(notice);
        }
        let entries = kept.0.lock().expect("sound");
        entries.iter().map(|entry| entry.id).collect()
    }

    fn lab() -> LabName {
        "smile-lab".parse().expect("valid")
    }

    fn key(order: &str) -> OrderKey {
        let (account, order) = ("4711".parse().expect("valid"), order.parse().expect("valid"));
        OrderKey { lab: lab(), account, order }
    }

    fn lab_trouble(class: FaultClass) -> Notice {
        Notice::LabTrouble { lab: lab(), class, message: "not logged in".to_owned(), hint: None }
    }

    fn failed(order: &str, code: &str, attention: bool) -> Notice {
        Notice::Failed {
            key: key(order),
            class: FaultClass::Local,
            code: code.to_owned(),
            message: "it failed".to_owned(),
            hint: Some("do this".to_owned()),
            wait: None,
            attention,
        }
    }

    fn published(order: &str) -> Notice {
        Notice::Published {
            key: key(order),
            revision: 1,
            reason: crate::model::manifest::Reason::FirstScan,
            place: Place::Main,
            files: 1,
            bytes: 1,
            findings: crate::model::findings::FindingCounts::default(),
        }
    }

    fn pc(message: &str) -> Notice {
        Notice::PcTrouble { message: message.to_owned(), hint: None }
    }

    #[test]
    fn what_lasts_makes_one_entry_until_it_is_over() {
        let polled = Notice::Polled { lab: lab(), ready: 0, wanted: 0 };
        let needed = || lab_trouble(FaultClass::Auth);
        assert_eq!(ids(&[needed(), needed(), polled, needed()]), [Entry::LOGIN, Entry::LOGIN]);
        let full = |order| failed(order, "disk-full", false);
        let all = [full("1"), full("2"), full("1"), published("2"), full("1")];
        assert_eq!(ids(&all), [Entry::DISK_FULL, Entry::DISK_FULL]);
        let all = [
            failed("1", "zip-crc", true),
            failed("1", "zip-crc", true),
            published("2"),
            failed("1", "zip-crc", true),
            published("1"),
            failed("1", "zip-crc", true),
        ];
        assert_eq!(ids(&all), [Entry::ORDER, Entry::ORDER]);
    }

    #[test]
    fn what_heals_by_itself_or_is_no_trouble_makes_none() {
        let all = [
            lab_trouble(FaultClass::Transient),
            failed("1", "target-busy", false),
            Notice::Fetching { key: key("1") },
            published("1"),
            Notice::PcHealed { message: "nothing was wrong".to_owned() },
        ];
        assert_eq!(ids(&all), [0_u16; 0]);
    }

    #[test]
    fn the_end_of_a_trouble_of_this_pc_is_told_too() {
        let healed = || Notice::PcHealed { message: "the output is back".to_owned() };
        let all = [pc("the output is gone"), pc("the output is gone"), healed(), healed()];
        assert_eq!(ids(&all), [Entry::PC, Entry::HEALED]);
    }

    #[test]
    fn where_the_code_for_the_set_up_lies_is_told_and_not_the_code() {
        let page = |code: Option<&str>| Notice::PageAt {
            url: "http://127.0.0.1:8780/".to_owned(),
            code: code.map(Into::into),
        };
        assert_eq!(ids(&[page(Some("state/set-up-code.txt")), page(None)]), [Entry::PAGE]);
        let entry = Inner::default().entry(&page(Some("state/set-up-code.txt"))).expect("an entry");
        assert!(entry.text.contains("set-up-code.txt"), "{}", entry.text);
    }

    #[test]
    fn an_entry_says_what_happened_and_what_to_do() {
        let entry = Inner::default().entry(&failed("17", "zip-crc", true)).expect("an entry");
        assert_eq!(entry.severity, Severity::Warning);
        assert_eq!(entry.text, "smile-lab/4711/17: it failed (do this), needs attention");
        assert!(Entry::config("2 faults").text.contains("casedrop check"));
        assert!(Entry::rolled_back("1.2.3", "It did not start.").text.contains("1.2.3"));
    }

    #[test]
    fn a_reason_that_lasts_makes_one_entry_and_one_when_it_is_over() {
        let mut picture = status::testing::well();
        picture.no_orders_after = Some(60);
        let silence = picture.reasons();
        assert_eq!(silence[0].code, Code::NoOrders);
        let mut log = Inner::default();
        let mut look = |reasons: &[Reason], minutes: u64| {
            let entries = log.lasting(reasons, Duration::from_mins(minutes));
            entries.into_iter().map(|entry| (entry.id, entry.text)).collect::<Vec<_>>()
        };
        assert_eq!(look(&silence, 0), []);
        assert_eq!(look(&silence, 14), []);
        let told = look(&silence, 15);
        assert_eq!(told[0].0, Entry::REASON);
        assert!(told[0].1.starts_with(&silence[0].message), "the words of /health: {told:?}");
        assert!(told[0].1.ends_with("[no-orders]"), "{told:?}");
        assert_eq!(look(&silence, 60), []);
        assert_eq!(look(&[], 61)[0].0, Entry::HEALED);
        assert_eq!(look(&silence, 62), []);
        assert_eq!(look(&[], 63), [], "it was never told");
    }

    #[test]
    fn nothing_is_kept_before_it_begins() {
        let (log, kept) = (EventLog::default(), Kept::default());
        log.tell(&pc("the output is gone"));
        log.begin_with(Box::new(kept.clone()));
        log.tell(&pc("the output is gone"));
        assert_eq!(kept.0.lock().expect("sound").len(), 1);
    }
}
