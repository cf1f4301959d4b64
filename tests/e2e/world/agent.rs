//! A running agent process and its log.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use super::started;

/// A running agent. Dropping it kills it.
pub struct Agent {
    child: Option<Child>,
    log: Option<JoinHandle<String>>,
}

impl Agent {
    pub fn of(mut command: Command) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = started(|| command.spawn());
        let log = BufReader::new(child.stderr.take().expect("piped"));
        let log = std::thread::spawn(move || {
            log.lines().map_while(Result::ok).collect::<Vec<_>>().join("\n")
        });
        Self { child: Some(child), log: Some(log) }
    }

    /// Kills it at once, as a power cut would. Returns its log.
    pub fn kill(mut self) -> String {
        let mut child = self.child.take().expect("running");
        child.kill().expect("killed");
        child.wait().expect("ended");
        self.log()
    }

    /// Asks it to stop and waits until it has. Returns its exit code and log.
    #[cfg(unix)]
    pub fn stop(mut self) -> (Option<i32>, String) {
        let mut child = self.child.take().expect("running");
        let id = i32::try_from(child.id()).expect("a process id");
        let process = rustix::process::Pid::from_raw(id).expect("a process id");
        rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("signalled");
        let code = child.wait().expect("ended").code();
        (code, self.log())
    }

    pub fn is_running(&mut self) -> bool {
        let child = self.child.as_mut().expect("running");
        child.try_wait().expect("asked").is_none()
    }

    /// Waits until it exits on its own. Returns its exit code and log.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let mut child = self.child.take().expect("running");
        let code = child.wait().expect("ended").code();
        (code, self.log())
    }

    #[cfg(target_os = "linux")]
    pub fn id(&self) -> u32 {
        self.child.as_ref().expect("running").id()
    }

    fn log(&mut self) -> String {
        self.log.take().expect("running").join().expect("readable")
    }
}

#[expect(clippy::print_stderr, reason = "a failing test shows what the agent said")]
impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have exited already.
            let _ = child.kill();
            let _ = child.wait();
            if std::thread::panicking() {
                eprintln!("--- the agent's log\n{}\n---", self.log());
            }
        }
    }
}
