//! The latest lines of the log.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::data::{LogLine, LogQuery};
use super::frame::{Call, Frame, show};
use super::markup::When;
use super::shared::Shared;
use super::texts::Texts;
use super::words::Tone;
use crate::model::fault::Fault;

/// How many lines to show.
const LINES: usize = 300;
/// Maximum length of a search, in characters; the rest is cut off.
const SEARCH_MAX: usize = 100;

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

/// The parameters of the URL.
#[derive(Deserialize, Default)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    level: String,
}

pub(super) async fn page(
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
        lines: lines.iter().map(LogRow::of).collect(),
        frame: call.frame(call.texts.log, "log"),
    })
}

fn levels(t: &Texts) -> [(u8, &'static str); 4] {
    [(1, t.level_error), (2, t.level_warn), (3, t.level_info), (5, t.level_all)]
}

impl LogRow {
    fn of(line: &LogLine) -> Self {
        let (about, text) = once(line);
        Self {
            at: When::at(line.at).exact(),
            level: line.level,
            tone: match line.level {
                "ERROR" => Tone::Bad,
                "WARN" => Tone::Warn,
                _ => Tone::Rest,
            },
            about,
            text,
        }
    }
}

/// What a line is about, and the rest of its text. Messages for terminals begin with the lab or the
/// order, as `smile-lab/4711/17555602: …`, and some with their level.
fn once(line: &LogLine) -> (String, String) {
    let mut text = line.text.as_str();
    let about = [line.lab.as_deref(), line.order.as_deref()];
    let mut about = about.into_iter().flatten().collect::<Vec<_>>().join("/");
    if let Some((begin, rest)) = text.split_once(": ") {
        let mut parts = begin.split('/');
        let is_lab = line.lab.is_some() && line.lab.as_deref() == parts.next();
        let is_order = line.order.is_none() || line.order.as_deref() == parts.next_back();
        if is_lab && is_order {
            begin.clone_into(&mut about);
            text = rest;
        }
    }
    for word in ["warning: ", "error: "] {
        text = text.strip_prefix(word).unwrap_or(text);
    }
    (about, text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::WallMs;

    fn said(lab: Option<&str>, order: Option<&str>, text: &str) -> (String, String) {
        once(&LogLine {
            at: WallMs(0),
            level: "WARN",
            lab: lab.map(str::to_owned),
            order: order.map(str::to_owned),
            text: text.to_owned(),
        })
    }

    #[test]
    fn a_line_names_its_order_and_its_level_once() {
        let pair = |about: &str, text: &str| (about.to_owned(), text.to_owned());
        let (lab, order) = (Some("smile-lab"), Some("17"));
        assert_eq!(
            said(lab, order, "smile-lab/4711/17: fetching"),
            pair("smile-lab/4711/17", "fetching")
        );
        assert_eq!(said(lab, None, "smile-lab: resumed"), pair("smile-lab", "resumed"));
        assert_eq!(said(lab, order, "no route: x"), pair("smile-lab/17", "no route: x"));
        assert_eq!(said(None, order, "order moved"), pair("17", "order moved"));
        assert_eq!(said(None, None, "warning: secrets: y"), pair("", "secrets: y"));
        assert_eq!(said(None, None, "C:/x: gone"), pair("", "C:/x: gone"));
    }
}
