//! `casedrop open`: the status page in a browser, or an order's folder in the file manager.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::ask::RequestClient;
use super::journal::{open, unusable};
use super::loading::find_lab;
use super::order_view::{layout, unknown};
use super::{CliError, Exit, Streams};
use crate::agent::requests::START_IT;
use crate::config::Config;
use crate::disk::{Disk as _, Kind, RealDisk};
use crate::model::record::{OrderRecord, Retired};

#[derive(Debug, Args)]
pub struct OpenArgs {
    /// Order id or Rx id [default: the status page]
    #[arg(value_name = "ORDER")]
    pub order: Option<String>,
    /// The order's lab, if several labs have an order with that id
    #[arg(long, value_name = "LAB", requires = "order")]
    pub lab: Option<String>,
    /// Only print the URL or the path
    #[arg(long)]
    pub print: bool,
}

/// Prints where the page or the folder is, and opens it if this PC has a desktop.
pub fn run(config: &Config, args: &OpenArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let (kind, target) = match &args.order {
        None => ("url", page(config)?),
        Some(order) => {
            let dir = folder(config, order, args.lab.as_deref())?;
            ("path", dir.to_string_lossy().into_owned())
        }
    };
    let opened = !args.print && has_desktop() && ::open::that_detached(&target).is_ok();
    if streams.json {
        streams.json(&json!({ kind: target, "opened": opened }))?;
        return Ok(Exit::Ok);
    }
    streams.line(&target)?;
    if !opened && !args.print {
        streams.note("There is no desktop here on which to open it.");
    }
    Ok(Exit::Ok)
}

/// The URL of the status page that the running agent serves.
fn page(config: &Config) -> Result<String, CliError> {
    let status = RequestClient::of(config)?.status();
    match (status.page, status.agent.running) {
        (Some(url), _) => Ok(url),
        (None, true) => Err(CliError::new(Exit::Failed, "Casedrop serves no status page here")
            .hint("set `status_page.listen` in the config, and restart the agent")),
        (None, false) => {
            let text = "Casedrop is not running, so there is no status page";
            Err(CliError::new(Exit::Failed, text).hint(START_IT))
        }
    }
}

/// The folder of a published order.
fn folder(config: &Config, id: &str, lab: Option<&str>) -> Result<PathBuf, CliError> {
    let store = open(config)?.ok_or_else(|| unknown(id))?;
    let mut found = store.find(id).map_err(unusable)?;
    if let Some(lab) = lab {
        found.retain(|order| order.key.lab.as_str().eq_ignore_ascii_case(lab));
        if found.is_empty() {
            find_lab(config, lab)?;
        }
    }
    let order = match found.as_slice() {
        [] => return Err(unknown(id)),
        [order] => order,
        many => {
            let keys: Vec<_> = many.iter().map(|order| order.key.to_string()).collect();
            let text = format!("{id} matches several orders: {}", keys.join(", "));
            return Err(CliError::new(Exit::Usage, text).hint("say which lab you mean: --lab LAB"));
        }
    };
    let is_away = |text: String| {
        let hint = format!("for its history: `casedrop show {}`", order.key.order);
        Err(CliError::new(Exit::Failed, text).hint(hint))
    };
    let Some(dir) = published_at(order, config) else {
        let state = order.state().as_str();
        return is_away(format!("order {id} has no folder; its state is: {state}"));
    };
    if RealDisk.kind(&dir)? != Some(Kind::Dir) {
        return is_away(format!(
            "the folder of order {id} is gone: somebody moved or deleted {}",
            dir.display()
        ));
    }
    Ok(dir)
}

fn published_at(order: &OrderRecord, config: &Config) -> Option<PathBuf> {
    let published = order.published.as_ref().filter(|_| order.retired != Retired::Yes)?;
    Some(layout(config).dir_at(&order.key, published.place, published.revision))
}

/// Whether something could be shown: to somebody at a console or over SSH there is no browser to
/// open.
fn has_desktop() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}
