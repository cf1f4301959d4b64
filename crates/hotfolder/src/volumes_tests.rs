//! Volumes that change the names they are given: decomposed accents, as on macOS's HFS+ and some
//! shares, or a single case.

use icu_normalizer::DecomposingNormalizerBorrowed;

use super::history::remove_ours;
use super::inspect::{LocalPicture, inspect, with_names};
use super::root::prepare_root;
use super::testing::{Place, key, manifest_of};
use super::write_manifest::write_manifest;
use super::{Publication, PublishOutcome, Target, publish, verify_tree};
use casedrop_disk::{
    Disk, DiskError, Entry, Kind, LockGuard, Moved, ReadFile, RealDisk, Stamp, WriteFile,
};
use casedrop_model::manifest::Manifest;
use std::path::{Path, PathBuf};

/// How a volume spells a name.
type Spells = fn(&str) -> String;

/// A volume that finds a file by any spelling of its name, and lists it in its own.
struct Volume {
    root: PathBuf,
    spells: Spells,
}

impl Volume {
    fn at(&self, path: &Path) -> PathBuf {
        let Ok(inside) = path.strip_prefix(&self.root) else { return path.to_path_buf() };
        let spelled = inside.iter().map(|part| (self.spells)(&part.to_string_lossy()));
        self.root.join(spelled.collect::<PathBuf>())
    }
}

macro_rules! delegates {
    ($($name:ident($($arg:ident),*) -> $gives:ty;)*) => {
        $(fn $name(&self, $($arg: &Path),*) -> Result<$gives, DiskError> {
            RealDisk.$name($(&self.at($arg)),*)
        })*
    };
}

impl Disk for Volume {
    delegates! {
        kind(path) -> Option<Kind>;
        stamp(path) -> Stamp;
        is_at_rest(path) -> bool;
        owner(path) -> Option<String>;
        list(path) -> Vec<Entry>;
        create_dirs(path) -> ();
        create_private_dirs(path) -> ();
        make_private(path) -> Vec<String>;
        readers(path) -> Vec<String>;
        create_private(path) -> Box<dyn WriteFile>;
        create(path) -> Box<dyn WriteFile>;
        append(path) -> Box<dyn WriteFile>;
        open(path) -> Box<dyn ReadFile>;
        replace_file(from, to) -> ();
        rename(from, to) -> Moved;
        exchange(a, b) -> bool;
        sync_dir(path) -> ();
        hard_link(from, to) -> bool;
        remove_file(path) -> ();
        remove_dir(path) -> ();
        remove_tree(path) -> ();
        free_space(path) -> u64;
        same_volume(a, b) -> bool;
        may_create_in(path) -> ();
        hide(path) -> ();
        try_lock(path) -> Option<LockGuard>;
        lock(path) -> LockGuard;
    }

    fn grant(&self, dir: &Path, account: &str) -> Result<(), DiskError> {
        RealDisk.grant(dir, account)
    }

    fn holders(&self, _: &[PathBuf]) -> Vec<String> {
        Vec::new()
    }
}

const FILES: [(&str, &str); 3] = [
    ("Fr\u{e4}ulein M\u{fc}ller/Oberkiefer \u{fc}.stl", "mesh"),
    ("17_Shell_u.STL", "other mesh"),
    ("thumbnails/\u{e9}.jpg", "picture"),
];

fn staged(disk: &Volume, place: &Place, revision: u32) -> (Manifest, Publication) {
    let dir = place.layout.work_dir(&format!("job{revision}"));
    for (path, text) in FILES {
        let path = dir.join(path);
        disk.create_dirs(path.parent().expect("a folder")).expect("made");
        let text = format!("{text} {revision}");
        let mut file = disk.create(&path).expect("created");
        std::io::Write::write_all(&mut file, text.as_bytes()).expect("written");
    }
    let files = FILES.map(|(path, text)| (path, format!("{text} {revision}")));
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let manifest = manifest_of(revision, &files);
    let manifest_sha256 = write_manifest(disk, &dir, &manifest).expect("sealed");
    let target = Target::Fresh;
    (manifest, Publication { key: key(), revision, staged: dir, target, manifest_sha256 })
}

fn spellings() -> [(&'static str, Spells); 4] {
    [
        ("as given", str::to_owned),
        ("decomposed", |name| {
            DecomposingNormalizerBorrowed::new_nfd().normalize(name).into_owned()
        }),
        ("lower case", str::to_lowercase),
        ("lower case, decomposed", |name| {
            DecomposingNormalizerBorrowed::new_nfd().normalize(name).to_lowercase()
        }),
    ]
}

#[test]
fn an_order_is_known_again_however_its_volume_spells_names() {
    for (name, spells) in spellings() {
        let place = Place::new();
        let disk =
            Volume { root: place.layout.output.parent().expect("a folder").to_path_buf(), spells };
        let id = prepare_root(&disk, &place.layout, None).expect("prepared");
        let dir = place.layout.order_dir(&key());
        let (first, publication) = staged(&disk, &place, 1);
        let done = publish(&disk, &place.layout, &id, &publication, &|_| {}).expect(name);
        assert!(matches!(done, PublishOutcome::Done { .. }), "{name}: {done:?}");
        // As stored in the journal, and as it is on disk.
        let kept = first.without_names();
        assert!(kept.has_stand_ins());
        for manifest in [&first, &kept] {
            let sha = Some(publication.manifest_sha256.as_str());
            let found = inspect(&disk, &dir, Some(manifest), sha).expect("looked");
            assert_eq!(found, LocalPicture::AsPublished, "{name}");
        }
        assert_eq!(with_names(&disk, &dir, &kept).expect("read"), Some(first.clone()), "{name}");
        let report = verify_tree(&disk, &place.layout, None);
        assert_eq!((report.orders, report.differences), (1, Vec::new()), "{name}");
        assert!(kept.same_content(&first.files), "the same bytes cause no second write");

        // The next revision replaces it; the old one goes to history and is then removed.
        let (_, mut next) = staged(&disk, &place, 2);
        next.target = Target::Replace {
            previous_manifest: Box::new(kept.clone()),
            previous_sha256: publication.manifest_sha256.clone(),
        };
        let done = publish(&disk, &place.layout, &id, &next, &|_| {}).expect(name);
        assert!(matches!(done, PublishOutcome::Done { .. }), "{name}: {done:?}");
        let history = place.layout.history_dir(&key(), 1);
        assert!(remove_ours(&disk, &history, &kept).expect("removed"), "{name}");
        assert_eq!(disk.kind(&history).expect("asked"), None, "{name}");
        assert!(verify_tree(&disk, &place.layout, None).differences.is_empty(), "{name}");
    }
}

#[test]
fn what_somebody_changed_is_seen_there_too() {
    for (name, spells) in spellings() {
        let place = Place::new();
        let disk =
            Volume { root: place.layout.output.parent().expect("a folder").to_path_buf(), spells };
        let id = prepare_root(&disk, &place.layout, None).expect("prepared");
        let (first, publication) = staged(&disk, &place, 1);
        publish(&disk, &place.layout, &id, &publication, &|_| {}).expect("published");
        let dir = place.layout.order_dir(&key());
        let changed = |manifest: &Manifest| {
            let found = inspect(&disk, &dir, Some(manifest), None).expect("looked");
            matches!(found, LocalPicture::Altered { .. })
        };
        disk.create(&dir.join("M\u{fc}ller design.dcm")).expect("added");
        for manifest in [&first, &first.without_names()] {
            assert!(changed(manifest), "{name}: an addition");
            assert!(!remove_ours(&disk, &dir, manifest).expect("asked"), "{name}");
        }
        disk.remove_file(&dir.join("M\u{fc}ller design.dcm")).expect("removed");
        disk.remove_file(&dir.join(FILES[0].0)).expect("taken");
        let found = inspect(&disk, &dir, Some(&first.without_names()), None).expect("looked");
        assert!(matches!(&found, LocalPicture::Reduced { gone } if gone.len() == 1), "{found:?}");
        // Its folder is ours and is removed with the rest.
        assert!(remove_ours(&disk, &dir, &first.without_names()).expect("removed"), "{name}");
    }
}
