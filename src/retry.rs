//! How long to wait before the next attempt: the kind of fault, the number of attempts and the
//! server's own wish decide; nothing here sleeps.

use std::time::Duration;

use crate::model::fault::{Fault, FaultClass};

/// The waits that the config can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Waits after successive "not converted" answers; the last one repeats.
    pub not_converted: Vec<Duration>,
}

/// After so many broken packages in a row an order waits for a person: the package itself is bad.
const DAMAGED_BUDGET: u32 = 5;

/// When to try again after a fault, or `None`: not by itself.
///
/// `attempts` counts the faults of this class in a row, this one included. `jitter` in `0.0..1.0`
/// spreads attempts of many agents and orders.
pub fn next_wait(
    policy: &RetryPolicy,
    fault: &Fault,
    attempts: u32,
    jitter: f64,
) -> Option<Duration> {
    let seconds = Duration::from_secs;
    let base = match fault.class {
        FaultClass::Permanent => return None,
        FaultClass::Damaged if attempts >= DAMAGED_BUDGET => return None,
        FaultClass::NotConverted => {
            let last = policy.not_converted.last().copied().unwrap_or(seconds(7200));
            let at = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
            policy.not_converted.get(at).copied().unwrap_or(last)
        }
        // Most connections that broke come about at once when they are tried again.
        FaultClass::Transient => spread(doubling(seconds(1), attempts, seconds(900)), jitter),
        FaultClass::Damaged => spread(doubling(seconds(5), attempts, seconds(900)), jitter),
        FaultClass::Local => spread(doubling(seconds(5), attempts, seconds(60)), jitter),
        FaultClass::Auth => spread(doubling(seconds(15), attempts, seconds(120)), jitter),
        FaultClass::Cancelled => Duration::ZERO,
    };
    Some(fault.retry_after.map_or(base, |asked| base.max(asked)))
}

/// `first`, then twice as long each time, up to `most`.
fn doubling(first: Duration, attempts: u32, most: Duration) -> Duration {
    let factor = 2_u32.saturating_pow(attempts.saturating_sub(1).min(20));
    first.saturating_mul(factor).min(most)
}

/// Up to a quarter less, so that what failed together is not tried together.
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

    #[test]
    fn not_converted_follows_the_configured_schedule_and_stays_at_its_end() {
        let wait = |n| next_wait(&policy(), &fault(FaultClass::NotConverted), n, 0.5);
        assert_eq!(wait(1), Some(Duration::from_secs(120)));
        assert_eq!(wait(2), Some(Duration::from_secs(300)));
        assert_eq!(wait(9), Some(Duration::from_secs(300)));
    }

    #[test]
    fn permanent_faults_and_exhausted_budgets_wait_for_a_person() {
        assert_eq!(next_wait(&policy(), &fault(FaultClass::Permanent), 1, 0.0), None);
        assert!(next_wait(&policy(), &fault(FaultClass::Damaged), 4, 0.0).is_some());
        assert_eq!(next_wait(&policy(), &fault(FaultClass::Damaged), 5, 0.0), None);
    }

    #[test]
    fn a_broken_connection_is_tried_again_after_a_second_and_then_less_often() {
        let wait = |n| next_wait(&policy(), &fault(FaultClass::Transient), n, 0.0);
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!([wait(1), wait(2), wait(3)], [seconds(1), seconds(2), seconds(4)]);
        assert_eq!(wait(99), seconds(900));
    }

    #[test]
    fn the_servers_wish_is_obeyed() {
        let fault = fault(FaultClass::Transient).retry_after(Some(Duration::from_secs(1800)));
        assert_eq!(next_wait(&policy(), &fault, 1, 1.0), Some(Duration::from_secs(1800)));
    }

    proptest! {
        #[test]
        fn waits_never_shrink_much_and_are_bounded(n in 1_u32..10_000, jitter in 0.0..1.0_f64) {
            let wait = |n| next_wait(&policy(), &fault(FaultClass::Transient), n, jitter);
            let (Some(now), Some(next)) = (wait(n), wait(n + 1)) else {
                panic!("transient faults are always retried");
            };
            prop_assert!(next >= now);
            prop_assert!(now >= Duration::from_millis(750) && now <= Duration::from_secs(900));
        }
    }
}
