//! Any file in place of a config is read or refused, quickly, and never causes a crash.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{SMALL, load_bad, load_bytes, small_and};

/// Asserts that the config is refused quickly, even in an unoptimized build.
fn refused(bytes: &[u8]) -> String {
    let dir = tempfile::tempdir().expect("temporary folder");
    let start = Instant::now();
    let faults = load_bytes(dir.path(), bytes, &[]).expect_err("refused");
    assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
    assert!(!faults.faults.is_empty());
    faults.to_string()
}

#[test]
fn a_file_without_content_says_how_to_fill_it() {
    for text in ["", "\n\n", "# only a comment\n", "---\n", "\u{FEFF}", "null\n", "~"] {
        let shown = refused(text.as_bytes());
        assert!(
            shown.contains("contains no config") && shown.contains("config.example.yaml"),
            "{shown}"
        );
    }
}

#[test]
fn something_that_is_no_config_is_named() {
    assert!(refused(b"just words\n").contains("found the text `just words`"));
    assert!(refused(b"- a\n- b\n").contains("found a list"));
    assert!(refused(b"{\\rtf1\\ansi Hello}").contains("casedrop.yaml"));
    assert!(refused(b"PK\x03\x04\x00\x00\xff\xff").contains("UTF-8"));
    let two = format!("{SMALL}---\n{SMALL}");
    assert!(refused(two.as_bytes()).contains("second document"));
}

#[test]
fn other_encodings_are_named_with_their_line() {
    let utf16: Vec<u8> =
        std::iter::once(0xFEFF).chain(SMALL.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert!(refused(&utf16).contains("UTF-16"));
    let mut latin = small_and("commands: Auftr").into_bytes();
    latin.extend([0xE4, b'g', b'e', b'\n']);
    let shown = refused(&latin);
    assert!(shown.contains("casedrop.yaml:8") && shown.contains("UTF-8"), "{shown}");
}

#[test]
fn a_large_file_is_refused_at_once() {
    let shown = refused(&vec![b'x'; 2 << 20]);
    assert!(shown.contains("larger than 1 MiB"), "{shown}");
}

#[test]
fn a_megabyte_of_anything_ends() {
    let size = (1 << 20) - 100;
    refused(&vec![b'a'; size]);
    refused("# comment\n".repeat(size / 10).as_bytes());
    refused(format!("output: '{}'\n", "x".repeat(size)).as_bytes());
    let values = refused("- 1\n".repeat(size / 4).as_bytes());
    assert!(values.contains("more than 50000 values"), "{values}");
    let mut keys = String::new();
    for number in 0..20_000 {
        writeln!(keys, "somekey{number}: 1").expect("a String takes all");
    }
    assert!(refused(keys.as_bytes()).contains("more errors"));
    assert!(refused("output: x\n".repeat(20_000).as_bytes()).contains("second time"));
}

#[test]
fn deep_nesting_is_refused() {
    for text in ["[".repeat(500_000), "{a: ".repeat(250_000), "- ".repeat(500_000)] {
        refused(text.as_bytes());
    }
    let mut stairs = String::new();
    for depth in 0..700 {
        writeln!(stairs, "{}a:", " ".repeat(depth)).expect("a String takes all");
    }
    refused(stairs.as_bytes());
}

#[test]
fn aliases_that_multiply_are_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..15 {
        let before = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{before}]").expect("a String takes all");
    }
    assert!(refused(bomb.as_bytes()).contains("values"));
    assert!(refused(b"output: &a [*a]\n").contains("inside what it repeats"));
}

#[test]
fn tags_and_directives_are_refused() {
    assert!(refused(b"%YAML 1.2\n---\noutput: x\n").contains('%'));
    let text = small_and("names: !python/object vendor\n");
    let faults = load_bad(&text, &[]);
    assert_eq!((faults[0].key.as_str(), faults[0].line), ("names", Some(8)));
    assert!(faults[0].reason.contains("tag"), "{faults:#?}");
}

#[test]
fn a_folder_in_the_place_of_the_file_is_named() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let error = super::load(&crate::disk::RealDisk, dir.path(), &[]).expect_err("a folder");
    assert!(error.to_string().contains("cannot read the file"), "{error}");
}

/// Building blocks of YAML and our keys: arbitrary text hardly ever gets past the parser.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "output: ",
        "labs:\n",
        "  - ",
        "name: ",
        "base_url: ",
        "https://a.itero.cloud",
        "polling: ",
        "interval: ",
        "120s",
        "formats:\n",
        "  ",
        "\n",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ": ",
        "- ",
        "&a ",
        "*a",
        "!!str ",
        "'",
        "\"",
        "|\n",
        ">\n",
        "#",
        "null",
        "true",
        "-1",
        "9223372036854775808",
        "1e999",
        "\t",
        "\\",
        "~",
        "%",
        "@",
        "\r\n",
        "\u{FEFF}",
        "…",
        "CHANGE-ME",
        "client_secret: ",
        "client_secret_file: ",
        "? ",
        "---\n",
        "...\n",
        "<<: ",
        "retry_404: ",
        "5GB",
        "\0",
    ];
    prop_oneof![
        4 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned),
        1 => ".{0,12}",
    ]
}

proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text in ".{0,400}", behind in any::<bool>()) {
        let text = if behind { small_and(&text) } else { text };
        let dir = tempfile::tempdir().expect("temporary folder");
        let _ = load_bytes(dir.path(), text.as_bytes(), &[]);
    }

    #[test]
    fn no_bytes_make_the_loader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let _ = load_bytes(dir.path(), &bytes, &[]);
    }

    #[test]
    fn no_mixture_of_our_own_words_makes_the_loader_panic_and_every_fault_says_something(
        pieces in proptest::collection::vec(piece(), 0..60),
        behind in any::<bool>(),
    ) {
        let text = pieces.concat();
        let text = if behind { small_and(&text) } else { text };
        let dir = tempfile::tempdir().expect("temporary folder");
        if let Err(faults) = load_bytes(dir.path(), text.as_bytes(), &[]) {
            prop_assert!(!faults.faults.is_empty());
            for fault in &faults.faults {
                prop_assert!(!fault.reason.is_empty() && fault.hint.is_some(), "{:?}", fault);
            }
        }
    }

    #[test]
    fn no_variable_makes_the_loader_panic(
        name in "(LABS|OUTPUT|FORMATS|API|POLLING|DOWNLOADS)(__[A-Z0-9_]{0,12}){0,3}",
        value in "[\\[\\]{}a-z0-9:, '\"*&!]{0,30}",
    ) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let name = format!("CASEDROP_{name}");
        let _ = load_bytes(dir.path(), SMALL.as_bytes(), &[(&name, &value)]);
    }
}
