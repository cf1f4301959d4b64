//! Believable iTero exports, generated from a description alone.
//!
//! A [`CaseSpec`] becomes an archive: meshes of a dental arch with teeth and gum, the metadata XML
//! that names them, the prescription, the pictures. Jaws, pictures and the prescription's PDF are
//! samples that are part of the program; everything else is made for each order. Promises:
//!
//! - Pure: equal descriptions give equal bytes; another [`CaseSpec::revision`] gives another scan
//!   of the same patient, with other mesh bytes.
//! - Every `FileName` of the XML is in the archive.
//! - Meshes of any size are written in bounded memory.
//! - All people are invented: every last name contains [`PATIENT_MARKER`] or [`DOCTOR_MARKER`].
//!
//! Names and fields follow published exports; where nothing is known about a value, it is plainly
//! made up. [`hostile`] makes archives that no one should send.

mod archive;
mod content;
pub mod hostile;
mod mesh;
mod noise;
mod people;
mod rx_html;
mod samples;
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
