//! What can be wrong with an archive, with one stable code per cause.
//!
//! Damage gets a few retries, because another download may cure it. A structure that no honest
//! archive has is permanent. No library error text is included: libraries quote member names, and
//! those may be patients' names.

use std::io;

use casedrop_model::discreet::file_name;
use casedrop_model::fault::{DISK, Fault, FaultClass};
use casedrop_model::path::PathFault;

fn damaged(code: &'static str, message: String) -> Fault {
    Fault::new(FaultClass::Damaged, code, message)
        .hint("the download is retried; if it stays damaged, ask Align to regenerate the export")
}

fn permanent(code: &'static str, message: String) -> Fault {
    Fault::new(FaultClass::Permanent, code, message).hint(
        "nothing of this archive was published; ask Align to check the export, then fetch the \
         order again: `casedrop refetch ORDER`",
    )
}

pub(crate) fn not_a_zip(why: &str) -> Fault {
    damaged("not-a-zip", format!("the download is not a complete zip archive: {why}"))
}

pub(crate) fn empty() -> Fault {
    damaged("zip-empty", "the archive contains no files".to_owned())
}

pub(crate) fn corrupt(place: &str, why: &str) -> Fault {
    damaged("zip-corrupt", format!("the archive is damaged at {place}: {why}"))
}

pub(crate) fn crc(place: &str) -> Fault {
    damaged("zip-crc", format!("the checksum of {place} in the archive is wrong"))
}

pub(crate) fn overlap() -> Fault {
    permanent("zip-overlap", "files in the archive share the same bytes".to_owned())
}

pub(crate) fn ambiguous() -> Fault {
    permanent(
        "zip-ambiguous",
        "the archive has two directories, and programs differ in which one they read".to_owned(),
    )
}

pub(crate) fn unsafe_name(fault: &PathFault) -> Fault {
    let (code, fault) = match fault {
        PathFault::Traversal(name) => ("zip-traversal", PathFault::Traversal(file_name(name))),
        PathFault::Absolute(name) => ("zip-absolute", PathFault::Absolute(file_name(name))),
        PathFault::NotPortable(name) => ("zip-name", PathFault::NotPortable(file_name(name))),
        PathFault::Empty => ("zip-name", PathFault::Empty),
    };
    permanent(code, format!("the archive contains an unsafe file name: {fault}"))
}

pub(crate) fn link(place: &str) -> Fault {
    permanent("zip-link", format!("{place} in the archive is a link or a device, not a file"))
}

pub(crate) fn encrypted(place: &str) -> Fault {
    permanent(ENCRYPTED, format!("{place} in the archive is encrypted"))
}

pub(crate) fn duplicate(place: &str) -> Fault {
    permanent(
        "zip-duplicate",
        format!("the archive has two files called {place}, with different content"),
    )
}

pub(crate) fn bomb(what: &str) -> Fault {
    permanent("zip-bomb", format!("the archive would unpack to too much data: {what}"))
}

pub(crate) fn too_many(count: u64, max: u64) -> Fault {
    permanent("zip-too-many", format!("the archive has {count} files, more than {max}"))
}

/// Fault code of an encrypted archive.
pub(crate) const ENCRYPTED: &str = "zip-encrypted";
/// Fault code of an archive that is packed in a way that we cannot read.
pub(crate) const UNSUPPORTED: &str = "zip-unsupported";

pub(crate) fn unsupported(place: &str, why: &str) -> Fault {
    permanent(UNSUPPORTED, format!("the archive cannot be read at {place}: {why}"))
}

/// Classifies a read error: the system's own errors are about this PC, all others about the data.
pub(crate) fn from_io(place: &str, error: io::Error) -> Fault {
    if error.raw_os_error().is_some() {
        return Fault::new(
            FaultClass::Local,
            DISK,
            format!("cannot read the downloaded archive at {place}"),
        )
        .hint("check the volume with the staging folder")
        .caused_by(error);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => corrupt(place, "it is cut off"),
        io::ErrorKind::OutOfMemory => {
            unsupported(place, "unpacking it takes more memory than the agent may use")
        }
        _ => corrupt(place, "its packed data is broken"),
    }
}
