//! The command line's grammar. Other programs depend on it.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};

use super::account::{AccountsArgs, LoginArgs, LogoutArgs, PairArgs, UnpairArgs};
use super::audit::AuditArgs;
use super::change::{PublishArgs, RefetchArgs, ReturnArgs};
use super::check::CheckArgs;
use super::completions::CompletionsArgs;
use super::demo::DemoArgs;
use super::logs::LogsArgs;
use super::notifications::NotificationsCommand;
use super::open::OpenArgs;
use super::orders::OrdersArgs;
use super::run::RunArgs;
use super::schema::SchemaArgs;
use super::service::ServiceArgs;
use super::setup::SetupArgs;
use super::show::ShowArgs;
use super::simulate::SimulateArgs;
use super::status::LabArgs;
use super::support::SupportArgs;
use super::update::UpdateArgs;
use super::verify::VerifyArgs;

/// Mirrors iTero scans from Align's Lab Connector API into a dental lab's hot folder.
#[derive(Debug, Parser)]
#[command(name = "casedrop", version, about, after_help = EXITS, propagate_version = true)]
pub struct Cli {
    /// Config file [default: `CASEDROP_CONFIG`, ./casedrop.yaml or the platform's location].
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Print machine-readable results on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// Say on standard error what the program does; twice (-vv) in detail.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    #[command(subcommand)]
    pub command: Command,
}

const EXITS: &str = "\
Exit status:
  0  all well
  1  the operation failed
  2  wrong usage or config
  3  finished, but some orders are failing
  4  not paired, or a login is needed
  5  another agent runs on this state directory";

/// The commands as `--help` lists them.
const GROUPS: [(&str, &[&str]); 5] = [
    ("First steps", &["demo", "setup", "check", "login", "accounts", "pair", "unpair", "logout"]),
    ("Running the agent", &["run", "sync", "service", "update"]),
    ("Orders", &["orders", "show", "open", "refetch", "publish", "return", "verify"]),
    (
        "Looking after it",
        &[
            "status",
            "poll",
            "pause",
            "resume",
            "logs",
            "audit",
            "notifications",
            "support-bundle",
            "hash-password",
        ],
    ),
    ("For other programs", &["simulate", "schema", "completions", "help"]),
];

/// The command line, with its commands in groups.
pub fn command() -> clap::Command {
    let command = Cli::command();
    let about = |name: &&str| match command.find_subcommand(name) {
        Some(found) => found.get_about().map(ToString::to_string).unwrap_or_default(),
        // clap adds it, and its text, only when it parses.
        None => "Print this message or the help of the given subcommand(s)".to_owned(),
    };
    let widest = GROUPS.iter().flat_map(|(_, names)| *names).map(|name| name.len()).max();
    let width = widest.unwrap_or_default();
    let line = |name: &&str| format!("  {name:width$}  {}\n", about(name));
    let group = |(heading, names): &(&str, &[&str])| {
        format!("{heading}:\n{}\n", names.iter().map(line).collect::<String>())
    };
    let list: String = GROUPS.iter().map(group).collect();
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}Options:\n\
         {{options}}{{after-help}}"
    );
    command.help_template(template)
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try everything without an account: a simulated Align, six varied orders, a hot folder.
    #[command(after_help = "\
Examples:
  casedrop demo                 and open the status page that it names
  casedrop demo --once          end when all orders are published")]
    Demo(DemoArgs),
    /// Run the agent in the foreground until Ctrl-C; service managers run this, too.
    Run(RunArgs),
    /// Run one pass: poll if allowed, fetch, publish, exit.
    Sync,
    /// Run only the simulated Align API, with an admin endpoint.
    Simulate(SimulateArgs),
    /// Check the config and its surroundings; report all faults at once.
    #[command(after_help = "\
Examples:
  casedrop check                the config that an agent would use here
  casedrop --config C:\\ProgramData\\Casedrop\\casedrop.yaml check --offline")]
    Check(CheckArgs),
    /// Write a config unless there is one already; for installers.
    Setup(SetupArgs),
    /// Log a lab in at Align.
    #[command(after_help = "\
Examples:
  casedrop login north                opens the browser on this PC
  casedrop login north --no-browser   prints the link, for a browser elsewhere")]
    Login(LoginArgs),
    /// List the accounts that a lab's login can be paired with.
    Accounts(AccountsArgs),
    /// Pair a lab's login with an account.
    #[command(after_help = "\
Examples:
  casedrop pair north           the login's only account, or the one in the config
  casedrop pair north 4711      one of those that `casedrop accounts north` lists")]
    Pair(PairArgs),
    /// Un-pair an account: for all its users, on every PC.
    Unpair(UnpairArgs),
    /// Revoke and forget a lab's login.
    Logout(LogoutArgs),
    /// List orders and their state.
    #[command(after_help = "\
Examples:
  casedrop orders                     all orders
  casedrop orders --state attention   those that a person must look at
  casedrop orders --search crown --since today --limit 20
  casedrop orders --reconcile         also compares them with Align and with the folders")]
    Orders(OrdersArgs),
    /// Show the history of one order: where did the scan go?
    #[command(after_help = "\
Examples:
  casedrop show 17544365        by its number, or by its Rx id
  casedrop show 17544365 --files")]
    Show(ShowArgs),
    /// Open the status page, or an order's folder.
    #[command(after_help = "\
Examples:
  casedrop open                 the status page, in the browser
  casedrop open 17544365        the order's folder
  casedrop open 17544365 --print   only prints where it is")]
    Open(OpenArgs),
    /// Fetch orders again.
    #[command(after_help = "\
Examples:
  casedrop refetch 17544365
  casedrop refetch 17544365 17544366 --lab north")]
    Refetch(RefetchArgs),
    /// Publish incomplete orders that are held back, as they are.
    Publish(PublishArgs),
    /// Send an order back to the doctor for a rescan.
    Return(ReturnArgs),
    /// Show the status of the agent and every lab, and what needs attention.
    #[command(after_help = "\
Examples:
  casedrop status
  casedrop status --json        for a monitor")]
    Status,
    /// Ask Align for new orders as soon as that is allowed.
    Poll(LabArgs),
    /// Start nothing new until `resume`.
    Pause(LabArgs),
    /// Continue after `pause`.
    Resume(LabArgs),
    /// Compare the output folder with its manifests, byte for byte.
    Verify(VerifyArgs),
    /// Show the newest lines of the log files.
    #[command(after_help = "\
Examples:
  casedrop logs                           the last 100 lines
  casedrop logs --follow --level warn     warnings and errors as they come
  casedrop logs --order 17544365 -n 1000  what was logged about one order")]
    Logs(LogsArgs),
    /// Check that scan notifications can reach this PC, or print the URL that Align calls.
    #[command(subcommand)]
    Notifications(NotificationsCommand),
    /// Show who did what on this PC, or check that this record is intact.
    #[command(after_help = "\
Examples:
  casedrop audit --since today
  casedrop audit --order 17544365
  casedrop audit --verify")]
    Audit(AuditArgs),
    /// Manage the agent as a Windows or systemd service.
    #[command(after_help = "\
Examples, as an administrator:
  casedrop service install
  casedrop service start
  casedrop service status")]
    Service(ServiceArgs),
    /// Download a newer version of this program and try it out.
    Update(UpdateArgs),
    /// Create a zip for support: versions, config, status and logs, without secrets and names.
    SupportBundle(SupportArgs),
    /// Print the hash of a password for the status page, to put into the config.
    HashPassword,
    /// Print a JSON Schema for editors.
    Schema(SchemaArgs),
    /// Print a shell completion script.
    Completions(CompletionsArgs),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let mut command = Cli::command();
        command.build();
        let there: BTreeSet<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        let grouped: Vec<_> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        assert_eq!(grouped.len(), there.len(), "{grouped:?}");
        assert_eq!(grouped.into_iter().collect::<BTreeSet<_>>(), there);
    }

    #[test]
    fn help_says_what_each_command_does() {
        let help = command().render_help().to_string();
        for wanted in
            ["Orders:\n  orders ", "  show            Show the history of one order", "--json"]
        {
            assert!(help.contains(wanted), "{wanted} in\n{help}");
        }
    }
}
