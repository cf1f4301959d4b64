//! What the design expects of the operating system, checked on the one that runs the tests.
//!
//! Where systems differ, a test asserts what holds on all of them: a step happens entirely or not
//! at all. What [`RealDisk`] promises call by call is tested in its own crate.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use casedrop::disk::{Disk as _, Moved, RealDisk};
use rusqlite::{Connection, ErrorCode};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().to_path_buf();
    (dir, path)
}

// ---- files ----

#[test]
fn an_order_that_somebody_reads_moves_whole_or_stays_whole() {
    let (_dir, at) = folder();
    fs::create_dir(at.join("staged")).expect("created");
    fs::write(at.join("staged/scan.stl"), "scan").expect("written");
    let reader = File::open(at.join("staged/scan.stl")).expect("open");
    // Windows refuses to move a directory with an open file inside; Linux and Wine move it.
    let moved = RealDisk.rename(&at.join("staged"), &at.join("published"));
    let (here, gone) =
        if moved.is_ok() { ("published", "staged") } else { ("staged", "published") };
    assert_eq!(fs::read(at.join(here).join("scan.stl")).expect("there"), b"scan");
    assert!(!at.join(gone).exists());
    drop(reader);
    if here == "staged" {
        let moved = RealDisk.rename(&at.join("staged"), &at.join("published"));
        assert_eq!(moved.expect("nobody reads now"), Moved::Done);
    }
}

#[test]
fn a_state_file_that_somebody_reads_is_replaced_whole_or_stays_whole() {
    let (_dir, at) = folder();
    fs::write(at.join("state"), "old").expect("written");
    fs::write(at.join("state.new"), "new").expect("written");
    let mut reader = File::open(at.join("state")).expect("open");
    // Wine refuses; Linux and Windows 10 or later replace the file under its reader.
    let replaced = RealDisk.replace_file(&at.join("state.new"), &at.join("state"));
    let now = if replaced.is_ok() { "new" } else { "old" };
    assert_eq!(fs::read_to_string(at.join("state")).expect("there"), now);
    let mut seen = String::new();
    reader.read_to_string(&mut seen).expect("still readable");
    assert_eq!(seen, "old");
    drop(reader);
    if replaced.is_err() {
        RealDisk.replace_file(&at.join("state.new"), &at.join("state")).expect("nobody reads now");
        assert_eq!(fs::read_to_string(at.join("state")).expect("there"), "new");
    }
}

#[test]
fn a_hard_link_outlives_the_first_name() {
    let (_dir, at) = folder();
    fs::write(at.join("vendor.stl"), "scan").expect("written");
    assert!(RealDisk.hard_link(&at.join("vendor.stl"), &at.join("scan.stl")).expect("asked"));
    RealDisk.remove_file(&at.join("vendor.stl")).expect("removed");
    assert_eq!(fs::read(at.join("scan.stl")).expect("there"), b"scan");
}

#[cfg(windows)]
#[test]
fn a_file_that_a_program_keeps_to_itself_stays_until_it_lets_go() {
    use std::os::windows::fs::OpenOptionsExt as _;
    const SHARING_VIOLATION: i32 = 32;

    let (_dir, at) = folder();
    let path = at.join("scan.stl");
    fs::write(&path, "scan").expect("written");
    let holder = File::options().read(true).share_mode(0).open(&path).expect("open");
    for (call, answer) in
        [("open", RealDisk.open(&path).map(|_| ())), ("remove", RealDisk.remove_file(&path))]
    {
        let error = answer.expect_err(call);
        assert_eq!(error.source.raw_os_error(), Some(SHARING_VIOLATION), "{call}");
    }
    drop(holder);
    RealDisk.remove_file(&path).expect("nobody holds it now");
}

#[cfg(windows)]
#[test]
fn a_hidden_folder_has_the_attribute_that_explorer_looks_at() {
    use std::os::windows::fs::MetadataExt as _;
    const HIDDEN: u32 = 2;

    let (_dir, at) = folder();
    RealDisk.hide(&at).expect("hidden");
    assert_eq!(fs::metadata(&at).expect("there").file_attributes() & HIDDEN, HIDDEN);
}

// ---- processes ----

#[test]
fn a_lock_excludes_other_processes_until_its_holder_is_killed() {
    const NAME: &str = "a_lock_excludes_other_processes_until_its_holder_is_killed";
    if let Some(dir) = told_by_parent() {
        let _guard = RealDisk.try_lock(&dir.join("lock")).expect("asked").expect("free");
        ready_until_killed();
    }
    let (_dir, at) = folder();
    let holder = Other::run(NAME, &at);
    assert!(RealDisk.try_lock(&at.join("lock")).expect("asked").is_none());
    drop(holder);
    // Wait, since a system may release a dead process's locks a little later.
    drop(RealDisk.lock(&at.join("lock")).expect("free again"));
}

#[test]
fn a_killed_process_leaves_what_it_committed_and_nothing_else() {
    const NAME: &str = "a_killed_process_leaves_what_it_committed_and_nothing_else";
    if let Some(dir) = told_by_parent() {
        let writer = journal(&dir);
        writer.execute("INSERT INTO orders VALUES ('committed')", ()).expect("inserted");
        writer.execute_batch("BEGIN IMMEDIATE").expect("begun");
        writer.execute("INSERT INTO orders VALUES ('in doubt')", ()).expect("inserted");
        ready_until_killed();
    }
    let (_dir, at) = folder();
    let writer = Other::run(NAME, &at);
    let reader = journal(&at);
    assert_eq!(orders(&reader), ["committed"], "a writer does not keep readers out");
    let busy = reader.execute("INSERT INTO orders VALUES ('second')", ()).expect_err("one writer");
    assert_eq!(busy.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
    drop(writer);
    assert_eq!(orders(&reader), ["committed"]);
    reader.busy_timeout(Duration::from_secs(10)).expect("set");
    reader.execute("INSERT INTO orders VALUES ('next')", ()).expect("the writer is gone");
    drop(reader);
    assert_eq!(orders(&journal(&at)), ["committed", "next"]);
}

/// A journal opened as the store does, except that it does not wait for locks.
fn journal(dir: &Path) -> Connection {
    let journal = Connection::open(dir.join("journal.db")).expect("opened");
    journal.busy_timeout(Duration::ZERO).expect("set");
    let mode: String =
        journal.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0)).expect("asked");
    assert_eq!(mode, "wal");
    journal.execute_batch("PRAGMA synchronous = FULL").expect("set");
    let create = "CREATE TABLE IF NOT EXISTS orders (id TEXT NOT NULL)";
    journal.execute_batch(create).expect("created");
    journal
}

fn orders(journal: &Connection) -> Vec<String> {
    let mut query = journal.prepare("SELECT id FROM orders ORDER BY rowid").expect("valid");
    let rows = query.query_map((), |row| row.get(0)).expect("asked");
    rows.collect::<Result<_, _>>().expect("read")
}

const FOLDER: &str = "CASEDROP_TEST_FOLDER";
const READY: &str = "the other process is ready";

/// One test of this file in its own process; killed without warning on drop.
struct Other(Child);

impl Other {
    /// Returns once the other process has called [`ready_until_killed`].
    fn run(test: &str, folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program has a path"))
            .args(["--exact", test, "--nocapture"])
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let other = Self(child);
        let ready = output.lines().map_while(Result::ok).any(|line| line.contains(READY));
        assert!(ready, "the other process ended early");
        other
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("gone");
    }
}

fn told_by_parent() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
fn ready_until_killed() -> ! {
    println!("{READY}");
    // Exits on its own if the parent is gone.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    std::process::exit(1)
}

// ---- network ----

fn client() -> reqwest::Client {
    // Fails if another test installed it first, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

#[tokio::test]
async fn a_large_body_crosses_the_loopback_whole() {
    let body: Vec<u8> = (0..8_000_000_u32).map(|i| i.to_le_bytes()[1]).collect();
    let copy = body.clone();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let app = Router::new().route("/", get(async || copy));
    let server = tokio::spawn(axum::serve(listener, app).into_future());
    let got = client().get(format!("http://{address}/")).send().await.expect("answered");
    assert!(got.bytes().await.expect("whole") == body);
    server.abort();
}

#[tokio::test]
async fn a_body_cut_short_or_reset_is_an_error_and_never_an_end() {
    let cut: fn(&std::net::TcpStream) -> io::Result<()> = |stream| stream.shutdown(Shutdown::Both);
    let reset: fn(&std::net::TcpStream) -> io::Result<()> =
        |stream| socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
    for (name, end) in [("cut", cut), ("reset", reset)] {
        let (address, server) = serve_once(move |stream| {
            (&*stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")?;
            end(stream)
        });
        let got = client().get(format!("http://{address}/")).send().await;
        // A reset may overtake the head of the answer.
        let whole = match got {
            Ok(answer) => answer.bytes().await.is_ok(),
            Err(_) => name == "cut",
        };
        assert!(!whole, "{name}");
        server.await.expect("no panic").expect("served");
    }
}

#[tokio::test]
async fn a_silent_server_and_a_closed_port_are_told_apart() {
    let (address, server) = serve_once(|stream| {
        // Sends nothing until the client gives up.
        let _ = (&*stream).read(&mut [0])?;
        Ok(())
    });
    let url = format!("http://{address}/");
    let silent = client().get(&url).timeout(Duration::from_millis(300)).send().await;
    assert!(silent.expect_err("no answer").is_timeout());
    server.await.expect("no panic").expect("served");
    let closed = client().get(&url).send().await;
    assert!(closed.expect_err("nobody listens").is_connect());
}

type Serving = tokio::task::JoinHandle<io::Result<()>>;

/// Accepts one connection, reads the request's head and lets `answer` do the rest.
fn serve_once(
    answer: impl FnOnce(&std::net::TcpStream) -> io::Result<()> + Send + 'static,
) -> (SocketAddr, Serving) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server = tokio::task::spawn_blocking(move || {
        let (stream, _) = listener.accept()?;
        drop(listener);
        let head = BufReader::new(&stream).lines();
        for line in head {
            if line?.is_empty() {
                break;
            }
        }
        answer(&stream)
    });
    (address, server)
}
