//! Feeds the log files: a queue and a writer thread, so that logging never blocks.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::files::Files;
use super::format::{has_ranks, one_line, rank};
use crate::disk::DiskError;
use crate::model::fault::Fault;
use crate::model::time::WallMs;

/// Limits of the queue, in lines and bytes. What exceeds them is dropped, and the log says so.
const LINES: usize = 8192;
const BYTES: usize = 16 << 20;
/// In bytes. Longer lines are truncated.
const LINE_MAX: usize = 32 << 10;
/// How long to wait before retrying a folder that cannot be written.
const AGAIN: Duration = Duration::from_secs(30);
/// How often old files are removed, even if nothing is logged.
const TIDY: Duration = Duration::from_hours(1);
/// How long a process that exits waits for its last lines.
const LAST: Duration = Duration::from_secs(2);

/// The sending end, for lines that go to files.
#[derive(Clone)]
pub(super) struct Sink {
    queue: SyncSender<Message>,
    load: Arc<Load>,
}

/// The load of the queue.
#[derive(Default)]
struct Load {
    bytes: AtomicUsize,
    lost: AtomicU64,
}

enum Message {
    Line(Level, Vec<u8>),
    Flush(SyncSender<()>),
}

impl Sink {
    /// Starts the writer thread.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn start(files: Files, now: fn() -> WallMs) -> io::Result<Self> {
        let (queue, lines) = mpsc::sync_channel(LINES);
        let load = Arc::new(Load::default());
        let sink = Self { queue, load: Arc::clone(&load) };
        let writing = Writing::new(files, Box::new(Stderr));
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || serve(writing, &lines, &load, now))?;
        Ok(sink)
    }

    /// Waits until everything queued so far is written, but no longer than `LAST`.
    pub(super) fn flush(&self) {
        let (done, wait) = mpsc::sync_channel(1);
        if self.queue.try_send(Message::Flush(done)).is_ok() {
            // A hanging disk must not block the exit.
            let _ = wait.recv_timeout(LAST);
        }
    }

    fn hand_in(&self, level: Level, line: Vec<u8>) {
        let bytes = line.len();
        let waiting = self.load.bytes.fetch_add(bytes, Ordering::Relaxed);
        let is_full = waiting.saturating_add(bytes) > BYTES;
        if is_full || self.queue.try_send(Message::Line(level, line)).is_err() {
            self.load.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.load.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn serve(mut writing: Writing, lines: &Receiver<Message>, load: &Load, now: fn() -> WallMs) {
    loop {
        match lines.recv_timeout(TIDY) {
            Ok(Message::Line(level, line)) => {
                load.bytes.fetch_sub(line.len(), Ordering::Relaxed);
                let lost = load.lost.swap(0, Ordering::Relaxed);
                writing.line(level, &line, lost, now());
            }
            Ok(Message::Flush(done)) => {
                // The caller may have stopped waiting.
                let _ = done.try_send(());
            }
            Err(RecvTimeoutError::Timeout) => writing.files.tidy(now()),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// The thread's work, without the thread.
struct Writing {
    files: Files,
    /// Where lines go while the files cannot be written.
    instead: Box<dyn Write + Send>,
    failing: Option<Failing>,
}

/// Set while the files cannot be written.
struct Failing {
    /// Time of the last attempt.
    tried: WallMs,
    /// Number of lines that went elsewhere.
    lines: u64,
}

impl Writing {
    fn new(files: Files, instead: Box<dyn Write + Send>) -> Self {
        Self { files, instead, failing: None }
    }

    /// Writes one line, preceded by a note if `lost` lines were dropped.
    fn line(&mut self, level: Level, line: &[u8], lost: u64, now: WallMs) {
        if lost > 0 {
            let text = format!(
                "{lost} lines are missing here: they came faster than the disk could write them"
            );
            self.put(Level::WARN, &own_line(&text, now), now);
        }
        self.put(level, line, now);
    }

    fn put(&mut self, level: Level, line: &[u8], now: WallMs) {
        if let Some(failing) = &mut self.failing {
            if now >= failing.tried && now < failing.tried.plus(AGAIN) {
                failing.lines += 1;
                self.elsewhere(level, line);
                return;
            }
            failing.tried = now;
        }
        match self.files.write(line, now) {
            Ok(()) => self.over(now),
            Err(error) => {
                if self.failing.is_none() {
                    self.say(&not_written(self.files.dir(), error));
                }
                let failing = self.failing.get_or_insert(Failing { tried: now, lines: 0 });
                failing.lines += 1;
                self.elsewhere(level, line);
            }
        }
    }

    /// Called when the files can be written again.
    fn over(&mut self, now: WallMs) {
        let Some(Failing { lines, .. }) = self.failing.take() else { return };
        let text = format!(
            "the log is written to {} again; until then, {lines} lines went to standard error",
            self.files.dir().display()
        );
        self.say(&text);
        // If it fails again, the next line reports it.
        let _ = self.files.write(&own_line(&text, now), now);
    }

    fn say(&mut self, text: &str) {
        let rank = if has_ranks() { rank(Level::WARN) } else { "" };
        // There is no channel left to report this.
        let _ = writeln!(self.instead, "{rank}{text}");
    }

    /// Writes to standard error, unless the line is there already as a warning or error.
    fn elsewhere(&mut self, level: Level, line: &[u8]) {
        if level > Level::WARN {
            let rank = if has_ranks() { rank(level) } else { "" };
            let _ =
                self.instead.write_all(rank.as_bytes()).and_then(|()| self.instead.write_all(line));
        }
    }
}

fn not_written(dir: &std::path::Path, error: DiskError) -> String {
    let fault = Fault::from(error);
    let hint = fault.hint.as_deref().unwrap_or_default();
    format!(
        "the log cannot be written to {} ({}); it goes to standard error for now, and the folder \
         is tried again every {} s ({hint})",
        dir.display(),
        fault.chain(),
        AGAIN.as_secs()
    )
}

/// Formats a line of this module's own.
fn own_line(text: &str, now: WallMs) -> Vec<u8> {
    one_line(format!("{} WARN {}: {text}", now.to_rfc3339(), module_path!()).as_bytes())
}

/// Prints to standard error, for when logging is not possible.
pub(super) fn say(text: &str) {
    // There is no channel left to report this.
    let _ = writeln!(io::stderr(), "{text}");
}

struct Stderr;

impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        io::stderr().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Pen<'a>;

    fn make_writer(&'a self) -> Pen<'a> {
        Pen { sink: self, level: Level::INFO }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Pen<'a> {
        Pen { sink: self, level: *about.level() }
    }
}

/// Accepts one line, in one piece.
pub(super) struct Pen<'a> {
    sink: &'a Sink,
    level: Level,
}

impl Write for Pen<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut end = text.len().min(LINE_MAX);
        while end < text.len() && text[end] & 0xC0 == 0x80 {
            end -= 1;
        }
        self.sink.hand_in(self.level, one_line(&text[..end]));
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "sink_tests.rs"]
mod tests;
