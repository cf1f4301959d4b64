//! Judges whether the version on trial is healthy, and how long to wait before restarting one that
//! died. Pure: the keeper supplies the time and the events.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::protocol::{ChildMessage, PollResult};

/// The time limits of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// It must report ready within this time.
    pub ready: Duration,
    /// It must not be silent for longer than this.
    pub silence: Duration,
    /// Maximum interval between heartbeats for the work to count.
    pub beat: Duration,
    /// It must work this long without interruption.
    pub proof: Duration,
    /// It must have passed by then.
    pub limit: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ready: Duration::from_mins(1),
            silence: Duration::from_mins(1),
            beat: Duration::from_secs(15),
            proof: Duration::from_mins(2),
            limit: Duration::from_mins(10),
        }
    }
}

/// The longest step between two looks of the keeper, unless the PC slept or was far too busy. Time
/// beyond it is not held against the child.
pub const STEP: Duration = Duration::from_secs(5);

/// Time as the child experienced it: it stands still while the keeper does not look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Awake {
    last: Option<Duration>,
    sum: Duration,
}

impl Awake {
    /// Returns the elapsed time; `now` comes from a monotonic clock.
    pub fn at(&mut self, now: Duration) -> Duration {
        let gap = now.saturating_sub(self.last.unwrap_or(now));
        self.last = Some(now);
        self.sum += gap.min(STEP);
        self.sum
    }
}

/// The judgment on a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Not known yet.
    Open,
    Healthy,
    Bad(Why),
}

/// What is wrong with a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The system could not start it.
    CannotStart(String),
    /// It ended, with its exit status if it had one.
    Ended(Option<i32>),
    /// It did not report ready.
    NotReady(Duration),
    /// It sent no heartbeat.
    Silent(Duration),
    /// It did not become healthy in time.
    Slow {
        /// The time it had.
        limit: Duration,
        /// What it lacked.
        lacks: String,
    },
    /// It was started twice, and both trials were cut short.
    Twice,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CannotStart(error) => write!(f, "it could not be started: {error}"),
            Self::Ended(Some(status)) => write!(f, "it ended on its own with status {status}"),
            Self::Ended(None) => f.write_str("it crashed"),
            Self::NotReady(limit) => write!(f, "it was not ready after {} s", limit.as_secs_f64()),
            Self::Silent(limit) => {
                write!(f, "it gave no sign of life for {} s", limit.as_secs_f64())
            }
            Self::Slow { limit, lacks } => {
                write!(f, "it was not healthy after {} s: {lacks}", limit.as_secs_f64())
            }
            Self::Twice => f.write_str(
                "it was started twice, and both times this PC or the program was stopped before it \
                 could prove that it works",
            ),
        }
    }
}

/// A version on trial, from its start.
#[derive(Debug, Clone)]
pub struct Trial {
    limits: Limits,
    awake: Awake,
    ready: bool,
    heard: Duration,
    /// Whether it last reported being at work.
    at_work: bool,
    /// Since when it has worked without interruption.
    works: Option<Duration>,
    /// The labs that must have a good poll, with what is known about them.
    labs: BTreeMap<String, Lab>,
}

#[derive(Debug, Clone, Default)]
struct Lab {
    passed: bool,
    /// Whether its last poll did not get through, which may be due to this version or to the
    /// network.
    unreached: bool,
    /// Why its last poll failed. Only a good poll clears it.
    failed: Option<String>,
}

impl Trial {
    /// Begins the trial of a version just started. These labs had good polls before.
    pub fn begin(limits: Limits, labs: impl IntoIterator<Item = String>, now: Duration) -> Self {
        let mut awake = Awake::default();
        let heard = awake.at(now);
        let labs = labs.into_iter().map(|lab| (lab, Lab::default())).collect();
        Self { limits, awake, ready: false, heard, at_work: false, works: None, labs }
    }

    /// Records a message of the child.
    pub fn said(&mut self, now: Duration, said: &ChildMessage) -> Verdict {
        let at = self.awake.at(now);
        if let Verdict::Bad(why) = self.judge(at) {
            return Verdict::Bad(why);
        }
        if at.saturating_sub(self.heard) > self.limits.beat {
            self.works = self.at_work.then_some(at);
        }
        self.heard = at;
        match said {
            ChildMessage::Ready => self.ready = true,
            ChildMessage::AtWork { is: true } => {
                self.at_work = true;
                self.works = self.works.or(Some(at));
            }
            ChildMessage::AtWork { is: false } | ChildMessage::Stopping { .. } => {
                self.at_work = false;
                self.works = None;
            }
            ChildMessage::Polled { lab, went, why } => {
                if let Some(lab) = self.labs.get_mut(lab) {
                    match went {
                        PollResult::Well => *lab = Lab { passed: true, ..Lab::default() },
                        PollResult::Unreached => lab.unreached = true,
                        PollResult::Failed => {
                            let why = why.clone().unwrap_or_else(|| "its poll failed".to_owned());
                            *lab = Lab { failed: Some(why), ..Lab::default() };
                        }
                    }
                }
            }
            ChildMessage::Alive | ChildMessage::Doing { .. } | ChildMessage::Restart => {}
        }
        self.judge(at)
    }

    /// Records that time has passed.
    pub fn tick(&mut self, now: Duration) -> Verdict {
        let at = self.awake.at(now);
        self.judge(at)
    }

    fn judge(&self, at: Duration) -> Verdict {
        let limits = &self.limits;
        if !self.ready && at > limits.ready {
            return Verdict::Bad(Why::NotReady(limits.ready));
        }
        let silent = at.saturating_sub(self.heard);
        if silent > limits.silence && self.ready {
            return Verdict::Bad(Why::Silent(limits.silence));
        }
        let lacks = self.lacks(at, silent);
        match lacks {
            None => Verdict::Healthy,
            Some(lacks) if at > limits.limit => {
                Verdict::Bad(Why::Slow { limit: limits.limit, lacks })
            }
            Some(_) => Verdict::Open,
        }
    }

    /// Returns what it still lacks to be healthy, if anything.
    fn lacks(&self, at: Duration, silent: Duration) -> Option<String> {
        let works = self.works.filter(|_| self.ready && silent <= self.limits.beat);
        if works.is_none_or(|since| at.saturating_sub(since) < self.limits.proof) {
            return Some("it did not work without interruption".to_owned());
        }
        // It may still show until the end of the trial that it can get through.
        let is_last = at > self.limits.limit;
        let excused = |lab: &Lab| is_last && lab.unreached && lab.failed.is_none();
        let (name, lab) = self.labs.iter().find(|(_, lab)| !lab.passed && !excused(lab))?;
        Some(match &lab.failed {
            Some(why) => format!("lab {name}, whose polls worked before: {why}"),
            None if lab.unreached => format!("lab {name} could not be reached so far"),
            None => format!("lab {name} was not polled"),
        })
    }
}

/// The deaths of a version that is not on trial.
#[derive(Debug, Clone, Default)]
pub struct Deaths {
    quick: u32,
}

/// A child that lived this long did not die because of its start.
pub const LASTING: Duration = Duration::from_mins(10);
/// After this many quick deaths in a row, the service manager decides what to do.
pub const DEATHS_MAX: u32 = 8;
/// The longest wait between two starts.
const WAIT_MAX: Duration = Duration::from_mins(1);

impl Deaths {
    /// Records a death after that lifetime. Returns how long to wait before the restart; `None`: do
    /// not restart.
    pub fn died(&mut self, lasted: Duration) -> Option<Duration> {
        if lasted >= LASTING {
            self.quick = 0;
        }
        self.quick += 1;
        if self.quick >= DEATHS_MAX {
            return None;
        }
        Some(Duration::from_secs(1_u64 << (self.quick - 1).min(10)).min(WAIT_MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Sends heartbeats and work reports every second of a range.
    fn work(trial: &mut Trial, seconds: std::ops::Range<u64>) -> Verdict {
        let mut verdict = Verdict::Open;
        for second in seconds {
            trial.said(at(second), &ChildMessage::AtWork { is: true });
            verdict = trial.said(at(second), &ChildMessage::Alive);
            if verdict != Verdict::Open {
                break;
            }
        }
        verdict
    }

    fn started(labs: &[&str]) -> Trial {
        let labs = labs.iter().map(|lab| (*lab).to_owned());
        let mut trial = Trial::begin(Limits::default(), labs, at(0));
        assert_eq!(trial.said(at(0), &ChildMessage::Ready), Verdict::Open);
        trial
    }

    fn polled(lab: &str, went: PollResult) -> ChildMessage {
        ChildMessage::Polled { lab: lab.to_owned(), went, why: None }
    }

    #[test]
    fn who_works_for_two_minutes_is_healthy() {
        let mut trial = started(&[]);
        assert_eq!(work(&mut trial, 1..121), Verdict::Open);
        assert_eq!(work(&mut trial, 121..122), Verdict::Healthy);
    }

    #[test]
    fn who_never_says_a_word_or_falls_silent_is_not() {
        let mut trial = Trial::begin(Limits::default(), [], at(0));
        let verdict = (1..100).map(|s| trial.tick(at(s))).find(|v| *v != Verdict::Open);
        assert_eq!(verdict, Some(Verdict::Bad(Why::NotReady(at(60)))));
        let mut trial = started(&[]);
        assert_eq!(work(&mut trial, 1..100), Verdict::Open);
        let verdict = (100..200).map(|s| trial.tick(at(s))).find(|v| *v != Verdict::Open);
        assert_eq!(verdict, Some(Verdict::Bad(Why::Silent(at(60)))));
    }

    #[test]
    fn a_break_in_the_work_or_the_signs_of_life_counts_from_the_start() {
        let mut trial = started(&[]);
        work(&mut trial, 1..100);
        trial.said(at(100), &ChildMessage::AtWork { is: false });
        assert_eq!(work(&mut trial, 101..221), Verdict::Open);
        let mut trial = started(&[]);
        work(&mut trial, 1..100);
        for second in 100..120 {
            trial.tick(at(second));
        }
        assert_eq!(work(&mut trial, 120..240), Verdict::Open);
        assert_eq!(work(&mut trial, 240..242), Verdict::Healthy);
    }

    #[test]
    fn labs_must_be_polled_well_or_be_out_of_reach() {
        for (went, passes) in
            [(PollResult::Well, true), (PollResult::Unreached, true), (PollResult::Failed, false)]
        {
            let mut trial = started(&["a", "b"]);
            trial.said(at(1), &polled("a", PollResult::Well));
            trial.said(at(1), &polled("c", PollResult::Failed));
            assert_eq!(work(&mut trial, 1..200), Verdict::Open, "b was not polled");
            trial.said(at(200), &polled("b", went));
            let verdict = work(&mut trial, 200..600);
            assert_eq!(
                verdict == Verdict::Healthy,
                went == PollResult::Well,
                "{went:?}: {verdict:?}"
            );
            let verdict = work(&mut trial, 600..700);
            assert_eq!(verdict == Verdict::Healthy, passes, "{went:?}: {verdict:?}");
        }
        // A failed poll is not excused by a network that fails next.
        let mut trial = started(&["a"]);
        trial.said(at(1), &polled("a", PollResult::Failed));
        trial.said(at(2), &polled("a", PollResult::Unreached));
        let verdict = work(&mut trial, 3..700);
        assert!(
            matches!(&verdict, Verdict::Bad(Why::Slow { lacks, .. }) if lacks.contains("lab a"))
        );
        trial = started(&["a"]);
        trial.said(at(1), &polled("a", PollResult::Failed));
        trial.said(at(2), &polled("a", PollResult::Well));
        assert_eq!(work(&mut trial, 3..700), Verdict::Healthy);
    }

    #[test]
    fn a_pc_that_slept_is_not_a_version_that_hangs() {
        let mut trial = started(&[]);
        assert_eq!(work(&mut trial, 1..60), Verdict::Open);
        assert_eq!(trial.tick(at(9000)), Verdict::Open);
        assert_eq!(work(&mut trial, 9001..9054), Verdict::Open, "sleep proves nothing");
        assert_eq!(work(&mut trial, 9054..9070), Verdict::Healthy);
    }

    #[test]
    fn who_dies_again_and_again_is_given_up_and_who_lived_long_is_not() {
        let mut deaths = Deaths::default();
        let waits: Vec<_> =
            std::iter::from_fn(|| deaths.died(at(5))).map(|w| w.as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60]);
        let mut deaths = Deaths::default();
        assert!((0..100).all(|_| deaths.died(LASTING) == Some(at(1))));
    }

    #[derive(Debug, Clone)]
    enum Event {
        Tick,
        ChildMessage(ChildMessage),
    }

    fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
        let lab = prop_oneof![Just("a"), Just("b"), Just("x")];
        let went = prop_oneof![
            Just(PollResult::Well),
            Just(PollResult::Unreached),
            Just(PollResult::Failed)
        ];
        let event = prop_oneof![
            3 => Just(Event::Tick),
            2 => Just(Event::ChildMessage(ChildMessage::Alive)),
            1 => Just(Event::ChildMessage(ChildMessage::Ready)),
            3 => Just(Event::ChildMessage(ChildMessage::AtWork { is: true })),
            1 => Just(Event::ChildMessage(ChildMessage::AtWork { is: false })),
            2 => (lab, went).prop_map(|(lab, went)| Event::ChildMessage(polled(lab, went))),
        ];
        // Seconds until the event; now and then a long sleep.
        let wait = prop_oneof![9 => 0_u64..4, 1 => 0_u64..100_000];
        proptest::collection::vec((wait, event), 0..600)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

        /// Whatever happens, a version is healthy only after meeting every requirement, and each
        /// trial ends in time.
        #[test]
        fn no_trial_is_passed_unproven_and_none_goes_on_for_ever(events in events()) {
            let limits = Limits { proof: at(20), limit: at(100), ..Limits::default() };
            let labs = ["a".to_owned(), "b".to_owned()];
            let mut trial = Trial::begin(limits, labs, at(0));
            let (mut now, mut awake, mut ready) = (0_u64, 0_u64, false);
            let mut works_since = None;
            let mut polls = BTreeMap::from([("a", (None, false)), ("b", (None, false))]);
            for (wait, event) in events {
                now += wait;
                awake += wait.min(STEP.as_secs());
                let verdict = match &event {
                    Event::Tick => trial.tick(at(now)),
                    Event::ChildMessage(said) => trial.said(at(now), said),
                };
                match &event {
                    Event::ChildMessage(ChildMessage::Ready) => ready = true,
                    Event::ChildMessage(ChildMessage::AtWork { is: true }) => { works_since.get_or_insert(awake); }
                    Event::ChildMessage(ChildMessage::AtWork { is: false }) => works_since = None,
                    Event::ChildMessage(ChildMessage::Polled { lab, went, .. }) => {
                        match (polls.get_mut(lab.as_str()), went) {
                            (Some((_, unreached)), PollResult::Unreached) => *unreached = true,
                            (Some(polled), went) => *polled = (Some(*went), false),
                            (None, _) => {}
                        }
                    }
                    _ => {}
                }
                match verdict {
                    Verdict::Open => prop_assert!(awake <= 100, "{awake} s without a verdict"),
                    Verdict::Healthy => {
                        prop_assert!(ready);
                        prop_assert!(works_since.is_some_and(|since| awake - since >= 20));
                        let ok = |&(last, unreached): &(Option<PollResult>, bool)| {
                            last == Some(PollResult::Well) || last.is_none() && unreached && awake > 100
                        };
                        prop_assert!(polls.values().all(ok), "{polls:?}");
                        return Ok(());
                    }
                    Verdict::Bad(_) => return Ok(()),
                }
            }
        }
    }
}
