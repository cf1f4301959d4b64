//! The overview: the state of each lab, and what needs attention.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::address::href;
use super::data::StoryLine;
use super::frame::{Call, Frame, show};
use super::lang::Lang;
use super::list_query::Asked;
use super::markup::{Spoken, When, number, segment, size};
use super::orders::Row;
use super::reasons::{self, Wants};
use super::shared::Shared;
use super::texts::fill;
use super::words::Tone;
use super::{setup, story};
use crate::model::fault::Fault;
use crate::model::listing::{OrderPage, OrderQuery};
use crate::model::record::OrderRecord;
use crate::model::time::WallMs;
use crate::status::{LabState, LabStatus, Reason, RunningDownload, Severity, Status};

/// How many lines of news to show.
const NEWS: usize = 12;
/// How many of today's orders to show.
const TODAY: usize = 25;
/// Among how many of today's orders to look for the latest.
const TODAY_MAX: usize = 200;

#[derive(Template)]
#[template(path = "overview.html")]
pub(super) struct Overview {
    frame: Frame,
    /// How things stand, in one sentence.
    standing: Standing,
    today: Today,
    labs: Vec<LabLine>,
    wants: Wants,
    more_failing: Option<String>,
    counts: Vec<(&'static str, Tone, &'static str, String)>,
    /// How many published orders lack something.
    incomplete: Option<String>,
    downloads: Vec<DownloadView>,
    news: Vec<story::LineView>,
    pc: Pc,
}

/// How things stand.
struct Standing {
    tone: Tone,
    /// Whether all is well, or how much is not.
    verdict: String,
    today: String,
    /// When Align last answered.
    answered: Option<Spoken>,
}

/// The orders of today.
struct Today {
    rows: Vec<(When, Row)>,
    /// The whole list: address and words.
    all: (String, String),
}

/// One lab in one line.
struct LabLine {
    name: String,
    account: String,
    tone: Tone,
    word: &'static str,
    /// Answers and orders, in words.
    facts: Vec<Spoken>,
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
    let asked = shared.ask(|data| {
        let status = data.status();
        // How far the set-up is takes looks at disks and logins, so a PC that works is not asked. If
        // that cannot be told now, the overview says why.
        let is_paired = status.labs.iter().any(|lab| lab.account.is_some());
        if !is_paired && data.setup().is_ok_and(|setup| setup::is_unready(&setup)) {
            return Ok(None);
        }
        let now = WallMs::from_rfc3339(&status.at).unwrap_or_default();
        // The status says whether the journal can be read.
        let today = data.orders(&todays(now)).unwrap_or_default();
        Ok::<_, Fault>(Some((status, today, data.news(NEWS).unwrap_or_default())))
    });
    let (status, today, news) = match asked.await {
        Ok(Some(found)) => found,
        Ok(None) => return Redirect::to("/welcome").into_response(),
        Err(fault) => return call.cannot(&fault),
    };
    let frame = call.frame(call.texts.overview, "overview");
    show(&Overview::of(&status, &today, &news, frame, call.lang))
}

/// Asks for the orders that came or were published today.
fn todays(now: WallMs) -> OrderQuery {
    OrderQuery { from: Some(now.start_of_day()), limit: TODAY_MAX, ..OrderQuery::default() }
}

impl Overview {
    pub(super) fn of(
        status: &Status,
        today: &OrderPage,
        news: &[StoryLine],
        frame: Frame,
        lang: Lang,
    ) -> Self {
        let (t, reasons) = (lang.texts(), status.reasons());
        let wants = Wants::of(&reasons, status, t, lang);
        Self {
            standing: Standing::of(status, &reasons, lang),
            today: Today::of(today, status, lang),
            labs: status.labs.iter().map(|lab| LabLine::of(lab, &reasons, status, lang)).collect(),
            wants,
            more_failing: (status.failing_more > 0)
                .then(|| fill(t.more_failing, &[("n", &status.failing_more.to_string())])),
            counts: counts(status, lang),
            incomplete: incomplete(status, lang),
            downloads: status.downloads.iter().map(|one| DownloadView::of(one, lang)).collect(),
            news: story::lines(news, t, lang.order_texts(), lang.code()),
            pc: pc(status, lang),
            frame,
        }
    }
}

impl Standing {
    fn of(status: &Status, reasons: &[Reason], lang: Lang) -> Self {
        let (t, w) = (lang.texts(), lang.list_texts());
        let grave = reasons.iter().filter(|reason| reason.severity > Severity::Info);
        let worst = reasons.iter().map(|reason| reason.severity).max();
        let published: u64 = status.labs.iter().map(|lab| lab.published_today).sum();
        let last = status.labs.iter().filter_map(|lab| lab.good_poll.as_deref()).max();
        Self {
            tone: match worst {
                Some(Severity::Critical) => Tone::Bad,
                Some(Severity::Warning) => Tone::Warn,
                Some(Severity::Info) | None => Tone::Good,
            },
            verdict: match grave.count() {
                0 => format!("{}.", t.all_well),
                1 => w.need_one.to_owned(),
                count => fill(w.need_some, &[("n", &number(count, lang.code()))]),
            },
            today: match published {
                0 => w.today_none.to_owned(),
                1 => w.today_one.to_owned(),
                count => fill(w.today_some, &[("n", &counted(count, lang))]),
            },
            answered: last
                .map(|at| Spoken::with_time(w.answered, "{time}", &When::of(at).relative())),
        }
    }
}

impl Today {
    fn of(today: &OrderPage, status: &Status, lang: Lang) -> Self {
        let w = lang.list_texts();
        let began = WallMs::from_rfc3339(&status.at).unwrap_or_default().start_of_day();
        // When it was published today, else when it came.
        let at = |order: &OrderRecord| {
            let published = order.published.as_ref().map(|one| one.at);
            published.filter(|at| *at >= began).unwrap_or(order.first_seen)
        };
        let mut orders: Vec<_> = today.orders.iter().map(|order| (at(order), order)).collect();
        orders.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let rows = orders.iter().take(TODAY);
        Self {
            rows: rows.map(|(at, order)| (When::at(*at), Row::of(order, lang))).collect(),
            all: if today.total > TODAY {
                let count = number(today.total, lang.code());
                (Asked::since(began).address(), fill(w.today_all, &[("n", &count)]))
            } else {
                ("/orders".to_owned(), w.all_orders.to_owned())
            },
        }
    }
}

impl LabLine {
    fn of(lab: &LabStatus, reasons: &[Reason], status: &Status, lang: Lang) -> Self {
        let w = lang.list_texts();
        let (tone, word) = reasons::of_lab(lab, reasons, status, lang.texts());
        let at = |text: &'static str, at: &Option<String>| {
            let at = When::of(at.as_deref()?).relative();
            Some(Spoken::with_time(text, "{time}", &at))
        };
        let answer = at(w.last_answer, &lab.good_poll);
        let today = fill(w.today_of_lab, &[("n", &counted(lab.published_today, lang))]);
        let facts = [
            Some(answer.unwrap_or_else(|| Spoken::of(w.never_answered))),
            at(w.next_check, &lab.next_poll),
            Some(Spoken::of(&today)),
        ];
        Self {
            name: lab.lab.to_string(),
            account: match (&lab.account, &lab.account_name) {
                (Some(id), Some(name)) => format!("{name} ({id})"),
                (Some(id), None) => id.to_string(),
                (None, _) => String::new(),
            },
            tone,
            word,
            facts: facts.into_iter().flatten().collect(),
            state: lab.state,
            path: segment(lab.lab.as_str()),
        }
    }
}

fn counted(count: u64, lang: Lang) -> String {
    number(usize::try_from(count).unwrap_or(usize::MAX), lang.code())
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
            href: href(&one.key),
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
