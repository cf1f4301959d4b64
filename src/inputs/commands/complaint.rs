//! Why a file is not a command, for the person who wrote it.

use super::words::Word;
use crate::config::nearest;

/// Why a file cannot be carried out, and how to write it right.
///
/// It tells nothing of the file's content but names of commands and keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The command, as far as it was understood.
    pub command: Option<&'static str>,
    /// What is wrong; at least one sentence.
    pub reasons: Vec<String>,
    /// How to write it right.
    pub example: String,
    /// Whether the file was empty and its name is like no command: it may be one that somebody is about
    /// to name or to fill.
    pub perhaps_unfinished: bool,
}

impl Complaint {
    /// One about a known command.
    pub(super) fn about(word: Word, reason: impl Into<String>) -> Self {
        Self {
            command: Some(word.as_str()),
            reasons: vec![reason.into()],
            example: word.example().to_owned(),
            perhaps_unfinished: false,
        }
    }

    /// One about a file in which no command was found.
    pub(super) fn unknown(reason: impl Into<String>) -> Self {
        Self {
            command: None,
            reasons: vec![reason.into()],
            example: ALL.to_owned(),
            perhaps_unfinished: false,
        }
    }

    /// One about the name of a file, of which nothing is said: it may be somebody's.
    pub(super) fn no_command_in_name(word: &str) -> Self {
        let place = "the name of the file";
        let near =
            nearest(word, Word::ALL.iter().map(|word| word.as_str())).and_then(Word::from_text);
        match near {
            Some(near) => Self::about(
                near,
                format!("{place}: that is no command; did you mean `{}`?", near.as_str()),
            ),
            None => Self::unknown(format!("{place}: that is no command")),
        }
    }

    /// One about a word that is no command. What the nearest one is gets said.
    pub(super) fn no_command(word: &str, place: &str) -> Self {
        let known = Word::ALL.iter().map(|word| word.as_str());
        let near = nearest(word, known).and_then(Word::from_text);
        match (near, shown(word)) {
            (Some(near), Some(word)) => Self::about(
                near,
                format!("{place}: `{word}` is no command; did you mean `{}`?", near.as_str()),
            ),
            (Some(near), None) => Self::about(
                near,
                format!("{place}: that is no command; did you mean `{}`?", near.as_str()),
            ),
            (None, Some(word)) => Self::unknown(format!("{place}: `{word}` is no command")),
            (None, None) => Self::unknown(format!("{place}: that is no command")),
        }
    }

    /// One about a file that is too large.
    pub fn too_large() -> Self {
        Self::unknown("the file is larger than 64 KiB; a command is a few lines of text")
    }

    /// One about something else than a file.
    pub(super) fn no_file(what: &str) -> Self {
        Self::unknown(format!("this is {what}, not a file; a command is a small text file"))
    }

    /// One about a file that the agent may not read.
    pub(super) fn unreadable() -> Self {
        Self::unknown(
            "the file cannot be read: Casedrop's user has no right to; give everybody the right to read \
             it, or save it here anew",
        )
    }

    /// One about a file whose name says that it is still being written.
    pub(super) fn temporary() -> Self {
        Self::unknown(
            "names with this ending belong to files that are still being written, and this one has not \
             changed for an hour; give a command another ending, such as .txt",
        )
    }
}

/// A word that may be shown: a file without sense may hold anything.
pub(super) fn shown(word: &str) -> Option<String> {
    let is_plain = !word.is_empty()
        && word.chars().count() <= 32
        && word.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    is_plain.then(|| word.to_owned())
}

const ALL: &str = "an empty file with one of these names\n  refetch 17544365.txt\n  publish 17544365.txt\n  pause.txt\n  \
                   resume.txt\n  poll.txt\n  verify.txt\n  status.txt\nor a file with such a text:\n  \
                   command: refetch\n  orders: [17544365, 17544366]\nREADME.txt in this folder shows \
                   all commands";
