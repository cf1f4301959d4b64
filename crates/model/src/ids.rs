//! Identifiers: validated once at the boundary, then passed around as types.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::path;

/// Why a text is not a valid identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} {reason}")]
pub struct IdError {
    what: &'static str,
    text: String,
    reason: &'static str,
}

const MAX_LEN: usize = 64;

fn checked(what: &'static str, text: &str) -> Result<String, IdError> {
    let fail = |reason| IdError { what, text: text.chars().take(MAX_LEN).collect(), reason };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(fail("is empty"));
    }
    if trimmed.chars().count() > MAX_LEN {
        return Err(fail("is longer than 64 characters"));
    }
    if trimmed.chars().any(char::is_control) {
        return Err(fail("contains a control character"));
    }
    Ok(trimmed.to_owned())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
        )]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The identifier as Align or the config writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns this identifier's directory name in the output tree: the identifier itself
            /// if every file system can hold it, otherwise escaped.
            pub fn dir_name(&self) -> String {
                path::safe_component(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                checked($what, text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A lab's name in the config; also its directory in the output folder.
    LabName,
    "lab name"
);
id!(
    /// Align's number for a lab account.
    AccountId,
    "account id"
);
id!(
    /// Align's number for an order. It never changes, while the order's files and status do.
    OrderId,
    "order id"
);
id!(
    /// The id of an order's prescription (Rx), used by notifications. Not the order id.
    RxId,
    "Rx id"
);

/// Identifies one order everywhere in the agent.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct OrderKey {
    pub lab: LabName,
    /// The account the lab is paired with.
    pub account: AccountId,
    pub order: OrderId,
}

impl fmt::Display for OrderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.lab, self.account, self.order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_trimmed_and_bounded() {
        assert_eq!(" 4711 ".parse::<AccountId>().expect("valid").as_str(), "4711");
        assert!("".parse::<OrderId>().is_err());
        assert!("x".repeat(65).parse::<OrderId>().is_err());
        assert!("a\nb".parse::<OrderId>().is_err());
    }

    #[test]
    fn an_id_that_would_leave_the_tree_is_escaped_in_its_directory() {
        let id: OrderId = "../17".parse().expect("printable");
        assert_eq!(id.dir_name(), "..%2F17");
        let id: OrderId = "..".parse().expect("printable");
        assert_eq!(id.dir_name(), ".%2E");
        let id: OrderId = "CON".parse().expect("printable");
        assert_eq!(id.dir_name(), "%43ON");
        let id: OrderId = "17544365".parse().expect("printable");
        assert_eq!(id.dir_name(), "17544365");
    }
}
