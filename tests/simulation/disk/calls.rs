//! What the hook is asked, and what becomes of its answers.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::PoisonError;

use super::{SimDisk, State};

/// A call that is about to happen.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// 1 for the first call.
    pub number: u64,
    /// The method of `Disk` (`create_private` counts as `create`, and so on), or `read`, `write`,
    /// `sync` on an open file.
    pub operation: &'static str,
    /// What it is about. For an open file, the path by which it was opened.
    pub path: &'a Path,
    /// The second path of `rename`, `exchange` and their like.
    pub to: Option<&'a Path>,
}

/// What is to become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It happens.
    Go,
    /// It does not happen, and says so.
    Fail(ErrorKind),
    /// It happens, and an error is reported all the same. Where directories are made, the last sync
    /// is what failed.
    FailAfter(ErrorKind),
    /// Some of it happens, then comes an error: of `write`, `create_dirs` and `remove_tree`. Others
    /// just fail.
    Torn,
    /// The power goes: this call (which happens, happens in part, or does not) and all later ones
    /// fail until `crash` or `restart`.
    PowerOff,
    /// Another program holds it open.
    Busy,
}

/// Decides about calls.
pub type Hook = Box<dyn FnMut(&Call) -> Verdict + Send>;

/// How much of a call happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// For calls of several steps; others happen wholly.
    AllButTheLast,
    /// For calls of several steps; others do not happen.
    Part,
}

fn no_power() -> io::Error {
    io::Error::other("the power is off")
}

impl SimDisk {
    /// One call.
    pub(super) fn perform<T>(
        &self,
        operation: &'static str,
        path: &Path,
        to: Option<&Path>,
        run: impl FnOnce(&mut State, Extent) -> io::Result<T>,
    ) -> io::Result<T> {
        let number = {
            let mut state = self.state();
            if state.off {
                return Err(no_power());
            }
            state.calls += 1;
            state.calls
        };
        let verdict = self.ask(&Call { number, operation, path, to });
        let state = &mut *self.state();
        match verdict {
            Verdict::Go => run(state, Extent::Whole),
            Verdict::Fail(kind) => Err(kind.into()),
            Verdict::Busy => Err(ErrorKind::ResourceBusy.into()),
            Verdict::FailAfter(kind) => {
                run(state, Extent::AllButTheLast)?;
                Err(kind.into())
            }
            Verdict::Torn => {
                run(state, Extent::Part)?;
                Err(io::Error::other("it was done in part"))
            }
            Verdict::PowerOff => {
                let extents =
                    [None, Some(Extent::Part), Some(Extent::AllButTheLast), Some(Extent::Whole)];
                let extent = extents[state.rng.usize(..extents.len())];
                if let Some(extent) = extent {
                    // Nobody is there to hear how it went.
                    let _ = run(state, extent);
                }
                state.off = true;
                Err(no_power())
            }
        }
    }

    /// The hook is not held while it runs: it may look at the disk.
    fn ask(&self, call: &Call) -> Verdict {
        let place = &self.0.hook;
        let Some(mut hook) = place.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Verdict::Go;
        };
        let verdict = hook(call);
        place.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(hook);
        verdict
    }
}
