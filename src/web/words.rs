//! What the rest of the agent says in codes, as words of a language.

use super::texts::{GERMAN, Texts};
use crate::config;
use crate::model::manifest::{Jaw, Reason, Role, Severity};
use crate::model::record::OrderState;
use crate::model::request::Outcome;

/// Findings in German; in English the manifest has them.
const FINDINGS: [(&str, &str); 35] = [
    ("scan-absent", "Das Paket enthält keinen Scan"),
    ("jaw-absent", "Der Scan eines Kiefers fehlt"),
    ("antagonist-absent", "Der Scan des Gegenkiefers fehlt"),
    ("bite-absent", "Der Biss fehlt, oder die Kiefer passen nicht zusammen"),
    ("jaws-alike", "Ober- und Unterkiefer sind derselbe Scan"),
    ("jaw-twice", "Ein Kiefer ist zweimal da"),
    ("jaw-contradicted", "Die Angaben, welcher Kiefer das ist, widersprechen sich"),
    ("mesh-cut", "Der Scan ist abgeschnitten"),
    ("mesh-empty", "Der Scan ist leer"),
    ("mesh-unreadable", "Der Scan ist nicht lesbar"),
    ("mesh-not-numbers", "Der Scan enthält Werte, die keine Zahlen sind"),
    ("mesh-decimal-comma", "Der Scan enthält Dezimalkommas"),
    ("mesh-longer", "Hinter dem Scan stehen weitere Daten"),
    ("mesh-in-pieces", "Der Scan hat große Teile, die weit auseinanderliegen"),
    ("mesh-too-small", "Der Scan ist für Millimeter viel zu klein"),
    ("mesh-too-large", "Der Scan ist für Millimeter viel zu groß"),
    ("texture-absent", "Das Bild zum Scan fehlt"),
    ("material-absent", "Die Datei der Materialien zum Scan fehlt"),
    ("file-named-absent", "Eine Datei, die das XML nennt, fehlt"),
    ("file-of-other-order", "Eine Datei gehört zu einem anderen Auftrag"),
    ("xml-of-other-order", "Das XML trägt die Nummer eines anderen Auftrags"),
    ("xml-contradicts-order", "Das XML widerspricht dem Auftrag"),
    ("xml-unreadable", "Das XML ist nicht lesbar"),
    ("rx-without-teeth", "Der Auftragszettel nennt keine Zähne"),
    ("rx-page-without-teeth", "Die Seite mit dem Auftrag nennt keine Zähne"),
    ("rx-unreadable", "Der Auftragszettel ist nicht lesbar"),
    (
        "zip-unlisted",
        "Das Archiv enthält Dateien, die sein Verzeichnis nicht nennt; sie wurden weggelassen",
    ),
    ("zip-headers", "Das Archiv beschreibt Dateien zweimal mit kleinen Unterschieden"),
    ("zip-stray-bytes", "Im Archiv liegen Bytes, die zu keiner Datei gehören"),
    ("names-guessed", "Einige Dateinamen sind nicht in UTF-8; Buchstaben können falsch sein"),
    ("member-unreadable", "Die Datei ist im Archiv nicht lesbar und wurde weggelassen"),
    ("member-nameless", "Eine Datei im Archiv hat keinen Namen und wurde weggelassen"),
    ("member-twice", "Eine Datei steht zweimal im Archiv"),
    ("name-shortened", "Der Name der Datei war zu lang und wurde gekürzt"),
    ("names-kept", "Die Dateien behielten die Namen des Herstellers"),
];

impl Texts {
    pub(super) fn state(&self, state: OrderState) -> &'static str {
        match state {
            OrderState::Waiting => self.state_waiting,
            OrderState::Regenerating => self.state_regenerating,
            OrderState::Retrying => self.state_retrying,
            OrderState::Attention => self.state_attention,
            OrderState::Away => self.state_away,
            OrderState::Published => self.state_published,
            OrderState::Removed => self.state_removed,
            OrderState::Held => self.state_held,
        }
    }

    pub(super) fn role_of(&self, role: Role) -> &'static str {
        match role {
            Role::Scan => self.role_scan,
            Role::Texture => self.role_texture,
            Role::Metadata => self.role_metadata,
            Role::RxPdf => self.role_rx_pdf,
            Role::RxHtml => self.role_rx_html,
            Role::Thumbnail => self.role_thumbnail,
            Role::ScreenCapture => self.role_capture,
            Role::Attachment => self.role_attachment,
        }
    }

    pub(super) fn jaw_of(&self, jaw: Option<Jaw>) -> &'static str {
        match jaw {
            Some(Jaw::Upper) => self.jaw_upper,
            Some(Jaw::Lower) => self.jaw_lower,
            Some(Jaw::Both) => self.jaw_both,
            None => "",
        }
    }

    pub(super) fn reason_of(&self, reason: Reason) -> &'static str {
        match reason {
            Reason::FirstScan => self.reason_first,
            Reason::AfterModeling => self.reason_modeling,
            Reason::Rescan => self.reason_rescan,
            Reason::Interpretation2 => self.reason_interpretation,
            Reason::FilesChanged => self.reason_changed,
            Reason::Refetch => self.reason_refetch,
            Reason::Extras => self.reason_extras,
        }
    }

    pub(super) fn outcome(&self, outcome: Outcome) -> &'static str {
        match outcome {
            Outcome::Done => self.outcome_done,
            Outcome::Refused => self.outcome_refused,
            Outcome::Failed => self.outcome_failed,
            Outcome::LoginNeeded => self.outcome_login,
            Outcome::Differs => self.outcome_differs,
            Outcome::Unknown => self.outcome_unknown,
        }
    }

    pub(super) fn from(&self, from: config::From) -> &'static str {
        match from {
            config::From::Default => self.from_default,
            config::From::File => self.from_file,
            config::From::Environment => self.from_environment,
            config::From::Policy => self.from_policy,
        }
    }

    /// What a finding of that code means, in this language; `None` for English, which the manifest has,
    /// and where only that has words.
    pub(super) fn finding(&self, code: &str) -> Option<&'static str> {
        if self.other_language != GERMAN.other_language {
            return None;
        }
        FINDINGS.iter().find(|(known, _)| *known == code).map(|(_, german)| *german)
    }

    /// What a line of a story tells of; one of a newer journal has no word here.
    pub(super) fn did(&self, kind: &str) -> Option<&'static str> {
        Some(match kind {
            "seen" => self.did_seen,
            "asked" => self.did_asked,
            "fetching" => self.did_fetching,
            "failed" => self.did_failed,
            "parked" => self.did_parked,
            "published" => self.did_published,
            "held" => self.did_held,
            "released" => self.did_released,
            "unchanged" => self.did_unchanged,
            "extras" => self.did_extras,
            "away" => self.did_away,
            "left" => self.did_left,
            "taken" => self.did_taken,
            "returned" => self.did_returned,
            "removed" => self.did_removed,
            "kept" => self.did_kept,
            "rebuilt" => self.did_rebuilt,
            "forgotten" => self.did_forgotten,
            _ => return None,
        })
    }
}

/// The tone in which something is shown: it goes with a word and a sign, never alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Busy,
    Rest,
    Warn,
    Bad,
}

impl Tone {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Rest => "rest",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    pub(super) fn of_state(state: OrderState) -> Self {
        match state {
            OrderState::Published => Self::Good,
            OrderState::Waiting | OrderState::Regenerating => Self::Busy,
            OrderState::Away | OrderState::Removed => Self::Rest,
            OrderState::Retrying | OrderState::Held => Self::Warn,
            OrderState::Attention => Self::Bad,
        }
    }

    pub(super) fn of_severity(severity: Severity) -> Self {
        match severity {
            Severity::Serious => Self::Bad,
            Severity::Warning => Self::Warn,
            Severity::Note => Self::Rest,
        }
    }

    pub(super) fn of_outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Good,
            Outcome::Differs | Outcome::Unknown | Outcome::LoginNeeded => Self::Warn,
            Outcome::Refused | Outcome::Failed => Self::Bad,
        }
    }

    pub(super) fn of_line(kind: &str) -> Self {
        match kind {
            "published" => Self::Good,
            "fetching" | "seen" | "asked" | "released" => Self::Busy,
            "failed" | "taken" | "left" | "held" => Self::Warn,
            "parked" => Self::Bad,
            _ => Self::Rest,
        }
    }
}
