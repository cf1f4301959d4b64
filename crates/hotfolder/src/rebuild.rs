//! What the disk reveals about orders if the journal is lost: everything published that is still in
//! the output folder or in history. Manifests are trusted; nothing is hashed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::history;
use super::inspect::{Read, read_manifest};
use super::layout::Layout;
use casedrop_disk::{Disk, DiskError, Entry, Kind};
use casedrop_model::discreet::file_name;
use casedrop_model::fault::Fault;
use casedrop_model::ids::OrderKey;
use casedrop_model::manifest::{FILE_NAME, Manifest};
use casedrop_model::path::safe_component;
use casedrop_model::record::Place;
use casedrop_model::test_order;

/// A revision found on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub manifest: Manifest,
    /// SHA-256 of the manifest's bytes.
    pub manifest_sha256: String,
    /// Where it was published.
    pub place: Place,
}

#[derive(Debug, Default)]
pub struct Survey {
    /// Revisions by order and number.
    pub orders: BTreeMap<OrderKey, BTreeMap<u32, Standing>>,
    /// What could not be read, each with a reason. An order among them is not in `orders`.
    pub unreadable: Vec<String>,
}

/// Reads all our manifests in the output folder and history. A directory counts if its manifest
/// matches its name.
pub fn survey(disk: &dyn Disk, layout: &Layout) -> Survey {
    let mut survey = Survey::default();
    for (account, dir) in survey.accounts(disk, layout, &layout.output) {
        for order in survey.dirs(disk, &dir) {
            survey.take(disk, &order.path, |manifest, name| belongs(manifest, &account, name));
        }
    }
    // The output folder comes first: it wins over a revision of the same number here.
    for (account, dir) in survey.accounts(disk, layout, &layout.history()) {
        for order in survey.dirs(disk, &dir) {
            let name = order.name.unwrap_or_default();
            for revision in survey.dirs(disk, &order.path) {
                // Only a revision in the order's own place is ever replaced.
                survey.take(disk, &revision.path, |manifest, _| {
                    belongs(manifest, &account, &name).filter(|place| *place == Place::Main)
                });
            }
        }
    }
    survey
}

/// Returns where the directory `name`, below the `<lab>/<account>` in `account`, was published, if
/// the manifest in it matches.
pub(crate) fn belongs(manifest: &Manifest, account: &str, name: &str) -> Option<Place> {
    let own = format!("{}/{}", safe_component(&manifest.lab), safe_component(&manifest.account.id));
    let id = safe_component(&manifest.order_id);
    if account != own {
        None
    } else if name == id {
        Some(Place::Main)
    } else if name == safe_component(&format!("{id}-r{}", manifest.revision)) {
        Some(Place::Beside)
    } else {
        None
    }
}

/// Moves to history any revision in `work` or `held` that an exchange took out of the output
/// folder: one that is older than the revision in its order's place. With the journal lost, nothing
/// else would know of it. Leaves `kept` alone. Returns how many were moved.
pub fn rescue_replaced(disk: &dyn Disk, layout: &Layout, kept: &[PathBuf]) -> Result<usize, Fault> {
    let mut entries = Vec::new();
    // A held revision is exchanged from where it was held.
    for dir in [layout.work(), layout.held()] {
        if disk.kind(&dir)? == Some(Kind::Dir) {
            entries.extend(disk.list(&dir)?);
        }
    }
    let mut moved = 0;
    for entry in entries {
        if entry.kind != Kind::Dir || kept.contains(&entry.path) {
            continue;
        }
        let Read::Manifest(old, _) = read_manifest(disk, &entry.path)? else { continue };
        let Some(key) = key_of(&old) else { continue };
        let Read::Manifest(new, _) = read_manifest(disk, &layout.order_dir(&key))? else {
            continue;
        };
        if key_of(&new).as_ref() == Some(&key) && new.revision > old.revision {
            let place = history::free_place(disk, layout, &key, old.revision)?;
            disk.rename(&entry.path, &place)?;
            disk.sync_dir(&layout.order_history(&key))?;
            moved += 1;
        }
    }
    Ok(moved)
}

/// Returns the order that a manifest names.
pub fn key_of(manifest: &Manifest) -> Option<OrderKey> {
    Some(OrderKey {
        lab: manifest.lab.parse().ok()?,
        account: manifest.account.id.parse().ok()?,
        order: manifest.order_id.parse().ok()?,
    })
}

impl Survey {
    /// Returns the directories `<lab>/<account>` below a directory.
    fn accounts(
        &mut self,
        disk: &dyn Disk,
        layout: &Layout,
        base: &Path,
    ) -> Vec<(String, PathBuf)> {
        let mut accounts = Vec::new();
        for lab in self.dirs(disk, base) {
            if lab.path == layout.staging {
                continue;
            }
            for account in self.dirs(disk, &lab.path) {
                let name = |entry: &Entry| entry.name.clone().unwrap_or_default();
                accounts.push((format!("{}/{}", name(&lab), name(&account)), account.path));
            }
        }
        accounts
    }

    fn dirs(&mut self, disk: &dyn Disk, dir: &Path) -> Vec<Entry> {
        match disk.kind(dir).and_then(|kind| match kind {
            Some(Kind::Dir) => disk.list(dir),
            _ => Ok(Vec::new()),
        }) {
            Ok(mut entries) => {
                entries.retain(|entry| entry.kind == Kind::Dir && entry.name.is_some());
                entries
            }
            Err(error) => {
                self.cannot(&error);
                Vec::new()
            }
        }
    }

    fn take(
        &mut self,
        disk: &dyn Disk,
        dir: &Path,
        place: impl Fn(&Manifest, &str) -> Option<Place>,
    ) {
        let (manifest, manifest_sha256) = match read_manifest(disk, dir) {
            Ok(Read::Manifest(manifest, sha)) => (*manifest, sha),
            Ok(Read::Missing) => return,
            Ok(Read::Unreadable(why)) => {
                // Other people's folders may be named after patients.
                let name = file_name(&dir.file_name().unwrap_or_default().to_string_lossy());
                self.unreadable.push(format!(
                    "{FILE_NAME} in the folder {name} {why}; the agent leaves the folder alone: \
                     look at it, and delete it or fetch the order again"
                ));
                return;
            }
            Err(error) => return self.cannot(&error),
        };
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let (Some(place), Some(key)) = (place(&manifest, &name), key_of(&manifest)) else { return };
        if test_order::is_its(&manifest) {
            // Not a lab's order: the journal did not have it before either.
            return;
        }
        let revisions = self.orders.entry(key).or_default();
        revisions.entry(manifest.revision).or_insert(Standing { manifest, manifest_sha256, place });
    }

    fn cannot(&mut self, error: &DiskError) {
        self.unreadable.push(format!("{error}: {}", error.source));
    }
}

#[cfg(test)]
mod tests {
    use super::super::root::prepare_root;
    use super::super::testing::{Place as Folder, key, sealed};
    use super::*;
    use casedrop_disk::RealDisk;

    const FILES: [(&str, &str); 1] = [("a.stl", "mesh")];

    fn prepared() -> Folder {
        let place = Folder::new();
        prepare_root(&RealDisk, &place.layout, None).expect("prepared");
        place
    }

    fn found(place: &Folder) -> Vec<(u32, Place, String)> {
        let survey = survey(&RealDisk, &place.layout);
        assert!(survey.orders.keys().all(|found| *found == key()));
        let all = survey.orders.into_values().flat_map(BTreeMap::into_iter);
        all.map(|(number, one)| (number, one.place, one.manifest_sha256)).collect()
    }

    #[test]
    fn revisions_are_found_in_the_output_beside_it_and_in_history() {
        let place = prepared();
        let layout = &place.layout;
        let (_, first) = sealed(&layout.history_dir(&key(), 1), 1, &FILES);
        let (_, second) = sealed(&layout.order_dir(&key()), 2, &FILES);
        let (_, third) = sealed(&layout.beside_dir(&key(), 3), 3, &FILES);
        // A duplicate number: the one in the output folder wins.
        sealed(&layout.history_dir(&key(), 2), 2, &[("other", "")]);
        assert_eq!(
            found(&place),
            [(1, Place::Main, first), (2, Place::Main, second), (3, Place::Beside, third)]
        );
    }

    #[test]
    fn an_order_that_lies_in_history_alone_is_known() {
        let place = prepared();
        sealed(&place.layout.history_dir(&key(), 4), 4, &FILES);
        assert_eq!(found(&place)[0].0, 4);
    }

    #[test]
    fn what_was_renamed_copied_or_is_not_ours_does_not_count() {
        let place = prepared();
        let dir = place.layout.order_dir(&key());
        sealed(&dir.with_file_name("18"), 1, &FILES);
        sealed(&dir.with_file_name("17-r7"), 1, &FILES);
        sealed(&place.layout.output.join("other-lab/4711/17"), 1, &FILES);
        std::fs::create_dir_all(dir.with_file_name("notes")).expect("made");
        std::fs::create_dir_all(&dir).expect("made");
        std::fs::write(dir.join("manifest.json"), "{").expect("written");
        std::fs::write(place.layout.output.join("file"), "").expect("written");
        assert_eq!(found(&place), []);
        let told = survey(&RealDisk, &place.layout).unreadable;
        assert!(told.len() == 1 && told[0].contains("folder 17 cannot be read"), "{told:?}");
    }

    #[test]
    fn a_manifest_that_leads_elsewhere_is_told_by_its_entry_and_learned_by_nobody() {
        let place = prepared();
        let dir = place.layout.order_dir(&key());
        sealed(&dir, 1, &FILES);
        let text = std::fs::read_to_string(dir.join("manifest.json")).expect("there");
        let planted = text.replace("a.stl", "../../../state/Müller.json");
        std::fs::write(dir.join("manifest.json"), planted).expect("planted");
        assert_eq!(found(&place), []);
        let told = survey(&RealDisk, &place.layout).unreadable;
        let what = "the path of entry 1 leads out of its folder";
        assert!(told[0].contains(what) && !told[0].contains("Müller"), "{told:?}");
    }

    #[test]
    fn a_revision_that_an_exchange_brought_out_goes_to_history() {
        let place = prepared();
        let layout = &place.layout;
        let (_, old) = sealed(&layout.work_dir("job"), 1, &FILES);
        assert_eq!(rescue_replaced(&RealDisk, layout, &[]).expect("nothing newer"), 0);
        sealed(&layout.order_dir(&key()), 2, &[("b", "")]);
        // A newer one that was never published belongs to no order.
        sealed(&layout.work_dir("next"), 3, &FILES);
        std::fs::create_dir_all(layout.work_dir("half")).expect("made");
        let kept = [layout.work_dir("job")];
        assert_eq!(rescue_replaced(&RealDisk, layout, &kept).expect("kept"), 0);
        assert_eq!(rescue_replaced(&RealDisk, layout, &[]).expect("moved"), 1);
        assert_eq!(found(&place)[0], (1, Place::Main, old));
        assert!(layout.history_dir(&key(), 1).join("a.stl").is_file());
        assert!(layout.work_dir("next").is_dir());
    }
}
