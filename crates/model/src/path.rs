//! Relative paths that every file system in a lab can hold.
//!
//! A [`RelPath`] never leads out of the directory it is joined to, on Linux or on Windows. Names
//! come from untrusted sources (zip members, URLs): those that try to leave the directory are
//! refused, those that Windows cannot hold are escaped deterministically.
//!
//! The Windows rules follow "Naming Files, Paths, and Namespaces" (Microsoft Learn).

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, de};

use super::stand_in::stand_in;

/// The longest component in bytes of UTF-8: fits ext4 and NTFS, with room for a suffix.
const MAX_COMPONENT: usize = 240;
/// The longest relative path in bytes.
const MAX_PATH: usize = 1024;
/// We never write longer paths: prefixes and suffixes added to a path are short.
const MAX_READ: usize = 4 * MAX_PATH;

/// Why a name cannot be published at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    #[error("the name is empty")]
    Empty,
    /// The name starts at the root, a drive or a share.
    #[error("{0:?} is an absolute path")]
    Absolute(String),
    /// The name leads out of its directory.
    #[error("{0:?} leaves its directory")]
    Traversal(String),
    /// The name should already be safe, but is not.
    #[error("{0:?} is not a portable file name")]
    NotPortable(String),
}

impl PathFault {
    /// Describes the fault as the end of a sentence about the path, without its text: file names
    /// may contain people's names.
    pub fn in_words(&self) -> &'static str {
        match self {
            Self::Empty => "is empty",
            Self::Absolute(_) => "is absolute",
            Self::Traversal(_) => "leads out of its folder",
            Self::NotPortable(_) => "is not a valid name on every system",
        }
    }
}

/// A relative path, written with `/`, whose components every supported file system can hold.
///
/// Deserializing validates: no value of this type leads out of the directory it is joined to, no
/// matter who wrote the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
pub struct RelPath(String);

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let refused =
            |fault: PathFault| de::Error::custom(format_args!("the path {}", fault.in_words()));
        Self::parse(&text).map_err(refused)
    }
}

impl RelPath {
    /// Returns a copy with a stand-in for each part that could name a person.
    #[must_use]
    pub fn stand_in(&self, order: &str) -> Self {
        // A stand-in is shorter than any name that is too long for a file system.
        Self(stand_in(&self.0, order).into_owned())
    }

    /// Parses a path that must already be portable, such as one from a manifest.
    ///
    /// # Errors
    /// Refuses anything that [`make_safe`](Self::make_safe) and the other methods would not
    /// produce: `..`, `\`, a path from the root, a drive or a share, a stream (`a:b`), a device
    /// name (`NUL`).
    pub fn parse(text: &str) -> Result<Self, PathFault> {
        if text.is_empty() {
            return Err(PathFault::Empty);
        }
        let unified = text.replace('\\', "/");
        if unified.starts_with('/') || has_drive(&unified) {
            return Err(PathFault::Absolute(excerpt(text)));
        }
        if unified.split('/').any(|part| part == "..") {
            return Err(PathFault::Traversal(excerpt(text)));
        }
        let is_portable =
            |part: &str| !part.is_empty() && part != "." && safe_component(part) == part;
        if text.len() > MAX_READ || !text.split('/').all(is_portable) {
            return Err(PathFault::NotPortable(excerpt(text)));
        }
        Ok(Self(text.to_owned()))
    }

    /// Makes an untrusted name safe: `\` counts as a separator, `.` components are dropped,
    /// components that Windows cannot hold are escaped as by [`safe_component`]. Overlong names are
    /// shortened.
    ///
    /// # Errors
    /// Refuses a name that is absolute, contains `..` or is empty: the archive is not what it
    /// claims to be.
    pub fn make_safe(raw: &str) -> Result<Self, PathFault> {
        let unified = raw.replace('\\', "/");
        if unified.starts_with('/') || has_drive(&unified) {
            return Err(PathFault::Absolute(excerpt(raw)));
        }
        let mut parts = Vec::new();
        for part in unified.split('/') {
            match part {
                "" | "." => {}
                ".." => return Err(PathFault::Traversal(excerpt(raw))),
                name => parts.push(safe_component(name)),
            }
        }
        if parts.is_empty() { Err(PathFault::Empty) } else { Ok(Self(within_bounds(&parts))) }
    }

    /// The path with `/` between its components.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, outermost first.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The extension in lower case, without the dot; empty if there is none.
    pub fn extension(&self) -> String {
        match self.file_name().rsplit_once('.') {
            Some((stem, ext)) if !stem.is_empty() => ext.to_ascii_lowercase(),
            _ => String::new(),
        }
    }

    /// The path without its first component, if anything is left.
    pub fn strip_first(&self) -> Option<Self> {
        self.0.split_once('/').map(|(_, rest)| Self(rest.to_owned()))
    }

    /// Returns this path below `folder`, which is made one portable component.
    #[must_use]
    pub fn below(&self, folder: &str) -> Self {
        Self(format!("{}/{}", safe_component(folder), self.0))
    }

    /// Replaces the file name (made safe); the directory stays.
    #[must_use]
    pub fn with_file_name(&self, name: &str) -> Self {
        let name = safe_component(name);
        match self.0.rsplit_once('/') {
            Some((dir, _)) => Self(format!("{dir}/{name}")),
            None => Self(name),
        }
    }

    /// Returns the same text for names that a case-insensitive file system cannot tell apart.
    pub fn fold(&self) -> String {
        self.0.to_lowercase()
    }

    /// The path below `base`, with the platform's separators.
    pub fn under(&self, base: &Path) -> PathBuf {
        let mut path = base.to_path_buf();
        path.extend(self.components());
        path
    }
}

/// Path texts are inspected in many places. This is safe: methods of `str` return plain texts, so
/// none can make a `RelPath` that leads elsewhere.
impl Deref for RelPath {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for RelPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<Path> for RelPath {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl PartialEq<str> for RelPath {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for RelPath {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<RelPath> for String {
    fn from(path: RelPath) -> Self {
        path.0
    }
}

/// Returns the name as one component that Linux and Windows can both hold: unchanged if it already
/// is one, otherwise with `%XX` for what it must not contain. Deterministic and idempotent. An
/// empty name would be the directory itself, so it becomes `_`.
pub fn safe_component(name: &str) -> String {
    if name.is_empty() {
        return "_".to_owned();
    }
    let reserved = is_reserved(name);
    let last = name.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(name.len());
    for (at, c) in name.chars().enumerate() {
        let bad = c.is_control()
            || matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*')
            || (at == last && matches!(c, '.' | ' '))
            || (at == 0 && (c == ' ' || reserved));
        if bad {
            escape_into(&mut out, c);
        } else {
            out.push(c);
        }
    }
    if out.len() > MAX_COMPONENT { shorten(&out) } else { out }
}

fn escape_into(out: &mut String, c: char) {
    use fmt::Write as _;
    let mut bytes = [0; 4];
    for byte in c.encode_utf8(&mut bytes).bytes() {
        // Writing to a String cannot fail.
        let _ = write!(out, "%{byte:02X}");
    }
}

/// Joins the components. A path that is too long keeps its outermost folder and its file name, with
/// a checksum of the whole path in between.
fn within_bounds(parts: &[String]) -> String {
    let path = parts.join("/");
    match parts {
        [top, .., name] if path.len() > MAX_PATH => {
            format!("{top}/~{:016x}/{name}", checksum(&path))
        }
        _ => path,
    }
}

fn checksum(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Cuts the middle out of an overlong name, keeping the extension and adding a checksum of the
/// whole name so that two long names stay distinct.
fn shorten(name: &str) -> String {
    let ext = match name.rsplit_once('.') {
        Some((_, ext)) if ext.len() <= 16 => format!(".{ext}"),
        _ => String::new(),
    };
    let sum = checksum(name);
    let mut keep = MAX_COMPONENT - ext.len() - 17;
    while !name.is_char_boundary(keep) {
        keep -= 1;
    }
    format!("{}~{sum:016x}{ext}", &name[..keep])
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let Some(digit) = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT")) else {
        return false;
    };
    matches!(digit, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
}

fn has_drive(path: &str) -> bool {
    let mut chars = path.chars();
    matches!((chars.next(), chars.next()), (Some(letter), Some(':')) if letter.is_ascii_alphabetic())
}

fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn safe(raw: &str) -> String {
        RelPath::make_safe(raw).expect("acceptable").as_str().to_owned()
    }

    #[test]
    fn vendor_names_stay_as_they_are() {
        for name in ["itero_export_#123_v50.xml", "top/123_shell_occlusion_u.stl", "Rx müller.html"]
        {
            assert_eq!(safe(name), name);
        }
    }

    #[test]
    fn names_that_leave_the_directory_are_refused() {
        for name in ["../x", "a/../../x", "a\\..\\x", ".."] {
            assert!(matches!(RelPath::make_safe(name), Err(PathFault::Traversal(_))), "{name}");
        }
        for name in ["/etc/passwd", "C:\\Windows\\x", "c:x", "\\\\host\\share\\x"] {
            assert!(matches!(RelPath::make_safe(name), Err(PathFault::Absolute(_))), "{name}");
        }
        assert_eq!(RelPath::make_safe("./"), Err(PathFault::Empty));
    }

    #[test]
    fn nothing_that_leads_elsewhere_is_read() {
        let read = |text: &str| serde_json::from_value::<RelPath>(text.into());
        for text in [
            "",
            ".",
            "..",
            "/",
            "../x",
            "a/../x",
            "a/..",
            "./x",
            "a//b",
            "a/",
            "a\\b",
            "..\\x",
            "/etc/x",
            "C:\\x",
            "c:x",
            "\\\\host\\share\\x",
            "\\\\.\\pipe\\x",
            "//host/x",
            "a.stl:stream",
            "NUL",
            "a/con.txt",
            "COM¹",
            "aux",
            "x ",
            "x.",
            "a\u{0}b",
            "a\nb",
            "what?",
            "<a>",
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(RelPath::parse(text).is_err() && error.starts_with("the path "), "{error}");
        }
        let error = read("../Müller_Hans.stl").expect_err("traversal").to_string();
        assert_eq!(error, "the path leads out of its folder");
        for text in
            ["a", "a/b.stl", "Rx müller.html", "..a", "a..b", "%43ON.stl", "thumbnails/a~2.jpg"]
        {
            assert_eq!(read(text).expect("portable").as_str(), text);
        }
        assert!(read(&"a/".repeat(4000)).is_err());
        assert_eq!(safe_component(""), "_");
    }

    #[test]
    fn what_is_made_of_a_safe_path_is_read_again() {
        let long = RelPath::make_safe(&"a/".repeat(510)).expect("short enough");
        for made in [long.below("thumbnails"), long.with_file_name("x~2.jpg"), long.below("con")] {
            assert_eq!(RelPath::parse(made.as_str()), Ok(made.clone()));
        }
    }

    #[test]
    fn what_windows_cannot_hold_is_escaped() {
        assert_eq!(safe("CON.stl"), "%43ON.stl");
        assert_eq!(safe("com1"), "%63om1");
        assert_eq!(safe("jaw:u?.stl"), "jaw%3Au%3F.stl");
        assert_eq!(safe("dir./name "), "dir%2E/name%20");
        assert_eq!(safe("console.stl"), "console.stl");
    }

    #[test]
    fn long_names_keep_their_extension_and_stay_apart() {
        let a = safe(&format!("{}a.stl", "x".repeat(300)));
        let b = safe(&format!("{}b.stl", "x".repeat(300)));
        assert!(a.len() <= MAX_COMPONENT && a.rsplit('.').next() == Some("stl"));
        assert_ne!(a, b);
    }

    #[test]
    fn long_paths_are_shortened_the_same_way_every_time_and_stay_apart() {
        let a = safe(&format!("top/{}a.stl", "middle/".repeat(200)));
        let b = safe(&format!("top/{}b/a.stl", "middle/".repeat(200)));
        assert!(a.starts_with("top/~") && a.ends_with("/a.stl") && a.len() <= MAX_PATH, "{a}");
        assert_ne!(a, b);
        assert_eq!(RelPath::parse(&a).map(String::from), Ok(a));
    }

    #[test]
    fn extensions_are_lower_case() {
        assert_eq!(RelPath::parse("a/B.STL").expect("portable").extension(), "stl");
        assert_eq!(RelPath::parse("a/.hidden").expect("portable").extension(), "");
    }

    proptest! {
        #[test]
        fn a_safe_name_is_safe_for_good_and_stays_inside(raw in ".{0,60}") {
            if let Ok(path) = RelPath::make_safe(&raw) {
                prop_assert_eq!(RelPath::parse(path.as_str()), Ok(path.clone()));
                let joined = path.under(Path::new("base"));
                prop_assert!(joined.starts_with("base"));
                for part in path.components() {
                    prop_assert!(!part.is_empty() && part != "." && part != "..");
                    prop_assert!(!part.contains(['\\', ':', '/']));
                }
            }
        }
    }
}
