//! The commands, their keys, and how to write each.

use crate::model::request::{CaseKind, Request};

#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(super) enum Word {
    Refetch,
    Pause,
    Resume,
    Poll,
    Verify,
    Status,
    Pair,
    Unpair,
    Return,
    Publish,
}

impl Word {
    pub(super) const ALL: [Self; 10] = [
        Self::Refetch,
        Self::Pause,
        Self::Resume,
        Self::Poll,
        Self::Verify,
        Self::Status,
        Self::Pair,
        Self::Unpair,
        Self::Return,
        Self::Publish,
    ];

    pub(super) fn as_str(self) -> &'static str {
        self.into()
    }

    /// The command of that name; ignores case and dashes (`un-pair`).
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let folded = fold(text);
        Self::ALL.into_iter().find(|word| word.as_str() == folded)
    }

    /// The keys its content may have.
    pub(super) fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Refetch => &["command", "orders", "order", "lab", "kind"],
            Self::Pause | Self::Resume | Self::Poll => &["command", "lab"],
            Self::Verify => &["command", "orders", "order"],
            Self::Publish => &["command", "orders", "order", "lab"],
            Self::Status => &["command"],
            Self::Pair => &["command", "lab", "account", "code"],
            Self::Unpair => &["command", "account", "confirm", "lab"],
            Self::Return => &["command", "order", "reason", "confirm", "lab"],
        }
    }

    /// How to write it correctly.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Refetch => {
                "an empty file with the name\n  refetch 17544365.txt\nor a file with this text:\n  \
                 command: refetch\n  orders: [17544365, 17544366]"
            }
            Self::Publish => {
                "an empty file with the name\n  publish 17544365.txt\nor a file with this text:\n  \
                 command: publish\n  orders: [17544365, 17544366]"
            }
            Self::Pause => "an empty file with the name\n  pause.txt",
            Self::Resume => "an empty file with the name\n  resume.txt",
            Self::Poll => "an empty file with the name\n  poll.txt",
            Self::Verify => "an empty file with the name\n  verify.txt",
            Self::Status => "an empty file with the name\n  status.txt",
            Self::Pair => {
                "a file with this text:\n  command: pair\n  lab: smile-lab\n  account: 4711"
            }
            Self::Unpair => {
                "a file with this text:\n  command: unpair\n  lab: smile-lab\n  account: 4711\n  \
                 confirm: 4711"
            }
            Self::Return => {
                "a file with this text:\n  command: return\n  order: 17544365\n  reason: the margin of \
                 tooth 14 is not visible\n  confirm: 17544365"
            }
        }
    }
}

/// What all spellings of a text share: its letters and digits, in lower case.
pub(super) fn fold(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The command for a request; `None` if a file cannot ask for it.
pub(super) fn word_of(request: &Request) -> Option<Word> {
    Some(match request {
        Request::Refetch { .. } => Word::Refetch,
        Request::Pair { .. } => Word::Pair,
        Request::Unpair { .. } => Word::Unpair,
        Request::Return { .. } => Word::Return,
        Request::Publish { .. } => Word::Publish,
        Request::Pause { .. } => Word::Pause,
        Request::Resume { .. } => Word::Resume,
        Request::Poll { .. } => Word::Poll,
        Request::Verify { .. } => Word::Verify,
        Request::Status {} => Word::Status,
        Request::Update { .. } | Request::TestOrder { .. } | Request::Output { .. } => {
            return None;
        }
    })
}

/// The request in words for the person who made it, without free text that is only passed on.
pub(super) fn in_words(request: &Request) -> String {
    let lab = |lab: &Option<String>| match lab {
        Some(lab) => format!(" (lab {lab})"),
        None => String::new(),
    };
    match request {
        Request::Refetch { lab: of, orders, kind } => {
            let kind = match kind {
                Some(CaseKind::Ortho) => " as ortho",
                Some(CaseKind::Restorative) => " as restorative",
                None => "",
            };
            format!("fetch {} again{kind}{}", list(orders), lab(of))
        }
        Request::Pair { lab: of, account, code } => {
            let account = account.as_ref().map(|account| format!(" with account {account}"));
            let code = if code.is_some() { ", with a login code" } else { "" };
            format!("pair{}{code}{}", account.unwrap_or_default(), lab(of))
        }
        Request::Unpair { lab: of, account, .. } => format!("un-pair account {account}{}", lab(of)),
        Request::Return { lab: of, order, .. } => {
            format!("send order {order} back to the doctor{}", lab(of))
        }
        Request::Publish { lab: of, orders } => {
            format!("publish {} as it is, although incomplete{}", list(orders), lab(of))
        }
        Request::Pause { lab: of } => format!("pause{}", lab(of)),
        Request::Resume { lab: of } => format!("continue after a pause{}", lab(of)),
        Request::Poll { lab: of } => format!("ask Align for new orders{}", lab(of)),
        Request::Verify { orders } if orders.is_empty() => "check all published files".to_owned(),
        Request::Verify { orders } => format!("check the published files of {}", list(orders)),
        Request::Status {} => "show the status".to_owned(),
        Request::Update { version } => format!("try out version {version} of the program"),
        Request::TestOrder { remove: false } => "publish the test order".to_owned(),
        Request::TestOrder { remove: true } => "remove the test order".to_owned(),
        Request::Output { .. } => "write orders to another folder".to_owned(),
    }
}

fn list(orders: &[crate::model::ids::OrderId]) -> String {
    let some: Vec<_> = orders.iter().take(10).map(ToString::to_string).collect();
    let more = match orders.len() - some.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let noun = if orders.len() == 1 { "order" } else { "orders" };
    format!("{noun} {}{more}", some.join(", "))
}
