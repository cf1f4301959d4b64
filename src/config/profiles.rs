//! The file formats that a CAD program wants, by kind of case.
//!
//! The words are Align's. SEEN: in use by other integrators. ASSUMED: not confirmed by any public
//! page; the docs say how to find out and what to write instead.

use super::fault::KeyPath;
use super::node::Node;
use super::raw::CadProfile;
use crate::model::asset::Format;

/// The formats for orthodontic cases. Both programs work from open arches in occlusion, one file
/// each; their own tools make bases.
const ORTHO: [(&str, &str); 3] = [
    ("file_type", "STL"),                                  // SEEN
    ("file_format", "TwoFiles_ArchesOrientedInOcclusion"), // SEEN
    ("type_format", "OpenShell"),                          // SEEN; for these programs ASSUMED
];
/// The formats of 3Shape for restorative cases.
const THREE_SHAPE: [(&str, &str); 1] = [("cad_cam_system", "3Shape")]; // SEEN
/// The formats of exocad for restorative cases.
const EXOCAD: [(&str, &str); 1] = [("cad_cam_system", "exocad")]; // ASSUMED

/// Sets in `format` what the profile asks for, except keys that the config sets itself.
pub(super) fn apply(profile: CadProfile, kind: &str, tree: &Node, format: &mut Format) {
    let wishes: &[(&str, &str)] = match (kind, profile) {
        ("ortho", CadProfile::ThreeShape | CadProfile::Exocad) => &ORTHO,
        (_, CadProfile::ThreeShape) => &THREE_SHAPE,
        (_, CadProfile::Exocad) => &EXOCAD,
    };
    let section = KeyPath::of("formats").key(kind);
    for (name, value) in [
        ("file_type", &mut format.file_type),
        ("file_format", &mut format.file_format),
        ("type_format", &mut format.type_format),
        ("cad_cam_system", &mut format.cad_cam_system),
    ] {
        if tree.at(&section.key(name)).is_none() {
            let wish = wishes.iter().find(|(key, _)| *key == name);
            *value = wish.map(|(_, value)| (*value).to_owned());
        }
    }
}
