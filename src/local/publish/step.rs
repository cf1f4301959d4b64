//! The named steps of a publication, for tests that stop the process exactly there.

/// A step that is about to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Sealing: the staged files are synced.
    SyncFiles,
    /// Sealing: the manifest is written.
    WriteManifest,
    /// Sealing: the staged directory is synced.
    SyncStaged,
    /// The target is looked at once more.
    Look,
    /// The lab's and the account's directories are made.
    MakeParent,
    /// An empty directory at the target is removed.
    ClearEmpty,
    /// New and old revision are exchanged in one step.
    Exchange,
    /// After an exchange: the old revision goes from staging to history.
    OldToHistory,
    /// Where there is no exchange: the old revision goes from the target to history.
    MoveAside,
    /// The new revision is moved to the target.
    MoveIn,
    /// The target's directory is synced.
    SyncTarget,
    /// Staging and history are synced.
    SyncStaging,
    /// All is durable; the outcome is reported.
    Report,
}

impl Step {
    /// All steps, in the order in which they can come.
    pub const ALL: [Self; 13] = [
        Self::SyncFiles,
        Self::WriteManifest,
        Self::SyncStaged,
        Self::Look,
        Self::MakeParent,
        Self::ClearEmpty,
        Self::Exchange,
        Self::OldToHistory,
        Self::MoveAside,
        Self::MoveIn,
        Self::SyncTarget,
        Self::SyncStaging,
        Self::Report,
    ];

    /// Its name, such as `move-in`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SyncFiles => "sync-files",
            Self::WriteManifest => "write-manifest",
            Self::SyncStaged => "sync-staged",
            Self::Look => "look",
            Self::MakeParent => "make-parent",
            Self::ClearEmpty => "clear-empty",
            Self::Exchange => "exchange",
            Self::OldToHistory => "old-to-history",
            Self::MoveAside => "move-aside",
            Self::MoveIn => "move-in",
            Self::SyncTarget => "sync-target",
            Self::SyncStaging => "sync-staging",
            Self::Report => "report",
        }
    }

    /// The step with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }
}
