//! Connects the service to the package generator.

use std::io;

use sha2::{Digest, Sha256};

use casedrop_model::asset::AssetKind;

use super::package::{self, CaseSpec, MeshFormat, Placement, hostile};
use super::packages::{PackageOrder, PackageSource, WriteSeek};
use super::scenario::CaseKind;

/// Number of screen captures, if any were taken.
const CAPTURES: u32 = 3;

/// Packages with meshes, XML, prescription and pictures, made up from the order alone. Where real
/// packages vary and the order does not specify it, the order number decides.
#[derive(Debug, Clone, Copy, Default)]
pub struct MadePackages;

impl PackageSource for MadePackages {
    fn write(
        &self,
        asset: AssetKind,
        order: &PackageOrder,
        mut out: &mut dyn WriteSeek,
    ) -> io::Result<()> {
        let spec = case(order);
        match asset {
            AssetKind::Ide => package::write_ide_package(&spec, &mut out),
            AssetKind::Thumbnails => package::write_thumbnails(&spec, &mut out),
            AssetKind::ScreenCaptures => package::write_screen_captures(&spec, CAPTURES, &mut out),
        }
        .map(|_| ())
    }

    fn hostile(&self, which: &str, _: &PackageOrder) -> io::Result<Vec<u8>> {
        hostile::by_name(which).ok_or_else(|| {
            let known = hostile::ALL.map(|(name, _)| name).join(", ");
            io::Error::other(format!("there is no hostile archive {which:?}; known: {known}"))
        })
    }
}

/// The doctor of an order, as its files name them too.
pub(super) fn doctor(order_id: &str) -> String {
    let doctor = CaseSpec::new(number(order_id), package::CaseKind::Restorative).doctor;
    format!("Dr. {} {}", doctor.first, doctor.last)
}

fn case(order: &PackageOrder) -> CaseSpec {
    let number = number(&order.order_id);
    let ortho = order.kind != CaseKind::Restorative;
    let kind = match order.kind {
        CaseKind::OrthoShell => package::CaseKind::OrthoShell,
        CaseKind::OrthoBase => package::CaseKind::OrthoLowProfile,
        CaseKind::Restorative => package::CaseKind::Restorative,
    };
    let mut spec = CaseSpec::new(number, kind);
    // Later variants of the files get a later export date.
    for _ in 0..order.variant {
        spec = spec.next_revision();
    }
    spec.order_code.clone_from(&order.order_code);
    spec.case_type.clone_from(&order.case_type);
    spec.procedure.clone_from(&order.procedure);
    spec.due = order.due;
    spec.mesh = if order.ply { MeshFormat::Ply } else { MeshFormat::Stl };
    spec.placement = placement(order.file_format.as_deref());
    spec.modeled = order.modeled;
    spec.top_folder = order.top_folder;
    spec.macosx = order.macosx;
    spec.stored = order.stored;
    spec.mesh_cut = order.mesh_cut;
    spec.attachments = number.is_multiple_of(3);
    spec.hash_in_names = !number.is_multiple_of(5);
    spec.bite2 = ortho && number.is_multiple_of(4);
    spec.texture = !ortho && order.ply && number.is_multiple_of(2);
    spec.color = !spec.texture;
    if let Some(width) = order.pixels {
        spec.pixels = width;
    }
    if let Some(triangles) = order.triangles {
        spec.triangles = triangles;
    }
    match order.mesh_bytes {
        Some(bytes) => spec.with_mesh_bytes(bytes),
        None => spec,
    }
}

/// Follows the client's `fileFormat`.
fn placement(file_format: Option<&str>) -> Placement {
    let text = file_format.unwrap_or_default().to_ascii_lowercase();
    if text.contains("teethup") {
        Placement::TeethUp
    } else if text.contains("onefile") || text.contains("locked") {
        Placement::LockedOcclusion
    } else {
        Placement::Occlusion
    }
}

/// The generator names files by a number; a non-numeric id is hashed into one.
fn number(id: &str) -> u64 {
    id.parse().unwrap_or_else(|_| {
        let digest = Sha256::digest(id.as_bytes());
        let bytes = [digest[0], digest[1], digest[2], digest[3]];
        u64::from(u32::from_be_bytes(bytes))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn order() -> PackageOrder {
        PackageOrder {
            order_id: "17544365".to_owned(),
            order_code: "02NR8VTN".to_owned(),
            kind: CaseKind::OrthoShell,
            ply: false,
            case_type: "iRecord".to_owned(),
            procedure: "Orthodontic".to_owned(),
            due: jiff::civil::date(2026, 12, 1),
            triangles: Some(400),
            mesh_bytes: None,
            pixels: Some(160),
            modeled: false,
            variant: 0,
            top_folder: false,
            macosx: false,
            stored: false,
            file_format: None,
            mesh_cut: 0,
        }
    }

    fn bytes(order: &PackageOrder) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        MadePackages.write(AssetKind::Ide, order, &mut out).expect("write");
        out.into_inner()
    }

    #[test]
    fn a_package_follows_from_the_order_and_changes_with_its_variant() {
        assert_eq!(bytes(&order()), bytes(&order()));
        assert_ne!(bytes(&order()), bytes(&PackageOrder { variant: 1, ..order() }));
        let base = PackageOrder { kind: CaseKind::OrthoBase, ply: true, ..order() };
        let archive = zip::ZipArchive::new(Cursor::new(bytes(&base))).expect("zip");
        let named = |name: &str| archive.index_for_name(name).is_some();
        assert!(named("17544365_lprofile_occlusion_u.ply"));
    }

    #[test]
    fn a_cut_mesh_lies_in_an_archive_that_is_sound_otherwise() {
        let files = |order: &PackageOrder| -> Vec<(String, Vec<u8>)> {
            let mut zip = zip::ZipArchive::new(Cursor::new(bytes(order))).expect("zip");
            let read = |index| {
                let mut file = zip.by_index(index).expect("there");
                let mut content = Vec::new();
                io::Read::read_to_end(&mut file, &mut content).expect("sound");
                (file.name().expect("text").into_owned(), content)
            };
            (0..file_count(order)).map(read).collect()
        };
        let (whole, cut) = (files(&order()), files(&PackageOrder { mesh_cut: 7, ..order() }));
        let differing = whole.iter().zip(&cut).filter(|(whole, cut)| whole != cut);
        let differing: Vec<_> = differing.collect();
        let [((name, whole), (_, cut))] = differing[..] else { panic!("one file differs") };
        assert!(name.contains("_shell_"), "{name}");
        assert_eq!(whole[..whole.len() - 7], cut[..]);
    }

    fn file_count(order: &PackageOrder) -> usize {
        zip::ZipArchive::new(Cursor::new(bytes(order))).expect("zip").len()
    }

    #[test]
    fn an_unknown_hostile_archive_is_answered_with_the_known_ones() {
        let error = MadePackages.hostile("gremlin", &order()).expect_err("unknown").to_string();
        assert!(error.contains("traversal") && error.contains("gremlin"), "{error}");
    }
}
