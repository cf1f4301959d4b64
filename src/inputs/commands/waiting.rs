//! Files that lie in the command folder and are not taken yet: for how long each has been as it is.
//! Pure; time is an argument.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::disk::Stamp;

/// So long a file must have been the same before it is looked into.
pub(super) const STILL: Duration = Duration::from_secs(1);
/// So long one that is no command (yet) must have been the same.
pub(super) const UNCLEAR: Duration = Duration::from_secs(3);
/// So long an empty one that somebody may be about to rename must have been the same.
pub(super) const UNFINISHED: Duration = Duration::from_secs(15);
/// So long one whose name says that it is being written.
pub(super) const TEMPORARY: Duration = Duration::from_secs(3600);
/// So long another program may hold a file before somebody is told.
const HELD: Duration = Duration::from_secs(60);

/// The files that wait.
#[derive(Default)]
pub(super) struct Waiting(BTreeMap<PathBuf, Candidate>);

struct Candidate {
    stamp: Stamp,
    since: Duration,
    /// How long it must stay the same, once that is known of this content.
    patience: Option<Duration>,
    held_since: Option<Duration>,
    told: bool,
    /// Whether it was there in the last look.
    present: bool,
}

impl Waiting {
    /// A look begins.
    pub(super) fn begin(&mut self) {
        for candidate in self.0.values_mut() {
            candidate.present = false;
        }
    }

    /// A look ended: what it did not see is gone.
    pub(super) fn end(&mut self) {
        self.0.retain(|_, candidate| candidate.present);
    }

    /// A file was seen so. For how long it has been.
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

    /// How long it must stay the same; found out once for each content.
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

    /// It cannot be opened now. Whether that goes on for so long that it is to be told; once.
    pub(super) fn held(&mut self, path: &Path, now: Duration) -> bool {
        let Some(candidate) = self.0.get_mut(path) else { return false };
        let since = *candidate.held_since.get_or_insert(now);
        let tell = !candidate.told && now.saturating_sub(since) >= HELD;
        candidate.told |= tell;
        tell
    }

    /// It was taken.
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
