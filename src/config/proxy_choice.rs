//! The proxy to the internet, as written.

use url::Url;

use super::values::{self, Bad};

/// The key `api.proxy` as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProxyChoice {
    System,
    None,
    Url(Url),
}

impl ProxyChoice {
    pub(super) fn read(text: &str) -> Result<Self, Bad> {
        match text.trim() {
            "system" => Ok(Self::System),
            "none" => Ok(Self::None),
            text => values::proxy(text).map(Self::Url),
        }
    }

    pub(super) fn write(&self) -> String {
        match self {
            Self::System => "system".to_owned(),
            Self::None => "none".to_owned(),
            Self::Url(url) => url.to_string(),
        }
    }
}
