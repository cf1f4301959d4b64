//! Creates and scans the command folder, and takes what people put there.
//!
//! All state is in file names, so that work continues wherever a crash left it:
//!
//! | in `working` | means |
//! |---|---|
//! | `<stamp>~<name>` | taken; the stamp is the request's id, the name is that of the receipts |
//! | `.<stamp>.receipt.json` | the answer is decided; the rest follows from it |
//! | `.<stamp>.receipt.txt` | the same for people |
//!
//! The receipt for programs appears next to the filed command last: a program that sees it finds
//! everything else in place.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::folders::{self, DONE, FAILED, README, Sort, Taken, WORKING};
use super::waiting::{self, Waiting};
use super::{FOLDERS, MAX_BYTES, read, readme};
use crate::disk::{Disk, DiskError, Entry, Kind, Moved, read_limited, write_durably};
use crate::model::request::Requests;
use crate::model::step::Step;
use crate::model::time::Now;

/// Time between two scans of the folder, unless something requires an earlier one.
pub const SCAN: Duration = Duration::from_secs(5);

/// A command folder.
pub struct Folder {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) handler: Arc<dyn Requests>,
    pub(super) step: fn(Step),
    now: Box<dyn Fn() -> Now + Send + Sync>,
    waiting: Mutex<Waiting>,
    /// Stamps of the commands being processed now.
    busy: Mutex<BTreeSet<String>>,
    /// Reported troubles that are not over, by what they concern.
    told: Mutex<BTreeMap<String, String>>,
}

/// The result of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Time until the next scan is due.
    pub again: Duration,
    /// A slow request waits: call [`Folder::work_off_slow`].
    pub slow: bool,
    /// The folder was missing and is back (or is new): its watch must be set up again.
    pub is_new: bool,
}

impl Folder {
    /// Creates the handle, whether the folder exists or not. Does nothing yet.
    pub fn new(
        dir: PathBuf,
        disk: Arc<dyn Disk>,
        handler: Arc<dyn Requests>,
        step: fn(Step),
        now: impl Fn() -> Now + Send + Sync + 'static,
    ) -> Self {
        Self {
            disk,
            dir,
            handler,
            step,
            now: Box::new(now),
            waiting: Mutex::default(),
            busy: Mutex::default(),
            told: Mutex::default(),
        }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Scans the folder once: finishes what was taken before, takes what is ready, and processes
    /// it, except slow requests. A failure is logged once and tried again in the next scan.
    pub fn look(&self) -> Look {
        let is_new = match self.make() {
            Ok(is_new) => is_new,
            Err(error) => {
                self.trouble("", "the command folder cannot be used", &error);
                return Look { again: SCAN, slow: false, is_new: false };
            }
        };
        let mut look = Look { again: SCAN, slow: self.work_off_quick(), is_new };
        match self.take() {
            Ok((taken, again)) => {
                look.again = again.clamp(Duration::from_millis(50), SCAN);
                if taken {
                    look.slow |= self.work_off_quick();
                }
                self.over("");
            }
            Err(error) => self.trouble("", "the command folder cannot be used", &error),
        }
        look
    }

    pub(super) fn now(&self) -> Now {
        (self.now)()
    }

    pub(super) fn working(&self) -> PathBuf {
        self.dir.join(WORKING)
    }

    /// Creates what is missing. Returns whether anything was.
    fn make(&self) -> Result<bool, DiskError> {
        let mut is_new = false;
        for name in FOLDERS {
            let dir = self.dir.join(name);
            match self.disk.kind(&dir)? {
                Some(Kind::Dir) => {}
                Some(_) => {
                    let source = io::Error::from(io::ErrorKind::NotADirectory);
                    return Err(DiskError { operation: "use the folder", path: dir, source });
                }
                None => {
                    self.disk.create_dirs(&dir)?;
                    is_new = true;
                }
            }
        }
        // The folder works without its README, too.
        match self.explain() {
            Ok(()) => self.over(README),
            Err(error) => self.trouble(README, "README.txt cannot be written", &error),
        }
        Ok(is_new)
    }

    fn explain(&self) -> Result<(), DiskError> {
        let path = self.dir.join(README);
        let text = readme::text();
        match self.disk.kind(&path)? {
            None => {}
            Some(Kind::File) => {
                let found = read_limited(&*self.disk, &path, MAX_BYTES);
                let found = found.ok().and_then(|bytes| String::from_utf8(bytes).ok());
                if found.is_none_or(|found| found == text || !readme::is_ours(&found)) {
                    return Ok(());
                }
            }
            Some(_) => return Ok(()),
        }
        // Written elsewhere first: every file in this folder is looked at.
        let beside = self.working().join(".readme");
        write_durably(&*self.disk, &beside, text.as_bytes())?;
        self.disk.replace_file(&beside, &path)?;
        self.disk.sync_dir(&self.dir)
    }

    /// Takes what is ready. Returns whether there was anything, and when the next file may be
    /// ready.
    fn take(&self) -> Result<(bool, Duration), DiskError> {
        let mut again = SCAN;
        let mut ready = Vec::new();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.begin();
            for (entry, sort) in self.candidates()? {
                match self.is_ready(&mut waiting, &entry, sort) {
                    Ok(None) => {}
                    Ok(Some(Duration::ZERO)) => ready.push(entry),
                    Ok(Some(wait)) => again = again.min(wait),
                    // It was taken away while we looked.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(_) => {
                        if waiting.held(&entry.path, self.now().mono) {
                            tell_held(&self.dir);
                        }
                    }
                }
            }
            waiting.end();
        }
        if ready.is_empty() {
            return Ok((false, again));
        }
        let mut names = self.names_in_use()?;
        let mut taken = false;
        for entry in ready {
            match self.take_one(&entry, &mut names) {
                Ok(()) => {
                    taken = true;
                    self.over(WORKING);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.is_busy() => {
                    let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    if waiting.held(&entry.path, self.now().mono) {
                        tell_held(&self.dir);
                    }
                }
                Err(error) => self.trouble(WORKING, "a command file cannot be taken", &error),
            }
        }
        if taken {
            self.disk.sync_dir(&self.working())?;
            self.disk.sync_dir(&self.dir)?;
            (self.step)(Step::CommandTaken);
        }
        Ok((taken, again))
    }

    /// Possible commands in the folder itself, and in `working` if someone put them there.
    fn candidates(&self) -> Result<Vec<(Entry, Sort)>, DiskError> {
        let sorted = |entry: Entry| {
            let name = name_of(&entry);
            let sort = match entry.kind {
                Kind::File => folders::sort(&name),
                Kind::Dir => folders::sort_folder(&name),
                Kind::Other if self.is_no_file(&entry.path) => folders::sort(&name),
                // Links are not ours, and are not followed.
                Kind::Other => Sort::Foreign,
            };
            (sort != Sort::Foreign).then_some((entry, sort))
        };
        let mut found: Vec<_> = self.disk.list(&self.dir)?.into_iter().filter_map(sorted).collect();
        let strays = self.disk.list(&self.working())?.into_iter();
        found.extend(
            strays.filter(|entry| Taken::parse(&name_of(entry)).is_none()).filter_map(sorted),
        );
        Ok(found)
    }

    /// Time until a file is ready if it stays as it is; `None` if it does not concern us.
    fn is_ready(
        &self,
        waiting: &mut Waiting,
        entry: &Entry,
        sort: Sort,
    ) -> Result<Option<Duration>, DiskError> {
        let path = &entry.path;
        let stamp = self.disk.stamp(path)?;
        if stamp.hidden {
            return Ok(None);
        }
        let now = self.now().mono;
        let still = waiting.seen(path, stamp, now);
        if still < waiting::STILL {
            return Ok(Some(waiting::STILL.saturating_sub(still)));
        }
        match self.disk.is_at_rest(path) {
            Ok(true) => {}
            Ok(false) => {
                if waiting.held(path, now) {
                    tell_held(&self.dir);
                }
                return Ok(Some(waiting::STILL));
            }
            // It gets a receipt, so that the person who put it there learns why nothing happens.
            Err(error) if error.no_file().is_some() => {
                return Ok(Some(waiting::UNCLEAR.saturating_sub(still)));
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(Some(waiting::UNFINISHED.saturating_sub(still)));
            }
            Err(error) => return Err(error),
        }
        let patience = waiting.patience(path, || match sort {
            Sort::Temporary => Ok(waiting::TEMPORARY),
            _ => self.patience_with(entry),
        })?;
        Ok(Some(patience.saturating_sub(still)))
    }

    /// Whether it is a pipe, a socket, a device or a folder. Links are not followed.
    pub(super) fn is_no_file(&self, path: &Path) -> bool {
        self.disk.is_at_rest(path).is_err_and(|error| error.no_file().is_some())
    }

    /// How long to wait for a file that is not a command: it may still become one.
    fn patience_with(&self, entry: &Entry) -> Result<Duration, DiskError> {
        match read_limited(&*self.disk, &entry.path, MAX_BYTES) {
            Ok(bytes) => Ok(match read(&name_of(entry), &bytes) {
                Ok(_) => Duration::ZERO,
                Err(complaint) if complaint.perhaps_unfinished => waiting::UNFINISHED,
                Err(_) => waiting::UNCLEAR,
            }),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(waiting::UNCLEAR),
            Err(error) => Err(error),
        }
    }

    fn take_one(&self, entry: &Entry, names: &mut BTreeSet<String>) -> Result<(), DiskError> {
        let name = folders::kept_name(&name_of(entry), names);
        loop {
            let at = self.now().wall.0;
            let taken = Taken::new(at, fastrand::u32(..), name.clone());
            (self.step)(Step::CommandTake);
            let to = self.working().join(taken.file_name());
            if self.disk.rename(&entry.path, &to)? == Moved::Done {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.taken(&entry.path);
                return Ok(());
            }
        }
    }

    /// The names, in lower case, that a file to be filed must not have.
    fn names_in_use(&self) -> Result<BTreeSet<String>, DiskError> {
        let mut names = BTreeSet::new();
        for dir in [DONE, FAILED] {
            let entries = self.disk.list(&self.dir.join(dir))?;
            names.extend(entries.iter().map(|entry| name_of(entry).to_lowercase()));
        }
        for entry in self.disk.list(&self.working())? {
            if let Some(taken) = Taken::parse(&name_of(&entry)) {
                names.insert(taken.name.to_lowercase());
            }
        }
        Ok(names)
    }

    /// Reserves the command with that stamp, unless it is being processed already.
    pub(super) fn hold(&self, stamp: &str) -> Option<Hold<'_>> {
        let is_free = self.busy().insert(stamp.to_owned());
        is_free.then(|| Hold { folder: self, stamp: stamp.to_owned() })
    }

    fn busy(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports a trouble once. File names are left out: they may contain a person's name.
    pub(super) fn trouble(&self, about: &str, what: &str, error: &DiskError) {
        let text = format!("{what}: cannot {}: {}", error.operation, error.source);
        self.trouble_in_words(about, &text);
    }

    pub(super) fn trouble_in_words(&self, about: &str, text: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(about.to_owned(), text.to_owned()).is_none_or(|before| before != text) {
            let folder = self.dir.display().to_string();
            tracing::warn!(folder, about, "{text}; retrying");
        }
    }

    pub(super) fn over(&self, about: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.remove(about).is_some() {
            let folder = self.dir.display().to_string();
            tracing::info!(folder, about, "this is over: the command folder can be used again");
        }
    }
}

/// Reserves one command while it is processed.
pub(super) struct Hold<'a> {
    folder: &'a Folder,
    stamp: String,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.folder.busy().remove(&self.stamp);
    }
}

/// The file's name, with invalid Unicode replaced.
pub(super) fn name_of(entry: &Entry) -> String {
    entry.name.clone().unwrap_or_else(|| {
        entry.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    })
}

fn tell_held(dir: &Path) {
    let folder = dir.display().to_string();
    tracing::warn!(
        folder,
        "a file in the command folder cannot be opened: another program has it open, or the \
         agent's user may not read it; it stays there and is retried"
    );
}
