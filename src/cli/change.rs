//! `refetch`, `publish` and `return`: what users do with single orders.

use clap::{Args, ValueEnum};

use super::ask::ask;
use super::{CliError, Exit, Streams};
use crate::config::Config;
use crate::model::ids::OrderId;
use crate::model::request::{CaseKind, Request, Text};

#[derive(Debug, Args)]
pub struct RefetchArgs {
    /// Order ids or Rx ids. An order unknown here is requested by its order id.
    #[arg(value_name = "ORDER", required = true)]
    pub orders: Vec<OrderId>,
    /// Only in this lab, if two labs know the same id.
    #[arg(long, value_name = "LAB")]
    pub lab: Option<String>,
    /// Kind of case, for orders not known here: decides in which form to request the files.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<Kind>,
}

#[derive(Debug, Args)]
pub struct PublishArgs {
    /// Order ids or Rx ids of orders that are held back as incomplete.
    #[arg(value_name = "ORDER", required = true)]
    pub orders: Vec<OrderId>,
    /// Only in this lab, if two labs know the same id.
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

#[derive(Debug, Args)]
pub struct ReturnArgs {
    /// Order id or Rx id.
    #[arg(value_name = "ORDER")]
    pub order: OrderId,
    /// What to scan again, in a few words for the doctor. Goes to Align and is stored nowhere here.
    #[arg(long)]
    pub reason: String,
    /// The order again, to confirm: it goes back to the doctor.
    #[arg(long, value_name = "ORDER")]
    pub confirm: Option<OrderId>,
    /// Only in this lab, if two labs know the same id.
    #[arg(long, value_name = "LAB")]
    pub lab: Option<String>,
}

/// Asks the running agent, or the next one, to fetch orders again.
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

/// Asks the running agent, or the next one, to publish held orders.
pub fn publish(
    config: &Config,
    args: &PublishArgs,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let request = Request::Publish { lab: args.lab.clone(), orders: args.orders.clone() };
    ask(config, &request, streams)
}

/// Sends an order back to the doctor for a rescan. Needs `--confirm`.
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
