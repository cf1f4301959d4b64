//! What can go wrong with an order, classified by how the agent should react.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

/// The kind of fault, which decides how it is retried.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum FaultClass {
    /// The network, or a server that will recover: retry soon, then back off.
    Transient,
    /// Align is still making the files (a 404 on a download): retry on the long schedule.
    NotConverted,
    /// The download is complete but broken (CRC, structure): fetching again may help, a few times.
    Damaged,
    /// The login is missing, expired or revoked, or the lab is not paired: a person must act.
    Auth,
    /// A server refused this one resource (an order, an extra, an Rx). It says nothing about the
    /// login or other orders: retry a few times, then show it to a person.
    Refused,
    /// Retrying will not help: park it and show it.
    Permanent,
    /// This PC: disk full, folder gone, file in use. Nothing to do with Align.
    Local,
    /// The agent was asked to stop. Not a failure of the order.
    Cancelled,
}

impl FaultClass {
    pub const ALL: [Self; 8] = [
        Self::Transient,
        Self::NotConverted,
        Self::Damaged,
        Self::Auth,
        Self::Refused,
        Self::Permanent,
        Self::Local,
        Self::Cancelled,
    ];

    /// The name in the journal and in JSON output.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the class with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

/// One fault, ready to be shown: what failed, where, and how to fix it.
///
/// The text must not contain tokens, secrets or patient names: it goes into logs, the journal and
/// receipts.
#[derive(Debug)]
pub struct Fault {
    /// The class, which decides how to react.
    pub class: FaultClass,
    /// A short stable word for programs, such as `http-503` or `zip-crc`.
    pub code: &'static str,
    /// What failed, naming the operation and the object.
    pub message: String,
    /// What the user can do, if anything.
    pub hint: Option<String>,
    /// How long the server asked us to wait (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// The server concerned, if any: it did not answer, or this was its answer.
    pub host: Option<Box<str>>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// Fault code for an answer that is not what was requested: a web page instead of the files. Of
/// class [`Transient`](FaultClass::Transient), because we cannot know who answered.
pub const WRONG_CONTENT: &str = "wrong-content";
/// Fault code of a lab that is logged in, and not paired with an account.
pub const NOT_PAIRED: &str = "not-paired";
/// Fault code of a volume without room.
pub const DISK_FULL: &str = "disk-full";
/// Fault code of a volume that fails in a way that we know no more about.
pub const DISK: &str = "disk";
/// Fault code of a share that no longer answers.
pub const SHARE_GONE: &str = "share-gone";
/// Fault code of a folder that cannot be moved because a program has a file in it open.
pub const TARGET_BUSY: &str = "target-busy";

impl Fault {
    /// Creates a fault without hint or source.
    pub fn new(class: FaultClass, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            class,
            code,
            message: message.into(),
            hint: None,
            retry_after: None,
            host: None,
            source: None,
        }
    }

    /// Sets what the user can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Keeps the error that caused this fault; the chain is printed at the edge.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Sets how long the server asked us to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// Sets the server concerned.
    #[must_use]
    pub fn at(mut self, host: impl AsRef<str>) -> Self {
        self.host = Some(host.as_ref().into());
        self
    }

    /// Keeps the error of a library that caused this fault: only for the log.
    #[must_use]
    pub fn caused_by_library(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.caused_by(Library(source.into()))
    }

    /// Returns the message for people, on one line: with the causes, but without the words of
    /// libraries, of which only the system's own remain, such as "Connection refused". The
    /// [`chain`](Self::chain) is for the log.
    pub fn brief(&self) -> String {
        let mut text = self.message.clone();
        let mut in_library = false;
        let mut next: Option<&(dyn Error + 'static)> = self.source();
        while let Some(cause) = next {
            in_library |= cause.is::<Library>();
            let part = match cause.downcast_ref::<io::Error>() {
                Some(error) => {
                    last_word(error).or_else(|| (!in_library).then(|| error.to_string()))
                }
                None => (!in_library).then(|| cause.to_string()),
            };
            if let Some(part) = part.filter(|part| !text.ends_with(part.as_str())) {
                text.push_str(": ");
                text.push_str(&part);
            }
            next = cause.source();
        }
        text
    }

    /// Returns what the [`chain`](Self::chain) says beyond [`brief`](Self::brief), if anything.
    pub fn rest(&self) -> Option<String> {
        let (brief, chain) = (self.brief(), self.chain());
        let rest = chain.strip_prefix(brief.as_str()).unwrap_or(&chain);
        let rest = rest.trim_start_matches([':', ' ']);
        (!rest.is_empty()).then(|| rest.to_owned())
    }

    /// Returns the message followed by the messages of all causes, on one line.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut next: Option<&(dyn Error + 'static)> = self.source();
        while let Some(cause) = next {
            let part = cause.to_string();
            if !text.ends_with(&part) {
                text.push_str(": ");
                text.push_str(&part);
            }
            next = cause.source();
        }
        text
    }
}

/// The error of a library, whose words are not for people.
#[derive(Debug)]
struct Library(Box<dyn Error + Send + Sync>);

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Library {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// What the system says, without its number; `None` if the error does not come from the system.
fn last_word(error: &io::Error) -> Option<String> {
    error.raw_os_error()?;
    let text = error.to_string();
    let end = text.rfind(" (os error").unwrap_or(text.len());
    Some(text[..end].trim_end_matches('.').to_owned())
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("client error (Connect)")]
    struct Client(#[source] io::Error);

    fn refused() -> Fault {
        let refused = io::Error::from_raw_os_error(if cfg!(windows) { 10061 } else { 111 });
        Fault::new(FaultClass::Transient, "connect", "cannot ask discovery: no connection to align")
            .caused_by_library(Client(refused))
    }

    #[test]
    fn people_read_no_chain_of_library_errors() {
        let (brief, chain) = (refused().brief(), refused().chain());
        let rest = brief.strip_prefix("cannot ask discovery: no connection to align: ");
        assert!(rest.is_some_and(|rest| !rest.is_empty()), "{brief}");
        assert!(!brief.contains("client error") && !brief.contains("os error"), "{brief}");
        assert!(chain.contains("client error (Connect)") && chain.contains("os error"), "{chain}");
        assert_eq!(refused().rest(), Some(chain), "nothing is lost");
    }

    #[test]
    fn people_read_our_own_causes() {
        let fault =
            Fault::new(FaultClass::Local, "x", "the login cannot be read").caused_by("sealed");
        assert_eq!(fault.brief(), "the login cannot be read: sealed");
        assert_eq!(fault.rest(), None);
    }

    #[test]
    fn nothing_is_said_twice() {
        let gone = || io::Error::from_raw_os_error(2);
        let word = last_word(&gone()).expect("the system has a word");
        let text = format!("cannot read x: {word}");
        let fault = Fault::new(FaultClass::Local, "disk", text.clone()).caused_by(gone());
        assert_eq!(fault.brief(), text);
    }
}
