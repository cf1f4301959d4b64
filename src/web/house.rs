//! What the page needs of the rest of the agent.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::audit::Record;
use crate::config::InForce;
use crate::disk::ReadFile;
use crate::model::fault::Fault;
use crate::model::ids::OrderKey;
use crate::model::listing::{OrderPage, OrderQuery};
use crate::model::manifest::{Manifest, ManifestFile};
use crate::model::record::{OrderRecord, Place};
use crate::model::request::{Desk, Outcome};
use crate::model::time::WallMs;
use crate::status::{Health, Status, Transfer};

/// The agent, as the page sees it. Calls block.
///
/// # Errors
/// Whatever can fail says what keeps it from answering now, such as a journal that cannot be read.
pub trait House: Desk + 'static {
    /// How things stand.
    fn status(&self) -> Status;

    /// What is being transferred right now.
    fn transfers(&self) -> BTreeMap<OrderKey, Transfer>;

    /// A page of the orders.
    fn orders(&self, query: &OrderQuery) -> Result<OrderPage, Fault>;

    /// One order with its story; `None` if there is no such order.
    fn order(&self, key: &OrderKey) -> Result<Option<OrderView>, Fault>;

    /// The last lines of all stories, the newest first.
    fn news(&self, limit: usize) -> Result<Vec<StoryLine>, Fault>;

    /// A file of a published revision; `None` if its manifest lists no such file, or it is gone.
    fn file(&self, key: &OrderKey, revision: u32, path: &str) -> Result<Option<OrderFile>, Fault>;

    /// The patient's name as the prescription of the newest revision has it. It is read now and kept
    /// nowhere.
    fn patient(&self, key: &OrderKey) -> Option<String>;

    /// The answers to the last command files, the newest first.
    fn receipts(&self, limit: usize) -> Result<Vec<ReceiptView>, Fault>;

    /// The command folder, if there is one.
    fn command_folder(&self) -> Option<PathBuf>;

    /// The last records of the audit, the newest first.
    fn audit(&self, limit: usize) -> Result<Vec<Record>, Fault>;

    /// Every key of the config in force.
    fn settings(&self) -> Vec<InForce>;

    /// The last lines of the log, the newest first.
    fn log(&self, query: &LogQuery) -> Vec<LogLine>;

    /// How far the set-up of this PC has come.
    fn setup(&self) -> Result<Setup, Fault>;

    /// Remembers that a person is done with a step of the set-up; `Done`: with all of them.
    fn pass(&self, step: SetupStep) -> Result<(), Fault>;

    /// How things stand for a monitoring program: metrics in Prometheus' text format.
    fn metrics(&self) -> String;

    /// Whether the agent lives and is ready for its work, and why not.
    fn health(&self) -> Health;

    /// Whether the agent's loop still turns. Answers at once, whatever becomes of disk and journal.
    fn is_live(&self) -> bool;
}

/// An order and all that the journal knows of it.
#[derive(Debug, Clone)]
pub struct OrderView {
    /// What is known of it now.
    pub record: OrderRecord,
    /// Where its newest revision stands, if it was published and not removed since.
    pub folder: Option<PathBuf>,
    /// Its published revisions, the newest first.
    pub revisions: Vec<RevisionView>,
    /// What is held back of it, if anything.
    pub held: Option<HeldView>,
    /// Its story, the newest line first.
    pub story: Vec<StoryLine>,
}

/// A revision that is held back, since it is incomplete.
#[derive(Debug, Clone)]
pub struct HeldView {
    /// Its manifest.
    pub manifest: Manifest,
    /// Since when.
    pub at: WallMs,
    /// Whether somebody wants it published all the same.
    pub released: bool,
}

/// One published revision.
#[derive(Debug, Clone)]
pub struct RevisionView {
    /// What was published, and why.
    pub manifest: Manifest,
    /// SHA-256 of the manifest's bytes.
    pub manifest_sha256: String,
    /// When.
    pub at: WallMs,
    /// Where it was published.
    pub place: Place,
    /// Where it stands now: in the output, or among the replaced ones; `None` if it is gone.
    pub folder: Option<PathBuf>,
}

/// One line of an order's story.
#[derive(Debug, Clone)]
pub struct StoryLine {
    /// Of which order.
    pub key: OrderKey,
    /// When.
    pub at: WallMs,
    /// A stable word, such as `published`.
    pub kind: String,
    /// What happened, for a person.
    pub text: String,
}

/// A file of an order, to be read.
pub struct OrderFile {
    /// What the manifest says of it.
    pub file: ManifestFile,
    /// Its size in bytes now.
    pub len: u64,
    /// Its content.
    pub content: Box<dyn ReadFile>,
}

/// The answer to a command file.
#[derive(Debug, Clone)]
pub struct ReceiptView {
    /// The file's name.
    pub file: String,
    /// What was asked for, in words.
    pub asked: String,
    /// Who owned the file, as far as the system told.
    pub owner: Option<String>,
    /// When the answer stood; RFC 3339.
    pub at: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What happened.
    pub message: String,
    /// What a person can or must do next.
    pub next: Option<String>,
}

/// Which lines of the log to show.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    /// At least so grave: 1 errors, 2 warnings too, 3 what happened, 4 and 5 details.
    pub depth: u8,
    /// What must occur in the line, if anything.
    pub contains: Option<String>,
    /// So many at the most.
    pub limit: usize,
}

/// One line of the log.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// When.
    pub at: WallMs,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: &'static str,
    /// The lab, if it tells of one.
    pub lab: Option<String>,
    /// The order, if it tells of one.
    pub order: Option<String>,
    /// What it says.
    pub text: String,
}

/// The set-up of this PC, from the folder to the first order.
#[derive(Debug, Clone)]
pub struct Setup {
    /// What comes next.
    pub step: SetupStep,
    /// How it stands with each lab's login.
    pub labs: Vec<SetupLab>,
    /// The hot folder.
    pub output: PathBuf,
    /// Whether another one may be chosen; if not, why, and what to do instead.
    pub may_choose: Result<(), (String, Option<String>)>,
    /// Folders that could be it.
    pub suggestions: Vec<PathBuf>,
    /// How it stands with the test order.
    pub test: TestView,
}

/// A step of the set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetupStep {
    /// Say where orders are written, or that the present folder is right.
    Folder,
    /// Log a lab in.
    LogIn,
    /// Say with which account the lab is paired.
    Account,
    /// Publish a test order.
    TestOrder,
    /// All is done.
    Done,
}

/// How it stands with a lab's login.
#[derive(Debug, Clone)]
pub struct SetupLab {
    /// Its name.
    pub lab: String,
    /// How far its login is.
    pub login: LoginView,
    /// What went wrong last, and what a person can do about it.
    pub trouble: Option<(String, Option<String>)>,
    /// Why nobody can wait for the browser at this moment.
    pub cannot_wait: Option<String>,
    /// The accounts to choose from, where they are known.
    pub choices: Vec<Choice>,
}

/// How far a login is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginView {
    /// Nobody is logged in, and no login was begun.
    LoggedOut,
    /// A login was begun and waits for the person with the browser.
    Waiting {
        /// The link to open.
        url: String,
        /// Until when it is good; RFC 3339.
        until: String,
        /// Whether the browser comes back to the agent. If not, the person brings the address back.
        by_itself: bool,
    },
    /// Somebody is logged in, and the lab is paired with no account.
    LoggedIn,
    /// All is done.
    Paired {
        /// The account's number, and its name if Align told one.
        account: String,
    },
}

/// An account to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its number.
    pub id: String,
    /// Its name, if Align told one.
    pub name: Option<String>,
}

/// How it stands with the test order.
#[derive(Debug, Clone)]
pub struct TestView {
    /// Where it stands, or would.
    pub folder: PathBuf,
    /// Whether it stands there now, in whole or in part.
    pub is_there: bool,
    /// What others did to it, if they did.
    pub changed: Option<String>,
    /// When one was published last; RFC 3339.
    pub last: Option<String>,
}
