use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::*;

fn knowing(values: &[&str]) -> Redactor {
    let mut known = Known::default();
    for value in values {
        known.secret(value);
    }
    Redactor::new(known)
}

fn redacted(text: &str) -> String {
    Redactor::default().text(text).into_owned()
}

#[test]
fn known_values_go_however_they_are_written() {
    let secret = "s3cret/with+odd \"signs\"&ü";
    let redactor = knowing(&[secret]);
    let json = serde_json::to_string(secret).expect("JSON");
    let twice = serde_json::to_string(&json).expect("JSON");
    let percent = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC);
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let mut texts = vec![secret.to_owned(), json, percent.to_string(), form, format!("{secret:?}")];
    for before in ["", "u:", "user:", "anna:"] {
        let bytes = format!("{before}{secret}{}", "x".repeat(before.len()));
        texts.extend([
            STANDARD.encode(&bytes),
            STANDARD_NO_PAD.encode(&bytes),
            URL_SAFE.encode(&bytes),
            URL_SAFE_NO_PAD.encode(&bytes),
        ]);
    }
    for text in texts {
        let whole = format!("before {text} behind");
        let without = redactor.text(&whole);
        let quotes = without.replace('"', "");
        assert_eq!(quotes, "before [redacted] behind", "{whole}");
        assert!(redactor.finds(&whole) && !redactor.finds(&without));
    }
    assert!(!redactor.text(&twice).contains("s3cret"), "{twice}");
}

#[test]
fn random_secrets_go_in_every_form_and_at_every_place_of_base64() {
    let mut random = fastrand::Rng::with_seed(14);
    for round in 0..400 {
        let len = random.usize(6..60);
        let letters = b"abcXYZ0189-_.~+/=:@%!$";
        let secret: String = match round % 3 {
            0 => (0..len).map(|_| random.alphanumeric()).collect(),
            1 => (0..len).map(|_| char::from(letters[random.usize(..letters.len())])).collect(),
            _ => STANDARD.encode((0..len).map(|_| random.u8(..)).collect::<Vec<_>>()),
        };
        let redactor = knowing(&[&secret]);
        for before in 0..3 {
            for behind in 0..3 {
                let whole = format!("{}{secret}{}", &"qü"[..before.min(1)], &"zzz"[..behind]);
                let whole = if before == 2 { format!("q{whole}") } else { whole };
                // What is left of the secret at least if its edges share characters with its
                // neighbors.
                for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
                    let text = engine.encode(&whole);
                    let percent = percent_encoding::utf8_percent_encode(
                        &text,
                        percent_encoding::NON_ALPHANUMERIC,
                    )
                    .to_string();
                    for text in [text, percent] {
                        let without = redactor.text(&format!("leaked {text} end")).into_owned();
                        assert_eq!(without, "leaked [redacted] end", "{secret} as {text}");
                    }
                }
            }
        }
        let hex = crate::model::digest::hex(&secret);
        let percent =
            percent_encoding::utf8_percent_encode(&secret, percent_encoding::NON_ALPHANUMERIC);
        for text in [hex.to_uppercase(), hex, percent.to_string(), secret.clone()] {
            let without = redactor.text(&format!("leaked {text} end")).into_owned();
            assert!(!without.contains(&text), "{secret} as {text}: {without}");
        }
    }
}

#[test]
fn a_value_in_a_value_and_a_short_one_are_found_too() {
    let redactor = knowing(&["tokentoken", "tokentokentoken2", "ab", "", " \n"]);
    assert_eq!(redactor.text("x tokentokentoken2 y"), "x [redacted] y");
    assert_eq!(redactor.text("tokentokentoken"), "[redacted]token");
    assert_eq!(redactor.text("ab, about cab (ab)"), "[redacted], about cab ([redacted])");
    let mut known = Known::default();
    known.word("anna", USER);
    let redactor = Redactor::new(known);
    assert_eq!(redactor.text("by LAB\\anna, not annabel"), "by LAB\\[user], not annabel");
}

#[test]
fn logins_and_queries_of_urls_go() {
    let cases = [
        ("https://anna:hush@proxy.lab:3128/x", "https://[redacted]@proxy.lab:3128/x"),
        ("GET https://a.b/c?sig=abc&x=1, then", "GET https://a.b/c?[redacted], then"),
        ("\"https://a.b/c#frag\"", "\"https://a.b/c#[redacted]\""),
        ("http://127.0.0.1:8787/", "http://127.0.0.1:8787/"),
        ("https://a.b/@user/x", "https://a.b/@user/x"),
    ];
    for (text, wanted) in cases {
        assert_eq!(redacted(text), wanted);
    }
}

#[test]
fn what_looks_like_a_token_or_a_password_goes() {
    let cases = [
        ("authorization: Bearer abc.def-123", "authorization: [redacted]"),
        ("sent Bearer abcdef0123456", "sent Bearer [redacted]"),
        ("Basic YW5uYTpodXNo=", "Basic [redacted]"),
        ("it was eyJhbGciOi.eyJzdWIi.c2ln-_ there", "it was [redacted] there"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "[redacted]"),
        ("password=hush&x=1", "password=[redacted]&x=1"),
        ("{\"refresh_token\":\"a b\",\"n\":1}", "{\"refresh_token\":\"[redacted]\",\"n\":1}"),
        (
            "{\\\"token\\\":\\\"abc\\\",\\\"n\\\":1}",
            "{\\\"token\\\":\\\"[redacted]\\\",\\\"n\\\":1}",
        ),
        ("    client_secret: hush hush\n    x: 1", "    client_secret: [redacted]\n    x: 1"),
        ("- { client_id: x, client_secret: y }", "- { client_id: x, client_secret: [redacted]}"),
        ("PWD='a b' x", "PWD='[redacted]' x"),
        ("write to anna.b@lab.example, please", "write to [mail], please"),
        ("<Anna@lab.example>", "<[mail]>"),
    ];
    for (text, wanted) in cases {
        assert_eq!(redacted(text), wanted);
    }
}

#[test]
fn the_names_of_users_go_from_paths() {
    let cases = [
        (r"C:\Users\Anna B\Documents\x", r"C:\Users\[user]\Documents\x"),
        (r#""C:\\Users\\anna\\x""#, r#""C:\\Users\\[user]\\x""#),
        ("/home/anna/orders", "/home/[user]/orders"),
        ("/home/anna is missing", "/home/[user] is missing"),
    ];
    for (text, wanted) in cases {
        assert_eq!(redacted(text), wanted);
    }
}

#[test]
fn what_is_none_of_that_stays() {
    for text in [
        "2026-11-26T11:35:00Z  INFO casedrop::engine::notice: smile-lab/4711/17: published revision 1 lab=smile-lab",
        "cannot renew the token: Align does not answer",
        "labs[0].client_secret  (set)  default",
        "client_secret_file: C:\\ProgramData\\Casedrop\\smile-lab.secret",
        "the basic settings 12345678, bearer of news",
        "secrets: auto",
        "token=null password=(set)",
        "smile-lab@4711",
        "ünïcödé ü@ü",
        "",
    ] {
        assert_eq!(redacted(text), text);
    }
}

#[test]
fn it_holds_against_texts_that_nobody_foresaw() {
    let pieces = [
        "://", "@", "?", "\"", "token", "=", ":", "\\", "ü", "Bearer ", "eyJ", "/home/", "\n", "a1",
    ];
    let redactor = knowing(&["a1ü@?x", "a1"]);
    for number in 0..20_000_usize {
        let mut text = String::new();
        let mut left = number.wrapping_mul(2_654_435_761);
        for _ in 0..9 {
            text.push_str(pieces[left % pieces.len()]);
            left /= pieces.len();
        }
        // Redacting neither panics nor finds anything in its own output.
        let once = redactor.text(&text).into_owned();
        assert!(!redactor.finds(&once), "{text:?}: {once:?}");
    }
}
