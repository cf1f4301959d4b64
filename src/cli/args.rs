//! The command line's grammar. Other programs depend on it.

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

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Try everything without an account: a simulated Align, six varied orders, a hot folder.
    Demo(DemoArgs),
    /// Run the agent in the foreground until Ctrl-C; service managers run this, too.
    Run(RunArgs),
    /// Run one pass: poll if allowed, fetch, publish, exit.
    Sync,
    /// Run only the simulated Align API, with an admin endpoint.
    Simulate(SimulateArgs),
    /// Check the config and its surroundings; report all faults at once.
    Check(CheckArgs),
    /// Write a config unless there is one already; for installers.
    Setup(SetupArgs),
    /// Log a lab in at Align.
    Login(LoginArgs),
    /// List the accounts that a lab's login can be paired with.
    Accounts(AccountsArgs),
    /// Pair a lab's login with an account.
    Pair(PairArgs),
    /// Un-pair an account: for all its users, on every PC.
    Unpair(UnpairArgs),
    /// Revoke and forget a lab's login.
    Logout(LogoutArgs),
    /// List orders and their state.
    Orders(OrdersArgs),
    /// Show the history of one order: where did the scan go?
    Show(ShowArgs),
    /// Fetch orders again.
    Refetch(RefetchArgs),
    /// Publish incomplete orders that are held back, as they are.
    Publish(PublishArgs),
    /// Send an order back to the doctor for a rescan.
    Return(ReturnArgs),
    /// Show the status of the agent and every lab, and what needs attention.
    Status,
    /// Ask Align for new orders as soon as that is allowed.
    Poll(LabArgs),
    /// Start nothing new until `resume`.
    Pause(LabArgs),
    /// Continue after `pause`.
    Resume(LabArgs),
    /// Compare the output folder with its manifests, byte for byte.
    Verify(VerifyArgs),
    /// Show who did what on this PC, or check that this record is intact.
    Audit(AuditArgs),
    /// Manage the agent as a Windows or systemd service.
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

#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Verify only these orders.
    #[arg(value_name = "ORDER")]
    pub orders: Vec<crate::model::ids::OrderId>,
}
