//! A vendor's file, or a command file, that is named after a patient: the name appears in the
//! file's path and in the manifest next to it, and nowhere else.

use std::path::Path;

use casedrop::simulator::package::PATIENT_MARKER;
use casedrop::simulator::{CaseKind, FaultKind, FaultRule};

use super::command_folder::Commands;
use super::page::Browser;
use super::support::bundle;
use super::tree;
use super::world::{ACCOUNT, Ended, LAB, World, order};

const CONFIG: &str = "log: { level: trace, dir: logs }\ncommands: commands\n\
                      status_page: { listen: '127.0.0.1:0' }\n\
                      history: { keep: 30d }\nretention: { keep: 90d, min_free: 1MB }\n";

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(PATIENT_MARKER.len()).any(|window| window == PATIENT_MARKER.as_bytes())
}

/// The orders' own folders, and what users put into the command folder.
fn may_hold_names(world: &World, path: &Path) -> bool {
    let folders = [
        world.output(),
        world.staging().join("history"),
        world.staging().join("work"),
        world.dir().join("commands"),
    ];
    folders.iter().any(|folder| path.starts_with(folder))
}

fn serve(world: &World, id: &str, which: &str) {
    let rule = FaultRule::on("downloadAsset", FaultKind::Hostile { which: which.to_owned() });
    world.align().inject(rule.asset("IDE").order(id));
}

fn published_files(world: &World, id: &str) -> Vec<String> {
    world.published(id).files.into_iter().map(|file| file.path.as_str().to_owned()).collect()
}

#[test]
fn names_in_names_of_files_are_kept_and_told_nowhere_else() {
    let world = World::with_config(CONFIG);
    let commands = Commands::of(&world);
    let mut told: Vec<(String, String)> = Vec::new();
    let create = |which: &str| {
        let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
        serve(&world, &id, which);
        id
    };
    let sound = create("all-named-after-patient");
    let changed = create("all-named-after-patient");
    let broken = create("named-after-patient");
    let mut tell = |name: &str, ended: Ended| told.push((name.to_owned(), format!("{ended:?}")));
    tell("sync", world.casedrop(&["sync"]));
    let names = published_files(&world, &sound);
    let named = names.iter().filter(|name| name.contains(PATIENT_MARKER)).count();
    assert!(named >= 3, "the vendor's names are where the files are: {names:?}");
    assert!(holds(&std::fs::read(world.dir_of(&sound).join("manifest.json")).expect("read")));

    // What the agent remembers of the names is enough to recognize them.
    assert_eq!(world.good(&["verify"]).code, Some(0));
    tell("refetch", world.casedrop(&["refetch", &sound]));
    tell("sync after it", world.casedrop(&["sync"]));
    assert_eq!(world.order(&sound)["revision"], 1, "the same bytes cause no second write");

    // Someone takes one file, changes another and adds a third.
    let dir = world.dir_of(&changed);
    let files: Vec<_> = published_files(&world, &changed)
        .into_iter()
        .filter(|name| Path::new(name).extension().is_some_and(|it| it == "stl"))
        .collect();
    std::fs::remove_file(dir.join(&files[0])).expect("taken");
    std::fs::write(dir.join(&files[1]), "changed").expect("changed");
    std::fs::write(dir.join(format!("{PATIENT_MARKER} design.dcm")), "").expect("added");
    let verified = world.casedrop(&["verify", "--json"]);
    assert!(verified.stdout.matches("has 7 bytes").count() == 1, "{verified:?}");
    tell("verify --json", verified);
    tell("refetch of a changed one", world.casedrop(&["refetch", &changed]));
    for args in [
        &["sync"][..],
        &["verify"],
        &["verify", &changed],
        &["orders"],
        &["orders", "--json"],
        &["orders", "--reconcile"],
        &["orders", "--reconcile", "--json"],
        &["show", &sound],
        &["show", &sound, "--json"],
        &["show", &changed, "--json"],
        &["show", &broken, "--json"],
        &["status", "--json"],
        &["audit", "--json"],
    ] {
        tell(&args.join(" "), world.casedrop(args));
    }
    assert_eq!(world.order(&changed)["revision"], 2, "beside what somebody changed");

    let agent = world.run();
    commands.put(&format!("pause {PATIENT_MARKER}.txt"), "");
    commands.wait_for(&format!("failed/pause {PATIENT_MARKER}.txt"));
    commands.put(&format!("verify {PATIENT_MARKER}.txt"), "");
    commands.wait_for(&format!("done/verify {PATIENT_MARKER}.txt"));
    let mut browser = Browser::of(&world);
    let page = |id: &str| format!("/orders/{}/{ACCOUNT}/{id}", LAB.replace('-', "%2D"));
    let pages = [page(&sound), page(&changed), page(&broken)];
    let others = ["/", "/orders", "/commands", "/audit", "/log?level=5", "/settings", "/metrics"];
    for path in pages.iter().map(String::as_str).chain(others) {
        let (code, html) = browser.get(path);
        assert_eq!(code, 200, "{path}");
        // A file shown under a stand-in for its name can be fetched by that.
        if let Some(link) = html.split("href=\"").find(|link| link.contains("/files/")) {
            let (code, _) = browser.get(link.split('"').next().unwrap_or_default());
            assert_eq!(code, 200, "{link}");
        }
        told.push((path.to_owned(), html));
    }
    let collected = bundle(&world, "names.zip");
    for (name, text) in collected.members {
        told.push((format!("{name} of the bundle"), text));
    }
    told.push(("the agent's log".to_owned(), agent.kill()));

    // Old enough to be removed: our files are recognized by their stand-ins.
    world.let_days_pass(91);
    told.push(("sync at last".to_owned(), format!("{:?}", world.casedrop(&["sync"]))));
    assert!(!world.dir_of(&sound).exists(), "unchanged and old");
    assert!(dir.join(&files[1]).exists(), "somebody's work stays");

    for (name, text) in &told {
        let line = text.lines().find(|line| line.contains(PATIENT_MARKER));
        assert_eq!(line, None, "in what {name} says");
    }
    let mut seen = Vec::new();
    for path in tree::files(world.dir()) {
        if !may_hold_names(&world, &path) {
            assert!(!holds(&std::fs::read(&path).expect("readable")), "{}", path.display());
            assert!(!holds(path.as_os_str().as_encoded_bytes()), "{}", path.display());
            seen.push(path);
        }
    }
    for name in ["journal.sqlite", "audit.jsonl"] {
        assert!(seen.iter().any(|path| path.ends_with(name)), "{name} is not among {seen:?}");
    }
    assert!(seen.iter().any(|path| path.extension().is_some_and(|it| it == "log")), "{seen:?}");
}
