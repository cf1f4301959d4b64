//! Command files: which there are, and the answers to the latest.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::data::ReceiptView;
use super::frame::{Call, Frame, show};
use super::markup::When;
use super::record_texts::RecordTexts;
use super::shared::Shared;
use super::words::Tone;
use crate::inputs::commands::is_command;
use crate::model::discreet;

/// How many receipts to show.
const RECEIPTS: usize = 100;

#[derive(Template)]
#[template(path = "commands.html")]
struct Commands {
    frame: Frame,
    w: &'static RecordTexts,
    folder: Option<String>,
    /// File names and their effects.
    by_name: Vec<(&'static str, &'static str)>,
    /// Contents and their effects.
    by_content: Vec<(String, &'static str)>,
    receipts: Vec<ReceiptLine>,
}

struct ReceiptLine {
    at: When,
    asked: String,
    file: String,
    who: String,
    tone: Tone,
    word: &'static str,
    message: String,
    next: Option<String>,
}

/// Hides parts of the names of command files: people name files after patients.
struct CommandNames {
    shown: bool,
    labs: Vec<String>,
}

impl CommandNames {
    /// Removes words of the file's name that may name a person from the text.
    fn out_of(&self, file: &str, text: &str) -> String {
        if self.shown {
            return text.to_owned();
        }
        let is_ours = |word: &str| {
            let word = word.to_lowercase();
            // Words that our own answers consist of stay.
            word.chars().count() < 3
                || is_command(&word)
                || discreet::file_name(&word) == word
                || self.labs.iter().any(|lab| lab.to_lowercase().contains(&word))
        };
        let words = file.split(|c: char| !c.is_alphanumeric()).filter(|word| !is_ours(word));
        words.fold(text.to_owned(), |text, word| text.replace(word, "…"))
    }
}

/// Removes links that log someone in, unless the visitor may use them.
fn without_links(may: bool, text: &str) -> String {
    let lines = text.lines().filter(|line| may || !line.trim_start().starts_with("http"));
    lines.collect::<Vec<_>>().join("\n")
}

pub(super) async fn page(State(shared): State<Arc<Shared>>, call: Call) -> Response {
    let names = CommandNames { shown: shared.show_names, labs: shared.labs.clone() };
    let asked = shared.ask(|data| Ok((data.command_folder(), data.receipts(RECEIPTS)?)));
    let (folder, receipts) = match asked.await {
        Ok(found) => found,
        Err(fault) => return call.cannot(&fault),
    };
    let may = call.visitor.may_set_up();
    let line = |receipt: ReceiptView| ReceiptLine {
        at: When::of(&receipt.at),
        asked: names.out_of(&receipt.file, &receipt.asked),
        file: if names.shown { receipt.file.clone() } else { String::new() },
        who: receipt.owner.unwrap_or_default(),
        tone: Tone::of_outcome(receipt.outcome),
        word: call.texts.outcome(receipt.outcome),
        message: without_links(may, &names.out_of(&receipt.file, &receipt.message)),
        next: receipt.next.map(|next| without_links(may, &names.out_of(&receipt.file, &next))),
    };
    let w = call.lang.record_texts();
    let lab = shared.labs.first().map_or("smile-lab", String::as_str);
    show(&Commands {
        w,
        by_name: by_name(w).into(),
        by_content: by_content(w, lab).into(),
        folder: folder.map(|folder| folder.display().to_string()),
        receipts: receipts.into_iter().map(line).collect(),
        frame: call.frame(call.texts.commands, "commands"),
    })
}

/// Each command that a file name can give, with an example.
fn by_name(w: &RecordTexts) -> [(&'static str, &'static str); 7] {
    [
        ("poll.txt", w.does_poll),
        ("refetch 17544365.txt", w.does_refetch),
        ("publish 17544365.txt", w.does_publish),
        ("verify.txt", w.does_verify),
        ("status.txt", w.does_status),
        ("pause.txt", w.does_pause),
        ("resume.txt", w.does_resume),
    ]
}

/// Each command that needs a content, with an example.
fn by_content(w: &RecordTexts, lab: &str) -> [(String, &'static str); 4] {
    let reason = w.example_reason;
    [
        (format!("command: refetch\nlab: {lab}\nkind: ortho\norder: 17544365"), w.does_refetch_new),
        (
            format!("command: return\norder: 17544365\nreason: {reason}\nconfirm: 17544365"),
            w.does_return,
        ),
        (format!("command: pair\nlab: {lab}\naccount: 4711"), w.does_pair),
        (format!("command: unpair\nlab: {lab}\naccount: 4711\nconfirm: 4711"), w.does_unpair),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::record_texts::{ENGLISH, GERMAN};
    use super::*;
    use crate::inputs::commands::{names, read};

    #[test]
    fn each_command_has_an_example_that_works() {
        let mut shown = Vec::new();
        for w in [&ENGLISH, &GERMAN] {
            for (name, _) in by_name(w) {
                assert!(read(name, b"").is_ok(), "{name}");
                shown.push(name.split([' ', '.']).next().unwrap_or_default().to_owned());
            }
            for (content, _) in by_content(w, "smile-lab") {
                assert!(read("any name.txt", content.as_bytes()).is_ok(), "{content}");
                let command = content.lines().next().unwrap_or_default();
                shown.push(command.trim_start_matches("command: ").to_owned());
            }
        }
        for name in names() {
            assert!(shown.iter().any(|one| one == name), "{name}");
        }
    }
}
