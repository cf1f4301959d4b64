//! An order as Align describes it, without the patient.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::day::Day;
use super::ids::{OrderId, RxId};

/// An order's status at Align. The texts are from the vendor's pages; they are compared
/// case-insensitively, and unknown ones are kept verbatim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Status {
    /// "Ready for Download": all files are available.
    Ready,
    /// "Lab Review": back from modeling; fetch again.
    LabReview,
    /// "iTero Modeling": at the modeler; expect a new revision.
    Modeling,
    /// "iTero Milling": a physical model is being made.
    Milling,
    /// "Scanning": with the doctor; expect a rescan.
    Scanning,
    /// "Ready to Ship".
    ReadyToShip,
    /// "Downloaded": someone fetched it. It leaves the list of ready orders but stays downloadable.
    Downloaded,
    /// "Completed".
    Completed,
    /// Any other text.
    Other(String),
}

/// Placeholder for a status that Align has not reported yet.
pub(super) const UNHEARD_OF: &str = "not told by Align";

const NAMED: [(Status, &str); 8] = [
    (Status::Ready, "Ready for Download"),
    (Status::LabReview, "Lab Review"),
    (Status::Modeling, "iTero Modeling"),
    (Status::Milling, "iTero Milling"),
    (Status::Scanning, "Scanning"),
    (Status::ReadyToShip, "Ready to Ship"),
    (Status::Downloaded, "Downloaded"),
    (Status::Completed, "Completed"),
];

impl Status {
    /// The text in the vendor's spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(text) => text,
            known => NAMED.iter().find(|(status, _)| status == known).map_or("", |(_, text)| text),
        }
    }

    /// Whether the order has left the lab and is expected back with a new revision.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Modeling | Self::Scanning | Self::Milling)
    }
}

impl From<String> for Status {
    fn from(text: String) -> Self {
        let wanted = text.trim();
        NAMED
            .iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(wanted))
            .map_or_else(|| Self::Other(wanted.to_owned()), |(status, _)| status.clone())
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        status.as_str().to_owned()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One step in an order's history at Align.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChange {
    /// The order's new status.
    pub status: Status,
    /// When it changed, as Align wrote it.
    pub at: Option<String>,
}

/// Align's description of one order. The patient's name is dropped during parsing, so it can never
/// reach the journal or the log. The doctor's name is for journal, manifest and lists of orders; it
/// gets into no log, metric, notice or receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteOrder {
    pub order_id: OrderId,
    /// The prescription, which notifications use to name the order.
    pub rx_id: Option<RxId>,
    /// Align's short code, such as `02NR8VTN`.
    pub order_code: Option<String>,
    pub status: Status,
    /// For example `iRecord`.
    pub case_type: Option<String>,
    /// For example `Orthodontic` or `Restorative`.
    pub procedure: Option<String>,
    /// The day on which the doctor needs the work.
    #[serde(default)]
    pub due_date: Option<Day>,
    /// The doctor's name.
    #[serde(default)]
    pub doctor: Option<String>,
    /// When Align last changed the order, as Align wrote it. Only compared for equality.
    pub updated_at: Option<String>,
    /// The status history, oldest first, if Align sends one.
    pub history: Vec<StatusChange>,
    /// A tag of the iDE package, if Align sends one. Only compared for equality.
    pub etag: Option<String>,
}

impl RemoteOrder {
    /// Creates an order with nothing known but its id and status.
    pub fn new(order_id: OrderId, status: Status) -> Self {
        Self {
            order_id,
            rx_id: None,
            order_code: None,
            status,
            case_type: None,
            procedure: None,
            due_date: None,
            doctor: None,
            updated_at: None,
            history: Vec::new(),
            etag: None,
        }
    }

    /// Creates an order that a user named and Align has not reported so far.
    pub fn unheard_of(order_id: OrderId) -> Self {
        Self::new(order_id, Status::Other(UNHEARD_OF.to_owned()))
    }

    /// Whether the order is orthodontic. Without a procedure, the case type decides; `iRecord`,
    /// `iCast` and the Invisalign types are orthodontic (seen in published exports).
    pub fn is_ortho(&self) -> bool {
        let lower =
            |text: &Option<String>| text.as_deref().unwrap_or_default().to_ascii_lowercase();
        let procedure = lower(&self.procedure);
        if procedure.is_empty() {
            let case_type = lower(&self.case_type);
            ["irecord", "icast", "invisalign", "ortho"].iter().any(|word| case_type.contains(word))
        } else {
            procedure.contains("ortho") || procedure.contains("invisalign")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_compared_without_case_and_unknown_ones_are_kept() {
        assert_eq!(Status::from("Ready For Download".to_owned()), Status::Ready);
        assert_eq!(Status::from(" lab review ".to_owned()), Status::LabReview);
        let odd = Status::from("Waiting for Godot".to_owned());
        assert_eq!(odd.as_str(), "Waiting for Godot");
    }
}
