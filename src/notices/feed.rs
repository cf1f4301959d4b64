//! The events reported for orders, and their JSON for programs. Schema 1.

use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::model::ids::OrderKey;
use crate::model::manifest::{FILE_NAME, Finding, Manifest};
use crate::model::time::WallMs;

/// The version of the JSON that this crate writes.
pub const SCHEMA: u32 = 1;

/// The environment variables passed to a hook, without the prefix `CASEDROP_`.
pub const VARIABLES: [&str; 8] =
    ["EVENT", "LAB", "ACCOUNT", "ORDER", "REVISION", "REASON", "PATH", "MANIFEST"];

/// A reported event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A revision is in the output folder.
    Published(Box<Published>),
    /// An order needs attention.
    Attention(Box<Attention>),
    /// An order is incomplete and held back until a user decides.
    Held(Box<Held>),
}

/// A revision in the output folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub key: OrderKey,
    pub manifest: Manifest,
    /// SHA-256 of the manifest's bytes.
    pub manifest_sha256: String,
    /// The absolute path where it was published.
    pub path: PathBuf,
    /// The same path relative to the output, with `/`.
    pub folder: String,
    /// When it was recorded as published.
    pub at: WallMs,
    /// The newest revision of the order, if it is a later one by now.
    pub superseded_by: Option<u32>,
}

/// An order that needs attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    pub key: OrderKey,
    /// The id of its prescription.
    pub rx_id: Option<String>,
    /// Align's short code.
    pub order_code: Option<String>,
    /// For example `iRecord`.
    pub case_type: Option<String>,
    /// For example `Restorative`.
    pub procedure: Option<String>,
    /// A stable name for the problem; `None` if it is over by now.
    pub code: Option<String>,
    /// What the problem is or was.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
    pub at: WallMs,
}

/// An incomplete order that is held back until a user decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub key: OrderKey,
    /// The id of its prescription.
    pub rx_id: Option<String>,
    /// Align's short code.
    pub order_code: Option<String>,
    /// For example `iRecord`.
    pub case_type: Option<String>,
    /// For example `Restorative`.
    pub procedure: Option<String>,
    /// The serious findings in words.
    pub message: String,
    /// Whether it is no longer held back.
    pub is_over: bool,
    /// The findings about its files.
    pub findings: Vec<Finding>,
    pub at: WallMs,
}

impl Event {
    /// The name of the event.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Published(_) => "published",
            Self::Attention(_) => "attention",
            Self::Held(_) => "held",
        }
    }

    /// Returns the JSON for programs.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Published(event) => event.to_json(),
            Self::Attention(event) => event.to_json(),
            Self::Held(event) => event.to_json(),
        }
    }
}

impl Published {
    /// Returns the JSON for programs.
    pub fn to_json(&self) -> Value {
        let manifest = &self.manifest;
        json!({
            "schema": SCHEMA,
            "event": "published",
            "lab": self.key.lab,
            "account": self.key.account,
            "account_name": manifest.account.name,
            "order_id": self.key.order,
            "rx_id": manifest.rx_id,
            "order_code": manifest.order_code,
            "case_type": manifest.case_type,
            "procedure": manifest.procedure,
            "revision": manifest.revision,
            "reason": manifest.reason,
            "superseded_by": self.superseded_by,
            "published_at": manifest.published_at,
            "path": self.path.to_string_lossy(),
            "folder": self.folder,
            "manifest": self.path.join(FILE_NAME).to_string_lossy(),
            "manifest_sha256": self.manifest_sha256,
            "files": manifest.files,
            "incomplete": manifest.is_incomplete(),
            "findings": manifest.findings,
        })
    }

    /// Returns the environment variables for a hook, with their full names.
    pub fn variables(&self) -> Vec<(String, OsString)> {
        let reason = serde_json::to_value(self.manifest.reason).unwrap_or_default();
        let values: [OsString; VARIABLES.len()] = [
            "published".into(),
            self.key.lab.as_str().into(),
            self.key.account.as_str().into(),
            self.key.order.as_str().into(),
            self.manifest.revision.to_string().into(),
            reason.as_str().unwrap_or_default().into(),
            self.path.clone().into(),
            self.path.join(FILE_NAME).into(),
        ];
        VARIABLES.iter().map(|name| format!("CASEDROP_{name}")).zip(values).collect()
    }
}

impl Attention {
    fn to_json(&self) -> Value {
        json!({
            "schema": SCHEMA,
            "event": "attention",
            "lab": self.key.lab,
            "account": self.key.account,
            "order_id": self.key.order,
            "rx_id": self.rx_id,
            "order_code": self.order_code,
            "case_type": self.case_type,
            "procedure": self.procedure,
            "at": self.at.to_rfc3339(),
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
        })
    }
}

impl Held {
    fn to_json(&self) -> Value {
        json!({
            "schema": SCHEMA,
            "event": "held",
            "lab": self.key.lab,
            "account": self.key.account,
            "order_id": self.key.order,
            "rx_id": self.rx_id,
            "order_code": self.order_code,
            "case_type": self.case_type,
            "procedure": self.procedure,
            "at": self.at.to_rfc3339(),
            "message": self.message,
            "over": self.is_over,
            "findings": self.findings,
        })
    }
}

/// Returns the body of a message to a web server.
pub fn message(id: &str, sent_at: WallMs, events: &[Event]) -> Vec<u8> {
    let body = json!({
        "schema": SCHEMA,
        "id": id,
        "sent_at": sent_at.to_rfc3339(),
        "agent": concat!("casedrop ", env!("CARGO_PKG_VERSION")),
        "events": events.iter().map(Event::to_json).collect::<Vec<_>>(),
    });
    body.to_string().into_bytes()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::finding_code::FindingCode;
    use crate::model::manifest::{Account, Jaw, ManifestFile, Reason, Role, Severity};

    pub(in crate::notices) fn key() -> OrderKey {
        OrderKey {
            lab: "smile-lab".parse().expect("valid"),
            account: "4711".parse().expect("valid"),
            order: "17544365".parse().expect("valid"),
        }
    }

    pub(in crate::notices) fn published() -> Published {
        let file = ManifestFile {
            path: crate::model::path::RelPath::parse("scan.stl").expect("portable"),
            size: 84,
            sha256: "ab".repeat(32),
            role: Role::Scan,
            jaw: Some(Jaw::Upper),
            stage: None,
            part: None,
            copy_of: None,
            original_name: None,
            raw_name: None,
        };
        let manifest = Manifest {
            schema: 1,
            lab: "smile-lab".to_owned(),
            account: Account { id: "4711".to_owned(), name: Some("Smile".to_owned()) },
            order_id: "17544365".to_owned(),
            rx_id: Some("R1".to_owned()),
            order_code: None,
            status: "Ready".to_owned(),
            case_type: Some("iRecord".to_owned()),
            procedure: Some("Orthodontic".to_owned()),
            due_date: None,
            doctor: None,
            teeth: Vec::new(),
            revision: 2,
            reason: Reason::Interpretation2,
            published_at: "2026-11-24T10:00:00Z".to_owned(),
            agent: "casedrop 0.1.0".to_owned(),
            files: vec![file],
            left_out: Vec::new(),
            missing: Vec::new(),
            previous: None,
            findings: Vec::new(),
        };
        Published {
            key: key(),
            manifest,
            manifest_sha256: "cd".repeat(32),
            path: PathBuf::from("out").join("17544365"),
            folder: "smile-lab/4711/17544365".to_owned(),
            at: WallMs(1),
            superseded_by: None,
        }
    }

    pub(in crate::notices) fn attention() -> Attention {
        Attention {
            key: key(),
            rx_id: Some("R1".to_owned()),
            order_code: None,
            case_type: None,
            procedure: None,
            code: Some("zip-crc".to_owned()),
            message: "the package is broken".to_owned(),
            hint: Some("ask for it again".to_owned()),
            at: WallMs(0),
        }
    }

    #[test]
    fn a_publication_is_told_as_documented() {
        let value = Event::Published(Box::new(published())).to_json();
        let keys: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
        let documented = [
            "schema",
            "event",
            "lab",
            "account",
            "account_name",
            "order_id",
            "rx_id",
            "order_code",
            "case_type",
            "procedure",
            "revision",
            "reason",
            "superseded_by",
            "published_at",
            "path",
            "folder",
            "manifest",
            "manifest_sha256",
            "files",
            "incomplete",
            "findings",
        ];
        assert_eq!(keys, documented);
        let docs = include_str!("../../docs/operators.md");
        for key in documented {
            assert!(docs.contains(&format!("`{key}`")), "{key} is not in docs/operators.md");
        }
        assert_eq!(value["reason"], "interpretation-2");
        assert_eq!(value["files"][0]["role"], "scan");
        assert_eq!(value["files"][0]["jaw"], "upper");
    }

    #[test]
    fn an_order_that_needs_a_person_is_told_as_documented() {
        let value = Event::Attention(Box::new(attention())).to_json();
        assert_eq!((&value["event"], &value["code"]), (&json!("attention"), &json!("zip-crc")));
        assert_eq!(value["at"], "1970-01-01T00:00:00Z");
        let docs = include_str!("../../docs/operators.md");
        for key in value.as_object().expect("an object").keys() {
            assert!(docs.contains(&format!("`{key}`")), "{key} is not in docs/operators.md");
        }
    }

    #[test]
    fn an_order_that_is_held_back_is_told_as_documented() {
        let held = Held {
            key: key(),
            rx_id: None,
            order_code: None,
            case_type: None,
            procedure: None,
            message: "held back as incomplete: the lower jaw is missing".to_owned(),
            is_over: false,
            findings: vec![Finding::new(
                FindingCode::JawAbsent,
                Severity::Serious,
                "the lower jaw is missing",
            )],
            at: WallMs(0),
        };
        let value = Event::Held(Box::new(held)).to_json();
        assert_eq!((&value["event"], &value["over"]), (&json!("held"), &json!(false)));
        assert_eq!(value["findings"][0]["severity"], "serious");
        let docs = include_str!("../../docs/operators.md");
        for key in value.as_object().expect("an object").keys() {
            assert!(docs.contains(&format!("`{key}`")), "{key} is not in docs/operators.md");
        }
    }

    #[test]
    fn a_message_holds_its_events_in_order() {
        let events =
            [Event::Published(Box::new(published())), Event::Attention(Box::new(attention()))];
        let body: Value = serde_json::from_slice(&message("m1", WallMs(0), &events)).expect("JSON");
        assert_eq!((&body["schema"], &body["id"]), (&json!(1), &json!("m1")));
        assert_eq!(body["events"][0]["event"], events[0].name());
        assert_eq!(body["events"][1]["event"], events[1].name());
    }

    #[test]
    fn a_hook_gets_each_variable() {
        let variables = published().variables();
        let get = |name: &str| {
            let found = variables.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.to_string_lossy().into_owned())
        };
        assert_eq!(variables.len(), VARIABLES.len());
        assert_eq!(get("CASEDROP_EVENT").as_deref(), Some("published"));
        assert_eq!(get("CASEDROP_REASON").as_deref(), Some("interpretation-2"));
        assert_eq!(get("CASEDROP_REVISION").as_deref(), Some("2"));
        assert!(get("CASEDROP_MANIFEST").is_some_and(|path| path.ends_with("manifest.json")));
    }
}
