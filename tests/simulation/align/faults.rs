//! How badly the simulated Align behaves, and what its faults look like to the agent.

use std::time::Duration;

use casedrop::model::fault::{Fault, FaultClass};

/// The answer to all downloads while something between Align and the agent fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InPlaceOfFiles {
    /// A gateway's 404.
    NotFound,
    /// 500.
    Error,
    /// 403.
    Forbidden,
    /// 429 with `Retry-After: 3`.
    TooMany,
    /// A web page.
    Page,
    /// No answer.
    Silence,
}

impl InPlaceOfFiles {
    pub const ALL: [Self; 6] =
        [Self::NotFound, Self::Error, Self::Forbidden, Self::TooMany, Self::Page, Self::Silence];

    pub(super) fn fault(self) -> Fault {
        let fault = |class, code| Fault::new(class, code, "something in between answers").at(HOST);
        match self {
            Self::NotFound => fault(FaultClass::NotConverted, "not-converted"),
            Self::Error => fault(FaultClass::Transient, "http-500"),
            Self::Forbidden => fault(FaultClass::Refused, "http-403"),
            Self::TooMany => {
                fault(FaultClass::Transient, "http-429").retry_after(Some(Duration::from_secs(3)))
            }
            Self::Page => fault(FaultClass::Damaged, "wrong-content"),
            Self::Silence => fault(FaultClass::Transient, "stalled"),
        }
    }
}

/// A refusal of one order, whatever the call.
pub fn forbidden() -> Fault {
    Fault::new(FaultClass::Refused, "http-403", "the simulated Align refuses this order").at(HOST)
}

/// Probabilities of misbehaviour, each per call.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Chaos {
    /// Nothing reaches Align.
    pub unreachable: f64,
    /// 429 or 503, sometimes with a `Retry-After`.
    pub throttled: f64,
    /// The download counts, but the agent gets nothing.
    pub error_after_count: f64,
    /// The connection breaks during the body.
    pub broken_off: f64,
    /// The body ends early without any sign of it.
    pub cut_short: f64,
    pub corrupt: f64,
    /// An older list is returned.
    pub stale_list: f64,
    /// An order is missing from the list this once.
    pub missing_entry: f64,
    /// An order is in the list twice.
    pub duplicate_entry: f64,
    pub unreadable_entry: f64,
    /// Something changes at Align during the call.
    pub meddling: f64,
}

impl Chaos {
    /// Draws some kinds of misbehaviour, each of random strength.
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        let mut some = |strength: f64| {
            if rng.u32(..3) == 0 { rng.f64() * strength } else { 0.0 }
        };
        Self {
            unreachable: some(0.5),
            throttled: some(0.3),
            error_after_count: some(0.5),
            broken_off: some(0.5),
            cut_short: some(0.3),
            corrupt: some(0.3),
            stale_list: some(0.3),
            missing_entry: some(0.3),
            duplicate_entry: some(0.3),
            unreadable_entry: some(0.2),
            meddling: some(0.2),
        }
    }
}

/// The only server.
pub(super) const HOST: &str = "align.example";

/// A failed connection attempt.
pub fn unreachable() -> Fault {
    Fault::new(FaultClass::Transient, "connect", "cannot reach the simulated Align").at(HOST)
}

/// A broken connection.
pub fn broken_off() -> Fault {
    Fault::new(FaultClass::Transient, "broken-off", "the connection broke off").at(HOST)
}

/// Too many requests, or too few servers.
pub fn throttled(rng: &mut fastrand::Rng) -> Fault {
    let wait = rng.bool().then(|| Duration::from_secs(rng.u64(1..600)));
    let code = if rng.bool() { "http-429" } else { "http-503" };
    Fault::new(FaultClass::Transient, code, "the simulated Align wants to be left alone")
        .retry_after(wait)
        .at(HOST)
}

/// A refused login.
pub fn refused() -> Fault {
    Fault::new(FaultClass::Auth, "login", "the simulated Align refuses the login")
}

/// A download that is still in conversion.
pub fn not_converted(what: &str) -> Fault {
    Fault::new(FaultClass::NotConverted, "not-converted", format!("there is no {what} yet"))
        .at(HOST)
}

/// An order or Rx that does not exist.
pub fn unknown(what: &str) -> Fault {
    Fault::new(FaultClass::Permanent, "http-404", format!("the simulated Align knows no {what}"))
}
