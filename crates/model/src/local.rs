//! What the hot folder reports to the engine, and the names on which both agree.

use std::path::PathBuf;

use super::fault::{DISK_FULL, Fault, FaultClass};
use super::manifest::Manifest;

/// Prefix of the job names of revisions that were held back. No other job has such a name.
pub const HELD_JOB: &str = "held/";

/// What is at an order's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalPicture {
    /// Nothing, or, if nothing was expected, an empty directory.
    Absent,
    /// Exactly what was expected, byte for byte.
    AsPublished,
    /// Some of our files are gone and the rest is unchanged: they were consumed. Also an expected
    /// directory that is now empty.
    Reduced {
        /// The paths of the missing files, including the manifest's own.
        gone: Vec<String>,
    },
    /// Others changed or added something.
    Altered {
        /// One line per difference, naming the file.
        differences: Vec<String>,
    },
    /// Nothing was expected, and there is a complete order with a valid manifest: ours, as far as
    /// we can tell.
    Ours {
        manifest: Box<Manifest>,
        /// SHA-256 of the manifest's bytes.
        manifest_sha256: String,
    },
    /// Nothing was expected, and something else is there.
    Foreign {
        /// Describes it in messages.
        what: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishOutcome {
    /// The revision is published, durably.
    Done {
        /// The order's directory.
        dir: PathBuf,
    },
    /// The target is not what was expected; nothing there was touched.
    TargetChanged {
        /// What is there instead.
        found: LocalPicture,
    },
}

/// How to continue after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// It is published, durably; record it.
    Published,
    /// The staged order is whole: publish it again.
    Ready,
    /// The revision is still whole where it was held back: start over with it.
    Held,
    /// Nothing usable is left in staging: download the order again. A revision that had been moved
    /// aside is back in its place.
    Lost,
}

/// What became of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    Removed,
    Absent,
    /// It was left alone, with the reason.
    LeftAlone(String),
}

/// Returns a new directory name for a job's held revision, so that one replaces another in the
/// journal but never on disk. `last` is the current name. `mark` tells attempts apart: what a
/// failed one leaves can be removed later.
pub fn next_dir(job: &str, last: Option<&str>, mark: u32) -> String {
    format!("{job}~h{}-{mark:08x}", last.map_or(0, number_of).saturating_add(1))
}

/// Returns the number of an order's directory; the greater number is the newer one.
pub fn number_of(dir: &str) -> u32 {
    let number = dir.rsplit_once("~h").and_then(|(_, rest)| rest.split_once('-'));
    number.and_then(|(number, _)| number.parse().ok()).unwrap_or(0)
}

/// Returns the fault for a volume with too little space, the reserve included.
pub fn too_little(text: String) -> Fault {
    Fault::new(FaultClass::Local, DISK_FULL, text).hint(
        "free some space on that volume, or lower retention.min_free; Casedrop then continues \
         automatically",
    )
}
