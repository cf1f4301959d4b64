//! What is kept of an interrupted download, so that the next attempt can resume it.
//!
//! The bytes are in a [`Spool`]; a small file next to it says what they belong to. That file is
//! durable before the first byte is written and is removed only after the last one is gone: we
//! never resume bytes of unknown origin.

use std::io::{Seek as _, SeekFrom};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::spool::Spool;
use casedrop_disk::{Disk, DiskError, Kind, read_limited, write_durably};
use casedrop_model::asset::{AssetInfo, AssetKind, Format, Resume};
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::ids::OrderKey;

/// How many times in a row a server may answer without sending a new byte. Then the download starts
/// over, so that something that breaks every resume cannot hold up an order forever.
const FRUITLESS: u32 = 5;

const MAX_BYTES: u64 = 64 * 1024;

/// What the bytes of a download belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    order: String,
    format: Format,
    etag: String,
    total: Option<u64>,
    #[serde(default)]
    fruitless: u32,
}

impl Origin {
    /// Records what the server says about the incoming bytes; `None` if it gave no strong
    /// validator, without which a download cannot be resumed.
    pub fn of(key: &OrderKey, format: &Format, info: &AssetInfo) -> Option<Self> {
        let etag = info.etag.clone().filter(|etag| is_strong(etag))?;
        let (order, format, total) = (key.to_string(), format.clone(), info.total);
        Some(Self { order, format, etag, total, fruitless: 0 })
    }

    fn is_of(&self, key: &OrderKey, format: &Format) -> bool {
        self.order == key.to_string() && self.format == *format && is_strong(&self.etag)
    }
}

/// A weak tag identifies equivalent versions, not identical bytes.
fn is_strong(etag: &str) -> bool {
    etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"')
}

/// An interrupted download that may be resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialDownload {
    origin: Origin,
    len: u64,
}

impl PartialDownload {
    /// Returns the offset to resume at, and the version. For a complete download we ask for the
    /// last byte again, so that the server tells us whether this is still the current version.
    pub fn resume(&self) -> Resume {
        let complete = self.origin.total == Some(self.len);
        let offset = if complete { self.len - 1 } else { self.len };
        Resume { offset, etag: self.origin.etag.clone() }
    }

    /// Whether the server is sending the rest of these very bytes.
    pub fn is_continued_by(&self, info: &AssetInfo) -> bool {
        info.offset == self.resume().offset
            && info.etag.as_ref() == Some(&self.origin.etag)
            && self.origin.total.is_none_or(|total| info.total == Some(total))
            && info.total.is_none_or(|total| self.len <= total)
    }

    /// Returns the number of bytes kept.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Always `false`: an empty download is never kept.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The directory of an order's spools.
pub struct SpoolDir<'a> {
    disk: &'a dyn Disk,
    dir: PathBuf,
}

impl<'a> SpoolDir<'a> {
    /// Takes a directory that need not exist.
    pub fn new(disk: &'a dyn Disk, dir: PathBuf) -> Self {
        Self { disk, dir }
    }

    /// Returns the path where an asset is spooled.
    pub fn spool(&self, kind: AssetKind) -> PathBuf {
        self.dir.join(kind.as_str())
    }

    fn package(&self) -> PathBuf {
        self.spool(AssetKind::Ide)
    }

    fn origin(&self) -> PathBuf {
        self.dir.join("ide.json")
    }

    /// Returns the package download that an earlier attempt left, if it can be resumed.
    pub fn find(&self, key: &OrderKey, format: &Format) -> Result<Option<PartialDownload>, Fault> {
        let Some(origin) = self.read()?.filter(|origin| origin.is_of(key, format)) else {
            return Ok(None);
        };
        let path = self.package();
        if self.disk.kind(&path)? != Some(Kind::File) {
            return Ok(None);
        }
        // The length in a directory listing may be stale.
        let len = self.disk.open(&path)?.seek(SeekFrom::End(0)).map_err(|source| DiskError {
            operation: "measure",
            path,
            source,
        })?;
        let fits = len > 0 && origin.total.is_none_or(|total| len <= total);
        Ok(fits.then_some(PartialDownload { origin, len }))
    }

    /// Starts the package's spool over. Anything there is removed before the new origin is written:
    /// old bytes never get a new origin.
    pub fn begin(&self, origin: Option<&Origin>, cap: u64) -> Result<Spool, Fault> {
        self.drop_package()?;
        self.disk.create_dirs(&self.dir)?;
        if let Some(origin) = origin {
            self.write(origin)?;
        }
        Spool::create(self.disk, &self.package(), cap)
    }

    /// Continues after the bytes kept.
    pub fn resume(&self, kept: &PartialDownload, cap: u64) -> Result<Spool, Fault> {
        let spool = Spool::resume(self.disk, &self.package(), cap)?;
        if spool.len() == kept.len {
            return Ok(spool);
        }
        let text = format!("{} changed while it was being resumed", self.package().display());
        Err(Fault::new(FaultClass::Local, "staging-disturbed", text)
            .hint("keep other programs out of the staging folder; the order is fetched again"))
    }

    /// Records whether resuming brought any bytes. The server answered in either case.
    pub fn continued(&self, kept: &PartialDownload, len: u64) -> Result<(), Fault> {
        let fruitless = if len > kept.len { 0 } else { kept.origin.fruitless + 1 };
        if fruitless >= FRUITLESS {
            return self.clear();
        }
        if fruitless != kept.origin.fruitless {
            self.write(&Origin { fruitless, ..kept.origin.clone() })?;
        }
        Ok(())
    }

    /// Removes everything except a package download that can be resumed.
    pub fn tidy(&self) -> Result<(), Fault> {
        if self.disk.kind(&self.dir)? != Some(Kind::Dir) {
            return self.clear();
        }
        let is_file = |path: PathBuf| Ok::<_, Fault>(self.disk.kind(&path)? == Some(Kind::File));
        if !is_file(self.package())? || !is_file(self.origin())? {
            return self.clear();
        }
        for entry in self.disk.list(&self.dir)? {
            if entry.path == self.package() || entry.path == self.origin() {
                continue;
            }
            match entry.kind {
                Kind::Dir => self.disk.remove_tree(&entry.path)?,
                Kind::File | Kind::Other => self.disk.remove_file(&entry.path)?,
            }
        }
        Ok(())
    }

    /// Removes the package's download, but not those of other assets.
    pub fn drop_package(&self) -> Result<(), Fault> {
        for path in [self.origin(), self.package()] {
            if self.disk.kind(&path)? == Some(Kind::File) {
                self.disk.remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Removes an asset's download, if there is one.
    pub fn drop_spool(&self, kind: AssetKind) -> Result<(), Fault> {
        let path = self.spool(kind);
        if self.disk.kind(&path)? == Some(Kind::File) {
            self.disk.remove_file(&path)?;
        }
        Ok(())
    }

    /// Removes everything, the origin first: without it, whatever stays is never resumed.
    pub fn clear(&self) -> Result<(), Fault> {
        match self.disk.kind(&self.dir)? {
            None => return Ok(()),
            Some(Kind::Dir) => {}
            Some(Kind::File | Kind::Other) => return Ok(self.disk.remove_file(&self.dir)?),
        }
        if self.disk.kind(&self.origin())? == Some(Kind::File) {
            self.disk.remove_file(&self.origin())?;
        }
        Ok(self.disk.remove_tree(&self.dir)?)
    }

    fn write(&self, origin: &Origin) -> Result<(), Fault> {
        let bytes = serde_json::to_vec(origin).map_err(|error| {
            Fault::new(FaultClass::Local, "spool-origin", "cannot describe a download")
                .caused_by(error)
        })?;
        Ok(write_durably(self.disk, &self.origin(), &bytes)?)
    }

    /// An unreadable origin counts as none.
    fn read(&self) -> Result<Option<Origin>, Fault> {
        let path = self.origin();
        if self.disk.kind(&path)? != Some(Kind::File) {
            return Ok(None);
        }
        match read_limited(self.disk, &path, MAX_BYTES) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) => {
                tracing::debug!("{}", Fault::from(error).chain());
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::key;
    use super::*;
    use casedrop_disk::RealDisk;

    const CAP: u64 = 1000;

    fn info(etag: &str, offset: u64, total: u64) -> AssetInfo {
        AssetInfo { total: Some(total), offset, etag: Some(etag.to_owned()), hosts: Vec::new() }
    }

    fn stl() -> Format {
        Format { file_type: Some("STL".to_owned()), ..Format::default() }
    }

    /// A ten-byte download that broke off after `came` bytes.
    fn broken(spools: &SpoolDir<'_>, came: usize) {
        let origin = Origin::of(&key(), &stl(), &info("\"v1\"", 0, 10)).expect("a strong tag");
        let mut spool = spools.begin(Some(&origin), CAP).expect("begun");
        spool.write(&vec![b'x'; came]).expect("written");
        spool.pause().expect("flushed");
    }

    #[test]
    fn a_broken_download_is_continued_only_by_the_rest_of_the_same_bytes() {
        let dir = tempfile::tempdir().expect("tempdir");
        let spools = SpoolDir::new(&RealDisk, dir.path().join("spools"));
        assert_eq!(spools.find(&key(), &stl()).expect("looked"), None);
        broken(&spools, 4);
        let kept = spools.find(&key(), &stl()).expect("looked").expect("kept");
        assert_eq!(kept.resume(), Resume { offset: 4, etag: "\"v1\"".to_owned() });
        assert!(kept.is_continued_by(&info("\"v1\"", 4, 10)));
        let strange = [
            info("\"v2\"", 4, 10),
            info("\"v1\"", 3, 10),
            info("\"v1\"", 0, 10),
            info("\"v1\"", 4, 11),
            info("W/\"v1\"", 4, 10),
            AssetInfo { etag: None, ..info("", 4, 10) },
            AssetInfo { total: None, ..info("\"v1\"", 4, 10) },
        ];
        for info in strange {
            assert!(!kept.is_continued_by(&info), "{info:?}");
        }
        let spool = spools.resume(&kept, CAP).expect("resumed");
        assert_eq!(spool.len(), 4);
    }

    #[test]
    fn a_complete_download_asks_for_its_last_byte_again() {
        let dir = tempfile::tempdir().expect("tempdir");
        let spools = SpoolDir::new(&RealDisk, dir.path().join("spools"));
        broken(&spools, 10);
        let kept = spools.find(&key(), &stl()).expect("looked").expect("kept");
        assert_eq!(kept.resume().offset, 9);
        assert!(kept.is_continued_by(&info("\"v1\"", 9, 10)));
        broken(&spools, 11);
        assert_eq!(spools.find(&key(), &stl()).expect("looked"), None, "longer than the whole");
    }

    #[test]
    fn another_order_format_or_an_unreadable_origin_is_not_continued() {
        let dir = tempfile::tempdir().expect("tempdir");
        let spools = SpoolDir::new(&RealDisk, dir.path().join("spools"));
        broken(&spools, 4);
        let other = OrderKey { order: "18".parse().expect("valid"), ..key() };
        assert_eq!(spools.find(&other, &stl()).expect("looked"), None);
        assert_eq!(spools.find(&key(), &Format::default()).expect("looked"), None);
        std::fs::write(spools.origin(), "{").expect("torn");
        assert_eq!(spools.find(&key(), &stl()).expect("looked"), None);
        for tag in ["W/\"v1\"", "v1", "\"\"", ""] {
            assert_eq!(Origin::of(&key(), &stl(), &info(tag, 0, 10)), None, "{tag}");
        }
        assert_eq!(Origin::of(&key(), &stl(), &AssetInfo::default()), None);
    }

    #[test]
    fn tidying_leaves_the_package_and_nothing_that_cannot_be_continued() {
        let dir = tempfile::tempdir().expect("tempdir");
        let spools = SpoolDir::new(&RealDisk, dir.path().join("spools"));
        spools.tidy().expect("nothing there");
        broken(&spools, 4);
        std::fs::write(spools.spool(AssetKind::Thumbnails), "x").expect("written");
        std::fs::write(dir.path().join("spools/ide.json.new"), "x").expect("written");
        spools.tidy().expect("tidied");
        assert_eq!(std::fs::read_dir(&spools.dir).expect("there").count(), 2);
        spools.begin(None, CAP).expect("begun without a tag").write(b"x").expect("written");
        spools.tidy().expect("tidied");
        assert!(!spools.dir.exists());
        spools.clear().expect("nothing there");
    }

    #[test]
    fn continuing_in_vain_ends_with_a_fresh_start() {
        let dir = tempfile::tempdir().expect("tempdir");
        let spools = SpoolDir::new(&RealDisk, dir.path().join("spools"));
        broken(&spools, 4);
        let kept = || spools.find(&key(), &stl()).expect("looked");
        let vain = || {
            let found = kept().expect("kept");
            spools.continued(&found, found.len()).expect("noted");
        };
        for _ in 1..FRUITLESS {
            vain();
        }
        let found = kept().expect("still kept");
        spools.continued(&found, 5).expect("a byte came");
        for _ in 1..FRUITLESS {
            vain();
        }
        assert!(kept().is_some(), "counted anew");
        vain();
        assert_eq!(kept(), None);
        assert!(!spools.dir.exists());
    }
}
