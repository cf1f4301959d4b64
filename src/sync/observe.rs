//! What Align's answers mean for what is remembered of an order. Pure.
//!
//! None of the signs is proof that files changed: Align's list lags behind a download (the reason
//! for the guideline's 120 seconds). When in doubt an order is fetched: a spare download costs little,
//! a missed rescan costs a patient's crown. But not in a loop: an order that merely goes on being
//! listed is fetched again after growing waits.

use std::time::Duration;

use crate::model::ids::OrderKey;
use crate::model::order::{RemoteOrder, Status};
use crate::model::record::OrderRecord;
use crate::model::time::{WallMs, remaining};

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

/// What follows from a scan notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// Nothing: a fetch that is about to begin covers it.
    Covered,
    /// A fetch.
    Fetch,
    /// A fetch, after this time: there were many notifications lately, and nothing had changed.
    Later(Duration),
}

/// Waits between two fetches because of notifications while nothing changes; the last one repeats.
const NAMED_AGAIN: [Duration; 4] =
    [Duration::ZERO, Duration::from_mins(1), Duration::from_mins(10), Duration::from_hours(1)];
/// After so many notifications in vain further ones are no reason to begin a schedule anew.
const STILL_NEWS: u32 = 2;

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
    // What is being fetched already may be older than what is listed now.
    let begun = record.begun >= record.evidence;
    if !record.listed && (given_up || begun || !record.is_wanted()) {
        return Some(("ready again at Align", false));
    }
    let confirmed = record.confirmed().filter(|_| !record.is_wanted())?;
    let at = usize::try_from(record.rechecks).unwrap_or(usize::MAX).min(RECHECK.len() - 1);
    // A clock that was set back must not put the look off for as long.
    if now >= confirmed.plus(RECHECK[at]) || now < confirmed {
        return Some(("still listed at Align", true));
    }
    None
}

/// The order no longer stands in the list. That is no news where a download was begun: downloaded
/// orders leave it by design. Otherwise it is fetched all the same, since it stays downloadable.
pub fn gone_from_list(mut record: OrderRecord) -> OrderRecord {
    record.listed = false;
    record
}

/// Align was asked about this one order and answered. The list says what is ready, so the answer
/// counts as a sign of new files only where it says so plainly.
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

/// Whether a notification that comes now tells nothing new: the order is about to be fetched, and not
/// a byte of it was asked for.
pub fn is_covered(record: &OrderRecord) -> bool {
    record.is_wanted() && record.begun < record.evidence && record.trouble.is_none()
}

/// A scan notification names the order; `remote` is what Align says of it, where it answered. Files may
/// have changed without any other sign, so the order is fetched, but not in a loop: notifications repeat.
pub fn named(
    mut record: OrderRecord,
    remote: Option<RemoteOrder>,
    now: WallMs,
) -> (OrderRecord, Follows) {
    let changed = remote.as_ref().is_some_and(|remote| looks_changed(&record.remote, remote));
    if let Some(mut remote) = remote {
        record.last_asked = Some(now);
        // The answer need not repeat what it was asked by.
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
    // It counts as listed, since the list is behind: that it then is there is no news.
    record.listed = true;
    if record.notified_vain <= STILL_NEWS || changed {
        record.trouble = None;
    } else if let Some(trouble) = &mut record.trouble {
        trouble.next_try = Some(now);
        trouble.wait = Duration::ZERO;
    }
    (record, Follows::Fetch)
}

/// A scan notification names an order that was not known.
pub fn first_named(key: OrderKey, remote: RemoteOrder, now: WallMs) -> OrderRecord {
    let mut record = OrderRecord::new(key, remote, now);
    record.notified = Some(now);
    record.notified_vain = 1;
    record
}

/// Whether the list shows something that a notification should have told too, sooner or later.
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

/// Takes in what Align said of an order, wherever it said it.
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

/// A person asked for the order: it is published even if nothing changed.
pub fn asked_for(mut record: OrderRecord) -> OrderRecord {
    record.evidence += 1;
    record.forced = true;
    record.trouble = None;
    record
}

/// A person asked for an order by its number that Align has not named here.
pub fn asked_for_unseen(key: OrderKey, remote: RemoteOrder, now: WallMs) -> OrderRecord {
    OrderRecord { listed: false, forced: true, ..OrderRecord::new(key, remote, now) }
}

/// Align took the order back for the doctor.
pub fn returned(mut record: OrderRecord, now: WallMs) -> OrderRecord {
    let remote = RemoteOrder { status: Status::Scanning, ..record.remote.clone() };
    heard(&mut record, remote, now);
    record
}

#[cfg(test)]
mod tests;
