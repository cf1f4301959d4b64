//! When to retry: the length of the waits, the class of the fault and the budget of failures are
//! separate values, combined here. Nothing here sleeps.

use std::time::Duration;

use casedrop_model::fault::{Fault, FaultClass};

/// The waits that the config can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Waits after successive "not converted" answers. After the last one the order needs
    /// attention.
    pub not_converted: Vec<Duration>,
}

/// The waits between attempts, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delays<'a> {
    /// Starts at the first value and doubles up to the second.
    Doubling(Duration, Duration),
    /// Exactly these; the last one repeats.
    Listed(&'a [Duration]),
    /// No retry at all.
    Never,
}

/// How faults of one class are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule<'a> {
    pub delays: Delays<'a>,
    /// How many faults of the class in a row are tolerated before attention is needed; `None`: any
    /// number.
    pub budget: Option<u32>,
    /// The wait once the budget is spent; `None`: no automatic retry.
    pub beyond: Option<Duration>,
    /// Whether to shorten waits at random, so that things that failed together are not retried
    /// together.
    pub spread: bool,
}

/// What to do after a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// Time until the next attempt; `None`: no automatic retry.
    pub wait: Option<Duration>,
    /// Whether attention is needed.
    pub attention: bool,
}

/// After this many damaged packages in a row the order needs attention: the package itself is bad.
const DAMAGED_BUDGET: u32 = 5;
/// The package may get fixed at the other end while no one watches this PC.
const BEYOND_DAMAGED: Duration = Duration::from_hours(24);
/// After this many local failures in a row (about ten minutes) this PC needs attention.
const LOCAL_BUDGET: u32 = 12;
/// Trouble with this PC may end at any time.
const BEYOND_LOCAL: Duration = Duration::from_mins(1);
/// After this many refusals by a server someone should find out whose fault it is.
const REFUSED_BUDGET: u32 = 3;
/// Permission may be granted days later, and no one may think of retrying.
const BEYOND_REFUSED: Duration = Duration::from_hours(24);
/// Align may still convert the files days later, with no one around to request them.
const BEYOND_NOT_CONVERTED: Duration = Duration::from_hours(24);

impl RetryPolicy {
    pub fn rule(&self, class: FaultClass) -> Rule<'_> {
        let seconds = Duration::from_secs;
        let doubling =
            |first, most| Rule { delays: Delays::Doubling(first, most), ..Rule::for_ever() };
        match class {
            FaultClass::Permanent => {
                Rule { delays: Delays::Never, budget: Some(0), spread: false, ..Rule::for_ever() }
            }
            FaultClass::NotConverted => Rule {
                delays: Delays::Listed(&self.not_converted),
                budget: Some(u32::try_from(self.not_converted.len()).unwrap_or(u32::MAX)),
                beyond: Some(BEYOND_NOT_CONVERTED),
                spread: false,
            },
            // Most broken connections come back on the first retry.
            FaultClass::Transient => doubling(seconds(1), seconds(900)),
            FaultClass::Damaged => Rule {
                budget: Some(DAMAGED_BUDGET - 1),
                beyond: Some(BEYOND_DAMAGED),
                ..doubling(seconds(5), seconds(900))
            },
            FaultClass::Refused => Rule {
                budget: Some(REFUSED_BUDGET),
                beyond: Some(BEYOND_REFUSED),
                ..doubling(seconds(30), seconds(900))
            },
            FaultClass::Local => Rule {
                budget: Some(LOCAL_BUDGET),
                beyond: Some(BEYOND_LOCAL),
                ..doubling(seconds(5), seconds(60))
            },
            FaultClass::Auth => doubling(seconds(15), seconds(120)),
            FaultClass::Cancelled => doubling(Duration::ZERO, Duration::ZERO),
        }
    }

    /// Decides what to do after a fault. `attempts` counts the faults of this class in a row,
    /// including this one; `jitter` in `0.0..1.0` spreads the attempts of many agents and orders. A
    /// longer wait asked for by the server (`Retry-After`) wins.
    pub fn next(&self, fault: &Fault, attempts: u32, jitter: f64) -> Next {
        let rule = self.rule(fault.class);
        let attention = rule.budget.is_some_and(|budget| attempts > budget);
        let wait = if attention { rule.beyond } else { rule.delays.nth(attempts) };
        let wait = if rule.spread { wait.map(|wait| spread(wait, jitter)) } else { wait };
        Next { wait: wait.map(|wait| wait.max(fault.retry_after.unwrap_or_default())), attention }
    }
}

impl Rule<'_> {
    fn for_ever() -> Self {
        Self { delays: Delays::Never, budget: None, beyond: None, spread: true }
    }
}

impl Delays<'_> {
    /// The wait after the `attempts`-th fault, counted from 1.
    pub fn nth(self, attempts: u32) -> Option<Duration> {
        let before = attempts.saturating_sub(1);
        match self {
            Self::Doubling(first, most) => {
                Some(first.saturating_mul(2_u32.saturating_pow(before.min(20))).min(most))
            }
            Self::Listed(waits) => {
                let at = usize::try_from(before).unwrap_or(usize::MAX);
                waits.get(at).or(waits.last()).copied()
            }
            Self::Never => None,
        }
    }

    pub fn iter(self) -> impl Iterator<Item = Duration> {
        (1..).map_while(move |attempts| self.nth(attempts))
    }
}

/// Shortens a wait by up to a quarter.
fn spread(wait: Duration, jitter: f64) -> Duration {
    wait.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 4.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy { not_converted: vec![Duration::from_secs(120), Duration::from_secs(300)] }
    }

    fn fault(class: FaultClass) -> Fault {
        Fault::new(class, "test", "test")
    }

    fn next(class: FaultClass, attempts: u32) -> Next {
        policy().next(&fault(class), attempts, 0.0)
    }

    fn again(seconds: u64) -> Next {
        Next { wait: Some(Duration::from_secs(seconds)), attention: false }
    }

    #[test]
    fn not_converted_follows_the_configured_schedule_and_then_wants_a_person() {
        assert_eq!(next(FaultClass::NotConverted, 1), again(120));
        assert_eq!(next(FaultClass::NotConverted, 2), again(300));
        let daily = Next { wait: Some(Duration::from_hours(24)), attention: true };
        assert_eq!(next(FaultClass::NotConverted, 3), daily);
        assert_eq!(next(FaultClass::NotConverted, 900), daily);
    }

    #[test]
    fn permanent_faults_wait_for_a_person() {
        assert_eq!(next(FaultClass::Permanent, 1), Next { wait: None, attention: true });
    }

    #[test]
    fn what_comes_damaged_is_tried_a_few_times_and_then_daily() {
        assert!(!next(FaultClass::Damaged, 4).attention);
        let daily = Next { wait: Some(Duration::from_hours(24)), attention: true };
        assert_eq!(next(FaultClass::Damaged, 5), daily);
    }

    #[test]
    fn what_fails_on_this_pc_for_long_needs_a_person_and_is_tried_all_the_same() {
        assert_eq!(next(FaultClass::Local, 12), again(60));
        let shown = Next { wait: Some(Duration::from_mins(1)), attention: true };
        assert_eq!(next(FaultClass::Local, 13), shown);
        assert_eq!(next(FaultClass::Local, 9000), shown);
    }

    #[test]
    fn what_a_server_refuses_is_tried_a_few_times_and_then_daily() {
        let waits = [1, 2, 3].map(|attempts| next(FaultClass::Refused, attempts));
        assert_eq!(waits, [again(30), again(60), again(120)]);
        let daily = Next { wait: Some(Duration::from_hours(24)), attention: true };
        assert_eq!(next(FaultClass::Refused, 4), daily);
        assert_eq!(next(FaultClass::Refused, 900), daily);
    }

    #[test]
    fn a_broken_connection_is_tried_again_after_a_second_and_then_less_often() {
        let rule = policy();
        let waits: Vec<u64> = rule
            .rule(FaultClass::Transient)
            .delays
            .iter()
            .take(12)
            .map(|wait| wait.as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert_eq!(next(FaultClass::Transient, 99), again(900));
    }

    #[test]
    fn the_servers_wish_is_obeyed() {
        let asked = Some(Duration::from_secs(1800));
        let wait = |class| policy().next(&fault(class).retry_after(asked), 1, 1.0).wait;
        assert_eq!(wait(FaultClass::Transient), asked);
        assert_eq!(wait(FaultClass::NotConverted), asked);
        assert_eq!(wait(FaultClass::Permanent), None, "it makes nothing hopeless hopeful");
    }

    proptest! {
        #[test]
        fn waits_never_shrink_and_are_bounded(
            class in 0..FaultClass::ALL.len(), n in 1_u32..10_000, jitter in 0.0..1.0_f64,
        ) {
            let policy = policy();
            let at = |n| policy.next(&fault(FaultClass::ALL[class]), n, jitter);
            let (now, later) = (at(n), at(n + 1));
            prop_assert!(!now.attention || later.attention, "a person is not dismissed again");
            // Whatever is not retried automatically must be shown to someone.
            prop_assert!(now.wait.is_some() || now.attention);
            if let (Some(now), Some(later)) = (now.wait, later.wait) {
                prop_assert!(later >= now);
                prop_assert!(now <= Duration::from_hours(24));
            }
        }
    }
}
