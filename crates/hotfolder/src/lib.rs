//! An order's way onto the disk: spool, unpack, describe, seal, publish, and look again.
//!
//! What this crate promises:
//! - only whole, synced orders appear in the output folder, each by one rename;
//! - nothing that the agent did not write is changed or deleted;
//! - an archive can neither write outside its directory nor use more memory than a few buffers;
//! - each step can be interrupted anywhere, and [`publish::recover`] says how to continue.
//!
//! All access goes through [`Disk`](casedrop_disk::Disk), and everything blocks.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod abandon_output;
pub(crate) mod archive;
pub mod claim;
pub mod clean;
pub mod describe;
pub mod extras;
pub mod files;
pub mod held;
pub mod history;
pub mod inspect;
pub mod layout;
pub mod mesh;
pub mod partial_download;
pub mod pick_up;
pub mod publish;
pub mod rebuild;
pub mod retention;
pub mod room;
pub mod root;
pub mod spool;
#[cfg(test)]
pub(crate) mod testing;
pub mod unpack;
pub mod verify;
#[cfg(test)]
mod volumes_tests;
pub mod write_manifest;

pub use claim::Claim;
pub use describe::{Case, Described, describe, describe_case};
pub use extras::take_extra;
pub use inspect::{LocalPicture, inspect};
pub use layout::Layout;
pub use publish::{Publication, PublishOutcome, Recovered, Step, Target, publish, recover};
pub use root::Root;
pub use spool::{Spool, SpoolFile};
pub use unpack::{Reading, Unpacked, unpack, unpack_as};
pub use verify::{
    Difference, FileNames, Knows, Selection, VerifyReport, verify_selection, verify_tree,
};
pub use write_manifest::write_manifest;

use casedrop_model::path::RelPath;

/// One file of an order that is being assembled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedFile {
    /// Path in the order's directory.
    pub path: RelPath,
    /// In bytes.
    pub size: u64,
    /// SHA-256 of its content in lowercase hexadecimal.
    pub sha256: String,
    /// The vendor's name, if it differs.
    pub original_name: Option<String>,
    /// The name's bytes in the archive, escaped, if they are not UTF-8.
    pub raw_name: Option<String>,
}
