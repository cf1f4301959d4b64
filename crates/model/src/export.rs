//! Per-lab options for reading and publishing exports.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which names published files get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Names {
    /// The vendor's names.
    #[default]
    Vendor,
    /// Plain names such as `scan-upper.stl`.
    Plain,
    /// Both: each file under its vendor's name and its plain name.
    Both,
}

/// Code page of file names in an archive that are not UTF-8.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CodePage {
    /// Whichever makes the most sense of the names.
    #[default]
    Auto,
    /// DOS, USA.
    Cp437,
    /// DOS, Western Europe.
    Cp850,
    /// Windows, Western Europe and Americas.
    Cp1252,
    /// Windows, Japan.
    ShiftJis,
    /// Windows, China.
    Gbk,
}

/// Limits on an archive, so that a hostile or broken one cannot fill the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum bytes of one download.
    pub archive_bytes: u64,
    /// Maximum bytes of all unpacked files of one order.
    pub unpacked_bytes: u64,
    /// Maximum members of one archive.
    pub members: usize,
    /// Maximum ratio of unpacked to packed size of a whole archive; only applied above a size that
    /// could hurt.
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
