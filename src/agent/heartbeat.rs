//! Heartbeats of the main loop, the basis of `/health/live`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::service::Host;

/// The last heartbeat of the loop. Time asleep counts as little as the clock allows.
#[derive(Default)]
pub(super) struct Heartbeat(Mutex<Option<Instant>>);

impl Heartbeat {
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
pub(super) struct MonitoredHost {
    pub(super) host: Arc<dyn Host>,
    pub(super) heartbeat: Arc<Heartbeat>,
}

impl Host for MonitoredHost {
    fn ready(&self) {
        self.heartbeat.beat();
        self.host.ready();
    }

    fn at_work(&self, is: bool) {
        self.host.at_work(is);
    }

    fn alive(&self) {
        self.heartbeat.beat();
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
        let (heard, heartbeat) = (Arc::new(Heard::default()), Arc::new(Heartbeat::default()));
        let monitored = MonitoredHost {
            host: Arc::clone(&heard) as Arc<dyn Host>,
            heartbeat: Arc::clone(&heartbeat),
        };
        monitored.at_work(true);
        monitored.doing("2 labs");
        assert_eq!(heartbeat.last(), None, "neither is a sign of life");
        let before = Instant::now();
        monitored.alive();
        assert!(heartbeat.last().expect("a beat") <= before.elapsed());
        monitored.ready();
        monitored.stopping(Duration::from_secs(7));
        let heard = heard.0.lock().expect("sound");
        assert_eq!(*heard, ["at work: true", "2 labs", "alive", "ready", "stops in 7 s"]);
    }
}
