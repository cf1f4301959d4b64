//! What keeper and child say to each other: a line of JSON each. Old keepers talk with new children, so
//! words may be added here and none may change. What one does not know, it ignores. Pure.

use serde::{Deserialize, Serialize};

/// What a child says, on its standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum Said {
    /// It has its locks.
    Ready,
    /// Its main loop goes round.
    Alive,
    /// Whether it has journal and engine at work.
    AtWork {
        /// Whether it has.
        is: bool,
    },
    /// What it does, in a few words.
    Doing {
        /// The words.
        what: String,
    },
    /// It ends, which may take so long.
    Stopping {
        /// In milliseconds.
        ms: u64,
    },
    /// How a poll went.
    Polled {
        /// Of which lab.
        lab: String,
        /// How.
        went: Went,
        /// In words, if it did not go well.
        #[serde(default)]
        why: Option<String>,
    },
    /// It ends, and wants to be started anew, perhaps as another version.
    Restart,
}

/// How a poll went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Went {
    /// Well, or nobody wants it to be made now.
    Well,
    /// Align could not be reached, or did not want to answer: that is not the program's fault.
    Unreached,
    /// It failed otherwise.
    Failed,
}

/// What a keeper says, on the child's standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum Order {
    /// End. The end of the input says the same.
    Stop,
    /// The trial is passed.
    Passed,
    /// The PC woke up from sleep.
    WokeUp,
}

/// A line, without its end.
pub fn line(what: &impl Serialize) -> String {
    // Words and numbers always fit into JSON.
    serde_json::to_string(what).unwrap_or_default()
}

/// What a child's line says; `None` for what is not known.
pub fn said(line: &str) -> Option<Said> {
    serde_json::from_str(line).ok()
}

/// What a keeper's line says; `None` for what is not known.
pub fn order(line: &str) -> Option<Order> {
    serde_json::from_str(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_old_keepers_and_new_children_know() {
        let polled = Said::Polled {
            lab: "smile".to_owned(),
            went: Went::Failed,
            why: Some("http-400".to_owned()),
        };
        let words = [
            (Said::Ready, r#"{"say":"ready"}"#),
            (Said::Alive, r#"{"say":"alive"}"#),
            (Said::AtWork { is: true }, r#"{"say":"at-work","is":true}"#),
            (Said::Doing { what: "rests".to_owned() }, r#"{"say":"doing","what":"rests"}"#),
            (Said::Stopping { ms: 5 }, r#"{"say":"stopping","ms":5}"#),
            (polled, r#"{"say":"polled","lab":"smile","went":"failed","why":"http-400"}"#),
            (Said::Restart, r#"{"say":"restart"}"#),
        ];
        for (word, text) in words {
            assert_eq!(line(&word), text);
            assert_eq!(said(text), Some(word));
        }
        assert_eq!(line(&Order::Stop), r#"{"say":"stop"}"#);
        assert_eq!(line(&Order::WokeUp), r#"{"say":"woke-up"}"#);
        assert_eq!(order(r#"{"say":"passed","more":1}"#), Some(Order::Passed));
        assert_eq!(said(r#"{"say":"alive","more":1}"#), Some(Said::Alive));
        for unknown in ["", "hello", r#"{"say":"sing"}"#, "{}"] {
            assert_eq!((said(unknown), order(unknown)), (None, None), "{unknown}");
        }
    }
}
