//! Every effective key, with its value and where that comes from.

use std::collections::BTreeSet;

use super::super::schema::all_keys;
use super::super::{From, InForce};
use super::{load_good, small_and};

fn shown(entry: &InForce) -> (&str, &str, String) {
    (&entry.key, &entry.value, entry.place())
}

#[test]
fn every_key_is_listed_once_and_in_order() {
    let text = small_and("notifications: { public_url: 'https://a.example' }\n");
    let keys = load_good(&text, &[]).config.effective.0;
    let names: Vec<&str> = keys.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
    assert!(names.is_sorted());
    for key in all_keys() {
        let key = key.to_string();
        // An unwritten section is one entry.
        let there = names.iter().any(|name| {
            *name == key
                || name.strip_prefix(&key).is_some_and(|rest| rest.starts_with(['.', '[']))
                || key.strip_prefix(*name).is_some_and(|rest| rest.starts_with(['.', '[']))
        });
        assert!(there, "{key}");
    }
}

#[test]
fn a_value_is_shown_with_the_place_that_it_comes_from() {
    let text = small_and("downloads:\n  retry_404: [1m, 90s]\n");
    let env = [("CASEDROP_NAMES", "both"), ("CASEDROP_LABS__0__CLIENT_SECRET", "hush")];
    let config = load_good(&text, &env).config;
    let get = |key: &str| shown(config.effective.get(key).unwrap_or_else(|| panic!("{key}")));
    for (key, value, place) in [
        ("output", "orders", "casedrop.yaml:1"),
        ("downloads.retry_404", "[1m, 90s]", "casedrop.yaml:9"),
        ("downloads.concurrency", "4", "default"),
        ("downloads.limits.archive", "4GB", "default"),
        ("names", "both", "CASEDROP_NAMES"),
        ("labs[0].client_id", "abc", "casedrop.yaml:6"),
        ("labs[0].client_secret", "(set)", "CASEDROP_LABS__0__CLIENT_SECRET"),
        ("labs[0].client_secret_file", "null", "default"),
        ("notifications", "null", "default"),
        ("api.paths", "{}", "default"),
        ("api.allowed_hosts", "[iterocloud.com, itero.cloud]", "default"),
        ("formats.ortho.thumbnails", "auto", "default"),
    ] {
        assert_eq!(get(key), (key, value, place.to_owned()));
    }
    let staging = config.effective.get("staging").expect("there");
    assert_eq!(staging.value, config.staging.display().to_string());
    assert!(!format!("{:?}", config.effective.0).contains("hush"));
}

#[test]
fn a_list_that_the_environment_changed_in_part_is_shown_by_entry() {
    let env = [("CASEDROP_API__ALLOWED_HOSTS__1", "b.example")];
    let text = small_and("api: { allowed_hosts: [iterocloud.com] }\n");
    let config = load_good(&text, &env).config;
    let from = |key: &str| config.effective.get(key).map(|entry| entry.from);
    assert_eq!(from("api.allowed_hosts[0]"), Some(From::File));
    assert_eq!(from("api.allowed_hosts[1]"), Some(From::Environment));
    assert_eq!(from("api.allowed_hosts"), None);
}

#[test]
fn what_a_profile_sets_is_shown_as_its_doing() {
    let text = small_and("formats:\n  profile: exocad\n  ortho: { file_type: PLY }\n");
    let config = load_good(&text, &[]).config;
    let get = |key: &str| shown(config.effective.get(key).expect("there"));
    let cad = "formats.restorative.cad_cam_system";
    assert_eq!(get(cad), (cad, "exocad", "casedrop.yaml:9".to_owned()));
    let kind = "formats.ortho.file_type";
    assert_eq!(get(kind), (kind, "PLY", "casedrop.yaml:10".to_owned()));
}

#[test]
fn what_may_be_a_secret_in_part_is_shown_in_part() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let secret = dir.path().join("webhook.secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").expect("written");
    let secret = serde_json::to_string(&secret).expect("text");
    let program = if cfg!(windows) { "C:\\tool.exe" } else { "/bin/tool" };
    let text = small_and(&format!(
        "notices:\n  hook: {{ run: ['{program}', --token, hush] }}\n  webhook: {{ url: \
         'https://chat.example/hooks/hush', secret_file: {secret} }}\n"
    ));
    let config = load_good(&text, &[]).config;
    let value = |key: &str| config.effective.get(key).expect("there").value.clone();
    assert_eq!(value("notices.webhook.url"), "https://chat.example/…");
    assert_eq!(value("notices.hook.run"), format!("[{program}, …]"));
    let all = format!("{:?}", config.effective.0);
    assert!(!all.contains("hush") && !all.contains("whsec_"), "{all}");
}
