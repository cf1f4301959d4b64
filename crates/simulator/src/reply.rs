//! Responses, and how they are sent when a fault is injected.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;

use casedrop_disk::Disk;

use super::conn::Breaker;
use super::faults::FaultKind;
use super::spool::{Reader, Spooled};

const CHUNK: u64 = 1 << 16;

/// How long the bytes already sent get to arrive before a connection is broken.
const SETTLE: Duration = Duration::from_millis(150);

pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Box<Payload>,
}

pub(super) struct Payload {
    pub(super) bytes: Spooled,
    pub(super) offset: u64,
    pub(super) len: u64,
    /// Whether to announce the length.
    pub(super) announced: bool,
    /// Called just before the last bytes are sent, so that a client that has them all sees its
    /// effect.
    pub(super) done: Option<Box<dyn FnOnce() + Send>>,
}

impl Payload {
    fn small(bytes: Bytes) -> Self {
        let len = bytes.len() as u64;
        Self { bytes: Spooled::Memory(bytes), offset: 0, len, announced: true, done: None }
    }
}

impl Reply {
    pub(super) fn json(status: StatusCode, body: &Value) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    pub(super) fn html(status: StatusCode, body: String) -> Self {
        Self::text(status, "text/html; charset=utf-8", body)
    }

    pub(super) fn text(status: StatusCode, kind: &str, body: String) -> Self {
        let headers = vec![(header::CONTENT_TYPE, kind.to_owned())];
        Self { status, headers, body: Box::new(Payload::small(body.into())) }
    }

    /// An error from the service.
    pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Self {
        Self::json(status, &super::wire::error(code, message))
    }

    pub(super) fn redirect(location: String) -> Self {
        Self::text(StatusCode::FOUND, "text/plain", String::new()).with(header::LOCATION, location)
    }

    /// Adds a header.
    #[must_use]
    pub(super) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Turns this into a response whose body behaves as the fault says.
    pub(super) fn send(
        self,
        fault: Option<&FaultKind>,
        breaker: &Breaker,
        disk: &Arc<dyn Disk>,
    ) -> Response<Body> {
        let plan = Plan::new(self.body.len, fault);
        let announced = self.body.announced.then_some(plan.announced);
        let (sender, mut receiver) = mpsc::channel(1);
        let pump = Pump { payload: self.body, plan, breaker: breaker.clone(), disk: disk.clone() };
        tokio::spawn(pump.run(sender));
        let stream = futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx));
        let mut response = Response::new(Body::from_stream(stream));
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(name, value);
            }
        }
        if let Some(length) = announced {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    Reset,
    Close,
    Stall,
}

/// How to send a body.
#[derive(Debug)]
struct Plan {
    announced: u64,
    sent: u64,
    end: End,
    corrupt: Option<u64>,
    per_second: Option<u64>,
}

impl Plan {
    fn new(len: u64, fault: Option<&FaultKind>) -> Self {
        let mut plan =
            Self { announced: len, sent: len, end: End::Complete, corrupt: None, per_second: None };
        let mut stop = |after: u64, end: End| {
            if after < len {
                plan.sent = after;
                plan.end = end;
            }
        };
        match fault.cloned() {
            Some(FaultKind::Reset { after_bytes }) => stop(after_bytes, End::Reset),
            Some(FaultKind::Stall { after_bytes }) => stop(after_bytes, End::Stall),
            Some(FaultKind::Truncate { after_bytes, announce_short: false }) => {
                stop(after_bytes, End::Close);
            }
            Some(FaultKind::Truncate { after_bytes, announce_short: true }) => {
                stop(after_bytes, End::Complete);
                plan.announced = plan.sent;
            }
            Some(FaultKind::WrongLength { by }) => {
                plan.announced = len.saturating_add_signed(by);
                plan.sent = len.min(plan.announced);
                if by > 0 {
                    plan.end = End::Close;
                }
            }
            Some(FaultKind::Slow { bytes_per_second }) => {
                plan.per_second = Some(bytes_per_second.max(1));
            }
            Some(FaultKind::Corrupt { at }) => plan.corrupt = Some(at),
            _ => {}
        }
        plan
    }
}

/// Moves a body to the connection.
struct Pump {
    payload: Box<Payload>,
    plan: Plan,
    breaker: Breaker,
    disk: Arc<dyn Disk>,
}

impl Pump {
    async fn run(self, sender: mpsc::Sender<io::Result<Bytes>>) {
        let Self { payload, plan, breaker, disk } = self;
        let mut done = payload.done;
        let in_memory = matches!(payload.bytes, Spooled::Memory(_));
        let mut reader = match payload.bytes.open(&*disk, payload.offset) {
            Ok(reader) => reader,
            Err(error) => {
                let _ = sender.send(Err(error)).await;
                return;
            }
        };
        let mut sent = 0;
        while sent < plan.sent {
            let step = plan.per_second.map_or(CHUNK, |rate| (rate / 20).clamp(1, CHUNK));
            let wanted = step.min(plan.sent - sent);
            let read = if in_memory {
                chunk(reader, wanted)
            } else {
                let reading = tokio::task::spawn_blocking(move || chunk(reader, wanted)).await;
                reading.unwrap_or_else(|error| Err(io::Error::other(error)))
            };
            let mut bytes = match read {
                Ok((back, bytes)) => {
                    reader = back;
                    bytes
                }
                Err(error) => {
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            };
            let position = payload.offset + sent;
            if let Some(byte) = plan
                .corrupt
                .and_then(|at| usize::try_from(at.checked_sub(position)?).ok())
                .and_then(|index| bytes.get_mut(index))
            {
                *byte ^= 0xff;
            }
            sent += bytes.len() as u64;
            if let Some(rate) = plan.per_second {
                let micros = bytes.len() as u64 * 1_000_000 / rate;
                tokio::time::sleep(Duration::from_micros(micros)).await;
            }
            // A slot becomes free once the connection has taken the previous bytes.
            let Ok(slot) = sender.reserve().await else { return };
            if sent == plan.sent
                && plan.end == End::Complete
                && let Some(done) = done.take()
            {
                done();
            }
            slot.send(Ok(bytes.into()));
        }
        if plan.end != End::Complete {
            finish(plan.end, &breaker, &sender).await;
        }
    }
}

async fn finish(end: End, breaker: &Breaker, sender: &mpsc::Sender<io::Result<Bytes>>) {
    if end == End::Stall {
        sender.closed().await;
        return;
    }
    tokio::time::sleep(SETTLE).await;
    if end == End::Reset {
        breaker.reset();
    }
    let _ = sender.send(Err(io::Error::other("the body ends here on purpose"))).await;
}

/// Reads the next bytes; too few are an error, since the length was measured.
fn chunk(mut reader: Reader, wanted: u64) -> io::Result<(Reader, Vec<u8>)> {
    let mut bytes = vec![0; usize::try_from(wanted).map_err(io::Error::other)?];
    reader.read_exact(&mut bytes)?;
    Ok((reader, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_what_is_announced_and_what_is_sent() {
        let plan = |fault| {
            let plan = Plan::new(100, Some(&fault));
            (plan.announced, plan.sent, plan.end)
        };
        let truncate = |announce_short| FaultKind::Truncate { after_bytes: 40, announce_short };
        assert_eq!(plan(FaultKind::Reset { after_bytes: 40 }), (100, 40, End::Reset));
        assert_eq!(plan(truncate(false)), (100, 40, End::Close));
        assert_eq!(plan(truncate(true)), (40, 40, End::Complete));
        assert_eq!(plan(FaultKind::WrongLength { by: 5 }), (105, 100, End::Close));
        assert_eq!(plan(FaultKind::WrongLength { by: -5 }), (95, 95, End::Complete));
        assert_eq!(plan(FaultKind::Stall { after_bytes: 400 }), (100, 100, End::Complete));
    }
}
