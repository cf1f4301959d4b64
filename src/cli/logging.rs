//! Where log lines go.

use std::str::FromStr as _;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogConfig;

/// Logs to standard error as the config says. For the agent whose standard error nobody watches.
pub(super) fn as_configured(log: &LogConfig) {
    let filter = EnvFilter::from_str(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    start(filter, log.json);
}

/// Only what is out of the ordinary; a person watches, and is told the rest in plain lines.
pub(super) fn for_people() {
    start(EnvFilter::new("warn,casedrop::sync::notice=off"), false);
}

/// Logs to standard error where nobody says how.
pub(super) fn plain() {
    start(EnvFilter::new("info"), false);
}

fn start(filter: EnvFilter, json: bool) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    // A second start in one process, as in tests, keeps the first.
    let _ = if json {
        builder.json().try_init()
    } else if std::env::var_os("JOURNAL_STREAM").is_some() {
        builder.event_format(Ranked(Format::default().with_ansi(false).without_time())).try_init()
    } else {
        builder.try_init()
    };
}

/// Lines for systemd's journal: each begins with how grave it is, as `sd-daemon(3)` says. The journal
/// knows the time itself.
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

fn rank(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        _ => "<7>",
    }
}
