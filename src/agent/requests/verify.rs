//! Verifying the output tree.

use std::fmt::Write as _;

use serde_json::json;

use super::RequestHandler;
use crate::disk::Disk;
use crate::hotfolder::{
    Difference, FileNames, Knows, Layout, Selection, VerifyReport, verify_selection,
};
use crate::model::ids::{OrderId, OrderKey};
use crate::model::request::{Outcome, Reply};

/// Maximum number of differences listed in a reply. `casedrop verify` lists them all.
const LISTED: usize = 50;

impl RequestHandler {
    /// Compares the output with its manifests. May take long, as it reads every byte.
    pub(super) fn verify(&self, orders: &[OrderId]) -> Reply {
        // Without the journal, a removed order counts as missing, which the report shows.
        let removed = self.journal.with(|store| store.removed_of(orders)).unwrap_or_default();
        let ask = |key: &OrderKey, sha256: &str| {
            self.journal.with(|store| store.knows_manifest(key, sha256))
        };
        // If the journal cannot be queried, nothing is reported as unknown.
        let knows = |key: &OrderKey, sha256: &str| ask(key, sha256).unwrap_or(true);
        let (disk, layout) = (&*self.disk, &self.layout);
        let wanted = Selection { orders, ..Selection::default() };
        let names = FileNames::Discreet;
        let (report, away) = verify_orders(disk, layout, wanted, &removed, Some(&knows), names);
        let mut text = summary(&report);
        for order in &away {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "\n{}", was_removed(order));
        }
        for order in report.unknown_origin.iter().take(LISTED) {
            let _ = write!(text, "\n{}", of_unknown_origin(order));
        }
        for difference in report.differences.iter().take(LISTED) {
            let _ = write!(text, "\n{}", sentence(difference));
        }
        let more = report.differences.len().saturating_sub(LISTED);
        if more > 0 {
            let _ = write!(text, "\n… and {more} more; `casedrop verify` lists all of them");
        }
        let listed: Vec<_> = report.differences.iter().take(LISTED).collect();
        let details = json!({ "orders": report.orders, "files": report.files,
            "bytes": report.bytes, "differences": listed, "more": more,
            "unknown_origin": report.unknown_origin.iter().take(LISTED).collect::<Vec<_>>() });
        if report.differences.is_empty() {
            return Reply::new(Outcome::Done, text).details(details);
        }
        Reply::new(Outcome::Differs, text)
            .next(
                "nothing was changed; to fetch an order again, next to what others changed: \
                 `casedrop refetch ORDER`",
            )
            .details(details)
    }
}

/// Compares all or some orders with their manifests. Those in `removed` were removed because of
/// their age and may be missing: they are returned next to the report.
pub fn verify_orders(
    disk: &dyn Disk,
    layout: &Layout,
    wanted: Selection<'_>,
    removed: &[OrderId],
    knows: Option<&Knows<'_>>,
    names: FileNames,
) -> (VerifyReport, Vec<OrderId>) {
    let (away, only): (Vec<_>, Vec<_>) =
        wanted.orders.iter().cloned().partition(|order| removed.contains(order));
    let report = if only.is_empty() && !away.is_empty() {
        VerifyReport::default()
    } else {
        verify_selection(disk, layout, Selection { orders: &only, ..wanted }, knows, names)
    };
    (report, away)
}

/// Says that the origin of an order is unknown.
pub fn of_unknown_origin(order: &str) -> String {
    format!(
        "{order} is of unknown origin: the journal has no publication with this manifest, so the \
         agent never removes it"
    )
}

/// Says that an order is missing by design.
pub fn was_removed(order: &OrderId) -> String {
    format!("{order} was removed from the output, older than retention.keep")
}

/// Describes one difference as a sentence.
pub fn sentence(difference: &Difference) -> String {
    let place = [Some(difference.order.as_str()), difference.file.as_deref()];
    let place: Vec<&str> = place.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    if place.is_empty() {
        difference.what.clone()
    } else {
        format!("{} {}", place.join("/"), difference.what)
    }
}

/// Summarizes a verification in one line.
pub fn summary(report: &VerifyReport) -> String {
    let VerifyReport { orders, files, bytes, differences, .. } = report;
    let count = |number: usize, one: &str, many: &str| {
        if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
    };
    format!(
        "{}, {}, {bytes} bytes: {}",
        count(*orders, "order", "orders"),
        count(*files, "file", "files"),
        match differences.len() {
            0 => "no differences".to_owned(),
            number => count(number, "difference", "differences"),
        }
    )
}
