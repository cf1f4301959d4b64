//! The format of lines on standard error. Under systemd each line starts with its priority.

use std::io::{self, Write};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::{Format, JsonFields, Writer};
use tracing_subscriber::fmt::{self, FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

/// Returns the layer for standard error.
pub(super) fn stderr<S>(json: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = fmt::layer().with_ansi(false).with_writer(Stderr);
    let plain = Format::default().with_ansi(false);
    match (json, has_ranks()) {
        (false, false) => layer.boxed(),
        // The systemd journal adds the time itself.
        (false, true) => layer.event_format(Ranked(plain.without_time())).boxed(),
        (true, false) => layer.json().boxed(),
        (true, true) => {
            layer.fmt_fields(JsonFields::new()).event_format(Ranked(plain.json())).boxed()
        }
    }
}

/// Whether standard error goes to the systemd journal.
pub(super) fn has_ranks() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some()
}

/// The priority prefix of a line, as defined by `sd-daemon(3)`.
pub(super) fn rank(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        _ => "<7>",
    }
}

/// Puts an event on one line, so that quoted text cannot pose as a line of its own.
pub(super) fn one_line(text: &[u8]) -> Vec<u8> {
    let end = text.len() - usize::from(text.ends_with(b"\n"));
    let mut line = Vec::with_capacity(text.len() + 1);
    for byte in &text[..end] {
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            0x1b => line.extend_from_slice(b"\\x1b"),
            other => line.push(*other),
        }
    }
    line.push(b'\n');
    line
}

#[derive(Clone, Copy)]
struct Stderr;

impl MakeWriter<'_> for Stderr {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}

impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(&one_line(text))?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Adds priorities for the systemd journal.
struct Ranked<F>(F);

impl<S, N, F> FormatEvent<S, N> for Ranked<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        writer.write_str(rank(*event.metadata().level()))?;
        self.0.format_event(context, writer, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_several_lines_is_one_line() {
        assert_eq!(one_line(b"a\nERROR b\r\n"), b"a\\nERROR b\\r\n");
        assert_eq!(one_line(b"a"), b"a\n");
        assert_eq!(one_line(b""), b"\n");
    }

    #[test]
    fn what_needs_a_person_has_the_rank_of_an_error() {
        assert_eq!((rank(Level::ERROR), rank(Level::WARN)), ("<3>", "<4>"));
        assert_eq!((rank(Level::INFO), rank(Level::TRACE)), ("<6>", "<7>"));
    }
}
