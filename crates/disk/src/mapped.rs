//! Drive letters that stand for something else: a share connected by a user, or a folder mapped
//! with `subst`. They belong to that user's session; a service has none of them.

use std::path::{Path, PathBuf};

use super::system;

/// A path on a mapped drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The drive letter in upper case.
    pub letter: char,
    /// The same place as a path that does not depend on the drive, if the system knows it: for a
    /// share, `\\server\share\…`.
    pub path: Option<PathBuf>,
}

/// What the system knows about a drive letter.
pub(super) trait Drives {
    /// Whether it is a network drive.
    fn is_remote(&self, letter: char) -> bool;
    /// The share connected to it, such as `\\server\share`.
    fn connection(&self, letter: char) -> Option<String>;
    /// The device behind it, such as `\Device\HarddiskVolume3`.
    fn device(&self, letter: char) -> Option<String>;
    /// The share that a logged-in user has permanently connected to it: services and elevated
    /// prompts see none of the users' drives.
    fn of_somebody(&self, letter: char) -> Option<String>;
}

/// Resolves a path on a mapped drive; `None` for a path on a local drive, on a share by its UNC
/// name, or on a system without drive letters.
pub fn remote_of(path: &Path) -> Option<Mapped> {
    mapped(&path.to_string_lossy(), &system::SystemDrives)
}

impl Mapped {
    /// Returns why a service cannot use such a path, and what to write instead.
    pub fn refusal(&self) -> (String, String) {
        let letter = self.letter;
        let reason = format!(
            "{letter}: is a mapped drive, and mapped drives do not exist for services: they belong \
             to the user who connected them"
        );
        let hint = match &self.path {
            Some(path) => format!("write {}", path.display()),
            None => r"write the path of the share itself, such as \\server\share\orders".to_owned(),
        };
        (reason, hint)
    }
}

fn mapped(path: &str, drives: &dyn Drives) -> Option<Mapped> {
    let path = path.strip_prefix(r"\\?\").unwrap_or(path);
    let mut chars = path.chars();
    let letter = chars.next().filter(char::is_ascii_alphabetic)?.to_ascii_uppercase();
    if chars.next() != Some(':') {
        return None;
    }
    let rest = chars.as_str().trim_start_matches(['\\', '/']).replace('/', r"\");
    let whole = |base: String| {
        let base = base.trim_end_matches('\\');
        Some(PathBuf::from(if rest.is_empty() {
            base.to_owned()
        } else {
            format!(r"{base}\{rest}")
        }))
    };
    if let Some(share) = drives.connection(letter) {
        return Some(Mapped { letter, path: whole(share) });
    }
    let device = drives.device(letter);
    if let Some(folder) = device.as_deref().and_then(|it| it.strip_prefix(r"\??\")) {
        let base = match folder.strip_prefix(r"UNC\") {
            Some(share) => format!(r"\\{share}"),
            None => folder.to_owned(),
        };
        return Some(Mapped { letter, path: whole(base) });
    }
    let share = match &device {
        Some(device) => share_of_device(device),
        None => drives.of_somebody(letter),
    };
    (share.is_some() || drives.is_remote(letter))
        .then(|| Mapped { letter, path: share.and_then(whole) })
}

/// Extracts the share from a device name such as
/// `\Device\LanmanRedirector\;Z:0000000000012345\server\share`.
fn share_of_device(device: &str) -> Option<String> {
    let rest = device.strip_prefix(r"\Device\")?;
    let (_redirector, rest) = rest.split_once(r"\;")?;
    let rest = match rest.split_once(r"\;") {
        // Via the multiple UNC provider: `\Device\Mup\;LanmanRedirector\;Z:…\server`.
        Some((_provider, rest)) => rest,
        None => rest,
    };
    let (_session, share) = rest.split_once('\\')?;
    let is_share = share
        .split_once('\\')
        .is_some_and(|(server, share)| !server.is_empty() && !share.is_empty());
    is_share.then(|| format!(r"\\{share}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Fake {
        is_remote: bool,
        connection: Option<&'static str>,
        device: Option<&'static str>,
        of_somebody: Option<&'static str>,
    }

    impl Drives for Fake {
        fn is_remote(&self, _letter: char) -> bool {
            self.is_remote
        }
        fn connection(&self, _letter: char) -> Option<String> {
            self.connection.map(str::to_owned)
        }
        fn device(&self, _letter: char) -> Option<String> {
            self.device.map(str::to_owned)
        }
        fn of_somebody(&self, _letter: char) -> Option<String> {
            self.of_somebody.map(str::to_owned)
        }
    }

    fn path_of(path: &str, drives: &Fake) -> Option<String> {
        let found = mapped(path, drives)?.path.expect("told");
        Some(found.to_string_lossy().into_owned())
    }

    #[test]
    fn a_connected_share_is_told_with_the_rest_of_the_path() {
        let drives = Fake { connection: Some(r"\\server\lab"), is_remote: true, ..Fake::default() };
        for (path, share) in [
            (r"Z:\orders\new", r"\\server\lab\orders\new"),
            ("z:/orders/new", r"\\server\lab\orders\new"),
            (r"Z:\", r"\\server\lab"),
            (r"\\?\Z:\orders", r"\\server\lab\orders"),
        ] {
            assert_eq!(path_of(path, &drives).as_deref(), Some(share));
        }
        let (reason, hint) = mapped(r"z:\orders", &drives).expect("mapped").refusal();
        assert!(reason.starts_with("Z: is a mapped drive"), "{reason}");
        assert_eq!(hint, r"write \\server\lab\orders");
    }

    #[test]
    fn where_the_connection_is_not_told_the_device_tells_it() {
        for device in [
            r"\Device\LanmanRedirector\;Z:00000000000123ab\server\lab",
            r"\Device\Mup\;LanmanRedirector\;Z:00000000000123ab\server\lab",
            r"\??\UNC\server\lab",
        ] {
            let drives = Fake { device: Some(device), ..Fake::default() };
            assert_eq!(path_of(r"Z:\x", &drives).as_deref(), Some(r"\\server\lab\x"), "{device}");
        }
        let subst = Fake { device: Some(r"\??\C:\Data"), ..Fake::default() };
        assert_eq!(path_of(r"X:\orders", &subst).as_deref(), Some(r"C:\Data\orders"));
    }

    #[test]
    fn a_network_drive_of_which_nothing_more_is_known_is_refused_all_the_same() {
        let drives = Fake { is_remote: true, device: Some(r"\Device\WebDav"), ..Fake::default() };
        let found = mapped(r"Z:\orders", &drives).expect("mapped");
        assert_eq!(found.path, None);
        assert!(found.refusal().1.contains(r"\\server\share"), "{found:?}");
    }

    #[test]
    fn a_drive_of_somebody_who_is_logged_in_is_told_to_those_who_do_not_see_it() {
        let drives = Fake { of_somebody: Some(r"\\server\lab"), ..Fake::default() };
        assert_eq!(path_of(r"Z:\x", &drives).as_deref(), Some(r"\\server\lab\x"));
        let own = Fake { device: Some(r"\Device\HarddiskVolume3"), ..drives };
        assert_eq!(mapped(r"Z:\x", &own), None, "here it is a drive of this PC");
    }

    #[test]
    fn drives_of_this_pc_and_shares_by_name_are_not_mapped() {
        let disk = Fake { device: Some(r"\Device\HarddiskVolume3"), ..Fake::default() };
        let share = Fake { is_remote: true, ..Fake::default() };
        assert_eq!(mapped(r"C:\orders", &disk), None);
        for path in [r"\\server\lab\orders", r"\\?\UNC\server\lab", "/srv/orders", "orders", ""] {
            assert_eq!(mapped(path, &share), None, "{path}");
        }
    }

    #[test]
    fn the_folder_of_this_test_is_on_no_mapped_drive() {
        let dir = tempfile::tempdir().expect("tempdir");
        assert_eq!(remote_of(dir.path()), None);
    }
}
