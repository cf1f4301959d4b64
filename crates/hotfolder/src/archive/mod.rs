//! Zip archives, read so that there is only one way to read them.
//!
//! The central directory is the authority, and there must be exactly one. Every member is verified
//! against its checksum and both sizes, members share no bytes, and local headers may not differ
//! from the directory in anything that another program would rely on. Other differences are noted.
//!
//! We do not use a crate's reader: readers disagree on which of two contradicting places counts,
//! and that is exactly what the agent must decide and report.

mod bytes;
pub(super) mod code_pages;
mod directory;
mod end;
pub(super) mod fault;
mod gaps;
mod local;
pub(super) mod methods;
pub(super) mod names;
#[cfg(test)]
mod tests;

use std::io::{self, BufRead, Read, SeekFrom};
use std::sync::{Mutex, PoisonError};

pub(super) use directory::Entry;
pub(super) use gaps::Stray;

use super::files::{BUFFER, read_some};
use casedrop_disk::ReadFile;
use casedrop_model::fault::Fault;

/// Held while a member is unpacked with a method that needs much memory: a dozen orders at once
/// would need a dozen times as much.
static WIDE: Mutex<()> = Mutex::new(());

/// An archive whose structure has been checked. Its members are read one by one.
pub(super) struct Archive {
    file: Box<dyn ReadFile>,
    /// All members, as listed in the central directory.
    pub(super) entries: Vec<Entry>,
    /// Number of local headers that differ in something that does not matter.
    pub(super) differing: usize,
    /// Bytes outside the members.
    pub(super) stray: Stray,
    input: Vec<u8>,
}

impl Archive {
    /// Reads and checks everything except the members' data.
    pub(super) fn open(mut file: Box<dyn ReadFile>, members_max: usize) -> Result<Self, Fault> {
        let broken = |error| fault::from_io("its end", error);
        let len = file.seek(SeekFrom::End(0)).map_err(broken)?;
        let end = end::find(&mut *file, len)?;
        let members_max = u64::try_from(members_max).unwrap_or(u64::MAX);
        let mut entries = directory::read(&mut *file, &end, members_max)?;
        let mut differing = 0;
        for entry in &mut entries {
            differing += usize::from(local::check(&mut *file, &end, entry)?);
        }
        let stray = gaps::check(&mut *file, len, &end, &entries)?;
        Ok(Self { file, entries, differing, stray, input: vec![0; BUFFER] })
    }

    /// Unpacks a member piece by piece and verifies it. `place` is its name in faults. Discard what
    /// `sink` received unless this returns `Ok`.
    pub(super) fn extract(
        &mut self,
        index: usize,
        place: &str,
        buffer: &mut [u8],
        sink: &mut dyn FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let Some(entry) = self.entries.get(index) else {
            return Err(fault::corrupt(place, "it is not in the directory"));
        };
        self.file
            .seek(SeekFrom::Start(entry.data))
            .map_err(|error| fault::from_io(place, error))?;
        let _alone = methods::is_wide(entry.method)
            .then(|| WIDE.lock().unwrap_or_else(PoisonError::into_inner));
        let mut packed = Packed {
            file: &mut *self.file,
            left: entry.packed,
            buffer: &mut self.input,
            from: 0,
            to: 0,
        };
        let mut crc = flate2::Crc::new();
        let mut size = 0_u64;
        {
            let mut reader =
                methods::decoder(entry.method, entry.flags, entry.size, &mut packed, place)?;
            loop {
                let count =
                    read_some(&mut reader, buffer).map_err(|error| fault::from_io(place, error))?;
                if count == 0 {
                    break;
                }
                size += count as u64;
                if size > entry.size {
                    return Err(fault::corrupt(place, "it unpacks to more than it claims"));
                }
                crc.update(&buffer[..count]);
                sink(&buffer[..count])?;
            }
        }
        if crc.sum() != entry.crc {
            return Err(fault::crc(place));
        }
        if size != entry.size {
            return Err(fault::corrupt(place, "it unpacks to less than it claims"));
        }
        if methods::is_exact(entry.method) && !packed.is_used_up() {
            return Err(fault::corrupt(place, "its packed data is longer than what it holds"));
        }
        Ok(())
    }
}

/// The packed bytes of one member.
struct Packed<'a> {
    file: &'a mut dyn ReadFile,
    /// Bytes not yet read from the file.
    left: u64,
    buffer: &'a mut [u8],
    from: usize,
    to: usize,
}

impl Packed<'_> {
    fn is_used_up(&self) -> bool {
        self.left == 0 && self.from == self.to
    }
}

impl BufRead for Packed<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.from == self.to && self.left > 0 {
            let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.buffer.len());
            let count = read_some(&mut *self.file, &mut self.buffer[..wanted])?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.left -= count as u64;
            (self.from, self.to) = (0, count);
        }
        Ok(&self.buffer[self.from..self.to])
    }

    fn consume(&mut self, count: usize) {
        self.from = (self.from + count).min(self.to);
    }
}

impl Read for Packed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut there = self.fill_buf()?;
        let count = there.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
