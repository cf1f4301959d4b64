//! Every command, as a newcomer, a technician or a program would use it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use casedrop::model::manifest::{Manifest, Reason, Role};
use casedrop::simulator::package::{CaseKind as PackageKind, CaseSpec, write_ide_package};
use casedrop::simulator::{CaseKind, FaultKind, FaultRule};
use serde_json::Value;

use super::world::{ACCOUNT, Ended, LAB, World, ended, follow, order, program, started, wait_for};
use super::{json_schema, tree};

fn publish(world: &World, kind: CaseKind) -> String {
    let id = world.align().create_order(&order(kind)).expect("created");
    pass_until(world, &id, 1);
    id
}

/// Runs passes until the order is published in that revision.
fn pass_until(world: &World, order: &str, revision: u32) -> Manifest {
    wait_for(&format!("revision {revision} of {order}"), || {
        world.good(&["sync"]);
        tree::manifest(&world.dir_of(order)).ok().filter(|found| found.revision >= revision)
    })
}

fn rescan(world: &World, order: &str) {
    world.align().flow(order, "return-to-doctor").expect("returned");
    world.align().flow(order, "rescan-completed").expect("back");
}

/// Runs the program in a folder without a config.
fn in_folder(dir: &Path, args: &[&str]) -> Ended {
    let mut command = Command::new(program());
    command.args(args).current_dir(dir).env_remove("CASEDROP_CONFIG").stdin(Stdio::null());
    ended(started(|| command.output()))
}

fn package(dir: &Path, id: u64, kind: PackageKind) {
    let spec = CaseSpec::small(id, kind);
    let mut file = std::fs::File::create(dir.join(spec.archive_name())).expect("created");
    write_ide_package(&spec, &mut file).expect("written");
}

#[test]
fn the_demo_ends_with_six_varied_orders_that_match_the_printed_schema() {
    let dir = tempfile::tempdir().expect("tempdir");
    let ended = in_folder(dir.path(), &["demo", "--once", "--output", "hot", "--seed", "7"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("assumed"), "it says that the wire format is assumed");
    assert!(ended.stdout.contains("6 orders, "), "{}", ended.stdout);
    let orders = tree::orders(&dir.path().join("hot"));
    assert_eq!(orders.len(), 6);
    let manifests: Vec<Manifest> =
        orders.iter().map(|dir| tree::check_order(dir).expect("whole")).collect();
    let has = |ending: &str| {
        let scans = |m: &Manifest| m.files.iter().any(|file| file.path.ends_with(ending));
        manifests.iter().any(scans)
    };
    assert!(has(".stl") && has(".ply"));
    let procedures: Vec<_> = manifests.iter().filter_map(|m| m.procedure.as_deref()).collect();
    assert!(procedures.contains(&"Orthodontic") && procedures.contains(&"Restorative"));
    assert!(manifests.iter().any(|m| (m.revision, m.reason) == (2, Reason::AfterModeling)));
    assert!(ended.stderr.contains("Align is still preparing the files"), "one answered 404 first");
    let schema = in_folder(dir.path(), &["schema", "manifest"]);
    let schema: Value = serde_json::from_str(&schema.stdout).expect("JSON");
    for dir in &orders {
        let text = std::fs::read_to_string(dir.join("manifest.json")).expect("readable");
        let manifest: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(json_schema::faults(&schema, &manifest), [] as [String; 0], "{text}");
        let mut wrong = manifest.clone();
        wrong["files"][0]["role"] = "mesh".into();
        wrong["revision"] = (-1).into();
        assert_eq!(json_schema::faults(&schema, &wrong).len(), 2);
    }
    let verified = in_folder(dir.path(), &["verify", "--config", ".hot.state/casedrop.yaml"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(verified.stdout.starts_with("6 orders, "), "{verified:?}");
}

#[test]
fn the_demo_serves_export_archives_of_a_folder() {
    let dir = tempfile::tempdir().expect("tempdir");
    let packages = dir.path().join("exports");
    std::fs::create_dir(&packages).expect("made");
    package(&packages, 21_000_001, PackageKind::OrthoShell);
    package(&packages, 21_000_002, PackageKind::Restorative);
    let args = ["demo", "--once", "--packages", "exports", "--output", "hot"];
    let ended = in_folder(dir.path(), &args);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let orders = tree::orders(&dir.path().join("hot"));
    assert_eq!(orders.len(), 2);
    assert!(orders[0].ends_with("21000001") && orders[1].ends_with("21000002"));
    for dir in &orders {
        tree::check_order(dir).expect("whole");
    }
}

#[test]
fn the_simulator_prints_a_config_that_works_as_it_is() {
    let dir = tempfile::tempdir().expect("tempdir");
    let packages = dir.path().join("exports");
    std::fs::create_dir(&packages).expect("made");
    package(&packages, 21_000_003, PackageKind::OrthoLowProfile);
    let mut simulator = Command::new(program())
        .args(["simulate", "--listen", "127.0.0.1:0", "--packages", "exports"])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut config = String::new();
    let mut lines = BufReader::new(simulator.stdout.take().expect("piped"));
    // The section about polling is the last one.
    while !config.contains("polling:") {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).expect("readable") > 0, "it ended early: {config}");
        config.push_str(&line);
    }
    std::fs::write(dir.path().join("casedrop.yaml"), &config).expect("written");
    let name = config
        .lines()
        .find_map(|line| line.trim().strip_prefix("- name: "))
        .expect("a lab")
        .trim_matches('"')
        .to_owned();
    // The printed port may be in use on this PC.
    let here = format!("http://127.0.0.1:{}/callback", super::logins::free_port());
    let mut login = Command::new(program())
        .args(["login", &name, "--no-browser"])
        .env("CASEDROP_LABS__0__REDIRECT_URL", &here)
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut url = String::new();
    BufReader::new(login.stdout.take().expect("piped")).read_line(&mut url).expect("a line");
    let back = follow(url.trim());
    // The redirect URL points to this PC, where the login itself listens.
    assert!(back.starts_with(&here), "{back}");
    get(&back);
    let mut text = String::new();
    login.stderr.take().expect("piped").read_to_string(&mut text).expect("readable");
    assert_eq!(login.wait().expect("ended").code(), Some(0), "{text}");
    assert_eq!(in_folder(dir.path(), &["pair", &name]).code, Some(0));
    let synced = in_folder(dir.path(), &["sync"]);
    assert_eq!(synced.code, Some(0), "{synced:?}");
    let orders = tree::orders(&dir.path().join("casedrop-orders"));
    assert_eq!(orders.len(), 1, "{synced:?}");
    tree::check_order(&orders[0]).expect("whole");
    simulator.kill().expect("stopped");
    simulator.wait().expect("ended");
}

fn get(url: &str) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let browser = reqwest::Client::builder().no_proxy().tls_certs_only([]).build();
        let answer = browser.expect("client").get(url).send().await.expect("it listens");
        assert!(answer.status().is_success(), "{}", answer.status());
    });
}

#[test]
fn verify_passes_and_then_names_the_file_in_which_one_byte_changed() {
    let world = World::new();
    let id = publish(&world, CaseKind::OrthoShell);
    world.good(&["verify"]);
    let file = world.dir_of(&id).join(format!("{id}_shell_occlusion_u.stl"));
    let mut bytes = std::fs::read(&file).expect("readable");
    bytes[500] ^= 1;
    std::fs::write(&file, bytes).expect("written");
    let ended = world.casedrop(&["verify"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains(&format!("{id}_shell_occlusion_u.stl")), "{}", ended.stdout);
    std::fs::write(world.dir_of(&id).join("extra.txt"), "x").expect("written");
    let json = world.casedrop(&["verify", "--json"]);
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(json["differences"].as_array().map(Vec::len), Some(2), "{json}");
}

#[test]
fn a_refetched_order_that_was_moved_away_comes_back_and_says_why() {
    let world = World::new();
    let id = publish(&world, CaseKind::OrthoShell);
    let taken = world.dir().join("taken");
    std::fs::rename(world.dir_of(&id), &taken).expect("moved");
    world.good(&["sync"]);
    assert!(!world.dir_of(&id).exists(), "what was consumed stays away");
    let rx = world.align().state().order(&id).expect("known").rx_id.clone();
    world.good(&["refetch", &rx]);
    let manifest = pass_until(&world, &id, 2);
    assert_eq!(manifest.reason, Reason::Refetch);
    assert_eq!(world.order(&id)["revision"], 2);
}

#[test]
fn a_running_agent_takes_up_a_refetch() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_revision(&id, 1);
    world.wait_for_state(&id, "published");
    std::fs::rename(world.dir_of(&id), world.dir().join("taken")).expect("moved");
    world.good(&["refetch", &id]);
    world.wait_for_revision(&id, 2);
    agent.kill();
}

#[test]
fn an_edited_order_is_left_alone_and_the_next_revision_goes_beside_it() {
    let world = World::new();
    let id = publish(&world, CaseKind::OrthoShell);
    let note = world.dir_of(&id).join("note of the technician.txt");
    std::fs::write(&note, "mine").expect("written");
    world.align().flow(&id, "send-to-modeling").expect("sent");
    world.align().flow(&id, "modeling-completed").expect("back");
    let beside = world.output().join(LAB).join(ACCOUNT).join(format!("{id}-r2"));
    wait_for("the revision beside it", || {
        world.good(&["sync"]);
        tree::check_order(&beside).ok()
    });
    assert_eq!(std::fs::read_to_string(&note).expect("there"), "mine");
    assert_eq!(tree::manifest(&world.dir_of(&id)).expect("there").revision, 1);
    let story = world.order(&id);
    assert!(story["path"].as_str().expect("a path").ends_with(&format!("{id}-r2")), "{story}");
}

#[test]
fn a_changed_byte_is_somebodys_work_too() {
    let world = World::new();
    let id = publish(&world, CaseKind::Restorative);
    let file = world.dir_of(&id).join(format!("upper_jaw_without_ditch_#{id}.stl"));
    let mut bytes = std::fs::read(&file).expect("readable");
    let written = std::fs::metadata(&file).expect("there").modified().expect("a time");
    bytes[500] ^= 1;
    std::fs::write(&file, &bytes).expect("edited");
    // As careful as a tool can be: same size, same modification time.
    let edited = std::fs::File::options().write(true).open(&file).expect("open");
    edited.set_modified(written).expect("set");
    drop(edited);
    rescan(&world, &id);
    // Such an order does not block another.
    let other = publish(&world, CaseKind::OrthoShell);
    let beside = world.output().join(LAB).join(ACCOUNT).join(format!("{id}-r2"));
    wait_for("the revision beside it", || {
        world.good(&["sync"]);
        tree::check_order(&beside).ok()
    });
    assert_eq!(std::fs::read(&file).expect("there"), bytes);
    world.published(&other);
    let verified = world.casedrop(&["verify"]);
    assert_eq!(verified.code, Some(1), "{verified:?}");
    assert!(verified.stdout.contains("1 difference") && verified.stdout.contains("upper_jaw"));
    // The next revision goes next to it again, and never over it.
    rescan(&world, &id);
    let next = world.output().join(LAB).join(ACCOUNT).join(format!("{id}-r3"));
    wait_for("the next revision beside it", || {
        world.good(&["sync"]);
        tree::check_order(&next).ok()
    });
    assert_eq!(std::fs::read(&file).expect("there"), bytes);
    tree::check_order(&beside).expect("whole");
}

#[test]
fn a_tree_that_outlived_its_journal_is_adopted_without_a_second_write() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    pass_until(&world, &id, 1);
    let before = std::fs::metadata(world.dir_of(&id).join("manifest.json")).expect("there");
    for file in tree::files(&world.state()) {
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("journal")) {
            std::fs::remove_file(file).expect("removed");
        }
    }
    // The time of the last poll was in the lost journal.
    world.align().forget_polls();
    world.align().flow(&id, "first-scan").expect("listed again");
    wait_for("the order to be known again", || {
        world.good(&["sync"]);
        (world.casedrop(&["show", &id]).code == Some(0)).then_some(())
    });
    let after = std::fs::metadata(world.dir_of(&id).join("manifest.json")).expect("there");
    assert_eq!(before.modified().expect("a time"), after.modified().expect("a time"));
    assert_eq!(world.order(&id)["state"], "published");
    assert_eq!(tree::orders(&world.output()).len(), 1);
}

#[test]
fn plain_names_and_the_xml_match() {
    for (names, vendor) in [("plain", false), ("both", true)] {
        let world = World::with_config(&format!("names: {names}\n"));
        let id = publish(&world, CaseKind::Restorative);
        let manifest = world.published(&id);
        let paths: Vec<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
        for plain in ["scan-upper.stl", "scan-lower.stl", "rx.pdf", "rx.html"] {
            assert!(paths.contains(&plain), "{names}: {paths:?}");
        }
        assert_eq!(paths.iter().any(|path| path.starts_with("upper_jaw_without")), vendor);
        for file in manifest.files.iter().filter(|file| file.role == Role::Metadata) {
            let xml = std::fs::read_to_string(world.dir_of(&id).join(&file.path)).expect("text");
            for part in xml.split("FileName=\"").skip(1) {
                let name = part.split('"').next().expect("quoted");
                let there = paths.iter().any(|path| path.rsplit('/').next() == Some(name));
                let by_separate_call = name.starts_with("gallery");
                assert!(there || by_separate_call, "{names}: {name} of {} is missing", file.path);
            }
        }
    }
}

#[test]
fn orders_are_listed_and_filtered_and_their_stories_told() {
    let world = World::new();
    let bad = world.align().create_order(&order(CaseKind::OrthoBase)).expect("created");
    let hostile = FaultKind::Hostile { which: "traversal".to_owned() };
    world.align().inject(FaultRule::on("downloadAsset", hostile).order(&bad).asset("IDE"));
    let good = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let ended = world.casedrop(&["sync"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    // A later pass that does not retry the order still reports it.
    let ended = world.casedrop(&["sync"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains(&format!("{bad} is failing: ")), "{ended:?}");
    let listed = |args: &[&str]| -> Vec<String> {
        let json = world.json(args);
        let id = |order: &Value| order["order_id"].as_str().expect("an id").to_owned();
        json.as_array().expect("a list").iter().map(id).collect()
    };
    assert_eq!(listed(&["orders"]).len(), 2);
    assert_eq!(listed(&["orders", "--state", "attention"]), [bad.as_str()]);
    assert_eq!(listed(&["orders", "--state", "published"]), [good.as_str()]);
    assert_eq!(listed(&["orders", "--lab", "SMILE-lab"]).len(), 2);
    for more in [&["orders", "--lab", "smiel-lab"][..], &["orders", "--reconcile", "--lab", "x"]] {
        let ended = world.casedrop(more);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("unknown lab"), "{ended:?}");
    }
    let story = world.order(&bad);
    assert_eq!(story["trouble"]["code"], "zip-traversal", "{story}");
    let text = world.good(&["show", &bad]).stdout;
    assert!(text.contains(&format!("none; to try again: `casedrop refetch {bad}`")), "{text}");
    assert!(world.good(&["orders"]).stdout.contains(&good));
    // The sender has fixed it; a user retries.
    world.align().clear_faults();
    world.good(&["refetch", &bad]);
    pass_until(&world, &bad, 1);
}

#[test]
fn a_good_config_is_called_valid_and_the_schema_describes_it() {
    let world = World::new();
    let checked = world.json(&["check"]);
    assert_eq!(checked["faults"], serde_json::json!([]), "{checked}");
    let schema = world.json(&["schema", "config"]);
    let yaml = world.yaml();
    let config: Value = serde_yaml::from_str(&yaml).expect("YAML");
    assert_eq!(json_schema::faults(&schema, &config), [] as [String; 0], "{yaml}");
    let wrong: Value = serde_yaml::from_str(&yaml.replace("labs:", "lab:")).expect("YAML");
    assert!(!json_schema::faults(&schema, &wrong).is_empty());
}

#[test]
fn accounts_are_listed_pairing_can_be_repeated_and_a_logout_ends_it() {
    let world = World::new();
    assert!(world.good(&["accounts", LAB]).stdout.contains(ACCOUNT));
    world.good(&["pair", LAB]);
    world.good(&["pair", LAB, ACCOUNT]);
    world.good(&["sync"]);
    world.good(&["logout", LAB]);
    assert_eq!(world.casedrop(&["sync"]).code, Some(4));
}
