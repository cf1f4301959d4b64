//! What monitoring programs read: numbers about the agent in Prometheus' text format. Labels are labs,
//! states, reasons and classes, all of them few; orders, accounts and people are never in it.

mod counters;
mod family;
mod gauges;
#[cfg(test)]
mod parse;
#[cfg(test)]
mod tests;

pub use counters::Counters;
pub use family::CONTENT_TYPE;

use crate::status::Status;

/// All numbers as they stand: those that were counted since the process began, and those that the
/// picture tells. Families come in a fixed order, and so do the samples in each.
pub fn render(counters: &Counters, status: &Status) -> String {
    let mut families = gauges::families(status);
    families.extend(counters.families(&status.labs));
    family::write(families)
}
