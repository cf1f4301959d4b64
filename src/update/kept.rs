//! The child's side: it tells its keeper how it fares, and hears from it when to stop.

use std::io::{BufRead as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::talk::{self, Order, Said, Went};
use crate::service::{Event, Events, Host};

/// A sign of life is said so often at the most.
const ALIVE: Duration = Duration::from_millis(500);
/// So many words may wait for a keeper that does not read them.
const WAITING: usize = 256;
/// How long a keeper may take to read the last words.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A child of a keeper, as the agent's host.
pub struct Kept {
    words: SyncSender<Said>,
    /// How many words are on their way.
    under_way: Arc<AtomicUsize>,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    alive: Option<Instant>,
    at_work: Option<bool>,
    doing: Option<String>,
}

/// What the keeper says.
#[derive(Clone)]
pub struct Orders {
    /// Whether it said to stop, or is gone.
    pub stop: watch::Receiver<bool>,
    /// Whether it said that the trial is passed.
    pub passed: watch::Receiver<bool>,
}

/// What the keeper knows of the PC.
pub type FromKeeper = (Orders, Events);

impl Kept {
    /// Talks with the keeper over this process's standard input and output, which nobody else may use.
    pub fn start() -> (Self, FromKeeper) {
        let (words, to_say) = sync_channel::<Said>(WAITING);
        let under_way = Arc::new(AtomicUsize::new(0));
        let on_its_way = Arc::clone(&under_way);
        std::thread::spawn(move || {
            let mut out = std::io::stdout();
            for word in to_say {
                // A keeper that is gone is noticed by the end of the input.
                let _ = writeln!(out, "{}", talk::line(&word)).and_then(|()| out.flush());
                on_its_way.fetch_sub(1, Ordering::SeqCst);
            }
        });
        let (stop, stopped) = watch::channel(false);
        let (passed, has_passed) = watch::channel(false);
        let (event, events) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                match talk::order(&line) {
                    Some(Order::Stop) => break,
                    Some(Order::Passed) => drop(passed.send_replace(true)),
                    // An agent that ends needs no events.
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

    /// How a poll of a lab went.
    pub fn polled(&self, lab: &str, went: Went, why: Option<String>) {
        self.say(Said::Polled { lab: lab.to_owned(), went, why });
    }

    /// The agent is about to end, and wants to be started anew.
    pub fn restart(&self) {
        self.say(Said::Restart);
    }

    /// Waits until the keeper has read all that was said, for a while.
    pub fn finish(&self) {
        let began = Instant::now();
        while self.under_way.load(Ordering::SeqCst) > 0 && began.elapsed() < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn say(&self, word: Said) {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        match self.words.try_send(word) {
            Ok(()) => {}
            // Whoever reads nothing misses little.
            Err(TrySendError::Full(word) | TrySendError::Disconnected(word)) => {
                self.under_way.fetch_sub(1, Ordering::SeqCst);
                tracing::debug!("the keeper does not hear {word:?}");
            }
        }
    }
}

impl Host for Kept {
    fn ready(&self) {
        self.say(Said::Ready);
    }

    fn at_work(&self, is: bool) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.at_work.replace(is) != Some(is) {
            drop(last);
            self.say(Said::AtWork { is });
        }
    }

    fn alive(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.alive.is_none_or(|at| at.elapsed() >= ALIVE) {
            last.alive = Some(Instant::now());
            drop(last);
            self.say(Said::Alive);
        }
    }

    fn doing(&self, what: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.doing.as_deref() != Some(what) {
            last.doing = Some(what.to_owned());
            drop(last);
            self.say(Said::Doing { what: what.to_owned() });
        }
    }

    fn stopping(&self, up_to: Duration) {
        let ms = u64::try_from(up_to.as_millis()).unwrap_or(u64::MAX);
        self.say(Said::Stopping { ms });
    }
}

impl Orders {
    /// Resolves when the keeper says to stop, or is gone.
    pub async fn stopped(mut self) {
        // An error means that whoever could say so is gone.
        drop(self.stop.wait_for(|stop| *stop).await);
    }
}
