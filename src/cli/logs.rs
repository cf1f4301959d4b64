//! `casedrop logs`: the newest lines of the log files, also while an agent writes them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tracing::Level;

use super::{CliError, Exit, Streams, loading};
use crate::config;
use crate::disk::{Disk, Kind};
use crate::logs::{Entry, Reader, Wanted, usual_folder};
use crate::model::ids::OrderId;

/// How often to look for more lines.
const TICK: Duration = Duration::from_millis(250);

#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// Show the last N lines that fit
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    pub lines: usize,
    /// Then show each new line as it comes, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Show only this level and more severe ones: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", value_parser = parse_level)]
    pub level: Option<Level>,
    /// Show only lines about this lab
    #[arg(long, value_name = "LAB")]
    pub lab: Option<String>,
    /// Show only lines about this order
    #[arg(long, value_name = "ORDER")]
    pub order: Option<OrderId>,
}

fn parse_level(text: &str) -> Result<Level, String> {
    let all = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    let found = all.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| "one of error, warn, info, debug, trace".to_owned())
}

/// Prints the newest lines, as JSON one object per line. A config with errors will do: its log may
/// explain them.
pub fn run(
    args: &LogsArgs,
    named: Option<&Path>,
    disk: &dyn Disk,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let dir = folder(named, disk)?;
    let wanted = Wanted {
        at_least: args.level,
        lab: args.lab.clone(),
        order: args.order.as_ref().map(ToString::to_string),
    };
    let mut reader = Reader::new(disk, &dir, wanted);
    if disk.kind(&dir)? == Some(Kind::Dir) {
        show(reader.newest(args.lines)?, streams)?;
    } else if !args.follow {
        let text = format!("there are no log files in {} yet", dir.display());
        return Err(
            CliError::new(Exit::Failed, text).hint("the agent writes the first one when it starts")
        );
    }
    if !args.follow {
        return Ok(Exit::Ok);
    }
    loop {
        std::thread::sleep(TICK);
        if disk.kind(&dir)? == Some(Kind::Dir) {
            show(reader.added()?, streams)?;
        }
    }
}

fn show(lines: Vec<String>, streams: &mut Streams) -> Result<(), CliError> {
    for line in lines {
        if streams.json {
            let entry = serde_json::to_string(&Entry::of(&line));
            streams.line(entry.map_err(|error| CliError::new(Exit::Failed, error.to_string()))?)?;
        } else {
            streams.line(line)?;
        }
    }
    Ok(())
}

/// The folder of the agent's log files.
fn folder(named: Option<&Path>, disk: &dyn Disk) -> Result<PathBuf, CliError> {
    let env = config::process_env();
    let path = config::locate(disk, named, &env, &loading::cwd()?)?;
    let loaded = config::load(disk, &path, &env);
    let survey = match &loaded {
        Ok(loaded) => &loaded.survey,
        Err(faults) => &*faults.survey,
    };
    let state = || survey.state.clone().unwrap_or_else(|| config::platform_state(&env));
    let of_service = || cfg!(windows).then(|| usual_folder(&state()));
    match (survey.log_dir.clone().or_else(of_service), loaded) {
        (Some(dir), _) => Ok(dir),
        (None, Err(faults)) => Err(faults.into()),
        (None, Ok(_)) => {
            let text = "Casedrop writes no log files on this PC: `log.dir` is not set";
            Err(CliError::new(Exit::Failed, text).hint(
                "the log of the service is in the systemd journal: `journalctl -u casedrop`; for \
                 log files, set `log.dir` to a folder and restart the agent",
            ))
        }
    }
}
