//! One stretch of work: how it begins, what it works with, why it ends, what it leaves.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::task::TaskTracker;

use crate::engine::Engine;
use crate::execute::Executor;
use crate::execute::holds::Unsettled;
use crate::journal::{Store, StoreError, StoreTrouble};
use crate::model::fault::Fault;
use crate::model::ids::{LabName, OrderKey};

/// Decides from the journal whether an agent's work is done.
pub type IsDone = Box<dyn FnMut(&Store) -> Result<bool, StoreError> + Send>;

/// When an agent ends on its own.
pub enum Ending {
    /// Never; only when told to.
    Never,
    /// After one pass: every lab polled if that is allowed, and everything done that can be done
    /// now.
    AfterOnePass,
    /// As soon as this returns true; checked whenever nothing is in flight.
    When(IsDone),
}

/// Why the agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    Done,
    /// It was told to stop.
    Stopped,
}

/// The state of the orders and labs when the agent ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub published: usize,
    /// Waiting for their turn or for Align.
    pub waiting: usize,
    /// Held back because they are incomplete.
    pub held: usize,
    /// Failing, with the reason: retried, or in need of attention.
    pub failing: Vec<(OrderKey, String)>,
    /// Labs that cannot work until someone logs in or pairs them.
    pub login_needed: Vec<LabName>,
    /// Labs whose last call to Align failed for another reason.
    pub unreachable: Vec<LabName>,
    /// Labs that are paused until someone resumes them.
    pub paused: Vec<LabName>,
    /// Labs that were not polled because Align was polled too recently, with the remaining wait.
    pub not_polled: Vec<(LabName, Duration)>,
    /// Orders whose work did not reach a safe point in time. The next start continues them.
    pub stragglers: Vec<OrderKey>,
}

/// Why an agent cannot work.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another agent holds the state folder or the output.
    #[error("another agent is running on {0}")]
    AnotherAgent(String),
    /// A fault of the disk.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The journal cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A damaged journal cannot be set aside.
    #[error(transparent)]
    Aside(Fault),
}

impl From<Unsettled> for OpenError {
    fn from(error: Unsettled) -> Self {
        match error {
            Unsettled::Disk(fault) => Self::Fault(fault),
            Unsettled::Store(error) => Self::Store(error),
        }
    }
}

impl OpenError {
    /// Whether it may pass on its own, so that a starting agent has reason to wait.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::AnotherAgent(_) | Self::Fault(_) => false,
            Self::Aside(_) => true,
            Self::Store(error) => {
                !matches!(error.kind(), StoreTrouble::Newer | StoreTrouble::Forbidden)
            }
        }
    }
}

/// How an agent gets to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    /// The process has just started: what needs a user's decision is an error.
    pub(super) first: bool,
    /// How many times in a row the journal looked sound but turned out to be damaged.
    pub(super) suspicions: u32,
    /// Whether a damaged journal may be replaced now.
    pub(super) may_rebuild: bool,
}

/// One stretch of work, from its start to its end or the next journal fault.
pub(super) struct WorkSession {
    pub(super) engine: Engine,
    pub(super) executor: Arc<Executor>,
    /// Why the output is closed, if it is.
    pub(super) waits: Option<Fault>,
    pub(super) began: Instant,
    /// The effects that are being carried out.
    pub(super) effects: TaskTracker,
}

/// Why work cannot simply continue.
pub(super) enum Interruption {
    /// The journal failed, or could not be reopened.
    Failed(Box<OpenError>),
    /// Output, staging or journal appeared or disappeared: everything must be checked again.
    Changed,
}

impl From<StoreError> for Interruption {
    fn from(error: StoreError) -> Self {
        Self::Failed(Box::new(error.into()))
    }
}

/// Waits for `what`; `None` if told to stop first.
pub(super) async fn waits<T>(
    stop: &mut Pin<&mut impl Future<Output = ()>>,
    what: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        biased;
        () = stop.as_mut() => None,
        done = what => Some(done),
    }
}
