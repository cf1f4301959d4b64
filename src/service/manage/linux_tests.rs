//! Tests with a root directory of their own and fake programs that record their calls.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex};

use super::super::unit::SHIPPED;
use super::*;

const RUNS: &str = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nUser=casedrop\n\
    ExecMainStatus=0\nStatusText=2 labs, 0 orders in progress\nExecStart={ path=/usr/bin/casedrop ; \
    argv[]=/usr/bin/casedrop run ; ignore_errors=no ; pid=7 }\n";

struct Pc {
    dir: tempfile::TempDir,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Pc {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        std::fs::create_dir_all(dir.path().join(RUNNING)).expect("created");
        Self { dir, calls: Arc::default() }
    }

    /// Calls that begin like this fail with that message.
    fn services(&self, failing: &'static [(&'static str, &'static str)]) -> Services {
        let calls = Arc::clone(&self.calls);
        let run: Run = Box::new(move |program, args| {
            let line = format!("{program} {}", args.join(" "));
            let failure = failing.iter().find(|(call, _)| line.starts_with(call));
            let shown = if line.starts_with("systemctl show") { RUNS } else { "lab" };
            calls.lock().expect("not poisoned").push(line);
            Ok(Output {
                status: ExitStatus::from_raw(if failure.is_some() { 0x100 } else { 0 }),
                stdout: shown.into(),
                stderr: failure.map(|(_, says)| (*says).into()).unwrap_or_default(),
            })
        });
        Services::at("casedrop", self.dir.path().to_path_buf(), run).expect("systemd runs")
    }

    fn plan(&self) -> Plan {
        let at = |name: &str| self.dir.path().join(name);
        Plan {
            program: at("casedrop"),
            config: Some(at("casedrop.yaml")),
            sources: vec![at("casedrop.yaml"), at("policy.yaml")],
            account: None,
            password: None,
            state: at("state"),
            output: [at("srv/orders"), at("srv/.orders.casedrop-staging")],
            commands: None,
            logs: Some(at("logs")),
            versions: Some(at("versions")),
        }
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().expect("not poisoned"))
    }
}

/// The calls that make systemd run the service with the current unit.
const STARTED: [&str; 3] =
    ["systemctl daemon-reload", "systemctl enable casedrop", "systemctl restart casedrop"];

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn installing_makes_user_folders_and_unit_and_starts_the_service() {
    let pc = Pc::new();
    let services =
        pc.services(&[("id -u casedrop", "no such user"), ("runuser", "state: unwritable")]);
    let (plan, mut said) = (pc.plan(), Vec::new());
    let installed = services.install(&plan, &mut |text| said.push(text.to_owned()));
    if !is_root() {
        let fault = installed.expect_err("only root may");
        assert!(fault.hint.is_some_and(|hint| hint.contains("sudo")));
        assert_eq!(pc.calls(), [] as [&str; 0]);
        return;
    }
    installed.expect("installed");
    let calls = pc.calls();
    let programs: Vec<_> = calls.iter().filter_map(|call| call.split(' ').next()).collect();
    let made = ["id", "useradd", "chown", "runuser", "systemctl", "systemctl", "systemctl"];
    assert_eq!(programs, made);
    assert!(calls[2].starts_with("chown --no-dereference casedrop:casedrop -- "), "{}", calls[2]);
    for folder in plan.folders() {
        assert!(folder.is_dir());
        assert!(calls[2].contains(folder.to_str().expect("Unicode")));
    }
    assert!(
        calls[3].contains("-u casedrop -- ") && calls[3].contains(" check --offline --config ")
    );
    assert_eq!(calls[4..], STARTED);
    assert!(said.iter().any(|text| text.contains("state: unwritable")), "{said:?}");
    let text = std::fs::read_to_string(pc.dir.path().join(UNIT)).expect("the unit");
    assert!(text.contains(&format!("ExecStart={} run --config ", plan.program.display())));
    // The second time, there is nothing left to create.
    pc.services(&[]).install(&plan, &mut |_| {}).expect("installed again");
    let programs = pc.calls();
    assert!(!programs.iter().any(|call| call.starts_with("useradd") || call.starts_with("chown")));
}

#[test]
fn the_unit_of_a_package_is_only_switched_on() {
    if !is_root() {
        return needs_root("install").map_or((), |()| panic!("not root"));
    }
    let pc = Pc::new();
    let shipped = pc.dir.path().join(OF_PACKAGE[0]);
    std::fs::create_dir_all(shipped.parent().expect("a parent")).expect("created");
    std::fs::write(&shipped, SHIPPED).expect("written");
    let (services, mut said) = (pc.services(&[]), Vec::new());
    services.install(&pc.plan(), &mut |text| said.push(text.to_owned())).expect("installed");
    assert_eq!(pc.calls(), STARTED);
    assert!(!pc.dir.path().join(UNIT).exists());
    let drop_in = format!("ReadWritePaths={}", pc.dir.path().join("srv").display());
    assert!(said.iter().any(|text| text.contains(&drop_in)), "{said:?}");
    let other = Plan { account: Some("scans".to_owned()), ..pc.plan() };
    services.install(&other, &mut |_| {}).expect_err("the package has its own user");
    services.uninstall(&mut |_| {}).expect("switched off");
    assert!(shipped.exists(), "it goes with the package");
}

#[test]
fn where_no_systemd_runs_the_way_out_is_told() {
    let dir = tempfile::tempdir().expect("tempdir");
    let run: Run = Box::new(|program, _| panic!("{program}"));
    let fault = Services::at("casedrop", dir.path().to_path_buf(), run).err().expect("no systemd");
    assert!(fault.hint.is_some_and(|hint| hint.contains("casedrop run")));
}

#[test]
fn what_systemctl_shows_is_read() {
    let runs = standing("casedrop", RUNS);
    assert_eq!((runs.state, runs.starts_with_pc), (State::Running, Some(true)));
    assert_eq!(runs.command.as_deref(), Some("/usr/bin/casedrop run"));
    assert_eq!(runs.doing.as_deref(), Some("2 labs, 0 orders in progress"));
    let failed = "LoadState=loaded\nActiveState=failed\nUnitFileState=disabled\nExecMainStatus=2\n";
    let failed = standing("casedrop", failed);
    assert_eq!((failed.state, failed.exit_status), (State::Failed, Some(2)));
    assert_eq!(failed.starts_with_pc, Some(false));
    let none = standing("casedrop", "LoadState=not-found\nActiveState=inactive\n");
    assert_eq!(none, Standing::of_none("casedrop"));
}

#[test]
fn whoever_may_not_is_told_how() {
    let pc = Pc::new();
    let services = pc.services(&[("systemctl start", "Failed to start: Access denied")]);
    let fault = services.start(&mut |_| {}).expect_err("denied");
    assert!(fault.message.contains("Access denied"));
    assert_eq!(fault.hint.as_deref(), Some(AS_ROOT));
    let services = pc.services(&[("systemctl stop", "Job for casedrop.service failed.")]);
    let fault = services.stop(&mut |_| {}).expect_err("failed");
    assert!(fault.hint.is_some_and(|hint| hint.contains("journalctl -u casedrop")));
}
