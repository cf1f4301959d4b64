//! The running transfers, for progress bars.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::pace::Arrived;
use casedrop_model::asset::AssetKind;
use casedrop_model::ids::{LabName, OrderKey};
use casedrop_model::record::Activity;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    pub kind: AssetKind,
    /// Bytes received so far.
    pub done: u64,
    /// Expected bytes, if the server reported them.
    pub total: Option<u64>,
    /// Bytes received since the order's download began, over all of its parts.
    pub arrived: u64,
}

impl Transfer {
    /// How much of the scans' package has arrived, in percent, if that is known.
    pub fn percent(&self) -> Option<u8> {
        // Extras are small, and are fetched once the scans are here.
        let total = self.total.filter(|total| *total > 0 && self.kind == AssetKind::Ide)?;
        // A server may send more than it announced.
        u8::try_from((self.done.saturating_mul(100) / total).min(100)).ok()
    }
}

/// What is being done with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Bytes arrive.
    Downloading,
    /// The package is unpacked, and every byte proven.
    Unpacking,
    /// The files are looked into.
    Checking,
    /// The order is sealed and moved into the output.
    Publishing,
}

impl Stage {
    /// Its name, such as `downloading`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Downloading => "downloading",
            Self::Unpacking => "unpacking",
            Self::Checking => "checking",
            Self::Publishing => "publishing",
        }
    }
}

/// All running downloads, and how much they have received so far.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    running: BTreeMap<OrderKey, Transfer>,
    /// Orders of which everything requested so far has arrived.
    here: BTreeSet<OrderKey>,
    stages: BTreeMap<OrderKey, Stage>,
    received: BTreeMap<LabName, u64>,
}

impl Progress {
    /// Records that a download begins.
    pub fn begin(&self, key: &OrderKey, kind: AssetKind, done: u64, total: Option<u64>) {
        let mut table = self.table();
        table.here.remove(key);
        table.stages.insert(key.clone(), Stage::Downloading);
        let arrived = table.running.get(key).map_or(0, |before| before.arrived);
        let transfer = Transfer { kind, done, total, arrived };
        table.running.insert(key.clone(), transfer);
    }

    /// Records that all requested bytes of an order have arrived: what follows is up to this PC.
    pub fn is_here(&self, key: &OrderKey) {
        self.table().here.insert(key.clone());
    }

    /// Records what is done with an order from now on.
    pub fn enter(&self, key: &OrderKey, stage: Stage) {
        self.table().stages.insert(key.clone(), stage);
    }

    /// Adds bytes received.
    pub fn add(&self, key: &OrderKey, bytes: u64) {
        let mut table = self.table();
        if let Some(transfer) = table.running.get_mut(key) {
            transfer.done += bytes;
            transfer.arrived += bytes;
        }
        if let Some(received) = table.received.get_mut(&key.lab) {
            *received += bytes;
        } else {
            table.received.insert(key.lab.clone(), bytes);
        }
    }

    /// Records that a download or a publication ended, whatever the outcome.
    pub fn end(&self, key: &OrderKey) {
        let mut table = self.table();
        table.running.remove(key);
        table.here.remove(key);
        table.stages.remove(key);
    }

    /// Returns how much the running downloads have received.
    pub fn arrived(&self) -> BTreeMap<OrderKey, Arrived> {
        let table = self.table();
        let arrived = table.running.iter().map(|(key, transfer)| {
            let left = transfer.total.map(|total| total.saturating_sub(transfer.done));
            let is_coming = !table.here.contains(key);
            (key.clone(), Arrived { bytes: transfer.arrived, left, is_coming })
        });
        arrived.collect()
    }

    /// Returns all running downloads.
    pub fn snapshot(&self) -> BTreeMap<OrderKey, Transfer> {
        self.table().running.clone()
    }

    /// Returns the orders that something is being done with, each with its download, if that is
    /// running.
    pub fn stages(&self) -> BTreeMap<OrderKey, (Stage, Option<Transfer>)> {
        let table = self.table();
        let one = |(key, stage): (&OrderKey, &Stage)| {
            (key.clone(), (*stage, table.running.get(key).cloned()))
        };
        table.stages.iter().map(one).collect()
    }

    /// Returns what is being done with orders, in the words of their states.
    pub fn activities(&self) -> BTreeMap<OrderKey, Activity> {
        let one = |(key, (stage, transfer)): (OrderKey, (Stage, Option<Transfer>))| {
            let activity = match stage {
                Stage::Downloading => {
                    Activity::Downloading(transfer.and_then(|transfer| transfer.percent()))
                }
                Stage::Unpacking | Stage::Checking | Stage::Publishing => Activity::Checking,
            };
            (key, activity)
        };
        self.stages().into_iter().map(one).collect()
    }

    /// Returns the bytes received per lab since the process started, including aborted downloads.
    pub fn received(&self) -> BTreeMap<LabName, u64> {
        self.table().received.clone()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // A panic elsewhere cannot leave a counter half updated.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(lab: &str, order: &str) -> OrderKey {
        OrderKey {
            lab: lab.parse().expect("valid"),
            account: "1".parse().expect("valid"),
            order: order.parse().expect("valid"),
        }
    }

    #[test]
    fn what_arrived_stays_counted_when_a_download_is_over() {
        let progress = Progress::default();
        progress.begin(&key("a", "1"), AssetKind::Ide, 500, Some(700));
        progress.add(&key("a", "1"), 150);
        progress.begin(&key("a", "2"), AssetKind::Ide, 0, None);
        progress.add(&key("a", "2"), 7);
        progress.end(&key("a", "1"));
        progress.begin(&key("b", "1"), AssetKind::Thumbnails, 0, None);
        progress.add(&key("b", "1"), 1);
        let received: Vec<_> = progress.received().into_values().collect();
        assert_eq!(received, [157, 1], "what an earlier attempt brought did not arrive again");
        assert_eq!(progress.snapshot()[&key("a", "2")].done, 7);
        assert_eq!(progress.snapshot().len(), 2);
    }

    #[test]
    fn an_order_is_in_one_stage_after_another() {
        let key = key("a", "1");
        let progress = Progress::default();
        let now =
            || progress.stages().get(&key).map(|(stage, running)| (*stage, running.is_some()));
        assert_eq!(now(), None);
        progress.begin(&key, AssetKind::Ide, 0, None);
        assert_eq!(now(), Some((Stage::Downloading, true)));
        progress.enter(&key, Stage::Unpacking);
        progress.begin(&key, AssetKind::Thumbnails, 0, None);
        assert_eq!(now(), Some((Stage::Downloading, true)), "what comes after the scan");
        progress.end(&key);
        progress.enter(&key, Stage::Publishing);
        assert_eq!(now(), Some((Stage::Publishing, false)));
        assert!(progress.snapshot().is_empty(), "no download is running");
        progress.end(&key);
        assert_eq!(now(), None);
    }

    #[test]
    fn the_parts_of_an_order_are_one_download() {
        let key = key("a", "1");
        let progress = Progress::default();
        progress.begin(&key, AssetKind::Ide, 500, Some(700));
        progress.add(&key, 200);
        progress.is_here(&key);
        let here = Arrived { bytes: 200, left: Some(0), is_coming: false };
        assert_eq!(progress.arrived()[&key], here);
        progress.begin(&key, AssetKind::Thumbnails, 0, None);
        progress.add(&key, 7);
        let coming = Arrived { bytes: 207, left: None, is_coming: true };
        assert_eq!(progress.arrived()[&key], coming);
        progress.end(&key);
        assert_eq!(progress.arrived().len(), 0);
        assert_eq!(progress.stages().len(), 0);
    }

    #[test]
    fn how_much_is_here_is_known_for_the_scans_alone() {
        let percent = |kind, done, total| Transfer { kind, done, total, arrived: 0 }.percent();
        let (ide, pictures) = (AssetKind::Ide, AssetKind::Thumbnails);
        assert_eq!(percent(ide, 0, Some(200)), Some(0));
        assert_eq!(percent(ide, 199, Some(200)), Some(99));
        assert_eq!(percent(ide, 250, Some(200)), Some(100));
        assert_eq!((percent(ide, 7, None), percent(ide, 7, Some(0))), (None, None));
        assert_eq!(percent(pictures, 1, Some(2)), None);
    }

    #[test]
    fn an_order_is_downloading_until_everything_is_here() {
        let key = key("a", "1");
        let progress = Progress::default();
        progress.begin(&key, AssetKind::Ide, 50, Some(200));
        assert_eq!(progress.activities()[&key], Activity::Downloading(Some(25)));
        for stage in [Stage::Unpacking, Stage::Checking, Stage::Publishing] {
            progress.enter(&key, stage);
            assert_eq!(progress.activities()[&key], Activity::Checking);
        }
        progress.end(&key);
        assert!(progress.activities().is_empty());
    }
}
