//! No token, no secret and no name of a patient or doctor leaks, however much is logged and
//! whatever goes wrong. A doctor's name is in lists of orders, the journal and manifests only.

use std::collections::BTreeSet;
use std::path::Path;

use casedrop::model::manifest::Role;
use casedrop::simulator::package::{DOCTOR_MARKER, PATIENT_MARKER};
use casedrop::simulator::{CaseKind, FaultKind, FaultRule};

use super::command_folder::Commands;
use super::tree;
use super::world::{Ended, LAB, World, follow, order, wait_for};

/// The licence that the simulator gives each doctor.
const LICENCE: &str = "SIM-000";

/// Adds the current secrets to the words that must not appear.
fn forbidden(world: &World, words: &mut BTreeSet<String>) {
    for path in tree::files(&world.state().join("secrets")) {
        let text = std::fs::read_to_string(&path).expect("readable");
        let parsed = serde_json::from_str::<serde_json::Value>(&text);
        let name = path.file_name().and_then(|name| name.to_str()).expect("Unicode");
        match parsed {
            // A login, or one in progress.
            Ok(secrets) => {
                for key in ["access_token", "refresh_token", "verifier"] {
                    words.extend(secrets[key].as_str().map(str::to_owned));
                }
            }
            Err(_) if name == "callback.text" => {
                words.insert(text);
            }
            Err(_) => assert!(text.is_empty(), "what is {name}?"),
        }
    }
}

/// The few files that may hold secrets or names: the secrets themselves; the config, into which
/// this test writes the client secret; the vendor's files of an order, in the output and in
/// history.
fn may_hold_them(world: &World, path: &Path) -> bool {
    let history = world.staging().join("history");
    let is_of_an_order = path.starts_with(world.output()) || path.starts_with(history);
    let is_ours = ["manifest.json", ".casedrop-root"].iter().any(|name| path.ends_with(name));
    path.starts_with(world.state().join("secrets"))
        || path == world.config()
        || (is_of_an_order && !is_ours)
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// What staff writes reaches Align and no one else. Then a login by command files, with a wrong
/// code first.
fn staff(world: &World, commands: &Commands, id: &str, words: &mut BTreeSet<String>) {
    let reason = format!("{PATIENT_MARKER}: the margin is not visible");
    let send_back = format!("command: return\norder: {id}\nreason: '{reason}'\nconfirm: {id}\n");
    commands.put("return.yaml", &send_back);
    commands.wait_for("done/return.yaml");
    commands.put("broken.yaml", format!("command: return\nreason: '{reason}\norder: [\n"));
    commands.wait_for("failed/broken.yaml");
    // The files that they dropped are theirs.
    for file in ["done/return.yaml", "failed/broken.yaml"] {
        std::fs::remove_file(world.dir().join("commands").join(file)).expect("removed");
    }
    world.good(&["logout", LAB]);
    commands.put("pair.txt", "");
    let receipt = commands.wait_for("failed/pair.txt");
    forbidden(world, words);
    let back = follow(receipt["details"]["login_url"].as_str().expect("a URL"));
    let code =
        back.split_once("code=").expect("a code").1.split('&').next().expect("it").to_owned();
    let wrong = back.replace(&code, "c0de-of-a-login");
    for (name, kept, code) in [("wrong.yaml", "failed", &wrong), ("right.yaml", "done", &back)] {
        commands.put(name, format!("command: pair\ncode: '{code}'\n"));
        commands.wait_for(&format!("{kept}/{name}"));
    }
    words.extend([code, "c0de-of-a-login".to_owned()]);
    forbidden(world, words);
}

#[test]
fn neither_tokens_nor_secrets_nor_names_are_told_or_kept() {
    let world = World::with_config(
        "log: { level: trace }\ncommands: commands\nnotifications: { listen: '127.0.0.1:0', \
         public_url: 'https://lab.example/itero' }\n",
    );
    let commands = Commands::of(&world);
    let mut words: BTreeSet<String> = ["s3cret-of-client", PATIENT_MARKER, LICENCE, "Geheimrat"]
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut told: Vec<(String, String)> = Vec::new();
    forbidden(&world, &mut words);

    // Everything that is logged: servers that echo names, a broken package, a refresh, a rescan.
    let quoted = format!("no order for {PATIENT_MARKER} of {DOCTOR_MARKER}");
    let status = |code| FaultKind::Status { code, retry_after: None, body: Some(quoted.clone()) };
    for code in [500, 400] {
        world.align().inject(FaultRule::on("getOrdersForLab", status(code)).times(1));
    }
    world.align().inject(FaultRule::on("downloadAsset", status(418)).asset("IMAGE_GALLERY"));
    let broken = FaultKind::Corrupt { at: 3000 };
    world.align().inject(FaultRule::on("downloadAsset", broken).asset("IDE").times(1));
    world.align().update_settings(|settings| settings.redirect_to_storage = true);
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    let agent = world.run();
    world.wait_for_revision(&id, 1);
    world.align().expire_tokens();
    world.align().flow(&id, "return-to-doctor").expect("returned");
    world.align().flow(&id, "rescan-completed").expect("back");
    world.wait_for_revision(&id, 2);
    wait_for("a refresh", || (world.align().state().counters.refreshes > 0).then_some(()));
    forbidden(&world, &mut words);
    world.wait_for_state(&id, "published");
    staff(&world, &commands, &id, &mut words);
    wait_for("a poll", || (world.casedrop(&["status"]).code == Some(0)).then_some(()));
    told.push(("the agent's log".to_owned(), agent.kill()));

    let mut tell = |name: &str, ended: Ended| told.push((name.to_owned(), format!("{ended:?}")));
    for args in [
        &["sync"][..],
        &["orders"],
        &["orders", "--json"],
        &["show", &id],
        &["show", &id, "--json"],
        &["refetch", &id],
        &["sync", "--json"],
        &["verify", "--json"],
        &["check", "--json"],
        &["audit", "--json"],
        &["accounts", LAB, "--json"],
        &["poll", "--json"],
        &["return", &id, "--reason", "for Mr Geheimrat", "--confirm", &id],
        &["pair", LAB, "--json"],
        &["login", LAB, "--no-browser"],
    ] {
        tell(&args.join(" "), world.casedrop(args));
        forbidden(&world, &mut words);
    }
    tell("a login that fails", world.log_in_pasting(LAB, |_| "not-a-code".to_owned()));
    tell("logout", world.casedrop(&["logout", LAB, "--json"]));
    assert!(told[0].1.contains("TRACE"), "the log tells all that it can");

    assert!(words.len() >= 10, "a pairing or a refresh gave out new tokens, and there were codes");
    let lists_doctors = |name: &str| name.starts_with("orders") || name.starts_with("show");
    for (name, text) in told.iter().filter(|(name, _)| !lists_doctors(name)) {
        assert!(!text.contains(DOCTOR_MARKER), "a doctor is in what {name} says:\n{text}");
    }
    for path in tree::files(world.dir()).into_iter().filter(|path| !may_hold_them(&world, path)) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with("journal.sqlite") && name != "manifest.json" {
            let bytes = std::fs::read(&path).expect("readable");
            assert!(!holds(&bytes, DOCTOR_MARKER), "a doctor is in {}", path.display());
        }
    }
    for word in &words {
        for (name, text) in &told {
            assert!(!text.contains(word.as_str()), "{word} is in what {name} says:\n{text}");
        }
        for path in tree::files(world.dir()) {
            if !may_hold_them(&world, &path) {
                let bytes = std::fs::read(&path).expect("readable");
                assert!(!holds(&bytes, word), "{word} is in {}", path.display());
            }
        }
    }
    let walked: Vec<_> = tree::files(world.dir())
        .into_iter()
        .filter(|path| !may_hold_them(&world, path))
        .filter_map(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
        .collect();
    for name in ["journal.sqlite", "audit.jsonl", "manifest.json", "right.yaml.receipt.json"] {
        assert!(walked.iter().any(|walked| walked == name), "{name} is not among {walked:?}");
    }
    // Proof that the search works: the vendor's own files hold the names.
    let manifest = world.published(&id);
    let rx = manifest.files.iter().find(|file| file.role == Role::RxHtml).expect("an Rx");
    let bytes = std::fs::read(world.dir_of(&id).join(&rx.path)).expect("readable");
    assert!(holds(&bytes, PATIENT_MARKER) && holds(&bytes, DOCTOR_MARKER));
}
