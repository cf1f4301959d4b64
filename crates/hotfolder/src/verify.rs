//! Rehashes the output tree against its manifests and names every difference.

use std::path::Path;

use serde::Serialize;

use super::files::is_litter;
use super::inspect::{Comparison, Read, compare, read_manifest};
use super::layout::Layout;
use super::rebuild::{belongs, key_of};
use super::root::MARKER;
use casedrop_disk::{Disk, DiskError, Entry, Kind};
use casedrop_model::discreet::file_name;
use casedrop_model::ids::{OrderId, OrderKey};
use casedrop_model::manifest::{FILE_NAME, Manifest};
use casedrop_model::test_order;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Number of orders checked.
    pub orders: usize,
    /// Number of files listed in their manifests.
    pub files: usize,
    /// Total bytes of those files.
    pub bytes: u64,
    /// Everything that is not as it should be.
    pub differences: Vec<Difference>,
    /// Directories of orders whose manifest the journal does not know, such as
    /// `smile-lab/4711/17544365`: they match their manifests, but anyone may have put them there.
    pub unknown_origin: Vec<String>,
}

/// Whether the journal knows a manifest of an order by its hash.
pub type Knows<'a> = dyn Fn(&OrderKey, &str) -> bool + 'a;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The directory in the output folder, such as `smile-lab/4711/17544365`; empty for the output
    /// folder itself.
    pub order: String,
    /// The file in it, if the difference is about one.
    pub file: Option<String>,
    /// What is wrong, worded as the end of a sentence.
    pub what: String,
}

/// Which orders to verify; by default all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selection<'a> {
    /// Only those in the directory of this lab.
    pub lab: Option<&'a str>,
    /// Only these; empty means all.
    pub orders: &'a [OrderId],
}

/// How much a report says about files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileNames {
    /// Without words that may name a person, for what is logged, stored or sent.
    Discreet,
    /// As they are, for the one person who asked.
    Real,
}

/// Verifies all orders, or `only` some. An emptied directory counts as consumed and is no
/// difference; neither is litter from operating systems.
pub fn verify_tree(disk: &dyn Disk, layout: &Layout, only: Option<&[OrderId]>) -> VerifyReport {
    let selected = Selection { lab: None, orders: only.unwrap_or_default() };
    verify_selection(disk, layout, selected, None, FileNames::Discreet)
}

/// Like [`verify_tree`], with the given `names`; with `knows`, also reports what the journal does not
/// know.
pub fn verify_selection(
    disk: &dyn Disk,
    layout: &Layout,
    selected: Selection<'_>,
    knows: Option<&Knows<'_>>,
    names: FileNames,
) -> VerifyReport {
    let report = VerifyReport::default();
    let mut walk = Walk { disk, layout, selected, knows, names, found: Vec::new(), report };
    walk.output();
    for id in selected.orders {
        if !walk.found.contains(id) {
            walk.differ("", None, format!("unknown order {id}: it is not in the output"));
        }
    }
    walk.report
}

struct Walk<'a> {
    disk: &'a dyn Disk,
    layout: &'a Layout,
    selected: Selection<'a>,
    knows: Option<&'a Knows<'a>>,
    names: FileNames,
    found: Vec<OrderId>,
    report: VerifyReport,
}

impl Walk<'_> {
    fn differ(&mut self, order: &str, file: Option<&str>, what: impl Into<String>) {
        // File names may contain a patient's name.
        let is_real = |file: &str| self.names == FileNames::Real || file == MARKER;
        let order = if is_real("") { order.to_owned() } else { shown(order) };
        let file = file.map(|file| if is_real(file) { file.to_owned() } else { file_name(file) });
        self.report.differences.push(Difference { order, file, what: what.into() });
    }

    fn output(&mut self) {
        let output = self.layout.output.clone();
        if !matches!(self.disk.kind(&output.join(MARKER)), Ok(Some(Kind::File))) {
            self.differ(
                "",
                Some(MARKER),
                "is missing: this is not an output folder, or it is not mounted",
            );
        }
        for (lab, lab_entry) in self.dirs("", &output) {
            if self.selected.lab.is_some_and(|selected| selected != lab) {
                continue;
            }
            for (account, account_entry) in self.dirs(&lab, &lab_entry.path) {
                for (order, order_entry) in self.dirs(&account, &account_entry.path) {
                    if self.wanted(order_entry.name.as_deref().unwrap_or_default()) {
                        self.order(&order, &order_entry.path);
                    }
                }
            }
        }
    }

    /// Lists the directories in one that should hold nothing else, each with its path in the output
    /// folder.
    fn dirs(&mut self, below: &str, dir: &Path) -> Vec<(String, Entry)> {
        let entries = match self.disk.list(dir) {
            Ok(entries) => entries,
            Err(error) => {
                self.differ(below, None, unreadable(&error));
                return Vec::new();
            }
        };
        let mut dirs = Vec::new();
        for entry in entries {
            let name = entry.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let ours = below.is_empty() && (name == MARKER || entry.path == self.layout.staging);
            let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            match (entry.kind, &entry.name) {
                _ if ours => {}
                (Kind::Dir, Some(_)) => dirs.push((path, entry)),
                (Kind::File, _) if is_litter(&name) => {}
                // If specific orders were asked for, the rest of the tree does not matter.
                _ if !self.selected.orders.is_empty() => {}
                _ if below.is_empty() && self.selected.lab.is_some() => {}
                _ => self.differ(below, Some(&name), "does not belong here"),
            }
        }
        dirs
    }

    fn wanted(&mut self, dir_name: &str) -> bool {
        if self.selected.orders.is_empty() {
            return true;
        }
        let hit = self.selected.orders.iter().find(|id| {
            let name = id.dir_name();
            dir_name == name
                || dir_name
                    .strip_prefix(&format!("{name}-r"))
                    .is_some_and(|rest| rest.parse::<u32>().is_ok())
        });
        self.found.extend(hit.cloned());
        hit.is_some()
    }

    fn order(&mut self, order: &str, dir: &Path) {
        match self.disk.list(dir) {
            Ok(entries) if entries.iter().all(is_litter_file) => return,
            Ok(_) => {}
            Err(error) => return self.differ(order, None, unreadable(&error)),
        }
        self.report.orders += 1;
        let manifest = match read_manifest(self.disk, dir) {
            Ok(Read::Manifest(manifest, sha256)) => {
                self.ask_for_origin(order, &manifest, &sha256);
                manifest
            }
            Ok(Read::Missing) => return self.differ(order, Some(FILE_NAME), "is missing"),
            Ok(Read::Unreadable(why)) => return self.differ(order, Some(FILE_NAME), why),
            Err(error) => return self.differ(order, Some(FILE_NAME), unreadable(&error)),
        };
        let (account, name) = order.rsplit_once('/').unwrap_or_default();
        if belongs(&manifest, account, name).is_none() {
            let what = format!(
                "belongs to {}/{}/{}",
                manifest.lab, manifest.account.id, manifest.order_id
            );
            self.differ(order, Some(FILE_NAME), what);
        }
        self.report.files += manifest.files.len();
        self.report.bytes = self.report.bytes.saturating_add(manifest.bytes());
        match compare(self.disk, dir, &manifest, None) {
            Ok(Comparison { gone, wrong }) => {
                for file in gone {
                    self.differ(order, Some(&file), "is missing");
                }
                for (file, what) in wrong {
                    self.differ(order, Some(&file), what);
                }
            }
            Err(error) => self.differ(order, None, unreadable(&error)),
        }
    }

    /// Reports an order of unknown origin. The test order is in no journal.
    fn ask_for_origin(&mut self, order: &str, manifest: &Manifest, sha256: &str) {
        let (Some(knows), Some(key)) = (self.knows, key_of(manifest)) else { return };
        if !test_order::is_its(manifest) && !knows(&key, sha256) {
            self.report.unknown_origin.push(order.to_owned());
        }
    }
}

/// Returns the path of an order, or of whatever is in its place, for display. The first parts, lab
/// and account, are ours.
fn shown(order: &str) -> String {
    let mut parts = order.splitn(3, '/');
    let ours = [parts.next(), parts.next()].into_iter().flatten().map(str::to_owned);
    ours.chain(parts.map(file_name)).collect::<Vec<_>>().join("/")
}

fn is_litter_file(entry: &Entry) -> bool {
    entry.kind == Kind::File && entry.name.as_deref().is_some_and(is_litter)
}

fn unreadable(error: &DiskError) -> String {
    format!("cannot be read: {error}: {}", error.source)
}

#[cfg(test)]
mod tests {
    use super::super::root::prepare_root;
    use super::super::testing::{Place, key, sealed};
    use super::*;
    use casedrop_disk::RealDisk;

    const FILES: [(&str, &str); 2] = [("a.stl", "mesh"), ("thumbnails/b.jpg", "picture")];

    fn setup() -> (Place, std::path::PathBuf) {
        let place = Place::new();
        prepare_root(&RealDisk, &place.layout, None).expect("prepared");
        let dir = place.layout.order_dir(&key());
        sealed(&dir, 1, &FILES);
        (place, dir)
    }

    fn differences(place: &Place, only: Option<&[OrderId]>) -> Vec<(String, String, String)> {
        verify_tree(&RealDisk, &place.layout, only)
            .differences
            .into_iter()
            .map(|one| (one.order, one.file.unwrap_or_default(), one.what))
            .collect()
    }

    fn difference(order: &str, file: &str, what: &str) -> (String, String, String) {
        (order.to_owned(), file.to_owned(), what.to_owned())
    }

    #[test]
    fn a_good_tree_has_no_differences() {
        let (place, dir) = setup();
        sealed(&place.layout.beside_dir(&key(), 1), 1, &FILES);
        std::fs::create_dir(dir.with_file_name("18")).expect("emptied by somebody");
        std::fs::write(dir.with_file_name("Thumbs.db"), "").expect("write");
        let report = verify_tree(&RealDisk, &place.layout, None);
        let expected = VerifyReport { orders: 2, files: 4, bytes: 22, ..VerifyReport::default() };
        assert_eq!(report, expected);
    }

    #[test]
    fn what_the_journal_does_not_know_is_told_and_is_no_difference() {
        let (place, _) = setup();
        let (_, known) = sealed(&place.layout.beside_dir(&key(), 2), 2, &FILES);
        let knows = |order: &OrderKey, sha256: &str| *order == key() && sha256 == known;
        let (all, names) = (Selection::default(), FileNames::Discreet);
        let report = verify_selection(&RealDisk, &place.layout, all, Some(&knows), names);
        assert_eq!(report.unknown_origin, ["smile-lab/4711/17"]);
        assert_eq!(report.differences, []);
        let report = verify_tree(&RealDisk, &place.layout, None);
        assert_eq!(report.unknown_origin, [""; 0], "nobody was asked");
    }

    #[test]
    fn a_manifest_that_leads_elsewhere_is_refused_by_the_entry() {
        let (place, dir) = setup();
        let text = std::fs::read_to_string(dir.join("manifest.json")).expect("there");
        let planted = text.replace("thumbnails/b.jpg", "../../../state/Müller");
        std::fs::write(dir.join("manifest.json"), planted).expect("planted");
        let what = "is refused: the path of entry 2 leads out of its folder";
        let expected = [difference("smile-lab/4711/17", "manifest.json", what)];
        assert_eq!(differences(&place, None), expected);
    }

    #[test]
    fn one_changed_byte_is_named() {
        let (place, dir) = setup();
        std::fs::write(dir.join("thumbnails/b.jpg"), "pictUre").expect("write");
        let expected =
            [difference("smile-lab/4711/17", "thumbnails/b.jpg", "has different content")];
        assert_eq!(differences(&place, None), expected);
        assert_eq!(differences(&place, Some(&[key().order])), expected);
    }

    #[test]
    fn missing_extra_and_stray_things_are_named() {
        let (place, dir) = setup();
        std::fs::remove_file(dir.join("a.stl")).expect("removed");
        std::fs::write(dir.join("extra"), "").expect("write");
        std::fs::write(dir.join("Zzyzx, Anna.stl"), "").expect("write");
        std::fs::write(dir.with_file_name("17.tmp"), "").expect("write");
        std::fs::create_dir_all(dir.with_file_name("19/x")).expect("mkdir");
        std::fs::rename(&dir, dir.with_file_name("20")).expect("renamed");
        assert_eq!(
            differences(&place, None),
            [
                difference("smile-lab/4711", "17.tmp", "does not belong here"),
                difference("smile-lab/4711/19", "manifest.json", "is missing"),
                difference("smile-lab/4711/20", "manifest.json", "belongs to smile-lab/4711/17"),
                difference("smile-lab/4711/20", "a.stl", "is missing"),
                difference("smile-lab/4711/20", "…, ….stl", "is not part of the order"),
                difference("smile-lab/4711/20", "extra", "is not part of the order"),
            ]
        );
    }

    #[test]
    fn whoever_asks_for_the_real_names_gets_them() {
        let (place, dir) = setup();
        std::fs::write(dir.join("Zzyzx, Anna.stl"), "").expect("write");
        let told = |names| {
            let report =
                verify_selection(&RealDisk, &place.layout, Selection::default(), None, names);
            report.differences.into_iter().filter_map(|one| one.file).collect::<Vec<_>>()
        };
        assert_eq!(told(FileNames::Discreet), ["…, ….stl"]);
        assert_eq!(told(FileNames::Real), ["Zzyzx, Anna.stl"]);
    }

    #[test]
    fn an_order_that_is_asked_for_must_be_there() {
        let (place, dir) = setup();
        std::fs::write(dir.join("manifest.json"), "{").expect("damaged");
        let other: OrderId = "99".parse().expect("valid");
        assert_eq!(
            differences(&place, Some(&[other])),
            [difference("", "", "unknown order 99: it is not in the output")]
        );
        let found = differences(&place, Some(&[key().order]));
        assert!(found[0].2.starts_with("cannot be read"), "{found:?}");
    }

    #[test]
    fn a_folder_without_marker_is_no_output() {
        let place = Place::new();
        std::fs::create_dir_all(&place.layout.output).expect("mkdir");
        let found = differences(&place, None);
        assert_eq!((found.len(), found[0].1.as_str()), (1, MARKER));
    }
}
