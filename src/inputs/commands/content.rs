//! A command as the content of a file: YAML or JSON with keys, or plain words.

use super::error::{CommandError, shown};
use super::name;
use super::words::{Word, fold};
use crate::config::{Node, NodeEntry, NodeKind, nearest, parse_yaml};
use crate::model::ids::{AccountId, OrderId};
use crate::model::request::{CaseKind, Request, Text};

/// Maximum number of complaints about one file.
const MOST_REASONS: usize = 6;

/// Returns what the content asks for; `None` if it is blank. `named` is the command in the file's
/// name.
pub(super) fn read(text: &str, named: Option<Word>) -> Option<Result<Request, CommandError>> {
    if text.trim().is_empty() {
        return None;
    }
    let (tree, problems) = match json(text) {
        Some(tree) => (Some(tree), Vec::new()),
        None => parse_yaml(text),
    };
    if let Some(problem) = problems.first() {
        let has_keys = text.contains([':', '{', '[', '"']);
        if tree.is_none() && !has_keys {
            return Some(name::of_text(text, named));
        }
        let mut reason = format!("line {} of the file cannot be read as YAML", problem.line);
        if let Some(hint) = &problem.hint {
            reason = format!("{reason}: {hint}");
        }
        let complaint = named.map_or_else(
            || CommandError::unknown(&reason),
            |word| CommandError::about(word, &reason),
        );
        return Some(Err(complaint));
    }
    Some(match tree.map(|node| node.kind) {
        // Only comments.
        None | Some(NodeKind::Null) => return None,
        Some(NodeKind::Section(entries)) => fields(&entries, named),
        Some(NodeKind::List(_)) => {
            let reason = "the file contains a list; write keys such as `command: …`, each on its \
                          own line";
            Err(named
                .map_or_else(|| CommandError::unknown(reason), |w| CommandError::about(w, reason)))
        }
        Some(_) => name::of_text(text, named),
    })
}

/// JSON is YAML except for some whitespace; what a JSON parser can read is left to it.
fn json(text: &str) -> Option<Node> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    // Finding duplicate keys is left to the YAML parser.
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let plain = serde_json::to_string(&value).ok()?;
    let (tree, problems) = parse_yaml(&plain);
    let is_same = text.matches(':').count() == plain.matches(':').count();
    tree.filter(|_| problems.is_empty() && is_same)
}

fn fields(entries: &[NodeEntry], named: Option<Word>) -> Result<Request, CommandError> {
    let given = entries.iter().find(|entry| fold(&entry.key) == "command");
    let word = match given.map(|entry| (entry.value.text(), named)) {
        Some((Some(text), _)) if !text.trim().is_empty() => {
            let text = text.trim();
            match Word::from_text(text) {
                Some(word) => word,
                None => return Err(CommandError::no_command(text, "the key `command`")),
            }
        }
        Some(_) => {
            return Err(CommandError::unknown("the key `command` needs one word as its value"));
        }
        None => match named {
            Some(word) => word,
            None => return Err(no_command_key(entries)),
        },
    };
    let mut fields = Fields { word, entries, reasons: Vec::new() };
    fields.check_keys();
    let request = fields.request();
    let Fields { mut reasons, .. } = fields;
    match request {
        Some(request) if reasons.is_empty() => Ok(request),
        _ => {
            reasons.truncate(MOST_REASONS);
            let mut complaint = CommandError::about(word, "");
            if reasons.is_empty() {
                reasons.push("the content of the file is incomplete".to_owned());
            }
            complaint.reasons = reasons;
            Err(complaint)
        }
    }
}

fn no_command_key(entries: &[NodeEntry]) -> CommandError {
    let as_key = entries.iter().find_map(|entry| Word::from_text(&entry.key));
    if let Some(word) = as_key {
        let word_text = word.as_str();
        let reason = format!("`{word_text}` is used as a key; write `command: {word_text}`");
        return CommandError::about(word, reason);
    }
    let near = entries.iter().find(|entry| nearest(&entry.key, ["command"]).is_some());
    match near.and_then(|entry| shown(&entry.key)) {
        Some(key) => CommandError::unknown(format!(
            "the key `command` is missing; did you mean `command` instead of `{key}`?"
        )),
        None => CommandError::unknown("the key `command` is missing"),
    }
}

struct Fields<'a> {
    word: Word,
    entries: &'a [NodeEntry],
    reasons: Vec<String>,
}

impl Fields<'_> {
    fn check_keys(&mut self) {
        let known = self.word.keys();
        for entry in self.entries {
            if known.iter().any(|key| fold(key) == fold(&entry.key)) {
                continue;
            }
            let mut reason = match shown(&entry.key) {
                Some(key) => format!("the key `{key}` does not belong to `{}`", self.word.as_str()),
                None => format!("one of the keys does not belong to `{}`", self.word.as_str()),
            };
            match nearest(&entry.key, known.iter().copied()) {
                Some(near) => reason = format!("{reason}; did you mean `{near}`?"),
                None => reason = format!("{reason}; it takes {}", known.join(", ")),
            }
            self.reasons.push(reason);
        }
        for (index, entry) in self.entries.iter().enumerate() {
            let is_again = |other: &NodeEntry| fold(&other.key) == fold(&entry.key);
            if self.entries[..index].iter().any(is_again)
                && let Some(key) = shown(&entry.key)
            {
                self.reasons.push(format!("the key `{key}` is there twice; keep one of the two"));
            }
        }
    }

    fn request(&mut self) -> Option<Request> {
        let lab = self.text("lab");
        Some(match self.word {
            Word::Refetch => {
                let (orders, kind) = (self.orders(), self.kind());
                if orders.is_empty() && self.reasons.is_empty() {
                    self.reasons.push("the key `orders` is missing: which orders?".to_owned());
                }
                Request::Refetch { lab, orders, kind }
            }
            Word::Publish => {
                let orders = self.orders();
                if orders.is_empty() && self.reasons.is_empty() {
                    self.reasons.push("the key `orders` is missing: which orders?".to_owned());
                }
                Request::Publish { lab, orders }
            }
            Word::Pause => Request::Pause { lab },
            Word::Resume => Request::Resume { lab },
            Word::Poll => Request::Poll { lab },
            Word::Verify => Request::Verify { orders: self.orders() },
            Word::Status => Request::Status {},
            Word::Pair => {
                let account = self.account("account");
                Request::Pair { lab, account, code: self.text("code").map(Text) }
            }
            Word::Unpair => {
                let (account, confirm) = (self.account("account"), self.account("confirm"));
                self.must("account", account.is_some());
                Request::Unpair { lab, account: account?, confirm }
            }
            Word::Return => {
                let (order, confirm) = (self.order("order"), self.order("confirm"));
                let reason = self.text("reason").map(Text);
                self.must("order", order.is_some());
                self.must("reason", reason.is_some());
                Request::Return { lab, order: order?, reason: reason?, confirm }
            }
        })
    }

    fn must(&mut self, key: &str, is_there: bool) {
        let is_told = self.reasons.iter().any(|reason| reason.contains(&format!("`{key}`")));
        if !is_there && !is_told {
            self.reasons.push(format!("the key `{key}` is missing"));
        }
    }

    fn value(&self, key: &str) -> Option<&NodeKind> {
        let entry = self.entries.iter().find(|entry| fold(&entry.key) == fold(key))?;
        Some(&entry.value.kind).filter(|kind| !matches!(kind, NodeKind::Null))
    }

    /// A single value as it was written; a blank one counts as absent.
    fn text(&mut self, key: &str) -> Option<String> {
        match self.value(key)? {
            NodeKind::List(_) | NodeKind::Section(_) => {
                self.reasons.push(format!("the key `{key}` takes one value"));
                None
            }
            kind => written(kind).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned),
        }
    }

    fn account(&mut self, key: &str) -> Option<AccountId> {
        let parsed = self.text(key)?.parse().ok();
        if parsed.is_none() {
            self.reasons.push(format!("the value of `{key}` is not an account number"));
        }
        parsed
    }

    fn order(&mut self, key: &str) -> Option<OrderId> {
        let parsed = self.text(key)?.parse().ok();
        if parsed.is_none() {
            self.reasons.push(format!("the value of `{key}` is not an order number"));
        }
        parsed
    }

    fn kind(&mut self) -> Option<CaseKind> {
        let text = self.text("kind")?;
        let folded = fold(&text);
        let kind = match folded.as_str() {
            "ortho" | "orthodontic" | "orthodontics" => Some(CaseKind::Ortho),
            "restorative" | "resto" => Some(CaseKind::Restorative),
            _ => None,
        };
        if kind.is_none() {
            self.reasons.push("the key `kind` takes `ortho` or `restorative`".to_owned());
        }
        kind
    }

    /// The orders under `orders` and `order`, without duplicates: a list, or numbers one after
    /// another.
    fn orders(&mut self) -> Vec<OrderId> {
        let mut orders: Vec<OrderId> = Vec::new();
        for key in ["orders", "order"] {
            let items: Option<Vec<String>> = match self.value(key) {
                None => continue,
                Some(NodeKind::List(items)) => {
                    items.iter().map(|item| item.text().map(str::to_owned)).collect()
                }
                Some(NodeKind::Section(_)) => None,
                Some(kind) => {
                    let split = |c: char| c.is_whitespace() || c == ',' || c == ';';
                    let text = written(kind).unwrap_or_default();
                    let parts = text.split(split).filter(|part| !part.is_empty());
                    Some(parts.map(str::to_owned).collect())
                }
            };
            let ids: Option<Vec<OrderId>> =
                items.and_then(|items| items.iter().map(|item| item.parse().ok()).collect());
            match ids {
                Some(ids) => {
                    for id in ids {
                        if !orders.contains(&id) {
                            orders.push(id);
                        }
                    }
                }
                None => self.reasons.push(format!(
                    "the key `{key}` takes order numbers, such as `{key}: {}`",
                    if key == "orders" { "[17544365, 17544366]" } else { "17544365" }
                )),
            }
        }
        orders
    }
}

fn written(kind: &NodeKind) -> Option<&str> {
    match kind {
        NodeKind::Bool(_, text)
        | NodeKind::Int(_, text)
        | NodeKind::Float(text)
        | NodeKind::Text(text, _) => Some(text),
        NodeKind::Null | NodeKind::List(_) | NodeKind::Section(_) => None,
    }
}
