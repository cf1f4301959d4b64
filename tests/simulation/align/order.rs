//! One order at the simulated Align: its state, and what its owner does with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use casedrop::model::ids::OrderKey;
use casedrop::model::order::{RemoteOrder, Status, StatusChange};

use super::content::{self, Asset, Broken, CaseKind, Shape};

/// Everything in a list entry that can show a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    status: Status,
    updated_at: Option<String>,
    etag: Option<String>,
}

/// Which signs of a change an account's answers carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tells {
    /// `updatedAt`.
    pub updated_at: bool,
    /// An `ETag` in lists.
    pub etag: bool,
    /// The status history.
    pub history: bool,
}

/// Packages by generation and by what is wrong with them.
type Made = BTreeMap<(u32, Option<Broken>), Asset>;

#[derive(Debug, Clone)]
pub struct SimOrder {
    /// Its key in the tree and in the journal.
    pub key: OrderKey,
    /// Its prescription id.
    pub rx: String,
    pub kind: CaseKind,
    /// How its packages are wrapped.
    pub shape: Shape,
    pub status: Status,
    /// Its statuses so far.
    pub history: Vec<Status>,
    /// Counts changes of any kind.
    pub updates: u32,
    /// Counts changes of the content; 0 before there is any.
    pub generation: u32,
    /// Whether it is in the list.
    pub listed: bool,
    /// When it leaves the list, in true milliseconds.
    pub unlist_at: Option<u64>,
    /// How many downloads are answered with "not converted" before the package is ready.
    pub converting: u32,
    /// The same for its pictures; `u32::MAX`: there are none.
    pub pictures_converting: u32,
    /// How many downloads are refused.
    pub refused: u32,
    /// Generations that are unusable.
    pub broken: Vec<(u32, Broken)>,
    /// The newest generation that the agent must have learned about.
    pub known: u32,
    /// What the agent was last shown.
    pub shown: Option<Look>,
    /// Whether the last list that the agent received contained it.
    pub shown_listed: bool,
    /// Number of damaged bodies that were sent.
    pub damaged: u32,
    /// Packages built so far.
    made: Arc<Mutex<Made>>,
}

impl SimOrder {
    /// An order that no one knows yet.
    pub fn new(key: OrderKey, kind: CaseKind, shape: Shape) -> Self {
        let rx = format!("9{}", key.order);
        Self {
            key,
            rx,
            kind,
            shape,
            status: Status::Scanning,
            history: Vec::new(),
            updates: 0,
            generation: 0,
            listed: false,
            unlist_at: None,
            converting: 0,
            refused: 0,
            pictures_converting: 0,
            broken: Vec::new(),
            known: 0,
            shown: None,
            shown_listed: false,
            damaged: 0,
            made: Arc::default(),
        }
    }

    /// What is wrong with a generation.
    pub fn broken(&self, generation: u32) -> Option<Broken> {
        self.broken.iter().find(|(at, _)| *at == generation).map(|(_, broken)| *broken)
    }

    /// A generation's package.
    pub fn package(&self, generation: u32) -> Asset {
        let broken = self.broken(generation);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let order = self.key.order.as_str();
        let package = || content::package(order, generation, self.kind, self.shape, broken);
        made.entry((generation, broken)).or_insert_with(package).clone()
    }

    /// The `ETag` of the package.
    pub fn etag(&self) -> String {
        format!("\"{}-{}\"", self.key.order, self.generation)
    }

    /// The order as an answer describes it.
    pub fn describe(&self, tells: Tells) -> RemoteOrder {
        let history =
            self.history.iter().map(|status| StatusChange { status: status.clone(), at: None });
        let (case_type, procedure) = match self.kind {
            CaseKind::Ortho => ("iRecord", "Orthodontic"),
            CaseKind::Restorative => ("Restorative", "Restorative"),
        };
        RemoteOrder {
            rx_id: self.rx.parse().ok(),
            case_type: Some(case_type.to_owned()),
            procedure: Some(procedure.to_owned()),
            updated_at: tells.updated_at.then(|| format!("change {}", self.updates)),
            history: if tells.history { history.collect() } else { Vec::new() },
            etag: tells.etag.then(|| self.etag()),
            ..RemoteOrder::new(self.key.order.clone(), self.status.clone())
        }
    }

    fn turn(&mut self, status: Status) {
        self.status = status.clone();
        self.history.push(status);
        self.updates += 1;
    }

    /// New content appears, and the order is listed.
    fn ready(&mut self, status: Status) {
        self.generation += 1;
        self.turn(status);
        self.listed = true;
        self.unlist_at = None;
    }

    fn away(&mut self, status: Status) {
        self.turn(status);
        self.listed = false;
        self.unlist_at = None;
    }

    /// Someone downloaded it: it leaves the list, perhaps a little later.
    pub fn downloaded(&mut self, leaves_at: u64) {
        if self.status != Status::Downloaded {
            self.turn(Status::Downloaded);
        }
        if self.listed {
            self.unlist_at = Some(leaves_at);
        }
    }

    /// Applies what is due.
    pub fn pass(&mut self, now: u64) {
        if self.unlist_at.is_some_and(|at| at <= now) {
            self.listed = false;
            self.unlist_at = None;
        }
    }
}

/// What can happen to an order at Align.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// The doctor's scan is ready.
    FirstScan,
    SendToModeling,
    /// The modeler is done.
    ModelingCompleted,
    /// The lab asks for another scan.
    ReturnToDoctor,
    /// The other scan is ready.
    RescanCompleted,
    /// A physical model is made: only the status changes.
    PhysicalModel,
    /// The modeler takes it again.
    Interpretation2,
    /// New content, announced.
    FilesChanged,
    /// New content, not announced.
    FilesChangedSilently,
    /// Another program of the lab downloads it.
    TakenByAnother,
}

impl Flow {
    /// Whether the order's state allows it.
    pub fn fits(self, order: &SimOrder) -> bool {
        let with_lab = !order.status.is_away();
        match self {
            Self::FirstScan => order.generation == 0,
            Self::ModelingCompleted => order.status == Status::Modeling,
            Self::RescanCompleted => order.generation > 0 && order.status == Status::Scanning,
            Self::Interpretation2 => {
                matches!(order.status, Status::Downloaded | Status::LabReview | Status::Milling)
            }
            Self::TakenByAnother => order.listed,
            _ => order.generation > 0 && with_lab,
        }
    }

    /// Applies it.
    pub fn happen(self, order: &mut SimOrder) {
        match self {
            Self::FirstScan | Self::RescanCompleted | Self::FilesChanged => {
                order.ready(Status::Ready);
            }
            Self::SendToModeling => order.away(Status::Modeling),
            Self::ModelingCompleted => order.ready(Status::LabReview),
            Self::ReturnToDoctor => order.away(Status::Scanning),
            Self::PhysicalModel => {
                order.turn(Status::ReadyToShip);
                order.turn(Status::Completed);
            }
            Self::Interpretation2 if order.status == Status::Milling => {
                order.ready(Status::LabReview);
            }
            Self::Interpretation2 => order.away(Status::Milling),
            Self::FilesChangedSilently => {
                order.generation += 1;
                order.updates += 1;
            }
            Self::TakenByAnother => {
                order.downloaded(0);
                order.listed = false;
                order.unlist_at = None;
            }
        }
    }

    pub const ALL: [Self; 10] = [
        Self::FirstScan,
        Self::SendToModeling,
        Self::ModelingCompleted,
        Self::ReturnToDoctor,
        Self::RescanCompleted,
        Self::PhysicalModel,
        Self::Interpretation2,
        Self::FilesChanged,
        Self::FilesChangedSilently,
        Self::TakenByAnother,
    ];
}

impl SimOrder {
    /// The agent was shown a list with this entry. A generation counts as known once the entry
    /// looks different or is listed again.
    pub fn was_shown(&mut self, entry: &RemoteOrder, generation: u32) {
        let look = Look {
            status: entry.status.clone(),
            updated_at: entry.updated_at.clone(),
            etag: entry.etag.clone(),
        };
        if !self.shown_listed || self.shown.as_ref() != Some(&look) {
            self.known = self.known.max(generation);
        }
        self.shown = Some(look);
        self.shown_listed = true;
    }

    /// The agent was shown a list without it.
    pub fn was_not_shown(&mut self) {
        self.shown_listed = false;
    }
}
