//! Notices: hook, webhook and mail in the config.

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::super::{ConfigFaults, Loaded, MailOnly, MailSecurity};
use super::{load_bytes, small_and};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// An absolute path of this system, as JSON (which YAML reads).
fn program(dir: &Path) -> String {
    serde_json::to_string(&dir.join("import.exe")).expect("a Unicode path")
}

/// Loads a config with that section, next to files with a secret and a password.
fn load(section: &str) -> Result<Loaded, ConfigFaults> {
    let dir = tempfile::tempdir().expect("temporary folder");
    std::fs::write(dir.path().join("hook.secret"), SECRET).expect("written");
    std::fs::write(dir.path().join("mail.secret"), "p4ss-of-mail\n").expect("written");
    std::fs::write(dir.path().join("short.secret"), "whsec_AAAA").expect("written");
    let section = section.replace("PROGRAM", &program(dir.path()));
    load_bytes(dir.path(), small_and(&section).as_bytes(), &[])
}

fn good(section: &str) -> Loaded {
    load(section).unwrap_or_else(|faults| panic!("expected no faults in\n{section}\n{faults}"))
}

fn faults(section: &str) -> Vec<(String, String)> {
    let faults = load(section).err().unwrap_or_else(|| panic!("expected faults in\n{section}"));
    faults.faults.into_iter().map(|fault| (fault.key, fault.reason)).collect()
}

#[test]
fn each_way_of_telling_has_its_defaults() {
    let loaded = good(
        "notices:
  hook: { run: [PROGRAM] }
  webhook: { url: 'https://lab.example/hook', secret_file: hook.secret }
  mail: { server: smtp.example.com, from: a@lab.example, to: [b@lab.example] }
",
    );
    assert_eq!(loaded.warnings, []);
    let notices = loaded.config.notices;
    let hook = notices.hook.expect("given");
    assert!(hook.program.is_absolute() && hook.args.is_empty());
    assert_eq!(hook.timeout, Duration::from_mins(1));
    let webhook = notices.webhook.expect("given");
    assert_eq!(webhook.secret.expose_secret(), SECRET);
    assert_eq!(webhook.batch, Duration::from_secs(10));
    let mail = notices.mail.expect("given");
    assert_eq!((mail.port, mail.security), (587, MailSecurity::Starttls));
    assert_eq!((mail.every, mail.only), (Duration::from_hours(24), MailOnly::All));
    assert!(mail.login.is_none());
}

#[test]
fn everything_of_it_can_be_set() {
    let notices = good(
        "notices:
  hook: { run: [PROGRAM, --fast, ''], timeout: 2m }
  webhook: { url: 'http://127.0.0.1:9/x', secret_file: hook.secret, batch: 1s }
  mail:
    server: localhost
    port: 2525
    security: none
    user: lab
    password_file: mail.secret
    from: 'Casedrop <a@lab.example>'
    to: [b@lab.example, 'Büro <c@lab.example>']
    every: 1h
    only: problems
",
    )
    .config
    .notices;
    assert_eq!(notices.hook.expect("given").args, ["--fast", ""]);
    let mail = notices.mail.expect("given");
    assert_eq!((mail.port, mail.only), (2525, MailOnly::Problems));
    assert_eq!(mail.to.len(), 2);
    let (user, password) = mail.login.clone().expect("given");
    assert_eq!((user.as_str(), password.expose_secret()), ("lab", "p4ss-of-mail"));
    assert!(!format!("{mail:?}").contains("p4ss-of-mail"), "it cannot be printed");
}

#[test]
fn what_is_wrong_is_named_by_its_key() {
    let hook = "notices: { hook: { run: [import.exe] } }\n";
    let [(key, reason)] = &faults(hook)[..] else { panic!("one fault") };
    assert_eq!(key, "notices.hook.run[0]");
    assert!(reason.contains("not a full path"), "{reason}");
    let keys = |section: &str| faults(section).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys("notices: { hook: { run: [] } }\n"), ["notices.hook.run"]);
    let url = "url: 'https://lab.example/x'";
    for (section, key) in [
        (format!("webhook: {{ {url}, secret_file: none.secret }}"), "webhook.secret_file"),
        (format!("webhook: {{ {url}, secret_file: mail.secret }}"), "webhook.secret_file"),
        (format!("webhook: {{ {url}, secret_file: short.secret }}"), "webhook.secret_file"),
        (format!("webhook: {{ {url} }}"), "webhook.secret_file"),
        (
            "webhook: { url: 'http://lab.example', secret_file: hook.secret }".to_owned(),
            "webhook.url",
        ),
    ] {
        assert_eq!(keys(&format!("notices: {{ {section} }}\n")), [format!("notices.{key}")]);
    }
    let mail = |more: &str| {
        keys(&format!("notices: {{ mail: {{ from: a@b.example, to: [c@d.example], {more} }} }}\n"))
    };
    assert_eq!(mail("server: 'smtp://x:25'"), ["notices.mail.server"]);
    assert_eq!(mail("server: x.example, user: a"), ["notices.mail.user"]);
    assert_eq!(
        mail("server: x.example, password_file: mail.secret"),
        ["notices.mail.password_file"]
    );
    assert_eq!(
        mail("server: x.example, user: a, password_file: none"),
        ["notices.mail.password_file"]
    );
    assert_eq!(mail("server: x.example, port: 0"), ["notices.mail.port"]);
    let addresses =
        "notices: { mail: { server: x.example, from: nobody, to: [c@d.example, '@'] } }\n";
    assert_eq!(keys(addresses), ["notices.mail.from", "notices.mail.to[1]"]);
}

#[test]
fn a_password_that_travels_in_the_open_is_warned_of() {
    let mail = |server: &str| {
        good(&format!(
            "notices: {{ mail: {{ server: {server}, security: none, user: a, \
             password_file: mail.secret, from: a@b.example, to: [c@d.example] }} }}\n"
        ))
        .warnings
    };
    let [warning] = &mail("smtp.example.com")[..] else { panic!("one warning") };
    assert_eq!(warning.key, "notices.mail.security");
    assert!(warning.reason.contains("password"), "{}", warning.reason);
    for server in ["localhost", "127.0.0.1", "'::1'"] {
        assert_eq!(mail(server), [], "{server}");
    }
}
