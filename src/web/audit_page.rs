//! Who did what on this PC.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::data::AuditQuery;
use super::frame::{Call, Frame, show};
use super::markup::When;
use super::record_texts::RecordTexts;
use super::shared::Shared;
use super::texts::fill;
use super::words::Tone;
use crate::audit::Record;

/// How many records to show.
const RECORDS: usize = 200;
/// Maximum length of a filter, in characters; the rest is cut off.
const FILTER_MAX: usize = 100;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    w: &'static RecordTexts,
    asked: Asked,
    labs: Vec<(String, bool)>,
    newest: Option<String>,
    records: Vec<RecordLine>,
}

struct RecordLine {
    number: u64,
    at: When,
    who: String,
    what: String,
    tone: Tone,
    result: String,
    about: String,
}

/// The parameters of the URL.
#[derive(Deserialize, Default)]
pub(super) struct Asked {
    #[serde(default)]
    order: String,
    #[serde(default)]
    lab: String,
    #[serde(default)]
    who: String,
    /// As the browser's field for dates has it: `2026-11-29`.
    #[serde(default)]
    day: String,
}

impl Asked {
    fn trimmed(self) -> Self {
        let short = |text: &str| text.trim().chars().take(FILTER_MAX).collect();
        let Self { order, lab, who, day } = self;
        Self { order: short(&order), lab: short(&lab), who: short(&who), day: short(&day) }
    }

    fn is_empty(&self) -> bool {
        [&self.order, &self.lab, &self.who, &self.day].iter().all(|text| text.is_empty())
    }

    fn query(&self, w: &RecordTexts) -> AuditQuery {
        AuditQuery {
            order: self.order.clone(),
            lab: self.lab.clone(),
            user: self.who.clone(),
            ways: w.ways(&self.who),
            day: self.day.parse().ok(),
            limit: RECORDS,
        }
    }
}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<Asked>,
    call: Call,
) -> Response {
    let (w, asked) = (call.lang.record_texts(), asked.trimmed());
    let query = asked.query(w);
    let records = match shared.ask(move |data| data.audit(&query)).await {
        Ok(records) => records,
        Err(fault) => return call.cannot(&fault),
    };
    show(&AuditPage {
        labs: shared.labs.iter().map(|lab| (lab.clone(), *lab == asked.lab)).collect(),
        newest: (records.len() == RECORDS).then(|| fill(w.newest, &[("n", &RECORDS.to_string())])),
        records: records.iter().map(|record| RecordLine::of(record, w)).collect(),
        frame: call.frame(call.texts.audit, "audit"),
        w,
        asked,
    })
}

impl RecordLine {
    fn of(record: &Record, w: &RecordTexts) -> Self {
        Self {
            number: record.seq,
            at: When::of(&record.at).exact(),
            who: w.who(record),
            what: w.did(&record.what).to_owned(),
            tone: match record.result.as_str() {
                "done" => Tone::Good,
                "refused" | "failed" => Tone::Bad,
                "unknown" => Tone::Warn,
                _ => Tone::Rest,
            },
            result: w.mark(&record.result).to_owned(),
            about: w.about(record),
        }
    }
}
