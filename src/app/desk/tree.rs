//! A look at the output tree.

use std::fmt::Write as _;

use serde_json::json;

use super::AgentDesk;
use crate::local::{Difference, VerifyReport, verify_tree};
use crate::model::ids::OrderId;
use crate::model::request::{Outcome, Reply};

/// So many differences are listed in an answer. `casedrop verify` lists all.
const LISTED: usize = 50;

impl AgentDesk {
    /// Compares the output with its manifests. That may take long: every byte is read.
    pub(super) fn verify(&self, orders: &[OrderId]) -> Reply {
        let only = (!orders.is_empty()).then_some(orders);
        let report = verify_tree(&*self.disk, &self.layout, only);
        let mut text = summary(&report);
        for difference in report.differences.iter().take(LISTED) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n{}", sentence(difference));
        }
        let more = report.differences.len().saturating_sub(LISTED);
        if more > 0 {
            let _ = write!(text, "\n… and {more} more; `casedrop verify` lists all of them");
        }
        let listed: Vec<_> = report.differences.iter().take(LISTED).collect();
        let details = json!({ "orders": report.orders, "files": report.files,
            "bytes": report.bytes, "differences": listed, "more": more });
        if report.differences.is_empty() {
            return Reply::new(Outcome::Done, text).details(details);
        }
        Reply::new(Outcome::Differs, text)
            .next(
                "nothing was changed; `casedrop refetch ORDER` fetches an order anew and puts it \
                 beside what others changed",
            )
            .details(details)
    }
}

/// One difference as a sentence.
pub fn sentence(difference: &Difference) -> String {
    let place = [Some(difference.order.as_str()), difference.file.as_deref()];
    let place: Vec<&str> = place.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    if place.is_empty() {
        difference.what.clone()
    } else {
        format!("{} {}", place.join("/"), difference.what)
    }
}

/// A verification in one line.
pub fn summary(report: &VerifyReport) -> String {
    let VerifyReport { orders, files, bytes, differences } = report;
    let count = |number: usize, one: &str, many: &str| {
        if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
    };
    format!(
        "{}, {}, {bytes} bytes: {}",
        count(*orders, "order", "orders"),
        count(*files, "file", "files"),
        match differences.len() {
            0 => "no difference".to_owned(),
            number => count(number, "difference", "differences"),
        }
    )
}
