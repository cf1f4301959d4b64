//! The history of orders, in words: each thing once.

use super::address::href;
use super::data::StoryLine;
use super::markup::When;
use super::order_texts::OrderTexts;
use super::texts::{Texts, fill};
use super::words::Tone;
use crate::model::ids::OrderKey;
use crate::model::manifest::Reason;
use crate::model::time::WallMs;

/// How an attempt begins that found Align's files unfinished, which is nobody's failure.
const UNFINISHED: &str = "Align has not finished preparing";
/// What an attempt to fetch ends with.
const ENDS: [&str; 5] = ["published", "unchanged", "held", "failed", "parked"];

/// A line of a history, ready to show.
pub(super) struct LineView {
    pub(super) tone: Tone,
    pub(super) did: String,
    pub(super) href: String,
    pub(super) order: String,
    pub(super) at: When,
    /// What the heading does not say yet; may be empty.
    pub(super) text: String,
    /// The language of the text.
    pub(super) lang: &'static str,
    /// How often in a row it happened, in words, and when first; if more than once.
    pub(super) more: Option<(String, When)>,
}

/// Lines for the page, newest first like `story`. Left out is what a later line says as well: that
/// fetching began, once it has ended.
pub(super) fn lines(
    story: &[StoryLine],
    t: &Texts,
    w: &OrderTexts,
    lang: &'static str,
) -> Vec<LineView> {
    let mut lines: Vec<(&StoryLine, usize, WallMs)> = Vec::new();
    for (at, line) in story.iter().enumerate() {
        let is_of_it = |other: &&StoryLine| other.key == line.key;
        let later = || story[..at].iter().rev().find(is_of_it);
        if line.kind == "fetching" && later().is_some_and(|one| ENDS.contains(&&*one.kind)) {
            continue;
        }
        let same = |one: &&mut (&StoryLine, usize, WallMs)| {
            (&one.0.key, &one.0.kind, &one.0.text) == (&line.key, &line.kind, &line.text)
        };
        let key: &OrderKey = &line.key;
        match lines.iter_mut().rev().find(|one| one.0.key == *key).filter(same) {
            Some(last) => {
                last.1 += 1;
                last.2 = line.at;
            }
            None => lines.push((line, 1, line.at)),
        }
    }
    let view = |(line, count, first): (&StoryLine, usize, WallMs)| LineView {
        more: (count > 1).then(|| (fill(w.times, &[("n", &count.to_string())]), When::at(first))),
        ..LineView::of(line, t, w, lang)
    };
    lines.into_iter().map(view).collect()
}

impl LineView {
    fn of(line: &StoryLine, t: &Texts, w: &OrderTexts, lang: &'static str) -> Self {
        let (text, lang) =
            rest(line, t, w, lang).map_or((line.text.clone(), "en"), |text| (text, lang));
        let unfinished = is_unfinished(line);
        let did = t.did(&line.kind).map_or_else(|| line.kind.clone(), str::to_owned);
        Self {
            tone: if unfinished { Tone::Busy } else { Tone::of_line(&line.kind) },
            did: match &*line.kind {
                _ if unfinished => w.preparing.to_owned(),
                "unchanged" if text.is_empty() => w.nothing_changed.to_owned(),
                _ => did,
            },
            href: href(&line.key),
            order: line.key.order.to_string(),
            at: When::at(line.at),
            text,
            lang,
            more: None,
        }
    }
}

fn is_unfinished(line: &StoryLine) -> bool {
    line.kind == "failed" && line.text.starts_with(UNFINISHED)
}

/// What a line's text adds to its heading, in the page's words; `None`: the text itself, for lack
/// of other words.
fn rest(line: &StoryLine, t: &Texts, w: &OrderTexts, lang: &str) -> Option<String> {
    let words = match (&*line.kind, &*line.text) {
        ("fetching", "fetching")
        | ("unchanged", "fetched again, unchanged" | "unchanged")
        | ("asked", "requested again")
        | ("released", "will be published as it is, although it is incomplete") => "",
        ("failed", text) if text.starts_with(UNFINISHED) => "",
        ("asked", "requested by its number; Align has not listed it here") => w.never_listed,
        ("unchanged", "fetched again, unchanged; still held back") => w.still_held,
        ("left" | "taken", text) if text.ends_with("; Casedrop fetches it anyway") => {
            w.fetches_anyway
        }
        ("returned", "sent back to the doctor for a rescan; expected back") => w.expected_back,
        ("published", text) => return published(text, t, w, lang),
        _ => return None,
    };
    Some(words.to_owned())
}

/// `published revision 2 (rescan, 16 files, 4.4 MB), …`, as the engine writes it.
fn published(text: &str, t: &Texts, w: &OrderTexts, lang: &str) -> Option<String> {
    let (number, rest) = text.strip_prefix("published revision ")?.split_once(" (")?;
    let (facts, rest) = rest.split_once(')')?;
    // What follows has only English words.
    if !rest.is_empty() {
        return None;
    }
    let mut facts = facts.splitn(3, ", ");
    let (reason, files, size) = (facts.next()?, facts.next()?, facts.next()?);
    let reason: Reason = serde_json::from_value(reason.into()).ok()?;
    let size = if lang == "de" { size.replace('.', ",") } else { size.to_owned() };
    let values = [
        ("n", number),
        ("reason", t.reason_of(reason)),
        ("files", files.strip_suffix(" files")?),
        ("size", &*size),
    ];
    Some(fill(w.revision, &values))
}

#[cfg(test)]
mod tests {
    use super::super::order_texts::{ENGLISH, GERMAN};
    use super::super::texts;
    use super::*;

    fn line(order: &str, kind: &str, text: &str) -> StoryLine {
        StoryLine {
            key: OrderKey {
                lab: "smile-lab".parse().expect("valid"),
                account: "4711".parse().expect("valid"),
                order: order.parse().expect("valid"),
            },
            at: WallMs(0),
            kind: kind.to_owned(),
            text: text.to_owned(),
        }
    }

    fn said(story: &[StoryLine], german: bool) -> Vec<(String, String)> {
        let (t, w) = if german { (&texts::GERMAN, &GERMAN) } else { (&texts::ENGLISH, &ENGLISH) };
        let all = lines(story, t, w, if german { "de" } else { "en" });
        all.into_iter().map(|line| (line.did, line.text)).collect()
    }

    #[test]
    fn nothing_is_said_twice() {
        let story = [
            line("17", "unchanged", "fetched again, unchanged"),
            line("17", "fetching", "fetching"),
            line("17", "asked", "requested again"),
            line("17", "published", "published revision 1 (first-scan, 16 files, 4.4 MB)"),
            line("18", "fetching", "fetching"),
            line("17", "fetching", "fetching"),
            line("17", "seen", "new in Align's list: Ready for Download"),
        ];
        let expected = [
            ("Fetched again: nothing changed", ""),
            ("Requested", ""),
            ("Published", "Revision 1: first scan, 16 files, 4.4 MB"),
            ("Fetching", ""),
            ("Seen at Align", "new in Align's list: Ready for Download"),
        ];
        let expected = expected.map(|(did, text)| (did.to_owned(), text.to_owned()));
        assert_eq!(said(&story, false), expected);
        let german = &said(&story[3..4], true)[0];
        assert_eq!(german.1, "Revision 1: erster Scan, 16 Dateien, 4,4 MB");
    }

    #[test]
    fn what_has_no_words_of_ours_is_shown_as_it_is() {
        let text = "published revision 2 (rescan, 3 files, 1.0 MB), with findings: 1 serious";
        let shown = lines(&[line("17", "published", text)], &texts::GERMAN, &GERMAN, "de");
        assert_eq!((shown[0].text.as_str(), shown[0].lang), (text, "en"));
        assert_eq!(said(&[line("17", "new-kind", "x")], false), [("new-kind".into(), "x".into())]);
    }

    #[test]
    fn aligns_usual_preparation_is_no_failed_attempt() {
        let text = "Align has not finished preparing the files of order 17";
        let story = [0, 1, 2].map(|_| line("17", "failed", text));
        let shown = lines(&story, &texts::ENGLISH, &ENGLISH, "en");
        assert_eq!(shown.len(), 1, "once for all three");
        assert_eq!(shown[0].did, "Being prepared by Align");
        assert_eq!(shown[0].tone, Tone::Busy);
        let times = shown[0].more.as_ref().map(|(times, _)| times.as_str());
        assert_eq!(times, Some("3 times, first"));
        let failed = lines(&[line("17", "failed", "no route")], &texts::ENGLISH, &ENGLISH, "en");
        assert_eq!((failed[0].did.as_str(), failed[0].tone), ("Attempt failed", Tone::Warn));
    }
}
