use super::{SMALL, load_bad, small_and, small_with};

/// One config with one fault: the text, the key, the line, a part of the reason, a part of the
/// hint.
struct Case {
    text: String,
    key: &'static str,
    line: usize,
    reason: &'static str,
    hint: &'static str,
}

fn swap(
    line: &str,
    other: &str,
    (key, at, reason, hint): (&'static str, usize, &'static str, &'static str),
) -> Case {
    Case { text: small_with(line, other), key, line: at, reason, hint }
}

fn add(
    more: &str,
    (key, at, reason, hint): (&'static str, usize, &'static str, &'static str),
) -> Case {
    Case { text: small_and(more), key, line: at, reason, hint }
}

fn assert_faults(cases: Vec<Case>) {
    for Case { text, key, line, reason, hint } in cases {
        let faults = load_bad(&text, &[]);
        let [fault] = faults.as_slice() else { panic!("one fault in\n{text}\n{faults:#?}") };
        assert_eq!((fault.key.as_str(), fault.line), (key, Some(line)), "{text}\n{fault:#?}");
        assert!(fault.column.is_some() && fault.source.ends_with("casedrop.yaml"), "{fault:#?}");
        assert!(fault.reason.contains(reason), "{reason}\n{fault:#?}");
        assert!(fault.hint.as_deref().unwrap_or_default().contains(hint), "{hint}\n{fault:#?}");
    }
}

#[test]
fn keys_that_are_unknown_missing_or_twice_are_named() {
    assert_faults(vec![
        swap("output: orders", "outptu: orders", ("outptu", 1, "unknown", "`output`")),
        swap("base_url:", "baseURL:", ("labs[0].baseURL", 5, "unknown", "`base_url`")),
        add("poling: {}\n", ("poling", 8, "unknown", "did you mean `polling`?")),
        add("interval: 5m\n", ("interval", 8, "unknown", "belongs at `polling.interval`")),
        add("polling:\n  color: 1\n", ("polling.color", 9, "unknown", "allowed here are interval")),
        add("downloads:\n  retry404: [1m]\n", ("downloads.retry404", 9, "unknown", "`retry_404`")),
        swap("output: orders\n", "", ("output", 1, "missing", "add `output: …`, a path")),
        swap("output: orders", "output:", ("output", 1, "missing", "add `output")),
        swap("    client_id: abc\n", "", ("labs[0].client_id", 3, "missing", "client_id")),
        add("notifications: {}\n", ("notifications.public_url", 8, "missing", "a URL")),
        add("output: elsewhere\n", ("output", 8, "second time", "keep one")),
        add("    <<: { a: b }\n", ("labs[0][\"<<\"]", 8, "merging", "write the keys out")),
        add("? [a, b]\n: c\n", ("[\"\"]", 8, "cannot be a key", "word")),
    ]);
}

#[test]
fn wrong_types_say_what_was_found_and_what_is_expected() {
    let one = "expected true or false, found the text `yes`";
    assert_faults(vec![
        swap(
            "output: orders",
            "output: [a]",
            ("output", 1, "expected a path, found a list", "one value"),
        ),
        swap(
            "client_id: abc",
            "client_id: true",
            ("labs[0].client_id", 6, "found `true`", "quotes"),
        ),
        add("polling: 5m\n", ("polling", 8, "found the text `5m`", "polling: { interval: … }")),
        add("polling: [5m]\n", ("polling", 8, "found a list", "`- `")),
        add("updates:\n  automatic: yes\n", ("updates.automatic", 9, one, "write true")),
        add(
            "downloads:\n  concurrency: '4'\n",
            ("downloads.concurrency", 9, "number", "leave out the quotes"),
        ),
        add("downloads:\n  concurrency: 4.5\n", ("downloads.concurrency", 9, "4.5", "")),
        add(
            "downloads:\n  retry_404: 2m\n",
            ("downloads.retry_404", 9, "found the text", "write a list: `retry_404: ["),
        ),
        add(
            "downloads:\n  retry_404: [2m,\n   {}]\n",
            ("downloads.retry_404[1]", 10, "a section", "one value"),
        ),
        add("names: null\n", ("names", 8, "found nothing", "leave the key out")),
        add(
            "api: { allowed_hosts: { a: b } }\n",
            ("api.allowed_hosts", 8, "found a section", "`- `"),
        ),
        add("formats:\n  iCast: PLY\n", ("formats.iCast", 9, "found the text `PLY`", "file_type")),
    ]);
}

#[test]
fn values_of_the_wrong_form_are_refused_with_the_right_one() {
    assert_faults(vec![
        add("names: vendors\n", ("names", 8, "one of `vendor`, `plain`, `both`", "write vendor")),
        add("when_missing: Restore\n", ("when_missing", 8, "found the text", "write restore")),
        add(
            "updates:\n  channel: beta\n",
            ("updates.channel", 9, "`stable`, `candidate`", "leave"),
        ),
        add(
            "formats: { ortho: { thumbnails: maybe } }\n",
            ("formats.ortho.thumbnails", 8, "`auto`, `true`, `false`", ""),
        ),
        add("polling:\n  interval: 120\n", ("polling.interval", 9, "without a unit", "120s")),
        add("history:\n  keep: 30 days\n", ("history.keep", 9, "not a duration", "write 30d")),
        add("retention:\n  min_free: 5\n", ("retention.min_free", 9, "without a unit", "5GB")),
        add(
            "downloads:\n  concurrency: 0\n",
            ("downloads.concurrency", 9, "out of range", "1 to 32"),
        ),
        add("downloads:\n  concurrency: 33\n", ("downloads.concurrency", 9, "33", "1 to 32")),
        add("downloads:\n  retry_404: []\n", ("downloads.retry_404", 9, "empty", "at least one")),
        add(
            "downloads:\n  retry_404: [2m,\n     5min]\n",
            ("downloads.retry_404[1]", 10, "5min", "write 5m"),
        ),
        add(
            "downloads: { limits: { archive: 10KB } }\n",
            ("downloads.limits.archive", 8, "no order", "1MB"),
        ),
        add("downloads:\n  stall_timeout: 0s\n", ("downloads.stall_timeout", 9, "zero", "")),
        add("downloads:\n  min_rate: 2MB\n", ("downloads.min_rate", 9, "fast enough", "8KiB")),
        add(
            "status_page:\n  listen: localhost:1\n",
            ("status_page.listen", 9, "address", "127.0.0.1:1"),
        ),
        add(
            "status_page:\n  names: ['https://pc:8780', pc]\n",
            ("status_page.names[0]", 9, "name of a host", "without https://"),
        ),
        add(
            "status_page:\n  names: [192.168.1.5]\n",
            ("status_page.names[0]", 9, "IP address", "leave it out"),
        ),
        add(
            "status_page:\n  tls: { certificate: c.pem }\n",
            ("status_page.tls.key", 9, "missing", "key"),
        ),
        add(
            "alerts:\n  working_hours: Mo-Fr 8-18\n",
            ("alerts.working_hours", 9, "is not working hours", "Mon-Fri 08:00-18:00"),
        ),
        add(
            "alerts: { no_orders_after: 8 }\n",
            ("alerts.no_orders_after", 8, "unit", "8h for hours"),
        ),
        add("log:\n  level: infos\n", ("log.level", 9, "log level", "write info")),
        add("log:\n  format: xml\n", ("log.format", 9, "`text`, `json`", "")),
        add(
            "api:\n  allowed_hosts: [com, iterocloud.com]\n",
            ("api.allowed_hosts[0]", 9, "every host", "domain"),
        ),
        add("api:\n  paths: { a: b }\n", ("api.paths.a", 9, "path on the server", "/api/")),
        swap("client_id: abc", "client_id: '  '", ("labs[0].client_id", 6, "empty", "")),
    ]);
}

#[test]
fn a_status_page_is_not_opened_to_the_network_as_it_is() {
    let hash = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b/dWRWJTmaaJObG";
    let open = |more: &str| format!("status_page: {{ listen: '192.168.1.5:8780'{more} }}\n");
    let key = "status_page.listen";
    let tls = ", tls: { certificate: c.pem, key: k.pem }";
    let hashed = format!(", password_hash: '{hash}'");
    assert_faults(vec![
        add(&open(""), (key, 8, "a password and a certificate", "casedrop hash-password")),
        add(&open(tls), (key, 8, "lacks a password", "casedrop hash-password")),
        add(&open(&hashed), (key, 8, "lacks a certificate", "status_page.tls")),
    ]);
    for (hash, reason) in [("hunter42", "PHC"), ("$2b$12$abcdefghijklmnopqrstuv", "Argon2")] {
        let text = format!("status_page:\n  password_hash: '{hash}'\n");
        assert_faults(vec![add(&text, ("status_page.password_hash", 9, reason, "hash-password"))]);
        let shown = format!("{:?}", load_bad(&small_and(&text), &[]));
        assert!(!shown.contains(hash), "{shown}");
    }
}

#[test]
fn labs_that_cannot_work_are_refused() {
    let second = |name: &str, more: &str| {
        format!(
            "  - name: {name}\n    oauth_base: https://oauth.iterocloud.com\n    base_url: https://base.iterocloud.com\n    client_id: d\n    redirect_url: https://lab.example/cb\n{more}"
        )
    };
    let twice = format!("    account: 4711\n{}", second("other", "    account: '4711'\n"));
    assert_faults(vec![
        add(&second("SMILE-Lab", ""), ("labs[1].name", 8, "labs[0]", "its own name")),
        add(&twice, ("labs[1].account", 14, "already", "once")),
        swap("name: smile-lab", "name: a/b", ("labs[0].name", 3, "contains `/`", "smile-lab")),
        swap(
            "name: smile-lab",
            "name: Smile Lab",
            ("labs[0].name", 3, "a blank", "letters, digits"),
        ),
        swap("name: smile-lab", "name: smile!", ("labs[0].name", 3, "contains `!`", "smile-lab")),
        swap("name: smile-lab", "name: CON", ("labs[0].name", 3, "folder", "smile-lab")),
        swap("name: smile-lab", "name: .hidden", ("labs[0].name", 3, "contains `.`", "smile-lab")),
        swap(
            "name: smile-lab",
            &format!("name: {}", "x".repeat(65)),
            ("labs[0].name", 3, "65 characters", "64"),
        ),
        swap(
            "https://base.iterocloud.com",
            "http://base.iterocloud.com",
            ("labs[0].base_url", 5, "unencrypted", "https"),
        ),
        swap(
            "https://base.iterocloud.com",
            "base.iterocloud.com",
            ("labs[0].base_url", 5, "not a URL", "https"),
        ),
        swap(
            "https://base.iterocloud.com",
            "https://iterocloud.com.evil.example",
            ("labs[0].base_url", 5, "evil.example", "api.allowed_hosts"),
        ),
        swap(
            "https://oauth.iterocloud.com",
            "https://o.example",
            ("labs[0].oauth_base", 4, "o.example", "itero.cloud"),
        ),
        swap(
            "https://oauth.iterocloud.com",
            "https://o.itero.cloud/?a=b",
            ("labs[0].oauth_base", 4, "query", "?"),
        ),
        swap(
            "https://lab.example/cb",
            "'https://lab.example/#cb'",
            ("labs[0].redirect_url", 7, "#", "register"),
        ),
        swap(
            "https://lab.example/cb",
            "http://lab.example/cb",
            ("labs[0].redirect_url", 7, "unencrypted", ""),
        ),
        swap(
            "client_id: abc",
            "client_id: CHANGE-ME",
            ("labs[0].client_id", 6, "placeholder", "Align gave you"),
        ),
        swap(
            "https://base.iterocloud.com",
            "https://…",
            ("labs[0].base_url", 5, "placeholder", "Align gave you"),
        ),
        add(
            "    client_secret_file: gone.txt\n",
            ("labs[0].client_secret_file", 8, "no file at", "only content"),
        ),
        add(
            "    client_secret: a\n    client_secret_file: b\n",
            ("labs[0].client_secret", 8, "too", "keep one"),
        ),
    ]);
}

#[test]
fn polls_notifications_and_formats_that_cannot_work_are_refused() {
    assert_faults(vec![
        add(
            "polling: { interval: 119s }\n",
            ("polling.interval", 8, "119s is shorter", "120s or more"),
        ),
        add(
            "notifications: { listen: '127.0.0.1:8780', public_url: 'https://a.example' }\n",
            ("notifications.listen", 8, "status_page.listen", "another port"),
        ),
        add(
            "notifications: { public_url: 'https://a.example/?x' }\n",
            ("notifications.public_url", 8, "query", "secret path"),
        ),
        add("formats: { profile: exocat }\n", ("formats.profile", 8, "`exocad`", "exocad")),
        add(
            "notifications: { public_url: 'http://a.example/' }\n",
            ("notifications.public_url", 8, "unencrypted", "https://"),
        ),
        add(
            "notifications: { public_url: 'https://a.example', trusted_proxies: [10.0.0.0/33] }\n",
            ("notifications.trusted_proxies[0]", 8, "10.0.0.0/33", "192.168.1.0/24"),
        ),
        add(
            "notifications: { public_url: 'https://a.example', tls: { key: k.pem } }\n",
            ("notifications.tls.certificate", 8, "missing", "certificate"),
        ),
        add("formats: { Ortho: {} }\n", ("formats.Ortho", 8, "lower case", "ortho")),
        add("formats: { iCast: {}, icast: {} }\n", ("formats.icast", 8, "iCast", "keep one")),
    ]);
}

#[test]
fn folders_that_would_get_in_each_others_way_are_refused() {
    assert_faults(vec![
        add("staging: orders/work\n", ("staging", 8, "inside `output`", "next to the output")),
        add("commands: orders\n", ("commands", 8, "same folder as `output`", "separate folder")),
        add("commands: orders/in\n", ("commands", 8, "inside `output`", "outside")),
        add("state: ./x/../orders/state\n", ("state", 8, "inside `output`", "outside")),
        add("log: { dir: orders/log }\n", ("log.dir", 8, "inside `output`", "outside")),
        add("commands: c\nstate: c/s\n", ("state", 9, "inside `commands`", "command")),
        add("state: .orders.casedrop-staging/s\n", ("state", 8, "inside `staging`", "cleans")),
        swap("output: orders", "output: ~/orders", ("output", 1, "`~`", "not expanded")),
        swap(
            "output: orders",
            "output: '%USERPROFILE%\\orders'",
            ("output", 1, "variable", "not expanded"),
        ),
        swap("output: orders", "output: $HOME/orders", ("output", 1, "variable", "not expanded")),
        swap(
            "output: orders",
            "output: \"C:\\temp\\new\"",
            ("output", 1, "control character", "single quotes"),
        ),
        swap("output: orders", "output: ''", ("output", 1, "empty", "")),
    ]);
}

#[test]
fn a_text_that_is_no_yaml_is_shown_with_its_line_and_a_mark() {
    let cases = [
        (SMALL.replace("  - name", "\t- name"), 3, "tabs"),
        (SMALL.replace("    client_id", "   client_id"), 6, "indentation"),
        (SMALL.replace("output: orders", "output: \"C:\\Casedrop\\Orders\""), 1, "single quotes"),
        (SMALL.replace("client_id: abc", "client_id: a: b"), 6, "single quotes"),
        (SMALL.replace("client_id: abc", "client_id: [abc"), 7, "brackets"),
        (SMALL.replace("client_id: abc", "client_id: *abc"), 6, "quotes"),
        (SMALL.replace("client_id: abc", "client_id: @abc"), 6, "quotes"),
    ];
    for (text, line, hint) in cases {
        let faults = load_bad(&text, &[]);
        let [fault] = faults.as_slice() else { panic!("one fault in\n{text}\n{faults:#?}") };
        assert_eq!(fault.line, Some(line), "{text}\n{fault:#?}");
        assert!(fault.hint.as_deref().unwrap_or_default().contains(hint), "{text}\n{fault:#?}");
        let shown = fault.paragraph("error");
        assert!(shown.contains(&format!("casedrop.yaml:{line}:")), "{shown}");
        assert!(shown.contains('^') && shown.contains(&format!("{line} | ")), "{shown}");
    }
}

#[test]
fn a_line_with_a_secret_is_never_shown() {
    for more in ["    client_secret: hush: hush\n", "    client_secret: [hush]\n"] {
        let text = small_and(more);
        let shown = format!("{:#?}", load_bad(&text, &[]));
        assert!(shown.contains("casedrop.yaml") && !shown.contains("hush"), "{shown}");
    }
}

#[test]
fn many_faults_come_at_once_in_the_order_of_the_file() {
    let text = "\
names: vendors
polling: { interval: 10s }
labs:
  - name: a/b
    base_url: https://base.iterocloud.com
    client_id: CHANGE-ME
    redirect_ulr: https://lab.example/cb
  - nothing
downloads: { concurrency: 0, retry_404: [5] }
commands: orders/in
output: orders
";
    let faults = load_bad(text, &[]);
    let places: Vec<_> = faults.iter().map(|f| (f.line.unwrap_or(0), f.key.as_str())).collect();
    assert_eq!(
        places,
        [
            (1, "names"),
            (2, "polling.interval"),
            (4, "labs[0].oauth_base"),
            (4, "labs[0].name"),
            (6, "labs[0].client_id"),
            (7, "labs[0].redirect_ulr"),
            (8, "labs[1]"),
            (9, "downloads.concurrency"),
            (9, "downloads.retry_404[0]"),
            (10, "commands"),
        ]
    );
}

#[test]
fn an_outer_folder_is_refused_where_it_would_swallow_the_orders() {
    let faults = load_bad(&small_and("commands: .\n"), &[]);
    let keys: Vec<_> = faults.iter().map(|fault| (fault.key.as_str(), fault.line)).collect();
    assert_eq!(keys, [("output", Some(1)), ("staging", None)]);
}

#[cfg(unix)]
#[test]
fn a_windows_path_on_linux_is_not_taken_for_a_strange_name() {
    let faults = load_bad(&small_with("output: orders", r"output: 'C:\Casedrop\Orders'"), &[]);
    assert!(faults[0].reason.contains("Windows path"), "{faults:#?}");
    assert!(faults[0].hint.as_deref().unwrap_or_default().contains("/srv/"), "{faults:#?}");
}

#[test]
fn secret_files_that_hold_no_secret_are_refused() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let huge = vec![b'x'; 70_000];
    let contents: [(&[u8], &str); 4] = [
        (b"\n", "single line"),
        (b"a\nb", "single line"),
        (b"\xff\xfe", "UTF-8"),
        (&huge, "large"),
    ];
    for (content, reason) in contents {
        std::fs::write(dir.path().join("s.txt"), content).expect("written");
        let text = small_and("    client_secret_file: s.txt\n");
        let faults = super::load_bytes(dir.path(), text.as_bytes(), &[]).expect_err("refused");
        assert!(faults.faults[0].reason.contains(reason), "{faults}");
    }
}

#[test]
fn faults_are_written_for_people_and_for_programs() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let text = small_and("names: vendors\npolling: { interval: 1s }\n");
    let faults = super::load_bytes(dir.path(), text.as_bytes(), &[]).expect_err("faulty");
    let shown = faults.to_string();
    let first = "error: names (casedrop.yaml:8): expected one of `vendor`, `plain`, `both`, found the \
                 text `vendors`\nhint: write vendor\n\nerror: polling.interval (casedrop.yaml:9): ";
    assert!(shown.starts_with(first), "{shown}");
    let json = serde_json::to_value(&faults).expect("serialises");
    assert_eq!(json["faults"][0]["key"], "names");
    assert_eq!(json["faults"][0]["line"], 8);
    assert_eq!(json["faults"][0]["column"], 8);
    assert_eq!(json["faults"][0]["hint"], "write vendor");
    assert_eq!(json["config"], dir.path().join("casedrop.yaml").display().to_string());
}
