//! What an order's XML files say, as they are read.

use super::{rx, xml};

/// The content of one of the order's XML files.
#[derive(Debug)]
pub(super) struct Told {
    /// The file's index among the staged files.
    pub(super) index: usize,
    pub(super) objects: Vec<xml::Object>,
    pub(super) rx: rx::Rx,
    /// Whether the file could be read to its end.
    pub(super) is_whole: bool,
}
