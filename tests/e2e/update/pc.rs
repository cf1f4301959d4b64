//! A PC with an installed program that updates itself, and its release server.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Cursor, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use casedrop::disk::RealDisk;
use casedrop::model::digest::hex;
use casedrop::update::release::{self, Artifact, Manifest, SCHEMA, file_name};
use casedrop::update::{Place, target};
use jiff::{SignedDuration, Timestamp};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use semver::Version;
use sha2::{Digest as _, Sha256};
use zipsign_api::sign::copy_and_sign_zip;

use crate::world::{Ended, World, ended, program, started, wait_for};

/// The version of the program under test.
pub const OLD: &str = env!("CARGO_PKG_VERSION");
/// The version of the releases.
pub const NEW: &str = "99.0.0";
/// In milliseconds: ready, silence, beat, proof, limit.
const TRIAL: &str = "8000,8000,5000,1200,9000";
/// In milliseconds: tick, first, every.
const PACE: &str = "100,100,3600000";

/// A key for tests only.
pub fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key")
}

/// An archive with the program under test, marked as the new version.
pub fn archive() -> &'static [u8] {
    static ARCHIVE: OnceLock<Vec<u8>> = OnceLock::new();
    ARCHIVE.get_or_init(|| {
        let mut bytes = small_program();
        bytes.extend_from_slice(format!("\ncasedrop-test-version {NEW}\n").as_bytes());
        signed(NEW, &packed(program_name(), &bytes), 1)
    })
}

/// An archive with one file, not signed.
pub fn packed(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .unix_permissions(0o755)
        .large_file(true);
    zip.start_file(name, stored).expect("begun");
    zip.write_all(bytes).expect("written");
    zip.finish().expect("finished").into_inner()
}

/// Signs an archive, as that of this version, with the key of this seed.
pub fn signed(version: &str, archive: &[u8], seed: u8) -> Vec<u8> {
    let name = file_name(&version.parse().expect("a version"), &target());
    let keys = [zipsign_api::SigningKey::from_bytes(&[seed; 32])];
    let mut signed = Cursor::new(Vec::new());
    let name = Some(name.as_bytes());
    copy_and_sign_zip(&mut Cursor::new(archive), &mut signed, &keys, name).expect("signed");
    signed.into_inner()
}

/// The program, stripped of debug information if `strip` is available.
fn small_program() -> Vec<u8> {
    let dir = tempfile::tempdir().expect("tempdir");
    let small = dir.path().join("small");
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&small).arg(program()).stderr(Stdio::null()).stdout(Stdio::null());
    let stripped = strip.status().is_ok_and(|status| status.success());
    std::fs::read(if stripped { &*small } else { Path::new(program()) }).expect("the program")
}

pub fn program_name() -> &'static str {
    if cfg!(windows) { "casedrop.exe" } else { "casedrop" }
}

/// The files of the server by name.
type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

pub struct Pc {
    pub world: World,
    files: Files,
    pub env: Vec<(String, String)>,
}

impl Pc {
    /// Creates the folder of versions too, so that the installed program is a keeper.
    pub fn new(updates: &str) -> Self {
        let files = Files::default();
        let url = serve(Arc::clone(&files));
        let more =
            format!("updates: {{ source: {url}{updates} }}\npolling: {{ interval: 300ms }}\n");
        let world = World::with_config(&more);
        let pc = Self { world, files, env: Vec::new() };
        std::fs::create_dir_all(pc.place().versions()).expect("made");
        if std::fs::hard_link(program(), pc.installed()).is_err() {
            std::fs::copy(program(), pc.installed()).expect("copied");
        }
        pc.publish();
        pc
    }

    pub fn installed(&self) -> PathBuf {
        self.world.dir().join("program").join(program_name())
    }

    pub fn place(&self) -> Place {
        Place::of(&self.installed())
    }

    /// Offers the new version.
    pub fn publish(&self) {
        self.offer("stable", &manifest(NEW, archive()), archive(), 1);
    }

    /// Offers a release, signed with the key of this seed.
    pub fn offer(&self, channel: &str, manifest: &Manifest, archive: &[u8], seed: u8) {
        let bytes = serde_json::to_vec(manifest).expect("JSON");
        let signatures = serde_json::to_vec(&[release::sign(&bytes, &key(seed))]).expect("JSON");
        for artifact in manifest.artifacts.values() {
            self.put(&artifact.file, archive);
        }
        self.put(&format!("{channel}.json.sig"), &signatures);
        self.put(&format!("{channel}.json"), &bytes);
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        self.files.lock().expect("not poisoned").insert(name.to_owned(), bytes.to_vec());
    }

    pub fn get(&self, name: &str) -> Vec<u8> {
        self.files.lock().expect("not poisoned")[name].clone()
    }

    /// The installed program with arguments, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.installed());
        command.args(args).arg("--config").arg(self.world.config());
        command.env_remove("CASEDROP_CONFIG").stdin(Stdio::null());
        command.env("CASEDROP_TEST_RELEASE_KEY", hex(key(1).public_key()));
        command.env("CASEDROP_TEST_TRIAL", TRIAL).env("CASEDROP_TEST_PACE", PACE);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the installed program to its end.
    pub fn casedrop(&self, args: &[&str]) -> Ended {
        let mut command = self.command(args);
        ended(started(|| command.output()))
    }

    /// Like [`casedrop`](Self::casedrop), but must succeed.
    pub fn good(&self, args: &[&str]) -> Ended {
        let ended = self.casedrop(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended
    }

    /// Runs it until it kills itself at that step.
    pub fn die(&self, args: &[&str], step: &str) {
        let mut command = self.command(args);
        let output = started(|| command.env("CASEDROP_TEST_KILL_AT", step).output());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(&format!("killed at {step}")), "{said}");
    }

    pub fn run(&self) -> Running {
        self.run_with(&[])
    }

    /// Starts the keeper with extra environment variables.
    pub fn run_with(&self, env: &[(&str, &str)]) -> Running {
        let mut command = self.command(&["run"]);
        command.envs(env.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = started(|| command.spawn());
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, into) = (BufReader::new(child.stderr.take().expect("piped")), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = into.lock().expect("not poisoned");
                log.push_str(&line);
                log.push('\n');
            }
        });
        Running { child, log, state: self.world.state() }
    }

    /// Waits until that version runs, and returns the agent's status.
    pub fn wait_for_version(&self, version: &str) -> serde_json::Value {
        wait_for(&format!("version {version} to run"), || {
            let ended = self.casedrop(&["status", "--json"]);
            let status: serde_json::Value = serde_json::from_str(&ended.stdout).ok()?;
            (status["agent"]["since"].is_string() && status["version"] == version).then_some(status)
        })
    }

    /// Waits until the new version is refused, and returns why.
    pub fn wait_for_refusal(&self) -> String {
        let version = Version::parse(NEW).expect("a version");
        wait_for("the new version to be refused", || {
            let is_over = self.place().trial(&RealDisk).is_none();
            let refused = self.place().refused(&RealDisk).remove(&version).filter(|_| is_over);
            refused.map(|refused| refused.why)
        })
    }

    /// Waits until the new version has passed its trial and is the current one.
    pub fn wait_until_current(&self) {
        wait_for("the trial to be passed", || {
            let current = self.place().current(&RealDisk).map(|version| version.to_string());
            (current.as_deref() == Some(NEW) && self.place().trial(&RealDisk).is_none())
                .then_some(())
        });
    }
}

/// A running keeper. Dropping it kills it.
pub struct Running {
    child: Child,
    log: Arc<Mutex<String>>,
    state: PathBuf,
}

impl Running {
    /// Output of the keeper and its children so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("not poisoned").clone()
    }

    /// Waits until the log contains these words.
    pub fn wait_for(&self, words: &str) {
        wait_for(words, || self.log().contains(words).then_some(()));
    }

    /// Waits until it exits on its own.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().expect("ended").code()
    }

    /// Asks it to stop and waits until it has.
    #[cfg(unix)]
    pub fn stop(mut self) -> (Option<i32>, String) {
        let id = i32::try_from(self.child.id()).expect("a process id");
        let process = rustix::process::Pid::from_raw(id).expect("a process id");
        rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("signalled");
        (self.wait(), self.log())
    }
}

#[expect(clippy::print_stderr, reason = "a failing test shows what the agent said")]
impl Drop for Running {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its agent notices and stops.
        let began = Instant::now();
        while casedrop::agent::agent_runs(&self.state) && began.elapsed() < Duration::from_secs(60)
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        if std::thread::panicking() {
            eprintln!("--- the keeper's log\n{}\n---", self.log());
        }
    }
}

/// A manifest with one archive for this machine.
pub fn manifest(version: &str, archive: &[u8]) -> Manifest {
    let now = Timestamp::now();
    let time = |hours| (now + SignedDuration::from_hours(hours)).to_string();
    let version: Version = version.parse().expect("a version");
    let artifact = Artifact {
        file: file_name(&version, &target()),
        size: archive.len() as u64,
        sha256: hex(Sha256::digest(archive)),
    };
    Manifest {
        schema: SCHEMA,
        product: "casedrop".to_owned(),
        channel: "stable".to_owned(),
        version: version.to_string(),
        published: time(-1),
        expires: time(24),
        notes: Some("https://it.example/notes".to_owned()),
        artifacts: [(target(), artifact)].into(),
    }
}

/// A web server that runs until the test process ends. If an entry `short:NAME` exists, file NAME
/// is announced in full but broken off halfway.
fn serve(files: Files) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let files = Arc::clone(&files);
            // A client that hangs up early is fine.
            std::thread::spawn(move || drop(answer(stream, &files)));
        }
    });
    format!("http://{address}/releases/")
}

fn answer(mut stream: TcpStream, files: &Files) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let name = path.strip_prefix("/releases/").unwrap_or_default();
    let (file, short) = {
        let files = files.lock().expect("not poisoned");
        (files.get(name).cloned(), files.contains_key(&format!("short:{name}")))
    };
    let Some(file) = file else {
        return write!(
            stream,
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        file.len()
    )?;
    stream.write_all(if short { &file[..file.len() / 2] } else { &file })
}
