//! Where packages come from: a narrow interface, so that the service does not depend on how a
//! package is made, and a library that makes each one once.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use casedrop_disk::Disk;
use casedrop_model::asset::AssetKind;

use super::scenario::{CaseKind, MeshKind};
use super::spool::{SpoolWriter, Spooled};

/// What a package is made from. Equal values give equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::struct_excessive_bools, reason = "independent habits of real packages")]
pub struct PackageOrder {
    pub order_id: String,
    /// Its short code.
    pub order_code: String,
    /// Shell or base as the client asked, otherwise as the order says.
    pub kind: CaseKind,
    /// PLY instead of STL.
    pub ply: bool,
    /// Such as `iRecord`.
    pub case_type: String,
    /// Such as `Orthodontic`.
    pub procedure: String,
    /// The day on which the doctor needs the work.
    pub due: jiff::civil::Date,
    /// Triangles per mesh.
    pub triangles: Option<usize>,
    /// Total bytes of all meshes, instead of `triangles`.
    pub mesh_bytes: Option<u64>,
    /// Width of the pictures in pixels.
    pub pixels: Option<u16>,
    /// Whether the package comes from the modeler.
    pub modeled: bool,
    /// Incremented with every change of the files.
    pub variant: u32,
    /// Whether everything is in one top folder.
    pub top_folder: bool,
    /// Whether to add `__MACOSX/` and `.DS_Store`.
    pub macosx: bool,
    /// Whether members are stored uncompressed.
    pub stored: bool,
    /// Such as `TwoFiles_ArchesOrientedInOcclusion`, as the client asked.
    pub file_format: Option<String>,
    /// Bytes missing at the end of the first mesh.
    pub mesh_cut: u32,
}

/// Chooses shell or base: for orthodontic cases, `typeFormat` decides.
pub(super) fn requested(kind: CaseKind, type_format: Option<&str>) -> CaseKind {
    let base = type_format.map(|text| text.to_ascii_lowercase().contains("base"));
    match (kind, base) {
        (CaseKind::OrthoShell, Some(true)) => CaseKind::OrthoBase,
        (CaseKind::OrthoBase, Some(false)) => CaseKind::OrthoShell,
        (kind, _) => kind,
    }
}

/// Chooses between STL and PLY by `fileType`.
pub(super) fn wants_ply(mesh: MeshKind, file_type: Option<&str>) -> bool {
    match file_type {
        Some(text) if text.eq_ignore_ascii_case("ply") => true,
        Some(text) if text.eq_ignore_ascii_case("stl") => false,
        _ => mesh == MeshKind::Ply,
    }
}

/// A seekable output.
pub trait WriteSeek: Write + Seek {}

impl<T: Write + Seek> WriteSeek for T {}

pub trait PackageSource: Send + Sync {
    /// Writes one asset of an order as a zip.
    ///
    /// # Errors
    /// If `out` fails.
    fn write(
        &self,
        asset: AssetKind,
        order: &PackageOrder,
        out: &mut dyn WriteSeek,
    ) -> io::Result<()>;

    /// Returns a hostile archive by name.
    ///
    /// # Errors
    /// If there is none of that name; the error lists the names.
    fn hostile(&self, which: &str, order: &PackageOrder) -> io::Result<Vec<u8>>;
}

/// One asset, ready to be sent.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) bytes: Spooled,
    /// A strong tag, including its quotes.
    pub(super) etag: String,
}

impl Content {
    /// Hashes what was spooled.
    pub(super) fn of(bytes: Spooled, disk: &dyn Disk) -> io::Result<Self> {
        let mut reader = bytes.open(disk, 0)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = reader.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
        }
        let digest = hasher.finalize();
        let hex = digest.iter().take(16).fold(String::new(), |text, b| text + &format!("{b:02x}"));
        Ok(Self { bytes, etag: format!("\"{hex}\"") })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Made(&'static str, Box<PackageOrder>),
    File(PathBuf, u64),
}

/// Every requested asset, made once.
pub(super) struct Library {
    disk: Arc<dyn Disk>,
    source: Arc<dyn PackageSource>,
    folder: PathBuf,
    shelf: Mutex<BTreeMap<Key, Arc<OnceCell<Arc<Content>>>>>,
}

impl Library {
    /// Keeps large packages in `folder`, which need not exist.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        source: Arc<dyn PackageSource>,
        folder: PathBuf,
    ) -> Self {
        Self { disk, source, folder, shelf: Mutex::default() }
    }

    pub(super) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Makes the asset, or waits for a call that is already making it.
    pub(super) async fn made(
        &self,
        asset: AssetKind,
        order: PackageOrder,
    ) -> io::Result<Arc<Content>> {
        let (cell, number) = self.cell(Key::Made(asset.as_str(), Box::new(order.clone())));
        let (disk, source) = (self.disk.clone(), self.source.clone());
        let folder = self.folder.clone();
        let make = move || {
            let path = folder.join(format!("{number}-{}.zip", asset.as_str()));
            disk.create_dirs(&folder).map_err(io::Error::other)?;
            let mut spool = SpoolWriter::new(&*disk, path);
            source.write(asset, &order, &mut spool)?;
            Content::of(spool.finish()?, &*disk)
        };
        cell.get_or_try_init(|| blocking(make)).await.cloned()
    }

    /// Returns a package from a folder.
    pub(super) async fn file(&self, path: PathBuf, len: u64) -> io::Result<Arc<Content>> {
        let (cell, _) = self.cell(Key::File(path.clone(), len));
        let disk = self.disk.clone();
        let hash = move || Content::of(Spooled::existing(&path, len), &*disk);
        cell.get_or_try_init(|| blocking(hash)).await.cloned()
    }

    pub(super) async fn hostile(
        &self,
        which: String,
        order: PackageOrder,
    ) -> io::Result<Arc<Content>> {
        let (disk, source) = (self.disk.clone(), self.source.clone());
        blocking(move || {
            let bytes = source.hostile(&which, &order)?;
            Content::of(Spooled::Memory(bytes.into()), &*disk)
        })
        .await
    }

    /// Removes the files of large packages.
    pub(super) fn clear(&self) {
        if matches!(self.disk.kind(&self.folder), Ok(Some(_)))
            && let Err(error) = self.disk.remove_tree(&self.folder)
        {
            tracing::warn!(%error, "left generated packages behind");
        }
    }

    fn cell(&self, key: Key) -> (Arc<OnceCell<Arc<Content>>>, usize) {
        let mut all = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let number = all.len();
        (all.entry(key).or_default().clone(), number)
    }
}

async fn blocking(
    work: impl FnOnce() -> io::Result<Content> + Send + 'static,
) -> io::Result<Arc<Content>> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?.map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_asks_for_wins_over_what_the_order_says() {
        let kind = requested;
        let base = Some("SolidModelWithLowProfileBase");
        assert_eq!(kind(CaseKind::OrthoShell, base), CaseKind::OrthoBase);
        assert_eq!(kind(CaseKind::OrthoBase, Some("OpenShell")), CaseKind::OrthoShell);
        assert_eq!(kind(CaseKind::OrthoBase, None), CaseKind::OrthoBase);
        assert_eq!(kind(CaseKind::Restorative, base), CaseKind::Restorative);
        assert!(wants_ply(MeshKind::Stl, Some("PLY")) && !wants_ply(MeshKind::Ply, Some("STL")));
        assert!(wants_ply(MeshKind::Ply, None));
    }
}
