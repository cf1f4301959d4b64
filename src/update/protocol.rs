//! The protocol between keeper and child: one line of JSON per message. Old keepers talk to new
//! children, so messages may be added here, but none may change. Unknown messages are ignored.
//! Pure.

use serde::{Deserialize, Serialize};

/// What a child sends, on its standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum ChildMessage {
    /// It has its locks.
    Ready,
    /// Its main loop is alive.
    Alive,
    /// Whether it has journal and engine running.
    AtWork {
        /// False while it lacks either.
        is: bool,
    },
    /// What it is doing, in a few words.
    Doing {
        /// Without names of people or orders.
        what: String,
    },
    /// It is shutting down, which may take up to this long.
    Stopping {
        /// In milliseconds.
        ms: u64,
    },
    Polled {
        lab: String,
        went: PollResult,
        /// In words, if the poll was not good.
        #[serde(default)]
        why: Option<String>,
    },
    /// It exits and wants to be restarted, perhaps as another version.
    Restart,
}

/// The result of a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PollResult {
    /// It was good, or no poll is wanted now.
    Well,
    /// Align could not be reached or refused to answer, which is not the program's fault.
    Unreached,
    /// It failed for another reason.
    Failed,
}

/// What a keeper sends, on the child's standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum Order {
    /// Stop. The end of the input means the same.
    Stop,
    /// The trial was passed.
    Passed,
    /// The PC woke up from sleep.
    WokeUp,
}

/// Encodes a message as a line, without line ending.
pub fn line(what: &impl Serialize) -> String {
    // These types can always be serialized.
    serde_json::to_string(what).unwrap_or_default()
}

/// Decodes a child's line; `None` if it is unknown.
pub fn said(line: &str) -> Option<ChildMessage> {
    serde_json::from_str(line).ok()
}

/// Decodes a keeper's line; `None` if it is unknown.
pub fn order(line: &str) -> Option<Order> {
    serde_json::from_str(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_old_keepers_and_new_children_know() {
        let polled = ChildMessage::Polled {
            lab: "smile".to_owned(),
            went: PollResult::Failed,
            why: Some("http-400".to_owned()),
        };
        let words = [
            (ChildMessage::Ready, r#"{"say":"ready"}"#),
            (ChildMessage::Alive, r#"{"say":"alive"}"#),
            (ChildMessage::AtWork { is: true }, r#"{"say":"at-work","is":true}"#),
            (ChildMessage::Doing { what: "rests".to_owned() }, r#"{"say":"doing","what":"rests"}"#),
            (ChildMessage::Stopping { ms: 5 }, r#"{"say":"stopping","ms":5}"#),
            (polled, r#"{"say":"polled","lab":"smile","went":"failed","why":"http-400"}"#),
            (ChildMessage::Restart, r#"{"say":"restart"}"#),
        ];
        for (word, text) in words {
            assert_eq!(line(&word), text);
            assert_eq!(said(text), Some(word));
        }
        assert_eq!(line(&Order::Stop), r#"{"say":"stop"}"#);
        assert_eq!(line(&Order::WokeUp), r#"{"say":"woke-up"}"#);
        assert_eq!(order(r#"{"say":"passed","more":1}"#), Some(Order::Passed));
        assert_eq!(said(r#"{"say":"alive","more":1}"#), Some(ChildMessage::Alive));
        for unknown in ["", "hello", r#"{"say":"sing"}"#, "{}"] {
            assert_eq!((said(unknown), order(unknown)), (None, None), "{unknown}");
        }
    }
}
