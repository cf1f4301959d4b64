//! Interference while the agent works on the disk: faults, other programs, power cuts.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::actors::Deed;
use crate::align::SimAlign;
use crate::disk::{Call, SimDisk, Verdict};
use crate::ledger::Ledger;
use crate::tally::Tally;

/// Something that happens at a certain call of the running effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambush {
    /// The power fails, or the program is killed.
    End,
    /// Someone acts on the order that is being worked on.
    Deed(Deed),
}

/// Everything that can interfere.
pub struct Between {
    rng: fastrand::Rng,
    /// The probability that a call fails.
    pub fails: f64,
    /// True time.
    pub now: u64,
    /// Directories in which a program holds a file open, and until when.
    pub held: BTreeMap<PathBuf, u64>,
    ambush: Option<(u32, Ambush)>,
    /// The order's directory that is being worked on, and whether it is about to be published.
    at: Option<(PathBuf, bool)>,
    pub tally: Tally,
    /// One line per incident, for the trace.
    pub log: Vec<String>,
}

/// Shared by the disk's hook and the world.
#[derive(Clone)]
pub struct Hooks {
    between: Arc<Mutex<Between>>,
    ledger: Arc<Mutex<Ledger>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hooks {
    pub fn new(rng: fastrand::Rng) -> Self {
        let between = Between {
            rng,
            fails: 0.0,
            now: 0,
            held: BTreeMap::new(),
            ambush: None,
            at: None,
            tally: Tally::default(),
            log: Vec::new(),
        };
        Self { between: Arc::new(Mutex::new(between)), ledger: Arc::default() }
    }

    pub fn between(&self) -> MutexGuard<'_, Between> {
        locked(&self.between)
    }

    /// What others did.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        locked(&self.ledger)
    }

    /// Installs the hook on the disk.
    pub fn attach(&self, disk: &SimDisk, align: &SimAlign) {
        let (hooks, there, align) = (self.clone(), disk.clone(), align.clone());
        disk.on_call(Some(Box::new(move |call| hooks.verdict(&there, &align, call))));
    }

    /// Work on an order's directory begins; the ambush may interfere.
    pub fn begin(&self, dir: Option<PathBuf>, publishing: bool, ambush: Option<(u32, Ambush)>) {
        let between = &mut *self.between();
        between.at = dir.map(|dir| (dir, publishing));
        between.ambush = ambush;
    }

    /// The work is done.
    pub fn end(&self) {
        let between = &mut *self.between();
        between.at = None;
        between.ambush = None;
    }

    fn verdict(&self, disk: &SimDisk, align: &SimAlign, call: &Call) -> Verdict {
        let between = &mut *self.between();
        match between.due() {
            Some(Ambush::End) => {
                align.cloud().powered = false;
                between.log.push(format!(
                    "the end comes at {} {}",
                    call.operation,
                    show(call.path)
                ));
                return Verdict::PowerOff;
            }
            Some(Ambush::Deed(deed)) => {
                if let Some((dir, publishing)) = between.at.clone() {
                    let ledger = &mut *self.ledger();
                    if deed.happen(disk, ledger, &mut between.rng, &dir, publishing) {
                        between.tally.count("deed in between");
                        let text = format!("{deed:?} before {} at {}", call.operation, show(&dir));
                        between.log.push(text);
                    }
                }
            }
            None => {}
        }
        between.fault(call)
    }
}

impl Between {
    fn due(&mut self) -> Option<Ambush> {
        match &mut self.ambush {
            Some((0, ambush)) => {
                let ambush = *ambush;
                self.ambush = None;
                Some(ambush)
            }
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        }
    }

    fn fault(&mut self, call: &Call) -> Verdict {
        let moves = matches!(call.operation, "rename" | "exchange");
        if moves && [Some(call.path), call.to].into_iter().flatten().any(|path| self.is_held(path))
        {
            self.tally.count("disk: held open");
            return Verdict::Busy;
        }
        // An error without a number, met while reading an archive, would look like a fault of the
        // archive.
        if self.fails == 0.0 || call.operation == "read" || self.rng.f64() >= self.fails {
            return Verdict::Go;
        }
        let kinds = [
            ErrorKind::Other,
            ErrorKind::PermissionDenied,
            ErrorKind::TimedOut,
            ErrorKind::StorageFull,
        ];
        let kind = kinds[self.rng.usize(..kinds.len())];
        let verdict = match self.rng.u8(..5) {
            0 => Verdict::FailAfter(kind),
            1 => Verdict::Torn,
            _ => Verdict::Fail(kind),
        };
        self.tally.count(match verdict {
            Verdict::FailAfter(_) => "disk: done, and an error all the same",
            Verdict::Torn => "disk: torn",
            _ => "disk: failed",
        });
        self.log.push(format!("disk: {verdict:?} at {} {}", call.operation, show(call.path)));
        verdict
    }

    fn is_held(&self, path: &Path) -> bool {
        self.held.get(path).is_some_and(|until| *until > self.now)
    }
}

fn show(path: &Path) -> String {
    // The same on Windows.
    path.display().to_string().replace('\\', "/")
}
