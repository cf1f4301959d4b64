//! What goes into the engine and what comes out: the whole of its traffic with the world.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::local::look::LocalPicture;
use crate::local::publish::{PublishOutcome, Recovered};
use crate::local::retire::Fate;
use crate::model::asset::AssetKind;
use crate::model::fault::{Fault, FaultClass};
use crate::model::ids::{AccountId, LabName, OrderKey, RxId};
use crate::model::manifest::{Finding, Manifest, ManifestFile};
use crate::model::order::RemoteOrder;
use crate::model::record::{Intent, Place};
use crate::model::remote::ReadyList;

use crate::secrets::PairedAccount;

use super::notice::Notice;
use super::pace::Arrived;

/// Something happened.
#[derive(Debug)]
pub enum Input {
    /// Time passed, or somebody may have put a request into the journal.
    Tick,
    /// The same, and what the running downloads have brought by now. Those that wait for an answer are
    /// not among them.
    Progress(BTreeMap<OrderKey, Arrived>),
    /// Answer to [`Effect::Prove`].
    Proved {
        /// Which lab.
        lab: LabName,
        /// Whether Align accepted its login.
        result: Result<(), Fault>,
    },
    /// Answer to [`Effect::Connect`].
    Connected {
        /// Which lab.
        lab: LabName,
        /// The account that its login is paired with.
        result: Result<PairedAccount, Fault>,
    },
    /// Answer to [`Effect::Poll`].
    Polled {
        /// Which lab.
        lab: LabName,
        /// The account that was asked.
        account: AccountId,
        /// What is ready.
        result: Result<ReadyList, Fault>,
    },
    /// Answer to [`Effect::Ask`].
    Answered {
        /// Which lab.
        lab: LabName,
        /// Its account.
        account: AccountId,
        /// Which prescription was asked about.
        rx: RxId,
        /// What Align says of its order.
        result: Result<RemoteOrder, Fault>,
    },
    /// Answer to [`Effect::Look`].
    Looked {
        /// Which order.
        key: OrderKey,
        /// What stands at its path, and how much room there is.
        result: Result<Seen, Fault>,
    },
    /// Answer to [`Effect::Fetch`] and [`Effect::FetchExtras`].
    Fetched {
        /// Which order.
        key: OrderKey,
        /// What lies in staging now.
        result: Result<Fetched, Fault>,
    },
    /// Answer to [`Effect::Publish`].
    Published {
        /// Which order.
        key: OrderKey,
        /// How it went.
        result: Result<PublishOutcome, Fault>,
    },
    /// Answer to [`Effect::Hold`].
    Held {
        /// Which order.
        key: OrderKey,
        /// Whether it is kept safely now.
        result: Result<(), Fault>,
    },
    /// Answer to [`Effect::Recover`].
    Recovered {
        /// Which order.
        key: OrderKey,
        /// How far the interrupted publication had come.
        result: Result<Recovered, Fault>,
        /// The manifest of what is staged, where it is whole and the journal has stand-ins for names.
        staged: Option<Box<Manifest>>,
    },
    /// Answer to [`Effect::DropHeld`].
    HeldDropped {
        /// Whose it was.
        key: OrderKey,
        /// Its name below the staging's `held`.
        dir: String,
        /// Whether it is gone.
        done: bool,
    },
    /// Answer to [`Effect::Discard`].
    Discarded {
        /// Which order.
        key: OrderKey,
    },
    /// Answer to [`Effect::Retire`].
    Retired {
        /// Which order.
        key: OrderKey,
        /// What became of it.
        result: Result<Retirement, Fault>,
    },
    /// Answer to [`Effect::Forget`].
    Forgotten {
        /// Of which order.
        key: OrderKey,
        /// Which revision.
        revision: u32,
        /// What became of it.
        result: Result<Fate, Fault>,
    },
    /// Begin nothing new.
    Stop,
}

/// Something to do. Whoever does it answers with the matching [`Input`], also on failure.
#[derive(Debug)]
pub enum Effect {
    /// Find out which account the lab's login is paired with; pair it if the config says so.
    Connect {
        /// Which lab.
        lab: LabName,
    },
    /// Find out whether Align accepts the lab's login, by a call that is about nothing else.
    Prove {
        /// Which lab.
        lab: LabName,
    },
    /// Ask Align for the ready orders.
    Poll {
        /// Which lab.
        lab: LabName,
        /// Its account; the 120-second rule was checked and noted for it.
        account: AccountId,
    },
    /// Ask Align about the one order of a prescription.
    Ask {
        /// Which lab.
        lab: LabName,
        /// Its account.
        account: AccountId,
        /// Which prescription.
        rx: RxId,
    },
    /// Compare what stands at the order's path with what was put there.
    Look {
        /// Which order.
        key: OrderKey,
        /// What was put there, if anything.
        expected: Option<Box<Standing>>,
        /// What is held back and is to be published: the name of its directory below the staging's
        /// `held`.
        held: Option<String>,
    },
    /// Download the order and unpack it into staging.
    Fetch(Box<FetchJob>),
    /// End an order's download, so that others can begin. The download answers, this does not.
    GiveUp {
        /// Which order.
        key: OrderKey,
    },
    /// Ask for what a published order still lacks, and put the next revision together in staging if
    /// any of it comes. The answer is [`Input::Fetched`]: with the published files and no others if
    /// nothing came; then nothing is in staging.
    FetchExtras(Box<ExtrasJob>),
    /// Make a staged order visible.
    Publish(Box<PublishJob>),
    /// Keep a staged order safely, out of everybody's sight.
    Hold(Box<HoldJob>),
    /// Remove what is held back no more. Nobody needs its place; what is left is removed later, or at the
    /// next start.
    DropHeld {
        /// Whose it was.
        key: OrderKey,
        /// Its name below the staging's `held`.
        dir: String,
    },
    /// Find out how far an interrupted publication had come.
    Recover(Box<PublishJob>),
    /// Remove a staged directory that is not needed. Whether it worked does not matter: whoever
    /// needs the place next clears it first.
    Discard {
        /// Whose it is. The order's next piece of work begins after the answer, at the same place.
        key: OrderKey,
        /// Its name below the staging's `work`.
        job: String,
        /// Whether the order is taken care of. If not, it is fetched again.
        done: bool,
    },
    /// Remove a published order that is old enough from the output: what stands there unchanged.
    Retire(Box<RetireJob>),
    /// Remove a replaced revision that is old enough from history.
    Forget(Box<ForgetJob>),
    /// Tell people. No answer.
    Tell(Notice),
}

/// One order to remove from the output.
#[derive(Debug, Clone)]
pub struct RetireJob {
    /// Which order.
    pub key: OrderKey,
    /// Every revision of it that may stand in the output.
    pub pieces: Vec<(Place, Standing)>,
}

/// What became of an order that was to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retirement {
    /// The revisions that were removed.
    pub removed: Vec<u32>,
    /// What was left alone, each with why.
    pub left: Vec<String>,
}

/// One replaced revision to remove from history.
#[derive(Debug, Clone)]
pub struct ForgetJob {
    /// Of which order.
    pub key: OrderKey,
    /// Which revision.
    pub old: Standing,
}

/// What a look brought.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What stands at the order's path.
    pub local: LocalPicture,
    /// Bytes that can still be written on the volume of output and staging.
    pub free: u64,
    /// The manifest of what is held back, where it was asked for and is there.
    pub held: Option<Box<Manifest>>,
}

/// What we put at an order's path.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its manifest.
    pub manifest: Manifest,
    /// SHA-256 of the manifest's bytes.
    pub manifest_sha256: String,
}

/// One download.
#[derive(Debug, Clone)]
pub struct FetchJob {
    /// Which order.
    pub key: OrderKey,
    /// What Align said of it; decides about the format.
    pub remote: RemoteOrder,
    /// The name of the directory for it below the staging's `work`.
    pub job: String,
    /// How often it came broken since the last success or news.
    pub damaged: u32,
}

/// One look for what a published order still lacks.
#[derive(Debug, Clone)]
pub struct ExtrasJob {
    /// Which order.
    pub key: OrderKey,
    /// What Align said of it; decides about the format.
    pub remote: RemoteOrder,
    /// The name of the directory for it below the staging's `work`.
    pub job: String,
    /// What to ask for.
    pub kinds: Vec<AssetKind>,
    /// The published revision, whose files the next one holds too; or the one that is held back.
    pub published: Manifest,
    /// The name of the latter's directory below the staging's `held`.
    pub held: Option<String>,
}

/// One order to hold back.
#[derive(Debug, Clone)]
pub struct HoldJob {
    /// Which order.
    pub key: OrderKey,
    /// Its manifest.
    pub manifest: Manifest,
    /// The name of the directory below the staging's `work` in which it lies.
    pub job: String,
    /// The name of the directory below the staging's `held` in which it is kept.
    pub dir: String,
}

/// An extra that did not come, or not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// Which one.
    pub kind: AssetKind,
    /// What went wrong; `None` if there was no time to ask.
    pub why: Option<FaultClass>,
    /// How long the server asked us to wait.
    pub retry_after: Option<Duration>,
}

/// What a download brought.
#[derive(Debug, Clone, Default)]
pub struct Fetched {
    /// The files in the staged directory.
    pub files: Vec<ManifestFile>,
    /// Archive members that were left out.
    pub left_out: Vec<String>,
    /// What was asked for and is not there, or not whole.
    pub missing: Vec<String>,
    /// The same, with why.
    pub lacking: Vec<Lacking>,
    /// What a person may want to know of them.
    pub findings: Vec<Finding>,
    /// The package's `ETag`.
    pub etag: Option<String>,
    /// The hosts that answered for it, each once: those of the package first.
    pub hosts: Vec<String>,
}

impl Fetched {
    /// Notes who answered.
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
    /// What is published where.
    pub intent: Intent,
    /// What stands at the order's path and is replaced.
    pub replaces: Option<Standing>,
}
