//! What a poll's answer means for what is remembered of an order. Pure.
//!
//! None of the signs is proof that files changed: Align's list lags behind a download (the reason
//! for the guideline's 120 seconds). When in doubt an order is fetched: a spare download costs little,
//! a missed rescan costs a patient's crown. But not in a loop: an order that merely goes on being
//! listed is fetched again after growing waits.

use std::time::Duration;

use crate::model::ids::OrderKey;
use crate::model::order::RemoteOrder;
use crate::model::record::OrderRecord;
use crate::model::time::WallMs;

/// What an observation changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Nothing worth keeping.
    None,
    /// Something to keep, nothing to fetch because of it.
    Details,
    /// Something to fetch, and why.
    Wanted(&'static str),
}

/// Waits before an order that merely goes on being listed is fetched again; the last one repeats.
const RECHECK: [Duration; 4] = [
    Duration::from_mins(10),
    Duration::from_hours(1),
    Duration::from_hours(6),
    Duration::from_hours(24),
];

/// The order stands in the list of ready orders. Gives what is to be remembered from now on.
pub fn seen_in_list(
    known: Option<OrderRecord>,
    key: &OrderKey,
    remote: RemoteOrder,
    now: WallMs,
) -> (OrderRecord, News) {
    let Some(mut record) = known else {
        return (OrderRecord::new(key.clone(), remote, now), News::Wanted("ready at Align"));
    };
    let sign = sign_of_change(&record, &remote, now);
    let details = record.remote != remote || !record.listed;
    record.listed = true;
    record.last_seen = now;
    record.remote = remote;
    match sign {
        Some((why, is_recheck)) => {
            record.evidence += 1;
            record.rechecks = if is_recheck { record.rechecks + 1 } else { 0 };
            if !is_recheck {
                record.trouble = None;
            }
            (record, News::Wanted(why))
        }
        None if details => (record, News::Details),
        None => (record, News::None),
    }
}

fn sign_of_change(
    record: &OrderRecord,
    remote: &RemoteOrder,
    now: WallMs,
) -> Option<(&'static str, bool)> {
    let differs =
        |old: &Option<String>, new: &Option<String>| old.is_some() && new.is_some() && old != new;
    if record.remote.status != remote.status {
        return Some(("its status changed at Align", false));
    }
    if differs(&record.remote.updated_at, &remote.updated_at) {
        return Some(("Align changed it", false));
    }
    if differs(&record.remote.etag, &remote.etag) {
        return Some(("its package changed at Align", false));
    }
    if !record.listed {
        // Also while a download runs or the order waits for a person: this may be a newer one.
        return Some(("ready again at Align", false));
    }
    let published = record.published.as_ref().filter(|_| !record.is_wanted())?;
    let at = usize::try_from(record.rechecks).unwrap_or(usize::MAX).min(RECHECK.len() - 1);
    if now >= published.confirmed.plus(RECHECK[at]) {
        return Some(("still listed at Align", true));
    }
    None
}

/// The order no longer stands in the list. That is no news: downloaded orders leave it by design.
pub fn gone_from_list(mut record: OrderRecord) -> OrderRecord {
    record.listed = false;
    record
}

/// A person asked for the order: it is published even if nothing changed.
pub fn asked_for(mut record: OrderRecord) -> OrderRecord {
    record.evidence += 1;
    record.forced = true;
    record.trouble = None;
    record
}

#[cfg(test)]
mod tests;
