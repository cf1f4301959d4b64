//! What the tests of this module share.

use std::io::{Cursor, Write as _};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::layout::Layout;

/// An output and a staging in a directory of their own.
pub(crate) struct Place {
    _dir: tempfile::TempDir,
    pub(crate) layout: Layout,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let layout = Layout {
            output: dir.path().join("orders"),
            staging: dir.path().join(".orders.staging"),
        };
        Self { _dir: dir, layout }
    }
}

/// An archive with these members, deflated; a name that ends with `/` makes a directory.
pub(crate) fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in members {
        if name.ends_with('/') {
            writer.add_directory(*name, options).expect("directory");
        } else {
            writer.start_file(*name, options).expect("member");
            writer.write_all(bytes).expect("written");
        }
    }
    writer.finish().expect("finished").into_inner()
}

/// All files below a directory with their content, as paths with `/`.
pub(crate) fn content_of(dir: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    super::files::Tree::read(&crate::disk::RealDisk, dir)
        .expect("readable")
        .files
        .into_iter()
        .map(|(path, _)| {
            let bytes = std::fs::read(super::files::below(dir, &path)).expect("readable");
            (path, bytes)
        })
        .collect()
}
