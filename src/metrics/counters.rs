//! Counters of what has happened since the process started.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::family::{Family, Labels, Samples, Times};
use crate::engine::effects::Input;
use crate::model::fault::FaultClass;
use crate::model::findings::FindingCounts;
use crate::model::ids::{LabName, OrderKey};
use crate::model::manifest::Reason;
use crate::model::notice::Notice;
use crate::status::{LabStatus, Progress};

/// The result label of a poll that was answered.
const OK: &str = "ok";
/// At most this many orders are timed at once.
const MOST_TIMED: usize = 1000;

/// Counts what the agent does. Can be shared between threads.
#[derive(Debug, Default)]
pub struct Counters {
    progress: Arc<Progress>,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    labs: BTreeMap<LabName, OfLab>,
    pc_troubles: u64,
    journals_rebuilt: u64,
    /// Start times of the attempts in flight.
    began: BTreeMap<OrderKey, Duration>,
}

/// The counts of one lab.
#[derive(Debug, Clone, Default)]
struct OfLab {
    /// By result.
    polls: BTreeMap<&'static str, u64>,
    unreadable: u64,
    begun: u64,
    /// By reason.
    published: BTreeMap<&'static str, u64>,
    files: u64,
    bytes: u64,
    times: Times,
    unchanged: u64,
    regenerating: u64,
    /// By class.
    failures: BTreeMap<&'static str, u64>,
    removed: u64,
    held: u64,
    /// Findings in what was published or held back, by severity and code.
    findings: BTreeMap<(&'static str, String), u64>,
}

impl Counters {
    /// Starts at zero. Received bytes come from the progress of the downloads.
    pub fn new(progress: Arc<Progress>) -> Self {
        Self { progress, counted: Mutex::default() }
    }

    /// Counts a notice; `up` is the computer's uptime.
    pub fn tell(&self, notice: &Notice, up: Duration) {
        let mut counted = self.counted();
        match notice {
            Notice::Unreadable { lab, .. } => counted.lab(lab).unreadable += 1,
            Notice::Fetching { key } => {
                counted.lab(&key.lab).begun += 1;
                counted.begins(key, up);
            }
            Notice::Regenerating { key, .. } => {
                counted.lab(&key.lab).regenerating += 1;
                counted.began.remove(key);
            }
            // An attempt interrupted by a shutdown is not a failure.
            Notice::Failed { class: FaultClass::Cancelled, key, .. } => {
                counted.began.remove(key);
            }
            Notice::Failed { key, class, .. } => {
                *counted.lab(&key.lab).failures.entry(class.as_str()).or_default() += 1;
                counted.began.remove(key);
            }
            Notice::Held { key, findings, .. } => {
                counted.began.remove(key);
                let lab = counted.lab(&key.lab);
                lab.held += 1;
                lab.finds(findings);
            }
            Notice::Published { key, reason, files, bytes, findings, .. } => {
                let began = counted.began.remove(key);
                let lab = counted.lab(&key.lab);
                *lab.published.entry(reason.as_str()).or_default() += 1;
                lab.files += *files as u64;
                lab.bytes += bytes;
                lab.finds(findings);
                if let Some(took) = began.and_then(|began| up.checked_sub(began)) {
                    lab.times.add(took.as_secs_f64());
                }
            }
            Notice::Unchanged { key } => {
                counted.lab(&key.lab).unchanged += 1;
                counted.began.remove(key);
            }
            Notice::Removed { key } => counted.lab(&key.lab).removed += 1,
            Notice::PcTrouble { .. } => counted.pc_troubles += 1,
            Notice::JournalRebuilt(_) => counted.journals_rebuilt += 1,
            Notice::Connected { .. }
            | Notice::LabTrouble { .. }
            | Notice::Paused { .. }
            | Notice::Resumed { .. }
            | Notice::Polled { .. }
            | Notice::LeftAlone { .. }
            | Notice::NamedInVain { .. }
            | Notice::NotificationsMissing { .. }
            | Notice::Outage { .. }
            | Notice::OutageOver { .. }
            | Notice::PcHealed { .. }
            | Notice::PageAt { .. } => {}
        }
    }

    /// Counts what the engine receives: every poll, even one that failed the same way as the last,
    /// for which there is no new notice.
    pub fn see(&self, input: &Input) {
        let Input::Polled { lab, result, .. } = input else { return };
        let word = match result {
            Ok(_) => OK,
            Err(fault) if fault.class == FaultClass::Cancelled => return,
            Err(fault) => fault.class.as_str(),
        };
        *self.counted().lab(lab).polls.entry(word).or_default() += 1;
    }

    /// Returns all counters. The given labs get zeros where nothing has happened yet, so that the
    /// first event shows up as a change.
    pub(super) fn families(&self, known: &[LabStatus]) -> Vec<Family> {
        let received = self.progress.received();
        let counted = self.counted();
        let mut labs = counted.labs.clone();
        for lab in known.iter().map(|lab| &lab.lab).chain(received.keys()) {
            labs.entry(lab.clone()).or_default();
        }
        let of = |count: fn(&OfLab) -> u64| {
            labs.iter().map(move |(lab, of)| (label(lab), count(of))).collect::<Vec<_>>()
        };
        let classes = FaultClass::ALL.into_iter().filter(|class| *class != FaultClass::Cancelled);
        let classes: Vec<_> = classes.map(FaultClass::as_str).collect();
        let results: Vec<_> = [OK].into_iter().chain(classes.iter().copied()).collect();
        let reasons = Reason::ALL.map(Reason::as_str);
        let arrived = |lab: &LabName| received.get(lab).copied().unwrap_or(0);
        vec![
            Family::counters(
                "casedrop_polls_total",
                "Polls for ready orders, by result: ok, or the class of the fault.",
                by(&labs, "result", &results, |of| &of.polls),
            ),
            Family::counters(
                "casedrop_unreadable_entries_total",
                "Entries of Align's list that were unreadable and skipped.",
                of(|of| of.unreadable),
            ),
            Family::counters(
                "casedrop_downloads_begun_total",
                "Downloads of orders that were started, including repeated attempts.",
                of(|of| of.begun),
            ),
            Family::counters(
                "casedrop_downloaded_bytes_total",
                "Bytes received from Align, including those of interrupted downloads.",
                labs.keys().map(|lab| (label(lab), arrived(lab))),
            ),
            Family::counters(
                "casedrop_publications_total",
                "Revisions that were put into the hot folder, by reason.",
                by(&labs, "reason", &reasons, |of| &of.published),
            ),
            Family::counters(
                "casedrop_published_files_total",
                "Files of published revisions.",
                of(|of| of.files),
            ),
            Family::counters(
                "casedrop_published_bytes_total",
                "Bytes of published revisions.",
                of(|of| of.bytes),
            ),
            Family {
                name: "casedrop_publication_duration_seconds",
                help: "Time from the start of an order's download to its publication.",
                samples: Samples::Histogram(
                    labs.iter().map(|(lab, of)| (label(lab), of.times.clone())).collect(),
                ),
            },
            Family::counters(
                "casedrop_unchanged_orders_total",
                "Orders that were fetched again and had not changed.",
                of(|of| of.unchanged),
            ),
            Family::counters(
                "casedrop_regenerating_answers_total",
                "Answers that Align is still preparing an order's files.",
                of(|of| of.regenerating),
            ),
            Family::counters(
                "casedrop_failures_total",
                "Failed attempts to fetch an order, by the class of the fault.",
                by(&labs, "class", &classes, |of| &of.failures),
            ),
            Family::counters(
                "casedrop_removed_orders_total",
                "Orders that were removed from the output because of their age.",
                of(|of| of.removed),
            ),
            Family::counters(
                "casedrop_held_orders_total",
                "Orders that were held back as incomplete.",
                of(|of| of.held),
            ),
            Family::counters(
                "casedrop_findings_total",
                "Findings about the files of revisions that were published or held back, by code and severity.",
                labs.iter().flat_map(|(lab, of)| of.finding_samples(lab)),
            ),
            Family::counters(
                "casedrop_pc_troubles_total",
                "How often a problem of this PC started to keep the agent from working.",
                [(Labels::new(), counted.pc_troubles)],
            ),
            Family::counters(
                "casedrop_journals_rebuilt_total",
                "How often the journal was lost and rebuilt.",
                [(Labels::new(), counted.journals_rebuilt)],
            ),
        ]
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        // A panic elsewhere leaves one count behind at most.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OfLab {
    fn finds(&mut self, findings: &FindingCounts) {
        for one in &findings.0 {
            let count = self.findings.entry((one.severity.as_str(), one.code.clone()));
            *count.or_default() += u64::from(one.count);
        }
    }

    fn finding_samples(&self, lab: &LabName) -> Vec<(Labels, u64)> {
        let sample = |((severity, code), count): (&(&'static str, String), &u64)| {
            let mut labels = label(lab);
            labels.push(("code", code.clone()));
            labels.push(("severity", (*severity).to_owned()));
            (labels, *count)
        };
        self.findings.iter().map(sample).collect()
    }
}

impl Counted {
    fn lab(&mut self, lab: &LabName) -> &mut OfLab {
        self.labs.entry(lab.clone()).or_default()
    }

    fn begins(&mut self, key: &OrderKey, up: Duration) {
        // No notice ends an attempt that a shutdown interrupted.
        if self.began.len() >= MOST_TIMED {
            self.began.clear();
        }
        self.began.insert(key.clone(), up);
    }
}

/// Returns the labels that name a lab.
pub(super) fn label(lab: &LabName) -> Labels {
    vec![("lab", lab.as_str().to_owned())]
}

/// Counts by lab and one more label, with zeros for all of its values.
fn by(
    labs: &BTreeMap<LabName, OfLab>,
    what: &'static str,
    all: &[&'static str],
    counts: fn(&OfLab) -> &BTreeMap<&'static str, u64>,
) -> Vec<(Labels, u64)> {
    let of_lab = |(lab, of): (&LabName, &OfLab)| {
        let count = |word: &&'static str| {
            let mut labels = label(lab);
            labels.push((what, (*word).to_owned()));
            (labels, counts(of).get(word).copied().unwrap_or(0))
        };
        all.iter().map(count).collect::<Vec<_>>()
    };
    labs.iter().flat_map(of_lab).collect()
}
