//! No token, no secret and no name of a patient or a doctor leaves its place, however much is logged
//! and whatever goes wrong.

use std::collections::BTreeSet;
use std::path::Path;

use casedrop::model::manifest::Role;
use casedrop::simulator::package::{DOCTOR_MARKER, PATIENT_MARKER};
use casedrop::simulator::{CaseKind, FaultKind, FaultRule};

use super::tree;
use super::world::{Ended, LAB, World, order, wait_for};

/// What must not be seen: the words, and the tokens that the login holds at this moment.
fn forbidden(world: &World, words: &mut BTreeSet<String>) {
    let file = world.state().join("secrets/smile-lab.json");
    let login: serde_json::Value =
        serde_json::from_slice(&std::fs::read(file).expect("a login")).expect("JSON");
    for key in ["access_token", "refresh_token"] {
        words.insert(login[key].as_str().expect("a token").to_owned());
    }
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

/// Every file of the agent's own below a directory: not the vendor's, not the logins.
fn own_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let is_own = |path: &Path| !path.components().any(|part| part.as_os_str() == "secrets");
    tree::files(dir).into_iter().filter(|path| is_own(path)).collect()
}

#[test]
fn neither_tokens_nor_secrets_nor_names_are_told_or_kept() {
    let world = World::with_config("log: { level: trace }\n");
    let mut words: BTreeSet<String> =
        ["s3cret-of-client", PATIENT_MARKER, DOCTOR_MARKER, "Geheimrat"]
            .into_iter()
            .map(str::to_owned)
            .collect();
    let mut told: Vec<(String, String)> = Vec::new();
    forbidden(&world, &mut words);

    // Everything that talks: servers that quote names back, a broken package, a refresh, a rescan.
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
        &["accounts", LAB, "--json"],
        &["status", "--json"],
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

    assert!(words.len() >= 6, "a pairing or a refresh gave out new tokens");
    for word in &words {
        for (name, text) in &told {
            assert!(!text.contains(word.as_str()), "{word} is in what {name} says:\n{text}");
        }
        for path in own_files(&world.state()) {
            let bytes = std::fs::read(&path).expect("readable");
            assert!(!holds(&bytes, word), "{word} is in {}", path.display());
        }
        for path in tree::files(world.dir()) {
            if path.ends_with("manifest.json") || path.ends_with(".casedrop-root") {
                let bytes = std::fs::read(&path).expect("readable");
                assert!(!holds(&bytes, word), "{word} is in {}", path.display());
            }
        }
    }
    // The search would find them: the vendor's own files hold the names.
    let manifest = world.published(&id);
    let rx = manifest.files.iter().find(|file| file.role == Role::RxHtml).expect("an Rx");
    let bytes = std::fs::read(world.dir_of(&id).join(&rx.path)).expect("readable");
    assert!(holds(&bytes, PATIENT_MARKER) && holds(&bytes, DOCTOR_MARKER));
}
