//! Why a new revision exists, derived from Align's status history.

use casedrop_model::manifest::Reason;
use casedrop_model::order::{RemoteOrder, Status};

/// Returns the reason for the revision that follows one covering the first `seen` steps of the
/// history.
///
/// Only later steps count. The last one that took the order away from the lab decides; without one,
/// whether the order was once seen `away`; failing that, its status.
pub fn reason_for_next(
    remote: &RemoteOrder,
    seen: u32,
    away: Option<&Status>,
    forced: bool,
) -> Reason {
    let seen = usize::try_from(seen).unwrap_or(usize::MAX).min(remote.history.len());
    let since: Vec<&Status> = remote.history.iter().skip(seen).map(|step| &step.status).collect();
    let last_away = since.iter().rev().copied().find(|status| status.is_away());
    match last_away.or(away) {
        Some(Status::Milling) => Reason::Interpretation2,
        Some(Status::Scanning) => Reason::Rescan,
        Some(_) => Reason::AfterModeling,
        None if forced => Reason::Refetch,
        None if remote.status == Status::LabReview && seen < remote.history.len() => {
            Reason::AfterModeling
        }
        None if remote.status == Status::LabReview && remote.history.is_empty() => {
            Reason::AfterModeling
        }
        None => Reason::FilesChanged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casedrop_model::order::StatusChange;

    fn order(status: Status, history: &[Status]) -> RemoteOrder {
        let steps = history.iter().map(|status| StatusChange { status: status.clone(), at: None });
        RemoteOrder {
            history: steps.collect(),
            ..RemoteOrder::new("17".parse().expect("valid"), status)
        }
    }

    #[test]
    fn the_history_since_the_last_publication_tells_the_reason() {
        use Status::{Downloaded, LabReview, Milling, Modeling, Ready, Scanning};
        let modeled = order(LabReview, &[Ready, Downloaded, Modeling, LabReview]);
        assert_eq!(reason_for_next(&modeled, 1, None, false), Reason::AfterModeling);
        let rescanned = order(Ready, &[Ready, Downloaded, Scanning, Ready]);
        assert_eq!(reason_for_next(&rescanned, 1, None, false), Reason::Rescan);
        let milled = order(LabReview, &[Ready, Downloaded, Milling, LabReview]);
        assert_eq!(reason_for_next(&milled, 2, None, false), Reason::Interpretation2);
        // A modeling step before the last publication no longer explains anything.
        assert_eq!(reason_for_next(&modeled, 4, None, false), Reason::FilesChanged);
        assert_eq!(reason_for_next(&modeled, 4, None, true), Reason::Refetch);
    }

    #[test]
    fn without_a_history_what_was_seen_of_the_order_decides() {
        let ready = order(Status::Ready, &[]);
        let reason = |away: Status| reason_for_next(&ready, 0, Some(&away), false);
        assert_eq!(reason(Status::Scanning), Reason::Rescan);
        assert_eq!(reason(Status::Modeling), Reason::AfterModeling);
        assert_eq!(reason(Status::Milling), Reason::Interpretation2);
        assert_eq!(
            reason_for_next(&order(Status::LabReview, &[]), 0, None, false),
            Reason::AfterModeling
        );
        assert_eq!(
            reason_for_next(&order(Status::Ready, &[]), 0, None, false),
            Reason::FilesChanged
        );
    }
}
