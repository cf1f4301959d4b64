//! The promised order, as a check of a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use casedrop::model::manifest::FILE_NAME;

use crate::disk::Event;

/// The mark at which the publication is reported as done.
pub const DONE: &str = "done";

/// One publication and where it goes.
pub struct Promise<'a> {
    /// Where it was put together.
    pub staged: &'a Path,
    /// The order's directory.
    pub dir: &'a Path,
    /// Above `dir`, and long durable.
    pub output: &'a Path,
    /// Above `staged` and history, and long durable.
    pub staging: &'a Path,
    /// Whether it replaces a revision.
    pub replaces: bool,
}

/// What was changed and not synced yet.
#[derive(Default)]
struct Loose {
    files: BTreeSet<PathBuf>,
    /// Names that appeared, disappeared or changed, by directory.
    names: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

impl Promise<'_> {
    /// Finds the first violation.
    pub fn check(&self, events: &[Event]) -> Result<(), String> {
        let mut loose = Loose::default();
        let (mut sealed, mut moved, mut aside) = (false, false, None);
        for event in events {
            match event {
                Event::Create(path) if *path == self.staged.join(FILE_NAME) => {
                    self.before_manifest(&loose)?;
                    sealed = true;
                }
                Event::Rename(a, b) | Event::Exchange(a, b)
                    if a == self.staged && b == self.dir =>
                {
                    if !sealed {
                        return Err(format!("the order is moved in without {FILE_NAME}"));
                    }
                    self.before_move_in(&loose)?;
                    moved = true;
                }
                Event::Rename(from, to)
                    if from == if moved { self.staged } else { self.dir }
                        && to.starts_with(self.staging) =>
                {
                    aside = Some(to.clone());
                }
                // An empty directory may be in the way.
                Event::Remove(path) if path == self.dir && !moved => {}
                Event::Mark(DONE) => {
                    if !moved {
                        return Err("done is reported before the order is moved in".to_owned());
                    }
                    return self.before_done(&loose, aside.as_deref());
                }
                other => self.not_at_the_place(other)?,
            }
            loose.note(event);
        }
        Err("done is never reported".to_owned())
    }

    fn before_manifest(&self, loose: &Loose) -> Result<(), String> {
        if let Some(file) = loose.file_below(self.staged) {
            return Err(format!("{FILE_NAME} is written before {} is synced", file.display()));
        }
        match loose.dir_below(self.staged).filter(|dir| *dir != self.staged) {
            Some(dir) => Err(format!("{FILE_NAME} is written before {} is synced", dir.display())),
            None => Ok(()),
        }
    }

    fn before_move_in(&self, loose: &Loose) -> Result<(), String> {
        let early = |path: &Path| Err(format!("moved in before {} is synced", path.display()));
        if let Some(path) = loose.file_below(self.staged).or(loose.dir_below(self.staged)) {
            return early(path);
        }
        let account = self.dir.parent().unwrap_or(self.output);
        let staging = loose.on_the_way(self.staged, self.staging);
        match staging.or(loose.on_the_way(account, self.output)) {
            Some(dir) => early(&dir),
            None => Ok(()),
        }
    }

    fn before_done(&self, loose: &Loose, aside: Option<&Path>) -> Result<(), String> {
        if self.replaces && aside.is_none() {
            return Err("the revision before is not kept in history".to_owned());
        }
        let ways = [Some((self.dir, self.output)), Some((self.staged, self.staging))]
            .into_iter()
            .chain([aside.map(|aside| (aside, self.staging))]);
        for (path, top) in ways.flatten() {
            if let Some(dir) = loose.on_the_way(path, top) {
                return Err(format!("done is reported before {} is synced", dir.display()));
            }
        }
        Ok(())
    }

    /// Only whole orders may appear below the output.
    fn not_at_the_place(&self, event: &Event) -> Result<(), String> {
        let touched = match event {
            Event::MakeDir(path)
            | Event::Create(path)
            | Event::Write(path)
            | Event::Remove(path) => [path, path],
            Event::Rename(a, b) | Event::Exchange(a, b) | Event::Link(a, b) => [a, b],
            Event::SyncFile(_) | Event::SyncDir(_) | Event::Mark(_) => return Ok(()),
        };
        match touched.into_iter().find(|path| path.starts_with(self.dir)) {
            Some(path) => Err(format!("{} is touched at its place", path.display())),
            None => Ok(()),
        }
    }
}

impl Loose {
    fn note(&mut self, event: &Event) {
        match event {
            Event::MakeDir(path) => self.name(path),
            Event::Create(path) => {
                self.name(path);
                self.files.insert(path.clone());
            }
            Event::Write(path) => drop(self.files.insert(path.clone())),
            Event::SyncFile(path) => drop(self.files.remove(path)),
            Event::SyncDir(path) => drop(self.names.remove(path)),
            Event::Rename(from, to) => {
                self.respell(|path| moved(path, from, to));
                self.name(from);
                self.name(to);
            }
            Event::Exchange(a, b) => {
                self.respell(|path| moved(path, a, b).or_else(|| moved(path, b, a)));
                self.name(a);
                self.name(b);
            }
            Event::Link(from, to) => {
                if self.files.contains(from) {
                    self.files.insert(to.clone());
                }
                self.name(to);
            }
            Event::Remove(path) => {
                self.files.retain(|file| !file.starts_with(path));
                self.names.retain(|dir, _| !dir.starts_with(path));
                self.name(path);
            }
            Event::Mark(_) => {}
        }
    }

    fn name(&mut self, path: &Path) {
        if let Some(dir) = path.parent() {
            self.names.entry(dir.to_path_buf()).or_default().insert(path.to_path_buf());
        }
    }

    fn respell(&mut self, new: impl Fn(&Path) -> Option<PathBuf>) {
        let new = |path: PathBuf| new(&path).unwrap_or(path);
        self.files = std::mem::take(&mut self.files).into_iter().map(new).collect();
        self.names = std::mem::take(&mut self.names)
            .into_iter()
            .map(|(dir, names)| (new(dir), names.into_iter().map(new).collect()))
            .collect();
    }

    fn file_below(&self, dir: &Path) -> Option<&Path> {
        self.files.iter().map(PathBuf::as_path).find(|file| file.starts_with(dir))
    }

    fn dir_below(&self, top: &Path) -> Option<&Path> {
        self.names.keys().map(PathBuf::as_path).find(|dir| dir.starts_with(top))
    }

    /// The first directory between `top` and `path` whose entry on the way is not durable.
    fn on_the_way(&self, path: &Path, top: &Path) -> Option<PathBuf> {
        let mut way: Vec<&Path> =
            path.ancestors().take_while(|part| *part != top && part.starts_with(top)).collect();
        way.reverse();
        way.into_iter().find_map(|part| {
            let dir = part.parent()?;
            self.names.get(dir)?.contains(part).then(|| dir.to_path_buf())
        })
    }
}

fn moved(path: &Path, from: &Path, to: &Path) -> Option<PathBuf> {
    let rest = path.strip_prefix(from).ok()?;
    // Joining an empty path would leave a trailing separator.
    Some(if rest.as_os_str().is_empty() { to.to_path_buf() } else { to.join(rest) })
}
