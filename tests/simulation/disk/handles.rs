//! Open files and locks. They die with the program that holds them.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use casedrop::disk::WriteFile;

use super::calls::Extent;
use super::tree::Ino;
use super::{SimDisk, State};

fn alive(state: &State, start: u64) -> io::Result<()> {
    if state.start == start {
        return Ok(());
    }
    Err(io::Error::other("the file was opened by a program that is dead"))
}

/// Common to all open files.
struct Opened {
    disk: SimDisk,
    ino: Ino,
    start: u64,
    path: Box<Path>,
}

impl Opened {
    fn new(disk: &SimDisk, ino: Ino, start: u64, path: &Path) -> Self {
        Self { disk: disk.clone(), ino, start, path: path.into() }
    }

    fn perform<T>(
        &self,
        operation: &'static str,
        run: impl FnOnce(&mut State, Extent) -> io::Result<T>,
    ) -> io::Result<T> {
        self.disk.perform(operation, &self.path, None, |state, extent| {
            alive(state, self.start)?;
            run(state, extent)
        })
    }
}

pub(super) struct Writing {
    file: Opened,
    /// Position of the next byte; `None`: append.
    at: Option<usize>,
}

impl Writing {
    pub(super) fn new(
        disk: &SimDisk,
        ino: Ino,
        start: u64,
        path: &Path,
        at: Option<usize>,
    ) -> Self {
        Self { file: Opened::new(disk, ino, start, path), at }
    }
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (ino, at) = (self.file.ino, self.at);
        let mut count = 0;
        let done = self.file.perform("write", |state, extent| {
            let wanted = match extent {
                Extent::Part => &bytes[..state.rng.usize(..=bytes.len())],
                Extent::Whole | Extent::AllButTheLast => bytes,
            };
            count = state.tree.write(ino, at, wanted)?;
            Ok(count)
        });
        self.at = at.map(|at| at + count);
        done
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl WriteFile for Writing {
    fn sync(&mut self) -> io::Result<()> {
        let ino = self.file.ino;
        self.file.perform("sync", |state, extent| match extent {
            Extent::Part => Ok(()),
            Extent::Whole | Extent::AllButTheLast => state.tree.sync_file(ino),
        })
    }
}

pub(super) struct Reading {
    file: Opened,
    at: u64,
}

impl Reading {
    pub(super) fn new(disk: &SimDisk, ino: Ino, start: u64, path: &Path) -> Self {
        Self { file: Opened::new(disk, ino, start, path), at: 0 }
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (ino, at) = (self.file.ino, usize::try_from(self.at).unwrap_or(usize::MAX));
        let count = self.file.perform("read", |state, _| {
            let bytes = state.tree.file(ino)?.bytes();
            let rest = &bytes[at.min(bytes.len())..];
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        })?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Seeking is not a call: it does not reach the disk.
impl Seek for Reading {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let state = self.file.disk.state();
        alive(&state, self.file.start)?;
        let len = state.tree.file(self.file.ino).map_or(0, super::tree::File::len);
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        drop(state);
        self.at = at.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// A lock that is held.
pub(super) struct Locked {
    disk: SimDisk,
    ino: Ino,
    start: u64,
}

impl Locked {
    pub(super) fn new(disk: &SimDisk, ino: Ino, start: u64) -> Self {
        Self { disk: disk.clone(), ino, start }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let state = &mut *self.disk.state();
        if state.start == self.start {
            state.locks.remove(&self.ino);
        }
    }
}
