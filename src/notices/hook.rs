//! Runs a program for one order: the order as JSON on standard input, a few environment variables,
//! no shell, a timeout. It blocks, so give it a thread of its own.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// The log target of a program's output: it may name people, so the support bundle leaves it out.
pub const SAID: &str = "casedrop::notices::hook::said";

/// Bytes kept of each of a program's two output streams.
const KEPT: u64 = 4096;
/// How often to check whether the program has ended.
const LOOK: Duration = Duration::from_millis(20);
/// How long a program may keep running when the agent shuts down.
const GRACE: Duration = Duration::from_secs(2);
/// How long to wait for its remaining output. What it started may hold the streams open forever.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// With this many streams held open, no further output is read.
const MOST_HELD: usize = 32;
/// Variables of the agent's service manager, which do not concern a hook.
const OF_THE_SERVICE: [&str; 5] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "CREDENTIALS_DIRECTORY", "LISTEN_FDS"];
/// Variables with this prefix may hold secrets of the config.
const OWN: &str = "CASEDROP_";

/// A program to run.
pub struct Hook {
    program: PathBuf,
    args: Vec<String>,
    timeout: Duration,
    held: Arc<AtomicUsize>,
}

/// The outcome of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ran {
    /// It exited with status 0.
    Well,
    /// It could not be started, exited otherwise, or timed out.
    Failed(String),
    /// The agent was shutting down, and the program was killed.
    Stopped,
}

impl Hook {
    /// Creates a hook from the program's absolute path and its arguments. It is killed after
    /// `timeout`.
    pub fn new(program: PathBuf, args: Vec<String>, timeout: Duration) -> Self {
        Self { program, args, timeout, held: Arc::default() }
    }

    /// Runs the program to completion.
    pub fn run(
        &self,
        input: Vec<u8>,
        variables: Vec<(String, OsString)>,
        is_stopped: &dyn Fn() -> bool,
    ) -> Ran {
        let shown = self.program.display();
        let listen = self.held.load(Ordering::SeqCst) < MOST_HELD;
        let mut child = match self.command(variables, listen).spawn() {
            Ok(child) => child,
            Err(error) => return Ran::Failed(format!("cannot start {shown}: {error}")),
        };
        // A program that reads nothing must not block us.
        if let Some(mut stdin) = child.stdin.take() {
            std::thread::spawn(move || {
                if let Err(error) = stdin.write_all(&input)
                    && error.kind() != ErrorKind::BrokenPipe
                {
                    tracing::debug!("the hook did not read its input: {error}");
                }
            });
        }
        let words = [
            child.stdout.take().map(|stream| self.listen(stream)),
            child.stderr.take().map(|stream| self.listen(stream)),
        ];
        let ran = self.wait(&mut child, is_stopped);
        for (name, words) in ["output", "errors"].iter().zip(words) {
            let said = words.map_or(Ok(String::new()), |words| words.recv_timeout(LAST_WORDS));
            match said {
                Ok(said) if said.is_empty() => {}
                Ok(said) => tracing::debug!(target: SAID, "{name} of the hook: {said}"),
                Err(RecvTimeoutError::Timeout) => {
                    tracing::debug!("a program started by the hook keeps its {name} open");
                }
                Err(RecvTimeoutError::Disconnected) => {}
            }
        }
        ran
    }

    fn command(&self, variables: Vec<(String, OsString)>, listen: bool) -> Command {
        let stream = || if listen { Stdio::piped() } else { Stdio::null() };
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::piped()).stdout(stream()).stderr(stream());
        // An order's folder would be held open as the current folder.
        if let Some(folder) = self.program.parent() {
            command.current_dir(folder);
        }
        for (name, _) in std::env::vars_os() {
            if is_private(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        command.envs(variables);
        apart(&mut command);
        command
    }

    fn wait(&self, child: &mut Child, is_stopped: &dyn Fn() -> bool) -> Ran {
        let began = Instant::now();
        let mut stopped: Option<Instant> = None;
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ran::Well,
                Ok(Some(status)) => return Ran::Failed(ended(&self.program.display(), status)),
                Ok(None) => {}
                Err(error) => {
                    end(child);
                    let shown = self.program.display();
                    return Ran::Failed(format!("cannot determine how {shown} ended: {error}"));
                }
            }
            if stopped.is_none() && is_stopped() {
                stopped = Some(Instant::now());
            }
            if stopped.is_some_and(|at| at.elapsed() >= GRACE) {
                end(child);
                return Ran::Stopped;
            }
            if began.elapsed() >= self.timeout {
                end(child);
                let (shown, limit) = (self.program.display(), self.timeout.as_secs_f64());
                return Ran::Failed(format!(
                    "{shown} did not finish within {limit} s and was stopped"
                ));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Reads a stream to its end and returns its beginning.
    fn listen(&self, mut stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
        let (tell, told) = mpsc::channel();
        let held = Arc::clone(&self.held);
        held.fetch_add(1, Ordering::SeqCst);
        std::thread::spawn(move || {
            let mut words = Vec::new();
            // A broken stream has ended.
            let _ = (&mut stream).take(KEPT).read_to_end(&mut words);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
            held.fetch_sub(1, Ordering::SeqCst);
            // If it took too long, no one is waiting anymore.
            let _ = tell.send(String::from_utf8_lossy(&words).trim().to_owned());
        });
        told
    }
}

/// Whether a variable of the agent's own environment is withheld from the program. Names are
/// case-insensitive on Windows.
fn is_private(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name.starts_with(OWN) || OF_THE_SERVICE.contains(&name.as_str())
}

fn ended(shown: &dyn std::fmt::Display, status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("{shown} ended with status {code}"),
        None => format!("{shown} was killed by a signal"),
    }
}

/// Gives the program a process group of its own, so that all of it can be killed.
#[cfg(unix)]
fn apart(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

/// Suppresses the console window.
#[cfg(windows)]
fn apart(command: &mut Command) {
    use std::os::windows::process::CommandExt as _;
    /// `CREATE_NO_WINDOW` (Microsoft Learn, "Process Creation Flags").
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    command.creation_flags(CREATE_NO_WINDOW);
}

/// Kills the program and everything it started.
fn end(child: &mut Child) {
    end_all(child);
    // It may have exited in the meantime.
    let _ = child.kill();
    if let Err(error) = child.wait() {
        tracing::debug!("cannot determine how the hook ended: {error}");
    }
}

#[cfg(unix)]
fn end_all(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return };
    // The whole group may already be gone.
    let _ = kill_process_group(group, Signal::KILL);
}

#[cfg(windows)]
fn end_all(child: &Child) {
    let root = std::env::var_os("SystemRoot").unwrap_or_else(|| r"C:\Windows".into());
    let tool = PathBuf::from(root).join("System32").join("taskkill.exe");
    let mut command = Command::new(tool);
    command.args(["/T", "/F", "/PID"]).arg(child.id().to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    apart(&mut command);
    // If this fails, the program itself is still killed.
    let _ = command.status();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_agents_own_environment_is_handed_on() {
        for name in ["CASEDROP_LABS__0__CLIENT_SECRET", "casedrop_config", "NOTIFY_SOCKET"] {
            assert!(is_private(name), "{name}");
        }
        for name in ["PATH", "SystemRoot", "HOME", "MY_CASEDROP_THING"] {
            assert!(!is_private(name), "{name}");
        }
    }

    #[test]
    fn a_program_that_cannot_be_started_is_named() {
        let dir = tempfile::tempdir().expect("tempdir");
        let hook = Hook::new(dir.path().join("none.exe"), Vec::new(), Duration::from_secs(9));
        match hook.run(Vec::new(), Vec::new(), &|| false) {
            Ran::Failed(why) => assert!(why.contains("none.exe"), "{why}"),
            other => panic!("{other:?}"),
        }
    }

    #[cfg(unix)]
    fn shell(script: &str, timeout: Duration) -> Hook {
        Hook::new("/bin/sh".into(), vec!["-c".to_owned(), script.to_owned()], timeout)
    }

    #[cfg(unix)]
    #[test]
    fn a_program_gets_its_input_and_variables_and_its_status_counts() {
        let long = Duration::from_secs(60);
        let script = "test \"$(cat)\" = hello && test \"$CASEDROP_ORDER\" = 17 && exit 3";
        let variables = vec![("CASEDROP_ORDER".to_owned(), "17".into())];
        let ran = shell(script, long).run(b"hello".to_vec(), variables, &|| false);
        assert_eq!(ran, Ran::Failed("/bin/sh ended with status 3".to_owned()));
        // A program that ignores a long input and prints a lot does no harm.
        let input = vec![b'x'; 4 << 20];
        let ran = shell("seq 100000", long).run(input, Vec::new(), &|| false);
        assert_eq!(ran, Ran::Well);
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_hangs_is_ended_with_all_that_it_started() {
        let dir = tempfile::tempdir().expect("tempdir");
        let pid = dir.path().join("pid");
        let script = format!("sleep 600 & echo $! > '{}'; wait", pid.display());
        let ran = shell(&script, Duration::from_millis(500)).run(Vec::new(), Vec::new(), &|| false);
        assert!(matches!(&ran, Ran::Failed(why) if why.contains("did not finish")), "{ran:?}");
        let child: i32 =
            std::fs::read_to_string(pid).expect("written").trim().parse().expect("a number");
        let child = rustix::process::Pid::from_raw(child).expect("a process");
        let began = Instant::now();
        // The orphan is reaped by whichever process adopts it.
        while rustix::process::test_kill_process(child).is_ok() {
            assert!(began.elapsed() < Duration::from_secs(30), "it goes on");
            std::thread::sleep(LOOK);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_stop_ends_the_program_after_a_short_grace() {
        let began = Instant::now();
        let ran =
            shell("sleep 600", Duration::from_secs(600)).run(Vec::new(), Vec::new(), &|| true);
        assert_eq!(ran, Ran::Stopped);
        assert!(began.elapsed() >= GRACE);
        let ran = shell("exit 0", Duration::from_secs(600)).run(Vec::new(), Vec::new(), &|| true);
        assert_eq!(ran, Ran::Well, "one that ends in time is not lost");
    }
}
