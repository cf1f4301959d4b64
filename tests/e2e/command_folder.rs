//! Files dropped into the command folder, and what becomes of them.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use casedrop::simulator::{AccountSpec, CaseKind};
use fastrand::Rng;
use serde_json::Value;

use super::world::{ACCOUNT, Agent, LAB, World, order, wait_for};

/// The config line for the folder of [`Commands`].
const COMMANDS: &str = "commands: commands\n";

pub struct Commands(PathBuf);

impl Commands {
    /// The folder may not exist yet.
    pub fn of(world: &World) -> Self {
        Self(world.dir().join("commands"))
    }

    /// Drops a file as a program does that writes it in place.
    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::create_dir_all(&self.0).expect("made");
        std::fs::write(self.0.join(name), content).expect("written");
    }

    /// Waits for the receipt next to a kept file. It is written last, so everything else is there
    /// too.
    pub fn wait_for(&self, kept: &str) -> Value {
        let path = self.0.join(format!("{kept}.receipt.json"));
        let bytes = wait_for(&format!("the receipt of {kept}"), || std::fs::read(&path).ok());
        assert!(self.0.join(kept).is_file(), "the file itself is kept");
        let words = std::fs::read_to_string(self.0.join(format!("{kept}.receipt.txt")));
        assert!(words.expect("in words").starts_with("Casedrop: "));
        serde_json::from_slice(&bytes).expect("JSON")
    }

    /// Lists a subfolder, hidden files included.
    pub fn names(&self, dir: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.0.join(dir)) else { return Vec::new() };
        let name = |entry: std::fs::DirEntry| entry.file_name().into_string().expect("Unicode");
        let mut names: Vec<_> = entries.map(|entry| name(entry.expect("entry"))).collect();
        names.sort();
        names
    }

    fn dir(&self) -> &Path {
        &self.0
    }

    /// The names of the files that have a receipt.
    fn receipts(&self) -> Vec<String> {
        let names = ["done", "failed"].map(|dir| self.names(dir)).concat();
        let answered = names.iter().filter_map(|name| name.strip_suffix(".receipt.json"));
        answered.map(str::to_owned).collect()
    }
}

fn status_of(world: &World, id: &str) -> String {
    world.align().state().order(id).expect("known").status.clone()
}

/// Users who drop files have no command line.
fn no_commands_in(receipt: &Value) {
    for part in ["message", "next"] {
        let text = receipt[part].as_str().unwrap_or_default();
        let names_one = |verb: &str| text.contains(&format!("casedrop {verb}"));
        let verbs = ["login", "pair", "resume", "show", "orders", "refetch", "run", "status"];
        assert!(!verbs.into_iter().any(names_one), "{receipt:#}");
    }
}

#[test]
fn a_lab_that_waits_for_its_login_makes_no_failure_of_what_is_asked_of_all() {
    let lab = |name: &str, account: &str| {
        let client = format!("client-{account}");
        (name.to_owned(), AccountSpec::new(account, "A Lab", &client, "s3cret-of-client"))
    };
    let world = World::unpaired(vec![lab("north", "11"), lab("south", "22")], COMMANDS);
    world.log_in_and_pair("south");
    let commands = Commands::of(&world);
    let agent = world.run();
    wait_for("what is in north's way to be known", || {
        let status: Value =
            serde_json::from_str(&world.casedrop(&["status", "--json"]).stdout).ok()?;
        (status["agent"]["since"].is_string() && status["labs"][1]["good_poll"].is_string())
            .then_some(())
    });
    for name in ["status.txt", "poll.txt"] {
        commands.put(name, "");
        let receipt = commands.wait_for(&format!("done/{name}"));
        assert_eq!(receipt["outcome"], "done", "{receipt:#}");
        let message = receipt["message"].as_str().expect("words");
        assert!(message.contains("north") && message.contains("south"), "{receipt:#}");
        no_commands_in(&receipt);
    }
    agent.kill();
}

#[test]
fn every_command_is_carried_out_and_answered() {
    let world = World::with_config(COMMANDS);
    let commands = Commands::of(&world);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_revision(&id, 1);
    wait_for("the explanation", || commands.dir().join("README.txt").is_file().then_some(()));

    // One after another: each builds on the previous one's result.
    let done = |name: &str, content: &str| {
        commands.put(name, content);
        let receipt = commands.wait_for(&format!("done/{name}"));
        assert_eq!(receipt["outcome"], "done", "{receipt:#}");
        no_commands_in(&receipt);
        assert_eq!((&receipt["schema"], &receipt["file"]), (&1.into(), &name.into()));
        receipt
    };
    let refused = |name: &str, content: &str| {
        commands.put(name, content);
        let receipt = commands.wait_for(&format!("failed/{name}"));
        assert_eq!(receipt["outcome"], "refused", "{receipt:#}");
        no_commands_in(&receipt);
        assert!(receipt["next"].as_str().is_some_and(|next| !next.is_empty()), "{receipt:#}");
        receipt
    };
    let paused = || world.json(&["status"])["labs"][0]["paused"].clone();

    let receipt = done(&format!("refetch {id}.txt"), "");
    assert!(receipt["message"].as_str().expect("words").contains(&id), "{receipt:#}");
    assert!(receipt["owner"].as_str().is_some_and(|owner| !owner.is_empty()), "{receipt:#}");
    wait_for("the order to be fetched again", || {
        (world.align().state().asset(&id, "IDE").started == 2).then_some(())
    });
    done("pause.txt", "");
    assert_ne!(paused(), Value::Null);
    done("resume", "");
    assert_eq!(paused(), Value::Null);
    done("poll.txt", "");
    done("status.txt", "");
    done("verify.txt", "");
    done("again.yaml", &format!("command: refetch\nlab: {LAB}\norders: [{id}]\n"));
    done("pair.json", &format!(r#"{{"command": "pair", "lab": "{LAB}", "account": {ACCOUNT}}}"#));

    refused("refech 17.txt", "");
    refused(&format!("return {id}.txt"), "");
    refused("unconfirmed.yaml", &format!("command: return\norder: {id}\nreason: margin\n"));
    refused("unpair-unconfirmed.yaml", &format!("command: unpair\naccount: {ACCOUNT}\n"));
    assert_ne!(status_of(&world, &id), "Scanning", "nothing happened");
    assert!(!world.align().state().accounts[0].paired_users.is_empty(), "nothing happened");

    let confirmed = format!("command: return\norder: {id}\nreason: margin\nconfirm: {id}\n");
    done("return.yaml", &confirmed);
    assert_eq!(status_of(&world, &id), "Scanning");
    done("unpair.yaml", &format!("command: unpair\naccount: {ACCOUNT}\nconfirm: {ACCOUNT}\n"));
    assert!(world.align().state().accounts[0].paired_users.is_empty());

    assert_eq!(commands.names(""), ["README.txt", "done", "failed", "working"]);
    assert_eq!(commands.names("working"), Vec::<String>::new());
    let log = agent.kill();
    assert!(!log.contains("margin"), "{log}");
}

#[test]
fn a_file_that_is_written_slowly_is_taken_when_it_is_whole() {
    let world = World::with_config(COMMANDS);
    let commands = Commands::of(&world);
    let first = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let last = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_revision(&first, 1);
    world.wait_for_revision(&last, 1);
    commands.put("slow.yaml", format!("command: refetch\norders:\n  - {first}\n"));
    let path = commands.dir().join("slow.yaml");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("opened");
    // At any of these moments the file is valid YAML.
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(200));
        file.write_all(b"# more follows\n").expect("written");
        assert!(path.exists(), "it is not taken while it grows");
    }
    writeln!(file, "  - {last}").expect("written");
    drop(file);
    let receipt = commands.wait_for("done/slow.yaml");
    assert_eq!(receipt["details"]["orders"].as_array().map(Vec::len), Some(2), "{receipt:#}");
    agent.kill();
}

#[test]
fn a_folder_that_nobody_watches_is_looked_at_all_the_same() {
    let world = World::with_config(COMMANDS);
    let commands = Commands::of(&world);
    let agent = world.run();
    wait_for("the folder", || commands.dir().join("README.txt").exists().then_some(()));
    commands.put("status.txt", "");
    commands.wait_for("done/status.txt");
    // The system still watches the folder that was moved away.
    std::fs::rename(commands.dir(), world.dir().join("elsewhere")).expect("moved");
    for dir in ["working", "done", "failed"] {
        std::fs::create_dir_all(commands.dir().join(dir)).expect("made");
    }
    commands.put("poll.txt", "");
    commands.wait_for("done/poll.txt");
    agent.kill();
}

/// Drops one of many files, most of which are wrong in some way.
fn drop_one(commands: &Commands, world: &World, ids: &[String], number: usize, rng: &mut Rng) {
    let some_order = rng.choice(ids).expect("some");
    let (name, content): (String, Vec<u8>) = match number % 12 {
        0 => (format!("pause ({number}).txt"), Vec::new()),
        1 => (format!("resume - Copy ({number}).txt"), b"\r\n".to_vec()),
        2 => (format!("refetch {some_order} ({number}).txt"), Vec::new()),
        3 => {
            let text =
                format!("{{command: refetch, lab: {LAB}, orders: [{some_order}, {some_order}]}}");
            (format!("{number}.json"), text.into_bytes())
        }
        4 => {
            (format!("{number}.yaml"), format!("comand: refetch\norder: {some_order}").into_bytes())
        }
        5 => {
            let bytes = (0..rng.usize(1..3000)).map(|_| rng.u8(..)).collect();
            (format!("{number}.stl"), bytes)
        }
        6 => (format!("{number}.txt"), vec![b'x'; rng.usize(70_000..300_000)]),
        7 => (format!("half {number}.yaml"), b"command: refetch\norders: [1754".to_vec()),
        8 => (format!("status ({number})"), b"\xFF\xFEp\0o\0l\0l\0".to_vec()),
        9 => (format!("verfy ({number}).txt"), Vec::new()),
        10 => {
            let order = &ids[number / 12 % ids.len()];
            let text =
                format!("command: return\norder: {order}\nreason: n{number}\nconfirm: {order}\n");
            (format!("{number}.yml"), text.into_bytes())
        }
        _ => (format!("again {number}.txt"), b"status".to_vec()),
    };
    if number % 12 == 11 && number % 24 == 11 {
        // Moved in complete, as careful programs do.
        let beside = world.dir().join(&name);
        std::fs::write(&beside, content).expect("written");
        std::fs::rename(beside, commands.dir().join(name)).expect("moved in");
        return;
    }
    commands.put(&name, content);
}

#[test]
fn five_hundred_files_of_any_kind_are_each_answered_once_whatever_kills_the_agent() {
    const FILES: usize = 500;
    const ROUNDS: usize = 5;
    let world = World::with_config(COMMANDS);
    let commands = Commands::of(&world);
    let new = || world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let ids: Vec<String> = (0..6).map(|_| new()).collect();
    let mut agent = world.run();
    for id in &ids {
        world.wait_for_revision(id, 1);
    }
    let mut rng = Rng::with_seed(4);
    let mut dropped = 0;
    for round in 1..=ROUNDS {
        // One file is locked by another program, and one is written slowly while the rest is
        // processed.
        let held_name = format!("pause held {round}.txt");
        commands.put(&held_name, "command: pause");
        let held = std::fs::OpenOptions::new().append(true).open(commands.dir().join(&held_name));
        let held = held.expect("opened");
        held.lock().expect("locked");
        let slow_name = format!("slow {round}.yaml");
        commands.put(&slow_name, "command: refetch\n");
        let mut slow = std::fs::OpenOptions::new()
            .append(true)
            .open(commands.dir().join(&slow_name))
            .expect("opened");
        dropped += 2;
        let twice = dropped;
        while dropped < FILES * round / ROUNDS {
            drop_one(&commands, &world, &ids, dropped, &mut rng);
            dropped += 1;
            if dropped % 10 == 0 {
                slow.write_all(b"# more follows\n").expect("written");
            }
        }
        assert!(dropped > twice);
        writeln!(slow, "order: {}", ids[0]).expect("written");
        drop(slow);
        // Kill the agent in the middle of the work.
        let enough = commands.receipts().len() + rng.usize(5..40);
        wait_in_patience("some answers", &mut agent, || commands.receipts().len() >= enough);
        assert!(commands.dir().join(&held_name).exists() || cfg!(windows), "it is held");
        drop(held);
        assert!(agent.is_running());
        let log = agent.kill();
        assert!(!log.contains("panicked"), "{log}");
        agent = world.run();
    }
    wait_in_patience("all answers", &mut agent, || commands.receipts().len() >= FILES);
    wait_in_patience("an empty folder", &mut agent, || {
        commands.names("working").is_empty() && commands.names("").len() == 4
    });
    assert!(agent.is_running());
    let log = agent.kill();
    assert!(!log.contains("panicked"), "{log}");

    let receipts = commands.receipts();
    assert_eq!(receipts.len(), FILES, "one each");
    assert_eq!(receipts.iter().collect::<BTreeSet<_>>().len(), FILES);
    for dir in ["done", "failed"] {
        let names = commands.names(dir);
        for name in names.iter().filter_map(|name| name.strip_suffix(".receipt.json")) {
            let receipt = commands.wait_for(&format!("{dir}/{name}"));
            let is_done = matches!(receipt["outcome"].as_str(), Some("done" | "differs"));
            assert_eq!(is_done, dir == "done", "{receipt:#}");
            let is_bad = [".stl", "half ", "verfy"].iter().any(|mark| name.contains(mark));
            assert!(!is_bad || receipt["outcome"] == "refused", "{receipt:#}");
        }
        assert_eq!(names.len() % 3, 0, "file and two receipts: {names:?}");
    }
    let returns = world.align().state().returns;
    let reasons: BTreeSet<_> = returns.iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons.len(), returns.len(), "none was sent twice: {returns:?}");
    assert!(!returns.is_empty());
    world.good(&["audit", "--verify"]);
}

/// Like `wait_for`, for what takes longer on a busy PC. The agent must keep running.
fn wait_in_patience(what: &str, agent: &mut Agent, mut is_there: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_there() {
        assert!(agent.is_running(), "the agent ended by itself");
        assert!(began.elapsed() < Duration::from_secs(400), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
