//! What people ask of the agent, in one vocabulary for the command folder, the command line and the
//! page, and how they are answered. Pure.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::{Fault, FaultClass};
use super::ids::{AccountId, OrderId};

/// Something a person wants done.
///
/// Labs are named as people write them; whoever carries the request out knows the config and says
/// which names there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// Fetch orders again, even if nothing changed.
    Refetch {
        /// Whose; needed only where an id stands for orders of several labs.
        #[serde(default)]
        lab: Option<String>,
        /// Which orders.
        orders: Vec<OrderId>,
        /// What kind of case they are, for orders that this PC does not know yet.
        #[serde(default)]
        kind: Option<CaseKind>,
    },
    /// Pair a lab's login with an account; begins a login where there is none.
    Pair {
        /// Which lab; needed only where there are several.
        #[serde(default)]
        lab: Option<String>,
        /// With which account; needed only where the login has several.
        #[serde(default)]
        account: Option<AccountId>,
        /// The end of a login that an earlier request began: the URL that the browser showed after it,
        /// or the code in that URL.
        #[serde(default)]
        code: Option<Text>,
    },
    /// Un-pair an account: for all of its users, on every PC.
    Unpair {
        /// Which lab; needed only where there are several.
        #[serde(default)]
        lab: Option<String>,
        /// Which account.
        account: AccountId,
        /// The account's number once more.
        #[serde(default)]
        confirm: Option<AccountId>,
    },
    /// Send an order back to the doctor for a rescan.
    Return {
        /// Whose; needed only where the id stands for orders of several labs.
        #[serde(default)]
        lab: Option<String>,
        /// Which order.
        order: OrderId,
        /// Why, for the doctor.
        reason: Text,
        /// The order's number once more.
        #[serde(default)]
        confirm: Option<OrderId>,
    },
    /// Publish orders that are held back since they are incomplete, as they are.
    Publish {
        /// Whose; needed only where an id stands for orders of several labs.
        #[serde(default)]
        lab: Option<String>,
        /// Which orders.
        orders: Vec<OrderId>,
    },
    /// Begin nothing new until `resume`. What runs is finished, notifications are still taken down.
    Pause {
        /// Which lab; all if none is named.
        #[serde(default)]
        lab: Option<String>,
    },
    /// Go on after `pause`.
    Resume {
        /// Which lab; all if none is named.
        #[serde(default)]
        lab: Option<String>,
    },
    /// Ask Align for new orders as soon as it may be asked.
    Poll {
        /// Which lab; all if none is named.
        #[serde(default)]
        lab: Option<String>,
    },
    /// Compare the output with its manifests, byte for byte.
    Verify {
        /// Only these orders; all if none is named.
        #[serde(default)]
        orders: Vec<OrderId>,
    },
    /// How things stand.
    Status {},
    /// Let a version of the program that is staged already be tried out as soon as nothing is under
    /// way. Not to be asked for by a file: whoever may write there may not replace the program.
    Update {
        /// Which one.
        version: String,
    },
    /// Publish the test order, or remove it again. Not to be asked for by a file.
    #[serde(rename = "test-order")]
    TestOrder {
        /// Remove it.
        #[serde(default)]
        remove: bool,
    },
    /// Write orders into another folder from now on. Only before the first order, and not to be asked
    /// for by a file.
    Output {
        /// The whole path of the folder.
        path: String,
    },
}

impl Request {
    /// Whether it changes where orders go, who is logged in, or what program runs here: nothing that
    /// everybody at this PC may do.
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

/// What kind of case an order is: it decides in which form the files are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseKind {
    /// Orthodontic.
    Ortho,
    /// Restorative.
    Restorative,
}

/// Words that are passed on and told to nobody else: they may name a patient or hold a login.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text(pub String);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

/// Who asked, and which way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The user's name on this PC, as far as the system tells.
    pub user: Option<String>,
    /// Which way it came.
    pub via: Via,
}

/// The way a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// A file in the command folder.
    CommandFolder,
    /// The command line.
    CommandLine,
    /// The status page.
    Page,
    /// Nobody: the agent by itself, as the config says.
    Agent,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Done, or recorded so that it will be done.
    Done,
    /// Nothing was done: the request lacks something, or makes no sense. The answer says what.
    Refused,
    /// It was tried and failed.
    Failed,
    /// Nothing was done: a person must log in or pair first.
    LoginNeeded,
    /// Finished, and what it looked at is not as it should be.
    Differs,
    /// The agent ended in the middle, and what reaches beyond this PC is never repeated by itself:
    /// it may have happened or not.
    Unknown,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// How it ended.
    pub outcome: Outcome,
    /// What happened, for a person; one or more lines.
    pub message: String,
    /// What the person can or must do next.
    pub next: Option<String>,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub details: serde_json::Value,
}

impl Reply {
    /// An answer without details.
    pub fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        Self { outcome, message: message.into(), next: None, details: serde_json::Value::Null }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Adds the same for programs.
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
        Self { next: fault.hint.clone(), ..Self::new(outcome, fault.chain()) }
    }
}

/// Carries requests out. Calls block.
pub trait Desk: Send + Sync {
    /// Carries a request out, once: the same id again, even after a crash, gives the answer that the
    /// first call gave or would have given.
    ///
    /// # Errors
    /// The journal cannot be used now. Nothing is lost or done; ask again later.
    fn serve_once(&self, id: &str, request: &Request, who: &Who) -> Result<Reply, Fault>;

    /// The answer has reached whoever asked: it need not be kept any more.
    fn settled(&self, id: &str) -> Result<(), Fault>;
}

/// How long an answer that nobody fetched is kept.
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
