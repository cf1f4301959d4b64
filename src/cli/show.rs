//! "Where did the scan go?": the history of one order, from the journal.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use crate::agent::wall_now;
use crate::config::Config;
use crate::journal::{Errand, OrderEvent, Store, StoreError};
use crate::model::local_time::{local, local_seconds};
use crate::model::manifest::{Manifest, Role};
use crate::model::prescription::Tooth;
use crate::model::record::{OrderRecord, OrderState};
use crate::model::size::size;
use crate::model::time::WallMs;

use super::ask::RequestClient;
use super::asked::{show_asked, tell_not_running, to_fetch};
use super::incomplete::{tell_findings, tell_held};
use super::journal::{open, unusable};
use super::order_view::{OrderView, known_lab, layout, tell_logins, unknown};
use super::{CliError, Exit, Streams};

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Order id or Rx id.
    #[arg(value_name = "ORDER")]
    pub order: String,
    /// Only in this lab, if two labs know the same id.
    #[arg(long, value_name = "LAB")]
    pub lab: Option<String>,
    /// List every file.
    #[arg(long)]
    pub files: bool,
}

/// The history of one order, for programs.
#[derive(Serialize)]
struct Story<'a> {
    #[serde(flatten)]
    order: OrderView<'a>,
    revisions: Vec<Manifest>,
    /// The manifest of the held revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_manifest: Option<Manifest>,
    events: Vec<Line>,
}

/// One line of the history.
#[derive(Serialize)]
struct Line {
    at: String,
    kind: String,
    text: String,
}

/// Everything that the journal knows about one order.
struct Known {
    order: OrderRecord,
    revisions: Vec<Manifest>,
    events: Vec<OrderEvent>,
    held: Option<Manifest>,
}

/// Prints the history of one order.
pub fn show(config: &Config, args: &ShowArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let layout = layout(config);
    let store = open(config)?;
    let lab = args.lab.as_deref().map(|lab| known_lab(config, store.as_ref(), lab)).transpose()?;
    let store = store.ok_or_else(|| unknown(&args.order))?;
    // Read everything in one transaction: a running agent keeps writing.
    let read = store.atomically(|store| Ok((find(store, args, lab.as_deref())?, to_fetch(store)?)));
    let (mut known, asked) = read.map_err(unusable)?;
    let client = RequestClient::of(config)?;
    let (activities, handler) = (client.activities(), client.own());
    for Known { order, .. } in &mut known {
        order.activity = activities.get(&order.key).copied();
        handler.look_for_folders(std::slice::from_mut(order));
    }
    if known.is_empty() {
        let is_it = |errand: &Errand| {
            errand.key.order.as_str() == args.order
                && lab.as_ref().is_none_or(|lab| errand.key.lab.as_str() == lab)
        };
        let asked: Vec<_> = asked.into_iter().filter(is_it).collect();
        if asked.is_empty() {
            return Err(unknown(&args.order));
        }
        return show_asked(config, &asked, streams);
    }
    let stories: Vec<_> = known
        .iter()
        .map(|known| Story {
            held_manifest: known.held.clone(),
            order: OrderView::new(&known.order, &layout, &asked),
            revisions: known.revisions.clone(),
            events: known.events.iter().cloned().map(line).collect(),
        })
        .collect();
    if streams.json {
        streams.json(&stories)?;
        return Ok(Exit::Ok);
    }
    for known in &known {
        tell_logins(config, &handler, &store, Some(known.order.key.lab.as_str()), streams)?;
    }
    if stories.iter().any(|story| story.order.asked_for.is_some()) {
        tell_not_running(config, streams);
    }
    for story in &stories {
        tell_story(story, args.files, streams)?;
    }
    Ok(Exit::Ok)
}

fn find(store: &Store, args: &ShowArgs, lab: Option<&str>) -> Result<Vec<Known>, StoreError> {
    let found = store.find(&args.order)?.into_iter();
    let wanted = found.filter(|order| lab.is_none_or(|lab| order.key.lab.as_str() == lab));
    let read = |order: OrderRecord| {
        let (revisions, events) = (store.revisions(&order.key)?, store.story(&order.key)?);
        let revisions = revisions.into_iter().map(|revision| revision.manifest).collect();
        let held = store.held(&order.key)?.map(|held| held.manifest);
        Ok(Known { order, revisions, events, held })
    };
    wanted.map(read).collect()
}

fn line(event: OrderEvent) -> Line {
    Line { at: event.at.to_rfc3339(), kind: event.kind, text: event.text }
}

fn tell_story(story: &Story<'_>, files: bool, streams: &mut Streams) -> Result<(), CliError> {
    let order = &story.order;
    streams
        .line(format!("order {} of {} (account {})", order.order_id, order.lab, order.account))?;
    streams.line(format!("  state      {}", order.state_in_words))?;
    let listed = match order.state {
        OrderState::Away => ", expected back",
        _ if order.listed => "",
        _ => ", no longer listed",
    };
    streams.line(format!("  at Align   {}{listed}", order.status))?;
    let due = order.due_date.map(|day| day.to_string());
    let teeth = tell_teeth(order.teeth);
    for (label, value) in [
        ("Rx id", order.rx_id),
        ("code", order.order_code),
        ("case type", order.case_type),
        ("procedure", order.procedure),
        ("due", due.as_deref()),
        ("doctor", order.doctor),
        ("teeth", teeth.as_deref()),
    ] {
        if let Some(value) = value {
            streams.line(format!("  {label:<10} {value}"))?;
        }
    }
    if let Some(at) = &order.asked_for {
        streams.line(format!("  requested  again at {}, not started yet", local(at)))?;
    }
    if let Some(path) = &order.path {
        streams.line(format!("  folder     {}", path.display()))?;
    }
    if let Some(at) = &order.picked_up_at {
        let at = local(at);
        streams.line(format!(
            "             taken from there (moved, deleted or emptied), noticed {at}"
        ))?;
    }
    if let Some(held) = &order.held {
        tell_held(order.order_id, held, streams)?;
    }
    tell_trouble(order, streams)?;
    let newest = story.held_manifest.as_ref().or(story.revisions.last());
    tell_findings(newest, streams)?;
    streams.line("  story:")?;
    for line in &story.events {
        streams.line(format!("    {}  {}", local_seconds(&line.at), line.text))?;
    }
    newest.map_or(Ok(()), |newest| tell_files(newest, files, streams))?;
    if story.events.iter().any(|event| event.kind == "kept") {
        let order = order.order_id;
        streams.note(format!("to see what was left alone: `casedrop verify {order} --names`"));
    }
    Ok(())
}

/// The teeth by their Universal numbers, with what is ordered for them.
fn tell_teeth(teeth: &[Tooth]) -> Option<String> {
    let words = teeth.iter().map(|tooth| match tooth.restoration {
        Some(what) => format!("{} {}", tooth.number, what.as_str()),
        None => tooth.number.to_string(),
    });
    (!teeth.is_empty()).then(|| words.collect::<Vec<_>>().join(", "))
}

fn tell_trouble(order: &OrderView<'_>, streams: &mut Streams) -> Result<(), CliError> {
    let Some(trouble) = order.trouble else { return Ok(()) };
    streams.line(format!("  trouble    {}", trouble.message))?;
    if let Some(hint) = &trouble.hint {
        streams.line(format!("             {hint}"))?;
    }
    streams.line(match trouble.next_try {
        Some(at) if at <= wall_now() => "  next try   as soon as its turn comes".to_owned(),
        Some(at) => format!("  next try   {}", WallMs::local(at)),
        None => {
            format!("  next try   none; to try again: `casedrop refetch {}`", order.order_id)
        }
    })
}

/// Prints a summary of the files, or all of them.
fn tell_files(newest: &Manifest, all: bool, streams: &mut Streams) -> Result<(), CliError> {
    let summary = summary(newest);
    if !all {
        return streams.line(format!("  files      {summary}; to list them: --files"));
    }
    streams.line(format!("  files      {summary}:"))?;
    for file in &newest.files {
        let (role, size) = (word(file.role), size(file.size));
        streams.line(format!("    {role:<14} {size:>10}  {}", file.path))?;
    }
    Ok(())
}

/// Such as `16 in revision 1, 4.4 MB (6 scan, 2 metadata)`.
fn summary(manifest: &Manifest) -> String {
    let mut roles: BTreeMap<Role, usize> = BTreeMap::new();
    for file in &manifest.files {
        *roles.entry(file.role).or_default() += 1;
    }
    let roles: Vec<_> =
        roles.into_iter().map(|(role, count)| format!("{count} {}", word(role))).collect();
    format!(
        "{} in revision {}, {} ({})",
        manifest.files.len(),
        manifest.revision,
        size(manifest.bytes()),
        roles.join(", ")
    )
}

/// The role's word in the manifest.
fn word(role: Role) -> String {
    serde_json::to_string(&role).unwrap_or_default().trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use casedrop_testing::manifest_of;

    #[test]
    fn files_are_summed_up_by_what_they_are() {
        let manifest = manifest_of(3, &[("a.stl", "mesh"), ("b.stl", "mesh")]);
        let text = summary(&manifest);
        assert!(text.starts_with("2 in revision 3, 8 "), "{text}");
        let role = word(manifest.files[0].role);
        assert!(text.ends_with(&format!("(2 {role})")), "{text}");
    }
}
