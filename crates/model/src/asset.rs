//! What can be downloaded of an order.

use serde::{Deserialize, Serialize};

use super::ids::OrderId;

/// A separately downloadable part of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssetKind {
    /// The iDE package: a zip with meshes, XML, prescription and attachments.
    Ide,
    /// The six 2D pictures. Orthodontic packages hold them already; restorative ones do not.
    Thumbnails,
    /// What the dentist captured on the scanner's screen. Exists only if something was taken.
    ScreenCaptures,
}

impl AssetKind {
    /// What comes by calls of its own beside the package. The scan does not depend on any of it.
    pub const EXTRAS: [Self; 2] = [Self::Thumbnails, Self::ScreenCaptures];

    /// The extra with that word.
    pub fn extra(name: &str) -> Option<Self> {
        Self::EXTRAS.into_iter().find(|kind| kind.as_str() == name)
    }

    /// What people call it.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Ide => "the package",
            Self::Thumbnails => "thumbnails",
            Self::ScreenCaptures => "screen captures",
        }
    }

    /// Whether a published path lies in the folder that holds what came of it.
    pub fn holds(self, path: &str) -> bool {
        path.split_once('/').is_some_and(|(top, _)| top.eq_ignore_ascii_case(self.as_str()))
    }

    /// The word for messages, file names and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ide => "ide",
            Self::Thumbnails => "thumbnails",
            Self::ScreenCaptures => "screen-captures",
        }
    }
}

/// In which form the files are wanted; passed to Align as they stand. Absent ones are not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Such as `STL` or `PLY`.
    pub file_type: Option<String>,
    /// Such as `TwoFiles_ArchesOrientedInOcclusion`.
    pub file_format: Option<String>,
    /// Such as `OpenShell` or `SolidModelWithLowProfileBase`.
    pub type_format: Option<String>,
    /// Such as `3Shape`; for restorative cases.
    pub cad_cam_system: Option<String>,
}

/// One download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetRequest {
    /// Of which order.
    pub order: OrderId,
    /// Which part.
    pub kind: AssetKind,
    /// In which form.
    pub format: Format,
    /// Continue an earlier download instead of starting at the first byte.
    pub resume: Option<Resume>,
}

/// Where an earlier download broke off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// How many bytes are there already.
    pub offset: u64,
    /// The strong `ETag` of the version that they belong to, sent as `If-Range`.
    pub etag: String,
}

/// What the server said about the bytes that follow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssetInfo {
    /// Length of the whole asset in bytes, where the server told.
    pub total: Option<u64>,
    /// Where the body starts: 0, or [`Resume::offset`] if the server continued.
    pub offset: u64,
    /// The `ETag`, where the server gave one.
    pub etag: Option<String>,
    /// Who answered, each once: the API's host first, then the hosts that it redirected to.
    pub hosts: Vec<String>,
}
