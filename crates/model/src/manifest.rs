//! `manifest.json`: what is in an order's directory and why. Schema 1.
//!
//! It contains no patient name, and nothing from Align's answers that is not named here.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::asset::AssetKind;
use super::day::Day;
use super::finding_code::FindingCode;
use super::path::RelPath;
use super::prescription::Tooth;
use super::stand_in::{is_stand_in, stand_in};

mod read;

pub use read::Refusal;

/// The manifest version this crate writes. Bump it only when readers of the old version would
/// misinterpret the new one. A new optional field is no reason to: older versions of the agent
/// treat orders with an unknown schema as someone else's, and programs may check for the number.
/// New fields are left out where they have no value, so that an older manifest that is written
/// again has the same bytes.
pub const SCHEMA: u32 = 1;
/// The newest version this crate can read: it only adds fields to the first.
pub const SCHEMA_READ: u32 = 2;
/// The manifest's file name in an order's directory.
pub const FILE_NAME: &str = "manifest.json";

/// The manifest of one published revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Casedrop manifest", extend("$id" = "casedrop-manifest-1"))]
pub struct Manifest {
    /// Version of this format: 1.
    pub schema: u32,
    /// The lab's name in the agent's config.
    pub lab: String,
    /// The account at Align.
    pub account: Account,
    /// Align's order id; it never changes.
    pub order_id: String,
    /// The id of the prescription (Rx).
    pub rx_id: Option<String>,
    /// Align's short order code.
    pub order_code: Option<String>,
    /// The order's status at Align when this revision was fetched, verbatim.
    pub status: String,
    /// For example `iRecord`.
    pub case_type: Option<String>,
    /// For example `Orthodontic` or `Restorative`.
    pub procedure: Option<String>,
    /// The day on which the doctor needs the work. Absent if neither Align nor the XML says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due_date: Option<Day>,
    /// The doctor's name, as Align writes it. Absent if neither Align nor the XML says so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub doctor: Option<String>,
    /// The teeth that something is ordered for, by number. Absent if the XML names none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub teeth: Vec<Tooth>,
    /// 1 for the order's first publication, then 2, 3, …
    #[serde(deserialize_with = "read::revision")]
    pub revision: u32,
    /// Why this revision exists.
    pub reason: Reason,
    /// When it was published (RFC 3339, UTC).
    pub published_at: String,
    /// The program that wrote this manifest, and its version.
    pub agent: String,
    /// All files of the order except the manifest itself, sorted by path.
    #[serde(deserialize_with = "read::files")]
    pub files: Vec<ManifestFile>,
    /// Archive members that were left out: on purpose (such as `__MACOSX/…`) or because they were
    /// damaged (such as one of the thumbnails).
    pub left_out: Vec<String>,
    /// Requested parts that are missing or incomplete: `thumbnails`, `screen-captures`. They do not
    /// exist or did not arrive in time.
    pub missing: Vec<String>,
    /// The revision this one follows, if any.
    pub previous: Option<Previous>,
    /// What a person should know about these files.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub findings: Vec<Finding>,
}

/// Something a person should know about an order's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// A short stable word for programs, such as `member-unreadable`.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// The file concerned: as `path` in `files`, or as in `left_out`. Absent if it concerns all
    /// files.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path: Option<String>,
    /// The same for people, without file names.
    pub words: String,
}

impl Finding {
    /// Creates a finding about all files.
    pub fn new(code: FindingCode, severity: Severity, words: impl Into<String>) -> Self {
        Self { code: code.as_str().to_owned(), severity, path: None, words: words.into() }
    }

    /// Sets the file concerned.
    #[must_use]
    pub fn of(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }
}

/// How much a finding matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know; nothing is missing.
    Note,
    /// Something is missing or wrong, but work can continue.
    Warning,
    /// The case cannot be worked on as it is.
    Serious,
}

impl Severity {
    /// The word used in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Serious => "serious",
        }
    }
}

/// An account at Align.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    /// The account's number.
    pub id: String,
    /// The account's name, if known.
    pub name: Option<String>,
}

/// Why a revision exists.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Reason {
    /// The order's first files.
    FirstScan,
    /// The case came back from Align's modeling.
    AfterModeling,
    /// The dentist scanned again.
    Rescan,
    /// The modeler sent the case through interpretation 2.
    #[serde(rename = "interpretation-2")]
    #[strum(serialize = "interpretation-2")]
    Interpretation2,
    /// The files changed for no stated reason.
    FilesChanged,
    /// A user asked to fetch the order again.
    Refetch,
    /// Nothing else changed: pictures missing from the previous revision arrived.
    Extras,
}

impl Reason {
    pub const ALL: [Self; 7] = [
        Self::FirstScan,
        Self::AfterModeling,
        Self::Rescan,
        Self::Interpretation2,
        Self::FilesChanged,
        Self::Refetch,
        Self::Extras,
    ];

    /// The word used in manifests.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One file of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestFile {
    /// Path relative to the order's directory, with `/`.
    #[schemars(with = "String")]
    pub path: RelPath,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the content, lower-case hexadecimal.
    pub sha256: String,
    /// What the file is.
    pub role: Role,
    /// The jaw that a scan or texture shows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jaw: Option<Jaw>,
    /// When the teeth looked like that. On every scan and texture, unless an older version wrote
    /// the manifest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stage: Option<Stage>,
    /// The part that a scan or texture shows if it is not a jaw: `bite`, `die`, `margin`,
    /// `scan-body` or `abutment`; there may be others.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub part: Option<String>,
    /// The path of the file that this one is a second name of, as `names: both` makes them:
    /// programs that read one file each skip those with `copy_of`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub copy_of: Option<RelPath>,
    /// The vendor's file name, if the published name differs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub original_name: Option<String>,
    /// The bytes of the name in the vendor's archive, if not UTF-8: ASCII unchanged, everything
    /// else as `%XX`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub raw_name: Option<String>,
}

/// What a file is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A mesh.
    Scan,
    /// A picture that belongs to a mesh.
    Texture,
    /// The vendor's XML.
    Metadata,
    /// The prescription as PDF.
    RxPdf,
    /// The prescription as HTML.
    RxHtml,
    /// One of the six overview pictures.
    Thumbnail,
    /// A screen capture from the scanner.
    ScreenCapture,
    /// Anything else.
    Attachment,
}

/// The jaw that a file shows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Jaw {
    /// The upper jaw.
    Upper,
    /// The lower jaw.
    Lower,
    /// Both jaws in one file.
    Both,
}

/// When the teeth looked like a scan shows them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// As they are to be worked with.
    Working,
    /// Before the treatment.
    Pretreatment,
}

/// The previous revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Previous {
    /// The previous revision's number.
    pub revision: u32,
    /// SHA-256 of its manifest's bytes.
    pub manifest_sha256: String,
}

impl Manifest {
    /// Returns the bytes to publish: indented JSON with a final newline.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Returns a copy with stand-ins for file names that could name a person, as kept in the
    /// journal. Its bytes differ from those published.
    #[must_use]
    pub fn without_names(&self) -> Self {
        let mut other = self.clone();
        let hide = |name: &mut String| *name = stand_in(name, &self.order_id).into_owned();
        for file in &mut other.files {
            file.path = file.path.stand_in(&self.order_id);
            file.copy_of = file.copy_of.as_ref().map(|path| path.stand_in(&self.order_id));
            file.original_name.iter_mut().for_each(hide);
            file.raw_name.iter_mut().for_each(hide);
        }
        other.left_out.iter_mut().for_each(hide);
        other.findings.iter_mut().filter_map(|finding| finding.path.as_mut()).for_each(hide);
        other
    }

    /// Whether any of its names are stand-ins.
    pub fn has_stand_ins(&self) -> bool {
        let of_file = |file: &ManifestFile| {
            let others = [file.original_name.as_deref(), file.raw_name.as_deref()];
            let copy_of = file.copy_of.as_ref().map(RelPath::as_str);
            is_stand_in(&file.path)
                || others.into_iter().chain([copy_of]).flatten().any(is_stand_in)
        };
        self.files.iter().any(of_file)
            || self.left_out.iter().any(|name| is_stand_in(name))
            || self.findings.iter().filter_map(|finding| finding.path.as_deref()).any(is_stand_in)
    }

    /// Returns what identifies a file's content, even if one of two compared names is a stand-in.
    fn content<'f>(&self, file: &'f ManifestFile) -> (Cow<'f, str>, u64, &'f str) {
        (stand_in(&file.path, &self.order_id), file.size, &file.sha256)
    }

    /// The total size of all files in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Whether these are the same files with the same content.
    pub fn same_content(&self, files: &[ManifestFile]) -> bool {
        let mut ours: Vec<_> = self.files.iter().map(|file| self.content(file)).collect();
        let mut theirs: Vec<_> = files.iter().map(|file| self.content(file)).collect();
        ours.sort_unstable();
        theirs.sort_unstable();
        ours == theirs
    }

    /// Returns this revision's files that `files` lacks, and those that it adds.
    pub fn changes_to<'a>(
        &'a self,
        files: &'a [ManifestFile],
    ) -> (Vec<&'a ManifestFile>, Vec<&'a ManifestFile>) {
        let ours: BTreeSet<_> = self.files.iter().map(|file| self.content(file)).collect();
        let theirs: BTreeSet<_> = files.iter().map(|file| self.content(file)).collect();
        let lacks = self.files.iter().filter(|file| !theirs.contains(&self.content(file)));
        let adds = files.iter().filter(|file| !ours.contains(&self.content(file)));
        (lacks.collect(), adds.collect())
    }

    /// Whether `files` is this revision plus only files from its missing extras.
    pub fn is_completed_by(&self, files: &[ManifestFile]) -> bool {
        let (lacks, adds) = self.changes_to(files);
        let missing: Vec<_> =
            self.missing.iter().filter_map(|name| AssetKind::extra(name)).collect();
        let was_missing =
            |file: &&ManifestFile| missing.iter().any(|kind| kind.holds(file.path.as_str()));
        lacks.is_empty() && !adds.is_empty() && adds.iter().all(was_missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_called_as_manifests_write_them() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).expect("JSON"), reason.as_str());
        }
    }
}
