//! The answer to a command file, for programs and for people.

use serde::{Deserialize, Serialize};

use super::error::CommandError;
use crate::model::local_time::local;
use crate::model::request::{Outcome, Reply};

/// Version of the receipt format for programs.
pub(super) const SCHEMA: u32 = 1;

/// The answer to one command file. Stored as JSON; the text for people is generated from it.
///
/// Of the file's content it holds only the command, order and account numbers, and the lab's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub schema: u32,
    pub id: String,
    /// The name the file is filed under.
    pub file: String,
    /// The command, as far as it was understood.
    pub command: Option<String>,
    /// The request in words.
    pub asked: String,
    /// The owner of the file, if the system knows it.
    pub owner: Option<String>,
    /// When the file was taken; RFC 3339, UTC.
    pub received_at: String,
    /// When the answer was decided; RFC 3339, UTC.
    pub finished_at: String,
    pub outcome: Outcome,
    pub message: String,
    /// What a user can or must do next.
    pub next: Option<String>,
    /// What became of the file's content.
    pub kept: FileContent,
    /// The result for programs; depends on the command.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub details: serde_json::Value,
}

/// What became of a command file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileContent {
    Unchanged,
    /// Removed because it held, or may have held, a login code.
    Removed,
}

impl Receipt {
    /// Whether the command was carried out.
    pub fn is_done(&self) -> bool {
        matches!(self.outcome, Outcome::Done | Outcome::Differs)
    }

    /// The receipt for people, with CRLF line ends for Windows editors.
    pub fn in_words(&self) -> String {
        let head = match self.outcome {
            Outcome::Done => "DONE",
            Outcome::Refused => "NOT DONE",
            Outcome::Failed => "FAILED",
            Outcome::LoginNeeded => "NOT DONE: somebody must log in first",
            Outcome::Differs => "DONE, but with problems",
            Outcome::Unknown => "UNKNOWN whether it was done",
        };
        let by = self.owner.as_ref().map(|owner| format!(", by {owner}")).unwrap_or_default();
        let mut lines =
            vec![format!("Casedrop: {head}"), String::new(), "What you asked for".to_owned()];
        lines.extend(indented(&self.asked));
        lines.push(format!("  (file {}, {}{by})", self.file, local(&self.received_at)));
        lines.extend([String::new(), "What happened".to_owned()]);
        lines.extend(indented(&self.message));
        if self.kept == FileContent::Removed {
            lines.push(
                "  The file's content was removed, so that no login code is left lying around."
                    .to_owned(),
            );
        }
        if let Some(next) = &self.next {
            lines.extend([String::new(), "What to do next".to_owned()]);
            lines.extend(indented(next));
        }
        lines.push(String::new());
        lines.join("\r\n")
    }
}

/// The answer to a file that is not a command.
pub(super) fn refusal(complaint: &CommandError) -> Reply {
    let message = format!("Nothing was done: {}.", complaint.reasons.join(";\n"));
    Reply::new(Outcome::Refused, message).next(format!("Write it like this: {}", complaint.example))
}

fn indented(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().map(|line| format!("  {}", line.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> Receipt {
        Receipt {
            schema: SCHEMA,
            id: "command-file-1".to_owned(),
            file: "pause.txt".to_owned(),
            command: Some("pause".to_owned()),
            asked: "pause".to_owned(),
            owner: Some("anna".to_owned()),
            received_at: "2026-11-24T10:00:00Z".to_owned(),
            finished_at: "2026-11-24T10:00:01Z".to_owned(),
            outcome: Outcome::Done,
            message: "smile-lab: is paused".to_owned(),
            next: Some("drop resume.txt".to_owned()),
            kept: FileContent::Unchanged,
            details: serde_json::Value::Null,
        }
    }

    #[test]
    fn people_read_what_they_asked_what_happened_and_what_to_do() {
        let text = receipt().in_words();
        let at = local("2026-11-24T10:00:00Z");
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "Casedrop: DONE",
                "",
                "What you asked for",
                "  pause",
                &format!("  (file pause.txt, {at}, by anna)"),
                "",
                "What happened",
                "  smile-lab: is paused",
                "",
                "What to do next",
                "  drop resume.txt",
            ]
        );
        assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    }

    #[test]
    fn programs_read_back_what_was_written() {
        let receipt = Receipt { kept: FileContent::Removed, ..receipt() };
        let text = serde_json::to_string(&receipt).expect("writable");
        assert!(text.contains(r#""outcome":"done""#) && text.contains(r#""kept":"removed""#));
        assert_eq!(serde_json::from_str::<Receipt>(&text).expect("readable"), receipt);
    }
}
