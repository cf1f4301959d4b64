//! Translates the codes of the rest of the agent into words of a language.

use super::findings::german;
use super::texts::{GERMAN, Texts};
use crate::config;
use crate::model::asset::AssetKind;
use crate::model::finding_code::FindingCode;
use crate::model::manifest::{Jaw, Reason, Role, Severity};
use crate::model::record::{OrderRecord, OrderState};
use crate::model::request::Outcome;

impl Texts {
    pub(super) fn state(&self, state: OrderState) -> &'static str {
        match state {
            OrderState::Waiting => self.state_waiting,
            OrderState::Downloading => self.state_downloading,
            OrderState::Checking => self.state_checking,
            OrderState::Refetching => self.state_refetching,
            OrderState::PickedUp => self.state_picked_up,
            OrderState::Regenerating => self.state_regenerating,
            OrderState::Retrying => self.state_retrying,
            OrderState::Attention => self.state_attention,
            OrderState::Away => self.state_away,
            OrderState::Published => self.state_published,
            OrderState::Removed => self.state_removed,
            OrderState::Held => self.state_held,
        }
    }

    /// The same with how far its download has come.
    pub(super) fn state_of(&self, order: &OrderRecord) -> String {
        let words = self.state(order.state());
        order.percent().map_or(words.to_owned(), |percent| format!("{words}, {percent} %"))
    }

    /// The words for a number of orders in that state.
    pub(super) fn states(&self, state: OrderState, count: usize) -> &'static str {
        match state {
            OrderState::Waiting if count != 1 => self.states_waiting,
            OrderState::Attention if count != 1 => self.states_attention,
            _ => self.state(state),
        }
    }

    /// The words for a part of an order. Names from a newer version stay as they are.
    pub(super) fn asset(&self, name: &str) -> String {
        let known = [
            (AssetKind::Ide, self.asset_ide),
            (AssetKind::Thumbnails, self.asset_thumbnails),
            (AssetKind::ScreenCaptures, self.asset_captures),
        ];
        let found = known.iter().find(|(kind, _)| kind.as_str() == name);
        found.map_or(name, |(_, words)| *words).to_owned()
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

    /// The meaning of a finding's code in this language; `None` for English, which the manifest
    /// has, and for codes without a translation.
    pub(super) fn finding(&self, code: &str) -> Option<&'static str> {
        if self.other_language != GERMAN.other_language {
            return None;
        }
        FindingCode::known(code).map(german)
    }

    /// The words for a line of a history; `None` for kinds from a newer journal.
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
            "picked-up" => self.did_picked_up,
            "back" => self.did_back,
            "rebuilt" => self.did_rebuilt,
            "forgotten" => self.did_forgotten,
            _ => return None,
        })
    }
}

/// The tone in which something is shown: always with a word and a sign, never alone.
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
            OrderState::Waiting
            | OrderState::Downloading
            | OrderState::Checking
            | OrderState::Refetching
            | OrderState::Regenerating => Self::Busy,
            OrderState::Away | OrderState::PickedUp | OrderState::Removed => Self::Rest,
            OrderState::Retrying | OrderState::Attention | OrderState::Held => Self::Warn,
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
            "failed" | "parked" | "taken" | "left" | "held" => Self::Warn,
            _ => Self::Rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::texts::ENGLISH;
    use super::*;

    #[test]
    fn the_page_says_a_state_as_everything_else_does() {
        for state in OrderState::ALL {
            assert_eq!(ENGLISH.state(state), state.words());
        }
    }

    #[test]
    fn counts_agree_with_their_words() {
        let said = |t: &Texts, count| t.states(OrderState::Attention, count);
        assert_eq!([1, 2].map(|n| said(&ENGLISH, n)), ["needs attention", "need attention"]);
        let german = ["braucht Aufmerksamkeit", "brauchen Aufmerksamkeit"];
        assert_eq!([1, 2].map(|n| said(&GERMAN, n)), german);
    }

    #[test]
    fn parts_of_an_order_are_not_shown_by_their_names_in_programs() {
        for t in [&ENGLISH, &GERMAN] {
            for kind in [AssetKind::Ide, AssetKind::Thumbnails, AssetKind::ScreenCaptures] {
                assert_ne!(t.asset(kind.as_str()), kind.as_str());
            }
            assert_eq!(t.asset("of-another-version"), "of-another-version");
        }
    }
}
