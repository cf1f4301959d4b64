//! "Where did the scan go?": `orders` and `show`. They read the journal, so they work whether or
//! not an agent runs.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::agent::wall_now;
use crate::config::{Config, LabConfig};
use crate::hotfolder::layout::Layout;
use crate::journal::{Errand, OrderEvent, Store, StoreError};
use crate::model::findings::FindingCounts;
use crate::model::record::{OrderRecord, OrderState, Place, Retired, Trouble};

use super::ask::RequestClient;
use super::asked::{AskedFor, show_asked, tell_not_running, to_fetch};
use super::incomplete::{HeldView, is_incomplete, mark, tell_findings, tell_held};
use super::journal::{notes, open, unusable};
use super::loading::find_lab;
use super::{CliError, Exit, Streams};

#[derive(Debug, Args)]
pub struct OrdersArgs {
    /// Show only this lab's orders.
    #[arg(long, value_name = "LAB")]
    pub lab: Option<String>,
    /// Show only orders in this state: waiting, regenerating, retrying, attention, held, away,
    /// published or removed.
    #[arg(long, value_name = "STATE", value_parser = parse_state)]
    pub state: Option<OrderState>,
    /// Show only orders that lack something serious, held back or published anyway.
    #[arg(long)]
    pub incomplete: bool,
    /// Compare Align's list, the journal and the disk, and explain each difference.
    #[arg(long, conflicts_with_all = ["state", "incomplete"])]
    pub reconcile: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Order id or Rx id.
    #[arg(value_name = "ORDER")]
    pub order: String,
}

fn parse_state(text: &str) -> Result<OrderState, String> {
    OrderState::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
        let known: Vec<_> = OrderState::ALL.iter().map(|state| state.as_str()).collect();
        format!("one of {}", known.join(", "))
    })
}

/// One order, for programs.
#[derive(Debug, Serialize)]
struct OrderView<'a> {
    lab: &'a str,
    account: &'a str,
    order_id: &'a str,
    rx_id: Option<&'a str>,
    order_code: Option<&'a str>,
    state: OrderState,
    status: &'a str,
    listed: bool,
    case_type: Option<&'a str>,
    procedure: Option<&'a str>,
    revision: Option<u32>,
    published_at: Option<String>,
    path: Option<PathBuf>,
    first_seen: String,
    last_seen: String,
    trouble: Option<&'a Trouble>,
    /// Whether the held revision, or else the last published one, lacks something serious.
    incomplete: bool,
    /// Counts of that revision's findings, by code.
    findings: &'a FindingCounts,
    /// The held revision, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<HeldView>,
    /// When a user asked for it again, if no agent has started on that yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_for: Option<String>,
}

impl<'a> OrderView<'a> {
    fn new(order: &'a OrderRecord, layout: &Layout, asked: &[Errand]) -> Self {
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
            status: order.remote.status.as_str(),
            listed: order.listed,
            case_type: order.remote.case_type.as_deref(),
            procedure: order.remote.procedure.as_deref(),
            revision: published.map(|published| published.revision),
            published_at: published.map(|published| published.at.to_rfc3339()),
            path: published.filter(|_| order.retired != Retired::Yes).map(|published| {
                match published.place {
                    Place::Main => layout.order_dir(&order.key),
                    Place::Beside => layout.beside_dir(&order.key, published.revision),
                }
            }),
            first_seen: order.first_seen.to_rfc3339(),
            last_seen: order.last_seen.to_rfc3339(),
            trouble: order.trouble.as_ref(),
            incomplete: order.newest_findings().is_incomplete(),
            findings: order.newest_findings(),
            held: order.held.as_ref().map(HeldView::new),
        }
    }
}

/// Lists the orders in the journal, newest first.
pub fn orders(config: &Config, args: &OrdersArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    if args.reconcile {
        return super::reconcile::run(config, args.lab.as_deref(), streams);
    }
    let layout = layout(config);
    let (all, asked) = match open(config)? {
        Some(store) => {
            for (note, _) in notes(&store).map_err(unusable)? {
                streams.note(note);
            }
            tell_logins(config, &store, args.lab.as_deref(), streams)?;
            let both = store.atomically(|store| Ok((store.orders()?, to_fetch(store)?)));
            both.map_err(unusable)?
        }
        None => (Vec::new(), Vec::new()),
    };
    let is_of = |lab: &str, order: &OrderRecord| order.key.lab.as_str().eq_ignore_ascii_case(lab);
    if let Some(lab) = &args.lab
        && !all.iter().any(|order| is_of(lab, order))
    {
        // The journal also has labs that are no longer in the config.
        find_lab(config, lab)?;
    }
    let chosen: Vec<_> = all
        .iter()
        .filter(|order| args.lab.as_ref().is_none_or(|lab| is_of(lab, order)))
        .filter(|order| args.state.is_none_or(|state| order.state() == state))
        .filter(|order| !args.incomplete || is_incomplete(order))
        .collect();
    // An order that we have not seen yet is in no state.
    let unseen: Vec<_> = asked
        .iter()
        .filter(|errand| {
            args.state.is_none()
                && !args.incomplete
                && all.iter().all(|order| order.key != errand.key)
        })
        .filter(|errand| {
            let name = errand.key.lab.as_str();
            args.lab.as_ref().is_none_or(|lab| name.eq_ignore_ascii_case(lab))
        })
        .map(AskedFor::new)
        .collect();
    if streams.json {
        let views = chosen.iter().map(|order| OrderView::new(order, &layout, &asked));
        let views = views.map(serde_json::to_value);
        let views: Result<Vec<_>, _> =
            views.chain(unseen.iter().map(serde_json::to_value)).collect();
        let views = views.map_err(|error| CliError::new(Exit::Failed, error.to_string()))?;
        streams.json(&views)?;
        return Ok(Exit::Ok);
    }
    if chosen.is_empty() && unseen.is_empty() {
        streams.note("no orders to show");
        return Ok(Exit::Ok);
    }
    streams.line(format!(
        "{:<16} {:<10} {:<12} {:<13} {:>3}  {:<20} {:<18} {}",
        "LAB", "ACCOUNT", "ORDER", "STATE", "REV", "PUBLISHED", "FINDINGS", "AT ALIGN"
    ))?;
    for order in chosen {
        let published = order.published.as_ref();
        streams.line(format!(
            "{:<16} {:<10} {:<12} {:<13} {:>3}  {:<20} {:<18} {}",
            order.key.lab.as_str(),
            order.key.account.as_str(),
            order.key.order.as_str(),
            order.state().as_str(),
            published.map_or("-".to_owned(), |published| published.revision.to_string()),
            published.map_or("-".to_owned(), |published| published.at.to_rfc3339()),
            mark(order),
            at_align(order),
        ))?;
        if let Some(trouble) = order.trouble.as_ref().filter(|_| order.is_wanted()) {
            streams.line(format!("{:<16} └ {}", "", trouble.message))?;
        }
        if let Some(errand) = asked.iter().find(|errand| errand.key == order.key) {
            let at = errand.at.to_rfc3339();
            streams.line(format!("{:<16} └ requested again at {at}, not started yet", ""))?;
        }
    }
    for one in &unseen {
        let AskedFor { lab, account, order_id, state, since } = one;
        let (none, since) = ("-", format!("requested at {since}, not started yet"));
        streams.line(format!(
            "{lab:<16} {account:<10} {order_id:<12} {state:<13} {none:>3}  {none:<20} {none:<18} {since}"
        ))?;
    }
    if !asked.is_empty() {
        tell_not_running(config, streams);
    }
    Ok(Exit::Ok)
}

/// The history of one order, for programs.
#[derive(Serialize)]
struct Story<'a> {
    #[serde(flatten)]
    order: OrderView<'a>,
    revisions: Vec<crate::model::manifest::Manifest>,
    /// The manifest of the held revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_manifest: Option<crate::model::manifest::Manifest>,
    events: Vec<Line>,
}

/// One line of the history.
#[derive(Serialize)]
struct Line {
    at: String,
    kind: String,
    text: String,
}

/// Prints the history of one order.
pub fn show(config: &Config, args: &ShowArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let layout = layout(config);
    let store = open(config)?.ok_or_else(|| unknown(&args.order))?;
    let line =
        |event: OrderEvent| Line { at: event.at.to_rfc3339(), kind: event.kind, text: event.text };
    // Read everything in one transaction: a running agent keeps writing.
    let told = store.atomically(|store| {
        let tell = |order: OrderRecord| {
            let (revisions, events) = (store.revisions(&order.key)?, store.story(&order.key)?);
            let held = store.held(&order.key)?.map(|held| held.manifest);
            Ok((order, revisions, events, held))
        };
        let found = store.find(&args.order)?.into_iter().map(tell);
        Ok((found.collect::<Result<Vec<_>, StoreError>>()?, to_fetch(store)?))
    });
    let (told, asked) = told.map_err(unusable)?;
    if told.is_empty() {
        let is_it = |errand: &Errand| errand.key.order.as_str() == args.order;
        let asked: Vec<_> = asked.into_iter().filter(is_it).collect();
        if asked.is_empty() {
            return Err(unknown(&args.order));
        }
        return show_asked(config, &asked, streams);
    }
    let stories: Vec<_> = told
        .iter()
        .map(|(order, revisions, events, held)| Story {
            held_manifest: held.clone(),
            order: OrderView::new(order, &layout, &asked),
            revisions: revisions.iter().map(|revision| revision.manifest.clone()).collect(),
            events: events.iter().cloned().map(line).collect(),
        })
        .collect();
    if streams.json {
        streams.json(&stories)?;
        return Ok(Exit::Ok);
    }
    for (order, ..) in &told {
        tell_logins(config, &store, Some(order.key.lab.as_str()), streams)?;
    }
    if stories.iter().any(|story| story.order.asked_for.is_some()) {
        tell_not_running(config, streams);
    }
    for story in &stories {
        tell_story(story, streams)?;
    }
    Ok(Exit::Ok)
}

fn tell_story(story: &Story<'_>, streams: &mut Streams) -> Result<(), CliError> {
    let order = &story.order;
    streams
        .line(format!("order {} of {} (account {})", order.order_id, order.lab, order.account))?;
    streams.line(format!("  state      {}", order.state.as_str()))?;
    let listed = match order.state {
        OrderState::Away => ", expected back",
        _ if order.listed => "",
        _ => ", no longer listed",
    };
    streams.line(format!("  at Align   {}{listed}", order.status))?;
    for (label, value) in [
        ("Rx id", order.rx_id),
        ("code", order.order_code),
        ("case type", order.case_type),
        ("procedure", order.procedure),
    ] {
        if let Some(value) = value {
            streams.line(format!("  {label:<10} {value}"))?;
        }
    }
    if let Some(at) = &order.asked_for {
        streams.line(format!("  requested  again at {at}, not started yet"))?;
    }
    if let Some(path) = &order.path {
        streams.line(format!("  folder     {}", path.display()))?;
    }
    if let Some(held) = &order.held {
        tell_held(order.order_id, held, streams)?;
    }
    if let Some(trouble) = order.trouble {
        streams.line(format!("  trouble    {}", trouble.message))?;
        if let Some(hint) = &trouble.hint {
            streams.line(format!("             {hint}"))?;
        }
        match trouble.next_try {
            Some(at) if at <= wall_now() => {
                streams.line("  next try   as soon as its turn comes")?;
            }
            Some(at) => streams.line(format!("  next try   {}", at.to_rfc3339()))?,
            None => {
                streams.line("  next try   none; to try again: `casedrop refetch`")?;
            }
        }
    }
    let newest = story.held_manifest.as_ref().or(story.revisions.last());
    tell_findings(newest, streams)?;
    if let Some(newest) = newest {
        streams.line(format!("  files of revision {}:", newest.revision))?;
        for file in &newest.files {
            streams.line(format!(
                "    {:<14} {:>10}  {}",
                serde_json::to_string(&file.role).unwrap_or_default().trim_matches('"'),
                crate::model::size::size(file.size),
                file.path
            ))?;
        }
    }
    streams.line("  story:")?;
    for line in &story.events {
        streams.line(format!("    {}  {}", line.at, line.text))?;
    }
    if story.events.iter().any(|event| event.kind == "kept") {
        let order = order.order_id;
        streams.note(format!("to see what was left alone: `casedrop verify {order} --names`"))
    }
    Ok(())
}

/// The order's last known status at Align.
fn at_align(order: &OrderRecord) -> String {
    if order.state() == OrderState::Away {
        format!("{}, expected back", order.remote.status)
    } else if order.listed {
        order.remote.status.to_string()
    } else {
        format!("no longer listed (was {})", order.remote.status)
    }
}

pub(super) fn layout(config: &Config) -> Layout {
    Layout { output: config.output.clone(), staging: config.staging.clone() }
}

/// Prints which labs need a login or a pairing, and how to do it.
fn tell_logins(
    config: &Config,
    store: &Store,
    lab: Option<&str>,
    streams: &mut Streams,
) -> Result<(), CliError> {
    let asked = RequestClient::of(config)?;
    let handler = asked.own();
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

pub(super) fn unknown(id: &str) -> CliError {
    CliError::new(Exit::Failed, format!("Casedrop has never seen order {id}"))
        .hint("`casedrop orders` lists all orders that it has seen")
}
