//! The metrics for monitoring, in Prometheus' text format. Labels are labs, states, reasons and
//! classes, all of them few; orders, accounts and people never appear.

mod counters;
mod family;
mod gauges;
#[cfg(test)]
mod parse;
mod process;
#[cfg(test)]
mod tests;

pub use counters::Counters;
pub use family::CONTENT_TYPE;

use crate::status::Status;

/// Renders all metrics: counters since the process started, and gauges from the status snapshot.
/// Families, and the samples in each, come in a fixed order.
pub fn render(counters: &Counters, status: &Status) -> String {
    family::write(of_agent(counters, status))
}

/// The same, and what this process uses of the PC.
pub fn render_with_process(counters: &Counters, status: &Status) -> String {
    let mut families = of_agent(counters, status);
    families.extend(process::families());
    family::write(families)
}

fn of_agent(counters: &Counters, status: &Status) -> Vec<family::Family> {
    let mut families = gauges::families(status);
    families.extend(counters.families(&status.labs));
    families
}
