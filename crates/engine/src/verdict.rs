//! What a fault says about the server it concerns. Pure.
//!
//! A server's answer about one order is about that order. Only silence, or a gateway reporting that
//! there is no server behind it, is about the server itself; a server that asks for fewer calls
//! means all calls.

use super::outage::SILENCE;
use casedrop_model::fault::{Fault, FaultClass};

/// Fault codes for: no answer, or an answer that broke off.
const SILENT: [&str; 7] = ["connect", "dns", "tls", "proxy", "stalled", "broken-off", "too-slow"];
/// Status codes a gateway sends if it cannot reach the server behind it.
const GATEWAY: [&str; 3] = ["http-502", "http-503", "http-504"];
/// Status codes that reject a login or a permission.
const FORBIDDEN: [&str; 2] = ["http-401", "http-403"];

/// What a fault says about a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The server did not answer.
    Silent,
    /// The server asks for fewer calls.
    Busy,
    /// The server answered, whatever it said.
    Lives,
    /// Nothing: the fault does not involve a server.
    Nothing,
}

/// Returns what the fault says about the server it names.
pub fn verdict(fault: &Fault) -> Verdict {
    if fault.host.is_none() || matches!(fault.class, FaultClass::Local | FaultClass::Cancelled) {
        return Verdict::Nothing;
    }
    let is_transient = fault.class == FaultClass::Transient;
    let asks_to_wait = fault.code == "http-503" && fault.retry_after.is_some();
    if is_transient && (fault.code == "http-429" || asks_to_wait) {
        Verdict::Busy
    } else if is_transient && (SILENT.contains(&fault.code) || GATEWAY.contains(&fault.code)) {
        Verdict::Silent
    } else {
        Verdict::Lives
    }
}

/// Returns what failures of the same kind have in common. All ways of not answering count as one.
pub fn signature(fault: &Fault) -> (FaultClass, &'static str) {
    match verdict(fault) {
        Verdict::Silent => (FaultClass::Transient, SILENCE),
        _ => (fault.class, fault.code),
    }
}

/// Whether the fault concerns the lab's login or pairing. An answer about one order or prescription
/// never does, even a 401: the list is served with the same login.
pub fn is_about_login(fault: &Fault) -> bool {
    fault.class == FaultClass::Auth && !fault.code.starts_with("http-")
}

/// Whether an answer about one resource leaves doubt about the login.
pub fn casts_doubt(fault: &Fault) -> bool {
    FORBIDDEN.contains(&fault.code)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn transient(code: &'static str) -> Fault {
        Fault::new(FaultClass::Transient, code, "test").at("align.example")
    }

    #[test]
    fn only_silence_and_gateways_speak_against_a_server() {
        for code in ["connect", "stalled", "broken-off", "http-502", "http-503", "http-504"] {
            assert_eq!(verdict(&transient(code)), Verdict::Silent, "{code}");
        }
        for code in ["http-500", "http-501", "http-408", "bad-answer", "wrong-content"] {
            assert_eq!(verdict(&transient(code)), Verdict::Lives, "{code}");
        }
        for (class, code) in [
            (FaultClass::Refused, "http-403"),
            (FaultClass::NotConverted, "not-converted"),
            (FaultClass::Permanent, "http-400"),
        ] {
            let fault = Fault::new(class, code, "test").at("align.example");
            assert_eq!(verdict(&fault), Verdict::Lives, "{code}");
        }
        let full = Fault::new(FaultClass::Local, "disk-full", "test").at("align.example");
        assert_eq!(verdict(&full), Verdict::Nothing);
    }

    #[test]
    fn a_wish_to_be_left_alone_is_no_failure() {
        let minute = Some(Duration::from_mins(1));
        assert_eq!(verdict(&transient("http-429")), Verdict::Busy);
        assert_eq!(verdict(&transient("http-503").retry_after(minute)), Verdict::Busy);
        assert_eq!(verdict(&transient("http-500").retry_after(minute)), Verdict::Lives);
    }

    #[test]
    fn an_answer_about_one_resource_is_not_about_the_login() {
        let auth = |code| Fault::new(FaultClass::Auth, code, "test");
        assert!(is_about_login(&auth("login-needed")));
        assert!(is_about_login(&auth("not-paired")));
        assert!(!is_about_login(&auth("http-401")));
        assert!(!is_about_login(&auth("http-403")));
    }
}
