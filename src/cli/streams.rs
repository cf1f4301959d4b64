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

    /// Writes a line of the result. If the reader is gone, as after `| head`, the command carries
    /// on without one, so that its exit status still says how it went.
    pub fn line(&mut self, text: impl AsRef<str>) -> Result<(), CliError> {
        match writeln!(self.out, "{}", text.as_ref()).and_then(|()| self.out.flush()) {
            Err(error) if is_unread(&error) => self.out = Box::new(io::sink()),
            result => result.map_err(|error| cannot_write(&error))?,
        }
        Ok(())
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

/// Whether the other end of a pipe was closed. Windows also says 232: the pipe is being closed.
fn is_unread(error: &io::Error) -> bool {
    let is_closing = cfg!(windows) && error.raw_os_error() == Some(232);
    is_closing || error.kind() == io::ErrorKind::BrokenPipe
}

fn cannot_write(error: &io::Error) -> CliError {
    CliError::new(Exit::Failed, "cannot write to standard output").cause(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails(io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn to(kind: io::ErrorKind) -> Streams {
        Streams {
            out: Box::new(Fails(kind)),
            err: Box::new(io::sink()),
            input: Box::new(io::empty()),
            json: false,
            terminal: false,
        }
    }

    #[test]
    fn a_reader_that_is_gone_is_no_error_and_a_full_disk_is_one() {
        let mut unread = to(io::ErrorKind::BrokenPipe);
        assert!(unread.line("1").is_ok() && unread.line("2").is_ok());
        assert!(to(io::ErrorKind::StorageFull).line("1").is_err());
    }
}
