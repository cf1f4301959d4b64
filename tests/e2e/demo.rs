//! The demo, as a first-time user tries it.

use std::path::Path;
use std::process::{Command, Stdio};

use super::tree;
use super::world::{Ended, ended, program, started};

fn demo(dir: &Path, more: &[&str]) -> Ended {
    let mut command = Command::new(program());
    command.args(["demo", "--output", "hot", "--once"]).args(more);
    command.current_dir(dir).env_remove("CASEDROP_CONFIG").stdin(Stdio::null());
    ended(started(|| command.output()))
}

#[test]
fn whoever_deletes_the_hot_folder_starts_over_and_nothing_of_others_is_touched() {
    let dir = tempfile::tempdir().expect("tempdir");
    let neighbour = dir.path().join(".hot.casedrop-staging/theirs.txt");
    for seed in ["1", "1"] {
        let ended = demo(dir.path(), &["--orders", "1", "--seed", seed]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(tree::orders(&dir.path().join("hot")).len(), 1);
        std::fs::write(&neighbour, "theirs").expect("written");
        std::fs::remove_dir_all(dir.path().join("hot")).expect("deleted");
    }
    assert_eq!(std::fs::read_to_string(&neighbour).expect("still there"), "theirs");
    // A hot folder that is kept gets more orders.
    for (seed, orders) in [("3", 1), ("4", 2)] {
        let ended = demo(dir.path(), &["--orders", "1", "--seed", seed]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(tree::orders(&dir.path().join("hot")).len(), orders);
    }
}

#[test]
fn a_state_folder_of_others_is_refused() {
    let dir = tempfile::tempdir().expect("tempdir");
    let config = dir.path().join(".hot.state/casedrop.yaml");
    std::fs::create_dir(config.parent().expect("a folder")).expect("made");
    std::fs::write(&config, "output: mine\n").expect("written");
    let ended = demo(dir.path(), &[]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("--output"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(&config).expect("still there"), "output: mine\n");
}

#[test]
fn no_orders_are_all_published_at_once() {
    let dir = tempfile::tempdir().expect("tempdir");
    let ended = demo(dir.path(), &["--orders", "0"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("0 orders, "), "{ended:?}");
}

/// A Unix terminal has a shell; the lines for Windows are tested where they are built.
#[cfg(unix)]
#[test]
fn what_is_printed_can_be_pasted_into_a_shell_and_does_what_it_says() {
    use std::io::{BufRead as _, BufReader};

    use super::world::wait_for;

    let dir = tempfile::tempdir().expect("tempdir");
    // A path that needs quoting.
    let dir = dir.path().join("it's a demo");
    std::fs::create_dir(&dir).expect("made");
    let mut command = Command::new(program());
    command.args(["demo", "--output", "hot", "--orders", "1", "--seed", "5"]);
    command.current_dir(&dir).env_remove("CASEDROP_CONFIG").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut demo = started(|| command.spawn());
    let mut lines = BufReader::new(demo.stderr.take().expect("piped")).lines();
    let mut after = |marker: &str| loop {
        let line = lines.next().expect("another line").expect("readable");
        if line == marker {
            break lines.next().expect("a command").expect("readable").trim().to_owned();
        }
    };
    let (scan, list) = (after("one more scan:"), after("list the orders:"));
    // Drain the output, so that the demo never blocks on it.
    let rest = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
    let pasted = |line: &str| {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(line).current_dir("/").env_remove("CASEDROP_CONFIG");
        let ended = ended(started(|| shell.output()));
        assert_eq!(ended.code, Some(0), "{line}: {ended:?}");
        ended.stdout
    };
    let published = |wanted: usize| {
        wait_for("orders in the hot folder", || {
            (tree::orders(&dir.join("hot")).len() == wanted).then_some(())
        });
    };
    published(1);
    let answer: serde_json::Value = serde_json::from_str(&pasted(&scan)).expect("JSON");
    let id = answer["id"].as_str().expect("the new order").to_owned();
    published(2);
    let listed = pasted(&list);
    assert!(listed.contains(&id), "{listed}");
    // A second demo in the same place leaves the first one alone.
    let second = self::demo(&dir, &[]);
    assert_eq!(second.code, Some(5), "{second:?}");
    assert!(pasted(&list).contains(&id));

    let process = rustix::process::Pid::from_child(&demo);
    rustix::process::kill_process(process, rustix::process::Signal::INT).expect("Ctrl-C");
    let ended = demo.wait_with_output().expect("it ends");
    let rest = rest.join().expect("read");
    assert_eq!(ended.status.code(), Some(0), "{rest:?}");
    assert!(String::from_utf8_lossy(&ended.stdout).contains("2 orders, "), "the tree is shown");
}
