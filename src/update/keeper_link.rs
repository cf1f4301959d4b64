//! The child's side: it reports its state to the keeper, and learns from it when to stop.

use std::io::{BufRead as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::protocol::{self, ChildMessage, Order, PollResult};
use crate::service::{Event, Events, Host};

/// Minimum interval between two heartbeats sent.
const ALIVE: Duration = Duration::from_millis(500);
/// Maximum number of messages queued for a keeper that does not read them.
const WAITING: usize = 256;
/// How long to wait for the keeper to read the last messages.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The agent's host when it runs as a keeper's child.
pub struct KeeperLink {
    words: SyncSender<ChildMessage>,
    /// Number of messages not yet written.
    under_way: Arc<AtomicUsize>,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    alive: Option<Instant>,
    at_work: Option<bool>,
    doing: Option<String>,
}

/// What the keeper tells the child.
#[derive(Clone)]
pub struct Orders {
    /// Whether it said to stop, or is gone.
    pub stop: watch::Receiver<bool>,
    /// Whether it said that the trial was passed.
    pub passed: watch::Receiver<bool>,
}

/// What arrives from the keeper: its orders, and events of the PC.
pub type FromKeeper = (Orders, Events);

impl KeeperLink {
    /// Starts talking to the keeper over this process's standard input and output, which must not
    /// be used for anything else.
    pub fn start() -> (Self, FromKeeper) {
        let (words, to_say) = sync_channel::<ChildMessage>(WAITING);
        let under_way = Arc::new(AtomicUsize::new(0));
        let on_its_way = Arc::clone(&under_way);
        std::thread::spawn(move || {
            let mut out = std::io::stdout();
            for word in to_say {
                // The end of the input tells us that the keeper is gone.
                let _ = writeln!(out, "{}", protocol::line(&word)).and_then(|()| out.flush());
                on_its_way.fetch_sub(1, Ordering::SeqCst);
            }
        });
        let (stop, stopped) = watch::channel(false);
        let (passed, has_passed) = watch::channel(false);
        let (event, events) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                match protocol::order(&line) {
                    Some(Order::Stop) => break,
                    Some(Order::Passed) => drop(passed.send_replace(true)),
                    // An agent that is shutting down needs no events.
                    Some(Order::WokeUp) => drop(event.send(Event::WokeUp)),
                    None => {}
                }
            }
            stop.send_replace(true);
        });
        (
            Self { words, under_way, last: Mutex::default() },
            (Orders { stop: stopped, passed: has_passed }, events),
        )
    }

    /// Reports the result of a lab's poll.
    pub fn polled(&self, lab: &str, went: PollResult, why: Option<String>) {
        self.say(ChildMessage::Polled { lab: lab.to_owned(), went, why });
    }

    /// Reports that the agent is about to exit and wants to be restarted.
    pub fn restart(&self) {
        self.say(ChildMessage::Restart);
    }

    /// Waits up to two seconds until everything was written to the keeper.
    pub fn finish(&self) {
        let began = Instant::now();
        while self.under_way.load(Ordering::SeqCst) > 0 && began.elapsed() < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn say(&self, word: ChildMessage) {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        match self.words.try_send(word) {
            Ok(()) => {}
            // A keeper that does not read misses little.
            Err(TrySendError::Full(word) | TrySendError::Disconnected(word)) => {
                self.under_way.fetch_sub(1, Ordering::SeqCst);
                tracing::debug!("the keeper did not receive {word:?}");
            }
        }
    }
}

impl Host for KeeperLink {
    fn ready(&self) {
        self.say(ChildMessage::Ready);
    }

    fn at_work(&self, is: bool) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.at_work.replace(is) != Some(is) {
            drop(last);
            self.say(ChildMessage::AtWork { is });
        }
    }

    fn alive(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.alive.is_none_or(|at| at.elapsed() >= ALIVE) {
            last.alive = Some(Instant::now());
            drop(last);
            self.say(ChildMessage::Alive);
        }
    }

    fn doing(&self, what: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.doing.as_deref() != Some(what) {
            last.doing = Some(what.to_owned());
            drop(last);
            self.say(ChildMessage::Doing { what: what.to_owned() });
        }
    }

    fn stopping(&self, up_to: Duration) {
        let ms = u64::try_from(up_to.as_millis()).unwrap_or(u64::MAX);
        self.say(ChildMessage::Stopping { ms });
    }
}

impl Orders {
    /// Resolves when the keeper says to stop, or is gone.
    pub async fn stopped(mut self) {
        // An error means that the sender is gone.
        drop(self.stop.wait_for(|stop| *stop).await);
    }
}
