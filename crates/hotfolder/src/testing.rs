//! Helpers that this crate's tests share.

use super::layout::Layout;

pub(crate) use casedrop_testing::*;

/// Output and staging in a temporary directory.
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
