//! The description from which an export is made. Equal descriptions give equal bytes.

use fastrand::Rng;
use jiff::civil::{Date, DateTime, date};

use super::noise::hash;
use super::people::{self, DOCTOR_MARKER, PATIENT_MARKER, Person};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseKind {
    /// Orthodontic, jaws as open shells.
    OrthoShell,
    /// Orthodontic, jaws on a low base.
    OrthoLowProfile,
    /// Restorative.
    Restorative,
}

impl CaseKind {
    pub fn is_ortho(self) -> bool {
        self != Self::Restorative
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeshFormat {
    /// Binary STL.
    Stl,
    /// Binary little-endian PLY.
    Ply,
}

impl MeshFormat {
    pub fn extension(self) -> &'static str {
        match self {
            Self::Stl => "stl",
            Self::Ply => "ply",
        }
    }
}

/// How the jaws of an orthodontic export are positioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Two files, closed on each other.
    Occlusion,
    /// Two files, each with its teeth up.
    TeethUp,
    /// One file with both jaws.
    LockedOcclusion,
}

/// One tooth of the prescription, with the codes of Align's XML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToothRx {
    /// Universal number, 1–32.
    pub ada: u8,
    /// `RestorationType`: 2 is a crown, 9 a missing tooth, 21 a pontic.
    pub restoration: u8,
    /// `ToothMaterial`: 2009 is zirconia.
    pub material: u16,
    /// Shade in the VITA system.
    pub shade: String,
    /// `TypeInBridge`: 1 is an abutment, 4 a pontic, -1 none.
    pub in_bridge: i8,
}

impl ToothRx {
    /// A single zirconia restoration in shade A2.
    pub fn new(ada: u8, restoration: u8) -> Self {
        Self { ada, restoration, material: 2009, shade: "A2".to_owned(), in_bridge: -1 }
    }

    pub(super) fn is_prepared(&self) -> bool {
        matches!(self.restoration, 2 | 3 | 6 | 7) && self.in_bridge != 4
    }

    pub(super) fn is_upper(&self) -> bool {
        self.ada <= 16
    }
}

/// Everything that an export depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "exports differ in many independent ways")]
pub struct CaseSpec {
    /// Align's number for the order.
    pub order_id: u64,
    /// Eight characters from 0-9A-Z.
    pub order_code: String,
    pub kind: CaseKind,
    pub mesh: MeshFormat,
    /// How the jaws of an orthodontic export are positioned.
    pub placement: Placement,
    /// Approximate number of triangles per jaw.
    pub triangles: usize,
    /// Width of the pictures: below 640 those of 160 pixels are taken, else those of 1280.
    pub pixels: u16,
    /// Whether a restorative case has been through modeling.
    pub modeled: bool,
    /// The scan: another number is another scan of the same patient, with other mesh bytes.
    pub revision: u32,
    /// Whether everything is in one folder at the top of the archive.
    pub top_folder: bool,
    /// Whether to add what zipping on macOS adds: `__MACOSX/` and `.DS_Store`.
    pub macosx: bool,
    /// Whether restorative mesh names have `#` before the order number; it is sometimes missing.
    pub hash_in_names: bool,
    /// Whether an orthodontic case has a second bite.
    pub bite2: bool,
    /// Whether PLY files have vertex colours.
    pub color: bool,
    /// Whether PLY files of a restorative case have texture pictures instead of `color`.
    pub texture: bool,
    /// Whether there are files that the doctor attached.
    pub attachments: bool,
    /// Whether members are stored instead of deflated.
    pub stored: bool,
    /// Bytes missing at the end of the first mesh, in an archive that is sound.
    pub mesh_cut: u32,
    /// Whether the XML has the patient's first name first.
    pub first_name_first: bool,
    pub patient: Person,
    /// The patient's number in the practice's chart.
    pub chart_number: String,
    pub doctor: Person,
    pub practice_address: String,
    pub lab_name: String,
    /// The lab's account; -1 for none.
    pub lab_id: i64,
    /// Align's name for the case type.
    pub case_type: String,
    /// Align's name for the procedure.
    pub procedure: String,
    /// The date for which the doctor ordered the work.
    pub due: Date,
    /// When the export was made.
    pub exported: DateTime,
    /// The prescription.
    pub teeth: Vec<ToothRx>,
    /// The doctor's notes.
    pub notes: String,
}

impl CaseSpec {
    /// A case with everything else derived from the order number.
    pub fn new(order_id: u64, kind: CaseKind) -> Self {
        let mut rng = Rng::with_seed(hash(order_id, 0xca5e, 0));
        let exported = date(2026, 1, 5)
            .at(8, 0, 0, 0)
            .saturating_add(jiff::Span::new().seconds(rng.i64(0..300 * 86_400)));
        let code = (0..8).map(|_| rng.digit(36).to_ascii_uppercase()).collect();
        let ortho_types = ["iRecord", "iCast", "Invisalign + iRecord"];
        let (case_type, procedure, teeth) = if kind.is_ortho() {
            let case_type = ortho_types[rng.usize(0..ortho_types.len())];
            (case_type, "Orthodontic", Vec::new())
        } else {
            ("Restorative", "Restorative", prescription(&mut rng))
        };
        Self {
            order_id,
            order_code: code,
            kind,
            mesh: MeshFormat::Stl,
            placement: Placement::Occlusion,
            triangles: 40_000,
            pixels: 1280,
            modeled: false,
            revision: 1,
            top_folder: false,
            macosx: false,
            hash_in_names: true,
            bite2: false,
            color: true,
            texture: false,
            attachments: false,
            stored: false,
            mesh_cut: 0,
            first_name_first: rng.bool(),
            patient: people::patient(order_id),
            chart_number: format!("{PATIENT_MARKER}-{}", rng.u32(10_000..99_999)),
            // One practice sends many orders.
            doctor: people::doctor(order_id % 5),
            practice_address: format!(
                "{DOCTOR_MARKER} Dental & Partners <West>, {} Placeholder Street",
                1 + order_id % 5
            ),
            lab_name: "Casedrop Demo Lab".to_owned(),
            lab_id: 4711,
            case_type: case_type.to_owned(),
            procedure: procedure.to_owned(),
            due: exported.date().saturating_add(jiff::Span::new().days(rng.i64(5..20))),
            exported,
            teeth,
            notes: "Synthetic case of the simulator. Contacts snug, occlusion 0.2 mm open."
                .to_owned(),
        }
    }

    /// A case that is fast to generate: a few hundred triangles, small pictures.
    pub fn small(order_id: u64, kind: CaseKind) -> Self {
        Self { triangles: 400, pixels: 160, ..Self::new(order_id, kind) }
    }

    /// The same case with meshes of about `bytes` in total.
    #[must_use]
    pub fn with_mesh_bytes(mut self, bytes: u64) -> Self {
        // All sizes are linear in the triangle count, so measuring one small case is enough.
        let probe = Self { triangles: 20_000, ..self.clone() };
        let measured = super::content::mesh_bytes(&probe).max(1);
        let triangles = u128::from(bytes) * 20_000 / u128::from(measured);
        self.triangles = usize::try_from(triangles).unwrap_or(usize::MAX).max(160);
        self
    }

    /// The next revision, exported 26 hours later.
    #[must_use]
    pub fn next_revision(&self) -> Self {
        let later = jiff::Span::new().hours(26);
        Self {
            revision: self.revision.wrapping_add(1),
            exported: self.exported.saturating_add(later),
            ..self.clone()
        }
    }

    /// Align's name for the archive.
    pub fn archive_name(&self) -> String {
        match self.kind {
            CaseKind::OrthoLowProfile => format!("OrthoCAD_Export_{}.zip", self.order_id),
            _ => format!("iTero_Export_{}.zip", self.order_id),
        }
    }

    /// `CaseTypeID`, of which only one value is publicly known.
    pub(super) fn case_type_id(&self) -> i32 {
        if self.case_type == "Invisalign + iRecord" { 34 } else { -1 }
    }

    /// The patient's name in the XML's format.
    pub(super) fn patient_text(&self) -> String {
        if self.first_name_first { self.patient.first_last() } else { self.patient.last_first() }
    }
}

/// A crown, a few crowns, or a three-unit bridge.
fn prescription(rng: &mut Rng) -> Vec<ToothRx> {
    let materials = [2009, 2010, 2011, 2012, 2013, 2018];
    let shades = ["A1", "A2", "A3", "B1", "C2", "D3"];
    let material = materials[rng.usize(0..materials.len())];
    let shade = shades[rng.usize(0..shades.len())].to_owned();
    // First premolars to first molars, left and right, upper and lower.
    let first = [3, 12, 19, 28][rng.usize(0..4)];
    let tooth = |ada, restoration, in_bridge| ToothRx {
        ada,
        restoration,
        material,
        shade: shade.clone(),
        in_bridge,
    };
    match rng.u8(0..4) {
        0 => vec![tooth(first, 2, 1), tooth(first + 1, 21, 4), tooth(first + 2, 2, 1)],
        1 => vec![tooth(first, 2, -1), tooth(first + 1, 2, -1)],
        _ => vec![tooth(first + rng.u8(0..3), 2, -1)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_follows_from_its_number() {
        let spec = CaseSpec::new(17_544_365, CaseKind::Restorative);
        assert_eq!(spec, CaseSpec::new(17_544_365, CaseKind::Restorative));
        assert_eq!(spec.order_code.len(), 8);
        assert!(spec.order_code.chars().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase()));
        assert!(spec.due > spec.exported.date());
        assert!(!spec.teeth.is_empty());
        assert_ne!(spec.order_code, CaseSpec::new(17_544_366, CaseKind::Restorative).order_code);
    }

    #[test]
    fn every_restorative_case_prescribes_teeth_that_exist() {
        for order in 0..200 {
            let spec = CaseSpec::new(order, CaseKind::Restorative);
            assert!(spec.teeth.iter().any(ToothRx::is_prepared));
            assert!(spec.teeth.iter().all(|tooth| (1..=32).contains(&tooth.ada)));
            let upper = spec.teeth[0].is_upper();
            assert!(spec.teeth.iter().all(|tooth| tooth.is_upper() == upper));
        }
    }
}
