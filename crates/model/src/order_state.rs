//! The states of an order, each in one word.

use serde::Serialize;

/// An order's state in one word, for people and programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum OrderState {
    /// To be fetched as soon as there is a free slot.
    Waiting,
    /// Its files are arriving.
    Downloading,
    /// All of it is here, and is being unpacked, checked and published.
    Checking,
    /// Align is making the files.
    Regenerating,
    /// Failed; retried automatically.
    Retrying,
    /// Failing permanently or for a long time: a person should act.
    Attention,
    /// Published, and has left the lab since (in modeling, with the doctor): expected back.
    Away,
    /// Published; nothing newer is known.
    Published,
    /// Published, and to be fetched again: the folder keeps what it has until then.
    Refetching,
    /// Published, and its folder was taken since.
    PickedUp,
    /// Published once, then removed from the output because of its age.
    Removed,
    /// Fetched and kept safe but not published, because it is incomplete: a person decides.
    Held,
}

impl OrderState {
    pub const ALL: [Self; 12] = [
        Self::Waiting,
        Self::Downloading,
        Self::Checking,
        Self::Regenerating,
        Self::Retrying,
        Self::Attention,
        Self::Held,
        Self::Away,
        Self::Published,
        Self::Refetching,
        Self::PickedUp,
        Self::Removed,
    ];

    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The state with this name: the word for programs, or that for people.
    pub fn named(text: &str) -> Option<Self> {
        let is_it =
            |state: &Self| text == state.as_str() || text.eq_ignore_ascii_case(state.words());
        Self::ALL.into_iter().find(is_it)
    }

    /// Says it to people, the same everywhere.
    pub fn words(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Downloading => "downloading",
            Self::Checking => "checking",
            Self::Regenerating => "being prepared by Align",
            Self::Retrying => "trying again",
            Self::Attention => "needs attention",
            Self::Held => "held back: incomplete",
            Self::Away => "at the doctor or in modeling",
            Self::Published => "published",
            Self::Refetching => "published, being fetched again",
            Self::PickedUp => "picked up",
            Self::Removed => "removed (retention)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_found_by_both_of_its_names() {
        for state in OrderState::ALL {
            assert_eq!(OrderState::named(state.as_str()), Some(state));
            assert_eq!(OrderState::named(state.words()), Some(state));
        }
        assert_eq!(OrderState::named("ready"), None);
    }
}
