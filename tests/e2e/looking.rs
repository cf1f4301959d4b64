//! Commands that show people where things are: the page, an order's folder, the log, what the build
//! is, and whether notifications arrive.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use casedrop::simulator::CaseKind;

use super::listening::{SECRET, listening};
use super::world::{World, ended, order, program, started, wait_for};

#[test]
fn the_page_and_an_order_s_folder_are_found_by_one_command() {
    let world = World::with_config("status_page: { listen: '127.0.0.1:0' }\n");
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let none = world.casedrop(&["open", "--print"]);
    assert!(none.code == Some(1) && none.stderr.contains("not running"), "{none:?}");
    let agent = world.run();
    let url = wait_for("the page", || {
        let ended = world.casedrop(&["open", "--print"]);
        (ended.code == Some(0)).then(|| ended.stdout.trim().to_owned())
    });
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    world.wait_for_revision(&id, 1);
    world.wait_for_state(&id, "published");
    let path = world.good(&["open", &id, "--print"]).stdout;
    assert_eq!(path.trim(), world.dir_of(&id).to_string_lossy());
    // Without a desktop, whatever it is asked, it prints.
    let mut command = world.command(&["open", &id, "--json"]);
    let told =
        ended(started(|| command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output()));
    if cfg!(target_os = "linux") {
        assert!(told.stdout.contains("\"opened\": false"), "{told:?}");
    }
    agent.kill();

    let unknown = world.casedrop(&["open", "1"]);
    assert!(
        unknown.code == Some(1) && unknown.stderr.contains("never seen order 1"),
        "{unknown:?}"
    );
    std::fs::rename(world.dir_of(&id), world.dir().join("taken")).expect("moved");
    let gone = world.casedrop(&["open", &id]);
    assert!(gone.code == Some(1) && gone.stderr.contains("moved or deleted"), "{gone:?}");
}

#[test]
fn the_log_is_shown_by_level_and_order_and_followed() {
    let world = World::with_config("log: { dir: logs }\n");
    let early = world.casedrop(&["logs"]);
    assert!(early.code == Some(1) && early.stderr.contains("no log files"), "{early:?}");
    let first = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    let all = world.good(&["logs"]).stdout;
    assert!(all.contains(&first) && all.lines().count() > 2, "{all}");
    assert_eq!(world.good(&["logs", "-n", "2"]).stdout.lines().count(), 2);
    let about = world.good(&["logs", "--order", &first]).stdout;
    assert!(about.lines().all(|line| line.contains(&first)), "{about}");
    assert!(!about.is_empty());
    assert_eq!(world.good(&["logs", "--level", "error"]).stdout, "");
    let entries = world.good(&["logs", "--order", &first, "--json"]).stdout;
    for line in entries.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).expect("one object per line");
        assert!(entry["at"].is_string() && entry["level"].is_string(), "{entry}");
    }

    let mut following = world.command(&["logs", "--follow", "-n", "1"]);
    following.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut following = started(|| following.spawn());
    let mut lines = BufReader::new(following.stdout.take().expect("piped")).lines();
    lines.next().expect("the newest line").expect("readable");
    let second = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    let followed = lines.map_while(Result::ok).find(|line| line.contains(&second));
    following.kill().expect("ended");
    following.wait().expect("ended");
    assert!(followed.is_some());
}

#[test]
fn a_config_with_errors_does_not_hide_the_log() {
    let world = World::with_config("log: { dir: logs }\n");
    world.sync();
    let broken = format!("{}names: vendors\n", world.yaml());
    std::fs::write(world.config(), broken).expect("written");
    assert_eq!(world.casedrop(&["status"]).code, Some(2));
    assert!(!world.good(&["logs"]).stdout.is_empty());
}

#[test]
fn verbose_says_what_happens_and_never_a_secret() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let quiet = world.sync();
    assert!(!quiet.stderr.contains("DEBUG"), "{quiet:?}");
    let loud = wait_for("a pass that may poll", || {
        let ended = world.casedrop(&["sync", "-vv"]);
        (!ended.stderr.contains("not polled")).then_some(ended)
    });
    assert!(loud.stderr.contains("DEBUG") || loud.stderr.contains("TRACE"), "{loud:?}");
    let loud = world.good(&["accounts", "smile-lab", "-vvv"]);
    for secret in ["s3cret-of-client", "Bearer", "refresh_token="] {
        assert!(!loud.stderr.contains(secret), "{secret}: {loud:?}");
    }
    world.published(&id);
}

#[test]
fn the_version_is_the_number_alone_as_updates_ask_for_it_and_the_target_with_verbose() {
    let world = World::unpaired(super::world::one_lab(), "");
    let short = world.good(&["--version"]).stdout;
    assert_eq!(world.good(&["-V"]).stdout, short);
    let long = world.good(&["-vV"]).stdout;
    assert_eq!(world.good(&["--version", "--verbose"]).stdout, long);
    assert_eq!(short.trim(), format!("casedrop {}", env!("CARGO_PKG_VERSION")));
    let build = long.trim().strip_prefix(short.trim()).expect("the same number");
    assert!(build.starts_with(" (") && build.contains('-') && build.ends_with(')'), "{long}");
    // Only packaging names a commit.
    assert_eq!(build.contains("commit "), option_env!("SOURCE_COMMIT").is_some(), "{long}");
}

#[test]
fn setup_writes_where_the_environment_says() {
    let dir = tempfile::tempdir().expect("tempdir");
    let there = dir.path().join("there/casedrop.yaml");
    let setup = |env: Option<&std::path::Path>| {
        let mut command = Command::new(program());
        command.arg("setup").current_dir(dir.path()).stdin(Stdio::null());
        match env {
            Some(path) => command.env("CASEDROP_CONFIG", path),
            None => command.env_remove("CASEDROP_CONFIG"),
        };
        ended(started(|| command.output()))
    };
    let told = setup(Some(&there));
    assert!(told.code == Some(0) && told.stdout.contains("wrote the config"), "{told:?}");
    assert!(there.is_file());
    // One that is here is kept, not the platform's written.
    std::fs::write(dir.path().join("casedrop.yaml"), "output: mine\n").expect("written");
    let told = setup(None);
    assert!(told.code == Some(0) && told.stdout.contains("kept the config"), "{told:?}");
}

#[test]
fn names_of_others_files_are_shown_to_who_asks_for_them_and_are_stored_nowhere() {
    const THEIRS: &str = "Zzyzx-Obsidian note.txt";
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    std::fs::write(world.dir_of(&id).join(THEIRS), "mine").expect("written");
    let told = world.casedrop(&["verify", &id]);
    assert!(told.code == Some(1) && !told.stdout.contains("Zzyzx"), "{told:?}");
    assert!(told.stderr.contains("--names"), "{told:?}");
    let told = world.casedrop(&["verify", &id, "--names"]);
    assert!(told.code == Some(1) && told.stdout.contains(THEIRS), "{told:?}");
    assert!(!world.good(&["show", &id]).stdout.contains("Zzyzx"));
}

#[test]
fn a_test_of_notifications_says_what_the_public_url_answers() {
    let listening = listening("1h", "");
    let world = &listening.world;
    let url = world.good(&["notifications", "url"]).stdout;
    assert_eq!(url.trim(), format!("http://{}/itero/{SECRET}", listening.address));
    let test = || world.casedrop(&["notifications", "test"]);
    let away = test();
    assert_eq!(away.code, Some(1), "{away:?}");
    assert!(away.stdout.contains("cannot reach 127.0.0.1"), "{away:?}");
    assert!(away.stderr.contains("not running"), "{away:?}");

    let agent = listening.run();
    let good = test();
    assert!(good.code == Some(0) && good.stdout.contains("reach Casedrop"), "{good:?}");
    let told = world.json(&["notifications", "test"]);
    assert_eq!((&told["arrived"], &told["status"]), (&true.into(), &200.into()), "{told}");
    let counted = listening.journal().received().expect("read");
    assert_eq!((counted.received, counted.unreadable), (0, 0), "a test is no notification");
    let loud = world.casedrop(&["notifications", "test", "-vvv"]);
    for said in [&away, &good, &loud] {
        assert!(!format!("{said:?}").contains(SECRET), "{said:?}");
    }
    let log = agent.kill();
    assert!(!log.contains(SECRET), "{log}");
}

#[test]
fn a_server_that_is_not_casedrop_is_told_from_it() {
    // The public URL leads to the simulated Align instead.
    let listening = listening("1h", "");
    let world = &listening.world;
    let public = format!("http://{}/itero", world.simulator_address());
    let own = format!("http://127.0.0.1:{}/itero", listening.address.port());
    let text = std::fs::read_to_string(world.config()).expect("readable");
    std::fs::write(world.config(), text.replace(&own, &public)).expect("written");
    let told = world.casedrop(&["notifications", "test"]);
    assert!(told.code == Some(1) && told.stdout.contains("answered 404"), "{told:?}");
    assert!(!format!("{told:?}").contains(SECRET), "{told:?}");
}
