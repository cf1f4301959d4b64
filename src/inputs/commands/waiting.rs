//! Files in the command folder that have not been taken yet, and how long each has been unchanged.
//! Pure; the time is an argument.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::disk::Stamp;

/// How long a file must be unchanged before it is read.
pub(super) const STILL: Duration = Duration::from_secs(1);
/// How long a file that is not a command (yet) must be unchanged.
pub(super) const UNCLEAR: Duration = Duration::from_secs(3);
/// How long an empty file that someone may be about to rename must be unchanged.
pub(super) const UNFINISHED: Duration = Duration::from_secs(15);
/// How long a file must be unchanged whose name says that it is still being written.
pub(super) const TEMPORARY: Duration = Duration::from_secs(3600);
/// How long another program may hold a file before that is reported.
const HELD: Duration = Duration::from_secs(60);

/// The waiting files.
#[derive(Default)]
pub(super) struct Waiting(BTreeMap<PathBuf, Candidate>);

struct Candidate {
    stamp: Stamp,
    since: Duration,
    /// How long it must be unchanged, once known for this content.
    patience: Option<Duration>,
    held_since: Option<Duration>,
    told: bool,
    /// Whether the last scan saw it.
    present: bool,
}

impl Waiting {
    /// A scan begins.
    pub(super) fn begin(&mut self) {
        for candidate in self.0.values_mut() {
            candidate.present = false;
        }
    }

    /// A scan ended: what it did not see is gone.
    pub(super) fn end(&mut self) {
        self.0.retain(|_, candidate| candidate.present);
    }

    /// Records a sighting of a file. Returns how long it has been unchanged.
    pub(super) fn seen(&mut self, path: &Path, stamp: Stamp, now: Duration) -> Duration {
        let new = || Candidate {
            stamp,
            since: now,
            patience: None,
            held_since: None,
            told: false,
            present: true,
        };
        let candidate = self.0.entry(path.to_path_buf()).or_insert_with(new);
        candidate.present = true;
        if candidate.stamp != stamp {
            *candidate =
                Candidate { held_since: candidate.held_since, told: candidate.told, ..new() };
        }
        now.saturating_sub(candidate.since)
    }

    /// How long it must be unchanged; determined once per content.
    pub(super) fn patience<E>(
        &mut self,
        path: &Path,
        find_out: impl FnOnce() -> Result<Duration, E>,
    ) -> Result<Duration, E> {
        let Some(candidate) = self.0.get_mut(path) else { return find_out() };
        if let Some(patience) = candidate.patience {
            return Ok(patience);
        }
        let patience = find_out()?;
        candidate.patience = Some(patience);
        candidate.held_since = None;
        Ok(patience)
    }

    /// Records that it cannot be opened now. Returns `true` once, when that has lasted long enough
    /// to report.
    pub(super) fn held(&mut self, path: &Path, now: Duration) -> bool {
        let Some(candidate) = self.0.get_mut(path) else { return false };
        let since = *candidate.held_since.get_or_insert(now);
        let tell = !candidate.told && now.saturating_sub(since) >= HELD;
        candidate.told |= tell;
        tell
    }

    /// Forgets a file that was taken.
    pub(super) fn taken(&mut self, path: &Path) {
        self.0.remove(path);
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn stamp(len: u64, seconds: u64) -> Stamp {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Stamp { len, modified, hidden: false }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn whatever_changes_starts_anew() {
        let mut waiting = Waiting::default();
        let path = Path::new("a");
        assert_eq!(waiting.seen(path, stamp(1, 1), at(10)), at(0));
        assert_eq!(waiting.seen(path, stamp(1, 1), at(12)), at(2));
        assert_eq!(waiting.seen(path, stamp(2, 1), at(13)), at(0), "its size");
        assert_eq!(waiting.seen(path, stamp(2, 2), at(15)), at(0), "its time");
        assert_eq!(waiting.seen(path, stamp(2, 2), at(16)), at(1));
        assert_eq!(waiting.seen(path, stamp(2, 2), at(3)), at(0), "never less than nothing");
    }

    #[test]
    fn what_is_gone_and_comes_back_starts_anew() {
        let mut waiting = Waiting::default();
        let path = Path::new("a");
        waiting.begin();
        waiting.seen(path, stamp(1, 1), at(10));
        waiting.end();
        waiting.begin();
        waiting.end();
        assert_eq!(waiting.seen(path, stamp(1, 1), at(20)), at(0));
    }

    #[test]
    fn a_file_held_for_long_is_told_once() {
        let mut waiting = Waiting::default();
        let path = Path::new("a");
        waiting.seen(path, stamp(1, 1), at(10));
        assert!(!waiting.held(path, at(10)));
        assert!(!waiting.held(path, at(69)));
        assert!(waiting.held(path, at(70)));
        assert!(!waiting.held(path, at(80)));
        assert!(!waiting.held(path, at(900)));
    }

    #[test]
    fn what_a_content_needs_is_found_out_once() {
        let mut waiting = Waiting::default();
        let path = Path::new("a");
        waiting.seen(path, stamp(1, 1), at(10));
        let failed: Result<Duration, ()> = waiting.patience(path, || Err(()));
        assert!(failed.is_err());
        let mut find = |seconds: u64| waiting.patience::<()>(path, || Ok(at(seconds)));
        assert_eq!(find(3), Ok(at(3)));
        assert_eq!(find(9), Ok(at(3)));
        waiting.seen(path, stamp(2, 1), at(12));
        assert_eq!(waiting.patience::<()>(path, || Ok(at(0))), Ok(at(0)), "it changed");
    }
}
