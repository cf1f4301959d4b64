//! What Align's answers mean for what we remember of an order. Pure.
//!
//! No sign proves that files changed: Align's list lags behind a download (the reason for the
//! guideline's 120 seconds). When in doubt, the order is fetched: an unnecessary download costs
//! little, a missed rescan costs a patient's crown. But not in a loop: an order that merely stays
//! listed is fetched again after increasing waits.

use std::time::Duration;

use casedrop_model::ids::OrderKey;
use casedrop_model::order::{RemoteOrder, Status};
use casedrop_model::record::OrderRecord;
use casedrop_model::time::{WallMs, remaining};

/// What an observation changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Nothing worth storing.
    None,
    /// Something to store, but no reason to fetch.
    Details,
    /// Something to fetch, and why.
    Wanted(&'static str),
}

/// What follows from a scan notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// Nothing: a fetch that is about to start covers it.
    Covered,
    /// A fetch.
    Fetch,
    /// A fetch after this wait: there were many notifications recently, and nothing had changed.
    Later(Duration),
}

/// Waits between fetches triggered by notifications while nothing changes; the last one repeats.
const NAMED_AGAIN: [Duration; 4] =
    [Duration::ZERO, Duration::from_mins(1), Duration::from_mins(10), Duration::from_hours(1)];
/// After this many notifications without a change, further ones no longer restart the retry
/// schedule.
const STILL_NEWS: u32 = 2;

/// Waits before an order that merely stays listed is fetched again; the last one repeats.
const RECHECK: [Duration; 4] = [
    Duration::from_mins(10),
    Duration::from_hours(1),
    Duration::from_hours(6),
    Duration::from_hours(24),
];

/// The order is in the list of ready orders. Returns what to remember from now on.
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
    heard(&mut record, remote, now);
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
    if record.remote.status != remote.status {
        return Some(("its status changed at Align", false));
    }
    if differs(record.remote.updated_at.as_ref(), remote.updated_at.as_ref()) {
        return Some(("Align changed it", false));
    }
    if differs(record.remote.etag.as_ref(), remote.etag.as_ref()) {
        return Some(("its package changed at Align", false));
    }
    let given_up = record.trouble.as_ref().is_some_and(|trouble| trouble.attention);
    // A fetch already in flight may be older than what is listed now.
    let begun = record.begun >= record.evidence;
    if !record.listed && (given_up || begun || !record.is_wanted()) {
        return Some(("ready again at Align", false));
    }
    let confirmed = record.confirmed().filter(|_| !record.is_wanted())?;
    let at = usize::try_from(record.rechecks).unwrap_or(usize::MAX).min(RECHECK.len() - 1);
    // If the clock was set back, the recheck must not be delayed by as much.
    if now >= confirmed.plus(RECHECK[at]) || now < confirmed {
        return Some(("still listed at Align", true));
    }
    None
}

/// The order is no longer in the list. After a download began that is expected: downloaded orders
/// leave the list by design. Otherwise the order is fetched anyway, since it stays downloadable.
pub fn gone_from_list(mut record: OrderRecord) -> OrderRecord {
    record.listed = false;
    record
}

/// Align answered a question about this one order. The list decides what is ready, so the answer
/// counts as a sign of new files only if it says so clearly.
pub fn answered(mut record: OrderRecord, remote: RemoteOrder, now: WallMs) -> (OrderRecord, News) {
    let known = &record.remote;
    let ready = |status: &Status| matches!(status, Status::Ready | Status::LabReview);
    let same_status = known.status == remote.status;
    let why = if differs(known.etag.as_ref(), remote.etag.as_ref()) {
        Some("its package changed at Align")
    } else if ready(&remote.status) && !same_status {
        Some("ready at Align")
    } else if same_status
        && !remote.status.is_away()
        && differs(known.updated_at.as_ref(), remote.updated_at.as_ref())
    {
        Some("Align changed it")
    } else {
        None
    };
    let details = *known != remote;
    record.last_asked = Some(now);
    heard(&mut record, remote, now);
    match why {
        Some(why) if !record.is_wanted() => {
            record.evidence += 1;
            record.rechecks = 0;
            record.trouble = None;
            (record, News::Wanted(why))
        }
        _ if details => (record, News::Details),
        _ => (record, News::None),
    }
}

/// Whether a notification arriving now adds nothing: the order is about to be fetched, and no byte
/// of it has been requested yet.
pub fn is_covered(record: &OrderRecord) -> bool {
    record.is_wanted() && record.begun < record.evidence && record.trouble.is_none()
}

/// A scan notification names the order; `remote` is what Align says about it, if it answered. Files
/// may have changed without any other sign, so the order is fetched, but not in a loop:
/// notifications repeat.
pub fn named(
    mut record: OrderRecord,
    remote: Option<RemoteOrder>,
    now: WallMs,
) -> (OrderRecord, Follows) {
    let changed = remote.as_ref().is_some_and(|remote| looks_changed(&record.remote, remote));
    if let Some(mut remote) = remote {
        record.last_asked = Some(now);
        // The answer may omit the Rx id it was asked by.
        remote.rx_id = remote.rx_id.or_else(|| record.remote.rx_id.clone());
        heard(&mut record, remote, now);
    }
    if is_covered(&record) {
        record.notified = Some(now);
        return (record, Follows::Covered);
    }
    let wait = record.notified.map_or(Duration::ZERO, |last| {
        let vain = usize::try_from(record.notified_vain).unwrap_or(usize::MAX);
        remaining(last, NAMED_AGAIN[vain.min(NAMED_AGAIN.len() - 1)], now)
    });
    if !changed && !wait.is_zero() {
        return (record, Follows::Later(wait));
    }
    record.notified = Some(now);
    record.notified_vain = record.notified_vain.saturating_add(1);
    record.evidence += 1;
    record.rechecks = 0;
    // Counts as listed: the list lags, so the order showing up there later is no news.
    record.listed = true;
    if record.notified_vain <= STILL_NEWS || changed {
        record.trouble = None;
    } else if let Some(trouble) = &mut record.trouble {
        trouble.next_try = Some(now);
        trouble.wait = Duration::ZERO;
    }
    (record, Follows::Fetch)
}

/// A scan notification names an unknown order.
pub fn first_named(key: OrderKey, remote: RemoteOrder, now: WallMs) -> OrderRecord {
    let mut record = OrderRecord::new(key, remote, now);
    record.notified = Some(now);
    record.notified_vain = 1;
    record
}

/// Whether the list shows something that a notification should also have announced, sooner or
/// later.
pub fn should_be_named(before: Option<&OrderRecord>, remote: &RemoteOrder) -> bool {
    let ready = matches!(remote.status, Status::Ready | Status::LabReview);
    let known_early = |before: &OrderRecord| before.is_wanted() && before.notified.is_some();
    let is_news = |before: &OrderRecord| {
        !before.listed
            || before.remote.status != remote.status
            || differs(before.remote.etag.as_ref(), remote.etag.as_ref())
    };
    ready && before.is_none_or(|before| is_news(before) && !known_early(before))
}

fn looks_changed(known: &RemoteOrder, remote: &RemoteOrder) -> bool {
    known.status != remote.status
        || differs(known.etag.as_ref(), remote.etag.as_ref())
        || differs(known.updated_at.as_ref(), remote.updated_at.as_ref())
}

/// Stores what Align said about an order, in whichever answer.
fn heard(record: &mut OrderRecord, remote: RemoteOrder, now: WallMs) {
    if remote.status.is_away() {
        record.away = Some(remote.status.clone());
    }
    record.last_seen = now;
    record.remote = remote;
}

fn differs(old: Option<&String>, new: Option<&String>) -> bool {
    old.is_some() && new.is_some() && old != new
}

/// A user asked for the order: it is published even if nothing changed.
pub fn asked_for(mut record: OrderRecord) -> OrderRecord {
    record.evidence += 1;
    record.forced = true;
    record.trouble = None;
    record
}

/// A user asked by number for an order that Align has not listed here.
pub fn asked_for_unseen(key: OrderKey, remote: RemoteOrder, now: WallMs) -> OrderRecord {
    OrderRecord { listed: false, forced: true, ..OrderRecord::new(key, remote, now) }
}

/// Align took the order back to return it to the doctor.
pub fn returned(mut record: OrderRecord, now: WallMs) -> OrderRecord {
    let remote = RemoteOrder { status: Status::Scanning, ..record.remote.clone() };
    heard(&mut record, remote, now);
    record
}

#[cfg(test)]
mod tests;
