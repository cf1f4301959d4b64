//! Outages: what the agent's calls meet while Align, or the way there, is down as a whole.

use std::time::Duration;

use casedrop::model::fault::{Fault, FaultClass};

use super::faults::HOST;

/// One way in which everything fails alike.
#[derive(Debug, Clone, Copy)]
pub struct Outage {
    pub name: &'static str,
    /// Whether only downloads fail, while lists and questions are answered as usual.
    pub spares_lists: bool,
    /// How long a call takes to fail, in milliseconds.
    pub takes: u64,
    class: FaultClass,
    code: &'static str,
    retry_after: Option<u64>,
}

const fn all(name: &'static str, code: &'static str, takes: u64) -> Outage {
    let class = FaultClass::Transient;
    Outage { name, spares_lists: false, takes, class, code, retry_after: None }
}

const fn downloads(
    name: &'static str,
    class: FaultClass,
    code: &'static str,
    takes: u64,
) -> Outage {
    Outage { name, spares_lists: true, takes, class, code, retry_after: None }
}

/// The agent's default stall timeout in milliseconds.
const STALL: u64 = 60_000;
/// The agent's connect timeout in milliseconds.
const CONNECT: u64 = 20_000;

pub const ALL: [Outage; 14] = [
    all("nobody listens", "connect", 3),
    all("no way to the server", "connect", CONNECT),
    all("the name is not found", "dns", 40),
    all("connections are reset", "broken-off", 3),
    all("a certificate of somebody else", "tls", 30),
    all("nothing is answered", "stalled", STALL),
    all("502", "http-502", 30),
    all("503", "http-503", 30),
    Outage { retry_after: Some(30), ..all("503 with Retry-After", "http-503", 30) },
    all("504", "http-504", 10_000),
    Outage { retry_after: Some(20), ..all("429 for all", "http-429", 30) },
    downloads("a gateway's 404 for downloads", FaultClass::NotConverted, "not-converted", 30),
    downloads("downloads stall", FaultClass::Transient, "stalled", STALL),
    downloads("downloads trickle", FaultClass::Transient, "too-slow", STALL),
];

impl Outage {
    /// Whether the server says how long it wants to be left alone.
    pub fn asks_to_wait(&self) -> bool {
        self.retry_after.is_some()
    }

    /// Whether it looks as if Align were still converting the files.
    pub fn looks_like_making(&self) -> bool {
        self.class == FaultClass::NotConverted
    }

    /// The fault that a call meets.
    pub fn fault(&self) -> Fault {
        let text = format!("the simulated Align is out of order: {}", self.name);
        let wait = self.retry_after.map(Duration::from_secs);
        Fault::new(self.class, self.code, text).retry_after(wait).at(HOST)
    }
}
