//! What all pages have in common: the language, the navigation, and the answer to the last request.

use std::sync::Arc;

use askama::Template;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

pub(super) use super::answers::AnswerView;

use super::answers::Answer;
use super::gate::Visitor;
use super::lang::{COOKIE, Lang};
use super::list_query::list_of;
use super::list_texts;
use super::shared::Shared;
use super::texts::Texts;
use crate::model::fault::Fault;
use crate::model::staff::for_staff;

/// A call for a page: the visitor, the language and the last answer.
pub(super) struct Call {
    pub(super) lang: Lang,
    pub(super) texts: &'static Texts,
    pub(super) visitor: Visitor,
    pub(super) answer: Option<Answer>,
    guarded: bool,
    names: bool,
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
        let names = shared.show_names;
        Ok(Self { lang, texts: lang.texts(), visitor, answer, guarded, names, path, query })
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
    /// The words of the header and the lists.
    pub(super) w: &'static list_texts::Texts,
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
    /// The list of orders that led here, with its search, filters and page.
    pub(super) list: String,
    /// What was searched for last.
    pub(super) search: String,
    /// Whether there is a password, so that visitors can sign out.
    pub(super) guarded: bool,
    /// Whether the page updates itself.
    pub(super) live: bool,
    /// Whether the visitor may go to other pages.
    pub(super) open: bool,
    /// What the search finds orders by.
    pub(super) hint: &'static str,
}

impl Call {
    /// The frame of a page that updates itself.
    pub(super) fn frame(&self, title: impl Into<String>, here: &'static str) -> Frame {
        let other = match self.lang {
            Lang::English => Lang::German,
            Lang::German => Lang::English,
        };
        let w = self.lang.list_texts();
        let lang = format!("lang={}", other.code());
        let query = if self.query.is_empty() { lang } else { format!("{}&{lang}", self.query) };
        Frame {
            t: self.texts,
            w,
            lang: self.lang.code(),
            title: title.into(),
            here,
            csrf: self.visitor.token(),
            answer: self.answer.as_ref().map(|answer| AnswerView::of(answer, self.lang)),
            other: address(&self.path, &query),
            back: address(&self.path, &self.query),
            list: list_of(&self.query),
            search: String::new(),
            guarded: self.guarded,
            live: true,
            open: self.visitor.signed_in(),
            hint: if self.names { w.search_hint_names } else { w.search_hint },
        }
    }

    /// Drops an answer that no longer says anything new.
    pub(super) fn drop_answer(&mut self, is_over: impl FnOnce(&Answer) -> bool) {
        if self.answer.as_ref().is_some_and(is_over) {
            self.answer = None;
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
        let all = [
            ("overview", "/", self.t.overview),
            ("orders", "/orders", self.t.orders),
            ("diagnostics", "/diagnostics", self.w.diagnostics),
            ("welcome", "/welcome", self.t.welcome),
        ];
        let is_here = |key| self.here == key || (key == "diagnostics" && self.is_diagnostic());
        all.into_iter().map(|(key, href, word)| (href, word, is_here(key))).collect()
    }

    /// The pages below Diagnostics, in the same form, with what each is about.
    pub(super) fn diagnostics(&self) -> Vec<(&'static str, &'static str, &'static str, bool)> {
        let (t, w) = (self.t, self.w);
        let words = [
            (t.log, w.log_about),
            (t.audit, w.audit_about),
            (t.commands, w.commands_about),
            (t.settings, w.settings_about),
        ];
        let all = DIAGNOSTICS.iter().zip(words);
        all.map(|((key, href), (word, about))| (*href, word, about, self.here == *key)).collect()
    }

    /// Whether this is one of those pages.
    pub(super) fn is_diagnostic(&self) -> bool {
        DIAGNOSTICS.iter().any(|(key, _)| *key == self.here)
    }
}

/// The pages for IT, with their links.
const DIAGNOSTICS: [(&str, &str); 4] =
    [("log", "/log"), ("audit", "/audit"), ("commands", "/commands"), ("settings", "/settings")];

#[derive(Template)]
#[template(path = "diagnostics.html")]
struct Diagnostics {
    frame: Frame,
}

pub(super) async fn diagnostics(call: Call) -> Response {
    let frame = call.frame(call.lang.list_texts().diagnostics, "diagnostics").still();
    show(&Diagnostics { frame })
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
    #[test]
    fn what_belongs_to_one_call_is_dropped_from_the_address() {
        assert_eq!(kept("q=a&answer=1&lang=de&page=2"), "q=a&page=2");
        assert_eq!(address("/orders", &kept("answer=1")), "/orders");
    }
}
