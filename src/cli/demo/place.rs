//! The demo's folders: the hot folder, and next to it the rest.

use std::path::{Path, PathBuf};

use crate::agent::agent_runs;
use crate::disk::{Disk, Kind, read_limited};
use crate::hotfolder::Layout;
use crate::hotfolder::root::{MARKER, output_is_locked};

use super::super::{CliError, Exit};

/// First line of the demo's config: a state folder without it is not the demo's.
pub(super) const WRITTEN: &str = "# Written by `casedrop demo`.";
/// Name of the config in the state folder.
const CONFIG: &str = "casedrop.yaml";
/// The demo does not write larger files.
const LARGEST: u64 = 1 << 16;

#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) output: PathBuf,
    /// Journal, login and config.
    pub(super) state: PathBuf,
    staging: PathBuf,
}

impl Place {
    pub(super) fn of(output: PathBuf) -> Self {
        let name = output.file_name().map_or("demo".into(), |name| name.to_string_lossy());
        let state = output.with_file_name(format!(".{name}.state"));
        let staging = output.with_file_name(format!(".{name}.casedrop-staging"));
        Self { output, state, staging }
    }

    pub(super) fn config(&self) -> PathBuf {
        self.state.join(CONFIG)
    }

    /// Prepares for another demo. A user who deletes the hot folder wants to start over, so what an
    /// earlier demo left next to it goes too. An agent never does that: for an agent, a missing hot
    /// folder may be a share that is offline.
    ///
    /// # Errors
    /// Another demo is at work there, or the state folder is not the demo's.
    pub(super) fn make_ready(&self, disk: &dyn Disk) -> Result<(), CliError> {
        let state = self.state.display();
        match disk.kind(&self.state)? {
            None => return Ok(()),
            Some(Kind::Dir) if disk.list(&self.state)?.is_empty() => return Ok(()),
            Some(Kind::Dir) if self.is_ours(disk)? => {}
            Some(_) => {
                let text = format!("{state} already exists and was not created by the demo");
                return Err(
                    CliError::new(Exit::Usage, text).hint("choose another folder with --output")
                );
            }
        }
        if agent_runs(&self.state) {
            let text = format!("a demo is already running in {}", self.output.display());
            return Err(CliError::new(Exit::AnotherAgent, text)
                .hint("stop it with Ctrl-C, or choose another folder with --output"));
        }
        if disk.kind(&self.output.join(MARKER))?.is_none() {
            self.start_over(disk)?;
        }
        Ok(())
    }

    /// Whether the demo made the state folder.
    fn is_ours(&self, disk: &dyn Disk) -> Result<bool, CliError> {
        let config = self.config();
        if disk.kind(&config)? != Some(Kind::File) {
            return Ok(false);
        }
        let text = read_limited(disk, &config, LARGEST).unwrap_or_default();
        Ok(text.split(|byte| *byte == b'\n').next() == Some(WRITTEN.as_bytes()))
    }

    /// Removes what an earlier demo left, and nothing else.
    fn start_over(&self, disk: &dyn Disk) -> Result<(), CliError> {
        let layout = Layout { output: self.output.clone(), staging: self.staging.clone() };
        if disk.kind(&self.staging)? == Some(Kind::Dir) {
            if output_is_locked(disk, &layout)? {
                let text = format!("an agent is running in {}", self.output.display());
                return Err(CliError::new(Exit::AnotherAgent, text)
                    .hint("stop it, or choose another folder with --output"));
            }
            for dir in [layout.work(), layout.claims(), layout.retired(), layout.history()] {
                remove(disk, &dir)?;
            }
        }
        // The config goes last: without it we would not recognize the rest.
        for entry in disk.list(&self.state)? {
            if entry.path != self.config() {
                remove(disk, &entry.path)?;
            }
        }
        Ok(disk.remove_file(&self.config())?)
    }
}

fn remove(disk: &dyn Disk, path: &Path) -> Result<(), CliError> {
    match disk.kind(path)? {
        None => {}
        Some(Kind::Dir) => disk.remove_tree(path)?,
        Some(_) => disk.remove_file(path)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    fn place(dir: &tempfile::TempDir) -> Place {
        Place::of(dir.path().join("demo"))
    }

    fn put(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    #[test]
    fn what_an_earlier_demo_left_goes_with_its_hot_folder_and_nothing_else_does() {
        let dir = tempfile::tempdir().expect("tempdir");
        let place = place(&dir);
        let ours = format!("{WRITTEN}\noutput: x\n");
        put(&place.config(), &ours);
        put(&place.state.join("journal.db"), "old");
        put(&place.staging.join("history/lab/1/2/r1/a.stl"), "old");
        put(&place.staging.join("theirs.txt"), "theirs");
        put(&place.output.join(MARKER), "{}");
        place.make_ready(&RealDisk).expect("ready");
        assert!(place.state.join("journal.db").is_file(), "the hot folder is still there");
        std::fs::remove_dir_all(&place.output).expect("deleted");
        put(&place.output.join("theirs.txt"), "theirs");
        place.make_ready(&RealDisk).expect("ready");
        assert!(RealDisk.list(&place.state).expect("listed").is_empty());
        assert!(!place.staging.join("history").exists());
        for theirs in [place.staging.join("theirs.txt"), place.output.join("theirs.txt")] {
            assert!(theirs.is_file(), "{}", theirs.display());
        }
        place.make_ready(&RealDisk).expect("as at the first time");
    }

    #[test]
    fn a_state_folder_of_others_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().expect("tempdir");
        let place = place(&dir);
        for (file, text) in [("casedrop.yaml", "output: mine\n"), ("notes.txt", WRITTEN)] {
            let file = place.state.join(file);
            put(&file, text);
            let error = place.make_ready(&RealDisk).expect_err("it is not the demo's");
            assert_eq!(error.exit, Exit::Usage);
            assert!(error.hint.expect("a way out").contains("--output"));
            assert_eq!(std::fs::read_to_string(&file).expect("still there"), text);
            std::fs::remove_file(file).expect("removed");
        }
    }
}
