//! Faults that the caller can fix, and those of the journal.

use crate::config::{Config, LabConfig};
use crate::journal::StoreError;
use crate::model::fault::{Fault, FaultClass};
use crate::model::request::{Outcome, Reply};

/// The code of faults that the caller can fix; they become refusals.
const USAGE: &str = "usage";

/// Finds a lab by name, ignoring case. The fault for an unknown name suggests the nearest one.
pub fn find_lab<'a>(config: &'a Config, name: &str) -> Result<&'a LabConfig, Fault> {
    let found = config.labs.iter().find(|lab| lab.name.as_str().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let near = |known: &&LabConfig| {
            strsim::jaro_winkler(&known.name.as_str().to_lowercase(), &name.to_lowercase())
        };
        let nearest = config
            .labs
            .iter()
            .filter(|known| near(known) > 0.7)
            .max_by(|a, b| near(a).total_cmp(&near(b)));
        let hint = match nearest {
            Some(nearest) => format!("did you mean {}?", nearest.name),
            None => format!("the config has these labs: {}", names(config)),
        };
        usage(format!("unknown lab {name:?}")).hint(hint)
    })
}

/// Returns a fault that the caller can fix.
pub(in crate::agent) fn usage(text: impl Into<String>) -> Fault {
    Fault::new(FaultClass::Permanent, USAGE, text)
}

/// Turns a caller's mistake into a refusal.
pub(super) fn refused(fault: Fault) -> Result<Reply, Fault> {
    match fault.code {
        USAGE => {
            let reply = Reply::new(Outcome::Refused, fault.brief());
            Ok(Reply { next: fault.hint, ..reply })
        }
        _ => Err(fault),
    }
}

/// Returns the fault for a journal that cannot be used now.
#[expect(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
pub(in crate::agent) fn cannot_use(error: StoreError) -> Fault {
    Fault::new(FaultClass::Local, "journal", error.chain()).hint(error.hint())
}

pub(super) fn names(config: &Config) -> String {
    let names: Vec<_> = config.labs.iter().map(|lab| lab.name.as_str()).collect();
    names.join(", ")
}
