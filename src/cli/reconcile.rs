//! `casedrop orders --reconcile`: compares Align's list, the journal and the disk and explains each
//! difference. Changes nothing; its only requests ask Align about single orders.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::agent::Labs;
use crate::config::Config;
use crate::disk::{Disk, Entry, Kind as EntryKind, RealDisk};
use crate::engine::reconcile::{Finding, Kind, OnDisk, findings};
use crate::hotfolder::inspect::{LocalPicture, glance};
use crate::hotfolder::layout::Layout;
use crate::journal::{LabRecord, RevisionRecord, Store, StoreError};
use crate::model::cancel::Cancel;
use crate::model::fault::Fault;
use crate::model::ids::{OrderKey, RxId};
use crate::model::local_time::local;
use crate::model::order::RemoteOrder;
use crate::model::record::{OrderRecord, OrderState, Place};
use crate::model::test_order;

use super::ask::RequestClient;
use super::journal::unusable;
use super::{CliError, Exit, Streams};

/// Upper limit of orders that Align is asked about.
const MOST_ASKED: usize = 50;

#[derive(Debug, Serialize)]
struct Report {
    labs: Vec<Lab>,
    orders: usize,
    differences: Vec<Difference>,
}

#[derive(Debug, Serialize)]
struct Lab {
    name: String,
    account: Option<String>,
    /// When any agent or pass last read Align's list.
    list_read_at: Option<String>,
    listed: usize,
}

#[derive(Debug, Serialize)]
struct Difference {
    lab: String,
    account: String,
    order_id: Option<String>,
    path: PathBuf,
    #[serde(flatten)]
    finding: Finding,
}

/// What the journal holds, read in one transaction.
struct Books {
    labs: Vec<LabRecord>,
    orders: Vec<(OrderRecord, Vec<RevisionRecord>)>,
    interrupted: BTreeSet<OrderKey>,
}

/// Compares and prints the report. Exits 3 if an order is failing.
pub fn run(config: &Config, lab: Option<&str>, streams: &mut Streams) -> Result<Exit, CliError> {
    let layout = Layout { output: config.output.clone(), staging: config.staging.clone() };
    let mut books = match super::journal::open(config)? {
        Some(store) => store.atomically(read).map_err(unusable)?,
        None => Books { labs: Vec::new(), orders: Vec::new(), interrupted: BTreeSet::new() },
    };
    let wanted = |name: &str| lab.is_none_or(|lab| lab.eq_ignore_ascii_case(name));
    if let Some(lab) = lab
        && !books.labs.iter().any(|known| wanted(&known.lab))
    {
        // The journal also has labs that are no longer in the config.
        super::loading::find_lab(config, lab)?;
    }
    books.orders.retain(|(order, _)| wanted(order.key.lab.as_str()));
    ask_about_the_missing(config, &mut books, streams);
    let activities = RequestClient::of(config)?.activities();
    for (order, _) in &mut books.orders {
        order.activity = activities.get(&order.key).copied();
    }

    let mut differences = Vec::new();
    for (order, revisions) in &books.orders {
        let disk = OnDiskOwned::inspect(&layout, order, revisions)?;
        let interrupted = books.interrupted.contains(&order.key);
        let lab = books.labs.iter().find(|lab| lab.lab == order.key.lab.as_str());
        let list_read = lab.and_then(|lab| lab.good_poll);
        for finding in findings(order, list_read, disk.view(interrupted)) {
            differences.push(Difference {
                lab: order.key.lab.to_string(),
                account: order.key.account.to_string(),
                order_id: Some(order.key.order.to_string()),
                path: layout.order_dir(&order.key),
                finding,
            });
        }
    }
    differences.extend(unknown_folders(&layout, &books, &wanted)?);
    let failing = books
        .orders
        .iter()
        .any(|(order, _)| matches!(order.state(), OrderState::Attention | OrderState::Retrying));
    let labs = books
        .labs
        .iter()
        .filter(|lab| wanted(&lab.lab))
        .map(|lab| Lab {
            name: lab.lab.clone(),
            account: lab.account.clone(),
            list_read_at: lab.good_poll.map(crate::model::time::WallMs::to_rfc3339),
            listed: books
                .orders
                .iter()
                .filter(|(order, _)| order.listed && order.key.lab.as_str() == lab.lab)
                .count(),
        })
        .collect();
    tell(&Report { labs, orders: books.orders.len(), differences }, streams)?;
    Ok(if failing { Exit::OrdersFailing } else { Exit::Ok })
}

fn read(store: &Store) -> Result<Books, StoreError> {
    let with_revisions = |order: OrderRecord| {
        let revisions = store.revisions(&order.key)?;
        Ok((order, revisions))
    };
    let orders = store.orders()?.into_iter().map(with_revisions);
    Ok(Books {
        labs: store.labs()?,
        orders: orders.collect::<Result<_, StoreError>>()?,
        interrupted: store.intents()?.into_iter().map(|intent| intent.key).collect(),
    })
}

/// Asks Align about orders that left its list, one by one: the list does not say what became of
/// them.
fn ask_about_the_missing(config: &Config, books: &mut Books, streams: &mut Streams) {
    let missing = books.orders.iter_mut().map(|(order, _)| order);
    let mut missing: Vec<_> = missing.filter(|order| order.left_unfetched()).collect();
    if missing.is_empty() {
        return;
    }
    let Ok(runtime) = super::work::runtime() else { return };
    let config = Arc::new(config.clone());
    let labs = Labs::new(Arc::clone(&config), runtime.handle().clone(), Arc::new(RealDisk));
    if missing.len() > MOST_ASKED {
        streams.note(format!(
            "asking Align only about the first {MOST_ASKED} of {} orders",
            missing.len()
        ));
    }
    for order in missing.iter_mut().take(MOST_ASKED) {
        let Some(rx) = order.remote.rx_id.clone() else { continue };
        if !config.labs.iter().any(|lab| lab.name == order.key.lab) {
            continue;
        }
        match labs.client(&order.key.lab).and_then(|client| ask(&*client, &rx)) {
            Ok(remote) if remote.order_id == order.key.order => order.remote = remote,
            Ok(_) => {}
            Err(fault) => {
                streams.note(format!("{}: could not ask Align: {}", order.key, fault.brief()));
            }
        }
    }
}

fn ask(remote: &dyn crate::model::remote::Remote, rx: &RxId) -> Result<RemoteOrder, Fault> {
    remote.order_by_rx(rx, &Cancel::new())
}

/// What is on disk of one order, judged by names and sizes.
struct OnDiskOwned {
    main: Option<LocalPicture>,
    beside: Option<LocalPicture>,
}

impl OnDiskOwned {
    fn inspect(
        layout: &Layout,
        order: &OrderRecord,
        revisions: &[RevisionRecord],
    ) -> Result<Self, Fault> {
        let at_main = revisions.iter().rev().find(|revision| revision.place == Place::Main);
        let newest_beside = revisions.last().filter(|revision| revision.place == Place::Beside);
        let main = at_main
            .map(|main| glance(&RealDisk, &layout.order_dir(&order.key), &main.manifest))
            .transpose()?;
        let beside = newest_beside
            .map(|newest| {
                let dir = layout.beside_dir(&order.key, newest.manifest.revision);
                glance(&RealDisk, &dir, &newest.manifest)
            })
            .transpose()?;
        Ok(Self { main, beside })
    }

    fn view(&self, interrupted: bool) -> OnDisk<'_> {
        OnDisk { main: self.main.as_ref(), beside: self.beside.as_ref(), interrupted }
    }
}

/// Directories with orders that the journal has no record of.
fn unknown_folders(
    layout: &Layout,
    books: &Books,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<Vec<Difference>, Fault> {
    let mut known = BTreeSet::new();
    for (order, revisions) in &books.orders {
        known.insert(layout.order_dir(&order.key));
        for revision in revisions.iter().filter(|revision| revision.place == Place::Beside) {
            known.insert(layout.beside_dir(&order.key, revision.manifest.revision));
        }
    }
    let mut found = Vec::new();
    for lab in dirs(&layout.output)?.into_iter().filter(|lab| lab.path != layout.staging) {
        let Some(lab_name) = lab.name.filter(|name| wanted(name)) else { continue };
        for account in dirs(&lab.path)? {
            for order in dirs(&account.path)? {
                if known.contains(&order.path) || RealDisk.list(&order.path)?.is_empty() {
                    continue;
                }
                let explanation =
                    match crate::hotfolder::inspect::inspect(&RealDisk, &order.path, None, None)? {
                        // A test order belongs to no lab and needs no explanation.
                        LocalPicture::Ours { manifest, .. } if test_order::is_its(&manifest) => {
                            continue;
                        }
                        LocalPicture::Ours { manifest, .. } => format!(
                            "a complete order (revision {}) that is not in the journal: it is left \
                             alone, and taken over once Align lists it",
                            manifest.revision
                        ),
                        LocalPicture::Foreign { what } => {
                            format!("{what}, not created by the agent: it is left alone")
                        }
                        _ => continue,
                    };
                found.push(Difference {
                    lab: lab_name.clone(),
                    account: account.name.clone().unwrap_or_default(),
                    order_id: None,
                    path: order.path,
                    finding: Finding { kind: Kind::UnknownFolder, explanation },
                });
            }
        }
    }
    Ok(found)
}

fn dirs(dir: &std::path::Path) -> Result<Vec<Entry>, Fault> {
    if RealDisk.kind(dir)? != Some(EntryKind::Dir) {
        return Ok(Vec::new());
    }
    let entries = RealDisk.list(dir)?;
    Ok(entries.into_iter().filter(|entry| entry.kind == EntryKind::Dir).collect())
}

fn tell(report: &Report, streams: &mut Streams) -> Result<(), CliError> {
    if streams.json {
        return streams.json(report);
    }
    for lab in &report.labs {
        streams.line(format!(
            "{} (account {}): {} ready in Align's list, read {}",
            lab.name,
            lab.account.as_deref().unwrap_or("-"),
            lab.listed,
            lab.list_read_at.as_deref().map_or_else(|| "never".to_owned(), local),
        ))?;
    }
    for difference in &report.differences {
        let kind = serde_json::to_value(difference.finding.kind).unwrap_or_default();
        streams.line(format!(
            "{}  {}\n    {}",
            difference.path.display(),
            kind.as_str().unwrap_or_default(),
            difference.finding.explanation
        ))?;
    }
    let differences = match report.differences.len() {
        0 => "no differences".to_owned(),
        1 => "1 difference".to_owned(),
        many => format!("{many} differences"),
    };
    streams.line(format!("{} orders in the journal: {differences}", report.orders))
}
