//! Storage for a generated package: in memory while it is small, in a file once it is large.
//!
//! An archive writer seeks back to fill in a member's sizes, but [`Disk`] files only grow. So
//! appended bytes go to the file, and overwrites of earlier bytes are kept as patches, a few per
//! archive, which the reader applies.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use casedrop_disk::{Disk, ReadFile, WriteFile};

/// Packages up to this size stay in memory.
const IN_MEMORY: usize = 8 << 20;

#[derive(Debug, Clone)]
pub(super) enum Spooled {
    Memory(Bytes),
    File { path: PathBuf, len: u64, patches: Vec<(u64, Vec<u8>)> },
}

impl Spooled {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// A file that something else wrote.
    pub(super) fn existing(path: &Path, len: u64) -> Self {
        Self::File { path: path.to_path_buf(), len, patches: Vec::new() }
    }

    /// Reads from an offset.
    pub(super) fn open(&self, disk: &dyn Disk, offset: u64) -> io::Result<Reader> {
        let source = match self {
            Self::Memory(bytes) => Source::Memory(
                bytes.slice(usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len())..),
            ),
            Self::File { path, patches, .. } => {
                let mut file = disk.open(path).map_err(io::Error::other)?;
                file.seek(SeekFrom::Start(offset))?;
                Source::File { file, patches: patches.clone() }
            }
        };
        Ok(Reader { source, position: offset, left: self.len().saturating_sub(offset) })
    }
}

enum Source {
    Memory(Bytes),
    File { file: Box<dyn ReadFile>, patches: Vec<(u64, Vec<u8>)> },
}

pub(super) struct Reader {
    source: Source,
    position: u64,
    left: u64,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = &mut buffer[..wanted];
        let count = match &mut self.source {
            Source::Memory(bytes) => {
                let taken = bytes.split_to(wanted);
                buffer.copy_from_slice(&taken);
                wanted
            }
            Source::File { file, patches } => {
                let count = file.read(buffer)?;
                for (at, bytes) in patches {
                    overlay(&mut buffer[..count], self.position, *at, bytes);
                }
                count
            }
        };
        self.position += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// Copies the part of a patch that falls within the buffer, which begins at `start`.
fn overlay(buffer: &mut [u8], start: u64, at: u64, patch: &[u8]) {
    let end = start + buffer.len() as u64;
    let (from, to) = (at.max(start), (at + patch.len() as u64).min(end));
    if from >= to {
        return;
    }
    let index = |offset: u64, base: u64| usize::try_from(offset - base).unwrap_or(usize::MAX);
    buffer[index(from, start)..index(to, start)]
        .copy_from_slice(&patch[index(from, at)..index(to, at)]);
}

/// Receives what an archive writer writes.
pub(super) struct SpoolWriter<'a> {
    disk: &'a dyn Disk,
    path: PathBuf,
    memory: Vec<u8>,
    file: Option<BufWriter<Box<dyn WriteFile>>>,
    patches: Vec<(u64, Vec<u8>)>,
    end: u64,
    position: u64,
}

impl<'a> SpoolWriter<'a> {
    /// Writes to memory first, and to `path` once there is too much.
    pub(super) fn new(disk: &'a dyn Disk, path: PathBuf) -> Self {
        let (memory, patches) = (Vec::new(), Vec::new());
        Self { disk, path, memory, file: None, patches, end: 0, position: 0 }
    }

    pub(super) fn finish(mut self) -> io::Result<Spooled> {
        match &mut self.file {
            None => Ok(Spooled::Memory(self.memory.into())),
            Some(file) => {
                file.flush()?;
                Ok(Spooled::File { path: self.path, len: self.end, patches: self.patches })
            }
        }
    }

    fn write_behind(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() && self.memory.len() + bytes.len() > IN_MEMORY {
            let file = self.disk.create(&self.path).map_err(io::Error::other)?;
            let mut file = BufWriter::with_capacity(1 << 18, file);
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None => self.memory.extend_from_slice(bytes),
        }
        self.end += bytes.len() as u64;
        Ok(())
    }
}

impl Write for SpoolWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.position > self.end {
            return Err(io::Error::other("a package has a hole"));
        }
        let over = usize::try_from(self.end - self.position).unwrap_or(usize::MAX).min(bytes.len());
        let (earlier, behind) = bytes.split_at(over);
        if !earlier.is_empty() {
            if self.file.is_some() {
                self.patches.push((self.position, earlier.to_vec()));
            } else {
                overlay(&mut self.memory, 0, self.position, earlier);
            }
        }
        if !behind.is_empty() {
            self.write_behind(behind)?;
        }
        self.position += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for SpoolWriter<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = target.ok_or_else(|| io::Error::other("a seek before the first byte"))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casedrop_disk::RealDisk;

    #[test]
    fn an_archive_reads_back_the_same_from_memory_and_from_a_file() {
        for size in [1000, IN_MEMORY + 4000] {
            let folder = tempfile::tempdir().expect("folder");
            let mut spool = SpoolWriter::new(&RealDisk, folder.path().join("spool"));
            let body: Vec<u8> = (0..=255_u8).cycle().take(size).collect();
            spool.write_all(b"head????").expect("write");
            spool.write_all(&body).expect("write");
            spool.seek(SeekFrom::Start(4)).expect("seek");
            spool.write_all(b"SIZE").expect("patch");
            spool.seek(SeekFrom::End(0)).expect("seek");
            spool.write_all(b"tail").expect("write");
            let spooled = spool.finish().expect("finish");
            assert_eq!(matches!(spooled, Spooled::File { .. }), size > IN_MEMORY);
            let mut all = Vec::new();
            spooled.open(&RealDisk, 0).expect("open").read_to_end(&mut all).expect("read");
            assert_eq!(all.len() as u64, spooled.len());
            assert_eq!((&all[..8], &all[8..8 + size]), (&b"headSIZE"[..], &body[..]));
            let mut part = Vec::new();
            spooled.open(&RealDisk, 6).expect("open").read_to_end(&mut part).expect("read");
            assert_eq!(part, all[6..]);
        }
    }
}
