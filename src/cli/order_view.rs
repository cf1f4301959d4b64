//! One order as `orders` and `show` present it, and what both say besides.

use std::path::PathBuf;

use serde::Serialize;

use super::incomplete::HeldView;
use super::journal::unusable;
use super::loading::find_lab;
use super::{CliError, Exit, Streams};
use crate::agent::RequestHandler;
use crate::config::{Config, LabConfig};
use crate::hotfolder::layout::Layout;
use crate::journal::{Errand, Store};
use crate::model::day::Day;
use crate::model::findings::FindingCounts;
use crate::model::listing::OrderQuery;
use crate::model::prescription::Tooth;
use crate::model::record::{OrderRecord, OrderState, Retired, Trouble};
use crate::model::time::WallMs;

/// One order, for programs.
#[derive(Debug, Serialize)]
pub(super) struct OrderView<'a> {
    pub(super) lab: &'a str,
    pub(super) account: &'a str,
    pub(super) order_id: &'a str,
    pub(super) rx_id: Option<&'a str>,
    pub(super) order_code: Option<&'a str>,
    pub(super) state: OrderState,
    /// How much of the scans' package is here, in percent, while it is arriving.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
    /// When the folder was found to be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) picked_up_at: Option<String>,
    #[serde(skip)]
    pub(super) state_in_words: String,
    pub(super) status: &'a str,
    pub(super) listed: bool,
    pub(super) case_type: Option<&'a str>,
    pub(super) procedure: Option<&'a str>,
    /// `2026-12-01`.
    pub(super) due_date: Option<Day>,
    pub(super) doctor: Option<&'a str>,
    pub(super) teeth: &'a [Tooth],
    revision: Option<u32>,
    published_at: Option<String>,
    pub(super) path: Option<PathBuf>,
    first_seen: String,
    last_seen: String,
    pub(super) trouble: Option<&'a Trouble>,
    /// Whether the held revision, or else the last published one, lacks something serious.
    incomplete: bool,
    /// Counts of that revision's findings, by code.
    findings: &'a FindingCounts,
    /// The held revision, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<HeldView>,
    /// When a user asked for it again, if no agent has started on that yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) asked_for: Option<String>,
}

impl<'a> OrderView<'a> {
    pub(super) fn new(order: &'a OrderRecord, layout: &Layout, asked: &[Errand]) -> Self {
        let published = order.published.as_ref();
        let asked = asked.iter().find(|errand| errand.key == order.key);
        Self {
            asked_for: asked.map(|errand| errand.at.to_rfc3339()),
            lab: order.key.lab.as_str(),
            account: order.key.account.as_str(),
            order_id: order.key.order.as_str(),
            rx_id: order.remote.rx_id.as_ref().map(crate::model::ids::RxId::as_str),
            order_code: order.remote.order_code.as_deref(),
            state: order.state(),
            percent: order.percent(),
            picked_up_at: order.picked_up.map(WallMs::to_rfc3339),
            state_in_words: order.state_in_words(),
            status: order.remote.status.as_str(),
            listed: order.listed,
            case_type: order.remote.case_type.as_deref(),
            procedure: order.procedure(),
            due_date: order.due_date(),
            doctor: order.doctor(),
            teeth: order.teeth(),
            revision: published.map(|published| published.revision),
            published_at: published.map(|published| published.at.to_rfc3339()),
            path: published
                .filter(|_| order.retired != Retired::Yes)
                .map(|one| layout.dir_at(&order.key, one.place, one.revision)),
            first_seen: order.first_seen.to_rfc3339(),
            last_seen: order.last_seen.to_rfc3339(),
            trouble: order.trouble.as_ref(),
            incomplete: order.newest_findings().is_incomplete(),
            findings: order.newest_findings(),
            held: order.held.as_ref().map(HeldView::new),
        }
    }
}

pub(super) fn layout(config: &Config) -> Layout {
    Layout { output: config.output.clone(), staging: config.staging.clone() }
}

/// Prints which labs need a login or a pairing, and how to do it.
pub(super) fn tell_logins(
    config: &Config,
    handler: &RequestHandler,
    store: &Store,
    lab: Option<&str>,
    streams: &mut Streams,
) -> Result<(), CliError> {
    let records = store.labs().map_err(unusable)?;
    for LabConfig { name, .. } in &config.labs {
        if lab.is_some_and(|lab| !name.as_str().eq_ignore_ascii_case(lab)) {
            continue;
        }
        let record = records.iter().find(|record| record.lab == name.as_str());
        let Some(lacks) = handler.login_lacks(name, record) else { continue };
        streams.note(format!("lab {name}: {}", lacks.fault));
        if let Some(hint) = lacks.hint {
            streams.note(format!("  {hint}"));
        }
    }
    Ok(())
}

/// Returns a lab's name as the config or the journal spells it: the journal also has labs that are
/// no longer in the config.
pub(super) fn known_lab(
    config: &Config,
    store: Option<&Store>,
    name: &str,
) -> Result<String, CliError> {
    let found = find_lab(config, name);
    if let (Err(_), Some(store)) = (&found, store) {
        let query = OrderQuery { lab: Some(name.to_owned()), limit: 1, ..OrderQuery::default() };
        if store.list(&query).map_err(unusable)?.total > 0 {
            return Ok(name.to_owned());
        }
    }
    found.map(|lab| lab.name.to_string())
}

pub(super) fn unknown(id: &str) -> CliError {
    CliError::new(Exit::Failed, format!("Casedrop has never seen order {id}"))
        .code("unknown-order")
        .hint("`casedrop orders` lists all orders that it has seen")
}
