//! Watches an output tree as another program would, and records everything that such a program must
//! never see.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};

pub struct Watcher {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

#[derive(Debug, Default)]
pub struct Seen {
    /// Order directories that appeared, in order; one that arrived as the watch began may be listed
    /// twice.
    pub arrived: Vec<PathBuf>,
    /// What must never happen.
    pub violations: Vec<String>,
}

struct Watch {
    inotify: Inotify,
    /// Watched directories with their depth: 0 output, 1 lab, 2 account, 3 and deeper order.
    dirs: BTreeMap<i32, (PathBuf, usize)>,
    seen: Seen,
}

impl Watcher {
    /// Starts watching. The output folder must exist.
    pub fn start(output: &Path) -> Self {
        let mut watch = Watch {
            inotify: Inotify::init().expect("inotify"),
            dirs: BTreeMap::new(),
            seen: Seen::default(),
        };
        watch.enter(output, 0);
        let over = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let over = Arc::clone(&over);
            move || {
                loop {
                    // Read everything that happened before the end was announced.
                    let last = over.load(Ordering::SeqCst);
                    let idle = watch.read();
                    if last && idle {
                        return watch.seen;
                    }
                    if idle {
                        thread::park_timeout(Duration::from_millis(5));
                    }
                }
            }
        });
        Self { over, thread }
    }

    pub fn finish(self) -> Seen {
        self.over.store(true, Ordering::SeqCst);
        self.thread.join().expect("watcher")
    }
}

impl Watch {
    fn enter(&mut self, dir: &Path, depth: usize) {
        let mask = WatchMask::CREATE
            | WatchMask::MODIFY
            | WatchMask::CLOSE_WRITE
            | WatchMask::MOVED_TO
            | WatchMask::MOVED_FROM
            | WatchMask::DELETE
            | WatchMask::ONLYDIR;
        let Ok(descriptor) = self.inotify.watches().add(dir, mask) else { return };
        if self.dirs.insert(id(&descriptor), (dir.to_owned(), depth)).is_some() {
            return;
        }
        // Catch up on what arrived before the watch began.
        let Ok(entries) = std::fs::read_dir(dir) else { return };
        for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
            if depth == 2 {
                self.arrived(&entry.path());
            }
            self.enter(&entry.path(), depth + 1);
        }
    }

    fn read(&mut self) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        let events: Vec<_> = match self.inotify.read_events(&mut buffer) {
            Ok(events) => events.map(|event| event.to_owned()).collect(),
            Err(_) => return true,
        };
        for event in &events {
            if event.mask.contains(EventMask::Q_OVERFLOW) {
                self.seen.violations.push("the watcher itself lost events".to_owned());
            }
            let Some((dir, depth)) = self.dirs.get(&id(&event.wd)).cloned() else { continue };
            let path = dir.join(event.name.as_deref().unwrap_or(OsStr::new("")));
            self.judge(event.mask, &path, depth);
        }
        events.is_empty()
    }

    fn judge(&mut self, mask: EventMask, path: &Path, depth: usize) {
        let is_dir = mask.contains(EventMask::ISDIR);
        let is_marker = path.file_name() == Some(OsStr::new(".casedrop-root"));
        match depth {
            0 if is_marker || is_dir => {}
            1 if is_dir && mask.contains(EventMask::CREATE) => {}
            2 if is_dir && mask.contains(EventMask::MOVED_TO) => self.arrived(path),
            2 if is_dir && mask.contains(EventMask::MOVED_FROM) => {}
            _ if mask.contains(EventMask::IGNORED) || mask.contains(EventMask::DELETE_SELF) => {}
            _ => self.seen.violations.push(format!("{mask:?} {}", path.display())),
        }
        if is_dir && depth < 2 {
            self.enter(path, depth + 1);
        }
        if is_dir && depth == 2 && mask.contains(EventMask::MOVED_TO) {
            self.enter(path, 3);
        }
    }

    /// A directory has just become visible: it must be whole at this very moment.
    fn arrived(&mut self, dir: &Path) {
        // Hold the directory itself open: by name, we might run into the next revision halfway.
        let whole = File::open(dir).map_err(|error| error.to_string()).and_then(|open| {
            let held = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd()));
            super::tree::check_order(&held)
        });
        if let Err(what) = whole {
            self.seen.violations.push(format!("{}: {what}", dir.display()));
        }
        self.seen.arrived.push(dir.to_owned());
    }
}

fn id(descriptor: &WatchDescriptor) -> i32 {
    descriptor.get_watch_descriptor_id()
}
