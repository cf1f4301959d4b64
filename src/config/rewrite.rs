//! Rewrites one value of a config file. Comments, order and line endings stay, byte for byte.

/// Returns the text with a new value for the key on that line, counted from 1; `None` unless the
/// line starts with `key: value` and holds the whole value.
///
/// Load the result before using it: this looks at one line only.
pub fn with_value(text: &str, line: usize, key: &str, value: &str) -> Option<String> {
    if value.chars().any(char::is_control) {
        return None;
    }
    let mut written = String::with_capacity(text.len() + value.len());
    let mut found = false;
    for (index, whole) in text.split_inclusive('\n').enumerate() {
        if index + 1 == line {
            written.push_str(&line_with(whole, key, value)?);
            found = true;
        } else {
            written.push_str(whole);
        }
    }
    found.then_some(written)
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
    Some(format!("{mark}{key}: '{}'{behind}{end}", value.replace('\'', "''")))
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
}
