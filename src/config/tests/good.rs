use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::ExposeSecret;

use super::super::{Channel, CodePage, Names, TlsFiles, WhenMissing, locate, place_for_new};
use super::{SMALL, load_bytes, load_good, small_and, small_with};
use crate::disk::RealDisk;
use crate::model::order::{RemoteOrder, Status};

#[test]
fn only_output_and_labs_are_required_and_all_else_has_its_default() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let loaded = load_bytes(dir.path(), SMALL.as_bytes(), &[]).expect("valid");
    let config = loaded.config;
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.source, dir.path().join("casedrop.yaml"));
    assert_eq!(config.output, dir.path().join("orders"));
    assert_eq!(config.staging, dir.path().join(".orders.casedrop-staging"));
    assert_eq!(config.commands, None);
    assert!(config.state.is_absolute());
    assert_eq!(config.names, Names::Vendor);
    assert_eq!(config.when_missing, WhenMissing::Leave);
    assert_eq!(config.polling.interval, Duration::from_mins(2));
    assert!(config.notifications.is_none());
    assert_eq!(config.downloads.concurrency, 4);
    let minutes: Vec<u64> =
        config.downloads.retry_404.iter().map(|wait| wait.as_secs() / 60).collect();
    assert_eq!(minutes, [2, 5, 10, 30, 60, 120]);
    assert_eq!(config.downloads.stall_timeout, Duration::from_mins(1));
    assert_eq!(config.downloads.min_rate, 8192);
    assert_eq!(
        crate::config::Limits::from(&config.downloads.limits),
        crate::config::Limits::default()
    );
    assert_eq!(config.history.keep, Some(Duration::from_hours(30 * 24)));
    assert_eq!(config.retention.keep, None);
    assert_eq!(config.retention.min_free, 5_000_000_000);
    let page = config.status_page.expect("shown");
    assert_eq!(page.listen, ([127, 0, 0, 1], 8780).into());
    assert_eq!((page.password_hash, page.tls, page.show_names), (None, None, false));
    assert_eq!(page.names, Vec::<String>::new());
    assert_eq!((config.updates.channel, config.updates.automatic), (Channel::Stable, false));
    assert_eq!((config.log.level.as_str(), config.log.is_json()), ("info", false));
    assert_eq!(config.alerts, crate::config::Alerts::default());
    assert_eq!(config.allowed_hosts, ["iterocloud.com", "itero.cloud"]);
    assert!(config.labs[0].client_secret.is_none() && config.labs[0].account.is_none());
}

#[cfg(unix)]
#[test]
fn the_state_has_its_place_on_linux() {
    assert_eq!(load_good(SMALL, &[]).config.state, Path::new("/var/lib/casedrop"));
}

#[cfg(windows)]
#[test]
fn the_state_has_its_place_on_windows() {
    let loaded = load_good(SMALL, &[("PROGRAMDATA", r"D:\Data")]);
    assert_eq!(loaded.config.state, Path::new(r"D:\Data\Casedrop"));
    assert_eq!(load_good(SMALL, &[]).config.state, Path::new(r"C:\ProgramData\Casedrop"));
}

#[cfg(windows)]
#[test]
fn windows_paths_are_read_with_either_quotes_and_as_shares() {
    for (text, path) in [
        (r"output: 'C:\Casedrop\Orders'", r"C:\Casedrop\Orders"),
        (r"output: C:\Casedrop\Orders", r"C:\Casedrop\Orders"),
        (r#"output: "C:\\Casedrop\\Orders""#, r"C:\Casedrop\Orders"),
        (r"output: C:/Casedrop/Orders", r"C:\Casedrop\Orders"),
        (r"output: '\\server\share\Orders'", r"\\server\share\Orders"),
    ] {
        assert_eq!(
            load_good(&small_with("output: orders", text), &[]).config.output,
            Path::new(path)
        );
    }
    let root = load_good(&small_with("output: orders", r"output: '\\server\share'"), &[]).config;
    assert_eq!(root.staging, Path::new(r"\\server\share\.casedrop-staging"));
}

#[test]
fn everything_can_be_set() {
    let text = small_and(
        "staging: ./work/../staging
commands: commands
state: state
names: both
when_missing: restore
hold: incomplete
polling: { interval: 3m }
notifications:
  listen: '0.0.0.0:9000'
  public_url: 'https://lab.example/hook'
  tls: { certificate: tls/cert.pem, key: tls/key.pem }
  trusted_proxies: [10.0.0.5, 'fd00::/8']
downloads:
  concurrency: 32
  retry_404: [1s]
  stall_timeout: 500ms
  min_rate: 0
  name_encoding: shift-jis
  limits: { archive: 1GiB, unpacked: 2GB, members: 5, ratio: 7 }
formats:
  ortho: { file_type: PLY, type_format: null }
  iRecord: { file_type: OBJ, thumbnails: true, screen_captures: false }
history: { keep: null }
retention: { keep: 90d, min_free: 0 }
status_page: { listen: null }
updates: { channel: candidate, automatic: true }
alerts: { working_hours: 'Mon-Thu 7:30-16:30, Fri 07:30-12:00', no_orders_after: 8h }
log: { level: 'info,casedrop=debug', format: json, dir: logs, keep: 1d }
api:
  allowed_hosts: [iterocloud.com]
  paths: { getOrdersForLab: /x }
  ca_file: ca.pem
",
    );
    let dir = tempfile::tempdir().expect("temporary folder");
    let config = load_bytes(dir.path(), text.as_bytes(), &[]).expect("valid").config;
    assert_eq!(config.staging, dir.path().join("staging"));
    assert_eq!(config.commands, Some(dir.path().join("commands")));
    assert_eq!(config.state, dir.path().join("state"));
    assert_eq!((config.names, config.when_missing), (Names::Both, WhenMissing::Restore));
    assert!(config.labs[0].holds);
    assert_eq!(config.polling.interval, Duration::from_mins(3));
    let notifications = config.notifications.as_ref().expect("given");
    assert_eq!(notifications.listen, ([0, 0, 0, 0], 9000).into());
    let files = TlsFiles {
        certificate: dir.path().join("tls/cert.pem"),
        key: dir.path().join("tls/key.pem"),
    };
    assert_eq!(notifications.tls, Some(files));
    let proxies = ["10.0.0.5/32", "fd00::/8"].map(|text| text.parse().expect("a network"));
    assert_eq!(notifications.trusted_proxies, proxies);
    assert_eq!(config.downloads.concurrency, 32);
    assert_eq!(config.downloads.retry_404, [Duration::from_secs(1)]);
    assert_eq!(config.downloads.stall_timeout, Duration::from_millis(500));
    assert_eq!(config.downloads.min_rate, 0);
    assert_eq!(config.downloads.name_encoding, CodePage::ShiftJis);
    assert_eq!(
        (config.downloads.limits.archive, config.downloads.limits.unpacked),
        (1 << 30, 2_000_000_000)
    );
    assert_eq!((config.downloads.limits.members, config.downloads.limits.ratio), (5, 7));
    assert_eq!(
        (config.history.keep, config.status_page, config.retention.min_free),
        (None, None, 0)
    );
    assert_eq!(config.retention.keep, Some(Duration::from_hours(90 * 24)));
    assert_eq!((config.updates.channel, config.updates.automatic), (Channel::Candidate, true));
    assert_eq!(config.alerts.working_hours.to_string(), "Mon-Thu 07:30-16:30, Fri 07:30-12:00");
    assert_eq!(config.alerts.no_orders_after, Some(Duration::from_hours(8)));
    assert_eq!((config.log.is_json(), config.log.dir), (true, Some(dir.path().join("logs"))));
    assert_eq!(config.api_paths["getOrdersForLab"], "/x");
    assert_eq!(config.ca_file, Some(dir.path().join("ca.pem")));
}

fn order(procedure: &str, case_type: &str) -> RemoteOrder {
    RemoteOrder {
        case_type: Some(case_type.to_owned()),
        procedure: Some(procedure.to_owned()),
        ..RemoteOrder::new("1".parse().expect("valid"), Status::Ready)
    }
}

#[test]
fn the_format_is_chosen_by_case_type_first_and_then_by_kind() {
    let text =
        small_and("formats:\n  ortho: { file_type: PLY }\n  iRecord: { cad_cam_system: X }\n");
    let config = load_good(&text, &[]).config;
    let ortho = config.format_for(&order("Orthodontic", "iCast"));
    assert_eq!(ortho.format.file_type.as_deref(), Some("PLY"));
    assert_eq!(
        ortho.format.type_format.as_deref(),
        Some("OpenShell"),
        "the rest keeps its default"
    );
    assert!(!ortho.wants_thumbnails(&order("Orthodontic", "iCast")) && ortho.screen_captures);
    let restorative = config.format_for(&order("Restorative", "Crown"));
    assert_eq!(restorative.format.cad_cam_system.as_deref(), Some("3Shape"));
    assert_eq!(restorative.format.file_type, None);
    assert!(restorative.wants_thumbnails(&order("Restorative", "Crown")));
    let own = config.format_for(&order("Orthodontic", "IRECORD"));
    assert_eq!(own.format.cad_cam_system.as_deref(), Some("X"));
    assert_eq!(own.format.file_type, None, "a case type inherits nothing");
}

#[test]
fn byte_order_mark_and_windows_line_ends_do_no_harm() {
    let text = format!("\u{FEFF}{}", SMALL.replace('\n', "\r\n"));
    assert_eq!(load_good(&text, &[]).config.labs[0].client_id, "abc");
}

#[test]
fn empty_sections_mean_their_defaults() {
    let text =
        small_and("polling:\nlog:\n  # level: debug\nnotifications:\nstatus_page:\nformats:\n");
    let config = load_good(&text, &[]).config;
    assert!(config.notifications.is_none() && config.status_page.is_some());
    assert_eq!(config.formats.len(), 2);
}

#[test]
fn numbers_are_taken_where_a_text_is_meant_just_as_they_are_written() {
    let text = small_with("client_id: abc", "client_id: 0012\n    account: 4711");
    let lab = load_good(&text, &[]).config.labs.remove(0);
    assert_eq!(lab.client_id, "0012");
    assert_eq!(lab.account.expect("given").as_str(), "4711");
}

#[test]
fn anchors_can_be_repeated() {
    let text = small_and(
        "  - name: second
    oauth_base: &oauth https://oauth.itero.cloud
    base_url: *oauth
    client_id: abc
    redirect_url: https://lab.example/cb
",
    );
    assert_eq!(
        load_good(&text, &[]).config.labs[1].base_url.as_str(),
        "https://oauth.itero.cloud/"
    );
}

#[test]
fn the_simulator_may_be_asked_often_and_without_encryption() {
    let text = "output: orders
labs:
  - { name: sim, oauth_base: 'http://127.0.0.1:9/a', base_url: 'http://[::1]:9', client_id: sim,
      redirect_url: 'http://localhost:7777/cb' }
polling: { interval: 100ms }
";
    assert_eq!(load_good(text, &[]).config.polling.interval, Duration::from_millis(100));
}

#[test]
fn a_secret_comes_from_its_file_without_the_line_end() {
    let dir = tempfile::tempdir().expect("temporary folder");
    std::fs::write(dir.path().join("s.txt"), "\u{FEFF}hush hush\r\n").expect("written");
    let text = small_and("    client_secret_file: s.txt\n");
    let loaded = load_bytes(dir.path(), text.as_bytes(), &[]).expect("valid");
    let secret = loaded.config.labs[0].client_secret.as_ref().expect("read");
    assert_eq!(secret.expose_secret(), "hush hush");
    assert_eq!(loaded.warnings, []);
    assert!(!format!("{:?}", loaded.config).contains("hush"));
}

#[test]
fn a_secret_in_the_file_itself_is_taken_with_a_warning_that_does_not_repeat_it() {
    let loaded = load_good(&small_and("    client_secret: hush\n"), &[]);
    assert!(loaded.config.labs[0].client_secret.is_some());
    let [warning] = loaded.warnings.as_slice() else {
        panic!("one warning: {:?}", loaded.warnings)
    };
    assert_eq!((warning.key.as_str(), warning.line), ("labs[0].client_secret", Some(8)));
    assert!(warning.hint.as_deref().expect("hint").contains("client_secret_file"));
    assert!(!warning.paragraph("warning").contains("hush"));
}

#[test]
fn a_likely_slip_that_is_allowed_gives_a_warning() {
    let text = small_and("formats:\n  orto: { file_type: PLY }\n");
    let warnings = load_good(&text, &[]).warnings;
    let keys: Vec<_> = warnings.iter().map(|w| (w.key.as_str(), w.line)).collect();
    assert_eq!(keys, [("formats.orto", Some(9))]);
    let open = "notifications: { public_url: 'https://a.example', listen: '0.0.0.0:8787'";
    let warned = |more: &str| load_good(&small_and(&format!("{open}{more} }}\n")), &[]).warnings;
    let plain = warned("");
    assert_eq!(plain[0].key, "notifications.listen");
    assert!(plain[0].reason.contains("unencrypted"), "{plain:?}");
    assert_eq!(warned(", trusted_proxies: [10.0.0.5]"), []);
    assert_eq!(warned(", tls: { certificate: c.pem, key: k.pem }"), []);
}

/// The hash of some password.
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b/dWRWJTmaaJObG";

#[test]
fn a_status_page_for_the_network_has_a_password_and_a_certificate() {
    let text = small_and(&format!(
        "status_page:\n  listen: '0.0.0.0:8780'\n  password_hash: '{HASH}'\n  \
         tls: {{ certificate: c.pem, key: k.pem }}\n  names: [Casedrop.Lab.example., büro-pc]\n  \
         show_names: true\n"
    ));
    let dir = tempfile::tempdir().expect("temporary folder");
    let loaded = load_bytes(dir.path(), text.as_bytes(), &[]).expect("valid");
    assert_eq!(loaded.warnings, []);
    let files = TlsFiles { certificate: dir.path().join("c.pem"), key: dir.path().join("k.pem") };
    assert_eq!(loaded.survey.status_page_tls.as_ref(), Some(&files));
    assert!(loaded.survey.secret_files.contains(&("status_page.tls.key".to_owned(), files.key)));
    let page = loaded.config.status_page.as_ref().expect("shown");
    assert!(page.password_hash.is_some() && page.tls.is_some() && page.show_names);
    assert_eq!(page.names, ["casedrop.lab.example", "xn--bro-pc-3ya"]);
    // The hash must not show up anywhere: an attacker could try guesses on it.
    let config = &loaded.config;
    assert_eq!(config.effective.get("status_page.password_hash").expect("there").value, "(set)");
    let shown = format!("{:?}{config:?}", config.effective.0);
    assert!(!shown.contains("RdescudvJ") && !shown.contains("argon2"), "{shown}");
    // On this PC alone none of it is needed, and all of it is allowed.
    for more in ["", ", names: [a]", &format!(", password_hash: '{HASH}'"), ", tls: null"] {
        let text = small_and(&format!("status_page: {{ listen: '[::1]:8780'{more} }}\n"));
        assert_eq!(load_good(&text, &[]).warnings, [], "{more}");
    }
    let env = [("CASEDROP_STATUS_PAGE__PASSWORD_HASH", HASH)];
    assert!(load_good(SMALL, &env).config.status_page.expect("shown").password_hash.is_some());
}

#[test]
fn the_config_is_looked_for_in_its_places_in_order() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let cwd = dir.path();
    let variable = vec![("CASEDROP_CONFIG".to_owned(), "by-env.yaml".to_owned())];
    // The platform's location must not affect this test.
    let nowhere = vec![("ProgramData".to_owned(), cwd.join("none").display().to_string())];
    let platform = cfg!(unix) && Path::new("/etc/casedrop/casedrop.yaml").exists();
    if !platform {
        let error = locate(&RealDisk, None, &nowhere, cwd).expect_err("there is none").to_string();
        assert!(error.contains(&cwd.join("casedrop.yaml").display().to_string()), "{error}");
        let platform = if cfg!(windows) { "none" } else { "/etc/casedrop/casedrop.yaml" };
        assert!(error.contains(platform) && error.contains("CASEDROP_CONFIG"), "{error}");
        assert!(error.contains("config.example.yaml") && error.contains("simulate"), "{error}");
    }
    for name in ["casedrop.yaml", "by-env.yaml", "by-arg.yaml"] {
        std::fs::write(cwd.join(name), "").expect("written");
    }
    let find = |named: Option<&str>, env: &[(String, String)]| -> PathBuf {
        locate(&RealDisk, named.map(Path::new), env, cwd).expect("there is one")
    };
    assert_eq!(find(None, &[]), cwd.join("casedrop.yaml"));
    assert_eq!(find(None, &variable), cwd.join("by-env.yaml"));
    assert_eq!(find(Some("by-arg.yaml"), &variable), cwd.join("by-arg.yaml"));
    let missing = locate(&RealDisk, Some(Path::new("gone.yaml")), &[], cwd).expect_err("gone");
    assert!(missing.to_string().contains("gone.yaml"), "{missing}");
}

#[test]
fn a_new_config_is_written_where_the_other_commands_look_for_it() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let cwd = dir.path();
    let variable = [("CASEDROP_CONFIG".to_owned(), "by-env.yaml".to_owned())];
    let place = |named: Option<&str>, env: &[(String, String)]| {
        place_for_new(&RealDisk, named.map(Path::new), env, cwd)
    };
    assert_eq!(place(Some("by-arg.yaml"), &variable), cwd.join("by-arg.yaml"));
    assert_eq!(place(None, &variable), cwd.join("by-env.yaml"));
    assert_eq!(place(None, &[]), super::super::platform_folder(&[]).join("casedrop.yaml"));
    std::fs::write(cwd.join("casedrop.yaml"), "").expect("written");
    assert_eq!(place(None, &[]), cwd.join("casedrop.yaml"));
}

#[test]
fn a_profile_sets_what_is_asked_for_and_single_keys_go_before_it() {
    let formats = |text: &str| {
        let config = load_good(&small_and(text), &[]).config;
        let words = |kind: &str| {
            let format = config.formats[kind].format.clone();
            [format.file_type, format.file_format, format.type_format, format.cad_cam_system]
                .map(Option::unwrap_or_default)
        };
        (words("ortho"), words("restorative"))
    };
    let defaults = formats("");
    assert_eq!(formats("formats: { profile: 3shape }\n"), defaults);
    let exocad = formats("formats: { profile: exocad }\n");
    assert_eq!(exocad.0, defaults.0);
    assert_eq!(exocad.1, ["", "", "", "exocad"]);
    let mixed = "formats:\n  profile: exocad\n  restorative: { file_type: PLY, cad_cam_system: null }\n  \
                 ortho: { type_format: SolidModelWithLowProfileBase }\n";
    let mixed = formats(mixed);
    assert_eq!(mixed.0[2], "SolidModelWithLowProfileBase");
    assert_eq!(mixed.0[0], "STL");
    assert_eq!(mixed.1, ["PLY", "", "", ""]);
}

#[test]
fn every_value_counts_for_what_changed_and_none_is_shown() {
    let keys = |text: &str| load_good(text, &[]).config.keys.0;
    let (one, other) =
        (keys(&small_and("names: plain\n")), keys(&small_with("client_id: abc", "client_id: abd")));
    assert!(one.contains_key("names") && !other.contains_key("names"));
    assert_ne!(one["labs[0].client_id"], other["labs[0].client_id"]);
    assert_eq!(one["labs[0].base_url"], other["labs[0].base_url"]);
    assert!(one.values().all(|hash| hash.len() == 64));
}

#[test]
fn each_lab_may_hold_incomplete_orders_back_or_not_whatever_holds_for_all() {
    let holds = |all: &str, own: &str| {
        let config = load_good(&format!("{all}{SMALL}{own}"), &[]).config;
        config.labs[0].holds
    };
    assert!(!holds("", ""));
    assert!(holds("hold: incomplete\n", ""));
    assert!(!holds("hold: incomplete\n", "    hold: never\n"));
    assert!(holds("", "    hold: incomplete\n"));
}
