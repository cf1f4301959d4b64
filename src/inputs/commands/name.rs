//! A command as a line of words: a file name, or a text without keys.

use super::error::CommandError;
use super::folders::LONG;
use super::words::Word;
use crate::model::ids::OrderId;
use crate::model::request::Request;

/// Words that operating systems put into the names of copies.
const COPY: [&str; 7] = ["copy", "kopie", "copie", "copia", "kopia", "kopi", "cópia"];
const COPY_OF: [&str; 6] =
    ["copy of ", "kopie von ", "copie de ", "copia de ", "copia di ", "kopie van "];

/// Returns what a file's name alone asks for.
pub(super) fn of_file_name(name: &str) -> Result<Request, CommandError> {
    let stem = stem(name);
    if name.contains(LONG) {
        let reason = "the file name is too long; write the orders into the file";
        return Err(CommandError::about(Word::Refetch, reason));
    }
    let Some((word, rest)) = split(stem) else {
        let first = first_word(stem);
        let complaint = CommandError::no_command_in_name(first);
        let perhaps_unfinished = complaint.command.is_none();
        return Err(CommandError { perhaps_unfinished, ..complaint });
    };
    request(word, rest)
}

/// The command at the start of a file's name.
pub(super) fn word_of(name: &str) -> Option<Word> {
    split(stem(name)).map(|(word, _)| word)
}

/// Returns what a text without keys asks for; `named` is the command in the file's name.
pub(super) fn of_text(text: &str, named: Option<Word>) -> Result<Request, CommandError> {
    if let Some((word, rest)) = split(text.trim()) {
        return request(word, rest);
    }
    let only_numbers = words(text).all(has_digit);
    match named {
        // A list of orders in a file named after the command.
        Some(word @ (Word::Refetch | Word::Verify | Word::Publish)) if only_numbers => {
            request(word, text)
        }
        Some(word) => Err(CommandError::about(
            word,
            format!(
                "the text in the file is not a command, although the file name is one (`{0}`); \
                 leave the file empty, or start its text with `command: {0}`",
                word.as_str()
            ),
        )),
        None => {
            let complaint = CommandError::no_command(first_word(text), "the text in the file");
            // The first word may be a person's name.
            let reasons = match complaint.command {
                Some(near) => {
                    vec![format!("the text in the file is not a command; did you mean `{near}`?")]
                }
                None => vec!["the text in the file is not a command".to_owned()],
            };
            Err(CommandError { reasons, ..complaint })
        }
    }
}

fn request(word: Word, rest: &str) -> Result<Request, CommandError> {
    let rest = rest.trim_matches(|c: char| !c.is_alphanumeric());
    let lab = (!rest.is_empty()).then(|| rest.to_owned());
    Ok(match word {
        Word::Refetch => {
            let orders = orders(rest);
            if orders.is_empty() {
                let reason = "the number of the order to fetch again is missing";
                return Err(CommandError::about(word, reason));
            }
            Request::Refetch { lab: None, orders, kind: None }
        }
        Word::Publish => {
            let orders = orders(rest);
            if orders.is_empty() {
                let reason = "the number of the order to publish is missing";
                return Err(CommandError::about(word, reason));
            }
            Request::Publish { lab: None, orders }
        }
        Word::Verify => Request::Verify { orders: orders(rest) },
        Word::Pause => Request::Pause { lab },
        Word::Resume => Request::Resume { lab },
        Word::Poll => Request::Poll { lab },
        Word::Pair => Request::Pair { lab, account: None, code: None },
        Word::Status => Request::Status {},
        Word::Unpair | Word::Return => {
            let reason = format!(
                "`{}` affects more than this PC, so a file name is not enough: write the command \
                 into the file, and confirm it there",
                word.as_str()
            );
            return Err(CommandError::about(word, reason));
        }
    })
}

/// The order numbers among the words, without duplicates.
fn orders(text: &str) -> Vec<OrderId> {
    let mut orders = Vec::new();
    for id in words(text).filter(|word| has_digit(word)).filter_map(|word| word.parse().ok()) {
        if !orders.contains(&id) {
            orders.push(id);
        }
    }
    orders
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn has_digit(word: &str) -> bool {
    word.contains(|c: char| c.is_ascii_digit())
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    let is_end = |c: char| !c.is_alphanumeric() && c != '-' && c != '_';
    let word = text.split(is_end).next().unwrap_or_default();
    // `refech-17544365`
    word.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default().trim_end_matches(['-', '_'])
}

/// The command at the start of a text, and what follows it.
fn split(text: &str) -> Option<(Word, &str)> {
    let text = text.trim_start_matches(|c: char| !c.is_alphanumeric());
    let letters = |text: &str| text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
    let end = letters(text);
    let (head, rest) = text.split_at(end);
    if let Some(word) = Word::from_text(head) {
        return Some((word, rest));
    }
    // `re-fetch`, `un-pair`
    let tail = rest.trim_start_matches(['-', '_', ' ']);
    let end = letters(tail);
    let is_prefix = ["re", "un"].iter().any(|prefix| head.eq_ignore_ascii_case(prefix));
    let word = is_prefix.then(|| Word::from_text(&format!("{head}{}", &tail[..end]))).flatten();
    word.map(|word| (word, &tail[end..]))
}

/// A file's name without extensions and without what operating systems add to the names of copies.
fn stem(name: &str) -> &str {
    let mut stem = name.trim();
    loop {
        let shorter = without_mark(without_ending(stem)).trim();
        if shorter.len() == stem.len() {
            return stem;
        }
        stem = shorter;
    }
}

fn without_ending(name: &str) -> &str {
    let name = name.trim_end_matches('.');
    let Some((stem, ending)) = name.rsplit_once('.') else { return name };
    let is_ending = (1..=10).contains(&ending.chars().count())
        && ending.chars().all(char::is_alphanumeric)
        && ending.contains(char::is_alphabetic);
    if is_ending && !stem.trim().is_empty() { stem } else { name }
}

fn without_mark(name: &str) -> &str {
    for before in COPY_OF {
        if let Some(rest) = name.get(before.len()..)
            && name.get(..before.len()).is_some_and(|head| head.eq_ignore_ascii_case(before))
        {
            return rest;
        }
    }
    let small = |text: &str| {
        (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let name = name.trim_end();
    // `pause (2)`
    if let Some((head, inner)) = name.strip_suffix(')').and_then(|name| name.rsplit_once('('))
        && small(inner)
    {
        return head;
    }
    // `pause~2`: our own numbering
    if let Some((head, number)) = name.rsplit_once('~')
        && small(number)
    {
        return head;
    }
    // `pause - Copy`, `pause copy 2`
    let last = |text: &str| {
        let (head, word) = text.rsplit_once([' ', '-', '_'])?;
        Some((head.len(), word.to_lowercase()))
    };
    let is_copy = |word: &str| COPY.contains(&word);
    let Some((end, word)) = last(name) else { return name };
    let end = if is_copy(&word) {
        end
    } else {
        match last(name[..end].trim_end()) {
            Some((end, before)) if small(&word) && is_copy(&before) => end,
            _ => return name,
        }
    };
    name[..end].trim_end_matches([' ', '-', '–', '—', '_'])
}
