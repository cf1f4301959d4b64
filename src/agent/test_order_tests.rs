//! Tests of the test order on a real disk.

use super::*;
use crate::config::Retention;
use crate::disk::RealDisk;
use crate::hotfolder::layout::Layout;
use crate::hotfolder::rebuild::survey;
use crate::hotfolder::verify_tree;

struct World {
    _dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    config: Arc<Config>,
    root: Arc<Root>,
    layout: Layout,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("casedrop.yaml");
        // The config's network settings do not apply to a simulated Align.
        let yaml = "output: orders\nstate: state\nretention: { min_free: 1MB }\n\
                    api: { proxy: 'http://127.0.0.1:9', paths: { downloadAsset: /elsewhere } }\n\
                    labs:\n  - name: smile-lab\n    oauth_base: https://oauth.iterocloud.com\n    \
                    base_url: https://base.iterocloud.com\n    client_id: abc\n    \
                    redirect_url: https://lab.example/cb\n";
        std::fs::write(&path, yaml).expect("written");
        let config = Arc::new(crate::config::load(&RealDisk, &path, &[]).expect("valid").config);
        let layout = Layout { output: config.output.clone(), staging: config.staging.clone() };
        let root = Arc::new(Root::new(Arc::new(RealDisk), layout.clone()));
        root.prepare(None).expect("made");
        root.open();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        Self { _dir: dir, runtime: runtime.expect("runtime"), config, root, layout }
    }

    fn means(&self) -> Means {
        Means {
            config: Arc::clone(&self.config),
            disk: Arc::new(RealDisk),
            layout: self.layout.clone(),
            root: Arc::clone(&self.root),
            audit: Audit::new(Arc::new(RealDisk), &self.config.state),
            progress: Arc::default(),
            cancel: Cancel::new(),
            step: |_| {},
            // All within one second, so that manifests are identical.
            clock: || WallMs(1_780_000_000_000),
            handle: self.runtime.handle().clone(),
        }
    }

    fn standing(&self) -> Standing {
        standing(&RealDisk, &self.layout, look_whole).expect("looked")
    }

    fn dir(&self) -> std::path::PathBuf {
        self.layout.order_dir(&test_order::key().expect("a key"))
    }

    /// What completed work left in staging.
    fn left_in_staging(&self) -> Vec<String> {
        let all = [self.layout.work(), self.layout.claims(), self.layout.retired()];
        let names = all.iter().filter_map(|dir| std::fs::read_dir(dir).ok()).flatten();
        names.map(|entry| entry.expect("readable").file_name().to_string_lossy().into()).collect()
    }
}

#[test]
fn it_is_published_as_any_other_order_and_no_journal_takes_it_for_one() {
    let world = World::new();
    let means = world.means();
    assert_eq!(world.standing(), Standing::Absent);
    let manifest = publish(&means).expect("published");
    assert_eq!((manifest.revision, manifest.lab.as_str()), (1, LAB));
    assert_eq!(world.standing(), Standing::Whole(Box::new(manifest.clone())));
    let names: Vec<_> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    assert!(names.contains(&"1_shell_occlusion_u.stl"), "{names:?}");
    let report = verify_tree(&RealDisk, &world.layout, None);
    assert_eq!((report.orders, report.differences), (1, Vec::new()));
    assert!(survey(&RealDisk, &world.layout).orders.is_empty());
    assert!(means.progress.snapshot().is_empty());
    assert_eq!(world.left_in_staging(), [""; 0]);
    let fault = publish(&means).expect_err("it stands there");
    assert_eq!(fault.code, "target-changed");
    assert_eq!(world.left_in_staging(), [""; 0]);

    assert_eq!(remove(&means).expect("removed"), Fate::Removed);
    assert!(!world.layout.output.join(LAB).exists());
    assert_eq!(remove(&means).expect("looked"), Fate::Absent);
    assert_eq!(world.left_in_staging(), [""; 0]);
}

#[test]
fn what_others_did_to_it_is_never_removed() {
    let world = World::new();
    let means = world.means();
    publish(&means).expect("published");
    let mesh = world.dir().join("1_shell_occlusion_u.stl");
    std::fs::remove_file(&mesh).expect("taken");
    assert!(matches!(world.standing(), Standing::Partly(_)));
    let design = world.dir().join("design.dcm");
    std::fs::write(&design, "mine").expect("written");
    let Standing::Others(what) = world.standing() else { panic!("it is changed") };
    assert!(what.contains("design.dcm"), "{what}");
    assert!(matches!(remove(&means).expect("looked"), Fate::LeftAlone(_)));
    assert!(design.is_file());
    std::fs::remove_file(&design).expect("removed");
    assert_eq!(remove(&means).expect("removed"), Fate::Removed);

    // A folder of that name that belongs to someone else, and a neighbor of ours.
    std::fs::create_dir_all(world.dir()).expect("made");
    std::fs::write(world.dir().join("note.txt"), "mine").expect("written");
    assert!(matches!(remove(&means).expect("looked"), Fate::LeftAlone(_)));
    std::fs::rename(world.dir().join("note.txt"), world.dir().with_file_name("note.txt"))
        .expect("moved");
    assert_eq!(remove(&means).expect("looked"), Fate::Absent);
    assert!(world.dir().with_file_name("note.txt").is_file());
}

#[test]
fn a_closed_output_a_full_disk_and_an_agent_that_ends_are_told() {
    let world = World::new();
    world.root.close();
    assert_eq!(publish(&world.means()).expect_err("closed").code, "output-not-ready");
    assert_eq!(remove(&world.means()).expect_err("closed").code, "output-not-ready");
    world.root.open();
    let config = Config {
        retention: Retention { min_free: u64::MAX, ..Retention::default() },
        ..(*world.config).clone()
    };
    let full = Means { config: Arc::new(config), ..world.means() };
    assert_eq!(publish(&full).expect_err("no room").code, "disk-full");
    let ends = world.means();
    ends.cancel.cancel();
    assert_eq!(publish(&ends).expect_err("it ends").class, FaultClass::Cancelled);
    assert_eq!(world.left_in_staging(), [""; 0]);
    assert!(!world.layout.output.join(LAB).exists());
}
