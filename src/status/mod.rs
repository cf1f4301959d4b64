//! The agent's status: running transfers, and the full snapshot for people, programs and the status
//! page.

pub mod health;
mod reasons;
mod report;
#[cfg(test)]
pub(crate) mod testing;
mod words;

pub use crate::engine::progress::{Progress, Stage, Transfer};
pub use health::{Health, health, is_live};
pub use reasons::{Code, Figure, Reason, Severity};
pub use report::{
    AgentStatus, DownloadPause, FailingOrder, LabState, LabStatus, Note, NotificationsStatus,
    PauseStatus, RunningDownload, Status, UpdateStatus, Verdict, VolumeStatus, Wish, WishKind,
};
