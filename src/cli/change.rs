//! `refetch`, `publish` and `return`: what people want done with single orders.

use clap::{Args, ValueEnum};

use super::ask::ask;
use super::{CliError, Exit, Streams};
use crate::config::Config;
use crate::model::ids::OrderId;
use crate::model::request::{CaseKind, Request, Text};

/// `casedrop refetch`
#[derive(Debug, Args)]
pub struct RefetchArgs {
    /// Order ids or Rx ids. An order that is not known here is asked for by its order id.
    #[arg(value_name = "ORDER", required = true)]
    pub orders: Vec<OrderId>,
    /// Only in this lab, should two labs know the same id.
    #[arg(long, value_name = "LAB")]
    pub lab: Option<String>,
    /// What kind of cases they are, where they are not known here: it decides in which form the files
    /// are asked for.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<Kind>,
}

/// `casedrop publish`
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// Order ids or Rx ids of orders that are held back since they are incomplete.
    #[arg(value_name = "ORDER", required = true)]
    pub orders: Vec<OrderId>,
    /// Only in this lab, should two labs know the same id.
    #[arg(long, value_name = "LAB")]
    pub lab: Option<String>,
}

/// A kind of case on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Orthodontic.
    Ortho,
    /// Restorative.
    Restorative,
}

/// `casedrop return`
#[derive(Debug, Args)]
pub struct ReturnArgs {
    /// Order id or Rx id.
    #[arg(value_name = "ORDER")]
    pub order: OrderId,
    /// What is to be scanned again, in a few words for the doctor. It goes to Align and is kept
    /// nowhere here.
    #[arg(long)]
    pub reason: String,
    /// The order once more: it is sent back to the doctor.
    #[arg(long, value_name = "ORDER")]
    pub confirm: Option<OrderId>,
    /// Only in this lab, should two labs know the same id.
    #[arg(long, value_name = "LAB")]
    pub lab: Option<String>,
}

/// Asks the agent that runs now or next to fetch orders again.
pub fn refetch(
    config: &Config,
    args: &RefetchArgs,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let request = Request::Refetch {
        lab: args.lab.clone(),
        orders: args.orders.clone(),
        kind: args.kind.map(|kind| match kind {
            Kind::Ortho => CaseKind::Ortho,
            Kind::Restorative => CaseKind::Restorative,
        }),
    };
    ask(config, &request, streams)
}

/// Asks the agent that runs now or next to publish what is held back.
pub fn publish(
    config: &Config,
    args: &PublishArgs,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let request = Request::Publish { lab: args.lab.clone(), orders: args.orders.clone() };
    ask(config, &request, streams)
}

/// Sends an order back to the doctor for a rescan, which needs `--confirm`.
pub fn send_back(
    config: &Config,
    args: &ReturnArgs,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let request = Request::Return {
        lab: args.lab.clone(),
        order: args.order.clone(),
        reason: Text(args.reason.clone()),
        confirm: args.confirm.clone(),
    };
    ask(config, &request, streams)
}
