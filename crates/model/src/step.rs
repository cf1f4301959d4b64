//! Named steps of all durable work, for tests that kill the process exactly there.
//!
//! Each step is one moment: everything before it is done, and what it names is about to be done
//! (or, if its name says so, was just done). Tests hook into it; in the product nothing happens.

/// Defines the enum together with its lists and names, so a new step is in all of them, and the
/// compiler then asks the tests how they reach it (`tests/e2e/crash.rs`).
macro_rules! steps {
    ($($group:ident, $about:literal {
        $($(#[doc = $doc:literal])+ $step:ident = $word:literal,)+
    })+) => {
        /// A moment in the work on an order at which the process may die. Covers fetching,
        /// publishing, replacing, history, recovery, removal and the journal. Other kinds of
        /// durable work (receipts) get their own groups of steps here too.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Step {
            $($($(#[doc = $doc])+ $step,)+)+
        }

        impl Step {
            $(#[doc = $about] pub const $group: &'static [Self] = &[$(Self::$step,)+];)+

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
        /// The package is about to be requested.
        FetchAsked = "fetch-asked",
        /// The answer has arrived: from here on, Align counts the order as downloaded. No byte is
        /// on disk.
        FetchAnswered = "fetch-answered",
        /// An earlier attempt's bytes are gone, and what the new ones belong to is durable; none of
        /// them is on disk.
        SpoolBegun = "spool-begun",
        /// The first bytes are in the spool; more follow.
        SpoolFirstChunk = "spool-first-chunk",
        /// The spool is complete; nothing is unpacked.
        SpoolComplete = "spool-complete",
        /// The package is unpacked and its spool is gone.
        Unpacked = "unpacked",
        /// The package is described, and the parts from separate calls are there too.
        ExtrasTaken = "extras-taken",
        /// The order is complete in staging; the journal does not know.
        Staged = "staged",
    }
    LATE, "The steps of bringing what a published order lacked, in the order in which they come." {
        /// The missing parts are about to be requested.
        LateAsked = "late-asked",
        /// Some have arrived, and the files of the published revision are copied next to them.
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
        /// The target is checked once more.
        Look = "look",
        /// The directories of the lab and the account are created.
        MakeParent = "make-parent",
        /// An empty directory at the target is removed.
        ClearEmpty = "clear-empty",
        /// The new and old revisions are swapped in one step.
        Exchange = "exchange",
        /// The directory for the order's replaced revisions is created.
        MakeHistory = "make-history",
        /// After a swap: the old revision moves from staging to history.
        OldToHistory = "old-to-history",
        /// If swapping is not supported: the old revision moves from the target to history.
        MoveAside = "move-aside",
        /// The new revision moves to the target.
        MoveIn = "move-in",
        /// The target's directory is synced.
        SyncTarget = "sync-target",
        /// Staging and history are synced.
        SyncStaging = "sync-staging",
        /// Everything is durable; the outcome is reported.
        Report = "report",
    }
    HOLDING, "The steps of holding an incomplete order back, with their records." {
        /// It is complete and sealed in staging, and about to be moved to where it is kept.
        HoldMove = "hold-move",
        /// It was moved; the directories are not synced.
        HoldMoved = "hold-moved",
        /// It is kept durably; the journal does not know.
        HoldDurable = "hold-durable",
        /// Record: an order is held back.
        JournalHeld = "journal-held",
        /// The record is durable.
        JournalHeldDurable = "journal-held-durable",
        /// Record: a user wants it published anyway.
        JournalReleased = "journal-released",
        /// The record is durable.
        JournalReleasedDurable = "journal-released-durable",
        /// What is held back was compared with its manifest and is about to get the manifest of its
        /// publication.
        HoldReseal = "hold-reseal",
        /// A newer revision replaced what was held back, which is about to be removed.
        HoldDrop = "hold-drop",
    }
    RECOVERING, "The steps that only a start after a crash takes." {
        /// A leftover in staging is removed.
        Sweep = "sweep",
        /// Recovery is about to find out how far an interrupted publication got, and finish it.
        Recover = "recover",
        /// The new revision is lost: the old one, which was moved aside, goes back to its place.
        PutBack = "put-back",
        /// The interrupted publication is recovered as far as possible; the journal does not know.
        Recovered = "recovered",
    }
    KEEPING, "The steps of removing what is old enough, with their records." {
        /// Record: an order is about to be removed.
        JournalRetiring = "journal-retiring",
        /// The record is durable; nothing is moved.
        JournalRetiringDurable = "journal-retiring-durable",
        /// The removal is in the audit log; the order is about to be moved out of the output.
        RetireMove = "retire-move",
        /// It was moved; the directories are not synced.
        RetireMoved = "retire-moved",
        /// The move is durable; its files are about to be removed.
        RetireRemove = "retire-remove",
        /// Its files are gone; neither the audit log nor the journal knows.
        RetireDone = "retire-done",
        /// Record: an order was removed.
        JournalRetired = "journal-retired",
        /// The record is durable.
        JournalRetiredDurable = "journal-retired-durable",
        /// At startup: what was moved out of the output is about to be removed.
        Reclaim = "reclaim",
        /// The removal is in the audit log; a replaced revision is about to be removed from
        /// history.
        ForgetRemove = "forget-remove",
        /// It is gone; neither the audit log nor the journal knows.
        ForgetDone = "forget-done",
        /// Record: a replaced revision was removed.
        JournalForgotten = "journal-forgotten",
        /// The record is durable.
        JournalForgottenDurable = "journal-forgotten-durable",
    }
    JOURNAL, "The durable records, each before it is made and after." {
        /// The time of a poll, before it is sent.
        JournalPoll = "journal-poll",
        /// The record is durable.
        JournalPollDurable = "journal-poll-durable",
        /// The time of a poll's answer.
        JournalAnswer = "journal-answer",
        /// The record is durable; the content of the answer is not.
        JournalAnswerDurable = "journal-answer-durable",
        /// A list that names orders to fetch.
        JournalSeen = "journal-seen",
        /// The record is durable.
        JournalSeenDurable = "journal-seen-durable",
        /// A request from another process is taken.
        JournalTaken = "journal-taken",
        /// The record is durable.
        JournalTakenDurable = "journal-taken-durable",
        /// A fetch begins.
        JournalFetching = "journal-fetching",
        /// The record is durable.
        JournalFetchingDurable = "journal-fetching-durable",
        /// An attempt failed.
        JournalFailed = "journal-failed",
        /// The record is durable.
        JournalFailedDurable = "journal-failed-durable",
        /// What is about to be published, and where.
        JournalIntent = "journal-intent",
        /// The record is durable.
        JournalIntentDurable = "journal-intent-durable",
        /// An intent that came to nothing is forgotten.
        JournalDropped = "journal-dropped",
        /// The record is durable.
        JournalDroppedDurable = "journal-dropped-durable",
        /// A publication is in place, durably.
        JournalPublished = "journal-published",
        /// The record is durable.
        JournalPublishedDurable = "journal-published-durable",
        /// A fetch changed nothing.
        JournalUnchanged = "journal-unchanged",
        /// The record is durable.
        JournalUnchangedDurable = "journal-unchanged-durable",
    }
    NOTIFICATIONS, "The durable records of scan notifications, each before it is made and after." {
        /// What notifications name, before they are answered.
        NotifiedRecorded = "notified-recorded",
        /// The record is durable; no one has an answer yet.
        NotifiedRecordedDurable = "notified-recorded-durable",
        /// Align is to be asked about what a notification names, now or later.
        NotifiedPutOff = "notified-put-off",
        /// The record is durable.
        NotifiedPutOffDurable = "notified-put-off-durable",
        /// A notification is removed, together with what follows from it.
        NotifiedTaken = "notified-taken",
        /// The record is durable.
        NotifiedTakenDurable = "notified-taken-durable",
    }
    COMMANDS, "The steps of a command file, in the order in which they come." {
        /// A file in the command folder is about to be taken.
        CommandTake = "command-take",
        /// It is in `working`, durably.
        CommandTaken = "command-taken",
        /// Its request is about to be carried out.
        CommandServe = "command-serve",
        /// It was carried out; only the request handler knows.
        CommandServed = "command-served",
        /// Its receipt is durable in `working`, where no one looks: from here on, the answer is
        /// final.
        CommandAnswered = "command-answered",
        /// The request handler need not remember it any longer.
        CommandSettled = "command-settled",
        /// The file is in `done` or `failed`.
        CommandFiled = "command-filed",
        /// The receipt for people is next to it, the one for programs is not.
        CommandTold = "command-told",
        /// Both receipts are there.
        CommandEnded = "command-ended",
    }
    RENEWING, "The steps of a login's renewal, in the order in which they come." {
        /// That a renewal has begun is durable; nothing is sent.
        RenewalBegun = "renewal-begun",
        /// Align answered; nothing of the answer is saved.
        RenewalAnswered = "renewal-answered",
        /// The new tokens are durable; no one has used them.
        RenewalSaved = "renewal-saved",
    }
    UPDATING, "The steps of an update, in the order in which they can come." {
        /// A release is about to be downloaded.
        UpdateDownload = "update-download",
        /// Its archive is complete, matches its signature and is durable.
        UpdateDownloaded = "update-downloaded",
        /// Its program is unpacked and durable; it has not run yet.
        UpdateUnpacked = "update-unpacked",
        /// It reported its version and is about to be moved into place.
        UpdateTried = "update-tried",
        /// It is staged, durably.
        UpdateStaged = "update-staged",
        /// The journal was copied; nothing says yet that there is a trial.
        UpdateCopied = "update-copied",
        /// That there is a trial is durable; the old version still runs.
        UpdateTrial = "update-trial",
        /// That the new version is being started is durable; it has not started yet.
        UpdateCounted = "update-counted",
        /// The new version is healthy; nothing says so yet.
        UpdateHealthy = "update-healthy",
        /// It is durably the current version; the trial's record is still there.
        UpdateCurrent = "update-current",
        /// The new version failed and was stopped; nothing says so yet.
        UpdateFailed = "update-failed",
        /// That it failed is durable; the trial's record is still there.
        UpdateRefused = "update-refused",
    }
}

impl Step {
    /// Returns the step with this name.
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
