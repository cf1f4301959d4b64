//! Stand-ins for file names, for places where no person's name may be stored.
//!
//! A path component with a word that could be a name is replaced by a number that only depends on
//! the component and the order. Given the file, its stand-in can be computed, so the file is
//! recognized without storing its name. (A guessed name can be checked against the stand-in: it
//! hides names from readers, not from someone who has the journal and a list of patients.)

use std::borrow::Cow;
use std::fmt::Write as _;

use icu_normalizer::ComposingNormalizerBorrowed;
use sha2::{Digest as _, Sha256};

use super::discreet::file_name;

/// Anything longer is not a file extension.
const ENDING_MAX: usize = 8;
/// Gives a stand-in of 18 digits: it stays a number in which no word can be seen.
const MODULUS: u64 = 1_000_000_000_000_000_000;

/// Replaces each path component that could name a person; existing stand-ins stay unchanged.
pub fn stand_in<'p>(path: &'p str, order: &str) -> Cow<'p, str> {
    if path.split(SEPARATORS).all(is_plain) {
        return Cow::Borrowed(path);
    }
    let mut shown = String::with_capacity(path.len());
    for piece in path.split_inclusive(SEPARATORS) {
        let part = piece.trim_end_matches(SEPARATORS);
        if is_plain(part) {
            shown.push_str(part);
        } else {
            push_number(part, order, &mut shown);
        }
        shown.push_str(&piece[part.len()..]);
    }
    Cow::Owned(shown)
}

/// Returns a form for comparing paths that a volume may spell differently: as a stand-in, with
/// composed letters and in lower case.
pub fn comparable(path: &str, order: &str) -> String {
    folded(&stand_in(path, order))
}

/// Whether a path is or contains a stand-in.
pub fn is_stand_in(path: &str) -> bool {
    path.split(SEPARATORS).any(|part| {
        let stem = part.rsplit_once('.').map_or(part, |(stem, _)| stem);
        let digits = stem.strip_prefix(MARK).unwrap_or_default();
        digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

const SEPARATORS: [char; 2] = ['/', '\\'];
const MARK: char = 'n';
const DIGITS: usize = 18;

fn is_plain(part: &str) -> bool {
    file_name(part) == part
}

fn push_number(part: &str, order: &str, shown: &mut String) {
    let digest = Sha256::digest(format!("{order}\0{}", folded(part)));
    let first = digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    // Writing to a String cannot fail.
    let _ = write!(shown, "{MARK}{:0DIGITS$}", first % MODULUS);
    let ending = part.rsplit_once('.').map(|(_, ending)| ending);
    if let Some(ending) = ending.filter(|ending| ending.len() <= ENDING_MAX && is_plain(ending)) {
        shown.push('.');
        shown.push_str(ending);
    }
}

fn folded(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(text).to_lowercase()
}

#[cfg(test)]
mod tests {
    use icu_normalizer::DecomposingNormalizerBorrowed;

    use super::*;

    #[test]
    fn what_names_nobody_stays_and_the_rest_becomes_a_number_with_its_ending() {
        for path in ["17_shell_occlusion_u.stl", "thumbnails/image1.jpg", "Rx_17.html", ""] {
            assert_eq!(stand_in(path, "17"), path);
            assert!(!is_stand_in(path), "{path}");
        }
        for path in ["Mustermann_u.stl", "Anna M\u{fc}ller/upper.stl", "a\\Zzyzx.pdf", "Zzyzx"] {
            let shown = stand_in(path, "17").into_owned();
            assert!(is_stand_in(&shown), "{shown}");
            assert!(!shown.contains("Zzyzx") && !shown.contains("Mu") && !shown.contains("Anna"));
            assert_eq!(stand_in(&shown, "17"), shown, "a stand-in stays");
            assert_eq!(
                shown.rsplit('.').next(),
                shown.contains('.').then(|| &path[path.len() - 3..]).or(Some(&*shown))
            );
        }
        assert!(stand_in("thumbnails/Zzyzx.jpg", "17").starts_with("thumbnails/n"));
    }

    #[test]
    fn different_names_and_different_orders_have_different_stand_ins() {
        assert_ne!(stand_in("Zzyzx_u.stl", "17"), stand_in("Zzyzx_l.stl", "17"));
        assert_ne!(stand_in("Zzyzx_u.stl", "17"), stand_in("Zzyzx_u.stl", "18"));
    }

    #[test]
    fn a_name_is_the_same_however_a_volume_writes_it() {
        let composed = "Fr\u{e4}ulein M\u{fc}ller/Oberkiefer \u{fc}.stl";
        let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(composed);
        assert_ne!(composed, decomposed);
        for path in [composed, &*decomposed, &composed.to_uppercase()] {
            assert_eq!(comparable(path, "17"), comparable(composed, "17"), "{path}");
            let kept = stand_in(path, "17").into_owned();
            assert_eq!(comparable(&kept, "17"), comparable(composed, "17"), "{kept}");
        }
    }
}
