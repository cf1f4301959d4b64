//! File names as messages may show them.
//!
//! Archives name their files by the order's number and by what is on them. But people name files too,
//! on the scanner and in the output, and a patient's name in a file's name must not get into a log, the
//! journal or a mail.

/// Words that are about scans, pictures and papers, not about people.
#[rustfmt::skip]
const WORDS: [&str; 88] = [
    "abutment", "antagonist", "arch", "arches", "archive", "back", "bite", "bmp", "bottom", "bridge",
    "buccal", "capture", "captures", "coping", "copy", "crown", "data", "dcm", "design", "die",
    "ds_store", "export", "extra", "front", "gallery", "htm", "html", "image", "images", "implant",
    "inlay", "itero", "jaw", "jpeg", "jpg", "json", "left", "lingual", "link", "lower", "macosx",
    "mandible", "manifest", "maxilla", "mesh", "model", "models", "new", "note", "notes", "obj",
    "occlusal", "occlusion", "old", "orthocad", "other", "others", "outside", "paper", "part", "pdf",
    "ply", "png", "pontic", "prep", "preparation", "pretreatment", "readme", "report", "right", "rx",
    "scan", "scanbody", "scans", "screen", "shell", "stl", "thumbnail", "thumbnails", "thumbs", "tmp",
    "top", "txt", "upper", "veneer", "view", "xml", "zip",
];

/// The path of a file with `…` for each word that may be somebody's name. Numbers, single
/// letters and words of the field stay, so that the files of an export are named in
/// full; at most 80 characters.
pub fn file_name(path: &str) -> String {
    let mut shown = String::new();
    let mut word = String::new();
    for c in path.chars().take(80).chain(['/']) {
        if c.is_alphanumeric() {
            word.push(c);
            continue;
        }
        if is_harmless(&word) {
            shown.push_str(&word);
        } else if !shown.ends_with('…') {
            shown.push('…');
        }
        word.clear();
        shown.push(if c.is_control() { '?' } else { c });
    }
    shown.pop();
    shown
}

fn is_harmless(word: &str) -> bool {
    let folded = word.to_lowercase();
    let (letters, digits): (Vec<char>, Vec<char>) =
        folded.chars().partition(|c| !c.is_ascii_digit());
    // A hash, or a number with a mark such as v50.
    letters.len() <= 1
        || (digits.len() >= 6 && letters.iter().all(|c| ('a'..='f').contains(c)))
        || WORDS.binary_search(&letters.into_iter().collect::<String>().as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_an_export_are_named_in_full() {
        assert!(WORDS.is_sorted());
        for name in [
            "17544365_shell_occlusion_u.stl",
            "itero_export_#17544365_v50.xml",
            "Rx_17544365.html",
            "thumbnails/image1.jpg",
            "../../outside.stl",
            "manifest.json",
            "",
        ] {
            assert_eq!(file_name(name), name);
        }
    }

    #[test]
    fn what_may_be_the_name_of_a_person_is_left_out() {
        assert_eq!(file_name("Müller, Anna-Maria 1980.stl"), "…, …-… 1980.stl");
        assert_eq!(file_name("17544365_Zzyzx_u.stl"), "17544365_…_u.stl");
        assert_eq!(file_name("Li 12.stl"), "… 12.stl");
        assert_eq!(file_name("../李小龙/x\ny.stl"), "../…/x?y.stl");
        assert!(file_name(&"Anna".repeat(99)).chars().count() <= 80);
    }
}
