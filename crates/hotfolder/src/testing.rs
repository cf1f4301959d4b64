//! What the tests of this crate share.

use super::layout::Layout;

pub(crate) use casedrop_testing::*;

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
