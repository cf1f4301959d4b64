//! How `orders` and `show` report missing parts and held orders.

use serde::Serialize;

use super::{CliError, Streams};
use crate::model::local_time::local;
use crate::model::manifest::Manifest;
use crate::model::record::{HeldRecord, OrderRecord};

/// The held revision of an order.
#[derive(Debug, Serialize)]
pub(super) struct HeldView {
    revision: u32,
    since: String,
    /// Whether a user wants it published as it is.
    released: bool,
}

impl HeldView {
    pub(super) fn new(held: &HeldRecord) -> Self {
        Self { revision: held.revision, since: held.at.to_rfc3339(), released: held.released }
    }
}

/// Prints that an order is held back, and the options.
pub(super) fn tell_held(
    order: &str,
    held: &HeldView,
    streams: &mut Streams,
) -> Result<(), CliError> {
    let HeldView { revision, since, released } = held;
    let what = if *released { "will be published as it is" } else { "incomplete, not published" };
    streams.line(format!("  held back  revision {revision} since {}: {what}", local(since)))?;
    if !*released {
        streams.line(format!(
            "             `casedrop publish {order}` publishes it as it is; `casedrop return {order}` asks \
             the doctor for a new scan"
        ))?;
    }
    Ok(())
}

/// A short mark for the findings.
pub(super) fn mark(order: &OrderRecord) -> String {
    let findings = order.newest_findings();
    if findings.is_incomplete() {
        return "INCOMPLETE".to_owned();
    }
    findings.in_words()
}

/// Prints the findings of a revision.
pub(super) fn tell_findings(
    newest: Option<&Manifest>,
    streams: &mut Streams,
) -> Result<(), CliError> {
    for finding in newest.map(|newest| newest.findings.as_slice()).unwrap_or_default() {
        let about = finding.path.as_ref().map(|path| format!("{path}: ")).unwrap_or_default();
        let severity = finding.severity.as_str();
        streams.line(format!("  {severity:<10} {about}{} ({})", finding.words, finding.code))?;
    }
    Ok(())
}
