//! Redacts file names and page titles for use in messages.
//!
//! Archives name their files by order number and content. But people name files too, on the scanner
//! and in the output folder, and a patient's name in a file name must not end up in a log, the
//! journal or an email.

/// Words about scans, pictures and documents, not about people.
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

/// Words found in the titles of error and login pages.
#[rustfmt::skip]
const PAGE_WORDS: [&str; 163] = [
    "a", "abgelaufen", "about", "access", "again", "align", "an", "and", "anmelden",
    "anmeldung", "answer", "apache", "application", "are", "at", "authentication",
    "authorization", "available", "back", "bad", "be", "been", "blocked", "by", "captive",
    "certificate", "client", "cloudflare", "cloudfront", "connection", "control", "corporate",
    "could", "denied", "der", "die", "dienst", "dns", "document", "does", "down", "error",
    "exceeded", "expired", "fehler", "filter", "firewall", "for", "forbidden", "fortinet",
    "found", "from", "gateway", "gefunden", "gesperrt", "gone", "guest", "has", "hotspot",
    "http", "https", "iis", "in", "internal", "internet", "invalid", "is", "it", "itero",
    "just", "later", "limit", "loading", "log", "login", "logon", "maintenance", "many",
    "method", "microsoft", "mode", "moment", "moved", "must", "myitero", "network", "nginx",
    "nicht", "not", "object", "of", "ok", "on", "out", "page", "payload", "permanently",
    "please", "policy", "portal", "problem", "proxy", "rate", "redirect", "redirecting",
    "refused", "request", "requests", "required", "resource", "response", "retry", "security",
    "seite", "server", "service", "session", "sign", "site", "sophos", "sorry", "squid",
    "stopped", "system", "temporarily", "temporary", "the", "this", "time", "timed", "timeout",
    "to", "too", "try", "unable", "unauthorized", "unavailable", "under", "unexpected",
    "unknown", "unreachable", "upstream", "url", "verboten", "verfügbar", "verification",
    "vorübergehend", "wait", "warning", "wartung", "was", "web", "website", "welcome", "wifi",
    "with", "wlan", "wrong", "you", "your", "zeitüberschreitung", "zscaler", "zugriff",
];

/// Returns the title, on one line, of a web page that arrived instead of the expected content.
/// `None` if any word could be a person's name or the title is longer than 60 characters.
pub fn page_title(title: &str) -> Option<String> {
    let flat = title.split_whitespace().collect::<Vec<_>>().join(" ");
    let may_be_shown = |word: &str| {
        // An HTTP status, but not a chart number.
        let is_short_number = word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_digit());
        is_short_number || PAGE_WORDS.binary_search(&word.to_lowercase().as_str()).is_ok()
    };
    let is_plain = |c: char| c.is_alphanumeric() || " .,:;!?()/'|-–—".contains(c);
    let mut words = flat.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let shown = flat.chars().count() <= 60
        && flat.chars().any(char::is_alphabetic)
        && flat.chars().all(is_plain)
        && words.all(may_be_shown);
    shown.then_some(flat)
}

/// Returns the path with `…` in place of each word that could be a person's name. Numbers, single
/// letters and dental terms stay, so the files of an export are shown in full; at most 80
/// characters.
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
    // A hash, or a number with a marker such as v50.
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
    fn a_title_is_shown_only_if_no_word_of_it_can_be_a_name() {
        assert!(PAGE_WORDS.is_sorted());
        for title in
            ["Service unavailable", "502 Bad Gateway", "Zugriff verboten!", "Log in | iTero"]
        {
            assert_eq!(page_title(title).as_deref(), Some(title));
        }
        assert_eq!(
            page_title(" 504\n Gateway\tTime-out ").as_deref(),
            Some("504 Gateway Time-out")
        );
        let long = "error ".repeat(11);
        for title in
            ["Doe, Jane", "Error: Müller", "Chart 17544365", "404", "", "<b>Error</b>", &long]
        {
            assert_eq!(page_title(title), None, "{title}");
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
