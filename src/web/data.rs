//! What the page needs from the rest of the agent.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::audit::Record;
use crate::config::InForce;
use crate::disk::ReadFile;
use crate::model::fault::Fault;
use crate::model::ids::OrderKey;
use crate::model::listing::{OrderPage, OrderQuery};
use crate::model::manifest::{Manifest, ManifestFile};
use crate::model::record::{OrderRecord, Place};
use crate::model::request::{Outcome, Requests};
use crate::model::time::WallMs;
use crate::status::{Health, Status, Transfer};

/// The agent, as the page sees it. Calls block.
///
/// # Errors
/// Says what prevents an answer right now, such as a journal that cannot be read.
pub trait PageData: Requests + 'static {
    fn status(&self) -> Status;

    /// The running downloads.
    fn transfers(&self) -> BTreeMap<OrderKey, Transfer>;

    /// One page of the list of orders.
    fn orders(&self, query: &OrderQuery) -> Result<OrderPage, Fault>;

    /// One order with its history; `None` if there is no such order.
    fn order(&self, key: &OrderKey) -> Result<Option<OrderView>, Fault>;

    /// The latest lines of all histories, newest first.
    fn news(&self, limit: usize) -> Result<Vec<StoryLine>, Fault>;

    /// A file of a published revision; `None` if its manifest lists no such file, or it is gone.
    fn file(&self, key: &OrderKey, revision: u32, path: &str) -> Result<Option<OrderFile>, Fault>;

    /// The patient's name in the newest revision's prescription. It is read on demand and never
    /// stored.
    fn patient(&self, key: &OrderKey) -> Option<String>;

    /// The receipts of the latest command files, newest first.
    fn receipts(&self, limit: usize) -> Result<Vec<ReceiptView>, Fault>;

    fn command_folder(&self) -> Option<PathBuf>;

    /// The latest matching audit records, newest first.
    fn audit(&self, query: &AuditQuery) -> Result<Vec<Record>, Fault>;

    /// Every effective key of the config, with absolute paths.
    fn settings(&self) -> Vec<InForce>;

    /// The config file that is in effect, as an absolute path.
    fn config_file(&self) -> Option<PathBuf>;

    /// The latest lines of the log, newest first.
    fn log(&self, query: &LogQuery) -> Vec<LogLine>;

    /// The progress of this PC's set-up.
    fn setup(&self) -> Result<Setup, Fault>;

    /// Records that the user completed a step of the set-up; `Done`: all of them.
    fn pass(&self, step: SetupStep) -> Result<(), Fault>;

    /// The status for monitoring: metrics in Prometheus' text format.
    fn metrics(&self) -> String;

    /// Whether the agent is alive and ready, and why not.
    fn health(&self) -> Health;

    /// Whether the agent's loop still runs. Returns immediately, whatever the state of disk and
    /// journal.
    fn is_live(&self) -> bool;
}

/// An order and everything the journal knows about it.
#[derive(Debug, Clone)]
pub struct OrderView {
    pub record: OrderRecord,
    /// The folder of its newest revision, if that was published and not removed since.
    pub folder: Option<PathBuf>,
    /// Published revisions, newest first.
    pub revisions: Vec<RevisionView>,
    /// The held revision, if any.
    pub held: Option<HeldView>,
    /// The history, newest line first.
    pub story: Vec<StoryLine>,
}

impl OrderView {
    /// A revision whose files can be shown: they are still there.
    pub(super) fn at_hand(&self, revision: u32) -> Option<&Manifest> {
        let held = self.held.as_ref().map(|held| &held.manifest);
        let kept = self.revisions.iter().filter(|one| one.folder.is_some());
        let mut all = held.into_iter().chain(kept.map(|one| &one.manifest));
        all.find(|manifest| manifest.revision == revision)
    }
}

/// A revision that is held back because it is incomplete.
#[derive(Debug, Clone)]
pub struct HeldView {
    pub manifest: Manifest,
    /// When it was held back.
    pub at: WallMs,
    /// Whether a user wants it published anyway.
    pub released: bool,
}

#[derive(Debug, Clone)]
pub struct RevisionView {
    /// What was published, and why.
    pub manifest: Manifest,
    /// SHA-256 of the manifest's bytes.
    pub manifest_sha256: String,
    /// When it was published.
    pub at: WallMs,
    /// Where it was published.
    pub place: Place,
    /// Where it is now: in the output, or among the replaced ones; `None` if it is gone.
    pub folder: Option<PathBuf>,
}

/// One line of an order's history.
#[derive(Debug, Clone)]
pub struct StoryLine {
    pub key: OrderKey,
    pub at: WallMs,
    /// A stable word, such as `published`.
    pub kind: String,
    /// What happened, for people.
    pub text: String,
}

/// A file of an order, opened for reading.
pub struct OrderFile {
    /// Its entry in the manifest.
    pub file: ManifestFile,
    /// Current size in bytes.
    pub len: u64,
    pub content: Box<dyn ReadFile>,
}

/// The receipt of a command file.
#[derive(Debug, Clone)]
pub struct ReceiptView {
    /// Name of the command file.
    pub file: String,
    /// The request in words.
    pub asked: String,
    /// The file's owner, if the system named one.
    pub owner: Option<String>,
    /// When the receipt was written; RFC 3339.
    pub at: String,
    pub outcome: Outcome,
    pub message: String,
    /// What a person can or must do next.
    pub next: Option<String>,
}

/// Which audit records to show: those that match everything that is set.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Part of an order's number.
    pub order: String,
    pub lab: String,
    /// Part of a user's name, ignoring case …
    pub user: String,
    /// … or one of the ways in which something was requested, by their names in the audit.
    pub ways: Vec<&'static str>,
    /// The day on this PC.
    pub day: Option<Date>,
    pub limit: usize,
}

impl AuditQuery {
    pub fn takes(&self, record: &Record) -> bool {
        self.is_about(record) && self.is_by(record) && self.is_of_day(record)
    }

    fn is_about(&self, record: &Record) -> bool {
        let lab = self.lab.is_empty() || record.lab.as_ref() == Some(&self.lab);
        // A record about many orders lists them in its details.
        let listed = || record.details.get("orders").and_then(Value::as_array);
        let has = |text: &str| text.contains(&self.order);
        lab && (self.order.is_empty()
            || record.order.as_deref().is_some_and(has)
            || listed().into_iter().flatten().filter_map(Value::as_str).any(has))
    }

    fn is_by(&self, record: &Record) -> bool {
        let user = self.user.to_lowercase();
        let is_user = |name: &String| name.to_lowercase().contains(&user);
        user.is_empty()
            || record.user.as_ref().is_some_and(is_user)
            || self.ways.contains(&&*record.via)
    }

    fn is_of_day(&self, record: &Record) -> bool {
        self.day.is_none_or(|day| {
            let at = record.at.parse::<Timestamp>();
            at.is_ok_and(|at| at.to_zoned_datetime(TimeZone::system()).date() == day)
        })
    }
}

/// Which lines of the log to show.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    /// Maximum level: 1 errors, 2 warnings too, 3 what happened, 4 and 5 details.
    pub depth: u8,
    /// Text that the line must contain, if any.
    pub contains: Option<String>,
    pub limit: usize,
}

#[derive(Debug, Clone)]
pub struct LogLine {
    pub at: WallMs,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: &'static str,
    /// The lab that the line is about, if any.
    pub lab: Option<String>,
    /// The order that the line is about, if any.
    pub order: Option<String>,
    pub text: String,
}

/// The set-up of this PC, from the folder to the first order.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The next step.
    pub step: SetupStep,
    /// The login of each lab.
    pub labs: Vec<SetupLab>,
    pub output: PathBuf,
    /// Whether another folder may be chosen; if not, why, and what to do instead.
    pub may_choose: Result<(), (String, Option<String>)>,
    /// Candidates for the folder.
    pub suggestions: Vec<PathBuf>,
    pub test: TestView,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetupStep {
    /// Choose where orders are written, or confirm the current folder.
    Folder,
    /// Log a lab in.
    LogIn,
    /// Choose the account to pair the lab with.
    Account,
    /// Publish a test order.
    TestOrder,
    /// Everything is done.
    Done,
}

/// The state of a lab's login.
#[derive(Debug, Clone)]
pub struct SetupLab {
    pub lab: String,
    /// The progress of the login.
    pub login: LoginView,
    /// What went wrong last, and what to do about it.
    pub trouble: Option<(String, Option<String>)>,
    /// Why the agent cannot wait for the browser right now.
    pub cannot_wait: Option<String>,
    /// The accounts to choose from, if known.
    pub choices: Vec<Choice>,
}

/// The progress of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginView {
    /// Not logged in, and no login was started.
    LoggedOut,
    /// A login was started and waits for the user in the browser.
    Waiting {
        /// The link to open.
        url: String,
        /// When it expires; RFC 3339.
        until: String,
        /// Whether the browser returns to the agent. If not, the user must paste the URL.
        by_itself: bool,
    },
    /// Logged in, but not paired.
    LoggedIn,
    /// Everything is done.
    Paired {
        /// The account's number, and its name if Align gave one.
        account: String,
    },
}

/// An account to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub id: String,
    /// The name, if Align gave one.
    pub name: Option<String>,
}

/// The state of the test order.
#[derive(Debug, Clone)]
pub struct TestView {
    /// Its folder, whether or not it exists.
    pub folder: PathBuf,
    /// Whether it exists now, in whole or in part.
    pub is_there: bool,
    /// What others changed in it, if anything.
    pub changed: Option<String>,
    /// When one was last published; RFC 3339.
    pub last: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn records_are_found_by_order_lab_person_and_day() {
        let at: Timestamp = "2026-11-24T10:00:05Z".parse().expect("a time");
        let record = |more: Value| {
            let mut record = json!({
                "seq": 1, "at": at.to_string(), "via": "page", "what": "refetch", "result": "done",
                "lab": "smile-lab", "prev": "", "hash": "",
            });
            let fields = record.as_object_mut().expect("an object");
            fields.extend(more.as_object().expect("an object").clone());
            serde_json::from_value::<Record>(record).expect("a record")
        };
        let one = record(json!({"order": "17555601", "user": "Anna"}));
        let many = record(json!({"details": {"orders": ["17555601", "17555602"]}}));
        let any = AuditQuery::default;
        let found = |query: &AuditQuery| (query.takes(&one), query.takes(&many));
        assert_eq!(found(&any()), (true, true));
        let order = |order: &str| AuditQuery { order: order.to_owned(), ..any() };
        assert_eq!(found(&order("17555601")), (true, true));
        assert_eq!(found(&order("602")), (false, true));
        let lab = |lab: &str| AuditQuery { lab: lab.to_owned(), ..any() };
        assert_eq!(found(&lab("smile-lab")), (true, true));
        assert_eq!(found(&lab("north")), (false, false));
        let who = |user: &str, ways| AuditQuery { user: user.to_owned(), ways, ..any() };
        assert_eq!(found(&who("ann", vec![])), (true, false));
        assert_eq!(found(&who("status", vec!["page"])), (true, true));
        assert_eq!(found(&who("bert", vec![])), (false, false));
        let here = at.to_zoned_datetime(TimeZone::system()).date();
        let day = |day| AuditQuery { day: Some(day), ..any() };
        assert_eq!(found(&day(here)), (true, true));
        assert_eq!(found(&day(here.tomorrow().expect("a day"))), (false, false));
    }
}
