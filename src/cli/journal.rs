//! The journal, read without an agent, and what it says about this PC.

use super::{CliError, Exit};
use crate::agent::requests::is_still_news;
use crate::agent::wall_now;
use crate::config::Config;
use crate::journal::{FILE_NAME, Pending, Rebuilt, Store, StoreError};
use crate::model::ids::OrderId;

pub(super) fn open(config: &Config) -> Result<Option<Store>, CliError> {
    Store::open_to_read(&config.state.join(FILE_NAME)).map_err(unusable)
}

/// Those of some orders that retention removed from the output. The output can be verified without
/// a journal, so an unreadable one is no error.
pub(super) fn removed(config: &Config, orders: &[OrderId]) -> Vec<OrderId> {
    let store = open(config).ok().flatten();
    store.and_then(|store| store.removed_of(orders).ok()).unwrap_or_default()
}

/// What the journal says about this PC rather than about orders, each with what to do.
pub(super) fn notes(store: &Store) -> Result<Vec<(String, &'static str)>, StoreError> {
    let is_news = |rebuilt: &Rebuilt| is_still_news(rebuilt, wall_now());
    let rebuilt = store.rebuilt()?.filter(is_news).map(|rebuilt| {
        let hint = "if no order is missing, delete the folder of the old journal, if there is one";
        (rebuilt.to_string(), hint)
    });
    let waits = store.output_waits()?.map(|why| {
        (
            format!("the agent is waiting: {why}"),
            "the agent continues automatically once the folder is back",
        )
    });
    let paused = store.pauses()?.into_iter().map(|(lab, paused)| {
        let since = paused.at.local();
        let by = paused.by.map(|by| format!(" by {by}")).unwrap_or_default();
        let text =
            format!("lab {lab} has been PAUSED since {since}{by}: nothing is polled or fetched");
        (text, "to continue: `casedrop resume`")
    });
    let deaf = store
        .listener_trouble()?
        .map(|why| (why, "the agent retries every 30 s; for details: `casedrop check`"));
    let named: Vec<_> = store.notified(NAMED)?.iter().map(about_named).collect();
    let more = store.notified_count()?.saturating_sub(named.len() as u64);
    let more = (more > 0).then(|| {
        (format!("{more} more scan notifications are waiting"), "for the total: `casedrop status`")
    });
    let pc = rebuilt.into_iter().chain(waits).chain(paused);
    Ok(pc.chain(deaf).chain(named).chain(more).collect())
}

/// This many waiting notifications are listed one by one.
const NAMED: usize = 10;

/// A notification that has led to nothing yet.
fn about_named(pending: &Pending) -> (String, &'static str) {
    let Pending { lab, account, rx, first, .. } = pending;
    let since = first.local();
    let why = pending.fault.as_ref().map_or_else(String::new, |fault| format!(" ({})", fault.text));
    let text = format!(
        "{lab}: a scan notification at {since} announced prescription {rx} of account {account}, \
         which Align does not show yet{why}"
    );
    let next = if pending.attention {
        "look for the scan at myitero.com; the agent asks Align again once a day"
    } else if pending.fault.is_some() {
        "nothing: the agent asks Align again automatically"
    } else {
        "the agent asks Align once it is running and the lab is paired with that account"
    };
    (text, next)
}

/// The error for an unusable journal.
#[expect(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
pub(super) fn unusable(error: StoreError) -> CliError {
    let told = CliError::new(Exit::Failed, error.to_string()).code("journal");
    told.cause(error.chain()).hint(error.hint())
}
