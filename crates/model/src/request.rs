//! What users can ask of the agent: one vocabulary for the command folder, the command line and the
//! status page, and its answers. Pure.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::{Fault, FaultClass};
use super::ids::{AccountId, OrderId};

/// A user's request.
///
/// Labs are named as the user wrote them; the code that serves the request knows the config and
/// reports which names exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// Fetch orders again, even if nothing changed.
    Refetch {
        /// Only needed if an id exists in several labs.
        #[serde(default)]
        lab: Option<String>,
        orders: Vec<OrderId>,
        /// The kind of case, for orders that this PC has never seen.
        #[serde(default)]
        kind: Option<CaseKind>,
    },
    /// Pair a lab's login with an account; starts a login if there is none.
    Pair {
        /// Only needed if there are several labs.
        #[serde(default)]
        lab: Option<String>,
        /// Only needed if the login has several accounts.
        #[serde(default)]
        account: Option<AccountId>,
        /// Completes a login begun by an earlier request: the URL that the browser showed
        /// afterwards, or the code in that URL.
        #[serde(default)]
        code: Option<Text>,
    },
    /// Unpair an account: for all its users, on every PC.
    Unpair {
        /// Only needed if there are several labs.
        #[serde(default)]
        lab: Option<String>,
        account: AccountId,
        /// The account's number again.
        #[serde(default)]
        confirm: Option<AccountId>,
    },
    /// Send an order back to the doctor for a rescan.
    Return {
        /// Only needed if the id exists in several labs.
        #[serde(default)]
        lab: Option<String>,
        order: OrderId,
        /// Why, for the doctor.
        reason: Text,
        /// The order's number again.
        #[serde(default)]
        confirm: Option<OrderId>,
    },
    /// Publish orders that are held back as incomplete, as they are.
    Publish {
        /// Only needed if an id exists in several labs.
        #[serde(default)]
        lab: Option<String>,
        orders: Vec<OrderId>,
    },
    /// Start nothing new until `resume`. Running work is finished, notifications are still
    /// recorded.
    Pause {
        /// All labs if `None`.
        #[serde(default)]
        lab: Option<String>,
    },
    /// Continue after `pause`.
    Resume {
        /// All labs if `None`.
        #[serde(default)]
        lab: Option<String>,
    },
    /// Ask Align for new orders as soon as another poll is allowed.
    Poll {
        /// All labs if `None`.
        #[serde(default)]
        lab: Option<String>,
    },
    /// Compare the output with its manifests, byte for byte.
    Verify {
        /// All orders if empty.
        #[serde(default)]
        orders: Vec<OrderId>,
    },
    /// Report the agent's status.
    Status {},
    /// Try out a version of the program that is already staged, once nothing is in flight. Not
    /// accepted from a file: write access to the command folder does not entitle anyone to replace
    /// the program.
    Update {
        /// The version to try out.
        version: String,
    },
    /// Publish the test order, or remove it again. Not accepted from a file.
    #[serde(rename = "test-order")]
    TestOrder {
        #[serde(default)]
        remove: bool,
    },
    /// Publish orders to another folder from now on. Only before the first order, and not accepted
    /// from a file.
    Output {
        /// The folder's absolute path.
        path: String,
    },
}

impl Request {
    /// Whether it changes where orders go, who is logged in or which program runs here: not allowed
    /// for every user of this PC.
    pub fn changes_set_up(&self) -> bool {
        match self {
            Self::Pair { .. } | Self::Unpair { .. } | Self::Output { .. } | Self::Update { .. } => {
                true
            }
            Self::Refetch { .. }
            | Self::Publish { .. }
            | Self::Return { .. }
            | Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Poll { .. }
            | Self::Verify { .. }
            | Self::Status {}
            | Self::TestOrder { .. } => false,
        }
    }
}

/// The kind of case, which decides the format of the files we request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseKind {
    Ortho,
    Restorative,
}

/// Text that is passed on and shown nowhere else: it may name a patient or contain a login.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(pub String);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

/// Who asked, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The user's name on this PC, if the system knows it.
    pub user: Option<String>,
    pub via: Via,
}

/// How a request arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// A file in the command folder.
    CommandFolder,
    CommandLine,
    Page,
    /// No user: the agent itself, as configured.
    Agent,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Done, or recorded so that it will be done.
    Done,
    /// Nothing was done: the request is incomplete or makes no sense. The answer says why.
    Refused,
    /// It was tried and failed.
    Failed,
    /// Nothing was done: a person must log in or pair first.
    LoginNeeded,
    /// Finished, but what it checked is not as it should be.
    Differs,
    /// The agent ended midway, and anything that reaches beyond this PC is never repeated
    /// automatically: it may or may not have happened.
    Unknown,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    pub outcome: Outcome,
    /// What happened, for a person; one or more lines.
    pub message: String,
    /// What the user can or must do next.
    pub next: Option<String>,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub details: serde_json::Value,
}

impl Reply {
    /// Creates an answer without details.
    pub fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        Self { outcome, message: message.into(), next: None, details: serde_json::Value::Null }
    }

    /// Sets what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Sets the details for programs.
    #[must_use]
    pub fn details(mut self, details: serde_json::Value) -> Self {
        self.details = details;
        self
    }
}

impl From<Fault> for Reply {
    fn from(fault: Fault) -> Self {
        let outcome = match fault.class {
            FaultClass::Auth => Outcome::LoginNeeded,
            _ => Outcome::Failed,
        };
        let (brief, chain) = (fault.brief(), fault.chain());
        let cause = (chain != brief).then_some(chain);
        let details = serde_json::json!({ FAULT: { "code": fault.code, "cause": cause } });
        Self { next: fault.hint, ..Self::new(outcome, brief).details(details) }
    }
}

/// The key of a fault's code and causes in the details of a [`Reply`].
pub const FAULT: &str = "fault";

/// Carries out requests. Calls block.
pub trait Requests: Send + Sync {
    /// Carries out a request once: the same id again, even after a crash, returns the answer that
    /// the first call returned or would have returned.
    ///
    /// # Errors
    /// The journal cannot be used right now. Nothing is lost or done; try again later.
    fn serve_once(&self, id: &str, request: &Request, who: &Who) -> Result<Reply, Fault>;

    /// The answer was delivered and need not be kept any longer.
    fn settled(&self, id: &str) -> Result<(), Fault>;
}

/// How long an answer that was never fetched is kept.
pub const KEEP_ANSWERS: Duration = Duration::from_hours(30 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_written_as_the_contract_has_them() {
        let text = r#"{"command":"unpair","lab":"smile-lab","account":"4711","confirm":"4711"}"#;
        let request: Request = serde_json::from_str(text).expect("readable");
        let account: AccountId = "4711".parse().expect("valid");
        let expected = Request::Unpair {
            lab: Some("smile-lab".to_owned()),
            account: account.clone(),
            confirm: Some(account),
        };
        assert_eq!(request, expected);
        assert_eq!(serde_json::to_string(&request).expect("writable"), text);
        assert!(serde_json::from_str::<Request>(r#"{"command":"status","x":1}"#).is_err());
        assert!(serde_json::from_str::<Request>(r#"{"command":"status"}"#).is_ok());
    }

    #[test]
    fn what_is_passed_on_cannot_be_printed() {
        let request = Request::Return {
            lab: None,
            order: "17".parse().expect("valid"),
            reason: Text("Mr Secret".to_owned()),
            confirm: None,
        };
        assert!(!format!("{request:?}").contains("Secret"));
    }
}
