//! Why a file is not a command, for the person who wrote it.

use super::words::Word;
use crate::config::nearest;

/// Why a file cannot be carried out, and how to write it correctly.
///
/// Of the file's content it repeats only names of commands and keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    /// The command, as far as it was understood.
    pub command: Option<&'static str>,
    /// What is wrong; at least one sentence.
    pub reasons: Vec<String>,
    /// How to write it correctly.
    pub example: String,
    /// Whether the file was empty and its name resembles no command: someone may be about to rename
    /// or fill it.
    pub perhaps_unfinished: bool,
}

impl CommandError {
    pub(super) fn about(word: Word, reason: impl Into<String>) -> Self {
        Self {
            command: Some(word.as_str()),
            reasons: vec![reason.into()],
            example: word.example().to_owned(),
            perhaps_unfinished: false,
        }
    }

    /// For a file in which no command was found.
    pub(super) fn unknown(reason: impl Into<String>) -> Self {
        Self {
            command: None,
            reasons: vec![reason.into()],
            example: ALL.to_owned(),
            perhaps_unfinished: false,
        }
    }

    /// For an unknown command in a file's name. The word is not repeated: it may be a person's
    /// name.
    pub(super) fn no_command_in_name(word: &str) -> Self {
        let place = "the name of the file";
        let near =
            nearest(word, Word::ALL.iter().map(|word| word.as_str())).and_then(Word::from_text);
        match near {
            Some(near) => Self::about(
                near,
                format!("{place}: that is not a command; did you mean `{}`?", near.as_str()),
            ),
            None => Self::unknown(format!("{place}: that is not a command")),
        }
    }

    /// For a word that is not a command. Suggests the nearest one.
    pub(super) fn no_command(word: &str, place: &str) -> Self {
        let known = Word::ALL.iter().map(|word| word.as_str());
        let near = nearest(word, known).and_then(Word::from_text);
        match (near, shown(word)) {
            (Some(near), Some(word)) => Self::about(
                near,
                format!("{place}: `{word}` is not a command; did you mean `{}`?", near.as_str()),
            ),
            (Some(near), None) => Self::about(
                near,
                format!("{place}: that is not a command; did you mean `{}`?", near.as_str()),
            ),
            (None, Some(word)) => Self::unknown(format!("{place}: `{word}` is not a command")),
            (None, None) => Self::unknown(format!("{place}: that is not a command")),
        }
    }

    pub fn too_large() -> Self {
        Self::unknown("the file is larger than 64 KiB; a command is a few lines of text")
    }

    /// For something other than a file.
    pub(super) fn no_file(what: &str) -> Self {
        Self::unknown(format!("this is {what}, not a file; a command is a small text file"))
    }

    /// For a file that the agent may not read.
    pub(super) fn unreadable() -> Self {
        Self::unknown(
            "Casedrop is not allowed to read the file; allow everybody to read it, or save it here \
             again",
        )
    }

    /// For a file whose name says that it is still being written.
    pub(super) fn temporary() -> Self {
        Self::unknown(
            "this ending is for files that are still being written, but this one has not changed \
             for an hour; give a command another ending, such as .txt",
        )
    }
}

/// Returns the word if it is safe to show: a file that makes no sense may hold anything.
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
