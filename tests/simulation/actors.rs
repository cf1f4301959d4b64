//! The programs and people around the hot folder: they take, change and add whatever they like.

use std::path::{Path, PathBuf};

use crate::disk::SimDisk;
use crate::ledger::{Ledger, content, files};

/// Something that one of them does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    TakeSome,
    /// Takes all files but leaves the directory.
    Empty,
    /// Moves the directory out of the output folder.
    TakeAll,
    /// Renames the directory within the output folder.
    Rename,
    Edit,
    Add,
    /// Puts something where the order, or the revision next to it, will go.
    Occupy,
}

impl Deed {
    /// Draws a deed, whether or not it leaves anything of theirs in the order.
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        let all = [
            Self::TakeSome,
            Self::Empty,
            Self::TakeAll,
            Self::TakeAll,
            Self::Rename,
            Self::Edit,
            Self::Add,
            Self::Occupy,
        ];
        all[rng.usize(..all.len())]
    }

    /// Does it to the order's directory `dir`. With `in_between` the agent is publishing there at
    /// this moment. Returns whether anything was done.
    pub fn happen(
        self,
        disk: &SimDisk,
        ledger: &mut Ledger,
        rng: &mut fastrand::Rng,
        dir: &Path,
        in_between: bool,
    ) -> bool {
        let here = content(disk, dir);
        let names: Vec<PathBuf> = files(&here).map(|(path, _)| path.clone()).collect();
        let is_dir = !here.contains_key(Path::new("")) && disk.exists(dir);
        let away = PathBuf::from("/pc/cad").join(ledger.name());
        match self {
            Self::TakeSome | Self::Empty if !is_dir || names.is_empty() => false,
            Self::TakeSome | Self::Empty => {
                let all = self == Self::Empty;
                let count = if all { names.len() } else { rng.usize(1..=names.len()) };
                for name in &names[..count] {
                    disk.remove_foreign(&dir.join(name));
                }
                ledger.taken(disk, dir, in_between);
                true
            }
            Self::TakeAll => {
                if !disk.exists(dir) {
                    return false;
                }
                disk.write_foreign(Path::new("/pc/cad/readme"), b"taken orders");
                let done = disk.rename_foreign(dir, &away);
                ledger.taken(disk, dir, in_between);
                done
            }
            Self::Rename => {
                let to = dir.with_file_name(ledger.name());
                if !is_dir || names.is_empty() || !disk.rename_foreign(dir, &to) {
                    return false;
                }
                ledger.taken(disk, dir, in_between);
                ledger.changed(disk, &to, false);
                true
            }
            Self::Edit => {
                let texts: Vec<&PathBuf> = names.iter().collect();
                if !is_dir || texts.is_empty() {
                    return false;
                }
                let text = format!("changed by {}", ledger.name());
                disk.write_foreign(&dir.join(texts[rng.usize(..texts.len())]), text.as_bytes());
                ledger.changed(disk, dir, in_between);
                true
            }
            Self::Add => {
                if !is_dir || names.is_empty() {
                    return false;
                }
                let name = ledger.name();
                disk.write_foreign(&dir.join(&name), name.as_bytes());
                ledger.changed(disk, dir, in_between);
                true
            }
            Self::Occupy => {
                if disk.exists(dir) {
                    return false;
                }
                let name = ledger.name();
                let path = if rng.u8(..4) == 0 { dir.to_path_buf() } else { dir.join(&name) };
                disk.write_foreign(&path, name.as_bytes());
                ledger.changed(disk, dir, in_between);
                true
            }
        }
    }
}
