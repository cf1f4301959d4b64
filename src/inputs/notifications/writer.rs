//! Group commit: one thread makes everything durable that gathered during the last commit, then
//! answers all of it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::shared::Shared;
use crate::model::notification::{Mention, Noted, Received};

/// How many notifications may wait for their commit.
const ROOM: usize = 1_024;
/// How many mentions go into one commit.
const BATCH: usize = 4_096;
/// The counts are stored at least this often.
const KEEP_COUNTS: Duration = Duration::from_secs(20);

/// What became of a notification; an error if it is not durable.
pub(super) type Outcome = Result<Vec<Noted>, ()>;

/// A notification waiting for its commit.
pub(super) struct Job {
    pub(super) mentions: Vec<Mention>,
    /// Receives the outcome. The caller may be gone by then.
    pub(super) answer: oneshot::Sender<Outcome>,
}

/// The queue of waiting notifications.
pub(super) type Queue = mpsc::Receiver<Job>;

/// Creates an empty queue and its sender.
pub(super) fn queue() -> (mpsc::Sender<Job>, Queue) {
    mpsc::channel(ROOM)
}

/// Starts the thread. It ends when the queue is closed.
pub(super) fn start(shared: &Arc<Shared>, queue: Queue) -> std::io::Result<JoinHandle<()>> {
    // The queue closes with its last sender, and `Shared` holds one.
    let shared = Arc::downgrade(shared);
    std::thread::Builder::new().name("notifications".to_owned()).spawn(move || {
        let mut writer = Writer { queue, kept: Instant::now(), failing: false };
        while let Some(jobs) = writer.gather() {
            let Some(shared) = shared.upgrade() else { return };
            writer.commit(&shared, jobs);
        }
    })
}

struct Writer {
    queue: Queue,
    /// When the counts were last stored.
    kept: Instant,
    /// Whether the journal could not be written.
    failing: bool,
}

impl Writer {
    /// Waits for a notification, then takes all that are there.
    fn gather(&mut self) -> Option<Vec<Job>> {
        let first = self.queue.blocking_recv()?;
        let mut names = first.mentions.len();
        let mut jobs = vec![first];
        while names < BATCH
            && let Ok(job) = self.queue.try_recv()
        {
            names += job.mentions.len();
            jobs.push(job);
        }
        Some(jobs)
    }

    fn commit(&mut self, shared: &Shared, jobs: Vec<Job>) {
        let mentions: Vec<Mention> =
            jobs.iter().flat_map(|job| job.mentions.iter().cloned()).collect();
        let counted = shared.take_counts();
        let keep = self.kept.elapsed() >= KEEP_COUNTS;
        match shared.intake.record(&mentions, counted, keep) {
            Ok(recorded) => {
                shared.count(|counts| counts.add(&recorded.uncounted));
                if recorded.uncounted == Received::default() {
                    self.kept = Instant::now();
                }
                if std::mem::take(&mut self.failing) {
                    tracing::info!("scan notifications are recorded again");
                }
                let mut noted = recorded.noted.into_iter();
                for job in jobs {
                    let own = noted.by_ref().take(job.mentions.len()).collect();
                    // The sender may be gone.
                    let _ = job.answer.send(Ok(own));
                }
            }
            Err(fault) => {
                shared.count(|counts| {
                    counts.add(&counted);
                    counts.turned_away +=
                        jobs.iter().filter(|job| !job.mentions.is_empty()).count() as u64;
                });
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(
                        "scan notifications cannot be recorded, and Align is asked to send them \
                         again: {}",
                        fault.chain()
                    );
                }
                for job in jobs {
                    let _ = job.answer.send(Err(()));
                }
            }
        }
    }
}
