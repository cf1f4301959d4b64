//! The directory layout: the output folder that others watch, and the staging folder next to it
//! that no one does.

use std::path::PathBuf;

use casedrop_disk::others_name_below;
use casedrop_model::ids::OrderKey;
pub use casedrop_model::local::HELD_JOB;
use casedrop_model::path::safe_component;
use casedrop_model::record::Place;

/// The two directories, both on one volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The hot folder.
    pub output: PathBuf,
    /// Where orders are assembled and replaced revisions are kept.
    pub staging: PathBuf,
}

impl Layout {
    /// Omits words that may name a person from messages about the contents of orders.
    pub fn be_discreet(&self) {
        // <lab>/<account>/<order>/…
        others_name_below(&self.output, 3);
        // <job>/…
        others_name_below(&self.work(), 1);
        others_name_below(&self.retired(), 1);
        // <lab>/<account>/<order>/r<N>/…
        others_name_below(&self.history(), 4);
    }

    /// Returns where an order is published: `<output>/<lab>/<account>/<order-id>`.
    pub fn order_dir(&self, key: &OrderKey) -> PathBuf {
        self.account_dir(key).join(key.order.dir_name())
    }

    /// Returns where a revision is published if the order's own place holds something that is not
    /// ours: `<order-id>-r<N>` next to it.
    pub fn beside_dir(&self, key: &OrderKey, revision: u32) -> PathBuf {
        self.account_dir(key).join(safe_component(&format!("{}-r{revision}", key.order.dir_name())))
    }

    fn account_dir(&self, key: &OrderKey) -> PathBuf {
        self.output.join(key.lab.dir_name()).join(key.account.dir_name())
    }

    /// Returns the parent of all orders being assembled.
    pub fn work(&self) -> PathBuf {
        self.staging.join("work")
    }

    /// Returns where a job assembles its order. The name is made safe.
    pub fn work_dir(&self, job: &str) -> PathBuf {
        self.work().join(safe_component(job))
    }

    /// Returns the parent of all held revisions.
    pub fn held(&self) -> PathBuf {
        self.staging.join("held")
    }

    /// Returns where a revision is held back. The name is made safe.
    pub fn held_dir(&self, dir: &str) -> PathBuf {
        self.held().join(safe_component(dir))
    }

    /// Returns where a revision to publish is: assembled below `work`, or held back until now.
    pub fn staged_dir(&self, job: &str) -> PathBuf {
        match job.strip_prefix(HELD_JOB) {
            Some(dir) => self.held_dir(dir),
            None => self.work_dir(job),
        }
    }

    /// Returns the directory with one small file for each order whose download was requested.
    pub fn claims(&self) -> PathBuf {
        self.staging.join("claims")
    }

    /// Returns where a job's downloads are spooled, and kept while incomplete.
    pub fn spool_dir(&self, job: &str) -> PathBuf {
        self.work_dir(&format!("{job}.spool"))
    }

    /// Returns the directory for what was moved out of the output folder to be removed.
    pub fn retired(&self) -> PathBuf {
        self.staging.join("retired")
    }

    /// Returns where a revision to be removed is moved.
    pub fn retired_dir(&self, key: &OrderKey, place: Place, revision: u32) -> PathBuf {
        let place = place.as_str();
        let (lab, account) = (key.lab.dir_name(), key.account.dir_name());
        let name = format!("{lab}~{account}~{}~{place}~r{revision}", key.order.dir_name());
        self.retired().join(safe_component(&name))
    }

    /// Returns where a revision is published.
    pub fn dir_at(&self, key: &OrderKey, place: Place, revision: u32) -> PathBuf {
        match place {
            Place::Main => self.order_dir(key),
            Place::Beside => self.beside_dir(key, revision),
        }
    }

    /// Returns the parent of all replaced revisions.
    pub fn history(&self) -> PathBuf {
        self.staging.join("history")
    }

    /// Returns where an order's replaced revisions are kept.
    pub fn order_history(&self, key: &OrderKey) -> PathBuf {
        self.history()
            .join(key.lab.dir_name())
            .join(key.account.dir_name())
            .join(key.order.dir_name())
    }

    /// Returns where a replaced revision is kept.
    pub fn history_dir(&self, key: &OrderKey, revision: u32) -> PathBuf {
        self.order_history(key).join(format!("r{revision}"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn strange_ids_stay_inside_the_tree() {
        let layout = Layout { output: "out".into(), staging: "stage".into() };
        let key = OrderKey {
            lab: "smile-lab".parse().expect("valid"),
            account: "..".parse().expect("valid"),
            order: "../../17".parse().expect("valid"),
        };
        assert_eq!(layout.order_dir(&key), Path::new("out/smile-lab/.%2E/..%2F..%2F17"));
        assert_eq!(layout.beside_dir(&key, 2), Path::new("out/smile-lab/.%2E/..%2F..%2F17-r2"));
        assert!(layout.history_dir(&key, 1).starts_with("stage/history/smile-lab"));
        assert_eq!(layout.work_dir("a/b"), Path::new("stage/work/a%2Fb"));
    }
}
