//! The downloadable parts of an order.

use serde::{Deserialize, Serialize};

use super::ids::OrderId;

/// A separately downloadable part of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssetKind {
    /// The iDE package: a zip with meshes, XML, prescription and attachments.
    Ide,
    /// The six 2D pictures. Orthodontic packages already contain them; restorative ones do not.
    Thumbnails,
    /// What the dentist captured on the scanner's screen. Only exists if something was captured.
    ScreenCaptures,
}

impl AssetKind {
    /// Parts fetched by separate calls next to the package. The scan depends on none of them.
    pub const EXTRAS: [Self; 2] = [Self::Thumbnails, Self::ScreenCaptures];

    /// Returns the extra with this word.
    pub fn extra(name: &str) -> Option<Self> {
        Self::EXTRAS.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The name shown to people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Ide => "the package",
            Self::Thumbnails => "thumbnails",
            Self::ScreenCaptures => "screen captures",
        }
    }

    /// Whether a published path is in the folder of this kind.
    pub fn holds(self, path: &str) -> bool {
        path.split_once('/').is_some_and(|(top, _)| top.eq_ignore_ascii_case(self.as_str()))
    }

    /// The word used in messages, file names and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ide => "ide",
            Self::Thumbnails => "thumbnails",
            Self::ScreenCaptures => "screen-captures",
        }
    }
}

/// The requested file format, passed to Align unchanged. Absent fields are not sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// For example `STL` or `PLY`.
    pub file_type: Option<String>,
    /// For example `TwoFiles_ArchesOrientedInOcclusion`.
    pub file_format: Option<String>,
    /// For example `OpenShell` or `SolidModelWithLowProfileBase`.
    pub type_format: Option<String>,
    /// For example `3Shape`; for restorative cases.
    pub cad_cam_system: Option<String>,
}

/// One download request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetRequest {
    pub order: OrderId,
    pub kind: AssetKind,
    pub format: Format,
    /// Continue an earlier download instead of starting at the first byte.
    pub resume: Option<Resume>,
}

/// Where an earlier download broke off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// Number of bytes already on disk.
    pub offset: u64,
    /// The strong `ETag` of the version they belong to, sent as `If-Range`.
    pub etag: String,
}

/// The response's description of the bytes that follow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssetInfo {
    /// Length of the whole asset in bytes, if the server sent it.
    pub total: Option<u64>,
    /// Where the body starts: 0, or [`Resume::offset`] if the server resumed.
    pub offset: u64,
    /// The `ETag`, if the server sent one.
    pub etag: Option<String>,
    /// The hosts that answered, without duplicates: the API's host first, then the redirect
    /// targets.
    pub hosts: Vec<String>,
}
