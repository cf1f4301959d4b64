//! What can be wrong with an archive, with one stable code per cause.
//!
//! Damage may be cured by another download, a few times. A structure that no honest archive has is
//! permanent.

use std::io;

use zip::result::ZipError;

use crate::model::discreet::file_name;
use crate::model::fault::{Fault, FaultClass};
use crate::model::path::PathFault;

fn damaged(code: &'static str, message: String) -> Fault {
    Fault::new(FaultClass::Damaged, code, message)
        .hint("the download is repeated; if it stays so, ask Align to regenerate the export")
}

fn permanent(code: &'static str, message: String) -> Fault {
    Fault::new(FaultClass::Permanent, code, message).hint(
        "nothing of this archive was published; have the export checked at Align, then refetch",
    )
}

pub(super) fn not_a_zip(why: &str) -> Fault {
    damaged("not-a-zip", format!("the download is not a complete zip archive: {why}"))
}

pub(super) fn empty() -> Fault {
    damaged("zip-empty", "the archive holds no files".to_owned())
}

pub(super) fn corrupt(place: &str, why: impl std::fmt::Display) -> Fault {
    damaged("zip-corrupt", format!("the archive is damaged at {place}: {why}"))
}

pub(super) fn crc(name: &str) -> Fault {
    damaged("zip-crc", format!("the checksum of {name} in the archive is wrong"))
}

pub(super) fn unsafe_name(fault: &PathFault) -> Fault {
    let (code, fault) = match fault {
        PathFault::Traversal(name) => ("zip-traversal", PathFault::Traversal(file_name(name))),
        PathFault::Absolute(name) => ("zip-absolute", PathFault::Absolute(file_name(name))),
        PathFault::TooLong(name) => ("zip-name", PathFault::TooLong(file_name(name))),
        PathFault::NotPortable(name) => ("zip-name", PathFault::NotPortable(file_name(name))),
        PathFault::Empty => ("zip-name", PathFault::Empty),
    };
    permanent(code, format!("the archive has a member whose name is not acceptable: {fault}"))
}

pub(super) fn link(name: &str) -> Fault {
    permanent("zip-link", format!("the archive's member {name} is a link or a device, not a file"))
}

pub(super) fn encrypted(name: &str) -> Fault {
    permanent("zip-encrypted", format!("the archive's member {name} is encrypted"))
}

pub(super) fn duplicate(name: &str) -> Fault {
    permanent("zip-duplicate", format!("the archive has two members called {name}"))
}

pub(super) fn bomb(what: &str) -> Fault {
    permanent("zip-bomb", format!("the archive would unpack to too much: {what}"))
}

pub(super) fn too_many(count: u64, max: usize) -> Fault {
    permanent("zip-too-many", format!("the archive has {count} members, more than {max}"))
}

fn unsupported(place: &str, why: impl std::fmt::Display) -> Fault {
    permanent("zip-unsupported", format!("the archive cannot be read at {place}: {why}"))
}

/// Sorts an error of the zip reader.
pub(super) fn from_zip(place: &str, error: ZipError) -> Fault {
    match error {
        ZipError::Io(error) => from_io(place, error),
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            unsupported(place, error)
        }
        other => corrupt(place, other),
    }
}

/// Sorts an error met while reading a member: the system's own errors are about this PC, all others
/// about the data.
pub(super) fn from_io(place: &str, error: io::Error) -> Fault {
    if error.raw_os_error().is_some() {
        return Fault::new(
            FaultClass::Local,
            "disk",
            format!("cannot read the downloaded archive at {place}"),
        )
        .hint("check the volume that holds the staging folder")
        .caused_by(error);
    }
    // The reader has no kind of its own for this; a test keeps watch over the words.
    if error.to_string().contains("Invalid checksum") { crc(place) } else { corrupt(place, error) }
}
