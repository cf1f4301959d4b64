//! Maps arguments to commands.

use std::ffi::OsString;

use clap::FromArgMatches as _;
use clap::error::ErrorKind;

use super::args::{self, Cli, Command};
use super::{
    CliError, Exit, Streams, account, audit, change, completions, demo, dumps, hash_password,
    hooks, loading, logging, logs as log_files, notifications, open, orders, run, schema, service,
    setup, show, simulate, status, streams, support, surroundings, update, verify, work,
};
use crate::config::{self, Config};
use crate::disk::RealDisk;
use crate::logs::{self, SAID};
use crate::update::delegate::{Doer, delegate, hand_over};

/// Runs the program with the process's arguments and returns its exit code.
pub fn main() -> Exit {
    dumps::none();
    streams::keep_from_children();
    if let Some(exit) = delegated() {
        return exit;
    }
    let command = args::command().version(hooks::version());
    let cli = match command.try_get_matches().and_then(|found| Cli::from_arg_matches(&found)) {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    logging::be_verbose(cli.verbose);
    let verbose = cli.verbose > 0;
    let mut streams = Streams::process(cli.json);
    let exit = carry_out(cli, &mut streams).unwrap_or_else(|error| {
        tracing::error!(target: SAID, "{}", error.in_full());
        report(&error, verbose, &mut streams)
    });
    logs::flush();
    exit
}

/// Prints an error where the caller looks for it: programs on standard output, people on standard
/// error.
fn report(error: &CliError, verbose: bool, streams: &mut Streams) -> Exit {
    if !streams.json || streams.json(&error.for_programs()).is_err() {
        streams.note(error.for_people(verbose));
    }
    error.exit
}

/// Prints what is wrong with the arguments, or the help that was asked for.
fn misused(error: &clap::Error) -> Exit {
    if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") {
        let text = error.render().to_string();
        let (message, hint) = text.split_once("\n\n").unwrap_or((text.as_str(), ""));
        let message = message.trim_start_matches("error: ").trim();
        let mut error = CliError::new(Exit::Usage, message);
        error.hint = Some(hint.trim().to_owned()).filter(|hint| !hint.is_empty());
        return report(&error, false, &mut Streams::process(true));
    }
    if error.kind() == ErrorKind::DisplayVersion && asks_for_more(std::env::args_os()) {
        let mut streams = Streams::process(false);
        return streams.line(hooks::long_version()).map_or(Exit::Failed, |()| Exit::Ok);
    }
    // There is no way left to report that printing failed.
    let _ = error.print();
    if error.use_stderr() { Exit::Usage } else { Exit::Ok }
}

/// Whether `--verbose` is among the arguments. `--version` alone prints what it always has: agents of
/// every version compare it with what an update should be.
fn asks_for_more(mut args: impl Iterator<Item = OsString>) -> bool {
    args.any(|arg| {
        let text = arg.to_string_lossy();
        let is_short = text.starts_with('-') && !text.starts_with("--");
        text == "--verbose" || (is_short && text.contains('v'))
    })
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
    // An agent starts its log as its config says.
    if cli.verbose > 0 && !matches!(cli.command, Command::Run(_) | Command::Sync) {
        logging::for_people();
    }
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
            let path = config::place_for_new(&RealDisk, named, &env, &loading::cwd()?);
            setup::run(&args, &path, &env, &RealDisk, streams)
        }
        Command::Check(args) => surroundings::run(&args, named, streams),
        Command::Logs(args) => log_files::run(&args, named, &RealDisk, streams),
        Command::Service(args) => service::run(&args, named, streams),
        Command::SupportBundle(args) => {
            logging::for_people();
            support::run(&args, named, streams)
        }
        Command::Run(args) => run::run(args, cli.config, streams.json),
        Command::Sync => {
            let config = loading::load_to_work(named, false, true, streams)?.config;
            work::sync(config, streams)
        }
        other => {
            let loaded = loading::load(named, false)?;
            logging::for_command();
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
        Command::Show(args) => show::show(config, &args, streams),
        Command::Open(args) => open::run(config, &args, streams),
        Command::Refetch(args) => change::refetch(config, &args, streams),
        Command::Publish(args) => change::publish(config, &args, streams),
        Command::Return(args) => change::send_back(config, &args, streams),
        Command::Status => status::status(config, streams),
        Command::Poll(args) => status::poll(config, &args, streams),
        Command::Pause(args) => status::pause(config, &args, streams),
        Command::Resume(args) => status::resume(config, &args, streams),
        Command::Verify(args) => verify::verify(config, &args, streams),
        Command::Notifications(args) => notifications::run(config, args, streams),
        Command::Audit(args) => audit::run(config, &args, streams),
        Command::Update(args) => update::run(config, &args, streams),
        Command::Demo(_)
        | Command::Run(_)
        | Command::Sync
        | Command::Simulate(_)
        | Command::Check(_)
        | Command::Logs(_)
        | Command::Service(_)
        | Command::HashPassword
        | Command::Schema(_)
        | Command::Setup(_)
        | Command::SupportBundle(_)
        | Command::Completions(_) => Ok(Exit::Ok),
    }
}
