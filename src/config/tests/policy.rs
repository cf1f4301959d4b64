//! The policy next to the config: whose values win, and how the faults of both are reported.

use std::path::Path;

use super::super::{ConfigFault, From, Loaded, Names};
use super::{SMALL, load_bytes, small_and};

/// Loads a config with a policy next to it.
fn with_policy(text: &str, policy: &str, env: &[(&str, &str)]) -> Result<Loaded, Vec<ConfigFault>> {
    let dir = tempfile::tempdir().expect("temporary folder");
    std::fs::write(dir.path().join("policy.yaml"), policy).expect("written");
    load_bytes(dir.path(), text.as_bytes(), env).map_err(|faults| faults.faults)
}

fn good(text: &str, policy: &str, env: &[(&str, &str)]) -> Loaded {
    with_policy(text, policy, env).unwrap_or_else(|faults| panic!("no faults: {faults:#?}"))
}

fn bad(text: &str, policy: &str, env: &[(&str, &str)]) -> Vec<ConfigFault> {
    with_policy(text, policy, env).expect_err("faults")
}

/// Where a fault is: the file's name or the variable, line, key.
fn place(fault: &ConfigFault) -> (String, Option<usize>, &str) {
    let name = Path::new(&fault.source).file_name().expect("a name").to_string_lossy().into_owned();
    (name, fault.line, &fault.key)
}

#[test]
fn a_policy_wins_over_the_file_and_the_environment() {
    let text = small_and("names: plain\ndownloads: { concurrency: 2, stall_timeout: 90s }\n");
    let policy =
        "names: both\ndownloads:\n  concurrency: 3\ncommands: null\nhistory: { keep: 1d }\n";
    let env = [("CASEDROP_DOWNLOADS__CONCURRENCY", "9"), ("CASEDROP_COMMANDS", "drop")];
    let loaded = good(&text, policy, &env);
    let config = loaded.config;
    assert_eq!(config.names, Names::Both);
    assert_eq!(config.downloads.concurrency, 3);
    assert_eq!(config.downloads.stall_timeout.as_secs(), 90, "single keys, not whole sections");
    assert_eq!(config.commands, None);
    assert_eq!(config.history.keep.expect("kept").as_secs(), 86_400);
    let told: Vec<(String, &str)> =
        loaded.warnings.iter().map(|it| (it.reason.clone(), it.key.as_str())).collect();
    let expected = [
        ("policy.yaml:1 decides; casedrop.yaml:8 has no effect", "names"),
        (
            "policy.yaml:3 decides; CASEDROP_DOWNLOADS__CONCURRENCY and casedrop.yaml:9 have no effect",
            "downloads.concurrency",
        ),
        ("policy.yaml:4 decides; CASEDROP_COMMANDS has no effect", "commands"),
    ];
    assert_eq!(told, expected.map(|(reason, key)| (reason.to_owned(), key)));
    assert_eq!(place(&loaded.warnings[0]), ("policy.yaml".to_owned(), Some(1), "names"));
}

#[test]
fn the_example_of_a_policy_can_be_used() {
    let policy = include_str!("../../../policy.example.yaml").replace("CHANGE-ME", "eu");
    let loaded = good(SMALL, &policy, &[]);
    let config = loaded.config;
    assert_eq!(config.labs[0].base_url.as_str(), "https://eu.iterocloud.com/");
    assert_eq!(config.retention.min_free, 20_000_000_000);
    assert!(!config.updates.automatic && config.commands.is_none());
    // What it has as a comment is a key, too.
    let policy =
        policy.replace("\n#  ca_file: 'C:\\ProgramData\\Casedrop\\", "\n  ca_file: 'no/such/");
    good(SMALL, &policy, &[]);
}

#[test]
fn the_same_value_in_both_is_not_worth_a_word() {
    let text = small_and("names: both\nlog: { keep: '7d' }\nupdates: { automatic: False }\n");
    let policy = "names: both\nlog: { keep: 7d }\nupdates: { automatic: false }\n";
    let loaded = good(&text, policy, &[("CASEDROP_NAMES", "both")]);
    assert_eq!(loaded.warnings, []);
    assert!(loaded.config.effective.get("names").expect("there").locked);
}

#[test]
fn a_list_is_replaced_as_a_whole() {
    let text = small_and("downloads: { retry_404: [1m, 2m, 3m] }\n");
    let loaded = good(&text, "downloads: { retry_404: [5m] }\n", &[]);
    assert_eq!(loaded.config.downloads.retry_404.len(), 1);
    let entry = loaded.config.effective.get("downloads.retry_404").expect("there").clone();
    assert_eq!((entry.value.as_str(), entry.locked), ("[5m]", true));
}

#[test]
fn a_lab_is_found_by_its_name() {
    let text = small_and(
        "  - name: second\n    oauth_base: https://b.itero.cloud\n    base_url: https://b.itero.cloud\n    \
         client_id: b\n    redirect_url: https://b.example\n",
    );
    let policy =
        "labs:\n  - name: Second\n    client_id: ours\n  - { name: third, client_id: x }\n";
    let loaded = good(&text, policy, &[]);
    let ids: Vec<_> = loaded.config.labs.iter().map(|lab| lab.client_id.as_str()).collect();
    assert_eq!(ids, ["abc", "ours"]);
    assert_eq!(loaded.config.labs[1].name.as_str(), "second", "the name stays as it was");
    let entry = |key: &str| loaded.config.effective.get(key).expect("there");
    assert!(entry("labs[1].client_id").locked && !entry("labs[1].name").locked);
    assert_eq!(entry("labs[0].client_id").from, From::File);
    let told: Vec<&str> = loaded.warnings.iter().map(|it| it.reason.as_str()).collect();
    let expected = [
        "policy.yaml:3 decides; casedrop.yaml:11 has no effect",
        "casedrop.yaml has no lab `third`: these keys have no effect",
    ];
    assert_eq!(told, expected);
}

#[test]
fn faults_of_both_files_come_at_once_each_with_its_place() {
    let text = small_and("nmaes: both\nhistory: { keep: forever }\n");
    let policy = "updates: { automatic: maybe }\nnaems: both\nlabs:\n  - client_id: x\npolling:\n  \
                  interval: 5s\n";
    let faults = bad(&text, policy, &[("CASEDROP_OUPUT", "x")]);
    let places: Vec<_> = faults.iter().map(place).collect();
    let at = |name: &str, line, key| (name.to_owned(), line, key);
    let expected = [
        at("casedrop.yaml", Some(8), "nmaes"),
        at("casedrop.yaml", Some(9), "history.keep"),
        at("policy.yaml", Some(1), "updates.automatic"),
        at("policy.yaml", Some(2), "naems"),
        at("policy.yaml", Some(4), "labs[0]"),
        at("policy.yaml", Some(6), "polling.interval"),
        at("CASEDROP_OUPUT", None, ""),
    ];
    assert_eq!(places, expected, "{faults:#?}");
    assert!(faults.iter().all(|fault| fault.hint.is_some()));
}

#[test]
fn a_policy_that_cannot_be_read_stops_the_agent() {
    let faults = bad(SMALL, "names: [both\n", &[]);
    assert_eq!(faults[0].source.rsplit(['/', '\\']).next(), Some("policy.yaml"), "{faults:#?}");
    assert!(faults[0].line.is_some());
    let faults = bad(SMALL, "- names\n", &[]);
    assert_eq!(place(&faults[0]).0, "policy.yaml");
    let dir = tempfile::tempdir().expect("temporary folder");
    std::fs::create_dir(dir.path().join("policy.yaml")).expect("made");
    let faults = load_bytes(dir.path(), SMALL.as_bytes(), &[]).expect_err("no file").faults;
    assert_eq!(place(&faults[0]).0, "policy.yaml");
    assert!(faults[0].hint.as_deref().is_some_and(|hint| hint.contains("does not start")));
}

#[test]
fn a_policy_without_keys_decides_nothing() {
    for policy in ["", "# names: both\n", "updates:\n  # automatic: false\n"] {
        let loaded = good(&small_and("updates: { automatic: true }\n"), policy, &[]);
        assert!(loaded.config.updates.automatic, "{policy}");
        assert!(loaded.config.effective.0.iter().all(|entry| !entry.locked), "{policy}");
    }
}

#[test]
fn neither_variable_nor_file_gets_rid_of_a_policy() {
    let env = [
        ("CASEDROP_POLICY", "elsewhere.yaml"),
        ("CASEDROP_UPDATES__AUTOMATIC", "true"),
        ("CASEDROP_UPDATES", "{ automatic: true }"),
    ];
    for one in &env[1..] {
        let loaded = good(SMALL, "updates: { automatic: false }\n", std::slice::from_ref(one));
        assert!(!loaded.config.updates.automatic);
    }
    let faults = bad(SMALL, "", &env[..1]);
    assert_eq!(faults[0].source, "CASEDROP_POLICY", "there is no such variable");
    // A locked key may be wrong in the file: it has no effect there.
    for text in ["updates: 5\n", "updates: { automatic: perhaps }\n", "updates: null\n"] {
        let loaded = good(&small_and(text), "updates: { automatic: false }\n", &[]);
        assert!(!loaded.config.updates.automatic && loaded.warnings.len() <= 1, "{text}");
    }
}

#[test]
fn the_audit_learns_of_another_policy() {
    let keys = |policy: &str| good(SMALL, policy, &[]).config.keys.0;
    let (one, two) = (keys("names: vendor\n"), keys("names: vendor\n# and why\n"));
    assert_ne!(one["policy.yaml"], two["policy.yaml"]);
    assert_eq!(one["names"], two["names"]);
    let dir = tempfile::tempdir().expect("temporary folder");
    let without = load_bytes(dir.path(), SMALL.as_bytes(), &[]).expect("good").config.keys.0;
    assert!(!without.contains_key("policy.yaml"));
}
