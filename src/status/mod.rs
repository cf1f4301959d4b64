//! How the agent stands: what is being transferred right now, and the whole picture for people, for
//! programs and for the page.

mod progress;
mod report;
mod words;

pub use progress::{Progress, Transfer};
pub use report::{
    AgentStatus, FailingOrder, LabState, LabStatus, Note, NotificationsStatus, PauseStatus,
    RunningDownload, Status, UpdateStatus, Verdict, VolumeStatus,
};
