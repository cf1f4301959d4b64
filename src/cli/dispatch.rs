//! Maps arguments to commands.

use std::path::Path;
use std::sync::Arc;

use clap::{CommandFactory as _, FromArgMatches as _};

use super::args::{Cli, Command};
use super::check::{self, Around, CheckArgs, ExtraCheck, Findings};
use super::{
    CliError, Exit, Streams, account, audit, change, completions, demo, dumps, hash_password,
    hooks, logging, orders, run, schema, service, setup, simulate, status, streams, support,
    update, verify, work,
};
use crate::config::{self, Config, Loaded};
use crate::disk::{Disk, RealDisk};
use crate::hotfolder::{Knows, Layout};
use crate::journal::{FILE_NAME, Store};
use crate::logs::{self, SAID};
use crate::model::cancel::Cancel;
use crate::model::ids::OrderKey;
use crate::update::delegate::{Doer, delegate, hand_over};

/// Runs the program with the process's arguments and returns its exit code.
pub fn main() -> Exit {
    dumps::none();
    streams::keep_from_children();
    if let Some(exit) = delegated() {
        return exit;
    }
    let command = Cli::command().version(hooks::version());
    let cli = match command.try_get_matches().and_then(|found| Cli::from_arg_matches(&found)) {
        Ok(cli) => cli,
        Err(error) => {
            // There is no way left to report that printing failed.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Ok };
        }
    };
    let mut streams = Streams::process(cli.json);
    let exit = match carry_out(cli, &mut streams) {
        Ok(exit) => exit,
        Err(error) => {
            streams.note(error.to_string());
            tracing::error!(target: SAID, "{}", error.message);
            error.exit
        }
    };
    logs::flush();
    exit
}

/// Hands over to the current version, if that is a different one.
fn delegated() -> Option<Exit> {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let program = hooks::program().ok()?;
    let own = &program.version;
    let warning = match delegate(&RealDisk, &program, &args) {
        Doer::Own => return None,
        Doer::Current(current) => match hand_over(&current, &args) {
            Ok(status) => return Some(Exit::from_status(status)),
            Err(error) => {
                format!(
                    "cannot start {}: {error}; continuing with version {own}",
                    current.display()
                )
            }
        },
        Doer::Distrusted { version, why } => format!(
            "using version {own} instead of {version}, which the agent runs: {why}; to use that \
             one, run this as the agent's account"
        ),
    };
    Streams::process(false).note(format!("warning: {warning}"));
    None
}

fn carry_out(cli: Cli, streams: &mut Streams) -> Result<Exit, CliError> {
    let named = cli.config.as_deref();
    match cli.command {
        Command::Demo(args) => {
            logging::for_people();
            demo::run(&args, streams)
        }
        Command::Simulate(args) => {
            logging::for_people();
            simulate::run(&args, streams)
        }
        Command::HashPassword => hash_password::run(hash_password::terminal(), streams),
        Command::Schema(args) => schema::run(&args, streams),
        Command::Completions(args) => completions::run(&args, streams),
        Command::Setup(args) => {
            let env = config::process_env();
            let usual = || config::platform_folder(&env).join(config::FILE_NAME);
            let path = named.map_or_else(usual, Path::to_path_buf);
            setup::run(&args, &path, &env, &RealDisk, streams)
        }
        Command::Check(args) => run_check(&args, named, streams),
        Command::Service(args) => service::run(&args, named, streams),
        Command::SupportBundle(args) => {
            logging::for_people();
            support::run(&args, named, streams)
        }
        Command::Run(args) => run::run(args, cli.config, streams.json),
        Command::Sync => {
            let config = load_to_work(named, false, true, streams)?.config;
            work::sync(config, streams)
        }
        other => {
            let loaded = load(named, false)?;
            logging::for_people();
            on_config(other, &loaded.config, streams)
        }
    }
}

/// The commands that load one config, act and end.
fn on_config(command: Command, config: &Config, streams: &mut Streams) -> Result<Exit, CliError> {
    match command {
        Command::Login(args) => account::login(config, &args, streams),
        Command::Accounts(args) => account::accounts(config, &args, streams),
        Command::Pair(args) => account::pair(config, &args, streams),
        Command::Unpair(args) => account::unpair(config, &args, streams),
        Command::Logout(args) => account::logout(config, &args, streams),
        Command::Orders(args) => orders::orders(config, &args, streams),
        Command::Show(args) => orders::show(config, &args, streams),
        Command::Refetch(args) => change::refetch(config, &args, streams),
        Command::Publish(args) => change::publish(config, &args, streams),
        Command::Return(args) => change::send_back(config, &args, streams),
        Command::Status => status::status(config, streams),
        Command::Poll(args) => status::poll(config, &args, streams),
        Command::Pause(args) => status::pause(config, &args, streams),
        Command::Resume(args) => status::resume(config, &args, streams),
        Command::Verify(args) => {
            let layout = Layout { output: config.output.clone(), staging: config.staging.clone() };
            let removed = orders::removed(config, &args.orders);
            let store = orders::open(config).ok().flatten();
            // If the journal cannot say now, treat the manifest as known.
            let knows = store.as_ref().map(|store| {
                |key: &OrderKey, sha256: &str| store.knows_manifest(key, sha256).unwrap_or(true)
            });
            let knows = knows.as_ref().map(|knows| knows as &Knows<'_>);
            verify::run(&layout, &args.orders, &removed, knows, streams)
        }
        Command::Audit(args) => audit::run(config, &args, streams),
        Command::Update(args) => update::run(config, &args, streams),
        Command::Demo(_)
        | Command::Run(_)
        | Command::Sync
        | Command::Simulate(_)
        | Command::Check(_)
        | Command::Service(_)
        | Command::HashPassword
        | Command::Schema(_)
        | Command::Setup(_)
        | Command::SupportBundle(_)
        | Command::Completions(_) => Ok(Exit::Ok),
    }
}

/// Loads an agent's config and starts its log. Whoever starts the agent sees the config's warnings,
/// as with `check`.
pub(super) fn load_to_work(
    named: Option<&Path>,
    is_service: bool,
    terminal: bool,
    streams: &mut Streams,
) -> Result<Loaded, CliError> {
    let loaded = load(named, is_service)?;
    logging::of_agent(&loaded.config, is_service, terminal);
    for warning in &loaded.warnings {
        let text = warning.paragraph("warning");
        tracing::warn!(target: SAID, "{text}");
        streams.note(text);
    }
    Ok(loaded)
}

/// Loads the config. A service looks in the platform's folder: its current directory is some system
/// directory, where no one keeps a config.
pub(super) fn load(named: Option<&Path>, is_service: bool) -> Result<Loaded, CliError> {
    let env = config::process_env();
    let cwd = if is_service { config::platform_folder(&env) } else { cwd()? };
    let path = config::locate(&RealDisk, named, &env, &cwd)?;
    Ok(config::load(&RealDisk, &path, &env)?)
}

pub(super) fn cwd() -> Result<std::path::PathBuf, CliError> {
    std::env::current_dir().map_err(|error| {
        CliError::new(Exit::Failed, format!("cannot determine the current folder: {error}"))
    })
}

fn run_check(
    args: &CheckArgs,
    named: Option<&Path>,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    with_surroundings(args.offline, |around| check::run(args, named, around, streams))?
}

/// Runs all checks of `check`.
pub(super) fn findings(named: Option<&Path>, offline: bool) -> Result<Findings, CliError> {
    with_surroundings(offline, |around| check::find(named, around))
}

fn with_surroundings<T>(offline: bool, work: impl FnOnce(&Around<'_>) -> T) -> Result<T, CliError> {
    let env = config::process_env();
    let cwd = cwd()?;
    let runtime = work::runtime()?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let logins: ExtraCheck<'_> = Box::new(|config, findings| {
        check_labs(config, runtime.handle(), &disk, offline, findings);
    });
    let around = Around {
        disk: &RealDisk,
        env: &env,
        cwd: &cwd,
        agent_runs: &crate::agent::agent_runs,
        extra: vec![logins],
    };
    Ok(work(&around))
}

/// Checks logins and servers. Unreachable servers and missing logins only warn: an agent must be
/// able to start while Align is down, and waits for a login.
fn check_labs(
    config: &Config,
    handle: &tokio::runtime::Handle,
    disk: &Arc<dyn Disk>,
    offline: bool,
    findings: &mut Findings,
) {
    check_journal(config, findings);
    match crate::secrets::open(&config.state, config.secrets, Arc::clone(disk)).keeping() {
        Ok(keeping) => {
            if let Some((text, hint)) = keeping.fallback() {
                findings.warning("secrets", text, hint);
            }
        }
        Err(fault) => findings.fault("secrets", fault.chain(), fault.hint.unwrap_or_default()),
    }
    for (index, lab) in config.labs.iter().enumerate() {
        let key = format!("labs[{index}]");
        let client = match crate::agent::connect(config, lab, handle.clone(), disk) {
            Ok(client) => client,
            Err(fault) => {
                findings.fault(&key, fault.chain(), fault.hint.unwrap_or_default());
                continue;
            }
        };
        if !offline && let Err(fault) = client.probe(&Cancel::new()) {
            let key = format!("{key}.base_url");
            findings.warning(&key, fault.chain(), fault.hint.unwrap_or_default());
        }
        match client.paired() {
            Ok(Some(_)) => {}
            Ok(None) => findings.warning(
                &key,
                format!("lab {} is logged in but not paired", lab.name),
                format!("run `casedrop pair {}`", lab.name),
            ),
            Err(fault) => {
                findings.warning(&key, fault.chain(), fault.hint.unwrap_or_default());
            }
        }
    }
}

/// Checks what the journal says about this PC. All of it recovers on its own, so these are only
/// warnings.
fn check_journal(config: &Config, findings: &mut Findings) {
    let store = Store::open_to_read(&config.state.join(FILE_NAME));
    let notes = store.and_then(|store| {
        let Some(store) = store else { return Ok(None) };
        store.orders()?;
        orders::notes(&store).map(Some)
    });
    match notes {
        Ok(notes) => {
            for (note, hint) in notes.unwrap_or_default() {
                findings.warning("state", note, hint);
            }
        }
        Err(error) => findings.warning("state", error.chain(), error.hint()),
    }
}
