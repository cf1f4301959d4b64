//! A desktop session without a desktop: a D-Bus and a keyring in a temporary folder.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything that a test waits for takes.
const PATIENCE: Duration = Duration::from_secs(60);
const ADDRESS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// The state of the keyring when the session begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyring {
    Unlocked,
    Locked,
}

/// A user's session, or the environment of a process without one.
pub(crate) struct Session {
    home: tempfile::TempDir,
    address: Option<String>,
    programs: Vec<Child>,
}

impl Session {
    /// No session at all, as for a service.
    pub(crate) fn none() -> Self {
        let home = tempfile::tempdir().expect("tempdir");
        Self { home, address: None, programs: Vec::new() }
    }

    /// No session, but a systemd credential.
    pub(crate) fn with_credential(key: &[u8]) -> Self {
        let session = Self::none();
        let dir = session.home.path().join("credentials");
        std::fs::create_dir(&dir).expect("made");
        std::fs::write(dir.join("casedrop-key"), key).expect("written");
        session
    }

    /// A new user's session.
    pub(crate) fn start(keyring: Keyring) -> Self {
        Self::none().begin(keyring)
    }

    /// The same user logs in again.
    pub(crate) fn again(mut self, keyring: Keyring) -> Self {
        self.end();
        self.begin(keyring)
    }

    /// Makes a program run in this session.
    pub(crate) fn enter(&self, command: &mut Command) {
        let home = self.home.path();
        command.env("HOME", home).env("XDG_DATA_HOME", home.join("data"));
        command.env("XDG_RUNTIME_DIR", home.join("run"));
        command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        match &self.address {
            Some(address) => command.env(ADDRESS, address),
            None => command.env_remove(ADDRESS),
        };
        let credentials = home.join("credentials");
        if credentials.exists() {
            command.env("CREDENTIALS_DIRECTORY", credentials);
        } else {
            command.env_remove("CREDENTIALS_DIRECTORY");
        }
    }

    fn begin(mut self, keyring: Keyring) -> Self {
        for folder in ["run", "data"] {
            private_dir(&self.home.path().join(folder));
        }
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        let (bus, address) = {
            self.enter(&mut bus);
            let mut bus = bus.stdout(Stdio::piped()).spawn().expect("dbus-daemon starts");
            let mut lines = BufReader::new(bus.stdout.take().expect("piped")).lines();
            (bus, lines.next().expect("an address").expect("readable"))
        };
        self.programs.push(bus);
        self.address = Some(address);
        let mut daemon = Command::new("gnome-keyring-daemon");
        daemon.args(["--foreground", "--components=secrets"]);
        if keyring == Keyring::Unlocked {
            daemon.arg("--unlock");
        }
        self.enter(&mut daemon);
        daemon.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut daemon = daemon.spawn().expect("gnome-keyring-daemon starts");
        let mut password = daemon.stdin.take().expect("piped");
        if keyring == Keyring::Unlocked {
            password.write_all(b"a password for a test").expect("read");
        }
        drop(password);
        self.programs.push(daemon);
        self.wait_for_keyring();
        self
    }

    fn wait_for_keyring(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut ask = Command::new("dbus-send");
            ask.args(["--session", "--print-reply", "--dest=org.freedesktop.DBus"]);
            ask.args(["/org/freedesktop/DBus", "org.freedesktop.DBus.NameHasOwner"]);
            ask.arg("string:org.freedesktop.secrets");
            self.enter(&mut ask);
            let answer = ask.output().expect("dbus-send starts");
            if String::from_utf8_lossy(&answer.stdout).contains("true") {
                return;
            }
            assert!(Instant::now() < deadline, "no keyring: {answer:?}");
        }
    }

    fn end(&mut self) {
        while let Some(mut program) = self.programs.pop() {
            // It may have ended with the previous one.
            let _ = program.kill();
            let _ = program.wait();
        }
        self.address = None;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}

fn private_dir(path: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).expect("made");
}
