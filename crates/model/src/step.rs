//! The named steps of all durable work, for tests that end the process exactly there.
//!
//! Each step is one moment: what comes before it is done, what it names is about to be done (or, where
//! its name says so, was just done). Tests hang a hook there; in the product nothing happens.

/// Defines the enum and, from the same lines, its lists and names: whoever adds a step adds it to all
/// of them, and then the compiler asks the tests in which way they meet it (`tests/e2e/crash.rs`).
macro_rules! steps {
    ($($group:ident, $about:literal {
        $($(#[doc = $doc:literal])+ $step:ident = $word:literal,)+
    })+) => {
        /// A moment in the work on an order, at which the process may die. Fetching, publishing,
        /// replacing, history, recovery, removal and the journal have theirs here. Further kinds of
        /// durable work (receipts) get their steps here too, in a group of their own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Step {
            $($($(#[doc = $doc])+ $step,)+)+
        }

        impl Step {
            $(#[doc = $about] pub const $group: &'static [Self] = &[$(Self::$step,)+];)+

            /// All steps.
            pub const ALL: &'static [Self] = &[$($(Self::$step,)+)+];

            /// Its name, such as `move-in`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($(Self::$step => $word,)+)+
                }
            }
        }
    };
}

steps! {
    FETCHING, "The steps of a fetch, in the order in which they come." {
        /// The package is about to be asked for.
        FetchAsked = "fetch-asked",
        /// The answer has come: from here on Align counts the order as downloaded. Not a byte of it is
        /// on the disk.
        FetchAnswered = "fetch-answered",
        /// An earlier attempt's bytes are gone and what the new ones will belong to is durable; no byte
        /// of them is there.
        SpoolBegun = "spool-begun",
        /// The first bytes are in the spool; more follow.
        SpoolFirstChunk = "spool-first-chunk",
        /// The spool is complete; nothing is unpacked.
        SpoolComplete = "spool-complete",
        /// The package is unpacked and its spool is gone.
        Unpacked = "unpacked",
        /// The package is described, and what came by separate calls is there too.
        ExtrasTaken = "extras-taken",
        /// The order is complete in staging; the journal does not know.
        Staged = "staged",
    }
    LATE, "The steps of bringing what a published order lacked, in the order in which they come." {
        /// What is missing is about to be asked for.
        LateAsked = "late-asked",
        /// Some of it came, and the files of the published revision are copied beside it.
        LateCopied = "late-copied",
        /// The next revision is complete in staging; the journal does not know.
        LateStaged = "late-staged",
    }
    PUBLISHING, "The steps of sealing and publishing, in the order in which they can come." {
        /// Sealing: the staged files are synced.
        SyncFiles = "sync-files",
        /// Sealing: the manifest is written.
        WriteManifest = "write-manifest",
        /// Sealing: the staged directory is synced.
        SyncStaged = "sync-staged",
        /// The target is looked at once more.
        Look = "look",
        /// The lab's and the account's directories are made.
        MakeParent = "make-parent",
        /// An empty directory at the target is removed.
        ClearEmpty = "clear-empty",
        /// New and old revision are exchanged in one step.
        Exchange = "exchange",
        /// The directory for the order's replaced revisions is made.
        MakeHistory = "make-history",
        /// After an exchange: the old revision goes from staging to history.
        OldToHistory = "old-to-history",
        /// Where there is no exchange: the old revision goes from the target to history.
        MoveAside = "move-aside",
        /// The new revision is moved to the target.
        MoveIn = "move-in",
        /// The target's directory is synced.
        SyncTarget = "sync-target",
        /// Staging and history are synced.
        SyncStaging = "sync-staging",
        /// All is durable; the outcome is reported.
        Report = "report",
    }
    HOLDING, "The steps of holding an incomplete order back, with their records." {
        /// It is complete in staging and sealed; it is about to be moved to where it is kept.
        HoldMove = "hold-move",
        /// It was moved; the directories are not synced.
        HoldMoved = "hold-moved",
        /// It is kept, durably; the journal does not know.
        HoldDurable = "hold-durable",
        /// That an order is held back.
        JournalHeld = "journal-held",
        /// It is durable.
        JournalHeldDurable = "journal-held-durable",
        /// That somebody wants it published all the same.
        JournalReleased = "journal-released",
        /// It is durable.
        JournalReleasedDurable = "journal-released-durable",
        /// What is held back was compared with its manifest, and is about to get that of its
        /// publication.
        HoldReseal = "hold-reseal",
        /// A newer revision took the place of what was held back, which is about to be removed.
        HoldDrop = "hold-drop",
    }
    RECOVERING, "The steps that only a start after a crash takes." {
        /// A leftover in staging is removed.
        Sweep = "sweep",
        /// How far an interrupted publication came is about to be found out, and the rest of it done.
        Recover = "recover",
        /// The new revision is lost: the old one, which was moved aside, goes back to its place.
        PutBack = "put-back",
        /// What could be done for the interrupted publication is done; the journal does not know.
        Recovered = "recovered",
    }
    KEEPING, "The steps of removing what is old enough, with their records." {
        /// That an order is about to be removed.
        JournalRetiring = "journal-retiring",
        /// It is durable; nothing is moved.
        JournalRetiringDurable = "journal-retiring-durable",
        /// The audit tells of the removal; the order is about to be moved out of the output.
        RetireMove = "retire-move",
        /// It was moved; the directories are not synced.
        RetireMoved = "retire-moved",
        /// That it was moved is durable; its files are about to be removed.
        RetireRemove = "retire-remove",
        /// Its files are gone; neither audit nor journal know.
        RetireDone = "retire-done",
        /// That an order was removed.
        JournalRetired = "journal-retired",
        /// It is durable.
        JournalRetiredDurable = "journal-retired-durable",
        /// At a start: what was moved out of the output is about to be removed.
        Reclaim = "reclaim",
        /// The audit tells of the removal; a replaced revision is about to be removed from history.
        ForgetRemove = "forget-remove",
        /// It is gone; neither audit nor journal know.
        ForgetDone = "forget-done",
        /// That a replaced revision was removed.
        JournalForgotten = "journal-forgotten",
        /// It is durable.
        JournalForgottenDurable = "journal-forgotten-durable",
    }
    JOURNAL, "The durable records, each before it is made and after." {
        /// The time of a poll, before it is sent.
        JournalPoll = "journal-poll",
        /// It is durable.
        JournalPollDurable = "journal-poll-durable",
        /// The time of a poll's answer.
        JournalAnswer = "journal-answer",
        /// It is durable; what was answered is not.
        JournalAnswerDurable = "journal-answer-durable",
        /// A list that names orders to fetch.
        JournalSeen = "journal-seen",
        /// It is durable.
        JournalSeenDurable = "journal-seen-durable",
        /// A request of another process is taken.
        JournalTaken = "journal-taken",
        /// It is durable.
        JournalTakenDurable = "journal-taken-durable",
        /// A fetch begins.
        JournalFetching = "journal-fetching",
        /// It is durable.
        JournalFetchingDurable = "journal-fetching-durable",
        /// An attempt failed.
        JournalFailed = "journal-failed",
        /// It is durable.
        JournalFailedDurable = "journal-failed-durable",
        /// What is about to be published where.
        JournalIntent = "journal-intent",
        /// It is durable.
        JournalIntentDurable = "journal-intent-durable",
        /// An intent that came to nothing is forgotten.
        JournalDropped = "journal-dropped",
        /// It is durable.
        JournalDroppedDurable = "journal-dropped-durable",
        /// A publication stands, durably.
        JournalPublished = "journal-published",
        /// It is durable.
        JournalPublishedDurable = "journal-published-durable",
        /// A fetch changed nothing.
        JournalUnchanged = "journal-unchanged",
        /// It is durable.
        JournalUnchangedDurable = "journal-unchanged-durable",
    }
    NOTIFICATIONS, "The durable records of scan notifications, each before it is made and after." {
        /// What notifications name, before they are answered.
        NotifiedRecorded = "notified-recorded",
        /// It is durable; nobody has an answer.
        NotifiedRecordedDurable = "notified-recorded-durable",
        /// Align is to be asked about what a notification names, now or later.
        NotifiedPutOff = "notified-put-off",
        /// It is durable.
        NotifiedPutOffDurable = "notified-put-off-durable",
        /// A notification is taken out, with what follows from it.
        NotifiedTaken = "notified-taken",
        /// It is durable.
        NotifiedTakenDurable = "notified-taken-durable",
    }
    COMMANDS, "The steps of a command file, in the order in which they come." {
        /// A file in the command folder is about to be taken.
        CommandTake = "command-take",
        /// It lies in `working`, durably.
        CommandTaken = "command-taken",
        /// What it asks for is about to be carried out.
        CommandServe = "command-serve",
        /// It was carried out; nobody but the desk knows.
        CommandServed = "command-served",
        /// Its receipt is durable in `working`, where nobody looks: from here on the answer stands.
        CommandAnswered = "command-answered",
        /// The desk need not remember it any more.
        CommandSettled = "command-settled",
        /// The file lies in `done` or `failed`.
        CommandFiled = "command-filed",
        /// The receipt for people is beside it, the one for programs is not.
        CommandTold = "command-told",
        /// Both are.
        CommandEnded = "command-ended",
    }
    RENEWING, "The steps of a login's renewal, in the order in which they come." {
        /// That a renewal has begun is durable; nothing is sent.
        RenewalBegun = "renewal-begun",
        /// Align answered; nothing of it is saved.
        RenewalAnswered = "renewal-answered",
        /// The new tokens are durable; nobody has used them.
        RenewalSaved = "renewal-saved",
    }
    UPDATING, "The steps of an update, in the order in which they can come." {
        /// A release is about to be downloaded.
        UpdateDownload = "update-download",
        /// Its archive is whole, as signed, and durable.
        UpdateDownloaded = "update-downloaded",
        /// Its program is unpacked and durable; it did not run yet.
        UpdateUnpacked = "update-unpacked",
        /// It told its version; it is about to be moved to its place.
        UpdateTried = "update-tried",
        /// It is staged, durably.
        UpdateStaged = "update-staged",
        /// The journal was copied; nothing says yet that there is a trial.
        UpdateCopied = "update-copied",
        /// That there is a trial is durable; the old version still runs.
        UpdateTrial = "update-trial",
        /// That the new version is started is durable; it is not started yet.
        UpdateCounted = "update-counted",
        /// The new version is healthy; nothing says so yet.
        UpdateHealthy = "update-healthy",
        /// It is the current one, durably; the trial stands there still.
        UpdateCurrent = "update-current",
        /// The new version failed and was ended; nothing says so yet.
        UpdateFailed = "update-failed",
        /// That it failed is durable; the trial stands there still.
        UpdateRefused = "update-refused",
    }
}

impl Step {
    /// The step with that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|step| step.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_a_name_of_its_own() {
        for step in Step::ALL {
            assert_eq!(Step::from_name(step.as_str()), Some(*step));
            let plain = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(step.as_str().chars().all(plain), "{}", step.as_str());
        }
        assert_eq!(Step::from_name("no-such-step"), None);
    }
}
