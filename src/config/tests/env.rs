use secrecy::ExposeSecret;

use super::super::ConfigFault;
use super::{SMALL, load_bad, load_good, small_and};

#[test]
fn variables_go_before_the_file_and_fill_in_what_it_lacks() {
    let config = load_good(
        SMALL,
        &[
            ("CASEDROP_NAMES", "both"),
            ("CASEDROP_LABS__0__CLIENT_ID", "from-env"),
            ("CASEDROP_DOWNLOADS__CONCURRENCY", "7"),
            ("CASEDROP_DOWNLOADS__RETRY_404", "1m, 2m"),
            ("CASEDROP_UPDATES__AUTOMATIC", "true"),
            ("CASEDROP_HISTORY__KEEP", "null"),
            ("CASEDROP_FORMATS__ORTHO__FILE_TYPE", "PLY"),
        ],
    )
    .config;
    assert_eq!(config.names, super::super::Names::Both);
    assert_eq!(config.labs[0].client_id, "from-env");
    assert_eq!(config.downloads.concurrency, 7);
    assert_eq!(config.downloads.retry_404.len(), 2);
    assert!(config.updates.automatic && config.history.keep.is_none());
    assert_eq!(config.formats["ortho"].format.file_type.as_deref(), Some("PLY"));
}

#[test]
fn a_secret_from_a_variable_is_a_text_whatever_it_looks_like_and_gives_no_warning() {
    for text in ["true", "12345", "[a]", "a: b", "*x"] {
        let loaded = load_good(SMALL, &[("CASEDROP_LABS__0__CLIENT_SECRET", text)]);
        let secret = loaded.config.labs[0].client_secret.as_ref().expect("given");
        assert_eq!(secret.expose_secret(), text);
        assert_eq!(loaded.warnings, []);
    }
}

#[test]
fn a_list_grows_entry_by_entry_whatever_the_order_of_the_variables() {
    let env = [
        ("CASEDROP_LABS__1__REDIRECT_URL", "http://127.0.0.1:1/cb"),
        ("CASEDROP_LABS__1__CLIENT_ID", "b"),
        (
            "CASEDROP_LABS__2",
            "{ name: c, oauth_base: 'http://[::1]', base_url: 'http://[::1]', client_id: c, redirect_url: 'http://[::1]' }",
        ),
        ("CASEDROP_LABS__1__BASE_URL", "https://b.itero.cloud"),
        ("CASEDROP_LABS__1__OAUTH_BASE", "https://b.itero.cloud"),
        ("CASEDROP_LABS__1__NAME", "b"),
    ];
    let labs = load_good(SMALL, &env).config.labs;
    let names: Vec<_> = labs.iter().map(|lab| lab.name.as_str()).collect();
    assert_eq!(names, ["smile-lab", "b", "c"]);
}

#[test]
fn empty_variables_and_those_of_others_are_ignored() {
    let env = [
        ("CASEDROP_OUTPUT", ""),
        ("CASEDROP_CONFIG", "elsewhere.yaml"),
        ("CASEDROP_TEST_KILL_AT", "publish"),
        ("CASEDROP_ORDER", "17"),
        ("CASEDROP_SIM_SEED", "4"),
        ("CASEDROP_SIM_SEEDS", "4"),
        ("CASEDROPPER", "x"),
        ("PATH", "/bin"),
    ];
    assert!(load_good(SMALL, &env).config.output.ends_with("orders"));
}

fn one_fault(env: &[(&str, &str)]) -> ConfigFault {
    let faults = load_bad(SMALL, env);
    let [fault] = faults.as_slice() else { panic!("one fault: {faults:#?}") };
    assert_eq!((fault.line, fault.column), (None, None));
    fault.clone()
}

#[test]
fn faults_in_variables_name_the_variable_instead_of_a_line() {
    for (name, value, key, hint) in [
        ("CASEDROP_POLLING__INTERVAL", "5", "polling.interval", "5s"),
        ("CASEDROP_POLLING__INTERVAL", "10s", "polling.interval", "120s"),
        ("CASEDROP_DOWNLOADS__CONCURRENCY", "many", "downloads.concurrency", ""),
        ("CASEDROP_DOWNLOADS__RETRY_404", "[1m", "downloads.retry_404", "[2m, 5m]"),
        ("CASEDROP_DOWNLOADS__RETRY_404", "1m,,2m", "downloads.retry_404[1]", ""),
        ("CASEDROP_LABS__0__BASE_URL", "http://evil.example", "labs[0].base_url", "https"),
        ("CASEDROP_LABS__3__NAME", "x", "labs[3].name", "use 1"),
        ("CASEDROP_NAMES", "plian", "names", "plain"),
        ("CASEDROP_OUTPUT", "~/orders", "output", "not expanded"),
        ("CASEDROP_OUTPUT", "or\u{FFFD}ders", "output", "Unicode"),
    ] {
        let fault = one_fault(&[(name, value)]);
        assert_eq!((fault.source.as_str(), fault.key.as_str()), (name, key), "{fault:#?}");
        assert!(fault.hint.as_deref().unwrap_or_default().contains(hint), "{fault:#?}");
        assert!(fault.paragraph("error").contains(&format!("({name})")), "{fault:#?}");
    }
}

#[test]
fn a_variable_without_a_key_is_a_fault_that_names_the_nearest() {
    for (name, meant) in [
        ("CASEDROP_OUPUT", "CASEDROP_OUTPUT?"),
        ("CASEDROP_LABS_0_CLIENT_SECRET", "CASEDROP_LABS__0__CLIENT_SECRET?"),
        ("CASEDROP_POLLING_INTERVAL", "CASEDROP_POLLING__INTERVAL?"),
        ("CASEDROP_LABS__first__NAME", "__"),
        ("CASEDROP_SOMETHING_ELSE", "unset it"),
        ("CASEDROP_FOO", "unset it"),
        ("CASEDROP_", "unset it"),
    ] {
        let fault = one_fault(&[(name, "x")]);
        assert_eq!(fault.source, name.to_ascii_uppercase());
        assert!(fault.hint.as_deref().unwrap_or_default().contains(meant), "{fault:#?}");
    }
}

#[test]
fn a_secret_in_a_variable_is_never_shown() {
    for (text, env) in [
        (SMALL.to_owned(), ("CASEDROP_LABS__0__CLIENT_SECRETS", "hush")),
        (small_and("    client_secret_file: gone\n"), ("CASEDROP_LABS__0__CLIENT_SECRET", "hush")),
        (SMALL.to_owned(), ("CASEDROP_LABS__0__CLIENT_SECRET", "CHANGE-ME-hush")),
    ] {
        let shown = format!("{:#?}", load_bad(&text, &[env]));
        assert!(!shown.contains("hush"), "{shown}");
    }
}

#[test]
fn faults_in_the_file_and_in_variables_come_together() {
    let faults = load_bad(
        &small_and("names: vendors\n"),
        &[("CASEDROP_OUPUT", "x"), ("CASEDROP_POLLING__INTERVAL", "5")],
    );
    assert_eq!(faults.len(), 3, "{faults:#?}");
}
