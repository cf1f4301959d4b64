//! The settings in effect, and where each comes from.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::frame::{Call, Frame, show};
use super::record_texts::RecordTexts;
use super::shared::Shared;
use crate::config::{self, InForce};
use crate::model::fault::Fault;

#[derive(Template)]
#[template(path = "settings.html")]
struct Settings {
    frame: Frame,
    w: &'static RecordTexts,
    all: bool,
    file: Option<String>,
    entries: Vec<Setting>,
}

struct Setting {
    key: String,
    /// `None` if it is not set.
    value: Option<String>,
    from: &'static str,
    place: Option<String>,
    locked: bool,
}

/// The parameters of the URL.
#[derive(Deserialize, Default)]
pub(super) struct Which {
    #[serde(default)]
    all: String,
}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Query(which): Query<Which>,
    call: Call,
) -> Response {
    let asked = shared.ask(|data| Ok::<_, Fault>((data.config_file(), data.settings())));
    let (file, entries) = match asked.await {
        Ok(found) => found,
        Err(fault) => return call.cannot(&fault),
    };
    let all = which.all == "1";
    let labs = Labs::of(&entries);
    let is_shown = |entry: &&InForce| all || entry.from != config::From::Default;
    let setting = |entry: &InForce| Setting {
        from: call.texts.from(entry.from),
        place: entry.source.is_some().then(|| entry.place()),
        locked: entry.locked,
        key: labs.named(&entry.key),
        value: Some(entry.value.clone()).filter(|value| value != "null"),
    };
    show(&Settings {
        all,
        w: call.lang.record_texts(),
        file: file.map(|file| file.display().to_string()),
        entries: entries.iter().filter(is_shown).map(setting).collect(),
        frame: call.frame(call.texts.settings, "settings"),
    })
}

/// The labs' names, by the beginnings of their keys, such as `labs[0]`.
struct Labs<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Labs<'a> {
    fn of(entries: &'a [InForce]) -> Self {
        let named = entries.iter().filter_map(|entry| {
            let begin = entry.key.strip_suffix(".name").filter(|key| key.starts_with("labs["))?;
            Some((begin, entry.value.as_str()))
        });
        Self(named.collect())
    }

    /// A key with the lab's name in place of its number.
    fn named(&self, key: &str) -> String {
        let name = key.split_once(']').and_then(|(begin, rest)| {
            let name = self.0.get(&*format!("{begin}]"))?;
            Some(format!("labs[{name}]{rest}"))
        });
        name.unwrap_or_else(|| key.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labs_are_called_by_their_names() {
        let entry = |key: &str, value: &str| InForce {
            key: key.to_owned(),
            value: value.to_owned(),
            from: config::From::File,
            source: None,
            line: None,
            locked: false,
        };
        let entries = [entry("labs[0].name", "smile-lab"), entry("labs[10].name", "north")];
        let labs = Labs::of(&entries);
        assert_eq!(labs.named("labs[10].base_url"), "labs[north].base_url");
        assert_eq!(labs.named("labs[0].accounts[1]"), "labs[smile-lab].accounts[1]");
        for key in ["output", "allowed_hosts[0]", "labs[1].name"] {
            assert_eq!(labs.named(key), key);
        }
    }
}
