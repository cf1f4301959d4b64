//! Reads YAML into a tree of located values. The only module that uses the YAML library.
//!
//! Reading terminates on any input: depth, size and the number of values are bounded, including
//! aliases. A text that is not YAML gives one fault with line, column and the line itself;
//! duplicate keys, tags and the like are faults, but reading continues.

use std::collections::{BTreeMap, HashSet};

use serde_yaml::granit_parser::{
    ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, Tag, options,
};

use super::fault::{KeyPath, shorten};
use super::node::{Entry, Kind, Node, Origin};

/// The maximum size of a config, in bytes.
pub(super) const MAX_BYTES: u64 = 1 << 20;
const MAX_DEPTH: usize = 24;
const MAX_VALUES: usize = 50_000;

/// Something that the text must not contain.
pub(crate) struct Problem {
    pub(super) path: KeyPath,
    pub(crate) line: usize,
    pub(super) column: usize,
    pub(super) reason: String,
    pub(crate) hint: Option<String>,
    pub(super) snippet: Option<String>,
}

/// Decodes the bytes of a config file: UTF-8, with or without a byte-order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, Problem> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        let reason = "the file is in UTF-16";
        return Err(Problem::at(1, 1, reason, Some("save it as UTF-8")));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
        let hint = "save it as UTF-8; editors often call the old encoding ANSI or Windows-1252";
        Problem::at(line, column, "the file is not in UTF-8", Some(hint))
    })?;
    Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text))
}

/// Reads one document. There is no tree if the text is not YAML, or is empty.
pub(crate) fn parse(text: &str) -> (Option<Node>, Vec<Problem>) {
    let mut builder = Builder::default();
    let limits = options! {
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        emit_comments: false,
        disallow_directives: true,
    };
    for next in Parser::new_from_str_with_options(text, limits) {
        let step = match next {
            Ok((event, span)) => builder.event(&event, &span),
            Err(error) => Err(syntax(text, &error)),
        };
        if let Err(problem) = step {
            builder.problems.push(problem);
            return (None, builder.problems);
        }
    }
    (builder.root, builder.problems)
}

impl Problem {
    fn at(line: usize, column: usize, reason: impl Into<String>, hint: Option<&str>) -> Self {
        Self {
            path: KeyPath::default(),
            line,
            column,
            reason: reason.into(),
            hint: hint.map(str::to_owned),
            snippet: None,
        }
    }
}

/// A list or section whose end has not come yet.
struct Open {
    node: Node,
    anchor: usize,
    path: KeyPath,
    /// The key that waits for its value.
    key: Option<(String, Origin)>,
    seen: HashSet<String>,
    /// An unusable key; its value is dropped.
    skip: bool,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    values: usize,
    documents: usize,
    root: Option<Node>,
    problems: Vec<Problem>,
}

impl Builder {
    fn event(&mut self, event: &Event<'_>, span: &Span) -> Result<(), Problem> {
        let (line, column) = (span.start.line(), span.start.col() + 1);
        let origin = Origin::File { line, column };
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let reason = "a second document begins here";
                    return Err(Problem::at(line, column, reason, Some("remove the line `---`")));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(text, *style, tag.as_deref(), origin);
                self.add(node, *anchor)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), &origin);
                self.start(Node { kind: Kind::List(Vec::new()), origin }, *anchor);
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag(tag.as_deref(), &origin);
                self.start(Node::empty(origin), *anchor);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop() {
                    self.add(open.node, open.anchor)?;
                }
            }
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(anchor).cloned() else {
                    let reason = "this alias is inside what it repeats";
                    return Err(Problem::at(line, column, reason, Some("write the value out")));
                };
                self.values += target.size();
                self.add(target, 0)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Origin) -> Node {
        self.tag(tag, &at);
        let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
        if style == ScalarStyle::Plain && !is_text {
            Node::plain(text, at)
        } else {
            Node::quoted(text, at)
        }
    }

    fn tag(&mut self, tag: Option<&Tag>, origin: &Origin) {
        if let (Some(tag), Origin::File { line, column }) = (tag, origin)
            && !tag.is_yaml_core_schema()
        {
            let reason = format!("the tag `{}` has no meaning here", shorten(&tag.to_string()));
            let mut problem = Problem::at(*line, *column, reason, Some("leave the tag out"));
            problem.path = self.here();
            self.problems.push(problem);
        }
    }

    /// The path of the next value.
    fn here(&self) -> KeyPath {
        match self.open.last() {
            None => KeyPath::default(),
            Some(open) => match (&open.node.kind, &open.key) {
                (Kind::List(items), _) => open.path.index(items.len()),
                (_, Some((key, _))) => open.path.key(key),
                (_, None) => open.path.clone(),
            },
        }
    }

    fn start(&mut self, node: Node, anchor: usize) {
        let path = self.here();
        self.open.push(Open { node, anchor, path, key: None, seen: HashSet::new(), skip: false });
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        self.values += 1;
        if self.values > MAX_VALUES {
            let (line, column) = match node.origin {
                Origin::File { line, column } | Origin::Policy { line, column } => (line, column),
                Origin::Variable(_) => (1, 1),
            };
            let reason = format!("the file contains more than {MAX_VALUES} values");
            let hint = "check that this is the right file";
            return Err(Problem::at(line, column, reason, Some(hint)));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.node.kind {
            Kind::List(items) => items.push(node),
            Kind::Section(entries) => match open.key.take() {
                Some((key, origin)) => {
                    if !std::mem::take(&mut open.skip) {
                        entries.push(Entry { key, origin, value: node });
                    }
                }
                None => self.key(&node),
            },
            _ => {}
        }
        Ok(())
    }

    fn key(&mut self, node: &Node) {
        let Some(open) = self.open.last_mut() else { return };
        let key = match &node.kind {
            Kind::Null => "null".to_owned(),
            _ => node.text().unwrap_or_default().to_owned(),
        };
        let fault = if matches!(node.kind, Kind::List(_) | Kind::Section(_)) {
            Some(("a list or section cannot be a key".to_owned(), "write a word as the key"))
        } else if key == "<<" {
            let hint = "write the keys out where they are needed";
            Some(("merging sections with `<<` is not supported".to_owned(), hint))
        } else if open.seen.insert(key.clone()) {
            None
        } else {
            Some(("the key appears here for the second time".to_owned(), "keep one of the two"))
        };
        if let (Some((reason, hint)), Origin::File { line, column }) = (fault, &node.origin) {
            let mut problem = Problem::at(*line, *column, reason, Some(hint));
            problem.path = open.path.key(&key);
            self.problems.push(problem);
            open.skip = true;
        }
        open.key = Some((key, node.origin.clone()));
    }
}

fn syntax(text: &str, error: &ScanError) -> Problem {
    let (line, column) = (error.marker().line(), error.marker().col() + 1);
    let hint = match error.kind() {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar
        | ErrorKind::InvalidBlockEntryWhitespace
        | ErrorKind::InvalidMappingValueWhitespace => "indent with spaces, not with tabs",
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidUnicodeEscape => {
            "in double quotes `\\` has a meaning of its own; write Windows paths in single quotes: 'C:\\Casedrop'"
        }
        ErrorKind::UnclosedQuotedScalar => {
            "close the quotes; a `\"` after `\\` does not close them, so write Windows paths in single quotes"
        }
        ErrorKind::UnknownAnchor => {
            "a value that begins with `*` needs quotes, unless it repeats an anchor"
        }
        ErrorKind::RecursionLimitExceeded => "check that this is the right file",
        ErrorKind::UnexpectedCharacter { .. } => "put the value in single quotes",
        ErrorKind::DirectiveDisallowed => "remove the line that begins with `%`",
        ErrorKind::InvalidColonPlacement => {
            "close brackets and quotes opened before, and put a value that contains `: ` in quotes"
        }
        ErrorKind::MappingValueNotAllowed => {
            "put a value that contains `: ` in single quotes, and check the indentation"
        }
        _ => "check indentation, quotes and brackets on this line and the one before",
    };
    let mut problem = Problem::at(line, column, error.info(), Some(hint));
    problem.snippet = snippet(text, line, column);
    problem
}

/// The line with a mark below the column. A line that may hold a secret is omitted.
fn snippet(text: &str, line: usize, column: usize) -> Option<String> {
    const WIDTH: usize = 100;
    // A fault at the very end is after the last line.
    let last = text.lines().count();
    let number = line.min(last);
    let content = text.lines().nth(number.checked_sub(1)?)?.trim_end();
    let lower = content.to_lowercase();
    if lower.contains("secret") || lower.contains("password") {
        return None;
    }
    let column = if line > last { content.chars().count() + 1 } else { column };
    let shown: String =
        content.chars().take(WIDTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut out = format!("  {number:>4} | {shown}");
    if column <= WIDTH {
        out.push_str("\n       | ");
        out.extend(std::iter::repeat_n(' ', column.saturating_sub(1)));
        out.push('^');
    }
    Some(out)
}
