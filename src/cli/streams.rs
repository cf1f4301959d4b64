//! Where a command reads from and writes to.

use std::io::{self, BufRead, IsTerminal, Write};

use serde::Serialize;

use super::outcome::{CliError, Exit};

/// Programs that this one starts get the streams that they are given and no others: one that outlives
/// it would hold them open for whoever reads them to their end.
#[cfg(windows)]
pub(super) fn keep_from_children() {
    use std::os::windows::io::AsRawHandle as _;

    use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};

    let streams =
        [io::stdin().as_raw_handle(), io::stdout().as_raw_handle(), io::stderr().as_raw_handle()];
    for stream in streams {
        #[expect(unsafe_code, reason = "std has no call for it; a handle that is none is refused")]
        // What has no streams, such as a service, has none to lend.
        let _ = unsafe { SetHandleInformation(stream, HANDLE_FLAG_INHERIT, 0) };
    }
}

/// Elsewhere they do not inherit them.
#[cfg(not(windows))]
pub(super) fn keep_from_children() {}

/// The streams of one command. Results go to `out`, messages to `err`.
pub struct Streams {
    /// Standard output: results only, so that programs can read them.
    pub out: Box<dyn Write + Send>,
    /// Standard error: messages for people.
    pub err: Box<dyn Write + Send>,
    /// Standard input.
    pub input: Box<dyn BufRead + Send>,
    /// Whether results are written as JSON.
    pub json: bool,
    /// Whether a person watches standard error, so that progress bars make sense.
    pub terminal: bool,
}

impl Streams {
    /// The process's own streams.
    pub fn process(json: bool) -> Self {
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            input: Box::new(io::BufReader::new(io::stdin())),
            json,
            terminal: io::stderr().is_terminal(),
        }
    }

    /// Writes one line of results.
    pub fn line(&mut self, text: impl AsRef<str>) -> Result<(), CliError> {
        writeln!(self.out, "{}", text.as_ref())
            .and_then(|()| self.out.flush())
            .map_err(|e| broken_pipe(&e))
    }

    /// Writes a result as JSON.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| CliError::new(Exit::Failed, format!("cannot write JSON: {error}")))?;
        self.line(text)
    }

    /// Writes a message for people. A message that cannot be written is no reason to fail.
    pub fn note(&mut self, text: impl AsRef<str>) {
        let _ = writeln!(self.err, "{}", text.as_ref());
    }
}

fn broken_pipe(error: &io::Error) -> CliError {
    CliError::new(Exit::Failed, format!("cannot write to standard output: {error}"))
}
