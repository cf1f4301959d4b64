//! Answers to the page's own requests: kept for a while, said in the page's language, and dropped
//! as soon as what they announce has happened.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::lang::Lang;
use super::list_texts::Texts;
use super::markup::{Spoken, When};
use super::texts::fill;
use super::words::Tone;
use crate::model::request::{Outcome, Reply, Request};
use crate::model::staff::for_staff;
use crate::model::time::WallMs;

/// How many answers to keep for the pages that show them.
const KEPT: usize = 200;
/// How long an answer is shown at most.
const SHOWN: Duration = Duration::from_mins(10);
/// How long an answer is shown at least: whoever pressed a button wants to read what it did.
const READ: Duration = Duration::from_secs(5);

/// What a request was about, so that its answer can be said in any language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    Pause(Option<String>),
    Resume(Option<String>),
    Poll(Option<String>),
    Refetch,
    Publish,
    Return(String),
    /// A login or pairing of this lab.
    Pair(Option<String>),
    Other,
}

impl About {
    pub(super) fn of(request: &Request) -> Self {
        match request {
            Request::Pause { lab } => Self::Pause(lab.clone()),
            Request::Resume { lab } => Self::Resume(lab.clone()),
            Request::Poll { lab } => Self::Poll(lab.clone()),
            Request::Refetch { .. } => Self::Refetch,
            Request::Publish { .. } => Self::Publish,
            Request::Return { order, .. } => Self::Return(order.to_string()),
            Request::Pair { lab, .. } => Self::Pair(lab.clone()),
            Request::Unpair { .. }
            | Request::Verify { .. }
            | Request::Status {}
            | Request::Update { .. }
            | Request::TestOrder { .. }
            | Request::Output { .. } => Self::Other,
        }
    }
}

/// An answer, and what it answers.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) about: About,
    pub(super) reply: Reply,
    /// When it was given.
    pub(super) at: WallMs,
}

impl Answer {
    pub(super) fn new(about: About, reply: Reply) -> Self {
        Self { about, reply, at: SystemTime::now().into() }
    }

    fn is_over(&self, now: WallMs) -> bool {
        self.at.plus(SHOWN) < now
    }

    /// Whether it announces the fetching or publishing of an order, of which a revision was
    /// published at this time, or a failure was recorded.
    pub(super) fn is_settled_by(&self, happened: Option<WallMs>) -> bool {
        matches!(self.about, About::Refetch | About::Publish)
            && self.reply.outcome == Outcome::Done
            && happened.is_some_and(|happened| happened >= self.at)
            && self.at.plus(READ) < WallMs::from(SystemTime::now())
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::new(About::Other, reply)
    }
}

/// Answers to requests of pages, by request id. Newer ones replace the oldest.
#[derive(Default)]
pub(super) struct Answers(Mutex<VecDeque<(String, Answer)>>);

impl Answers {
    pub(super) fn keep(&self, id: String, answer: Answer) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(other, _)| *other != id);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((id, answer));
    }

    /// The answer with that id, unless it is old.
    pub(super) fn of(&self, id: &str) -> Option<Answer> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|(other, _)| other == id).map(|(_, answer)| answer);
        found.filter(|answer| !answer.is_over(SystemTime::now().into())).cloned()
    }
}

/// An answer, ready to show.
pub(super) struct AnswerView {
    pub(super) tone: Tone,
    pub(super) word: &'static str,
    pub(super) lines: Vec<Spoken>,
    pub(super) next: Vec<Spoken>,
    /// The language of the lines.
    pub(super) lang: &'static str,
}

impl AnswerView {
    pub(super) fn of(answer: &Answer, lang: Lang) -> Self {
        let reply = &answer.reply;
        let lines = |text: &str| for_staff(text).lines().map(Spoken::of).collect();
        let own = (reply.outcome == Outcome::Done).then(|| own_words(answer, lang.list_texts()));
        let (lines, next, lang_of_lines) = if let Some((said, next)) = own.flatten() {
            (said, next, lang.code())
        } else {
            let next = reply.next.as_deref().map(lines).unwrap_or_default();
            (lines(&reply.message), next, "en")
        };
        Self {
            tone: Tone::of_outcome(reply.outcome),
            word: lang.texts().outcome(reply.outcome),
            lines,
            next,
            lang: lang_of_lines,
        }
    }
}

/// What happened and what to do next, in the page's language; `None` if there are no words for it.
fn own_words(answer: &Answer, t: &'static Texts) -> Option<(Vec<Spoken>, Vec<Spoken>)> {
    let details = &answer.reply.details;
    let said = |text: &str| vec![Spoken::of(text)];
    Some(match &answer.about {
        About::Pause(Some(lab)) => {
            (said(&fill(t.said_paused, &[("lab", lab)])), said(t.said_resume))
        }
        About::Resume(Some(lab)) => (said(&fill(t.said_resumed, &[("lab", lab)])), Vec::new()),
        About::Poll(Some(lab)) => {
            let at = details["polls"][0]["poll_at"].as_str()?;
            let is_now = WallMs::from_rfc3339(at)? <= answer.at;
            let line = if is_now {
                Spoken::of(&fill(t.said_polling, &[("lab", lab)]))
            } else {
                let text = fill(t.said_poll_later, &[("lab", lab)]);
                Spoken::with_time(&text, "{time}", &When::of(at))
            };
            (vec![line], Vec::new())
        }
        About::Refetch => {
            let orders = details["orders"].as_array()?;
            let mut lines = Vec::new();
            for one in orders {
                let is_known = one["known"].as_bool()?;
                let text = if is_known { t.said_fetch } else { t.said_fetch_new };
                lines.push(Spoken::of(&fill(text, &[("order", one["order"].as_str()?)])));
            }
            // Who reads this page can see that Casedrop runs, and whether a lab is paused.
            for lab in details["paused"].as_array().into_iter().flatten() {
                lines.push(Spoken::of(&fill(t.said_fetch_paused, &[("lab", lab.as_str()?)])));
            }
            (lines, Vec::new())
        }
        About::Publish => {
            let order = details["orders"][0]["order"].as_str()?;
            (said(&fill(t.said_publish, &[("order", order)])), Vec::new())
        }
        About::Return(order) => {
            (said(&fill(t.said_returned, &[("order", order)])), said(t.said_rescan))
        }
        About::Pause(None)
        | About::Resume(None)
        | About::Poll(None)
        | About::Pair(_)
        | About::Other => {
            return None;
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn done(message: &str) -> Answer {
        Answer::new(About::Other, Reply::new(Outcome::Done, message))
    }

    #[test]
    fn answers_are_kept_by_their_ids_and_only_so_many() {
        let answers = Answers::default();
        for number in 0..=KEPT {
            answers.keep(number.to_string(), done(&number.to_string()));
        }
        answers.keep("7".to_owned(), done("again"));
        assert!(answers.of("0").is_none());
        assert_eq!(answers.of("7").map(|answer| answer.reply.message).as_deref(), Some("again"));
        assert_eq!(answers.0.lock().expect("sound").len(), KEPT);
    }

    #[test]
    fn an_answer_is_over_after_a_while_and_once_what_it_announces_has_happened() {
        let answers = Answers::default();
        let old = Answer { at: WallMs(0), ..done("old") };
        answers.keep("1".to_owned(), old);
        assert!(answers.of("1").is_none());
        let at = WallMs(1000);
        let fetch = Answer { at, about: About::Refetch, ..done("will be fetched") };
        assert!(!fetch.is_settled_by(None) && !fetch.is_settled_by(Some(WallMs(999))));
        assert!(fetch.is_settled_by(Some(at)));
        let just = Answer::new(About::Refetch, Reply::new(Outcome::Done, "will be fetched"));
        assert!(!just.is_settled_by(Some(just.at)), "nobody has read it yet");
        assert!(!done("paused").is_settled_by(Some(at)));
        let refused = Answer { reply: Reply::new(Outcome::Refused, "no"), ..fetch };
        assert!(!refused.is_settled_by(Some(at)), "a refusal announces nothing");
    }

    #[test]
    fn what_was_done_is_said_in_the_language_of_the_page_and_names_no_command() {
        let orders = json!({ "orders": [{ "order": "17", "known": true }], "paused": ["north"] });
        let new = json!({ "orders": [{ "order": "18", "known": false }] });
        let later = json!({ "polls": [{ "poll_at": "2999-01-01T00:00:00Z" }] });
        let lab = Some("north".to_owned());
        for (about, details, english, german) in [
            (
                About::Refetch,
                orders.clone(),
                "Order 17 will be fetched again.",
                "Auftrag 17 wird neu",
            ),
            (About::Refetch, orders.clone(), "north is paused", "north ist pausiert"),
            (About::Refetch, new, "Order 18 is requested", "Auftrag 18 wird"),
            (About::Publish, orders, "will be published as it is", "wird so abgelegt"),
            (About::Pause(lab.clone()), json!({}), "Resume", "Fortsetzen"),
            (About::Resume(lab.clone()), json!({}), "looks for new orders", "neuen Aufträgen"),
            (About::Poll(lab), later, "<time datetime=\"2999", "<time datetime=\"2999"),
            (About::Return("17".to_owned()), json!({}), "went back to", "zurück an die Praxis"),
        ] {
            let reply = Reply::new(Outcome::Done, "`casedrop show 17`").details(details);
            let answer = Answer::new(about, reply);
            for (lang, wanted) in [(Lang::English, english), (Lang::German, german)] {
                let view = AnswerView::of(&answer, lang);
                let said: Vec<_> =
                    view.lines.iter().chain(&view.next).map(ToString::to_string).collect();
                let said = said.join("\n");
                assert!(said.contains(wanted) && !said.contains('`'), "{said}");
                assert_eq!(view.lang, lang.code());
            }
        }
    }

    #[test]
    fn all_else_is_said_as_the_agent_says_it_with_local_times() {
        let reply =
            Reply::new(Outcome::Refused, "it <was> `paused` since 2026-06-01T12:00:00Z, by x");
        let view = AnswerView::of(&Answer::new(About::Poll(None), reply), Lang::German);
        assert_eq!(view.lang, "en");
        let line = view.lines[0].to_string();
        assert!(line.starts_with("it &#60;was&#62; paused since <time datetime="), "{line}");
        assert!(line.ends_with("</time>, by x"), "{line}");
    }
}
