//! Names in the command folder: which ones are commands, and the names under which commands are
//! processed and filed.

use std::collections::BTreeSet;
use std::path::{Component, Path};

/// Holds a file while it is processed.
pub(super) const WORKING: &str = "working";
/// Holds what was carried out, with receipts.
pub(super) const DONE: &str = "done";
/// Holds everything else, with receipts.
pub(super) const FAILED: &str = "failed";
/// Explains the folder.
pub(super) const README: &str = "README.txt";
/// The receipt for programs is named after the command file, plus this suffix.
pub(super) const FOR_PROGRAMS: &str = ".receipt.json";
/// The receipt for people.
pub(super) const FOR_PEOPLE: &str = ".receipt.txt";
/// Marks a name that was cut off.
pub(super) const LONG: &str = "~long";

/// A longer name leaves no room for a receipt's suffix (most volumes limit names to 255 bytes).
const LONGEST: usize = 220;
/// Extensions of files that are still being written.
const TEMPORARY: [&str; 9] = [
    ".tmp",
    ".temp",
    ".part",
    ".partial",
    ".filepart",
    ".crdownload",
    ".download",
    ".opdownload",
    ".new",
];

/// What a name in the command folder indicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Does not concern us: hidden, or put there by us or the operating system.
    Foreign,
    /// Still being written.
    Temporary,
    /// It may be a command.
    Command,
}

pub(super) fn sort(name: &str) -> Sort {
    let lower = name.to_lowercase();
    let is_ours = [README, WORKING, DONE, FAILED].iter().any(|own| own.eq_ignore_ascii_case(name))
        || lower.ends_with(FOR_PROGRAMS)
        || lower.ends_with(FOR_PEOPLE);
    let is_systems = matches!(lower.as_str(), "desktop.ini" | "thumbs.db");
    if is_ours || is_systems || name.starts_with(['.', '~']) || name.ends_with('~') {
        Sort::Foreign
    } else if TEMPORARY.iter().any(|ending| lower.ends_with(ending)) {
        Sort::Temporary
    } else {
        Sort::Command
    }
}

/// Classifies a folder's name. People keep their own folders here, but one named like a command
/// file was meant as one.
pub(super) fn sort_folder(name: &str) -> Sort {
    let lower = name.to_lowercase();
    let is_meant = [".txt", ".yaml", ".yml", ".json"].iter().any(|ending| lower.ends_with(ending));
    if is_meant { sort(name) } else { Sort::Foreign }
}

/// The name to file a command and its receipts under: its own, unless it or one of its receipts
/// would collide with another file. `taken` holds the names in use, in lower case.
pub(super) fn kept_name(name: &str, taken: &mut BTreeSet<String>) -> String {
    let name = shortened(&name.replace(char::is_control, "_"));
    let is_free = |name: &str, taken: &BTreeSet<String>| {
        let lower = name.to_lowercase();
        !["", FOR_PROGRAMS, FOR_PEOPLE].iter().any(|end| taken.contains(&format!("{lower}{end}")))
    };
    let mut number = 1;
    loop {
        let candidate = numbered(&name, number);
        if is_free(&candidate, taken) {
            taken.insert(candidate.to_lowercase());
            return candidate;
        }
        number += 1;
    }
}

/// The name itself for 1, otherwise with the number before the extension: `pause~2.txt`.
pub(super) fn numbered(name: &str, number: u32) -> String {
    if number <= 1 {
        return name.to_owned();
    }
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => format!("{stem}~{number}.{ending}"),
        _ => format!("{name}~{number}"),
    }
}

fn shortened(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let mut end = LONGEST / 2;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{LONG}", &name[..end])
}

/// A file that was taken: `<stamp>~<name>` in `working`. The stamp is created when the file is
/// taken, is never reused, and starts with the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    /// `<milliseconds since 1970>-<random>`, both as fixed-width hexadecimal.
    pub(super) stamp: String,
    /// The name it will be filed under.
    pub(super) name: String,
}

impl Taken {
    pub(super) fn new(at_ms: i64, random: u32, name: String) -> Self {
        Self { stamp: format!("{:012x}-{random:08x}", at_ms.max(0)), name }
    }

    pub(super) fn parse(file: &str) -> Option<Self> {
        let (stamp, name) = file.split_once('~')?;
        (is_stamp(stamp) && !name.is_empty())
            .then(|| Self { stamp: stamp.to_owned(), name: name.to_owned() })
    }

    pub(super) fn file_name(&self) -> String {
        format!("{}~{}", self.stamp, self.name)
    }
}

/// When the file with that stamp was taken, in milliseconds since 1970.
pub(super) fn taken_at(stamp: &str) -> i64 {
    stamp.split('-').next().and_then(|hex| i64::from_str_radix(hex, 16).ok()).unwrap_or(0)
}

/// The stamp that one of our hidden files in `working` belongs to.
pub(super) fn stamp_of_hidden(file: &str) -> Option<&str> {
    let stamp = file.strip_prefix('.')?.split('.').next()?;
    is_stamp(stamp).then_some(stamp)
}

/// Whether a text is a plain file name and nothing more.
pub(super) fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(part)), None) if part == name)
}

fn is_stamp(text: &str) -> bool {
    let is_hex = |text: &str, digits: usize| {
        text.len() == digits
            && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    text.split_once('-').is_some_and(|(time, random)| is_hex(time, 12) && is_hex(random, 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_ours_or_unfinished_is_no_command() {
        for name in [
            ".x",
            "~$pause.txt",
            "pause.txt~",
            "README.txt",
            "readme.TXT",
            "Thumbs.db",
            "desktop.ini",
            "pause.txt.receipt.json",
            "PAUSE.TXT.RECEIPT.TXT",
        ] {
            assert_eq!(sort(name), Sort::Foreign, "{name}");
        }
        for name in ["pause.txt.part", "pause.tmp", "Pause.CRDOWNLOAD"] {
            assert_eq!(sort(name), Sort::Temporary, "{name}");
        }
        for name in ["pause.txt", "pause", "x", "read me.txt", "pause~2.txt"] {
            assert_eq!(sort(name), Sort::Command, "{name}");
        }
    }

    #[test]
    fn a_folder_is_no_command_unless_it_is_called_like_one() {
        for name in ["archive", "2026", "done", "README.txt", ".x.txt"] {
            assert_eq!(sort_folder(name), Sort::Foreign, "{name}");
        }
        assert_eq!(sort_folder("refetch 17.TXT"), Sort::Command);
    }

    #[test]
    fn no_two_files_and_no_two_receipts_get_the_same_name() {
        let mut taken = BTreeSet::new();
        taken.insert("poll.txt.receipt.json".to_owned());
        let names: Vec<_> = ["pause.txt", "Pause.txt", "pause.txt", "pause", "poll.txt"]
            .iter()
            .map(|name| kept_name(name, &mut taken))
            .collect();
        assert_eq!(names, ["pause.txt", "Pause~2.txt", "pause~3.txt", "pause", "poll~2.txt"]);
    }

    #[test]
    fn a_name_that_has_no_room_for_its_receipt_is_cut_and_marked() {
        let name = kept_name(&"ä".repeat(120), &mut BTreeSet::new());
        assert!(name.ends_with(LONG) && name.len() < LONGEST, "{name}");
        assert_eq!(kept_name("a\nb.txt", &mut BTreeSet::new()), "a_b.txt");
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        for name in ["pause.txt", "pause", "a b~2.txt", "..x"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", ".", "..", "../x", "a/b", "/x", "x/", "./x"] {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn a_stamp_is_found_again_with_its_time() {
        let taken = Taken::new(1_795_000_000_123, 7, "pause~2.txt".to_owned());
        assert_eq!(Taken::parse(&taken.file_name()), Some(taken.clone()));
        assert_eq!(taken_at(&taken.stamp), 1_795_000_000_123);
        let hidden = format!(".{}{FOR_PROGRAMS}", taken.stamp);
        assert_eq!(stamp_of_hidden(&hidden), Some(taken.stamp.as_str()));
        for other in ["pause.txt", "pause~2.txt", "0000~x", ".x"] {
            assert_eq!(Taken::parse(other), None);
            assert_eq!(stamp_of_hidden(other), None);
        }
    }
}
