//! The engine's inputs and effects: everything it exchanges with the outside world.

use std::collections::BTreeMap;
use std::time::Duration;

use casedrop_model::asset::AssetKind;
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::ids::{AccountId, LabName, OrderKey, RxId};
use casedrop_model::local::Fate;
use casedrop_model::local::LocalPicture;
use casedrop_model::local::{PublishOutcome, Recovered};
use casedrop_model::manifest::{Finding, Manifest, ManifestFile};
use casedrop_model::order::RemoteOrder;
use casedrop_model::prescription::Prescription;
use casedrop_model::record::{Intent, Place};
use casedrop_model::remote::ReadyList;

use casedrop_model::remote::PairedAccount;

use super::pace::Arrived;
use casedrop_model::notice::Notice;

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// Time passed, or a request may have been put into the journal.
    Tick,
    /// Like [`Input::Tick`], with what the running downloads have received so far. Downloads still
    /// waiting for a response are not included.
    Progress(BTreeMap<OrderKey, Arrived>),
    /// Answer to [`Effect::Prove`].
    Proved {
        lab: LabName,
        /// Whether Align accepts its login.
        result: Result<(), Fault>,
    },
    /// Answer to [`Effect::Connect`].
    Connected {
        lab: LabName,
        /// The account the login is paired with.
        result: Result<PairedAccount, Fault>,
    },
    /// Answer to [`Effect::Poll`].
    Polled {
        lab: LabName,
        /// The account that was polled.
        account: AccountId,
        result: Result<ReadyList, Fault>,
    },
    /// Answer to [`Effect::Ask`].
    Answered {
        lab: LabName,
        account: AccountId,
        /// The prescription asked about.
        rx: RxId,
        /// What Align says about its order.
        result: Result<RemoteOrder, Fault>,
    },
    /// Answer to [`Effect::Look`].
    Looked {
        key: OrderKey,
        /// What is at its path, and how much space is left.
        result: Result<Seen, Fault>,
    },
    /// Answer to [`Effect::Fetch`] and [`Effect::FetchExtras`].
    Fetched {
        key: OrderKey,
        /// What is now in staging.
        result: Result<Fetched, Fault>,
    },
    /// Answer to [`Effect::Publish`].
    Published {
        key: OrderKey,
        /// How the publication went.
        result: Result<PublishOutcome, Fault>,
    },
    /// Answer to [`Effect::Hold`].
    Held {
        key: OrderKey,
        /// Whether it is now stored safely.
        result: Result<(), Fault>,
    },
    /// Answer to [`Effect::Recover`].
    Recovered {
        key: OrderKey,
        /// How far the interrupted publication got.
        result: Result<Recovered, Fault>,
        /// The manifest of what is staged, if that is complete and the journal has placeholders for
        /// file names.
        staged: Option<Box<Manifest>>,
    },
    /// Answer to [`Effect::DropHeld`].
    HeldDropped {
        key: OrderKey,
        /// Name of its directory below the staging's `held`.
        dir: String,
        /// Whether it is gone.
        done: bool,
    },
    /// Answer to [`Effect::Discard`].
    Discarded {
        /// The order whose staged directory was removed.
        key: OrderKey,
    },
    /// Answer to [`Effect::Retire`].
    Retired {
        key: OrderKey,
        /// What was removed and what was left alone.
        result: Result<Retirement, Fault>,
    },
    /// Answer to [`Effect::Forget`].
    Forgotten {
        key: OrderKey,
        revision: u32,
        /// What became of the revision.
        result: Result<Fate, Fault>,
    },
    /// Start nothing new.
    Stop,
}

/// Something to do. The caller answers with the matching [`Input`], on failure too.
#[derive(Debug)]
pub enum Effect {
    /// Find out which account the lab's login is paired with; pair it if the config says so.
    Connect {
        /// The lab whose login to look up.
        lab: LabName,
    },
    /// Check whether Align accepts the lab's login, with a call that concerns nothing else.
    Prove {
        /// The lab whose login to test.
        lab: LabName,
    },
    /// Ask Align for the ready orders.
    Poll {
        lab: LabName,
        /// The lab's account; the 120-second rule has already been checked and recorded for it.
        account: AccountId,
    },
    /// Ask Align about the one order of a prescription.
    Ask {
        lab: LabName,
        /// The lab's account.
        account: AccountId,
        rx: RxId,
    },
    /// Compare what is at the order's path with what we put there.
    Look {
        key: OrderKey,
        /// What we put there, if anything.
        expected: Option<Box<Standing>>,
        /// For a held-back revision that is to be published: the name of its directory below the
        /// staging's `held`.
        held: Option<String>,
    },
    /// Download the order and unpack it into staging.
    Fetch(Box<FetchJob>),
    /// Abort an order's download so that others can start. The download answers; this effect does
    /// not.
    GiveUp {
        /// The order being downloaded.
        key: OrderKey,
    },
    /// Ask for the extras a published order still lacks, and assemble the next revision in staging
    /// if any of them arrive. Answered by [`Input::Fetched`]. If nothing arrived, that holds just
    /// the published files, and staging is left empty.
    FetchExtras(Box<ExtrasJob>),
    /// Make a staged order visible.
    Publish(Box<PublishJob>),
    /// Store a staged order safely, where no one sees it.
    Hold(Box<HoldJob>),
    /// Remove a directory that is no longer held back. Nothing needs its place; whatever is left is
    /// removed later, or at the next start.
    DropHeld {
        key: OrderKey,
        /// Name of its directory below the staging's `held`.
        dir: String,
    },
    /// Find out how far an interrupted publication got.
    Recover(Box<PublishJob>),
    /// Remove a staged directory that is not needed. Failure does not matter: the next user of the
    /// place clears it first.
    Discard {
        /// The order it belongs to. The order's next job starts after the answer, in the same
        /// place.
        key: OrderKey,
        /// Name of its directory below the staging's `work`.
        job: String,
        /// Whether the order is taken care of. If not, it is fetched again.
        done: bool,
    },
    /// Remove a published order that is old enough from the output, as far as it is unchanged
    /// there.
    Retire(Box<RetireJob>),
    /// Remove a replaced revision that is old enough from history.
    Forget(Box<ForgetJob>),
    /// Tell the user. Not answered.
    Tell(Notice),
}

/// One order to remove from the output.
#[derive(Debug, Clone)]
pub struct RetireJob {
    pub key: OrderKey,
    /// Every revision of it that may be in the output.
    pub pieces: Vec<(Place, Standing)>,
}

/// What became of an order that was to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retirement {
    /// Revision numbers that were removed.
    pub removed: Vec<u32>,
    /// What was left alone, each with the reason.
    pub left: Vec<String>,
}

/// One replaced revision to remove from history.
#[derive(Debug, Clone)]
pub struct ForgetJob {
    pub key: OrderKey,
    pub old: Standing,
}

/// What a look at the disk found.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What is at the order's path.
    pub local: LocalPicture,
    /// Bytes that can still be written on the volume of output and staging.
    pub free: u64,
    /// The manifest of the held-back revision, if it was asked for and is there.
    pub held: Option<Box<Manifest>>,
}

/// What we put at an order's path.
#[derive(Debug, Clone)]
pub struct Standing {
    pub manifest: Manifest,
    /// SHA-256 of the manifest's bytes.
    pub manifest_sha256: String,
}

/// One download.
#[derive(Debug, Clone)]
pub struct FetchJob {
    pub key: OrderKey,
    /// What Align said about it; determines the format.
    pub remote: RemoteOrder,
    /// Name of its directory below the staging's `work`.
    pub job: String,
    /// How often it arrived damaged since the last success or sign of change.
    pub damaged: u32,
}

/// One attempt to get the extras a published order still lacks.
#[derive(Debug, Clone)]
pub struct ExtrasJob {
    pub key: OrderKey,
    /// What Align said about it; determines the format.
    pub remote: RemoteOrder,
    /// Name of its directory below the staging's `work`.
    pub job: String,
    /// The extras to ask for.
    pub kinds: Vec<AssetKind>,
    /// The published or held-back revision; its files become part of the next one.
    pub published: Manifest,
    /// For a held-back revision: the name of its directory below the staging's `held`.
    pub held: Option<String>,
}

/// One order to hold back.
#[derive(Debug, Clone)]
pub struct HoldJob {
    pub key: OrderKey,
    pub manifest: Manifest,
    /// Name of the directory below the staging's `work` that it is in.
    pub job: String,
    /// Name of the directory below the staging's `held` that it is moved to.
    pub dir: String,
}

/// An extra that did not arrive, or only in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    pub kind: AssetKind,
    /// What went wrong; `None` if there was no time to ask.
    pub why: Option<FaultClass>,
    /// How long the server asked us to wait.
    pub retry_after: Option<Duration>,
}

/// The result of a download.
#[derive(Debug, Clone, Default)]
pub struct Fetched {
    /// The files in the staged directory.
    pub files: Vec<ManifestFile>,
    /// Archive members that were left out.
    pub left_out: Vec<String>,
    /// Extras that were asked for and are absent or incomplete.
    pub missing: Vec<String>,
    /// The same, with the reasons.
    pub lacking: Vec<Lacking>,
    /// What a user may want to know about the files.
    pub findings: Vec<Finding>,
    /// What the files say about the prescription.
    pub prescription: Prescription,
    pub etag: Option<String>,
    /// The hosts that served it, without duplicates, the package's first.
    pub hosts: Vec<String>,
}

impl Fetched {
    /// Adds the hosts that answered.
    pub fn answered_by(&mut self, hosts: &[String]) {
        for host in hosts {
            if !self.hosts.contains(host) {
                self.hosts.push(host.clone());
            }
        }
    }
}

/// One publication.
#[derive(Debug, Clone)]
pub struct PublishJob {
    /// What to publish, and where.
    pub intent: Intent,
    /// What is at the order's path and gets replaced.
    pub replaces: Option<Standing>,
}
