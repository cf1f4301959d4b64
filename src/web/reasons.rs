//! The status reasons in the page's language. Which reasons exist, and how grave they are, is
//! decided elsewhere, in the one place that `/health` and all others use too: here each gets its
//! words and its button, and none is left out.

use std::time::Duration;

use super::address::href;
use super::lang::Lang;
use super::list_texts;
use super::markup::{Spoken, number, segment, size};
use super::texts::{Texts, fill};
use super::words::Tone;
use crate::model::ids::LabName;
use crate::model::staff::for_staff;
use crate::status::{Code, FailingOrder, Figure, LabStatus, Reason, Severity, Status};

/// One reason, and what a person can do about it.
pub(super) struct Want {
    /// Its code; `None` for one of several orders behind a code.
    pub(super) code: Option<&'static str>,
    pub(super) tone: Tone,
    pub(super) title: String,
    pub(super) text: String,
    pub(super) hint: String,
    /// What failed and what to do, in the agent's own English.
    pub(super) said: Option<(Spoken, Option<Spoken>)>,
    pub(super) action: Action,
}

/// The button or link for it.
pub(super) enum Action {
    None,
    /// A link: target and words.
    Go(String, &'static str),
    /// A form: target and words.
    Do(String, &'static str),
}

/// What needs attention, and what is good to know.
pub(super) struct Wants {
    pub(super) urgent: Vec<Want>,
    pub(super) others: Vec<Want>,
    /// Orders that are retried automatically.
    pub(super) retried: Vec<Want>,
}

/// The wording: title, text, hint.
type Words = (&'static str, &'static str, &'static str);

impl Wants {
    pub(super) fn of(reasons: &[Reason], status: &Status, t: &'static Texts, lang: Lang) -> Self {
        let mut all = Self { urgent: Vec::new(), others: Vec::new(), retried: Vec::new() };
        for reason in reasons {
            let want = Want::of(reason, status, t, lang);
            if reason.severity == Severity::Info {
                all.others.push(want);
                continue;
            }
            all.urgent.push(want);
            if reason.code == Code::OrdersNeedAttention {
                let parked = status.failing.iter().filter(|order| needs_attention(order));
                all.urgent.extend(parked.map(|order| Want::order(order, t)));
            }
        }
        let retried = status.failing.iter().filter(|order| !needs_attention(order));
        all.retried = retried.map(|order| Want::order(order, t)).collect();
        all
    }
}

/// A sentence of the agent, for staff.
fn spoken(text: &str) -> Spoken {
    Spoken::of(&for_staff(text))
}

fn needs_attention(order: &FailingOrder) -> bool {
    order.state == "attention"
}

impl Want {
    fn of(reason: &Reason, status: &Status, t: &'static Texts, lang: Lang) -> Self {
        let (title, text, hint) = words(reason.code, t, lang.list_texts());
        let lang = lang.code();
        let lab = reason.lab.as_ref();
        let known = lab.and_then(|name| status.labs.iter().find(|one| one.lab == *name));
        let gaps = [
            ("n", count(reason.figure, lang)),
            ("time", time(reason.figure, t)),
            ("free", free(reason.figure, lang)),
            ("min", size(status.output.min_free, lang)),
        ];
        let gaps: Vec<_> = gaps.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let title = fill(title, &gaps);
        let by = known.and_then(|lab| lab.paused.as_ref()).and_then(|paused| paused.by.as_deref());
        let text = match by {
            Some(who) if reason.code == Code::Paused => fill(t.paused_by, &[("who", who)]),
            _ => fill(text, &gaps),
        };
        // What the general words leave out.
        let said = reason.detail.as_ref().map(|said| {
            let own = said.hint.as_ref().filter(|_| is_general(reason.code));
            (spoken(&said.message), own.map(String::as_str).map(spoken))
        });
        let hint = if said.as_ref().is_some_and(|(_, own)| own.is_some()) { "" } else { hint };
        Self {
            code: Some(reason.code.as_str()),
            tone: tone(reason),
            title: lab.map_or(title.clone(), |lab| format!("{lab}: {title}")),
            text,
            hint: fill(hint, &gaps),
            said,
            action: match (reason.code, lab) {
                (Code::OrdersHeld, _) => Action::Go("/orders?state=held".to_owned(), t.show),
                (Code::OrdersNeedAttention, _) => {
                    Action::Go("/orders?state=attention".to_owned(), t.show)
                }
                (_, Some(lab)) => action(reason.code, lab, t),
                (_, None) => Action::None,
            },
        }
    }

    fn order(order: &FailingOrder, t: &'static Texts) -> Self {
        let hint = order.hint.as_deref().map(spoken);
        Self {
            code: None,
            tone: if needs_attention(order) { Tone::Warn } else { Tone::Rest },
            title: order.key.to_string(),
            text: String::new(),
            hint: String::new(),
            said: Some((spoken(&order.message), hint)),
            action: Action::Go(href(&order.key), t.show),
        }
    }
}

/// The one thing that matters most about a lab: its tone and its word.
pub(super) fn of_lab(
    lab: &LabStatus,
    reasons: &[Reason],
    status: &Status,
    t: &'static Texts,
) -> (Tone, &'static str) {
    let own = |reason: &&Reason| reason.lab.as_ref() == Some(&lab.lab);
    let is_critical = |reason: &&Reason| reason.severity == Severity::Critical;
    // Whatever keeps orders from all labs counts for each of them.
    let first = reasons
        .iter()
        .find(|reason| own(reason) && is_critical(reason))
        .or_else(|| reasons.iter().find(|reason| reason.lab.is_none() && is_critical(reason)))
        .or_else(|| reasons.iter().find(own));
    if let Some(reason) = first {
        return (tone(reason), title(reason.code, t));
    }
    let Some(told) = &status.notifications else { return (Tone::Good, t.lab_polling) };
    let is_missing =
        |reason: &Reason| matches!(reason.code, Code::Listener | Code::NotificationsMissing);
    if reasons.iter().any(is_missing) {
        (Tone::Warn, t.lab_not_notified)
    } else if told.last.is_none() {
        // Being switched on does not prove that Align's calls arrive.
        (Tone::Rest, t.lab_never_notified)
    } else {
        (Tone::Good, t.lab_notified)
    }
}

/// Whether the agent's own hint, if there is one, says more than the general one.
fn is_general(code: Code) -> bool {
    matches!(code, Code::Journal | Code::AlignUnreachable | Code::Listener | Code::Note)
}

fn tone(reason: &Reason) -> Tone {
    match (reason.code, reason.severity) {
        (Code::Starting, _) => Tone::Busy,
        (_, Severity::Critical) => Tone::Bad,
        (_, Severity::Warning) => Tone::Warn,
        (_, Severity::Info) => Tone::Rest,
    }
}

fn action(code: Code, lab: &LabName, t: &'static Texts) -> Action {
    let path = segment(lab.as_str());
    match code {
        Code::LoginNeeded => Action::Do(format!("/labs/{path}/login"), t.log_in),
        Code::NotPaired => Action::Go(format!("/welcome?lab={path}"), t.choose_account),
        Code::Paused => Action::Do(format!("/labs/{path}/resume"), t.resume),
        _ => Action::None,
    }
}

fn title(code: Code, t: &'static Texts) -> &'static str {
    // The title is the same in whatever the rest is said.
    words(code, t, &list_texts::ENGLISH).0
}

fn words(code: Code, t: &'static Texts, w: &'static list_texts::Texts) -> Words {
    match code {
        Code::AgentStopped => (t.stopped, t.stopped_text, t.stopped_hint),
        Code::AgentStuck => (t.stuck, t.stuck_text, t.stuck_hint),
        Code::Journal => (t.journal_fault, t.journal_fault_text, w.journal_hint),
        Code::OutputAway => (t.lab_away, t.away_text, t.away_hint),
        Code::DiskFull => (t.lab_full, t.full_text, t.full_hint),
        Code::LoginNeeded => (t.lab_login, t.login_text, w.login_hint),
        Code::NotPaired => (t.lab_unpaired, t.unpaired_text, w.unpaired_hint),
        Code::NoGoodPoll => (t.lab_overdue, t.overdue_text, t.overdue_hint),
        // The set-up offers no login to a lab that still has one.
        Code::LoginEnds => (t.lab_login_ends, t.login_ends_text, t.login_ends_hint),
        Code::OrdersNeedAttention => (t.need_attention, "", w.attention_hint),
        Code::OrdersHeld => (t.orders_held, "", t.orders_held_hint),
        Code::DownloadsPaused => (t.downloads_paused, "", t.downloads_paused_hint),
        Code::NoOrders => (t.no_orders, t.no_orders_text, t.no_orders_hint),
        Code::DiskLow => (t.disk_low, t.free_of, t.full_hint),
        Code::AlignUnreachable => (t.lab_unreachable, t.unreachable_text, w.unreachable_hint),
        Code::Listener => (t.listener, t.listener_text, w.listener_hint),
        Code::NotificationsMissing => (t.not_notified, t.not_notified_text, t.not_notified_hint),
        Code::UpdateTakenBack => (t.taken_back, t.taken_back_text, w.taken_back_hint),
        Code::JournalRebuilt => (t.journal_rebuilt, "", t.journal_rebuilt_hint),
        Code::Note => (t.note, "", w.note_hint),
        Code::UpdateOnTrial => (t.trial, t.trial_text, w.trial_hint),
        Code::Paused => (t.lab_paused, t.paused_text, w.paused_hint),
        Code::Starting => (t.lab_waiting, "", w.starting_hint),
    }
}

fn count(figure: Option<Figure>, lang: &str) -> String {
    match figure {
        Some(Figure::Count(count)) => number(usize::try_from(count).unwrap_or(usize::MAX), lang),
        _ => String::new(),
    }
}

fn time(figure: Option<Figure>, t: &Texts) -> String {
    let Some(Figure::Time(time)) = figure else { return String::new() };
    let hour = Duration::from_hours(1);
    let (text, count) = if time < hour {
        (t.minutes, time.as_secs() / 60)
    } else {
        (t.hours, time.as_secs() / 3600)
    };
    fill(text, &[("n", &count.max(1).to_string())])
}

fn free(figure: Option<Figure>, lang: &str) -> String {
    match figure {
        Some(Figure::Free(bytes)) => size(bytes, lang),
        _ => String::new(),
    }
}

#[cfg(test)]
#[path = "reasons_tests.rs"]
mod tests;
