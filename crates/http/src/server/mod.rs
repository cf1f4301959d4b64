//! Common parts of all listeners: connections with limits on number and time, TLS certificates, and
//! the host name that requests use.

mod certificate;
mod connection_slots;
mod connections;
mod expiry;
mod host;
mod write_deadline;

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
    /// The certificate, followed by its chain.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Explains why a listener cannot start, and how to fix it. `what` is what failed, including the
/// address; `key` is the config key of that address.
pub fn cannot_listen(what: impl Into<String>, key: &str, error: std::io::Error) -> Fault {
    let hint = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!(
                "another program is already listening there: stop it, or use another port in {key}"
            )
        }
        std::io::ErrorKind::AddrNotAvailable => format!("this PC has no such address: check {key}"),
        std::io::ErrorKind::PermissionDenied => {
            format!("the system does not allow it: use a port above 1023 in {key}")
        }
        _ => format!("check {key}"),
    };
    Fault::new(FaultClass::Local, "listen", what).hint(hint).caused_by(error)
}
