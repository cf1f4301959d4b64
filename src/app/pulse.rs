//! Heartbeats of the main loop, the basis of `/health/live`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::service::Host;

/// The last heartbeat of the loop. Time asleep counts as little as the clock allows.
#[derive(Default)]
pub(super) struct Pulse(Mutex<Option<Instant>>);

impl Pulse {
    fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Time since the last heartbeat; `None` before the first one.
    pub(super) fn last(&self) -> Option<Duration> {
        let at = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        at.map(|at| at.elapsed())
    }
}

/// The agent's host, with a record of its heartbeats.
pub(super) struct Felt {
    pub(super) host: Arc<dyn Host>,
    pub(super) pulse: Arc<Pulse>,
}

impl Host for Felt {
    fn ready(&self) {
        self.pulse.beat();
        self.host.ready();
    }

    fn at_work(&self, is: bool) {
        self.host.at_work(is);
    }

    fn alive(&self) {
        self.pulse.beat();
        self.host.alive();
    }

    fn doing(&self, what: &str) {
        self.host.doing(what);
    }

    fn stopping(&self, up_to: Duration) {
        self.host.stopping(up_to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records what it receives.
    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Host for Heard {
        fn ready(&self) {
            self.0.lock().expect("sound").push("ready".to_owned());
        }

        fn at_work(&self, is: bool) {
            self.0.lock().expect("sound").push(format!("at work: {is}"));
        }

        fn alive(&self) {
            self.0.lock().expect("sound").push("alive".to_owned());
        }

        fn doing(&self, what: &str) {
            self.0.lock().expect("sound").push(what.to_owned());
        }

        fn stopping(&self, up_to: Duration) {
            self.0.lock().expect("sound").push(format!("stops in {} s", up_to.as_secs()));
        }
    }

    #[test]
    fn the_host_hears_everything_and_signs_of_life_are_remembered() {
        let (heard, pulse) = (Arc::new(Heard::default()), Arc::new(Pulse::default()));
        let felt = Felt { host: Arc::clone(&heard) as Arc<dyn Host>, pulse: Arc::clone(&pulse) };
        felt.at_work(true);
        felt.doing("2 labs");
        assert_eq!(pulse.last(), None, "neither is a sign of life");
        let before = Instant::now();
        felt.alive();
        assert!(pulse.last().expect("a beat") <= before.elapsed());
        felt.ready();
        felt.stopping(Duration::from_secs(7));
        let heard = heard.0.lock().expect("sound");
        assert_eq!(*heard, ["at work: true", "2 labs", "alive", "ready", "stops in 7 s"]);
    }
}
