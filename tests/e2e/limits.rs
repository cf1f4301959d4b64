//! What happens when memory, disk space or permissions are lacking.

use std::process::Command;

use casedrop::simulator::{CaseKind, FaultKind, OrderSpec};

use super::faults::download;
use super::world::{ACCOUNT, Ended, LAB, World, ended, order, order_with_id, program, wait_for};

/// Peak memory of the process, in kB.
fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

#[test]
fn an_order_of_a_gigabyte_needs_no_more_than_64_mib_above_idle() {
    let world = World::new();
    let agent = world.run();
    wait_for("three polls", || (world.align().state().counters.polls > 3).then_some(()));
    let idle = peak_memory(agent.id());
    agent.kill();
    let spec = OrderSpec { mesh_bytes: Some(1 << 30), stored: true, ..order(CaseKind::OrthoShell) };
    let id = world.align().create_order(&spec).expect("created");
    let asked = [
        ("fileType", "STL"),
        ("fileFormat", "TwoFiles_ArchesOrientedInOcclusion"),
        ("typeFormat", "OpenShell"),
    ];
    world.align().prepare(&id, &asked).expect("made");
    let agent = world.run();
    world.wait_for_revision(&id, 1);
    world.wait_for_state(&id, "published");
    let peak = peak_memory(agent.id());
    agent.kill();
    let manifest = super::tree::manifest(&world.dir_of(&id)).expect("published");
    let bytes: u64 = manifest.files.iter().map(|file| file.size).sum();
    assert!(bytes >= 1 << 30, "{bytes}");
    assert!(peak <= idle + 64 * 1024, "{peak} kB at the peak, {idle} kB when idle");
}

#[test]
fn eight_orders_that_are_costly_to_unpack_need_no_more_than_64_mib_above_idle() {
    let world = World::with_config("downloads: { concurrency: 8 }\n");
    let agent = world.run();
    wait_for("three polls", || (world.align().state().counters.polls > 3).then_some(()));
    let idle = peak_memory(agent.id());
    agent.kill();
    let kinds = [("wide-window", "published"), ("many-members", "attention")];
    let orders: Vec<String> = (0..8).map(|number| format!("costly-{number}")).collect();
    for (id, (which, _)) in orders.iter().zip(kinds.iter().cycle()) {
        world.align().create_order(&order_with_id(CaseKind::OrthoShell, id)).expect("created");
        let kind = FaultKind::Hostile { which: (*which).to_owned() };
        world.align().inject(download(kind).order(id));
    }
    let agent = world.run();
    for (id, (_, state)) in orders.iter().zip(kinds.iter().cycle()) {
        world.wait_for_state(id, state);
    }
    let peak = peak_memory(agent.id());
    agent.kill();
    assert!(peak <= idle + 64 * 1024, "{peak} kB at the peak, {idle} kB when idle");
}

/// Runs a script with the hot folder on its own 8 MB volume at `vol`.
fn on_small_volume(world: &World, script: &str) -> Ended {
    let volume = world.dir().join("vol");
    std::fs::create_dir_all(&volume).expect("made");
    let script =
        format!("mount -t tmpfs -o size=8m tmpfs \"$VOL\"; mkdir \"$VOL/orders\"\n{script}");
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-euc", &script])
        .env("VOL", &volume)
        .env("CASEDROP", program())
        .env("CASEDROP_CONFIG", world.config())
        .env("CASEDROP_OUTPUT", volume.join("orders"));
    // The script's own variables are not meant for the agent.
    command.env_remove("CASEDROP_STATE");
    ended(command.output().expect("unshare (util-linux) is there"))
}

const FULL: &str = r#"
    dd if=/dev/zero of="$VOL/ballast" bs=1k count=7600 2>/dev/null
    casedrop() { env -u CASEDROP "$CASEDROP" "$@"; }
    casedrop sync || echo "exit $?"
    find "$VOL/orders" -type f ! -name .casedrop-root
    rm "$VOL/ballast"
    for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        casedrop sync && test -n "$(find "$VOL/orders" -name manifest.json)" && break
        sleep 0.5
    done
    casedrop verify
"#;

fn assert_full_then_published(ended: &Ended) {
    let Ended { code, stdout, stderr } = ended;
    assert_eq!(*code, Some(0), "{ended:?}");
    assert!(stdout.contains("exit 3\n"), "{ended:?}");
    assert!(!stdout.lines().any(|line| line.starts_with('/')), "something was visible: {stdout}");
    assert!(stderr.contains("free some space on that volume"), "{stderr}");
    assert!(stderr.contains("/vol/"), "the place is named: {stderr}");
    assert!(stdout.contains("1 order,") && stdout.contains("no difference"), "{stdout}");
}

#[test]
fn a_volume_without_room_is_noticed_before_a_download_and_the_work_goes_on_by_itself() {
    let world = World::new();
    world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    assert_full_then_published(&on_small_volume(&world, FULL));
}

#[test]
fn a_volume_that_fills_up_during_a_download_leaves_nothing_half_written() {
    let world = World::with_config("retention: { min_free: 0B }\n");
    // The length of the download is unknown.
    world.align().update_settings(|settings| settings.content_length = false);
    let spec = OrderSpec { triangles: Some(20_000), ..order(CaseKind::OrthoShell) };
    world.align().create_order(&spec).expect("created");
    assert_full_then_published(&on_small_volume(&world, FULL));
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let world = World::new();
    world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let ended = on_small_volume(
        &world,
        r#"
        mount -o remount,ro "$VOL"
        env -u CASEDROP "$CASEDROP" check && exit 90 || echo "check: exit $?"
        env -u CASEDROP "$CASEDROP" sync && exit 91 || echo "sync: exit $?"
        "#,
    );
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("check: exit 2\n"), "{ended:?}");
    assert!(ended.stdout.contains("sync: exit 1\n"), "{ended:?}");
    assert!(ended.stdout.contains("/vol/orders"), "{ended:?}");
    assert!(ended.stderr.contains("/vol/"), "{ended:?}");
}

/// Runs the program without the capabilities that let root bypass permissions.
fn without_power(world: &World, args: &[&str]) -> Ended {
    let command = world.command(args);
    let mut powerless = if rustix::process::geteuid().is_root() {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--bounding-set", "-all"]).arg(command.get_program());
        setpriv
    } else {
        Command::new(command.get_program())
    };
    powerless.args(command.get_args()).env_remove("CASEDROP_CONFIG");
    ended(powerless.output().expect("setpriv (util-linux) is there"))
}

#[test]
fn a_folder_without_rights_is_named_with_the_remedy() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    let remedy = "give the agent's user the right";
    // The folder that the config names, and the one inside it that an order needs.
    let account = world.output().join(LAB).join(ACCOUNT);
    for (key, folder, needed) in [
        ("output", world.output(), account),
        ("staging", world.staging(), world.staging().join("work")),
        ("state", world.state(), world.state()),
    ] {
        let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
        let rights = |mode| {
            for folder in [&folder, &needed] {
                let permissions = std::fs::Permissions::from_mode(mode);
                std::fs::set_permissions(folder, permissions).expect("set");
            }
        };
        rights(0o500);
        let checked = without_power(&world, &["check"]);
        assert_eq!(checked.code, Some(2), "{key}: {checked:?}");
        let (text, path) = (&checked.stdout, folder.display().to_string());
        assert!(text.contains(&format!("error: {key}")) && text.contains(&path), "{text}");
        assert!(text.contains(remedy), "{text}");
        let passed = wait_for(&format!("a pass that meets {key}"), || {
            let ended = without_power(&world, &["sync"]);
            (ended.code != Some(0)).then_some(ended)
        });
        assert!(passed.stderr.contains(remedy), "{key}: {passed:?}");
        rights(0o700);
        let agent = world.run();
        world.wait_for_revision(&id, 1);
        world.wait_for_state(&id, "published");
        // Stop gracefully, so that the next pass has to create the journal's log again.
        assert_eq!(agent.stop().0, Some(0), "{key}");
    }
}
