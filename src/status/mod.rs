//! How the agent stands: what is being transferred right now, and the whole picture for people, for
//! programs and for the page.

pub mod health;
mod progress;
mod reasons;
mod report;
#[cfg(test)]
pub(crate) mod testing;
mod words;

pub use health::{Health, health, is_live};
pub use progress::{Progress, Transfer};
pub use reasons::{Code, Figure, Reason, Severity};
pub use report::{
    AgentStatus, DownloadPause, FailingOrder, LabState, LabStatus, Note, NotificationsStatus,
    PauseStatus, RunningDownload, Status, UpdateStatus, Verdict, VolumeStatus, Wish, WishKind,
};
