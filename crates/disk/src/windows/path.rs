//! Conversion of paths for system calls.

use std::borrow::Cow;
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// From this length on, libraries get a path in the extended form. Leaves them room for a short
/// suffix.
const LONG: usize = 240;

/// Returns the path in a form that libraries can open regardless of its length. The standard
/// library handles this itself.
pub fn for_others(path: &Path) -> Cow<'_, Path> {
    if path.as_os_str().encode_wide().count() < LONG {
        return path.into();
    }
    std::path::absolute(path).map_or(path.into(), |path| extended(&path).into())
}

/// Returns the path for system calls not wrapped by std: absolute, zero-terminated, and in the
/// extended form without the limit of 260 characters.
pub(super) fn wide(path: &Path) -> io::Result<Vec<u16>> {
    zero_ended(extended(&std::path::absolute(path)?).as_os_str().encode_wide().collect())
}

/// Returns a text for such calls.
pub(super) fn wide_text(text: &str) -> io::Result<Vec<u16>> {
    zero_ended(text.encode_utf16().collect())
}

fn zero_ended(mut wide: Vec<u16>) -> io::Result<Vec<u16>> {
    if wide.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the text holds a zero"));
    }
    wide.push(0);
    Ok(wide)
}

/// Prefixes an absolute path with `\\?\` if it has a drive or a share and no such prefix yet.
pub(super) fn extended(path: &Path) -> PathBuf {
    use std::path::{Component, Prefix};
    let Some(Component::Prefix(prefix)) = path.components().next() else {
        return path.to_path_buf();
    };
    let text = path.as_os_str();
    let mut out = std::ffi::OsString::new();
    match prefix.kind() {
        Prefix::Disk(_) => {
            out.push(r"\\?\");
            out.push(text);
        }
        Prefix::UNC(server, share) => {
            out.push(r"\\?\UNC\");
            out.push(server);
            out.push(r"\");
            out.push(share);
            let mut rest = path.components();
            let _ = rest.next();
            for part in rest {
                if !matches!(part, Component::RootDir) {
                    out.push(r"\");
                    out.push(part.as_os_str());
                }
            }
        }
        _ => return path.to_path_buf(),
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_paths_are_given_to_others_in_the_extended_form() {
        let short = Path::new(r"C:\Casedrop\journal.db");
        assert_eq!(for_others(short), short);
        let long = PathBuf::from(format!(r"C:\{}\journal.db", r"deep\".repeat(60)));
        assert!(for_others(&long).to_string_lossy().starts_with(r"\\?\C:\deep"), "{long:?}");
    }

    #[test]
    fn drives_and_shares_get_their_extended_form() {
        let check = |from: &str, to: &str| assert_eq!(extended(Path::new(from)), Path::new(to));
        check(r"C:\orders\x", r"\\?\C:\orders\x");
        check(r"\\server\share\orders\x", r"\\?\UNC\server\share\orders\x");
        check(r"\\?\C:\orders", r"\\?\C:\orders");
    }
}
