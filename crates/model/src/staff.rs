//! Rewords messages for staff without a command line: the status page and the receipts of the
//! command folder name no commands.

/// Commands that hints name, and what staff do instead.
const INSTEAD: [(&str, &str); 19] = [
    ("login", LOG_IN),
    ("accounts", LOG_IN),
    ("pair", LOG_IN),
    ("logout", LOG_IN),
    ("unpair", "drop a file with the command unpair"),
    ("resume", "press Resume on the status page, or drop an empty file named resume.txt"),
    ("pause", "press Pause on the status page, or drop an empty file named pause.txt"),
    ("poll", "press Poll now on the status page, or drop an empty file named poll.txt"),
    (
        "refetch",
        "press Fetch again on the order's page, or drop an empty file named refetch 17544365.txt, \
         with the order's own number",
    ),
    (
        "publish",
        "press Publish anyway on the order's page, or drop an empty file named publish \
         17544365.txt, with the order's own number",
    ),
    ("return", "return the order on its page on the status page"),
    ("verify", "drop an empty file named verify.txt"),
    ("show", SEE_PAGE),
    ("orders", SEE_PAGE),
    ("status", SEE_PAGE),
    ("run", START),
    ("service", START),
    ("check", ASK),
    ("update", ASK),
];
const LOG_IN: &str = "log in on the status page under Set-up, or drop a file with the command pair";
const SEE_PAGE: &str = "see the status page";
const START: &str = "start Casedrop, or ask your IT";
const ASK: &str = "ask your IT";
/// The program's name in a command.
const PROGRAM: &str = "casedrop ";

/// Returns the text with each clause that names a command replaced by what staff can do.
pub fn for_staff(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(line_for_staff).collect();
    lines.join("\n")
}

fn line_for_staff(line: &str) -> String {
    let mut said = String::new();
    let mut before = None;
    for clause in clauses(line) {
        let body = clause.trim_end_matches([':', ';', ' ']);
        match instead(body) {
            Some(instead) => {
                // Two commands may have the same replacement: once is enough.
                if before == Some(instead) {
                    continue;
                }
                let indent = body.len() - body.trim_start().len();
                said.push_str(&body[..indent]);
                said.push_str(instead);
                said.push_str(&clause[body.len()..]);
                before = Some(instead);
            }
            None => said.push_str(clause),
        }
    }
    if before.is_some() { said.trim_end_matches([':', ';', ' ']).to_owned() } else { said }
}

/// Splits a line into clauses, each with the punctuation that ends it.
fn clauses(line: &str) -> impl Iterator<Item = &str> {
    let ends = line.match_indices("; ").chain(line.match_indices(": "));
    let mut ends: Vec<_> = ends.map(|(at, sign)| at + sign.len()).collect();
    ends.sort_unstable();
    ends.push(line.len());
    let mut from = 0;
    ends.into_iter().map(move |to| {
        let clause = &line[from..to];
        from = to;
        clause
    })
}

/// Returns what staff do instead of the first command in a text; `None` if it names none.
fn instead(text: &str) -> Option<&'static str> {
    text.match_indices(PROGRAM).find_map(|(at, _)| {
        let rest = &text[at + PROGRAM.len()..];
        let verb = rest.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next()?;
        let known = INSTEAD.iter().find(|(known, _)| *known == verb);
        // An unlisted command is in backticks, and only for the administrator.
        let is_command = !verb.is_empty() && text[..at].ends_with('`');
        known.map(|(_, instead)| *instead).or(is_command.then_some(ASK))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_names_a_command_says_what_staff_can_do() {
        let cases = [
            (
                "login needed: run `casedrop login x`, then `casedrop pair x`",
                format!("login needed: {LOG_IN}"),
            ),
            ("casedrop login smile-lab", LOG_IN.to_owned()),
            (
                "  what to do: run `casedrop resume --lab x`",
                format!("  what to do: {}", INSTEAD[5].1),
            ),
            ("start it: `casedrop run`, or `casedrop service start`", format!("start it: {START}")),
            ("`casedrop status` says why; `casedrop show 1` more", SEE_PAGE.to_owned()),
            ("see `casedrop hash-password`", ASK.to_owned()),
        ];
        for (said, wanted) in cases {
            assert_eq!(for_staff(said), wanted);
        }
    }

    #[test]
    fn all_else_stays_as_it_is() {
        for text in [
            "",
            "casedrop 1.2.3: running since 2026",
            "Casedrop is not running; ask: somebody",
            "a\n  b: c; d\n",
            "C:\\casedrop\\orders: full",
        ] {
            assert_eq!(for_staff(text), text);
        }
    }
}
