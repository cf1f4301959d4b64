//! The control endpoint, through which commands reach the running agent: a small HTTP server on
//! this PC's loopback address.
//!
//! Its address and its token are in `control.json` in the state folder, readable only by the
//! agent's user. So only those who may act on the journal can send requests. A web page in a
//! browser on this PC lacks the token, and a host name other than a loopback name is refused too.
//! The agent removes the file when it shuts down gracefully. A file left by a killed agent leads
//! nowhere, and commands then act on the journal directly.

mod client;
mod server;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::disk::{Disk, read_limited, write_durably_private};
use crate::model::fault::{Fault, FaultClass};
use crate::model::request::Request;

pub use client::{Control, NotAsked};
pub use server::{StatusSource, serve};

/// File name in the state folder.
pub const FILE_NAME: &str = "control.json";

const MAX_FILE: u64 = 16 * 1024;
// Requests and answers are far smaller than these limits.
const MAX_BODY: usize = 256 * 1024;
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// Where the running agent listens.
#[derive(Debug)]
struct Place {
    address: std::net::SocketAddr,
    token: SecretString,
}

#[derive(Serialize, Deserialize)]
struct Written {
    address: std::net::SocketAddr,
    token: String,
    /// Informational only: nothing relies on it.
    pid: u32,
}

/// A request on its way to the agent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Identifies the request if it is sent twice.
    #[serde(default)]
    id: Option<String>,
    request: Request,
    /// The user who runs the command, as claimed by the command.
    #[serde(default)]
    user: Option<String>,
}

/// The body of an error response.
#[derive(Debug, Serialize, Deserialize)]
struct Refusal {
    message: String,
    #[serde(default)]
    hint: Option<String>,
    /// The causes that the message leaves out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
}

impl Place {
    /// Reads `control.json`; `None` if it is missing, invalid or not about a loopback address.
    fn read(disk: &dyn Disk, state: &Path) -> Option<Self> {
        let bytes = read_limited(disk, &state.join(FILE_NAME), MAX_FILE).ok()?;
        let written: Written = serde_json::from_slice(&bytes).ok()?;
        let Written { address, token, .. } = written;
        address.ip().is_loopback().then(|| Self { address, token: token.into() })
    }

    fn write(&self, disk: &dyn Disk, state: &Path) -> Result<(), Fault> {
        let written = Written {
            address: self.address,
            token: self.token.expose_secret().to_owned(),
            pid: std::process::id(),
        };
        let bytes = serde_json::to_vec(&written).map_err(|error| {
            Fault::new(FaultClass::Local, "control", "cannot write the control file")
                .caused_by(error)
        })?;
        Ok(write_durably_private(disk, &state.join(FILE_NAME), &bytes)?)
    }

    fn remove(disk: &dyn Disk, state: &Path) {
        match disk.remove_file(&state.join(FILE_NAME)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                // Harmless: the file leads nowhere from now on.
                tracing::debug!("{}", Fault::from(error).chain());
            }
            _ => {}
        }
    }
}

/// Returns an unguessable text.
fn random_text() -> Result<String, Fault> {
    crate::disk::random_text::<32>("random")
}

/// Returns a new id for a request of this process.
pub fn new_id() -> Result<String, Fault> {
    Ok(format!("asked-{}", random_text()?))
}
