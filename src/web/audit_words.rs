//! The audit in words: what was done, by whom, and the details.

use std::str::FromStr as _;

use serde_json::Value;

use super::record_texts::RecordTexts;
use super::texts::fill;
use crate::audit::{AuditEvent, Record};

/// The ways in which something is requested, by their names in the audit.
const WAYS: [&str; 4] = ["page", "command-folder", "command-line", "agent"];
/// How much of a hash is shown.
const SHORT_HASH: usize = 12;

impl RecordTexts {
    /// What was done; the name in the audit if a newer version wrote it.
    pub(super) fn did<'a>(&self, name: &'a str) -> &'a str {
        let Ok(event) = AuditEvent::from_str(name) else { return name };
        match event {
            AuditEvent::AgentStarted => self.did_agent_started,
            AuditEvent::AgentStopped => self.did_agent_stopped,
            AuditEvent::ConfigChanged => self.did_config_changed,
            AuditEvent::Login => self.did_login,
            AuditEvent::Logout => self.did_logout,
            AuditEvent::Pair => self.did_pair,
            AuditEvent::Unpair => self.did_unpair,
            AuditEvent::Refetch => self.did_refetch,
            AuditEvent::Publish => self.did_publish,
            AuditEvent::Return => self.did_return,
            AuditEvent::Pause => self.did_pause,
            AuditEvent::Resume => self.did_resume,
            AuditEvent::Removed => self.did_removed,
            AuditEvent::HistoryRemoved => self.did_history_removed,
            AuditEvent::HeldRemoved => self.did_held_removed,
            AuditEvent::LeftoversRemoved => self.did_leftovers_removed,
            AuditEvent::Update => self.did_update,
            AuditEvent::TestOrder => self.did_test_order,
            AuditEvent::TestOrderRemoved => self.did_test_order_removed,
            AuditEvent::OutputChosen => self.did_output_chosen,
        }
    }

    /// How it ended.
    pub(super) fn mark<'a>(&self, name: &'a str) -> &'a str {
        match name {
            "begun" => self.mark_begun,
            "done" => self.mark_done,
            "refused" => self.mark_refused,
            "failed" => self.mark_failed,
            "unknown" => self.mark_unknown,
            _ => name,
        }
    }

    /// The way in which something was requested.
    pub(super) fn way<'a>(&self, name: &'a str) -> &'a str {
        match name {
            "page" => self.via_page,
            "command-folder" => self.via_folder,
            "command-line" => self.via_line,
            "agent" => self.via_agent,
            _ => name,
        }
    }

    /// The ways that a person means by a part of their words.
    pub(super) fn ways(&self, text: &str) -> Vec<&'static str> {
        let text = text.to_lowercase();
        let is_meant = |way: &&str| self.way(way).to_lowercase().contains(&text);
        WAYS.into_iter().filter(is_meant).collect()
    }

    /// Who did it: the user and the way, or the way alone.
    pub(super) fn who(&self, record: &Record) -> String {
        let way = self.way(&record.via);
        record.user.as_ref().map_or_else(|| way.to_owned(), |user| format!("{user} ({way})"))
    }

    /// What it was about, and its details.
    pub(super) fn about(&self, record: &Record) -> String {
        let named = |text, value: &Option<String>, name: &'static str| {
            value.as_ref().map(|value| fill(text, &[(name, value)]))
        };
        let about = [
            record.lab.clone(),
            named(self.about_account, &record.account, "account"),
            named(self.about_order, &record.order, "order"),
        ];
        let details = record.details.iter().filter_map(|(name, value)| self.detail(name, value));
        let all: Vec<_> = about.into_iter().flatten().chain(details).collect();
        all.join(" · ")
    }

    fn detail(&self, name: &str, value: &Value) -> Option<String> {
        let (text, gap) = match name {
            "first" => return (value == &Value::Bool(true)).then(|| self.first_config.to_owned()),
            "keys" => (self.changed_keys, "keys"),
            "version" => (self.of_version, "version"),
            "before" => (self.before_version, "version"),
            "files" => (self.files_removed, "n"),
            "count" => (self.count, "n"),
            "revisions" => (self.revisions, "n"),
            "orders" => (self.orders, "orders"),
            "manifests" => (self.manifests, "hashes"),
            "from" => (self.from_folder, "path"),
            "to" => (self.to_folder, "path"),
            "why" => (self.because, "why"),
            _ => return Some(format!("{name}: {}", plain(value, usize::MAX))),
        };
        let longest = if name == "manifests" { SHORT_HASH } else { usize::MAX };
        Some(fill(text, &[(gap, &plain(value, longest))]))
    }
}

/// A value without JSON's signs.
fn plain(value: &Value, longest: usize) -> String {
    match value {
        Value::String(text) if text.chars().count() > longest => {
            format!("{}…", text.chars().take(longest).collect::<String>())
        }
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            items.iter().map(|item| plain(item, longest)).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strum::VariantArray as _;

    use super::super::record_texts::{ENGLISH, GERMAN};
    use super::*;

    fn record(user: Option<&str>, via: &str, details: &Value) -> Record {
        serde_json::from_value(json!({
            "seq": 1, "at": "2026-11-24T10:00:05Z", "user": user, "via": via, "what": "removed",
            "result": "done", "lab": "smile-lab", "account": "4711", "order": "17",
            "details": details, "prev": "", "hash": "",
        }))
        .expect("a record")
    }

    #[test]
    fn no_code_is_left_as_it_is() {
        for w in [&ENGLISH, &GERMAN] {
            for event in AuditEvent::VARIANTS {
                let words = w.did(event.as_str());
                assert!(words.starts_with(char::is_uppercase), "{words}");
            }
            for way in WAYS {
                assert!(way == "agent" || w.way(way) != way, "{way}");
            }
        }
        assert_eq!(GERMAN.did("of-a-newer-version"), "of-a-newer-version");
    }

    #[test]
    fn the_page_and_the_agent_have_names() {
        let who = |user, via| ENGLISH.who(&record(user, via, &json!({})));
        assert_eq!(who(None, "page"), "status page");
        assert_eq!(who(None, "agent"), "Casedrop itself");
        assert_eq!(who(Some("anna"), "command-line"), "anna (command line)");
        assert_eq!(GERMAN.ways("seite"), ["page"]);
    }

    #[test]
    fn details_are_words_and_not_json() {
        let hash = "ab".repeat(32);
        let details = json!({
            "first": true, "keys": ["alerts.no_orders_after", "log.level"], "manifests": [hash],
            "newer": {"a": 1}, "revisions": [1, 2],
        });
        assert_eq!(
            ENGLISH.about(&record(None, "agent", &details)),
            "smile-lab · account 4711 · order 17 · first start · changed: alerts.no_orders_after, \
             log.level · manifest SHA-256: abababababab… · newer: {\"a\":1} · revisions: 1, 2"
        );
    }
}
