//! The records: receipts, audit, effective settings, log.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::data::{LogLine, LogQuery, ReceiptView};
use super::frame::{Call, Frame, show};
use super::markup::When;
use super::shared::Shared;
use super::texts::Texts;
use super::words::Tone;
use crate::audit::Record;
use crate::config::{self, InForce};
use crate::inputs::commands::is_command;
use crate::model::discreet;
use crate::model::fault::Fault;

/// How many receipts to show.
const RECEIPTS: usize = 100;
/// How many audit records to show.
const RECORDS: usize = 200;
/// How many log lines to show.
const LINES: usize = 300;
/// Maximum length of a search, in characters; the rest is cut off.
const SEARCH_MAX: usize = 100;

#[derive(Template)]
#[template(path = "commands.html")]
struct Commands {
    frame: Frame,
    folder: Option<String>,
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

pub(super) async fn commands(State(shared): State<Arc<Shared>>, call: Call) -> Response {
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
    show(&Commands {
        folder: folder.map(|folder| folder.display().to_string()),
        receipts: receipts.into_iter().map(line).collect(),
        frame: call.frame(call.texts.commands, "commands"),
    })
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    records: Vec<RecordLine>,
}

struct RecordLine {
    number: u64,
    at: When,
    who: String,
    way: String,
    what: String,
    tone: Tone,
    result: String,
    about: String,
}

pub(super) async fn audit(State(shared): State<Arc<Shared>>, call: Call) -> Response {
    match shared.ask(|data| data.audit(RECORDS)).await {
        Ok(records) => show(&AuditPage {
            records: records.iter().map(RecordLine::of).collect(),
            frame: call.frame(call.texts.audit, "audit"),
        }),
        Err(fault) => call.cannot(&fault),
    }
}

impl RecordLine {
    fn of(record: &Record) -> Self {
        let about = [&record.lab, &record.account, &record.order];
        let about: Vec<_> = about.into_iter().flatten().map(String::as_str).collect();
        let details = record.details.iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name}: {text}"),
            other => format!("{name}: {other}"),
        });
        let mut all = vec![about.join("/")];
        all.extend(details);
        all.retain(|part| !part.is_empty());
        Self {
            number: record.seq,
            at: When::of(&record.at),
            who: record.user.clone().unwrap_or_default(),
            way: record.via.clone(),
            what: record.what.clone(),
            tone: match record.result.as_str() {
                "done" => Tone::Good,
                "refused" | "failed" => Tone::Bad,
                "unknown" => Tone::Warn,
                _ => Tone::Rest,
            },
            result: record.result.clone(),
            about: all.join(" · "),
        }
    }
}

#[derive(Template)]
#[template(path = "settings.html")]
struct Settings {
    frame: Frame,
    all: bool,
    entries: Vec<Setting>,
}

struct Setting {
    key: String,
    value: String,
    from: &'static str,
    place: Option<String>,
    locked: bool,
}

/// The parameters of the settings URL.
#[derive(Deserialize, Default)]
pub(super) struct Which {
    #[serde(default)]
    all: String,
}

pub(super) async fn settings(
    State(shared): State<Arc<Shared>>,
    Query(which): Query<Which>,
    call: Call,
) -> Response {
    let entries = match shared.ask(|data| Ok::<_, Fault>(data.settings())).await {
        Ok(entries) => entries,
        Err(fault) => return call.cannot(&fault),
    };
    let all = which.all == "1";
    let is_shown = |entry: &InForce| all || entry.from != config::From::Default;
    let setting = |entry: InForce| Setting {
        from: call.texts.from(entry.from),
        place: entry.source.is_some().then(|| entry.place()),
        locked: entry.locked,
        key: entry.key,
        value: entry.value,
    };
    show(&Settings {
        all,
        entries: entries.into_iter().filter(is_shown).map(setting).collect(),
        frame: call.frame(call.texts.settings, "settings"),
    })
}

#[derive(Template)]
#[template(path = "log.html")]
struct Log {
    frame: Frame,
    search: String,
    levels: Vec<(u8, &'static str, bool)>,
    lines: Vec<LogRow>,
}

struct LogRow {
    at: When,
    level: &'static str,
    tone: Tone,
    about: String,
    text: String,
}

/// The parameters of the log URL.
#[derive(Deserialize, Default)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    level: String,
}

pub(super) async fn log(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<Asked>,
    call: Call,
) -> Response {
    let depth: u8 = asked.level.parse().ok().filter(|depth| (1..=5).contains(depth)).unwrap_or(3);
    let search: String = asked.q.trim().chars().take(SEARCH_MAX).collect();
    let contains = Some(search.clone()).filter(|text| !text.is_empty());
    let query = LogQuery { depth, contains, limit: LINES };
    let lines = match shared.ask(move |data| Ok::<_, Fault>(data.log(&query))).await {
        Ok(lines) => lines,
        Err(fault) => return call.cannot(&fault),
    };
    show(&Log {
        search,
        levels: levels(call.texts).map(|(one, word)| (one, word, one == depth)).into(),
        lines: lines.into_iter().map(LogRow::of).collect(),
        frame: call.frame(call.texts.log, "log"),
    })
}

fn levels(t: &Texts) -> [(u8, &'static str); 4] {
    [(1, t.level_error), (2, t.level_warn), (3, t.level_info), (5, t.level_all)]
}

impl LogRow {
    fn of(line: LogLine) -> Self {
        let about: Vec<_> = [line.lab, line.order].into_iter().flatten().collect();
        Self {
            at: When::at(line.at),
            level: line.level,
            tone: match line.level {
                "ERROR" => Tone::Bad,
                "WARN" => Tone::Warn,
                _ => Tone::Rest,
            },
            about: about.join("/"),
            text: line.text,
        }
    }
}
