//! The way from commands to the running agent: a small HTTP server on this PC's loopback address.
//!
//! Where it listens, and the token that whoever asks must show, stand in `control.json` in the
//! state folder, which only the agent's user may read. So whoever may act on the journal may ask
//! here, and nobody else; a web page in a browser on this PC knows no token, and is refused by the
//! name that it asks for too. The agent removes the file when it ends in good order; one that a
//! killed agent left leads nowhere, and commands then act on the journal themselves.

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

/// The name of the file in the state folder.
pub const FILE_NAME: &str = "control.json";

const MAX_FILE: u64 = 16 * 1024;
/// A request, and an answer, is far smaller.
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
    /// For people; nobody trusts it.
    pid: u32,
}

/// A request on its way to the agent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// By which it is known should it be sent twice.
    #[serde(default)]
    id: Option<String>,
    request: Request,
    /// Who runs the command, as the command says.
    #[serde(default)]
    user: Option<String>,
}

/// Why an agent could not answer.
#[derive(Debug, Serialize, Deserialize)]
struct Refusal {
    message: String,
    #[serde(default)]
    hint: Option<String>,
}

impl Place {
    /// What the file says; `None` where there is none, or none that makes sense.
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
                // It leads nowhere from now on.
                tracing::debug!("{}", Fault::from(error).chain());
            }
            _ => {}
        }
    }
}

/// A text that nobody can guess.
fn random_text() -> Result<String, Fault> {
    crate::disk::random_text::<32>("random")
}

/// An id for a request of this process.
pub fn new_id() -> Result<String, Fault> {
    Ok(format!("asked-{}", random_text()?))
}
