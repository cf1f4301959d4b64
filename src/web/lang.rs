//! Chooses the language of a page.

use axum::http::{HeaderMap, header};

use super::list_texts;
use super::order_texts::{self, OrderTexts};
use super::record_texts::{self, RecordTexts};
use super::texts::{ENGLISH, GERMAN, Texts};

/// The cookie with the user's choice.
pub(super) const COOKIE: &str = "casedrop_lang";

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lang {
    English,
    German,
}

impl Lang {
    /// The language with that code.
    pub(super) fn of_code(code: &str) -> Option<Self> {
        match code {
            "en" => Some(Self::English),
            "de" => Some(Self::German),
            _ => None,
        }
    }

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    pub(super) fn texts(self) -> &'static Texts {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }

    pub(super) fn list_texts(self) -> &'static list_texts::Texts {
        match self {
            Self::English => &list_texts::ENGLISH,
            Self::German => &list_texts::GERMAN,
        }
    }

    /// The words of an order's page.
    pub(super) fn order_texts(self) -> &'static OrderTexts {
        match self {
            Self::English => &order_texts::ENGLISH,
            Self::German => &order_texts::GERMAN,
        }
    }

    /// The words of the records: commands, audit, settings, log.
    pub(super) fn record_texts(self) -> &'static RecordTexts {
        match self {
            Self::English => &record_texts::ENGLISH,
            Self::German => &record_texts::GERMAN,
        }
    }

    /// The user's choice, else the browser's preference.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        chosen(headers).or_else(|| preferred(headers)).unwrap_or(Self::English)
    }
}

fn chosen(headers: &HeaderMap) -> Option<Lang> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|one| one.split_once('='));
    pairs.find(|(name, _)| name.trim() == COOKIE).and_then(|(_, code)| Lang::of_code(code.trim()))
}

/// The first language of the browser that the page has. Browsers list them in order of preference
/// (RFC 9110, section 12.5.4).
fn preferred(headers: &HeaderMap) -> Option<Lang> {
    let named = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
    named.split(',').find_map(|one| {
        let tag = one.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Lang::of_code(tag.split('-').next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(language: &'static str, cookie: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(language));
        headers.insert(header::COOKIE, HeaderValue::from_static(cookie));
        headers
    }

    #[test]
    fn what_was_chosen_counts_before_what_the_browser_prefers() {
        assert_eq!(Lang::of(&headers("de-AT,de;q=0.9,en;q=0.8", "")), Lang::German);
        assert_eq!(Lang::of(&headers("fr, EN-GB;q=0.5, de;q=0.1", "")), Lang::English);
        assert_eq!(Lang::of(&headers("fr", "")), Lang::English);
        assert_eq!(Lang::of(&headers("de", "a=b; casedrop_lang=en")), Lang::English);
        assert_eq!(Lang::of(&headers("de", "casedrop_lang=xx")), Lang::German);
    }
}
