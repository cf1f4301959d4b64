//! Believable iTero exports, made from a description alone.
//!
//! A [`CaseSpec`] goes in, an archive comes out: meshes of a dental arch with teeth and gum, the
//! metadata XML that names them, the prescription, the pictures. Promises:
//!
//! - Pure: equal descriptions make equal bytes; another [`CaseSpec::revision`] makes another scan
//!   of the same patient, with other mesh bytes.
//! - Every `FileName` of the XML is in the archive.
//! - Meshes of any size are written in bounded memory.
//! - Nobody in them exists: every name holds [`PATIENT_MARKER`] or [`DOCTOR_MARKER`].
//!
//! Names and fields follow what published exports hold; where nothing is known of a value, it is
//! plainly made up. [`hostile`] makes the archives that nobody should send.

mod arch;
mod archive;
mod content;
pub mod hostile;
mod mesh;
mod people;
mod picture;
mod rx_html;
mod rx_pdf;
mod spec;
mod xml;
mod xml_tables;

#[cfg(test)]
mod tests;

pub use archive::{
    Entry, PackageSummary, write_ide_package, write_screen_captures, write_thumbnails,
};
pub use people::{DOCTOR_MARKER, PATIENT_MARKER, Person};
pub use spec::{CaseKind, CaseSpec, MeshFormat, Placement, ToothRx};
