//! What the hook is asked, and what its verdicts do.

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
    /// The path of the call; for an open file, the path by which it was opened.
    pub path: &'a Path,
    /// The second path of `rename`, `exchange` and similar calls.
    pub to: Option<&'a Path>,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It happens.
    Go,
    /// It does not happen and returns an error.
    Fail(ErrorKind),
    /// It happens, but returns an error. When directories are created, only the last sync is
    /// missing.
    FailAfter(ErrorKind),
    /// Part of it happens, then it fails: for `write`, `create_dirs` and `remove_tree`. Others just
    /// fail.
    Torn,
    /// The power fails: this call (which happens, partly happens, or does not) and all later ones
    /// fail until `crash` or `restart`.
    PowerOff,
    /// Another program holds the file open.
    Busy,
}

/// Decides about calls.
pub type Hook = Box<dyn FnMut(&Call) -> Verdict + Send>;

/// How much of a call happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// For calls of several steps; others happen entirely.
    AllButTheLast,
    /// For calls of several steps; others do not happen.
    Part,
}

fn no_power() -> io::Error {
    io::Error::other("the power is off")
}

impl SimDisk {
    /// Performs one call as the hook decides.
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
                    // No one is left to see the result.
                    let _ = run(state, extent);
                }
                state.off = true;
                Err(no_power())
            }
        }
    }

    /// Does not lock the hook while it runs, since it may look at the disk.
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
