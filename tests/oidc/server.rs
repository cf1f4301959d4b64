//! The server, in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use super::SECRET;
use super::browser::{self, Answer};

/// A running oidc-provider.
pub(crate) struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Starts a server with one client, this redirect URL, and access tokens that expire after
    /// `seconds`.
    pub(crate) fn start(redirect: &str, seconds: u64) -> Self {
        let of = |name: &str| {
            std::env::var_os(name)
                .unwrap_or_else(|| panic!("{name} is not set: run .ci/oidc.sh test"))
        };
        let mut process = Command::new(of("OIDC_TEST_NODE"))
            .arg(of("OIDC_TEST_SERVER"))
            .arg(redirect)
            .arg(seconds.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let port = loop {
            let line = lines.next().expect("the server starts").expect("readable");
            if let Some(port) = line.strip_prefix("listening ") {
                break port.parse().expect("a port");
            }
        };
        // Drain the rest of its output, so that it never blocks.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { process, port }
    }

    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the answer to a form sent with the client's credentials.
    pub(crate) fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let client = [("client_id", "casedrop-test"), ("client_secret", SECRET)];
        let form: Vec<_> = form.iter().chain(&client).copied().collect();
        browser::post(&format!("{}{path}", self.base()), &form, "")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
