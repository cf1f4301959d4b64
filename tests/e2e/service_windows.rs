//! The agent as a Windows service. Wine has a service manager too, as long as an ordinary program
//! runs: this test.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use casedrop::journal::{FILE_NAME, Store};
use casedrop::simulator::CaseKind;

use super::world::{Ended, World, ended, order, program, started};

/// A service with its own name, whose program is in a folder with a space in its name.
struct Service {
    world: World,
    program: PathBuf,
    name: String,
}

impl Service {
    fn new(world: World, name: &str) -> Self {
        let folder = world.dir().join("Program Files");
        std::fs::create_dir(&folder).expect("created");
        let program_here = folder.join("casedrop.exe");
        if std::fs::hard_link(program(), &program_here).is_err() {
            std::fs::copy(program(), &program_here).expect("copied");
        }
        let name = format!("CasedropTest{name}{}", std::process::id());
        Self { world, program: program_here, name }
    }

    fn call(&self, args: &[&str]) -> Ended {
        let mut command = Command::new(&self.program);
        command.arg("service").args(args).arg("--config").arg(self.world.config());
        command.env("CASEDROP_TEST_SERVICE", &self.name).env_remove("CASEDROP_CONFIG");
        ended(started(|| command.stdin(Stdio::null()).output()))
    }

    fn good(&self, args: &[&str]) -> Ended {
        let ended = self.call(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended
    }

    fn standing(&self) -> (Option<i32>, serde_json::Value) {
        let ended = self.call(&["status", "--json"]);
        let json = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
        (ended.code, json)
    }
}

impl Drop for Service {
    /// A service left over from a failed test would run forever.
    fn drop(&mut self) {
        if self.standing().1["state"] != "not-installed" {
            drop(self.call(&["uninstall"]));
        }
    }
}

#[test]
fn a_service_is_installed_publishes_orders_stops_in_good_order_and_goes() {
    let service = Service::new(World::new(), "Whole");
    assert_eq!(
        service.standing(),
        (
            Some(1),
            serde_json::json!({
                "name": service.name, "state": "not-installed", "starts_with_pc": null, "account": null,
                "command": null, "exit_status": null, "doing": null,
            })
        )
    );
    let ended = service.call(&["start"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("`casedrop service install`"), "{ended:?}");

    service.good(&["install"]);
    let (code, standing) = service.standing();
    assert_eq!((code, &standing["state"]), (Some(1), &"stopped".into()), "{standing}");
    assert_eq!(standing["starts_with_pc"], true);
    assert_eq!(standing["account"], r"NT AUTHORITY\LocalService");
    let line = format!(
        "\"{}\" run --config \"{}\"",
        service.program.display(),
        service.world.config().display()
    );
    assert_eq!(standing["command"].as_str(), Some(&*line), "both paths are quoted");
    // A second install brings it up to date.
    let again = service.good(&["install"]);
    assert!(again.stderr.contains("is up to date now"), "{again:?}");
    assert_eq!(service.standing().1["command"].as_str(), Some(&*line));

    service.good(&["start"]);
    let (code, standing) = service.standing();
    assert_eq!((code, &standing["state"]), (Some(0), &"running".into()), "{standing}");
    service.good(&["start"]);
    let world = &service.world;
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    world.wait_for_revision(&id, 1);
    world.published(&id);

    service.good(&["stop"]);
    let (code, standing) = service.standing();
    assert_eq!((code, &standing["state"]), (Some(1), &"stopped".into()), "{standing}");
    {
        let store = Store::open(&world.state().join(FILE_NAME)).expect("journal");
        assert!(!store.is_in_use().expect("readable"), "it ended in good order");
    }
    service.good(&["stop"]);

    // Uninstalling a running service stops it first. The published orders stay.
    service.good(&["start"]);
    service.good(&["uninstall"]);
    assert_eq!(service.standing().1["state"], "not-installed");
    world.published(&id);
    assert!(world.config().is_file() && world.state().join(FILE_NAME).is_file());
}

#[test]
fn a_service_whose_config_is_wrong_ends_with_the_exit_status_of_that() {
    let service = Service::new(World::new(), "Wrong");
    service.good(&["install"]);
    std::fs::write(service.world.config(), "labs: 7\n").expect("written");
    let ended = service.call(&["start"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("with exit status 2"), "{ended:?}");
    assert!(ended.stderr.contains("event log"), "{ended:?}");
    let (code, standing) = service.standing();
    assert_eq!((code, &standing["state"]), (Some(1), &"failed".into()), "{standing}");
    assert_eq!(standing["exit_status"], 2);
}
