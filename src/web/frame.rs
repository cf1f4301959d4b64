//! What all pages have in common: the language, the navigation, and the answer to the last request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::gate::Visitor;
use super::lang::{COOKIE, Lang};
use super::shared::Shared;
use super::texts::Texts;
use super::words::Tone;
use crate::model::fault::Fault;
use crate::model::request::Reply;
use crate::model::staff::for_staff;

/// How many answers to keep for the pages that show them.
const ANSWERS: usize = 200;

/// Answers to requests of pages, by request id. Newer ones replace the oldest.
#[derive(Default)]
pub(super) struct Answers(Mutex<VecDeque<(String, Reply)>>);

impl Answers {
    pub(super) fn keep(&self, id: String, reply: Reply) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(other, _)| *other != id);
        if kept.len() >= ANSWERS {
            kept.pop_front();
        }
        kept.push_back((id, reply));
    }

    pub(super) fn of(&self, id: &str) -> Option<Reply> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|(other, _)| other == id).map(|(_, reply)| reply.clone())
    }
}

/// A call for a page: the visitor, the language and the last answer.
pub(super) struct Call {
    pub(super) lang: Lang,
    pub(super) texts: &'static Texts,
    pub(super) visitor: Visitor,
    pub(super) answer: Option<Reply>,
    guarded: bool,
    /// The page's own URL, without parameters that belong to a single call.
    path: String,
    query: String,
}

#[derive(Deserialize, Default)]
struct Asked {
    answer: Option<String>,
    lang: Option<String>,
}

impl FromRequestParts<Arc<Shared>> for Call {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, Self::Rejection> {
        let asked = Query::<Asked>::try_from_uri(&parts.uri);
        let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
        let path = parts.uri.path().to_owned();
        let query = kept(parts.uri.query().unwrap_or_default());
        if let Some(lang) = asked.lang.as_deref().and_then(Lang::of_code) {
            return Err(chosen(lang, &address(&path, &query)));
        }
        let visitor = parts.extensions.get::<Visitor>().cloned();
        // The gate admits no request without a visitor.
        let visitor = visitor.ok_or_else(|| StatusCode::FORBIDDEN.into_response())?;
        let lang = Lang::of(&parts.headers);
        let answer = asked.answer.and_then(|id| shared.answers.of(&id));
        let guarded = shared.gate.asks_password() && visitor.signed_in();
        Ok(Self { lang, texts: lang.texts(), visitor, answer, guarded, path, query })
    }
}

/// The query without answer id and language.
fn kept(query: &str) -> String {
    let is_ours = |pair: &&str| !pair.starts_with("answer=") && !pair.starts_with("lang=");
    query.split('&').filter(is_ours).filter(|pair| !pair.is_empty()).collect::<Vec<_>>().join("&")
}

fn address(path: &str, query: &str) -> String {
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Stores the language in a cookie for a year.
pub(super) fn chosen(lang: Lang, to: &str) -> Response {
    let mut response = Redirect::to(to).into_response();
    let cookie =
        format!("{COOKIE}={}; Path=/; Max-Age=31536000; SameSite=Strict; HttpOnly", lang.code());
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The frame around a page's own content.
pub(super) struct Frame {
    pub(super) t: &'static Texts,
    pub(super) lang: &'static str,
    pub(super) title: String,
    /// The page's entry in the navigation.
    pub(super) here: &'static str,
    /// The CSRF token of each form.
    pub(super) csrf: String,
    pub(super) answer: Option<AnswerView>,
    /// The URL of the same page in the other language.
    pub(super) other: String,
    /// Where an action returns to.
    pub(super) back: String,
    /// Whether there is a password, so that visitors can sign out.
    pub(super) guarded: bool,
    /// Whether the page updates itself.
    pub(super) live: bool,
}

/// An answer, ready to show.
pub(super) struct AnswerView {
    pub(super) tone: Tone,
    pub(super) word: &'static str,
    pub(super) lines: Vec<String>,
    pub(super) next: Vec<String>,
}

impl AnswerView {
    pub(super) fn of(reply: &Reply, texts: &Texts) -> Self {
        let lines = |text: &str| for_staff(text).lines().map(str::to_owned).collect();
        Self {
            tone: Tone::of_outcome(reply.outcome),
            word: texts.outcome(reply.outcome),
            lines: lines(&reply.message),
            next: reply.next.as_deref().map(lines).unwrap_or_default(),
        }
    }
}

impl Call {
    /// The frame of a page that updates itself.
    pub(super) fn frame(&self, title: impl Into<String>, here: &'static str) -> Frame {
        let other = match self.lang {
            Lang::English => Lang::German,
            Lang::German => Lang::English,
        };
        let lang = format!("lang={}", other.code());
        let query = if self.query.is_empty() { lang } else { format!("{}&{lang}", self.query) };
        Frame {
            t: self.texts,
            lang: self.lang.code(),
            title: title.into(),
            here,
            csrf: self.visitor.token(),
            answer: self.answer.as_ref().map(|reply| AnswerView::of(reply, self.texts)),
            other: address(&self.path, &query),
            back: address(&self.path, &self.query),
            guarded: self.guarded,
            live: true,
        }
    }

    /// Responds that something was not found.
    pub(super) fn nothing(&self, text: &'static str) -> Response {
        let frame = self.still_frame(text);
        let page = Notice { frame, text: text.to_owned(), hint: None };
        (StatusCode::NOT_FOUND, show(&page)).into_response()
    }

    /// Responds that a form was not the way our pages create it.
    pub(super) fn bad_form(&self) -> Response {
        let frame = self.still_frame(self.texts.cannot_show);
        let page = Notice { frame, text: self.texts.bad_form.to_owned(), hint: None };
        (StatusCode::UNPROCESSABLE_ENTITY, show(&page)).into_response()
    }

    /// Says why a page cannot be shown now.
    pub(super) fn cannot(&self, fault: &Fault) -> Response {
        let frame = self.still_frame(self.texts.cannot_show);
        let hint = fault.hint.as_deref().map(for_staff);
        let page = Notice { frame, text: for_staff(&fault.chain()), hint };
        (StatusCode::SERVICE_UNAVAILABLE, show(&page)).into_response()
    }

    fn still_frame(&self, title: &str) -> Frame {
        self.frame(title, "").still()
    }
}

/// The response for unknown paths.
pub(super) async fn no_such_page(call: Call) -> Response {
    call.nothing(call.texts.not_found)
}

impl Frame {
    /// The same frame for a page that does not update itself.
    pub(super) fn still(self) -> Self {
        Self { live: false, ..self }
    }

    /// The navigation: link, words and whether the entry is the current page, for each entry.
    pub(super) fn entries(&self) -> Vec<(&'static str, &'static str, bool)> {
        let t = self.t;
        let all = [
            ("overview", "/", t.overview),
            ("orders", "/orders", t.orders),
            ("commands", "/commands", t.commands),
            ("audit", "/audit", t.audit),
            ("settings", "/settings", t.settings),
            ("log", "/log", t.log),
            ("welcome", "/welcome", t.welcome),
        ];
        all.into_iter().map(|(key, href, word)| (href, word, self.here == key)).collect()
    }
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Notice {
    frame: Frame,
    text: String,
    hint: Option<String>,
}

/// A page as a response.
pub(super) fn show(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(error) => {
            tracing::error!("a page could not be written: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::request::Outcome;

    #[test]
    fn answers_are_kept_by_their_ids_and_only_so_many() {
        let answers = Answers::default();
        for number in 0..=ANSWERS {
            answers.keep(number.to_string(), Reply::new(Outcome::Done, number.to_string()));
        }
        answers.keep("7".to_owned(), Reply::new(Outcome::Done, "again"));
        assert!(answers.of("0").is_none());
        assert_eq!(answers.of("7").map(|reply| reply.message).as_deref(), Some("again"));
        assert_eq!(answers.0.lock().expect("sound").len(), ANSWERS);
    }

    #[test]
    fn what_belongs_to_one_call_is_dropped_from_the_address() {
        assert_eq!(kept("q=a&answer=1&lang=de&page=2"), "q=a&page=2");
        assert_eq!(address("/orders", &kept("answer=1")), "/orders");
    }
}
