//! The overview: how each lab stands, and what needs a person.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::Shared;
use super::frame::{Call, Frame, show};
use super::markup::{When, number, segment, size};
use super::texts::{Texts, fill};
use super::words::Tone;
use super::{house::StoryLine, order};
use crate::model::fault::Fault;
use crate::status::{LabState, LabStatus, RunningDownload, Status};

/// So many lines of what happened last are shown.
const NEWS: usize = 12;
/// A lab that got no answer for so many intervals does not poll as it should.
const OVERDUE: u32 = 5;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    labs: Vec<LabCard>,
    wants: Vec<Want>,
    more_failing: Option<String>,
    counts: Vec<(&'static str, Tone, &'static str, String)>,
    downloads: Vec<DownloadView>,
    news: Vec<order::LineView>,
    pc: Pc,
}

/// One lab in one line and colour.
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

/// Something that a person should do.
struct Want {
    tone: Tone,
    title: String,
    /// Whether the title is the agent's own English.
    english: bool,
    message: String,
    hint: Option<String>,
    action: Action,
}

/// The button or words for it.
enum Action {
    None,
    /// A link: where to and its words.
    Go(String, &'static str),
    /// A form: where to and its words.
    Do(String, &'static str),
}

/// A running download.
pub(super) struct DownloadView {
    /// Its order, as scripts know it.
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
    let asked = shared.ask(|house| Ok::<_, Fault>((house.status(), house.news(NEWS))));
    let (status, news) = match asked.await {
        Ok(found) => found,
        Err(fault) => return call.cannot(&fault),
    };
    let t = call.texts;
    // Whether the journal can be read stands in the status.
    let news = news.unwrap_or_default();
    let page = Overview {
        labs: status.labs.iter().map(|lab| lab_card(lab, &status, t)).collect(),
        wants: wants(&status, t),
        more_failing: (status.failing_more > 0)
            .then(|| fill(t.more_failing, &[("n", &status.failing_more.to_string())])),
        counts: counts(&status, &call),
        downloads: status.downloads.iter().map(|one| DownloadView::of(one, &call)).collect(),
        news: news.iter().map(|line: &StoryLine| order::LineView::of(line, t)).collect(),
        pc: pc(&status, &call),
        frame: call.frame(t.overview, "overview"),
    };
    show(&page)
}

fn lab_card(lab: &LabStatus, status: &Status, t: &Texts) -> LabCard {
    let (tone, word) = in_a_word(lab, status, t);
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

/// The one thing that matters most about a lab.
fn in_a_word(lab: &LabStatus, status: &Status, t: &Texts) -> (Tone, &'static str) {
    match lab.state {
        LabState::LoginNeeded => (Tone::Bad, t.lab_login),
        LabState::NotPaired => (Tone::Bad, t.lab_unpaired),
        _ if status.output.waits.is_some() => (Tone::Bad, t.lab_away),
        _ if status.output.is_full() => (Tone::Bad, t.lab_full),
        LabState::Paused => (Tone::Rest, t.lab_paused),
        LabState::Unreachable => (Tone::Warn, t.lab_unreachable),
        LabState::Waiting => (Tone::Busy, t.lab_waiting),
        LabState::Polling if is_overdue(lab, status) => (Tone::Warn, t.lab_overdue),
        LabState::Polling => {
            let notified = status.notifications.as_ref().is_some_and(|told| told.trouble.is_none());
            (Tone::Good, if notified { t.lab_notified } else { t.lab_polling })
        }
    }
}

/// Whether the last good poll is so long ago that something is wrong, whatever else is said.
fn is_overdue(lab: &LabStatus, status: &Status) -> bool {
    let moment = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let (Some(at), Some(good)) = (moment(&status.at), lab.good_poll.as_deref().and_then(moment))
    else {
        return false;
    };
    let allowed = status.poll_interval.max(120).saturating_mul(u64::from(OVERDUE));
    at.as_second().saturating_sub(good.as_second()) > i64::try_from(allowed).unwrap_or(i64::MAX)
}

/// Everything that waits for a person, the gravest first.
fn wants(status: &Status, t: &'static Texts) -> Vec<Want> {
    let mut wants = Vec::new();
    if let Some(fault) = &status.fault {
        wants.push(Want::said(Tone::Bad, &fault.message, fault.hint.as_deref()));
    }
    for lab in &status.labs {
        wants.extend(lab_want(lab, t));
    }
    if let Some(why) = &status.output.waits {
        let title = t.lab_away.to_owned();
        wants.push(Want { title, english: false, ..Want::said(Tone::Bad, why, None) });
    } else if status.output.is_full() {
        let full = Want::said(Tone::Bad, t.full_text, Some(t.full_hint));
        wants.push(Want { title: t.lab_full.to_owned(), english: false, ..full });
    }
    if let Some(why) = status.notifications.as_ref().and_then(|told| told.trouble.as_ref()) {
        let title = t.notifications.to_owned();
        wants.push(Want { title, ..Want::said(Tone::Warn, why, None) });
    }
    for order in &status.failing {
        let tone = if order.state == "attention" { Tone::Bad } else { Tone::Warn };
        let said = Want::said(tone, &order.message, order.hint.as_deref());
        let action = Action::Go(order::href(&order.key), t.show);
        wants.push(Want { title: order.key.to_string(), action, ..said });
    }
    let notes = status.notes.iter();
    wants.extend(notes.map(|note| Want::said(Tone::Warn, &note.message, note.hint.as_deref())));
    wants
}

fn lab_want(lab: &LabStatus, t: &'static Texts) -> Option<Want> {
    let message = lab.fault.clone().unwrap_or_default();
    let path = segment(lab.lab.as_str());
    let (tone, word, action) = match lab.state {
        LabState::LoginNeeded => {
            (Tone::Bad, t.lab_login, Action::Go(format!("/welcome?lab={path}"), t.log_in))
        }
        LabState::NotPaired => (
            Tone::Bad,
            t.lab_unpaired,
            Action::Go(format!("/welcome?lab={path}"), t.choose_account),
        ),
        LabState::Paused => {
            (Tone::Rest, t.lab_paused, Action::Do(format!("/labs/{path}/resume"), t.resume))
        }
        LabState::Unreachable => (Tone::Warn, t.lab_unreachable, Action::None),
        LabState::Polling | LabState::Waiting => {
            // It polls again, and what went wrong last is told all the same.
            lab.fault.as_ref()?;
            (Tone::Warn, t.lab_waiting, Action::None)
        }
    };
    let by = lab.paused.as_ref().and_then(|paused| paused.by.as_deref());
    let message = match by {
        Some(who) if message.is_empty() => fill(t.paused_by, &[("who", who)]),
        _ => message,
    };
    Some(Want {
        title: format!("{}: {word}", lab.lab),
        english: false,
        action,
        // With a button that does it, no command need be typed.
        hint: lab.hint.clone().filter(|_| !lab.state.needs_login()),
        ..Want::said(tone, &message, None)
    })
}

impl Want {
    /// What the agent says in its own words.
    fn said(tone: Tone, message: &str, hint: Option<&str>) -> Self {
        Self {
            tone,
            title: String::new(),
            english: true,
            message: message.to_owned(),
            hint: hint.map(str::to_owned),
            action: Action::None,
        }
    }
}

fn counts(status: &Status, call: &Call) -> Vec<(&'static str, Tone, &'static str, String)> {
    let all = crate::model::record::OrderState::ALL.into_iter();
    let counted = all.filter_map(|state| {
        let count = *status.orders.get(state.as_str())?;
        let word = call.texts.state(state);
        Some((state.as_str(), Tone::of_state(state), word, number(count, call.lang.code())))
    });
    counted.collect()
}

impl DownloadView {
    pub(super) fn of(one: &RunningDownload, call: &Call) -> Self {
        let lang = call.lang.code();
        let done = size(one.done, lang);
        Self {
            id: one.key.to_string(),
            href: order::href(&one.key),
            order: one.key.to_string(),
            asset: one.asset.clone(),
            done: one.done,
            total: one.total,
            amount: match one.total {
                Some(total) => {
                    fill(call.texts.of_total, &[("done", &done), ("total", &size(total, lang))])
                }
                None => done,
            },
        }
    }
}

fn pc(status: &Status, call: &Call) -> Pc {
    let (t, lang) = (call.texts, call.lang.code());
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
