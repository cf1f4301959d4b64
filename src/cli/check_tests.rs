use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex};

use super::*;
use crate::disk::RealDisk;

/// A stream that a test can read afterwards.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("UTF-8")
    }
}

/// A folder with a valid config, plus the lines that a test appends.
struct Place {
    dir: tempfile::TempDir,
    effective: bool,
}

impl Place {
    fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let text = format!(
            "output: orders
commands: commands
labs:
  - name: smile-lab
    oauth_base: https://oauth.iterocloud.com
    base_url: https://base.iterocloud.com
    client_id: abc
    redirect_url: https://lab.example/cb
retention: {{ min_free: 0 }}
{more}"
        );
        let text = if more.contains("state:") { text } else { format!("{text}state: state\n") };
        let text = if more.contains("status_page:") {
            text
        } else {
            format!("{text}status_page: {{ listen: null }}\n")
        };
        std::fs::write(dir.path().join("casedrop.yaml"), text).expect("written");
        Self { dir, effective: false }
    }

    fn run(&self, json: bool, agent_runs: bool, extra: Vec<ExtraCheck<'_>>) -> (Exit, String) {
        let out = Kept::default();
        let mut streams = Streams {
            out: Box::new(out.clone()),
            err: Box::new(std::io::sink()),
            input: Box::new(Cursor::new("")),
            json,
            terminal: false,
        };
        let around = Around {
            disk: &RealDisk,
            env: &[],
            cwd: self.dir.path(),
            agent_runs: &|_| agent_runs,
            extra,
        };
        let args = CheckArgs { effective: self.effective, offline: false };
        (run(&args, None, &around, &mut streams).expect("printed"), out.text())
    }

    fn check(&self) -> (Exit, String) {
        self.run(false, false, Vec::new())
    }

    fn entries(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.dir.path())
            .expect("readable")
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn a_sound_config_passes_and_nothing_is_left_behind() {
    let place = Place::new("");
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Ok, "{text}");
    assert!(
        text.starts_with("the config is valid: ") && text.ends_with("casedrop.yaml\n"),
        "{text}"
    );
    assert_eq!(place.entries(), ["casedrop.yaml"], "missing folders are not made, probes are gone");
    std::fs::create_dir(place.dir.path().join("orders")).expect("made");
    assert_eq!(place.check().0, Exit::Ok);
    assert_eq!(std::fs::read_dir(place.dir.path().join("orders")).expect("readable").count(), 0);
}

#[test]
fn the_keys_in_force_are_shown_with_their_places() {
    let mut place = Place::new("names: plain\n");
    let policy = "names: both\nupdates: { automatic: false }\nlabs:\n  - name: SMILE-lab\n    \
                  client_secret: hush\n";
    std::fs::write(place.dir.path().join("policy.yaml"), policy).expect("written");
    place.effective = true;
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Ok, "{text}");
    let line = |key: &str| {
        let found = text.lines().find(|line| line.starts_with(&format!("{key} ")));
        let words = found.unwrap_or_else(|| panic!("{key} in {text}")).split_whitespace();
        words.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("names"), "names both policy.yaml:1 (locked)");
    assert_eq!(line("output"), "output orders casedrop.yaml:1");
    assert_eq!(line("updates.automatic"), "updates.automatic false policy.yaml:2 (locked)");
    assert_eq!(
        line("downloads.retry_404"),
        "downloads.retry_404 [120s, 5m, 10m, 30m, 1h, 2h] default"
    );
    assert_eq!(line("labs[0].client_secret"), "labs[0].client_secret (set) policy.yaml:5 (locked)");
    let overruled =
        "warning: names (policy.yaml:1): policy.yaml:1 decides; casedrop.yaml:10 has no effect";
    assert!(text.contains(overruled), "{text}");
    assert!(!text.contains("hush"), "{text}");
    let (_, json) = place.run(true, false, Vec::new());
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let names =
        json["effective"].as_array().expect("a list").iter().find(|it| it["key"] == "names");
    let names = names.expect("the key");
    assert_eq!((&names["value"], &names["from"]), (&"both".into(), &"policy".into()));
    assert_eq!((&names["line"], &names["locked"]), (&1.into(), &true.into()));
    assert!(names["source"].as_str().expect("a path").ends_with("policy.yaml"), "{names}");
    assert!(!json.to_string().contains("hush"));
}

#[cfg(unix)]
#[test]
fn a_policy_that_others_may_change_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new("");
    let policy = place.dir.path().join("policy.yaml");
    std::fs::write(&policy, "names: both\n").expect("written");
    std::fs::set_permissions(&policy, std::fs::Permissions::from_mode(0o666)).expect("own file");
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Ok, "{text}");
    assert!(text.contains("policy.yaml can be changed by "), "{text}");
}

#[test]
fn a_command_folder_that_cannot_be_used_is_told() {
    let place = Place::new("");
    let commands = place.dir.path().join("commands");
    std::fs::create_dir(&commands).expect("made");
    assert_eq!(place.check().0, Exit::Ok);
    std::fs::write(commands.join("done"), "a file").expect("written");
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Usage, "{text}");
    assert!(text.contains("error: commands (casedrop.yaml:2): "), "{text}");
    assert!(text.contains("done is not a folder") && text.contains("hint: move it away"), "{text}");
    std::fs::remove_dir_all(&commands).expect("removed");
    std::fs::write(&commands, "a file").expect("written");
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Usage, "{text}");
    assert!(text.contains("commands is a file, not a folder"), "{text}");
}

#[test]
fn warnings_do_not_fail() {
    let place = Place::new("formats: { orto: {} }\n");
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Ok, "{text}");
    assert!(text.starts_with("warning: formats.orto (casedrop.yaml:10): "), "{text}");
    assert!(text.contains("the config is valid, with 1 warning: "), "{text}");
}

#[test]
fn faults_in_the_file_and_around_it_come_together() {
    let busy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = busy.local_addr().expect("bound");
    let place = Place::new(&format!(
        "polling: {{ interval: 5s }}
state: blocked/state
status_page: {{ listen: '{address}' }}
api: {{ ca_file: ca.pem }}
"
    ));
    std::fs::write(place.dir.path().join("blocked"), "a file").expect("written");
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Usage, "{text}");
    assert!(text.contains("error: polling.interval (casedrop.yaml:10): 5s"), "{text}");
    assert!(
        text.contains("error: state (casedrop.yaml:11): ") && text.contains("blocked is a file"),
        "{text}"
    );
    let port = format!(
        "error: status_page.listen (casedrop.yaml:12): another program is already listening on \
         {address}\n\
         hint: "
    );
    assert!(text.contains(&port), "{text}");
    assert!(text.contains("error: api.ca_file (casedrop.yaml:13): cannot open"), "{text}");
    assert!(text.ends_with("4 errors, 0 warnings\n"), "{text}");
}

#[test]
fn a_hook_must_be_a_program_that_is_there() {
    let place = Place::new("");
    let program = place.dir.path().join("import.exe");
    let quoted = serde_json::to_string(&program).expect("a Unicode path");
    let section = format!("notices: {{ hook: {{ run: [{quoted}] }} }}\n");
    let config = place.dir.path().join("casedrop.yaml");
    let text = std::fs::read_to_string(&config).expect("readable");
    std::fs::write(&config, text + &section).expect("written");
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Usage);
    assert!(text.contains("error: notices.hook.run[0] (casedrop.yaml:"), "{text}");
    assert!(text.contains("there is no program at "), "{text}");
    std::fs::create_dir(&program).expect("made");
    assert!(place.check().1.contains("is not a file"));
    std::fs::remove_dir(&program).expect("removed");
    std::fs::write(&program, "a program").expect("written");
    assert_eq!(place.check().0, Exit::Ok);
}

#[test]
fn a_script_is_no_program_on_windows() {
    for (path, starts) in [("a.exe", true), ("b.CMD", true), ("c.ps1", false), ("d", false)] {
        assert_eq!(files::starts_on_windows(Path::new(path)), starts, "{path}");
    }
}

#[test]
fn the_ports_of_a_running_agent_are_its_own() {
    let busy = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = busy.local_addr().expect("bound");
    let place = Place::new(&format!("status_page: {{ listen: '{address}' }}\n"));
    assert_eq!(place.run(false, false, Vec::new()).0, Exit::Usage);
    assert_eq!(place.run(false, true, Vec::new()).0, Exit::Ok);
}

#[test]
fn an_address_of_another_pc_is_refused() {
    // 192.0.2.0/24 is reserved for documentation; no PC has such an address.
    let place = Place::new("status_page: { listen: '192.0.2.1:8780' }\n");
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Usage);
    assert!(text.contains("error: status_page.listen (casedrop.yaml:10): "), "{text}");
    assert!(text.contains("this PC has no address 192.0.2.1"), "{text}");
}

#[test]
fn the_certificate_of_the_status_page_is_read() {
    let page = "status_page:\n  listen: '127.0.0.1:0'\n  tls: { certificate: c.pem, key: k.pem }\n";
    let place = Place::new(page);
    let at = |name: &str| place.dir.path().join(name);
    let files = crate::config::TlsFiles { certificate: at("c.pem"), key: at("k.pem") };
    let day = std::time::Duration::from_hours(24);
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Usage);
    assert!(text.contains("error: status_page.tls.certificate"), "{text}");
    casedrop_testing::certificate::make(day * 5).write(&files.certificate, &files.key);
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Ok, "{text}");
    assert!(text.contains("c.pem expires in 4 days"), "{text}");
    casedrop_testing::certificate::make(day * 100).write(&files.certificate, &files.key);
    assert!(!place.check().1.contains("c.pem"));
}

#[test]
fn other_parts_of_the_agent_add_their_checks() {
    let place = Place::new("");
    let unreachable: ExtraCheck<'_> = Box::new(|config, findings| {
        findings.fault(
            "labs[0].base_url",
            format!("{} does not answer", config.labs[0].name),
            "wait",
        );
        findings.warning("labs[0]", "nobody is logged in", "run `casedrop login smile-lab`");
    });
    let (exit, text) = place.run(false, false, vec![unreachable]);
    assert_eq!(exit, Exit::Usage);
    assert!(
        text.contains(
            "error: labs[0].base_url (casedrop.yaml:6): smile-lab does not answer\nhint: wait"
        ),
        "{text}"
    );
    assert!(text.ends_with("1 error, 1 warning\n"), "{text}");
}

#[test]
fn more_room_than_there_is_cannot_stay_free() {
    let place = Place::new("");
    let path = place.dir.path().join("casedrop.yaml");
    let text = std::fs::read_to_string(&path)
        .expect("readable")
        .replace("min_free: 0", "min_free: 9000000TB");
    std::fs::write(&path, text).expect("written");
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Usage);
    assert!(
        text.contains("error: retention.min_free (casedrop.yaml:9): ")
            && text.contains("9000000TB"),
        "{text}"
    );
}

#[test]
fn programs_get_the_findings_as_json() {
    let place = Place::new("names: vendors\n");
    let (exit, text) = place.run(true, false, Vec::new());
    assert_eq!(exit, Exit::Usage);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let fault = &json["faults"][0];
    assert_eq!((fault["key"].as_str(), fault["line"].as_u64()), (Some("names"), Some(10)));
    assert_eq!((fault["column"].as_u64(), fault["hint"].as_str()), (Some(8), Some("write vendor")));
    assert!(fault["source"].as_str().expect("a path").ends_with("casedrop.yaml"));
    assert!(fault["reason"].as_str().expect("a text").contains("`vendors`"));
    assert_eq!(json["warnings"], serde_json::json!([]));
    assert!(json["config"].as_str().expect("a path").ends_with("casedrop.yaml"));
}

#[test]
fn without_a_config_the_way_to_one_is_shown() {
    let place = Place::new("");
    std::fs::remove_file(place.dir.path().join("casedrop.yaml")).expect("removed");
    if Path::new("/etc/casedrop/casedrop.yaml").exists() {
        return;
    }
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Usage);
    assert!(text.contains("no config found") && text.contains("config.example.yaml"), "{text}");
    assert!(text.ends_with("1 error, 0 warnings\n"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_named_with_the_reason() {
    // No user can create a file there.
    let place = Place::new("state: /proc/casedrop\n");
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Usage);
    assert!(
        text.contains(
            "error: state (casedrop.yaml:10): /proc/casedrop does not exist and cannot be created"
        ),
        "{text}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_folder_that_cannot_be_written_is_named_too() {
    let (exit, text) = Place::new("log: { dir: /proc/logs }\n").check();
    assert_eq!(exit, Exit::Usage);
    assert!(
        text.contains("error: log.dir (casedrop.yaml:10): /proc/logs does not exist"),
        "{text}"
    );
    let place = Place::new("log: { dir: logs }\n");
    let (exit, text) = place.check();
    assert_eq!((exit, place.dir.path().join("logs").exists()), (Exit::Ok, false), "{text}");
}

#[test]
fn a_staging_that_is_refused_is_not_explained_as_if_it_were_right() {
    let (exit, text) = Place::new("staging: orders/work\n").check();
    assert_eq!(exit, Exit::Usage, "{text}");
    assert!(text.contains("error: staging (casedrop.yaml:10): "), "{text}");
    assert!(!text.contains("root of its volume"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn staging_on_another_volume_is_refused() {
    let place = Place::new("");
    let here = place.dir.path();
    let shm = Path::new("/dev/shm");
    if !shm.is_dir() || RealDisk.same_volume(here, shm).expect("both exist") {
        return;
    }
    let place = Place::new("staging: /dev/shm/casedrop-staging\n");
    let (exit, text) = place.check();
    assert_eq!(exit, Exit::Usage, "{text}");
    assert!(
        text.contains("error: staging (casedrop.yaml:10): ") && text.contains("different volumes"),
        "{text}"
    );
    assert!(!Path::new("/dev/shm/casedrop-staging").exists());
}

#[test]
fn one_fault_stops_a_command_in_one_paragraph_and_many_with_their_number() {
    let one = ConfigFault::of_key("output", "the path is empty").hint("write a path");
    let faults = ConfigFaults { faults: vec![one.clone()], ..ConfigFaults::default() };
    let error = CliError::from(faults);
    assert_eq!(error.exit, Exit::Usage);
    assert_eq!(error.to_string(), "error: config: output: the path is empty\n\nhint: write a path");
    let two = ConfigFaults { faults: vec![one.clone(), one], ..ConfigFaults::default() };
    assert!(
        CliError::from(two).to_string().starts_with("error: the config has 2 errors\n\nerror: ")
    );
}
