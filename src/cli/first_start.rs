//! The start of an agent whose config lacks what only a person can give: it serves a page on this
//! PC that asks for it, and starts once the config is written.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::{CliError, Exit, Streams, loading, logging};
use crate::agent::requests::output::suggestions;
use crate::agent::{hold_state, monotonic};
use crate::config::filling::{Item, Lack, Unfilled};
use crate::config::{self, LogFormat};
use crate::disk::{Disk, RealDisk};
use crate::logs;
use crate::model::fault::Fault;
use crate::model::notice::Notice;
use crate::service::Host;
use crate::service::eventlog::EventLog;
use crate::status::Progress;
use crate::web::FirstStart;
use crate::web::gate::{CARE, Clock, Gate, SetUpCode, Settings, Visitors, serve};

use super::console::Console;

/// How often the host hears that the page is served.
const ALIVE: Duration = Duration::from_secs(1);
/// The folder for the state if the usual one cannot be used, next to the config.
const STATE: &str = "casedrop-state";

/// Whether the config must be filled in first. `None` also if it is invalid in another way, or if
/// it wants no page: loading it tells.
pub(super) fn needed(named: Option<&Path>, is_service: bool) -> Result<Option<Unfilled>, CliError> {
    let env = config::process_env();
    let cwd = if is_service { config::platform_folder(&env) } else { loading::cwd()? };
    let path = match config::locate(&RealDisk, named, &env, &cwd) {
        Ok(path) => path,
        Err(faults) => match config::writable_place_for_new(&RealDisk, named, &env, &cwd) {
            Some(path) => path,
            None => return Err(faults.into()),
        },
    };
    let unfilled = Unfilled::find(&RealDisk, &path, &env, is_service)?;
    Ok(unfilled.filter(|unfilled| unfilled.survey().status_page.is_some()))
}

/// How the wait for a person ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// The config is written.
    Filled,
    /// The process is told to stop.
    Stopped,
}

/// Serves the page until the config is written or `stop` resolves.
pub(super) fn serve_page(
    runtime: &Runtime,
    mut unfilled: Unfilled,
    (host, visitors): (&dyn Host, Option<&Arc<Visitors>>),
    stop: impl Future<Output = ()>,
    streams: &mut Streams,
) -> Result<Waited, CliError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let is_service = unfilled.is_service();
    let state = usable_state(&*disk, &mut unfilled)?;
    start_log(&unfilled, &state, streams.terminal);
    let _lock = hold_state(&*disk, &state)?.ok_or_else(|| {
        let text = format!("another agent is running on {}", state.display());
        CliError::new(Exit::AnotherAgent, text).hint("stop the other agent first")
    })?;
    let code = Arc::new(SetUpCode::new(Arc::clone(&disk), &state)?);
    let listen = free_address(&mut unfilled);
    let settings =
        Settings { listen, tls: None, names: Vec::new(), password_hash: None, care: CARE };
    let clock: Clock = Arc::new(monotonic);
    let gate = match visitors {
        Some(visitors) => Gate::before(&settings, clock, Arc::clone(visitors)),
        None => Gate::new(&settings, clock)?,
    };
    gate.set_code(Arc::clone(&code));
    let why = why(&unfilled);
    let output = unfilled.found(Item::Output).map(PathBuf::from);
    let mut suggested =
        output.map(|output| suggestions(&*disk, &output, is_service)).unwrap_or_default();
    suggested.retain(|folder| config::may_be_made(&*disk, folder));
    let page = FirstStart::new(unfilled, Arc::clone(&disk), gate, suggested);
    let (tells, mut told) = tokio::sync::mpsc::unbounded_channel();
    let of_url = settings.clone();
    let tell = move |began: Result<SocketAddr, &Fault>| {
        let said =
            began.map(|at| of_url.url(at)).map_err(|fault| (fault.chain(), fault.hint.clone()));
        // The receiver lives as long as the page.
        drop(tells.send(said));
    };
    let quiet = !streams.terminal;
    if quiet {
        tracing::warn!("{why}");
    } else {
        streams.note(&why);
    }
    let (progress, events) = (Arc::new(Progress::default()), EventLog::default());
    let mut console = Console::new(streams, &progress);
    let waited = runtime.block_on(async {
        let mut stop = std::pin::pin!(stop);
        let ends = tokio_util::sync::CancellationToken::new();
        let serving = serve(settings, page.router(), Arc::clone(&disk), tell, ends.cancelled());
        let mut serving = std::pin::pin!(serving);
        let mut alive = tokio::time::interval(ALIVE);
        host.ready();
        host.doing("waiting to be set up on its page");
        let waited = loop {
            tokio::select! {
                biased;
                () = stop.as_mut() => break Waited::Stopped,
                () = page.written() => break Waited::Filled,
                () = serving.as_mut() => return Waited::Stopped,
                _ = alive.tick() => host.alive(),
                Some(said) = told.recv() => {
                    let notice = match said {
                        Ok(url) => Notice::PageAt { url, code: Some(code.file().to_owned()) },
                        Err((message, hint)) => Notice::PcTrouble { message, hint },
                    };
                    logs::log(&notice);
                    events.tell(&notice);
                    if !quiet {
                        console.tell(&notice);
                    }
                }
            }
        };
        ends.cancel();
        // The answer to the last form still goes out.
        serving.await;
        waited
    });
    drop(console);
    code.end();
    Ok(waited)
}

fn why(unfilled: &Unfilled) -> String {
    let path = unfilled.path().display();
    let what = match unfilled.lack() {
        Lack::File => format!("there is no config yet at {path}"),
        Lack::Content => format!("the config {path} is empty"),
        Lack::Values => format!("the config {path} still contains placeholders"),
    };
    format!("{what}: open the status page in a browser on this PC to fill it in")
}

/// Finds a state folder that this process can use.
fn usable_state(disk: &dyn Disk, unfilled: &mut Unfilled) -> Result<PathBuf, CliError> {
    let usual = unfilled.state().map(Path::to_path_buf).unwrap_or_default();
    let refused = match disk.create_private_dirs(&usual).and_then(|()| disk.may_create_in(&usual)) {
        Ok(()) => return Ok(usual),
        Err(error) => error,
    };
    let beside = unfilled.path().with_file_name(STATE);
    if !unfilled.state_is_open() || disk.create_private_dirs(&beside).is_err() {
        return Err(refused.into());
    }
    unfilled.keep_state_in(beside.clone());
    Ok(beside)
}

fn start_log(unfilled: &Unfilled, state: &Path, terminal: bool) {
    let survey = unfilled.survey();
    let log = match survey.log_level.as_str() {
        "" => config::Log::default(),
        level => config::Log {
            level: level.to_owned(),
            format: if survey.log_is_json { LogFormat::Json } else { LogFormat::Text },
            dir: survey.log_dir.clone(),
            keep: survey.log_keep,
        },
    };
    logging::start(&log, logs::folder(&log, state, unfilled.is_service()), terminal);
}

/// The address of the page, on this PC only: that of the status page, or another port if that one
/// is taken. The config then names it, so that the agent's page is at the same place.
fn free_address(unfilled: &mut Unfilled) -> SocketAddr {
    let configured = unfilled.survey().status_page;
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (wanted, is_local) = match configured {
        Some(at) if at.ip().is_loopback() => (at, true),
        other => (local(other.map_or(0, |at| at.port())), false),
    };
    let Err(taken) = TcpListener::bind(wanted) else { return wanted };
    let other = TcpListener::bind(local(0)).and_then(|listener| listener.local_addr());
    let Ok(other) = other else { return wanted };
    tracing::warn!("{wanted} cannot be used for the status page ({taken}); using {other}");
    if is_local {
        unfilled.show_page_at(other);
    }
    other
}
