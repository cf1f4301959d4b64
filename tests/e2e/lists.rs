//! Lists and stories on the command line: filters, times, results for programs, and errors.

use std::process::{Command, Stdio};

use casedrop::model::time::WallMs;
use casedrop::simulator::{CaseKind, FaultKind, FaultRule};
use serde_json::Value;

use super::json_schema;
use super::world::{Ended, LAB, World, ended, order, program, started, wait_for};

/// A zone whose times are those of no other one in use here: 5:45 h ahead of UTC.
const ZONE: &str = "<+0545>-05:45";
const AHEAD_MS: i64 = 345 * 60_000;

fn in_zone(world: &World, args: &[&str]) -> Ended {
    let mut command = world.command(args);
    command.env("TZ", ZONE);
    ended(started(|| command.output()))
}

/// A published order, and one whose files cannot be published.
fn two_orders(world: &World) -> (String, String) {
    let bad = world.align().create_order(&order(CaseKind::OrthoBase)).expect("created");
    let hostile = FaultKind::Hostile { which: "traversal".to_owned() };
    world.align().inject(FaultRule::on("downloadAsset", hostile).order(&bad).asset("IDE"));
    let good = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    wait_for("both orders", || {
        world.casedrop(&["sync"]);
        let is = |id: &str, state: &str| world.order_or_null(id)["state"] == state;
        (is(&good, "published") && is(&bad, "attention")).then_some(())
    });
    (good, bad)
}

fn ids(world: &World, args: &[&str]) -> Vec<String> {
    let json = world.json(args);
    let id = |order: &Value| order["order_id"].as_str().expect("an id").to_owned();
    json.as_array().expect("a list").iter().map(id).collect()
}

#[test]
fn orders_are_found_by_words_age_sort_and_number() {
    let world = World::new();
    let empty = world.good(&["orders", "--state", "attention"]);
    assert!(empty.stderr.contains("no orders yet"), "{empty:?}");
    let (good, bad) = two_orders(&world);
    assert_eq!(ids(&world, &["orders", "--search", &good]), [good.as_str()]);
    assert_eq!(ids(&world, &["orders", "--search", &format!("#{good} {LAB}")]), [good.as_str()]);
    let mut sorted = [good.clone(), bad.clone()];
    sorted.sort();
    assert_eq!(ids(&world, &["orders", "--sort", "lowest"]), sorted);
    assert_eq!(ids(&world, &["orders", "--sort", "highest", "--limit", "1"]), [sorted[1].clone()]);
    assert_eq!(ids(&world, &["orders", "--since", "1h"]).len(), 2);
    assert_eq!(ids(&world, &["orders", "--since", "2999-01-01"]), Vec::<String>::new());

    let cut = world.good(&["orders", "--limit", "1"]);
    assert_eq!(cut.stdout.lines().next().map(|line| line.starts_with("ORDER ")), Some(true));
    assert!(cut.stderr.contains("1 of 2 orders"), "{cut:?}");
    let none = world.good(&["orders", "--state", "away"]);
    assert!(none.stderr.contains("no order is in the state at the doctor"), "{none:?}");
    let none = world.good(&["orders", "--search", "nowhere"]);
    assert!(none.stderr.contains("no order matches (2 orders in total)"), "{none:?}");
    let code = world.order(&good)["order_code"].as_str().expect("a code").to_owned();
    let kind = world.order(&good)["case_type"].as_str().expect("a case type").to_owned();
    let all = world.good(&["orders"]).stdout;
    assert!(all.contains(&code) && all.contains(&kind), "{all}");
    for wrong in [["--since", "soon"], ["--sort", "size"], ["--limit", "0"]] {
        let ended = world.casedrop(&["orders", wrong[0], wrong[1]]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
    }
}

#[test]
fn the_story_comes_before_the_files_and_each_command_can_be_about_one_lab() {
    let world = World::new();
    let (good, bad) = two_orders(&world);
    let short = world.good(&["show", &good, "--lab", "Smile-Lab"]).stdout;
    let (story, files) = (short.find("story:"), short.find("  files "));
    assert!(story.expect("a story") < files.expect("a summary"), "{short}");
    assert!(!short.contains(".stl"), "{short}");
    let long = world.good(&["show", &good, "--files"]).stdout;
    assert!(long.contains(".stl") && long.find("story:") < long.find(".stl"), "{long}");
    world.good(&["verify", "--lab", LAB]);
    for args in [["show", &good], ["verify", &good]] {
        let ended = world.casedrop(&[args[0], args[1], "--lab", "nolab"]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("unknown lab"), "{ended:?}");
    }
    let unknown = world.casedrop(&["verify", "1"]);
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.stderr.contains("Casedrop has never seen order 1\n"), "{unknown:?}");

    world.good(&["refetch", &bad]);
    let of = |args: &[&str]| {
        let records = world.json(args);
        let what = |record: &Value| record["what"].as_str().expect("a word").to_owned();
        records.as_array().expect("records").iter().map(what).collect::<Vec<_>>()
    };
    assert_eq!(of(&["audit", "--order", &bad]), ["refetch"]);
    assert!(of(&["audit", "--lab", LAB]).contains(&"pair".to_owned()));
    assert_eq!(of(&["audit", "--lab", "other"]), Vec::<String>::new());
    assert_eq!(of(&["audit", "--who", "nobody-of-that-name"]), Vec::<String>::new());
    assert_eq!(of(&["audit", "--since", "2999-01-01"]), Vec::<String>::new());
    assert_eq!(of(&["audit", "--since", "1h"]), of(&["audit"]));
}

#[test]
fn people_read_local_times_and_programs_utc() {
    let world = World::new();
    let (good, bad) = two_orders(&world);
    in_zone(&world, &["pause"]);
    let story = world.order(&good);
    let at = WallMs::from_rfc3339(story["published_at"].as_str().expect("a time")).expect("UTC");
    let here = WallMs(at.0 + AHEAD_MS).to_rfc3339()[..16].replace('T', " ");
    for args in [&["show", &good][..], &["orders"]] {
        let text = in_zone(&world, args).stdout;
        assert!(text.contains(&here), "{here} in\n{text}");
    }
    let commands: [&[&str]; 9] = [
        &["orders"],
        &["orders", "--reconcile"],
        &["show", &good],
        &["show", &bad],
        &["status"],
        &["audit"],
        &["poll"],
        &["pause"],
        &["resume"],
    ];
    for args in commands {
        let Ended { stdout, stderr, .. } = in_zone(&world, args);
        for text in [&stdout, &stderr] {
            let utc = utc_times(text);
            assert!(utc.is_empty(), "{args:?}: {utc:?} in\n{text}");
        }
    }
    for args in [&["orders"][..], &["show", &good], &["status"], &["audit"]] {
        let mut args = args.to_vec();
        args.push("--json");
        let text = in_zone(&world, &args).stdout;
        assert!(!utc_times(&text).is_empty(), "{args:?}: {text}");
        assert!(!text.contains("+05:45\""), "{args:?}: {text}");
    }
}

/// The times in UTC as programs read them.
fn utc_times(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| c.is_whitespace() || "\",;()".contains(c));
    words.filter(|word| word.len() == 20 && WallMs::from_rfc3339(word).is_some()).collect()
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let world = World::new();
    let (good, _) = two_orders(&world);
    let commands: [&[&str]; 10] = [
        &["orders"],
        &["orders", "--json"],
        &["show", &good],
        &["status"],
        &["audit"],
        &["verify"],
        &["check"],
        &["schema", "config"],
        &["completions", "bash"],
        &["--help"],
    ];
    for args in commands {
        let usual = world.casedrop(args);
        let mut child =
            started(|| world.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn());
        drop(child.stdout.take());
        let left = ended(child.wait_with_output().expect("ended"));
        assert_eq!(left.code, usual.code, "{args:?}: {left:?}");
        assert_eq!(left.stderr, usual.stderr, "{args:?}");
    }
}

/// The error of a command that must fail with this exit status, told on standard output alone.
fn error(ended: &Ended, exit: i32) -> Value {
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(exit), ""), "{ended:?}");
    let json: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    assert_eq!(json["error"]["exit"], exit, "{ended:?}");
    assert!(!json["error"]["message"].as_str().expect("a message").is_empty(), "{ended:?}");
    json
}

#[test]
fn a_failure_is_one_json_object_for_programs() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let cases: [(&[&str], i32, &str); 10] = [
        (&["show", "1"], 1, "unknown-order"),
        (&["verify", "1"], 1, "unknown-order"),
        (&["orders", "--lab", "nolab"], 2, "unknown-lab"),
        (&["accounts", "nolab"], 2, "unknown-lab"),
        (&["login", "nolab"], 2, "unknown-lab"),
        (&["return", &id, "--reason", "x"], 2, "refused"),
        (&["unpair", LAB, "4711"], 2, "refused"),
        (&["refetch", "no-number"], 2, "refused"),
        (&["audit", "--since", "soon"], 2, "usage"),
        (&["nonsense"], 2, "usage"),
    ];
    for (args, exit, code) in cases {
        let mut args = args.to_vec();
        args.push("--json");
        let json = error(&world.casedrop(&args), exit);
        assert_eq!(json["error"]["code"], code, "{args:?}: {json}");
    }
    let reply = error(&world.casedrop(&["unpair", LAB, "4711", "--json"]), 2);
    assert_eq!(reply["outcome"], "refused", "the reply is still there: {reply}");
    let mut without = Command::new(program());
    without.args(["orders", "--json", "--config", "nowhere.yaml"]);
    error(&ended(started(|| without.output())), 2);
}

#[test]
fn an_unreachable_align_is_told_in_one_sentence_and_in_full_to_those_who_ask() {
    let world = World::new();
    let config = world.config();
    let _dir = world.stop_align();
    let run = |more: &[&str]| {
        let mut command = Command::new(program());
        command.args(["accounts", LAB]).args(more).arg("--config").arg(&config);
        ended(started(|| command.output()))
    };
    let short = run(&[]);
    assert_eq!(short.code, Some(1), "{short:?}");
    assert!(short.stderr.starts_with("error: cannot "), "no log line comes first: {short:?}");
    assert!(short.stderr.contains("no connection to 127.0.0.1"), "{short:?}");
    assert!(short.stderr.contains("\nhint: "), "{short:?}");
    for library in ["os error", "error sending request", "client error", "WARN"] {
        assert!(!short.stderr.contains(library), "{library}: {short:?}");
    }
    let full = run(&["--verbose"]);
    assert!(full.stderr.contains("cause: ") && full.stderr.contains("os error"), "{full:?}");
    let json = error(&run(&["--json"]), 1);
    assert!(json["error"]["cause"].as_str().is_some_and(|cause| cause.contains("os error")));
}

#[test]
fn the_status_is_as_its_schema_says() {
    let world = World::new();
    let mut schema = world.json(&["schema", "status"]);
    let status = |world: &World| -> Value {
        let ended = world.casedrop(&["status", "--json"]);
        serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
    };
    close(&mut schema);
    let (_, bad) = two_orders(&world);
    world.good(&["refetch", &bad]);
    let idle = status(&world);
    assert_eq!(json_schema::faults(&schema, &idle), [] as [String; 0], "{idle}");
    let agent = world.run();
    let running = wait_for("the agent's own status", || {
        let status = status(&world);
        status["agent"]["since"].is_string().then_some(status)
    });
    agent.kill();
    assert_eq!(json_schema::faults(&schema, &running), [] as [String; 0], "{running}");
    world.good(&["pause"]);
    let paused = status(&world);
    assert!(paused["labs"][0]["paused"]["since"].is_string(), "{paused}");
    assert_eq!(json_schema::faults(&schema, &paused), [] as [String; 0], "{paused}");
    let mut wrong = paused;
    wrong["labs"][0]["state"] = "asleep".into();
    wrong["surprise"] = true.into();
    assert_eq!(json_schema::faults(&schema, &wrong).len(), 2);
}

/// Makes a schema refuse keys that it does not describe.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(words) => {
            if words.contains_key("properties") && !words.contains_key("additionalProperties") {
                words.insert("additionalProperties".to_owned(), false.into());
            }
            words.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
