//! The audit records who did what, and tampering with it is noticed.

use casedrop::simulator::CaseKind;

use super::world::{World, order};

#[test]
fn a_changed_config_is_told_by_its_keys_and_without_its_values() {
    let world = World::new();
    world.good(&["sync"]);
    let changed = |world: &World| {
        let records = world.json(&["audit"]);
        let records = records.as_array().expect("records").clone();
        let all = records.into_iter().filter(|record| record["what"] == "config-changed");
        all.map(|record| record["details"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(changed(&world), [serde_json::json!({ "first": true })]);
    world.good(&["sync"]);
    assert_eq!(changed(&world).len(), 1, "nothing changed");
    let other = world.yaml().replace("s3cret-of-client", "n3w-s3cret");
    std::fs::write(world.config(), format!("when_missing: leave\n{other}")).expect("config");
    world.casedrop(&["sync"]);
    let keys = serde_json::json!({ "keys": ["labs[0].client_secret", "when_missing"] });
    assert_eq!(changed(&world)[1], keys);
    for file in super::tree::files(&world.state()) {
        if file.components().any(|part| part.as_os_str() == "secrets") {
            continue;
        }
        let bytes = std::fs::read(&file).expect("readable");
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("s3cret"), "{}", file.display());
    }
    let told = world.good(&["audit"]).stdout;
    assert!(told.contains("config-changed") && told.contains("labs[0].client_secret"), "{told}");
}

#[test]
fn whatever_breaks_the_chain_is_named_with_its_line() {
    let world = World::new();
    world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    for change in ["names: vendor", "names: plain", "names: both"] {
        std::fs::write(world.config(), format!("{}{change}\n", world.yaml())).expect("config");
        world.good(&["sync"]);
    }
    let ended = world.good(&["audit", "--verify"]);
    assert!(ended.stdout.contains("the chain is intact"), "{ended:?}");
    assert_eq!(world.json(&["audit", "--verify"])["whole"], true);
    assert_eq!(world.json(&["audit", "--last", "2"]).as_array().expect("records").len(), 2);

    let file = world.state().join("audit.jsonl");
    let whole = std::fs::read_to_string(&file).expect("readable");
    let lines: Vec<&str> = whole.lines().collect();
    let changed = 1 + lines.iter().position(|line| line.contains("names")).expect("a change");
    let cases = [
        (whole.replacen("names", "other", 1), format!("line {changed}: it was changed")),
        (format!("{}\n{}\n", lines[0], lines[2]), "line 2: record 2 before it is missing".into()),
        (format!("{}\n", lines[..lines.len() - 1].join("\n")), "the end was cut off".into()),
        (String::new(), "the end was cut off".into()),
    ];
    for (text, problem) in &cases {
        std::fs::write(&file, text).expect("written");
        let ended = world.casedrop(&["audit", "--verify"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stdout.contains(problem.as_str()), "{problem}: {ended:?}");
        assert_eq!(world.casedrop(&["audit", "--verify", "--json"]).code, Some(1));
    }
    std::fs::write(&file, whole).expect("written");
    world.good(&["audit", "--verify"]);
}

#[cfg(unix)]
#[test]
fn an_agent_tells_when_it_starts_and_ends_also_after_a_kill() {
    let world = World::new();
    let agent = world.run();
    world.wait_for_polls(1);
    agent.kill();
    let agent = world.run();
    world.wait_for_polls(1);
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log}");
    let audit: Vec<String> = world.audit().into_iter().map(|(what, _)| what).collect();
    let agent: Vec<&str> =
        audit.iter().map(String::as_str).filter(|what| what.starts_with("agent")).collect();
    assert_eq!(agent, ["agent-started", "agent-started", "agent-stopped"]);
    world.good(&["audit", "--verify"]);
}
