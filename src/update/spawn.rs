//! Starts versions of the program: to ask for their version, or as the keeper's child.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::protocol::{self, ChildMessage, Order};

/// Timeout for a program that is asked for its version.
const ASKED: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);
/// The answer is short.
const ANSWER_MAX: u64 = 1024;
/// A child's messages are short; a longer line is not a message.
const LINE_MAX: u64 = 64 << 10;
/// Another thread's new child may briefly hold a freshly written program open.
const BUSY_TRIES: u32 = 50;

/// Asks a program for its version.
///
/// # Errors
/// In words: it cannot be started, does not answer in time, or fails.
pub fn ask_version(program: &Path) -> Result<String, String> {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = patiently(&mut command)?;
    let (tell, told) = std::sync::mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut text = String::new();
            // Anything that is not text is not a version.
            let _ = stdout.take(ANSWER_MAX).read_to_string(&mut text);
            let _ = tell.send(text);
        });
    }
    let began = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() < ASKED => std::thread::sleep(LOOK),
            looked => {
                end(&mut child);
                return Err(match looked {
                    Err(error) => format!("cannot determine how it ended: {error}"),
                    Ok(_) => format!("it said nothing for {} s", ASKED.as_secs()),
                });
            }
        }
    };
    if !status.success() {
        return Err(format!("it ended with {status}"));
    }
    let text = told.recv_timeout(ASKED).unwrap_or_default();
    Ok(text.trim().to_owned())
}

/// A running child of the keeper. Dropping it kills it.
pub struct ChildProcess {
    child: Child,
    stdin: Option<ChildStdin>,
    words: mpsc::UnboundedReceiver<ChildMessage>,
}

impl ChildProcess {
    pub fn start(program: &Path, args: &[OsString]) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
        // The keeper talks to the service manager.
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
            command.env_remove(name);
        }
        let mut child = patiently(&mut command)?;
        let (tell, words) = mpsc::unbounded_channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stdout);
                let mut line = Vec::new();
                loop {
                    line.clear();
                    match (&mut lines).take(LINE_MAX).read_until(b'\n', &mut line) {
                        Ok(0) | Err(_) => return,
                        Ok(_) => {}
                    }
                    let said = std::str::from_utf8(&line).ok().and_then(protocol::said);
                    if let Some(said) = said
                        && tell.send(said).is_err()
                    {
                        // No one listens, but that must not block the child.
                        let _ = io::copy(&mut lines, &mut io::sink());
                        return;
                    }
                }
            });
        }
        let stdin = child.stdin.take();
        Ok(Self { child, stdin, words })
    }

    /// Receives the next message; `None` once there are no more.
    pub async fn word(&mut self) -> Option<ChildMessage> {
        self.words.recv().await
    }

    /// Sends it a message. A child that does not listen is noticed by other means.
    pub fn tell(&mut self, order: Order) {
        if let Some(stdin) = &mut self.stdin {
            let told = writeln!(stdin, "{}", protocol::line(&order)).and_then(|()| stdin.flush());
            if let Err(error) = told {
                tracing::debug!("the agent did not receive a message: {error}");
            }
        }
    }

    /// Asks it to stop, with a message and by closing its input.
    pub fn stop(&mut self) {
        self.tell(Order::Stop);
        self.stdin = None;
    }

    /// Returns whether it has ended, and its exit status if it has one.
    pub fn ended(&mut self) -> Option<Option<i32>> {
        match self.child.try_wait() {
            Ok(Some(status)) => Some(status.code()),
            Ok(None) => None,
            Err(error) => {
                tracing::warn!("cannot determine the agent's state: {error}");
                Some(None)
            }
        }
    }

    /// Kills it and waits for it to end.
    pub fn kill(&mut self) {
        end(&mut self.child);
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.kill();
        }
    }
}

fn end(child: &mut Child) {
    // It may have exited in the meantime.
    let _ = child.kill();
    if let Err(error) = child.wait() {
        tracing::debug!("cannot determine how a program ended: {error}");
    }
}

fn patiently(command: &mut Command) -> Result<Child, String> {
    let mut tries = 0;
    loop {
        match command.spawn() {
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES =>
            {
                tries += 1;
                std::thread::sleep(LOOK);
            }
            spawned => return spawned.map_err(|error| error.to_string()),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn script(dir: &Path, text: &str) -> std::path::PathBuf {
        let path = dir.join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("set");
        path
    }

    #[test]
    fn a_program_says_which_version_it_is_or_why_not() {
        let dir = tempfile::tempdir().expect("tempdir");
        let good = script(dir.path(), "echo casedrop 1.2.3");
        assert_eq!(ask_version(&good), Ok("casedrop 1.2.3".to_owned()));
        let bad = script(dir.path(), "exit 7");
        assert!(ask_version(&bad).expect_err("it fails").contains('7'));
        assert!(ask_version(&dir.path().join("none")).is_err());
    }

    #[tokio::test]
    async fn a_child_is_heard_told_and_ended() {
        let dir = tempfile::tempdir().expect("tempdir");
        let talk = r#"echo '{"say":"ready"}'; echo noise; read line; echo "{\"say\":\"at-work\",\"is\":true}"; cat >/dev/null; exit 3"#;
        let mut kid = ChildProcess::start(&script(dir.path(), talk), &[]).expect("started");
        assert_eq!(kid.word().await, Some(ChildMessage::Ready));
        assert_eq!(kid.ended(), None);
        kid.tell(Order::Passed);
        assert_eq!(kid.word().await, Some(ChildMessage::AtWork { is: true }));
        kid.stop();
        assert_eq!(kid.word().await, None);
        let ended = loop {
            if let Some(ended) = kid.ended() {
                break ended;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(ended, Some(3));
    }
}
