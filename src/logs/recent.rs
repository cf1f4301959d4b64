//! The newest log lines of this process, in memory, for the status page.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Serialize, Serializer};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::model::time::WallMs;

/// Maximum numbers of lines from `info` up and of finer ones, which must not displace the others.
const LINES: usize = 2000;
const FINE_LINES: usize = 500;
/// Maximum bytes for the lines of each kind.
const BYTES: usize = 1 << 20;
/// In bytes. Longer texts are truncated.
const TEXT_MAX: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Sequence number in this process, from 1.
    pub seq: u64,
    /// Milliseconds since 1970, by the PC's clock.
    pub at_ms: i64,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    #[serde(serialize_with = "word")]
    pub level: Level,
    /// The part of the program that logged it.
    pub target: String,
    pub message: String,
    pub lab: Option<String>,
    pub order: Option<String>,
    /// Other fields as `name=value`, separated by spaces; may be empty.
    pub fields: String,
}

/// Selects lines. The default is the newest 200 from `info` up.
#[derive(Debug, Clone, Copy)]
pub struct Filter<'a> {
    /// This level or more severe.
    pub at_least: Level,
    /// Only lines about this lab.
    pub lab: Option<&'a str>,
    /// Only lines about this order.
    pub order: Option<&'a str>,
    /// Only lines that contain this text anywhere, ignoring case.
    pub contains: Option<&'a str>,
    /// Only lines after this sequence number.
    pub after: Option<u64>,
    /// Maximum number of lines: the newest are returned.
    pub limit: usize,
}

impl Default for Filter<'_> {
    fn default() -> Self {
        Self {
            at_least: Level::INFO,
            lab: None,
            order: None,
            contains: None,
            after: None,
            limit: 200,
        }
    }
}

/// A ring buffer of lines, bounded by number and bytes.
pub struct Recent {
    inner: Mutex<Inner>,
    bounds: [usize; 2],
    bytes: usize,
}

#[derive(Default)]
struct Inner {
    seq: u64,
    /// From `info` up, and finer ones.
    rings: [Ring; 2],
}

#[derive(Default)]
struct Ring {
    lines: VecDeque<Line>,
    bytes: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self::bounded([LINES, FINE_LINES], BYTES)
    }
}

impl Recent {
    fn bounded(bounds: [usize; 2], bytes: usize) -> Self {
        Self { inner: Mutex::default(), bounds, bytes }
    }

    /// Returns the matching lines, newest first.
    pub fn lines(&self, filter: &Filter<'_>) -> Vec<Line> {
        let contains = filter.contains.map(str::to_lowercase);
        let inner = self.inner();
        let mut found: Vec<Line> = Vec::new();
        for ring in &inner.rings {
            let wanted = ring.lines.iter().rev();
            let wanted =
                wanted.take_while(|line| filter.after.is_none_or(|after| line.seq > after));
            let wanted = wanted.filter(|line| is_wanted(line, filter, contains.as_deref()));
            found.extend(wanted.take(filter.limit).cloned());
        }
        found.sort_by_key(|line| std::cmp::Reverse(line.seq));
        found.truncate(filter.limit);
        found
    }

    /// The sequence number of the newest line; 0 before the first.
    pub fn newest(&self) -> u64 {
        self.inner().seq
    }

    fn push(&self, mut line: Line) {
        let mut inner = self.inner();
        inner.seq += 1;
        line.seq = inner.seq;
        let kind = usize::from(line.level > Level::INFO);
        let (most, bytes) = (self.bounds[kind], self.bytes);
        let ring = &mut inner.rings[kind];
        ring.bytes += size(&line);
        ring.lines.push_back(line);
        while ring.lines.len() > most || ring.bytes > bytes {
            let Some(gone) = ring.lines.pop_front() else { break };
            ring.bytes = ring.bytes.saturating_sub(size(&gone));
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere cannot leave it half updated.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_wanted(line: &Line, filter: &Filter<'_>, contains: Option<&str>) -> bool {
    let same = |wanted: Option<&str>, found: Option<&str>| {
        wanted.is_none_or(|wanted| found.is_some_and(|it| it.eq_ignore_ascii_case(wanted)))
    };
    let holds = |words: &str| {
        let others = [line.lab.as_deref(), line.order.as_deref()];
        let texts = [line.message.as_str(), &line.target, &line.fields];
        let mut texts = texts.into_iter().chain(others.into_iter().flatten());
        texts.any(|text| text.to_lowercase().contains(words))
    };
    line.level <= filter.at_least
        && same(filter.lab, line.lab.as_deref())
        && same(filter.order, line.order.as_deref())
        && contains.is_none_or(holds)
}

/// Approximate memory use of a line.
fn size(line: &Line) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    size_of::<Line>()
        + line.target.len()
        + line.message.len()
        + line.fields.len()
        + optional(&line.lab)
        + optional(&line.order)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn word<S: Serializer>(level: &Level, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(level.as_str())
}

/// Returns a layer that records every line in a ring buffer.
pub(super) fn layer<S: Subscriber>(into: &'static Recent, now: fn() -> WallMs) -> impl Layer<S> {
    Recorder { into, now }
}

struct Recorder {
    into: &'static Recent,
    now: fn() -> WallMs,
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let about = event.metadata();
        let mut line = Line {
            seq: 0,
            at_ms: (self.now)().0,
            level: *about.level(),
            target: about.target().to_owned(),
            message: String::new(),
            lab: None,
            order: None,
            fields: String::new(),
        };
        event.record(&mut Reader(&mut line));
        for text in [&mut line.message, &mut line.fields] {
            cut(text);
        }
        self.into.push(line);
    }
}

/// Extracts the fields of an event.
struct Reader<'a>(&'a mut Line);

impl Reader<'_> {
    fn take(&mut self, name: &str, value: String) {
        match name {
            "message" => self.0.message = value,
            "lab" => self.0.lab = Some(value),
            "order" => self.0.order = Some(value),
            // Set for libraries that use the `log` crate.
            "log.target" => self.0.target = value,
            name if name.starts_with("log.") => {}
            name => {
                let gap = if self.0.fields.is_empty() { "" } else { " " };
                // Writing to a `String` cannot fail.
                let _ = write!(self.0.fields, "{gap}{name}={value}");
            }
        }
    }
}

impl Visit for Reader<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field.name(), value.to_owned());
    }
}

fn cut(text: &mut String) {
    if text.len() > TEXT_MAX {
        let end = (0..=TEXT_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
#[path = "recent_tests.rs"]
mod tests;
