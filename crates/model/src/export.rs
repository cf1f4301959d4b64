//! How exports are read and published, as a lab may choose it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Under which names files are published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Names {
    /// The vendor's.
    #[default]
    Vendor,
    /// Plain ones, such as `scan-upper.stl`.
    Plain,
    /// The vendor's, and the plain ones beside them.
    Both,
}

/// In which code page the names in an archive are, where they are not UTF-8.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CodePage {
    /// The one that makes most sense of the names.
    #[default]
    Auto,
    /// DOS, in the USA.
    Cp437,
    /// DOS, in western Europe.
    Cp850,
    /// Windows, in western Europe and America.
    Cp1252,
    /// Windows, in Japan.
    ShiftJis,
    /// Windows, in China.
    Gbk,
}

/// What an archive may hold at most, so that a hostile or broken one cannot fill the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one download.
    pub archive_bytes: u64,
    /// Bytes of all unpacked files of one order.
    pub unpacked_bytes: u64,
    /// Members of one archive.
    pub members: usize,
    /// Unpacked size of a whole archive divided by its packed size, from a size on that could hurt.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive_bytes: 4_000_000_000,
            unpacked_bytes: 16_000_000_000,
            members: 10_000,
            ratio: 200,
        }
    }
}
