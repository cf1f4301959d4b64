//! Where a command reads from and writes to.

use std::io::{self, BufRead, IsTerminal, Write};

use serde::Serialize;

use super::outcome::{CliError, Exit};

/// Keeps our standard streams from being inherited. Child programs get only the streams they are
/// given: one that outlives us would hold ours open for whoever reads them to the end.
#[cfg(windows)]
pub(super) fn keep_from_children() {
    use std::os::windows::io::AsRawHandle as _;

    use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};

    let streams =
        [io::stdin().as_raw_handle(), io::stdout().as_raw_handle(), io::stderr().as_raw_handle()];
    for stream in streams {
        #[expect(unsafe_code, reason = "std has no call for it; a handle that is none is refused")]
        // A process without streams, such as a service, has none to pass on.
        let _ = unsafe { SetHandleInformation(stream, HANDLE_FLAG_INHERIT, 0) };
    }
}

/// Other systems do not pass them on.
#[cfg(not(windows))]
pub(super) fn keep_from_children() {}

/// The streams of one command. Results go to `out`, messages to `err`.
pub struct Streams {
    /// Standard output: results only, so that programs can read them.
    pub out: Box<dyn Write + Send>,
    /// Standard error: messages for people.
    pub err: Box<dyn Write + Send>,
    pub input: Box<dyn BufRead + Send>,
    /// Whether to write results as JSON.
    pub json: bool,
    /// Whether a person watches standard error, so that progress bars make sense.
    pub terminal: bool,
}

impl Streams {
    pub fn process(json: bool) -> Self {
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            input: Box::new(io::BufReader::new(io::stdin())),
            json,
            terminal: io::stderr().is_terminal(),
        }
    }

    pub fn line(&mut self, text: impl AsRef<str>) -> Result<(), CliError> {
        writeln!(self.out, "{}", text.as_ref())
            .and_then(|()| self.out.flush())
            .map_err(|e| broken_pipe(&e))
    }

    pub fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| CliError::new(Exit::Failed, format!("cannot write JSON: {error}")))?;
        self.line(text)
    }

    /// Writes a message for people. Failing to write one is no error.
    pub fn note(&mut self, text: impl AsRef<str>) {
        let _ = writeln!(self.err, "{}", text.as_ref());
    }
}

fn broken_pipe(error: &io::Error) -> CliError {
    CliError::new(Exit::Failed, format!("cannot write to standard output: {error}"))
}
