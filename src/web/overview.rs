//! The overview: the state of each lab, and what needs attention.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::data::{PageData, StoryLine};
use super::frame::{Call, Frame, show};
use super::lang::Lang;
use super::markup::{When, number, segment, size};
use super::reasons::{self, Wants};
use super::shared::Shared;
use super::texts::{Texts, fill};
use super::words::Tone;
use super::{order, setup};
use crate::model::fault::Fault;
use crate::status::{LabState, LabStatus, Reason, RunningDownload, Status};

/// How many lines of news to show.
const NEWS: usize = 12;

#[derive(Template)]
#[template(path = "overview.html")]
pub(super) struct Overview {
    frame: Frame,
    labs: Vec<LabCard>,
    wants: Wants,
    more_failing: Option<String>,
    counts: Vec<(&'static str, Tone, &'static str, String)>,
    /// How many published orders lack something.
    incomplete: Option<String>,
    downloads: Vec<DownloadView>,
    news: Vec<order::LineView>,
    pc: Pc,
}

/// One lab in one line and color.
struct LabCard {
    name: String,
    account: String,
    tone: Tone,
    word: &'static str,
    good_poll: Option<When>,
    next_poll: Option<When>,
    last_publication: Option<When>,
    today: u64,
    state: LabState,
    path: String,
}

/// A running download.
pub(super) struct DownloadView {
    /// Its order, by the id that scripts use.
    pub(super) id: String,
    pub(super) href: String,
    pub(super) order: String,
    pub(super) asset: String,
    pub(super) done: u64,
    pub(super) total: Option<u64>,
    pub(super) amount: String,
}

struct Pc {
    output: String,
    free: String,
    full: bool,
    version: String,
    update: Option<String>,
    since: Option<When>,
    notifications: String,
}

pub(super) async fn page(State(shared): State<Arc<Shared>>, call: Call) -> Response {
    // If that cannot be told now, the overview says why.
    if shared.ask(PageData::setup).await.is_ok_and(|setup| setup::is_unready(&setup)) {
        return Redirect::to("/welcome").into_response();
    }
    let asked = shared.ask(|data| Ok::<_, Fault>((data.status(), data.news(NEWS))));
    let (status, news) = match asked.await {
        Ok(found) => found,
        Err(fault) => return call.cannot(&fault),
    };
    // The status says whether the journal can be read.
    let frame = call.frame(call.texts.overview, "overview");
    show(&Overview::of(&status, &news.unwrap_or_default(), frame, call.lang))
}

impl Overview {
    pub(super) fn of(status: &Status, news: &[StoryLine], frame: Frame, lang: Lang) -> Self {
        let (t, reasons) = (lang.texts(), status.reasons());
        Self {
            labs: status.labs.iter().map(|lab| lab_card(lab, &reasons, status, t)).collect(),
            wants: Wants::of(&reasons, status, t, lang.code()),
            more_failing: (status.failing_more > 0)
                .then(|| fill(t.more_failing, &[("n", &status.failing_more.to_string())])),
            counts: counts(status, lang),
            incomplete: incomplete(status, lang),
            downloads: status.downloads.iter().map(|one| DownloadView::of(one, lang)).collect(),
            news: news.iter().map(|line: &StoryLine| order::LineView::of(line, t)).collect(),
            pc: pc(status, lang),
            frame,
        }
    }
}

fn lab_card(lab: &LabStatus, reasons: &[Reason], status: &Status, t: &'static Texts) -> LabCard {
    let (tone, word) = reasons::of_lab(lab, reasons, status, t);
    let when = |text: &Option<String>| text.as_deref().map(|text| When::of(text).relative());
    LabCard {
        name: lab.lab.to_string(),
        account: match (&lab.account, &lab.account_name) {
            (Some(id), Some(name)) => format!("{name} ({id})"),
            (Some(id), None) => id.to_string(),
            (None, _) => String::new(),
        },
        tone,
        word,
        good_poll: when(&lab.good_poll),
        next_poll: when(&lab.next_poll),
        last_publication: when(&lab.last_publication),
        today: lab.published_today,
        state: lab.state,
        path: segment(lab.lab.as_str()),
    }
}

fn counts(status: &Status, lang: Lang) -> Vec<(&'static str, Tone, &'static str, String)> {
    let all = crate::model::record::OrderState::ALL.into_iter();
    let counted = all.filter_map(|state| {
        let count = *status.orders.get(state.as_str())?;
        let word = lang.texts().states(state, count);
        Some((state.as_str(), Tone::of_state(state), word, number(count, lang.code())))
    });
    counted.collect()
}

fn incomplete(status: &Status, lang: Lang) -> Option<String> {
    let count: u64 = status.incomplete.values().sum();
    (count > 0).then(|| number(usize::try_from(count).unwrap_or(usize::MAX), lang.code()))
}

impl DownloadView {
    pub(super) fn of(one: &RunningDownload, lang: Lang) -> Self {
        let (t, lang) = (lang.texts(), lang.code());
        let done = size(one.done, lang);
        Self {
            id: one.key.to_string(),
            href: order::href(&one.key),
            order: one.key.to_string(),
            asset: t.asset(&one.asset),
            done: one.done,
            total: one.total,
            amount: match one.total {
                Some(total) => fill(t.of_total, &[("done", &done), ("total", &size(total, lang))]),
                None => done,
            },
        }
    }
}

fn pc(status: &Status, lang: Lang) -> Pc {
    let (t, lang) = (lang.texts(), lang.code());
    let output = &status.output;
    let update = status.update.as_ref().and_then(|update| match (&update.trial, &update.staged) {
        (Some(version), _) => Some(fill(t.on_trial, &[("version", version)])),
        (None, Some(version)) => Some(fill(t.staged, &[("version", version)])),
        (None, None) => None,
    });
    Pc {
        output: output.path.display().to_string(),
        free: output.free.map_or_else(
            || "–".to_owned(),
            |free| {
                let min = size(output.min_free, lang);
                fill(t.free_of, &[("free", &size(free, lang)), ("min", &min)])
            },
        ),
        full: output.is_full(),
        version: status.version.clone(),
        update,
        since: status.agent.since.as_deref().map(When::of),
        notifications: status.notifications.as_ref().map_or_else(
            || t.notifications_off.to_owned(),
            |told| {
                let text = |count: u64| number(usize::try_from(count).unwrap_or(0), lang);
                fill(
                    t.notifications_told,
                    &[
                        ("received", &text(told.received)),
                        ("waiting", &text(told.waiting)),
                        ("missed", &text(told.missed)),
                    ],
                )
            },
        ),
    }
}
