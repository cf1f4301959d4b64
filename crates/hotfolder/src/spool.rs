//! A download on its way to the disk: counted, hashed and capped while it is written.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::files::{BUFFER, Hash, read_some, writing};
use casedrop_disk::{Disk, DiskError, Kind, WriteFile};
use casedrop_model::fault::{Fault, FaultClass};

pub struct Spool {
    file: Box<dyn WriteFile>,
    path: PathBuf,
    hash: Hash,
    len: u64,
    cap: u64,
}

/// A complete download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolFile {
    pub path: PathBuf,
    /// In bytes.
    pub len: u64,
    /// In lowercase hexadecimal.
    pub sha256: String,
}

impl Spool {
    /// Starts an empty spool, creating its directory if missing. Anything that an earlier attempt
    /// left at the path is removed.
    pub fn create(disk: &dyn Disk, path: &Path, cap_bytes: u64) -> Result<Self, Fault> {
        if disk.kind(path)?.is_some() {
            disk.remove_file(path)?;
        }
        if let Some(dir) = path.parent() {
            disk.create_dirs(dir)?;
        }
        let file = disk.create(path)?;
        Ok(Self { file, path: path.to_path_buf(), hash: Hash::default(), len: 0, cap: cap_bytes })
    }

    /// Continues after what an earlier attempt wrote, which is hashed again; starts an empty spool
    /// if there is none. [`Spool::len`] is the offset to request next. After a power cut the old
    /// bytes may be damaged; the archive's own checksums catch that.
    pub fn resume(disk: &dyn Disk, path: &Path, cap_bytes: u64) -> Result<Self, Fault> {
        if disk.kind(path)? != Some(Kind::File) {
            return Self::create(disk, path, cap_bytes);
        }
        let mut hash = Hash::default();
        let mut len = 0_u64;
        let mut old = disk.open(path)?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let count = read_some(&mut old, &mut buffer).map_err(|source| DiskError {
                operation: "read",
                path: path.to_path_buf(),
                source,
            })?;
            if count == 0 {
                break;
            }
            hash.update(&buffer[..count]);
            len += count as u64;
        }
        drop(old);
        let file = disk.append(path)?;
        Ok(Self { file, path: path.to_path_buf(), hash, len, cap: cap_bytes })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// `archive-too-big`, permanent, once the cap is exceeded; the spool stays within it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let len = self.len.saturating_add(bytes.len() as u64);
        if len > self.cap {
            return Err(Fault::new(
                FaultClass::Permanent,
                "archive-too-big",
                format!("the download is larger than {} bytes", self.cap),
            )
            .hint("if such a large order is correct, raise the limit for archives in the config"));
        }
        self.file.write_all(bytes).map_err(writing(&self.path))?;
        self.hash.update(bytes);
        self.len = len;
        Ok(())
    }

    /// Returns the number of bytes written so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Leaves the bytes for a later attempt.
    pub fn pause(mut self) -> Result<(), Fault> {
        Ok(self.file.flush().map_err(writing(&self.path))?)
    }

    /// Completes the download.
    ///
    /// # Errors
    /// `body-length`, transient, if the server announced a different length.
    pub fn finish(mut self, announced: Option<u64>) -> Result<SpoolFile, Fault> {
        self.file.flush().map_err(writing(&self.path))?;
        if let Some(announced) = announced.filter(|announced| *announced != self.len) {
            return Err(Fault::new(
                FaultClass::Transient,
                "body-length",
                format!("the download has {} bytes, but {announced} were announced", self.len),
            ));
        }
        Ok(SpoolFile { path: self.path, len: self.len, sha256: self.hash.finish() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casedrop_disk::RealDisk;
    use casedrop_model::digest::sha256;

    #[test]
    fn a_broken_download_resumes_with_the_hash_of_the_whole() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("work/spool");
        let mut spool = Spool::create(&RealDisk, &path, 100).expect("created");
        spool.write(b"first ").expect("written");
        drop(spool);
        let mut spool = Spool::resume(&RealDisk, &path, 100).expect("resumed");
        assert_eq!(spool.len(), 6);
        spool.write(b"second").expect("written");
        let done = spool.finish(Some(12)).expect("complete");
        assert_eq!((done.len, done.sha256), (12, sha256(b"first second")));

        let fresh = Spool::create(&RealDisk, &path, 100).expect("started over");
        assert!(fresh.is_empty());
    }

    #[test]
    fn nothing_is_written_beyond_the_cap() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("spool");
        let mut spool = Spool::create(&RealDisk, &path, 5).expect("created");
        spool.write(b"12345").expect("fits");
        let fault = spool.write(b"6").expect_err("too big");
        assert_eq!((fault.class, fault.code), (FaultClass::Permanent, "archive-too-big"));
        drop(spool);
        assert_eq!(std::fs::read(&path).expect("read"), b"12345");
    }

    #[test]
    fn a_length_other_than_announced_is_worth_another_try() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut spool = Spool::create(&RealDisk, &dir.path().join("spool"), 50).expect("created");
        spool.write(b"short").expect("written");
        let fault = spool.finish(Some(6)).expect_err("one byte is missing");
        assert_eq!((fault.class, fault.code), (FaultClass::Transient, "body-length"));
    }
}
