//! Realistic exports, from the archive to the verified tree, and archives that must be refused.

use std::fs::File;
use std::path::{Path, PathBuf};

use casedrop::config::{Limits, Names};
use casedrop::disk::RealDisk;
use casedrop::hotfolder::root::prepare_root;
use casedrop::hotfolder::{
    Described, Layout, Publication, Target, Unpacked, describe, publish, take_extra, unpack,
    verify_tree, write_manifest,
};
use casedrop::model::cancel::Cancel;
use casedrop::model::fault::{Fault, FaultClass};
use casedrop::model::ids::OrderKey;
use casedrop::model::manifest::{Account, Jaw, Manifest, Reason, Role, SCHEMA};
use casedrop::simulator::package::{
    CaseKind, CaseSpec, MeshFormat, Placement, hostile, write_ide_package, write_screen_captures,
    write_thumbnails,
};

struct Bench {
    _dir: tempfile::TempDir,
    layout: Layout,
    root_id: String,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let layout = Layout {
            output: dir.path().join("orders"),
            staging: dir.path().join(".orders.staging"),
        };
        let root_id = prepare_root(&RealDisk, &layout, None).expect("prepared");
        Self { _dir: dir, layout, root_id }
    }

    fn spool(&self, name: &str) -> PathBuf {
        self.layout.work().join(name)
    }

    /// Unpacks, describes, seals and publishes a case.
    fn publish(&self, spec: &CaseSpec, names: Names) -> (PathBuf, Described) {
        let key = OrderKey {
            lab: "smile-lab".parse().expect("valid"),
            account: "4711".parse().expect("valid"),
            order: spec.order_id.to_string().parse().expect("valid"),
        };
        let staged = self.layout.work_dir(&spec.order_id.to_string());
        let spool = self.spool("ide");
        write_ide_package(spec, &mut File::create(&spool).expect("spool")).expect("package");
        let Unpacked { mut files, mut left_out, findings, .. } =
            unpack(&RealDisk, &spool, &staged, &Limits::default(), &Cancel::new()).expect("good");
        assert_eq!(findings, [], "there is nothing to tell of an export as it should be");
        let mut extra = |folder: &str, write: &dyn Fn(&mut File)| {
            let spool = self.spool(folder);
            write(&mut File::create(&spool).expect("spool"));
            let extra =
                take_extra(&RealDisk, &spool, &staged, folder, &Limits::default(), &Cancel::new())
                    .expect("good");
            files.extend(extra.files);
            left_out.extend(extra.left_out);
        };
        if !spec.kind.is_ortho() {
            extra("thumbnails", &|file| {
                write_thumbnails(spec, file).expect("package");
            });
        }
        extra("screen-captures", &|file| {
            write_screen_captures(spec, 2, file).expect("package");
        });
        let described = describe(&RealDisk, &staged, files, names).expect("described");
        let manifest = Manifest {
            schema: SCHEMA,
            lab: "smile-lab".to_owned(),
            account: Account { id: "4711".to_owned(), name: None },
            order_id: spec.order_id.to_string(),
            rx_id: None,
            order_code: None,
            status: "Ready for Download".to_owned(),
            case_type: None,
            procedure: None,
            due_date: None,
            doctor: None,
            teeth: Vec::new(),
            revision: 1,
            reason: Reason::FirstScan,
            published_at: "2026-11-23T10:00:00Z".to_owned(),
            agent: "test".to_owned(),
            files: described.files.clone(),
            left_out,
            missing: Vec::new(),
            previous: None,
            findings: Vec::new(),
        };
        let manifest_sha256 = write_manifest(&RealDisk, &staged, &manifest).expect("sealed");
        let publication =
            Publication { key, revision: 1, staged, target: Target::Fresh, manifest_sha256 };
        publish(&RealDisk, &self.layout, &self.root_id, &publication, &|_| {}).expect("published");
        (publication.dir(&self.layout), described)
    }
}

/// Every kind, format and placement, both plain and with every oddity that exports can have.
fn cases() -> Vec<CaseSpec> {
    let mut cases = Vec::new();
    for kind in [CaseKind::OrthoShell, CaseKind::OrthoLowProfile, CaseKind::Restorative] {
        for mesh in [MeshFormat::Stl, MeshFormat::Ply] {
            for placement in [Placement::Occlusion, Placement::TeethUp, Placement::LockedOcclusion]
            {
                // Placement means nothing for a restorative export.
                if kind == CaseKind::Restorative && placement != Placement::Occlusion {
                    continue;
                }
                for odd in [false, true] {
                    let id = 17_544_000 + u64::try_from(cases.len()).expect("few");
                    let mut spec = CaseSpec::small(id, kind);
                    spec.mesh = mesh;
                    spec.placement = placement;
                    spec.top_folder = odd;
                    spec.macosx = odd;
                    spec.modeled = odd;
                    spec.bite2 = odd;
                    spec.texture = odd;
                    spec.hash_in_names = !odd;
                    spec.attachments = odd;
                    spec.stored = odd;
                    cases.push(spec);
                }
            }
        }
    }
    cases
}

#[test]
fn every_kind_of_export_is_published_and_understood() {
    let bench = Bench::new();
    for spec in cases() {
        let (dir, described) = bench.publish(&spec, Names::Vendor);
        assert_eq!(described.notes, [""; 0], "{spec:?}");
        let count = |role| described.files.iter().filter(|file| file.role == role).count();
        assert!(count(Role::Scan) >= 1 && count(Role::Metadata) >= 1, "{described:?}");
        assert_eq!((count(Role::RxPdf), count(Role::RxHtml)), (1, 1), "{described:?}");
        assert_eq!((count(Role::Thumbnail), count(Role::ScreenCapture)), (6, 2), "{described:?}");
        for file in described.files.iter().filter(|file| file.role == Role::Scan) {
            assert!(file.jaw.is_some(), "{file:?}");
        }
        assert!(described.files.iter().all(|file| file.original_name.is_none()), "{described:?}");
        let named = file_names(&dir);
        assert!(
            !named.is_empty() && named.iter().all(|name| dir.join(name).is_file()),
            "{named:?}"
        );
    }
    let report = verify_tree(&RealDisk, &bench.layout, None);
    assert_eq!((report.orders, report.differences), (cases().len(), Vec::new()));
}

#[test]
fn plain_names_leave_no_vendor_name_behind_and_the_xml_follows() {
    let bench = Bench::new();
    let cases: Vec<_> = cases().into_iter().step_by(3).collect();
    for spec in &cases {
        let (dir, described) = bench.publish(spec, Names::Plain);
        assert_eq!(described.findings, [], "{spec:?}");
        let named = file_names(&dir);
        assert!(
            !named.is_empty() && named.iter().all(|name| dir.join(name).is_file()),
            "{named:?}"
        );
        for file in &described.files {
            let plain = match file.role {
                Role::Scan => file.path.starts_with("scan"),
                Role::Texture => file.path.starts_with("texture"),
                Role::RxPdf => file.path == "rx.pdf",
                Role::RxHtml => file.path == "rx.html",
                Role::Thumbnail => file.path.starts_with("thumbnails/"),
                _ => true,
            };
            assert!(plain, "{file:?}");
        }
        let upper = format!("scan-upper.{}", spec.mesh.extension());
        let whole = format!("scan.{}", spec.mesh.extension());
        let scan = described.files.iter().find(|file| file.path == *upper || file.path == *whole);
        let jaw = scan.unwrap_or_else(|| panic!("{described:?}")).jaw;
        assert!(matches!(jaw, Some(Jaw::Upper | Jaw::Both)), "{described:?}");
    }
    let report = verify_tree(&RealDisk, &bench.layout, None);
    assert_eq!((report.orders, report.differences), (cases.len(), Vec::new()));
}

#[test]
fn both_names_stand_side_by_side() {
    let bench = Bench::new();
    let spec = CaseSpec::small(17_544_365, CaseKind::OrthoShell);
    let (dir, described) = bench.publish(&spec, Names::Both);
    let plain: Vec<_> = described
        .files
        .iter()
        .filter_map(|file| Some((file, file.original_name.as_ref()?)))
        .collect();
    assert!(plain.len() >= 4, "{described:?}");
    for (file, original) in plain {
        let read = |name: &str| std::fs::read(dir.join(name)).expect("there");
        assert!(read(&file.path) == read(original), "{file:?}");
    }
    assert_eq!(verify_tree(&RealDisk, &bench.layout, None).differences, Vec::new());
}

#[test]
fn hostile_archives_are_refused_or_defused_and_write_nothing_outside() {
    use FaultClass::{Damaged, Permanent};
    let expected = |name: &str| match name {
        "traversal" | "traversal-backslash" => Err((Permanent, "zip-traversal")),
        "absolute" | "absolute-windows" => Err((Permanent, "zip-absolute")),
        "symlink" => Err((Permanent, "zip-link")),
        "duplicate-names" => Err((Permanent, "zip-duplicate")),
        "bomb" => Err((Permanent, "zip-bomb")),
        "many-members" => Err((Permanent, "zip-too-many")),
        "bad-crc" | "named-after-patient" => Err((Damaged, "zip-crc")),
        "lying-size" | "local-name-differs" => Err((Damaged, "zip-corrupt")),
        "truncated" | "not-a-zip" => Err((Damaged, "not-a-zip")),
        "empty-zip" => Err((Damaged, "zip-empty")),
        "case-clash" | "file-and-folder" | "reserved-names" | "nested-top-folder"
        | "wide-window" => Ok(()),
        other => panic!("no expectation for {other}"),
    };
    for (name, make) in hostile::ALL {
        let dir = tempfile::tempdir().expect("tempdir");
        let spool = dir.path().join("spool");
        std::fs::write(&spool, make()).expect("spooled");
        let dest = dir.path().join("dest");
        let result = unpack(&RealDisk, &spool, &dest, &Limits::default(), &Cancel::new());
        let outcome =
            result.as_ref().map(|_| ()).map_err(|fault: &Fault| (fault.class, fault.code));
        assert_eq!(outcome, expected(name), "{name}: {result:?}");
        let mut left: Vec<_> = std::fs::read_dir(dir.path())
            .expect("listed")
            .map(|entry| entry.expect("listed").file_name())
            .collect();
        left.retain(|name| name != "spool" && name != "dest");
        assert!(left.is_empty(), "{name}: {left:?}");
    }
}

/// All `FileName` values of the order's XML files.
fn file_names(dir: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).expect("listed") {
        let path = entry.expect("listed").path();
        if path.extension().is_some_and(|extension| extension == "xml") {
            let text = std::fs::read_to_string(path).expect("UTF-8");
            for (open, close) in [("FileName=\"", "\""), ("<FileName>", "</FileName>")] {
                let values = text.split(open).skip(1).filter_map(|rest| rest.split(close).next());
                names.extend(values.map(str::to_owned));
            }
        }
    }
    names
}
