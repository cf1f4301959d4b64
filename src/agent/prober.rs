//! Checks output, staging and command folder for callers that only need information: pages, health,
//! metrics. A hanging share can block a call indefinitely, so all calls are made on one thread. No
//! one waits for it for long, and once it counts as hanging no one waits at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use crate::model::fault::{Fault, FaultClass};

/// The longest wait for an answer; a share that takes longer counts as hanging.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest wait for the amount of free space.
const FOR_ROOM: Duration = Duration::from_secs(1);
/// How old an answer may be before it is asked for again.
const FRESH: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// The single thread, and its latest findings.
#[derive(Default)]
pub(in crate::agent) struct Prober {
    line: Mutex<Option<mpsc::Sender<Job>>>,
    /// Since when the thread has been busy with its current job.
    busy: Arc<Mutex<Option<Instant>>>,
    room: Mutex<Room>,
}

#[derive(Default)]
struct Room {
    last: Option<(Option<u64>, Instant)>,
    /// Whether a newer answer is being requested.
    asking: bool,
}

/// The free space of a volume at some time in the past.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::agent) struct Free {
    /// Free bytes; `None` if the volume did not report them.
    pub(in crate::agent) bytes: Option<u64>,
    pub(in crate::agent) age: Duration,
}

impl Prober {
    /// Runs `work`, which accesses a share.
    ///
    /// # Errors
    /// The share does not answer in time, or has been blocking another call for longer than that.
    pub(in crate::agent) fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        self.ask_within(PATIENCE, work)
    }

    fn ask_within<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        if self.silent().is_some_and(|silent| silent >= PATIENCE) {
            return Err(no_answer());
        }
        let (tell, told) = mpsc::channel();
        let is_wanted = Arc::new(AtomicBool::new(true));
        let still = Arc::clone(&is_wanted);
        self.put(Box::new(move || {
            if still.load(Ordering::SeqCst) {
                // The caller may have given up by now.
                let _ = tell.send(work());
            }
        }))?;
        told.recv_timeout(patience).map_err(|_| {
            is_wanted.store(false, Ordering::SeqCst);
            no_answer()
        })
    }

    /// Returns the free space as `look` finds it. If a request is already running, or the share
    /// hangs, returns the last known value.
    pub(in crate::agent) fn free(
        &self,
        look: impl FnOnce() -> Option<u64> + Send + 'static,
    ) -> Free {
        let last = {
            let mut room = self.room();
            match room.last {
                Some((bytes, at)) if room.asking || at.elapsed() < FRESH => {
                    return Free { bytes, age: at.elapsed() };
                }
                last => {
                    room.asking = true;
                    last
                }
            }
        };
        let found = self.ask_within(FOR_ROOM, look);
        let mut room = self.room();
        room.asking = false;
        match (found, last) {
            (Ok(bytes), _) => {
                room.last = Some((bytes, Instant::now()));
                Free { bytes, age: Duration::ZERO }
            }
            (Err(_), Some((bytes, at))) => Free { bytes, age: at.elapsed() },
            (Err(_), None) => Free::default(),
        }
    }

    /// How long the pending call has been blocked, if there is one.
    pub(in crate::agent) fn silent(&self) -> Option<Duration> {
        let busy = *self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.map(|since| since.elapsed())
    }

    fn put(&self, job: Job) -> Result<(), Fault> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match line.as_ref() {
            None => job,
            Some(line) => match line.send(job) {
                Ok(()) => return Ok(()),
                // A panic ended the thread.
                Err(mpsc::SendError(job)) => job,
            },
        };
        let (jobs, queue) = mpsc::channel::<Job>();
        let busy = Arc::clone(&self.busy);
        let work = move || {
            for job in queue {
                let _busy = Busy::begin(&busy);
                job();
            }
        };
        let spawned = std::thread::Builder::new().name("prober".to_owned()).spawn(work);
        spawned.map_err(|error| no_answer().caused_by(error))?;
        // The thread has just begun to listen.
        let _ = jobs.send(job);
        *line = Some(jobs);
        Ok(())
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks the thread as busy until dropped.
struct Busy<'a>(&'a Mutex<Option<Instant>>);

impl<'a> Busy<'a> {
    fn begin(busy: &'a Mutex<Option<Instant>>) -> Self {
        *busy.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Self(busy)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn no_answer() -> Fault {
    Fault::new(FaultClass::Local, "share-silent", "the output's share does not answer")
        .hint("check the share and its server; the agent continues automatically once it answers")
}

#[cfg(test)]
mod tests {
    use std::sync::Condvar;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// A share that answers once it is allowed to.
    #[derive(Default)]
    struct Share {
        answers: Mutex<bool>,
        changed: Condvar,
        asked: AtomicUsize,
    }

    impl Share {
        fn look(&self) -> u64 {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let answers = self.answers.lock().expect("sound");
            drop(self.changed.wait_while(answers, |answers| !*answers).expect("sound"));
            7
        }

        fn answer(&self) {
            *self.answers.lock().expect("sound") = true;
            self.changed.notify_all();
        }
    }

    fn free(prober: &Prober, share: &Arc<Share>) -> Option<u64> {
        let share = Arc::clone(share);
        prober.free(move || Some(share.look())).bytes
    }

    #[test]
    fn two_hundred_who_ask_a_share_that_hangs_are_answered_and_cost_it_one_call() {
        let (prober, share) = (Arc::new(Prober::default()), Arc::new(Share::default()));
        let asks = (0..200).map(|_| {
            let (prober, share) = (Arc::clone(&prober), Arc::clone(&share));
            std::thread::spawn(move || free(&prober, &share))
        });
        let answers: Vec<_> = asks.collect();
        for answer in answers {
            assert_eq!(answer.join().expect("answered"), None);
        }
        assert_eq!(share.asked.load(Ordering::SeqCst), 1);
        // After some time, no one waits at all.
        let began = Instant::now();
        while prober.silent().expect("it owes an answer") < PATIENCE {
            assert!(began.elapsed() < Duration::from_secs(60));
            assert!(prober.ask_within(Duration::ZERO, || ()).is_err());
            std::thread::yield_now();
        }
        for _ in 0..200 {
            assert!(prober.ask(|| ()).is_err());
        }
        share.answer();
        let began = Instant::now();
        while free(&prober, &share) != Some(7) {
            assert!(began.elapsed() < Duration::from_secs(60), "it answers again");
        }
        assert!(prober.silent().is_none_or(|silent| silent < PATIENCE));
        assert_eq!(prober.ask(|| 5).expect("answered"), 5);
    }

    #[test]
    fn what_was_found_last_is_told_with_its_age_while_the_share_hangs() {
        let (prober, share) = (Prober::default(), Arc::new(Share::default()));
        share.answer();
        assert_eq!(free(&prober, &share), Some(7));
        *share.answers.lock().expect("sound") = false;
        let began = Instant::now();
        loop {
            let there = Arc::clone(&share);
            let found = prober.free(move || Some(there.look()));
            assert_eq!(found.bytes, Some(7));
            if found.age > FRESH + FOR_ROOM {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60));
        }
        assert_eq!(share.asked.load(Ordering::SeqCst), 2);
        share.answer();
    }

    #[test]
    fn a_panic_ends_no_more_than_the_call() {
        let prober = Prober::default();
        let broken: Result<(), _> = prober.ask(|| panic!("as a test wants it"));
        assert!(broken.is_err());
        let began = Instant::now();
        while prober.ask(|| 1).ok() != Some(1) {
            assert!(began.elapsed() < Duration::from_secs(60));
        }
    }
}
