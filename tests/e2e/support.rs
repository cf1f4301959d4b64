//! The support bundle tells what a stranger needs to know, but contains no secret and no name,
//! anywhere and in any encoding.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use casedrop::model::manifest::Role;
use casedrop::simulator::package::{DOCTOR_MARKER, PATIENT_MARKER, hostile};
use casedrop::simulator::{CaseKind, FaultKind, FaultRule};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::receivers::{MailReceiver, WebReceiver};
use super::tree;
use super::world::{World, order, wait_for};

const CLIENT: &str = "s3cret-of-client";
const PROXY: &str = "hush-of-proxy";
const MAIL: &str = "p4ss-of-mail";
const ARGUMENT: &str = "k3y-for-hook";
/// Printed by a hook, so nothing could know that it is a name.
const PRINTED: &str = "Frau-Hookprint";

pub(super) struct Unzipped {
    bytes: Vec<u8>,
    pub(super) members: BTreeMap<String, String>,
}

pub(super) fn bundle(world: &World, name: &str) -> Unzipped {
    let path = world.dir().join(name);
    let ended = world.good(&["support-bundle", "--output", path.to_str().expect("Unicode")]);
    assert!(ended.stdout.contains(name) && ended.stdout.contains("versions.txt"), "{ended:?}");
    assert!(ended.stderr.contains("Look through it before you send it"), "{ended:?}");
    unzip(&path)
}

fn unzip(path: &Path) -> Unzipped {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "for its owner only");
    }
    let bytes = std::fs::read(path).expect("readable");
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes.clone())).expect("a zip");
    let mut members = BTreeMap::new();
    for index in 0..zip.len() {
        let mut member = zip.by_index(index).expect("a member");
        let mut text = String::new();
        member.read_to_string(&mut text).expect("Unicode");
        members.insert(member.name().expect("a name").into_owned(), text);
    }
    Unzipped { bytes, members }
}

impl Unzipped {
    fn text(&self, name: &str) -> &str {
        self.members.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.members.keys()))
    }

    fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(self.text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// All log files, concatenated.
    fn logs(&self) -> String {
        let logs = self.members.iter().filter(|(name, _)| name.starts_with("logs/"));
        logs.map(|(_, text)| text.as_str()).collect()
    }

    /// Asserts that a word appears nowhere, in any form.
    fn assert_lacks(&self, word: &str) {
        for form in forms(word) {
            for (name, text) in &self.members {
                let line = text.lines().find(|line| line.contains(&form));
                assert_eq!(line, None, "{word} (as {form}) is in {name}");
                assert!(!name.contains(&form), "{word} is in the name {name}");
            }
            let found = self.bytes.windows(form.len()).any(|window| window == form.as_bytes());
            assert!(!found, "{word} is in the zip itself");
        }
    }
}

/// The encodings in which a word may appear.
fn forms(word: &str) -> BTreeSet<String> {
    let mut forms: BTreeSet<String> = BTreeSet::new();
    forms.insert(word.to_owned());
    let json = serde_json::to_string(word).expect("JSON");
    forms.insert(json.trim_matches('"').to_owned());
    forms.insert(utf8_percent_encode(word, NON_ALPHANUMERIC).to_string());
    for before in 0..3 {
        let padded = format!("{}{word}", "x".repeat(before));
        for engine in [&STANDARD, &URL_SAFE] {
            let text = engine.encode(&padded);
            let (start, end) = (if before == 0 { 0 } else { before + 1 }, padded.len() / 3 * 4);
            if end > start + 5 {
                forms.insert(text[start..end].to_owned());
            }
        }
    }
    forms
}

/// Reads the secrets from a file that the agent wrote.
fn texts(path: &Path, keys: &[&str]) -> Vec<String> {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if keys.is_empty() {
        assert!(text.len() > 20, "a secret");
        return vec![text];
    }
    let parsed: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let word = |key: &&str| parsed[*key].as_str().unwrap_or_else(|| panic!("no {key}")).to_owned();
    keys.iter().map(word).collect()
}

/// All current secrets, each read from where it was planted.
fn secrets(world: &World, is_running: bool) -> BTreeSet<String> {
    let at = |name: &str| world.dir().join(name);
    let holds = |path: &Path, word: &str| {
        let bytes = std::fs::read(path).expect("readable");
        let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(found, "{word} was not planted in {}", path.display());
        word.to_owned()
    };
    let mut words = BTreeSet::from([
        holds(&world.config(), CLIENT),
        holds(&world.config(), ARGUMENT),
        holds(&at("proxy.secret"), PROXY),
        holds(&at("mail.secret"), MAIL),
        holds(&at("webhook.secret"), WebReceiver::SECRET),
        WebReceiver::SECRET.trim_start_matches("whsec_").to_owned(),
    ]);
    let login = world.state().join("secrets/smile-lab.json");
    words.extend(texts(&login, &["access_token", "refresh_token"]));
    words.extend(texts(&world.state().join("secrets/callback.text"), &[]));
    if is_running {
        words.extend(texts(&world.state().join("control.json"), &["token"]));
    }
    words
}

/// A hook that prints a name.
fn hook() -> String {
    let words = if cfg!(windows) {
        [r"C:\windows\system32\cmd.exe".to_owned(), "/c".to_owned(), format!("echo {PRINTED}")]
    } else {
        ["/bin/sh".to_owned(), "-c".to_owned(), format!("cat >/dev/null; echo {PRINTED}")]
    };
    let [program, option, script] = words;
    let words = [program, option, script, format!("--key={ARGUMENT}")];
    format!("  hook: {{ run: {} }}\n", serde_json::to_string(&words).expect("JSON"))
}

fn log_files(world: &World) -> Vec<PathBuf> {
    tree::files(&world.dir().join("logs"))
}

fn log(world: &World) -> String {
    log_files(world).iter().map(|path| std::fs::read_to_string(path).expect("readable")).collect()
}

/// What every bundle of this agent must contain.
fn assert_tells(bundle: &Unzipped, is_running: bool, broken: &str, good: &str) {
    assert!(bundle.text("versions.txt").contains(env!("CARGO_PKG_VERSION")));
    let config = bundle.text("config.txt");
    for line in [
        "labs[0].name = smile-lab    # casedrop.yaml:",
        "labs[0].client_secret = (set)    # ",
        "labs[0].client_id = (set)    # ",
        "notices.mail.to = (set)    # ",
        "log.level = trace    # ",
        "names = vendor    # default",
    ] {
        assert!(config.contains(line), "{line}: {config}");
    }
    assert!(
        bundle.text("check.txt").contains("the config is valid"),
        "{}",
        bundle.text("check.txt")
    );
    let status = bundle.json("status.json");
    assert_eq!(status["agent"]["running"], is_running);
    assert_eq!(status["labs"][0]["account_name"], "(not shown)");
    assert!(bundle.text("status.txt").contains("lab smile-lab (account 4711, (not shown))"));
    let journal = bundle.json("journal.json");
    assert_eq!((&journal["whole"], &journal["damage"]), (&true.into(), &serde_json::Value::Null));
    assert_eq!(journal["orders_by_state"]["published"], 1);
    assert_eq!(journal["failing"][0]["order"], broken);
    assert_eq!(journal["failing"][0]["trouble"]["code"], "zip-crc");
    let why = journal["failing"][0]["trouble"]["message"].as_str().expect("a text");
    assert!(why.contains("the checksum of … …-….stl in the archive is wrong"), "{why}");
    assert!(journal["rows"]["orders"].as_u64() >= Some(2), "{journal}");
    let counts = bundle.json("counts.json");
    assert_eq!(counts["audit"]["whole"], true);
    assert!(counts["audit"]["records"].as_u64() > Some(0) && counts["audit"]["deeds"].is_object());
    let listing = bundle.text("state-folder.txt");
    assert!(listing.contains("journal.sqlite") && listing.contains("smile-lab.json"), "{listing}");
    let logs = bundle.logs();
    assert!(logs.contains("TRACE") && logs.contains("published revision 1"), "the log");
    assert!(logs.contains(&format!("order={good}")) && logs.contains("lab=smile-lab"));
    assert!(bundle.text("README.txt").contains("journal.json: "), "{}", bundle.text("README.txt"));
}

#[test]
fn a_bundle_tells_how_things_stand_and_neither_secrets_nor_names() {
    let world = World::with_config(
        "log: { level: trace, dir: logs }\nnotifications: { listen: '127.0.0.1:0', public_url: \
         'https://lab.example/itero' }\n",
    );
    let (web, mail) = (WebReceiver::answering(&[500]), MailReceiver::new());
    std::fs::write(world.dir().join("proxy.secret"), format!("anna:{PROXY}")).expect("written");
    let yaml = format!(
        "{}api: {{ proxy: 'http://proxy.example:3128', proxy_credentials_file: proxy.secret }}\n\
         notices:\n{}{}{}",
        world.yaml(),
        hook(),
        web.section(world.dir(), "batch: 100ms"),
        mail.section(world.dir(), "every: 1s"),
    );
    std::fs::write(world.config(), yaml).expect("config");
    // Servers that echo names, and a broken archive that is named after its patient.
    let quoted = format!("no order for {PATIENT_MARKER} of {DOCTOR_MARKER}");
    let kind = FaultKind::Status { code: 500, retry_after: None, body: Some(quoted) };
    world.align().inject(FaultRule::on("getOrdersForLab", kind).times(1));
    let good = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    let broken = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let which = "named-after-patient".to_owned();
    let archive = hostile::by_name(&which).expect("an archive");
    assert!(archive.windows(5).any(|window| window == PATIENT_MARKER.as_bytes()), "planted");
    let rule = FaultRule::on("downloadAsset", FaultKind::Hostile { which });
    world.align().inject(rule.asset("IDE").order(&broken));

    let agent = world.run();
    world.wait_for_revision(&good, 1);
    world.wait_for_state(&good, "published");
    world.wait_for_message(&broken, "checksum");
    let login = world.state().join("secrets/smile-lab.json");
    let token = || texts(&login, &["access_token"]).remove(0);
    let former = token();
    world.align().expire_tokens();
    wait_for("a refresh", || (world.align().state().counters.refreshes > 0).then_some(()));
    // Align counts the refresh before the agent has saved the new login. In between, the old token
    // is no longer secret, and the new one not yet.
    wait_for("the new login", || (token() != former).then_some(()));
    wait_for("a mail", || (!mail.sessions().is_empty()).then_some(()));
    wait_for("the hook's words in the log", || log(&world).contains(PRINTED).then_some(()));
    let manifest = world.published(&good);
    let rx = manifest.files.iter().find(|file| file.role == Role::RxHtml).expect("an Rx");
    let rx = std::fs::read_to_string(world.dir_of(&good).join(&rx.path)).expect("readable");
    assert!(rx.contains(PATIENT_MARKER) && rx.contains(DOCTOR_MARKER), "planted");

    // If a secret gets into the log anyway, the redaction catches it.
    let mut words = secrets(&world, true);
    let leaked: Vec<String> = words.iter().flat_map(|word| forms(word)).collect();
    let day = log_files(&world)[0].file_name().expect("a name").to_string_lossy().into_owned();
    let planted = day.replace(".log", ".7.log");
    let lines = format!("leaked {}\n", leaked.join(" leaked\nleaked "));
    std::fs::write(world.dir().join("logs").join(&planted), lines).expect("written");

    let running = bundle(&world, "running.zip");
    assert_tells(&running, true, &broken, &good);
    words.extend(secrets(&world, true));
    agent.kill();
    let stopped = bundle(&world, "stopped.zip");
    assert_tells(&stopped, false, &broken, &good);
    words.extend(secrets(&world, false));
    assert!(words.len() >= 10, "{}", words.len());

    let names = [PATIENT_MARKER, DOCTOR_MARKER, "Specimen", PRINTED, "lab.example>", "agent@lab"];
    words.extend(names.map(str::to_owned));
    for bundle in [&running, &stopped] {
        for word in &words {
            bundle.assert_lacks(word);
        }
        let kept = bundle.text(&format!("logs/{planted}"));
        assert_eq!(kept.lines().count(), leaked.len(), "the lines are there");
        assert_eq!(kept.matches("[redacted]").count(), leaked.len(), "{kept}");
    }
}

#[test]
fn a_bundle_is_made_of_what_there_is_when_the_config_is_broken() {
    let world = World::with_config("log: { dir: logs }\n");
    world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.good(&["sync"]);
    let token = texts(&world.state().join("secrets/smile-lab.json"), &["access_token"]).remove(0);
    assert!(log(&world).contains("published revision 1"), "a pass logs to files too");
    let wrong = [
        // An unknown key.
        world.yaml().replace("client_secret:", "client_secrt:"),
        world.yaml() + "naems: vendor\n",
        // Invalid YAML, and the line that would be quoted holds the secret.
        world.yaml().replace("client_secret: ", "client_secret: [}"),
    ];
    for (number, yaml) in wrong.iter().enumerate() {
        assert!(yaml.contains(CLIENT), "planted");
        std::fs::write(world.config(), yaml).expect("config");
        // The usual call: in a folder, without arguments.
        let folder = world.dir().join(format!("here-{number}"));
        std::fs::create_dir(&folder).expect("made");
        let mut command = world.command(&["support-bundle", "--offline", "--days", "2"]);
        let output = command.current_dir(&folder).output().expect("it runs");
        let ended = super::world::ended(output);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stderr.contains("not included: config.txt"), "{ended:?}");
        let files = tree::files(&folder);
        let name = files[0].file_name().expect("a name").to_string_lossy().into_owned();
        assert!(files.len() == 1 && name.starts_with("casedrop-support-2"), "{files:?}");
        let bundle = unzip(&files[0]);
        bundle.assert_lacks(CLIENT);
        bundle.assert_lacks(&token);
        assert!(!bundle.members.contains_key("config.txt"));
        assert!(bundle.text("check.txt").contains("error: "), "{}", bundle.text("check.txt"));
        assert!(bundle.text("README.txt").contains("Not included:"));
        bundle.text("versions.txt");
        if number < 2 {
            // If the file can be parsed, it tells where the rest is.
            assert_eq!(bundle.json("journal.json")["whole"], true);
            assert!(bundle.logs().contains("published revision 1"), "{:?}", bundle.members.keys());
        }
        if number == 1 {
            assert!(
                bundle.text("check.txt").contains("did you mean")
                    || bundle.text("check.txt").contains("names")
            );
        }
    }
}

#[test]
fn a_bundle_overwrites_nothing() {
    let world = World::new();
    let path = world.dir().join("x.zip");
    std::fs::write(&path, "mine").expect("written");
    let ended = world.casedrop(&["support-bundle", "--output", path.to_str().expect("Unicode")]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("already exists") && ended.stderr.contains("--output"));
    assert_eq!(std::fs::read(&path).expect("readable"), b"mine");
    let other = world.dir().join("y.zip");
    let told = world.json(&["support-bundle", "--output", other.to_str().expect("Unicode")]);
    assert_eq!(told["file"], other.to_str().expect("Unicode"));
    let members = told["members"].as_array().expect("a list");
    assert!(members.iter().any(|member| member["name"] == "status.json"), "{told}");
    let ended = world.casedrop(&["support-bundle", "--days", "0"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
}
