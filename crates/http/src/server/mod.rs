//! What listens for others, as far as listeners have it in common: connections within bounds of number
//! and time, the certificate of their own, and the name under which they are asked.

mod certificate;
mod connections;
mod expiry;
mod host;
mod patient;
mod places;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use casedrop_model::fault::{Fault, FaultClass};

pub use certificate::{Listener, OwnCertificate, check as check_certificate};
pub use connections::accept;
pub use host::{Host, HostFault};

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and after it those that vouch for it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why a listener cannot begin, with the way out. `what` is what cannot be done, its address included;
/// `key` names that one in the config.
pub fn cannot_listen(what: impl Into<String>, key: &str, error: std::io::Error) -> Fault {
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("another program listens there: end it, or use another port in {key}")
        }
        std::io::ErrorKind::AddrNotAvailable => format!("this PC has no such address: check {key}"),
        std::io::ErrorKind::PermissionDenied => {
            format!("the system does not allow it: use a port above 1023 in {key}")
        }
        _ => format!("check {key}"),
    };
    Fault::new(FaultClass::Local, "listen", what).hint(hint).caused_by(error)
}
