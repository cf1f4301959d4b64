//! Realistic packages, and those from a folder.

use std::io::{Cursor, Read};
use std::path::Path;

use casedrop::simulator::{
    CaseKind, FaultKind, FaultRule, MeshKind, OrderSpec, Scenario, SimulatorConfig,
};
use zip::ZipArchive;

use crate::lab::Lab;

async fn paired(config: SimulatorConfig) -> Lab {
    let mut lab = Lab::start(config);
    let tokens = lab.login().await;
    tokens["access_token"].as_str().expect("token").clone_into(&mut lab.access);
    lab.pair(None).await;
    lab
}

fn small(kind: CaseKind) -> OrderSpec {
    OrderSpec { triangles: Some(400), pixels: Some(160), ..OrderSpec::new(kind) }
}

fn names(bytes: Vec<u8>) -> Vec<String> {
    let archive = ZipArchive::new(Cursor::new(bytes)).expect("a zip");
    archive.file_names().map(|name| name.expect("a name").into_owned()).collect()
}

#[tokio::test]
async fn made_packages_look_like_exports() {
    let lab = paired(SimulatorConfig::new(Scenario::empty())).await;
    let spec = OrderSpec { mesh: Some(MeshKind::Ply), ..small(CaseKind::OrthoBase) };
    let ortho = lab.order(&OrderSpec { top_folder: true, ..spec });
    let found = names(lab.bytes(&ortho, "IDE").await);
    assert!(found.iter().any(|name| name.ends_with("_lprofile_occlusion_u.ply")), "{found:?}");
    let top = found[0].split('/').next().expect("top").to_owned();
    assert!(found.iter().all(|name| name.starts_with(&format!("{top}/"))), "{found:?}");
    let restorative = lab.order(&small(CaseKind::Restorative));
    let found = names(lab.bytes(&restorative, "IDE").await);
    assert!(found.iter().any(|name| name.starts_with("upper_jaw_")), "{found:?}");
    assert!(!found.iter().any(|name| name.contains("penta")), "{found:?}");
    let pictures = names(lab.bytes(&restorative, "IMAGE_GALLERY").await);
    assert_eq!(pictures.len(), 6);
    let which = "traversal".to_owned();
    lab.admin().inject(FaultRule::on("downloadAsset", FaultKind::Hostile { which }));
    let hostile = names(lab.bytes(&restorative, "IDE").await);
    assert!(hostile.iter().any(|name| name.contains("../")), "{hostile:?}");
}

#[tokio::test]
async fn a_large_package_is_whole_and_its_parts_fit() {
    let lab = paired(SimulatorConfig::new(Scenario::empty())).await;
    let id = lab.order(&OrderSpec { mesh_bytes: Some(40 << 20), ..small(CaseKind::OrthoShell) });
    let bytes = lab.bytes(&id, "IDE").await;
    assert!(bytes.len() > 9 << 20, "{} bytes stay in memory", bytes.len());
    let part = lab.request(&crate::lab::asset_path(&id, "IDE")).header("range", "bytes=9000000-");
    let part = part.send().await.expect("answer").bytes().await.expect("body");
    assert_eq!(part, bytes[9_000_000..]);
    let mut archive = ZipArchive::new(Cursor::new(bytes)).expect("a zip");
    let mut unpacked = 0;
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).expect("member");
        let size = std::io::copy(&mut member.by_ref(), &mut std::io::sink()).expect("CRC");
        unpacked += size;
    }
    assert!(unpacked > 38 << 20, "{unpacked}");
}

fn export(path: &Path, member: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(member, zip::write::SimpleFileOptions::default()).expect("member");
    let bytes = zip.finish().expect("finish").into_inner();
    std::fs::write(path, &bytes).expect("write");
    bytes
}

#[tokio::test]
async fn exports_of_a_folder_are_served_as_they_are_also_later_ones() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name);
    let first = export(&at("iTero_Export_17544365.zip"), "17544365_shell_occlusion_u.stl");
    let mut config = SimulatorConfig::new(Scenario::empty());
    config.packages_dir = Some(folder.path().to_path_buf());
    let lab = paired(config).await;
    assert_eq!(lab.listed().await, ["17544365"]);
    assert_eq!(lab.bytes("17544365", "IDE").await, first);
    assert!(lab.listed().await.is_empty());
    let second = export(&at("OrthoCAD_Export_99.zip"), "upper_jaw_with_ditch_#99.stl");
    std::fs::write(at("half.zip"), &second[..20]).expect("write");
    let list = lab.list().await;
    assert_eq!(list.len(), 1);
    assert_eq!(list[0]["procedure"], "Restorative");
    assert_eq!(lab.bytes("99", "IDE").await, second);
    assert_eq!(lab.admin().state().order("17544365").expect("known").kind, CaseKind::OrthoShell);
}

#[tokio::test]
async fn a_package_can_be_made_before_it_is_asked_for() {
    let lab = paired(SimulatorConfig::new(Scenario::empty())).await;
    let id = lab.order(&OrderSpec { stored: true, ..small(CaseKind::OrthoShell) });
    let length = lab.admin().prepare(&id, &[("fileType", "PLY")]).expect("made");
    assert_eq!(lab.status(&id), "Ready for Download");
    let path = format!("{}?fileType=PLY", crate::lab::asset_path(&id, "IDE"));
    let bytes = lab.get(&path).await.bytes().await.expect("body");
    assert_eq!(bytes.len() as u64, length);
    let mut archive = ZipArchive::new(Cursor::new(bytes)).expect("a zip");
    let member = archive.by_index(0).expect("member");
    assert_eq!(member.compression(), zip::CompressionMethod::Stored);
    assert!(lab.admin().prepare("1", &[]).is_err());
}
