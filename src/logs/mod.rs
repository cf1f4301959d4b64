//! Where log lines go: to standard error, to daily files, and into a ring buffer of the newest
//! lines for the status page.
//!
//! The agent never waits for its log and never exits because of it: lines for files go through a
//! queue to a thread of their own (`Sink`), and go to standard error while the folder cannot be
//! written. A line holds no secrets and no names of patients or doctors. Lines about a lab or an
//! order name it in the fields `lab` and `order`.

mod files;
mod format;
mod notices;
mod reader;
mod recent;
mod sink;
mod targets;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::FilterExt as _;
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, fmt};

use self::files::Files;
use self::sink::Sink;
use crate::config::Log;
use crate::disk::Disk;
use crate::model::time::WallMs;

pub use self::files::{FILE_MAX, Found, TOTAL_MAX, found};
pub use self::notices::log;
pub use self::reader::{Entry, Reader, Wanted};
pub use self::recent::{Filter, Line, Recent};

/// The target of lines that the user also sees on standard error or by other means. They go to
/// files and the ring buffer only.
pub const SAID: &str = "casedrop::said";

/// The filter for people who do not ask for more.
pub const OUT_OF_THE_ORDINARY: &str = "warn";

/// The default folder for log files, inside the state folder.
const FOLDER: &str = "logs";

/// How a process logs.
pub struct Setup<'a> {
    pub log: &'a Log,
    /// The folder for log files, if any.
    pub folder: Option<PathBuf>,
    /// Whether a user watches standard error and gets plain status lines there.
    pub terminal: bool,
    /// What that user gets of the log.
    pub people: &'a str,
    pub disk: Arc<dyn Disk>,
    pub now: fn() -> WallMs,
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Returns the folder for log files: `log.dir` if set. Otherwise a Windows service uses `logs` in
/// the state folder, as no one sees its standard error; `None` means no files.
pub fn folder(log: &Log, state: &Path, is_service: bool) -> Option<PathBuf> {
    let usual = || (cfg!(windows) && is_service).then(|| usual_folder(state));
    log.dir.clone().or_else(usual)
}

/// The default folder for the log files of a Windows service.
pub fn usual_folder(state: &Path) -> PathBuf {
    state.join(FOLDER)
}

/// Starts logging. If there are log files, standard error still gets warnings and errors, so that
/// whatever collects it, such as the systemd journal, shows what needs attention.
pub fn start(setup: Setup<'_>) {
    let filter = || targets::filter(&setup.log.level);
    let mut layers = vec![ring(&setup.log.level, setup.now)];
    layers.push(match (setup.terminal, &setup.folder) {
        (true, _) => format::stderr(setup.log.is_json()).with_filter(people(setup.people)).boxed(),
        (false, Some(_)) => format::stderr(setup.log.is_json())
            .with_filter(LevelFilter::WARN.and(unsaid(filter())))
            .boxed(),
        (false, None) => format::stderr(setup.log.is_json()).with_filter(unsaid(filter())).boxed(),
    });
    if let Some(folder) = setup.folder {
        let files = Files::new(setup.disk, folder, setup.log.keep);
        if let Some(sink) = sink(files, setup.now) {
            layers.push(file(sink, setup.log.is_json()).with_filter(filter()).boxed());
        }
    }
    init(layers);
    tell_panics();
}

/// Starts logging for a command: what passes the filter goes to standard error, as the user sees the
/// rest in plain lines.
pub fn for_people(filter: &str, now: fn() -> WallMs) {
    init(vec![ring("info", now), format::stderr(false).with_filter(people(filter)).boxed()]);
}

/// Like [`for_people`], for a command that reports its own failures: only errors go to standard error.
pub fn for_command(now: fn() -> WallMs) {
    let filter = LevelFilter::ERROR.and(people(OUT_OF_THE_ORDINARY));
    init(vec![ring("info", now), format::stderr(false).with_filter(filter).boxed()]);
}

/// Starts logging to standard error when nothing is configured.
pub fn plain(now: fn() -> WallMs) {
    let filter = unsaid(Targets::new().with_default(LevelFilter::INFO));
    init(vec![ring("info", now), format::stderr(false).with_filter(filter).boxed()]);
}

/// The newest lines of this process.
pub fn recent() -> &'static Recent {
    static RECENT: OnceLock<Recent> = OnceLock::new();
    RECENT.get_or_init(Recent::default)
}

/// Waits until everything logged so far is in the files, for at most two seconds. Call it before
/// the process exits.
pub fn flush() {
    if let Some(sink) = SINK.get() {
        sink.flush();
    }
}

static SINK: OnceLock<Sink> = OnceLock::new();

/// Starts the thread that writes the files. `None` if it cannot be started, which is reported.
fn sink(files: Files, now: fn() -> WallMs) -> Option<Sink> {
    match Sink::start(files, now) {
        Ok(sink) => Some(SINK.get_or_init(|| sink).clone()),
        Err(error) => {
            sink::say(&format!("no log file is written: there is no thread for it ({error})"));
            None
        }
    }
}

fn people(filter: &str) -> Targets {
    unsaid(targets::filter(filter).with_target(notices::TARGET, LevelFilter::OFF))
}

/// Excludes lines that the user sees by other means.
fn unsaid(filter: Targets) -> Targets {
    filter.with_target(SAID, LevelFilter::OFF)
}

fn file<S>(sink: Sink, json: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = fmt::layer().with_ansi(false).with_writer(sink);
    if json { layer.json().boxed() } else { layer.boxed() }
}

/// The ring buffer gets what the config asks for, and in any case everything from `info` up.
fn ring(level: &str, now: fn() -> WallMs) -> BoxedLayer {
    let filter = targets::filter(level);
    recent::layer(recent(), now).with_filter(LevelFilter::INFO.or(filter)).boxed()
}

/// Whether lines of that target may be logged at all. The library that watches the command folder
/// logs every file name there, and users name files after patients.
fn tells_no_names(target: &str) -> bool {
    target != "notify" && !target.starts_with("notify::")
}

fn init(mut layers: Vec<BoxedLayer>) {
    let discreet = filter_fn(|metadata| tells_no_names(metadata.target()));
    layers.push(Layer::<Registry>::boxed(discreet));
    // A second start in one process, as in tests, keeps the first setup.
    let _ = tracing_subscriber::registry().with(layers).try_init();
}

/// Logs where a thread panicked, also to the files, but not the message, which may quote anything.
fn tell_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map_or_else(String::new, |at| format!(" at {at}"));
        tracing::error!(target: SAID, "internal error: a thread panicked{place}");
        before(panic);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_names_of_command_files_is_never_logged() {
        assert!(!tells_no_names("notify") && !tells_no_names("notify::inotify"));
        assert!(tells_no_names("casedrop::notices") && tells_no_names("notifyx"));
    }

    #[test]
    fn only_a_windows_service_has_files_unasked() {
        let mut log = Log::default();
        let state = Path::new("state");
        assert_eq!(folder(&log, state, false), None);
        assert_eq!(folder(&log, state, true), cfg!(windows).then(|| state.join("logs")));
        log.dir = Some("there".into());
        for is_service in [false, true] {
            assert_eq!(folder(&log, state, is_service), Some("there".into()));
        }
    }
}
