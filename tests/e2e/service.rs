//! The agent under systemd, played by a socket.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use casedrop::journal::{FILE_NAME, Store};
use casedrop::simulator::CaseKind;

use super::world::{World, ended, order};

/// Longer than anything that a test waits for takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// The receiver of systemd's notifications.
struct Systemd {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Systemd {
    fn of(world: &World) -> Self {
        let path = world.dir().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        Self { socket, path }
    }

    fn name(&self) -> &str {
        self.path.to_str().expect("Unicode")
    }

    fn next(&self) -> String {
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).expect("a message");
        String::from_utf8(buffer[..length].to_vec()).expect("Unicode")
    }

    /// Waits for a message with this prefix; returns the messages before it.
    fn wait_for(&self, wanted: &str) -> Vec<String> {
        let (mut before, begun) = (Vec::new(), Instant::now());
        // Heartbeats never stop.
        while begun.elapsed() < PATIENCE {
            let message = self.next();
            if message.starts_with(wanted) {
                return before;
            }
            before.push(message);
        }
        panic!("systemd never heard {wanted:?}: {before:?}");
    }
}

#[test]
fn systemd_hears_of_start_work_and_end() {
    let world = World::new();
    let systemd = Systemd::of(&world);
    let agent = world.run_with(&[("NOTIFY_SOCKET", systemd.name()), ("WATCHDOG_USEC", "400000")]);
    let before = systemd.wait_for("READY=1");
    assert!(before.iter().all(|message| message.starts_with("EXTEND_TIMEOUT_USEC=")), "{before:?}");
    systemd.wait_for("STATUS=1 lab, 0 orders in progress");
    for _ in 0..3 {
        systemd.wait_for("WATCHDOG=1");
    }
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.wait_for_revision(&id, 1);
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log}");
    systemd.wait_for("STOPPING=1");
    systemd.wait_for("STOPPING=1\nEXTEND_TIMEOUT_USEC=");
    let store = Store::open(&world.state().join(FILE_NAME)).expect("journal");
    assert!(!store.is_in_use().expect("readable"), "it ended in good order");
}

#[test]
fn a_service_reads_no_config_from_the_folder_that_it_happens_to_be_started_in() {
    let world = World::new();
    // An agent that read it would report a different error.
    std::fs::write(world.config(), "labs: 7\n").expect("written");
    let systemd = Systemd::of(&world);
    let mut command = std::process::Command::new(super::world::program());
    command.arg("run").current_dir(world.dir()).stdin(Stdio::null());
    command.env("NOTIFY_SOCKET", systemd.name()).env_remove("CASEDROP_CONFIG");
    // With a page, it would ask there for what the config lacks.
    command.env("CASEDROP_STATUS_PAGE__LISTEN", "null");
    let ended = ended(command.output().expect("the program starts"));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let place = "there is no /etc/casedrop/casedrop.yaml";
    assert!(ended.stderr.contains(place), "{ended:?}");
}

#[test]
fn a_check_that_is_to_ask_no_server_asks_none() {
    let world = World::new();
    let config = world.config();
    let _dir = world.stop_align();
    let check = |args: &[&str]| {
        let mut command = std::process::Command::new(super::world::program());
        command.arg("check").args(args).arg("--config").arg(&config);
        ended(command.output().expect("the program starts"))
    };
    let asked = check(&[]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    assert!(asked.stdout.contains("base_url"), "{asked:?}");
    let offline = check(&["--offline"]);
    assert_eq!(offline.code, Some(0), "{offline:?}");
    assert!(!offline.stdout.contains("base_url"), "{offline:?}");
}
