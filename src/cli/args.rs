//! The command line's grammar. Other programs call it as it stands.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::account::{AccountsArgs, LoginArgs, LogoutArgs, PairArgs, UnpairArgs};
use super::audit::AuditArgs;
use super::change::{PublishArgs, RefetchArgs, ReturnArgs};
use super::check::CheckArgs;
use super::completions::CompletionsArgs;
use super::demo::DemoArgs;
use super::orders::{OrdersArgs, ShowArgs};
use super::run::RunArgs;
use super::schema::SchemaArgs;
use super::service::ServiceArgs;
use super::setup::SetupArgs;
use super::simulate::SimulateArgs;
use super::status::LabArgs;
use super::support::SupportArgs;
use super::update::UpdateArgs;

/// Brings iTero scans from Align's Lab Connector API to a dental lab's hot folder.
#[derive(Debug, Parser)]
#[command(name = "casedrop", version, about, after_help = EXITS, propagate_version = true)]
pub struct Cli {
    /// The config file [default: that of the environment, ./casedrop.yaml, the platform's place].
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Machine-readable results on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
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

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Shows the whole thing with no account: a simulated Align, six varied orders, a hot folder.
    Demo(DemoArgs),
    /// The agent in the foreground, until Ctrl-C; this is what a service manager runs, too.
    Run(RunArgs),
    /// One pass: poll if that is allowed, fetch, publish, exit.
    Sync,
    /// The simulated Align API alone, with an admin endpoint.
    Simulate(SimulateArgs),
    /// Checks the config and the surroundings; names all faults at once.
    Check(CheckArgs),
    /// Lays down a config where there is none, for installers.
    Setup(SetupArgs),
    /// Logs a lab in at Align.
    Login(LoginArgs),
    /// Lists the accounts that a lab's login may be paired with.
    Accounts(AccountsArgs),
    /// Pairs a lab's login with an account.
    Pair(PairArgs),
    /// Un-pairs an account: for all its users, on every PC.
    Unpair(UnpairArgs),
    /// Revokes a lab's login and forgets it.
    Logout(LogoutArgs),
    /// Lists orders and where they stand.
    Orders(OrdersArgs),
    /// Tells one order's story: where did the scan go?
    Show(ShowArgs),
    /// Fetches orders again.
    Refetch(RefetchArgs),
    /// Publishes orders that are held back since they are incomplete, as they are.
    Publish(PublishArgs),
    /// Sends an order back to the doctor for a rescan.
    Return(ReturnArgs),
    /// Tells how things stand: the agent, each lab, what needs a person.
    Status,
    /// Asks Align for new orders as soon as that is allowed.
    Poll(LabArgs),
    /// Begins nothing new until `resume`.
    Pause(LabArgs),
    /// Goes on after `pause`.
    Resume(LabArgs),
    /// Compares the output folder with its manifests, byte for byte.
    Verify(VerifyArgs),
    /// Shows who did what on this PC, or checks that this record is whole.
    Audit(AuditArgs),
    /// The agent as a service of Windows or systemd.
    Service(ServiceArgs),
    /// Brings a newer version of this program, and tries it out.
    Update(UpdateArgs),
    /// Makes a zip for support: versions, config, status and logs, without secrets and names.
    SupportBundle(SupportArgs),
    /// Prints the hash of a password for the status page, to be put into the config.
    HashPassword,
    /// Prints a JSON Schema for editors.
    Schema(SchemaArgs),
    /// Prints a script that completes arguments in a shell.
    Completions(CompletionsArgs),
}

/// `casedrop verify`
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Only these orders.
    #[arg(value_name = "ORDER")]
    pub orders: Vec<crate::model::ids::OrderId>,
}
