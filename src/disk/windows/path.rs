//! How paths are handed to the system.

use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The path for calls that std does not make for us: absolute, zero-terminated, and in the extended
/// form that has no limit of 260 characters.
pub(super) fn wide(path: &Path) -> io::Result<Vec<u16>> {
    zero_ended(extended(&std::path::absolute(path)?).as_os_str().encode_wide().collect())
}

/// A text for such calls.
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

/// An absolute path with `\\?\` before it, where it has a drive or a share and none yet.
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
    fn drives_and_shares_get_their_extended_form() {
        let check = |from: &str, to: &str| assert_eq!(extended(Path::new(from)), Path::new(to));
        check(r"C:\orders\x", r"\\?\C:\orders\x");
        check(r"\\server\share\orders\x", r"\\?\UNC\server\share\orders\x");
        check(r"\\?\C:\orders", r"\\?\C:\orders");
    }
}
