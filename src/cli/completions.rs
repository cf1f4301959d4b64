//! `completions`: shell completion scripts.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::args::Cli;
use super::{CliError, Exit, Streams};

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Name of the shell
    pub shell: Shell,
}

/// Prints the script on standard output.
pub fn run(args: &CompletionsArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "casedrop", &mut script);
    streams.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Ok)
}
