//! Rewrites one value of a config file. Comments, order and line endings stay, byte for byte.

/// Returns the text with a new value for the key on that line, counted from 1; `None` unless the
/// line starts with `key: value` and holds the whole value.
///
/// Load the result before using it: this looks at one line only.
pub fn with_value(text: &str, line: usize, key: &str, value: &str) -> Option<String> {
    if value.chars().any(char::is_control) {
        return None;
    }
    with_line(text, line, |whole| line_with(whole, key, value))
}

/// Like [`with_value`], for a key at any depth: its line may be indented, and may begin the entry
/// of a list.
pub(super) fn with_nested_value(text: &str, line: usize, key: &str, value: &str) -> Option<String> {
    if value.chars().any(char::is_control) {
        return None;
    }
    with_line(text, line, |whole| {
        let (indent, rest) = whole.split_at(indent(whole));
        Some(format!("{indent}{}", line_with(rest, key, value)?))
    })
}

/// Returns the text with that line commented out; `None` if the line begins the entry of a list,
/// which would take the whole entry away.
pub(super) fn without_line(text: &str, line: usize) -> Option<String> {
    with_line(text, line, |whole| {
        let (indent, rest) = whole.split_at(indent(whole));
        (!indent.contains('-')).then(|| format!("{indent}#{rest}"))
    })
}

/// Returns the text with another key below that line, at the same depth.
pub(super) fn with_key_below(text: &str, line: usize, key: &str, value: &str) -> Option<String> {
    if value.chars().any(char::is_control) {
        return None;
    }
    with_line(text, line, |whole| {
        let content = whole.trim_end_matches(['\r', '\n']);
        let end = if whole.len() > content.len() { &whole[content.len()..] } else { "\n" };
        let indent = whole[..indent(whole)].replace('-', " ");
        Some(format!("{content}{end}{indent}{key}: {}{end}", quoted_value(value)))
    })
}

/// The text with another line, counted from 1.
fn with_line(text: &str, line: usize, change: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut written = String::with_capacity(text.len());
    let mut found = false;
    for (index, whole) in text.split_inclusive('\n').enumerate() {
        if index + 1 == line {
            written.push_str(&change(whole)?);
            found = true;
        } else {
            written.push_str(whole);
        }
    }
    found.then_some(written)
}

/// The length of a line's indentation, including the dash of a list's entry.
fn indent(line: &str) -> usize {
    let rest = line.trim_start_matches(' ');
    let rest = rest.strip_prefix("- ").map_or(rest, |rest| rest.trim_start_matches(' '));
    line.len() - rest.len()
}

/// A value in single quotes, in which nothing but the quote itself is special.
pub(super) fn quoted_value(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn line_with(whole: &str, key: &str, value: &str) -> Option<String> {
    let content = whole.trim_end_matches(['\r', '\n']);
    let end = &whole[content.len()..];
    let (mark, content) = match content.strip_prefix('\u{FEFF}') {
        Some(content) => ("\u{FEFF}", content),
        None => ("", content),
    };
    let old = content.strip_prefix(key)?.trim_start().strip_prefix(':')?;
    let behind = behind(old.trim_start())?;
    Some(format!("{mark}{key}: {}{behind}{end}", quoted_value(value)))
}

/// What follows a value: a comment with the space before it, or nothing.
fn behind(value: &str) -> Option<&str> {
    let rest = match value.chars().next()? {
        quote @ ('\'' | '"') => &value[1 + quoted(&value[1..], quote)?..],
        // Sections, lists, multi-line strings, anchors and the like are left for people to edit.
        '{' | '[' | '|' | '>' | '&' | '*' | '!' | '#' => return None,
        _ => {
            let plain = value.find(" #").map_or(value, |at| &value[..at]);
            &value[plain.trim_end().len()..]
        }
    };
    let comment = rest.trim_start();
    let is_comment = comment.is_empty() || (comment.starts_with('#') && rest.len() > comment.len());
    is_comment.then_some(rest)
}

/// The length of a string including the closing quote.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote == '"' {
            chars.next();
        } else if c == quote {
            if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
            } else {
                return Some(at + 1);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_changes_and_all_else_stays_with_its_line_ends() {
        let text = "\u{FEFF}# mine\r\noutput: 'C:\\Alt #1'   # where the CAD looks\r\nstate: s\r\n";
        let changed = with_value(text, 2, "output", "D:\\It's").expect("written");
        let expected =
            "\u{FEFF}# mine\r\noutput: 'D:\\It''s'   # where the CAD looks\r\nstate: s\r\n";
        assert_eq!(changed, expected);
    }

    #[test]
    fn every_simple_way_to_write_a_value_is_understood() {
        for (old, new) in [
            ("output: /a", "output: 'x'"),
            ("output:   /a b#c  # d", "output: 'x'  # d"),
            ("output : \"a\\\"b # c\" # d", "output: 'x' # d"),
            ("output: 'it''s' # d", "output: 'x' # d"),
            ("\u{FEFF}output: /a", "\u{FEFF}output: 'x'"),
        ] {
            assert_eq!(with_value(old, 1, "output", "x").as_deref(), Some(new), "{old}");
        }
    }

    #[test]
    fn what_is_written_otherwise_is_left_to_people() {
        for old in [
            "{output: /a}",
            "  output: /a",
            "\"output\": /a",
            "output:",
            "output: # later",
            "output: >",
            "output: &here /a",
            "output: 'a' b",
            "output: 'a",
            "outputs: /a",
        ] {
            assert_eq!(with_value(old, 1, "output", "x"), None, "{old}");
        }
        assert_eq!(with_value("output: a\n", 2, "output", "x"), None, "there is no such line");
        assert_eq!(with_value("output: a", 1, "output", "x\nsecrets: file"), None);
    }

    #[test]
    fn a_nested_value_changes_where_it_is() {
        let text = "labs:\r\n  - name: x # y\r\n    client_id: CHANGE-ME\r\n";
        let named = with_nested_value(text, 2, "name", "north").expect("written");
        let whole = with_nested_value(&named, 3, "client_id", "a'b").expect("written");
        let expected = "labs:\r\n  - name: 'north' # y\r\n    client_id: 'a''b'\r\n";
        assert_eq!(whole, expected);
        for (line, key) in [(1, "labs"), (2, "client_id"), (3, "name"), (4, "name")] {
            assert_eq!(with_nested_value(text, line, key, "x"), None, "{line} {key}");
        }
        assert_eq!(with_nested_value(text, 2, "name", "a\nb: c"), None);
    }

    #[test]
    fn a_key_comes_below_another_one_and_another_is_taken_away() {
        let text = "labs:\n  - client_id: x\n    client_secret: y";
        let more = with_key_below(text, 2, "client_secret_file", "C:\\f").expect("written");
        let expected =
            "labs:\n  - client_id: x\n    client_secret_file: 'C:\\f'\n    client_secret: y";
        assert_eq!(more, expected);
        let less = without_line(&more, 4).expect("written");
        assert_eq!(less, expected.replace("client_secret: y", "#client_secret: y"));
        assert_eq!(without_line(&more, 2), None, "the entry would be gone");
    }
}
