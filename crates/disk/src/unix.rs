//! Unix-specific calls: renames with flags, directory sync, modes.

use std::fs::{DirBuilder, File, FileType, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, lchown,
};
use std::path::{Path, PathBuf};

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
use rustix::fs::{CWD, RenameFlags, renameat_with};

use rustix::fs::OFlags;

use super::error::NoFile;
use super::mapped::Drives;

/// Runs a call once: on Unix, open files do not block it.
pub(super) fn patiently<T>(call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut call = call;
    call()
}

/// Renames; `false` if something exists at the target.
pub(super) fn rename_no_replace(from: &Path, to: &Path) -> io::Result<bool> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => return Ok(true),
        Err(error) if error == rustix::io::Errno::EXIST => return Ok(false),
        Err(error) if unsupported(error) => {}
        Err(error) => return Err(error.into()),
    }
    rename_checked(from, to)
}

/// For file systems without that flag (some network and FUSE ones). Files are linked, which cannot
/// replace anything. For directories there is a race between check and rename, but even then only
/// an empty directory could be replaced.
fn rename_checked(from: &Path, to: &Path) -> io::Result<bool> {
    match to.symlink_metadata() {
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if from.symlink_metadata()?.is_file() {
        match std::fs::hard_link(from, to) {
            Ok(()) => return std::fs::remove_file(from).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(_) => {}
        }
    }
    match std::fs::rename(from, to) {
        Ok(()) => Ok(true),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::DirectoryNotEmpty
                    | io::ErrorKind::AlreadyExists
                    | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Atomically swaps two directories; `false` if not supported.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(super) fn exchange(a: &Path, b: &Path) -> io::Result<bool> {
    match renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(error) if unsupported(error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Atomically swaps two directories; `false` because it is not supported.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) fn exchange(_a: &Path, _b: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn unsupported(error: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP, Errno::OPNOTSUPP].contains(&error)
}

/// Makes a directory's entries durable. File systems that cannot sync directories return `EINVAL`.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    let flags = flags(OFlags::DIRECTORY | OFlags::NONBLOCK)?;
    match OpenOptions::new().read(true).custom_flags(flags).open(dir)?.sync_all() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        done => done,
    }
}

pub(super) fn same_volume(a: &Path, b: &Path) -> io::Result<bool> {
    Ok(std::fs::metadata(a)?.dev() == std::fs::metadata(b)?.dev())
}

/// Returns the network file system that a path is on.
#[cfg(target_os = "linux")]
pub(super) fn network_volume(path: &Path) -> io::Result<Option<String>> {
    // From linux/magic.h: those that several PCs can mount.
    const NETWORK: [(i64, &str); 10] = [
        (0x6969, "NFS"),
        (0x517B, "SMB"),
        (0xFF53_4D42, "SMB (CIFS)"),
        (0xFE53_4D42, "SMB"),
        (0x5346_414F, "AFS"),
        (0x7375_7245, "Coda"),
        (0x00C3_6400, "Ceph"),
        (0x0BD0_0BD0, "Lustre"),
        (0x0102_1997, "9P"),
        (0x4750_4653, "GPFS"),
    ];
    const FUSE: i64 = 0x6573_5546;
    // Its type depends on the processor, and for negative values the upper bits are meaningless.
    let kind = rustix::fs::statfs(path)?.f_type as i64 & 0xFFFF_FFFF;
    if kind == FUSE {
        // Only the mount table says which one it is.
        let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
        let kind = mounted_as(&mounts, &std::fs::canonicalize(path)?);
        return Ok(kind.and_then(network_fuse).map(str::to_owned));
    }
    let found = NETWORK.iter().find(|(number, _)| *number == kind);
    Ok(found.map(|(_, name)| (*name).to_owned()))
}

/// Returns the network file system that a path is on.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "other systems can be asked, and it can fail")]
pub(super) fn network_volume(_path: &Path) -> io::Result<Option<String>> {
    Ok(None)
}

/// Returns the type of the file system mounted at a path; see proc(5).
#[cfg(target_os = "linux")]
fn mounted_as<'m>(mounts: &'m str, path: &Path) -> Option<&'m str> {
    let mounts = mounts.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        // Spaces are escaped as \\040.
        let at = place.split(' ').nth(4)?.replace("\\040", " ");
        path.starts_with(&at).then(|| (at.len(), kind.split(' ').next().unwrap_or_default()))
    });
    // The last mount at the innermost mount point is the visible one.
    mounts.max_by_key(|(length, _)| *length).map(|(_, kind)| kind)
}

/// FUSE file systems that use a network. Others, such as those for NTFS, do not.
#[cfg(target_os = "linux")]
fn network_fuse(kind: &str) -> Option<&str> {
    const KNOWN: [&str; 11] = [
        "sshfs",
        "rclone",
        "s3fs",
        "davfs",
        "gvfsd-fuse",
        "glusterfs",
        "ceph-fuse",
        "curlftpfs",
        "smbnetfs",
        "afpfs",
        "goofys",
    ];
    KNOWN.into_iter().find(|known| kind == format!("fuse.{known}"))
}

pub(super) fn may_create_in(dir: &Path) -> io::Result<()> {
    use rustix::fs::Access;
    Ok(rustix::fs::access(dir, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Does nothing: names that start with a dot are already hidden.
pub(super) fn hide(path: &Path) -> io::Result<()> {
    path.symlink_metadata().map(|_| ())
}

/// Always `false`: on Unix, only names hide files.
pub(super) fn is_hidden(_metadata: &Metadata) -> bool {
    false
}

/// Opening a pipe would wait for the other end, and opening a device could wait too. For files the
/// flag has no effect.
pub(super) fn without_waiting(options: &mut OpenOptions) -> io::Result<()> {
    options.custom_flags(flags(OFlags::NONBLOCK)?);
    Ok(())
}

/// Returns what was opened, if it is not a file.
pub(super) fn no_file(file: &File) -> io::Result<Option<NoFile>> {
    Ok(what_else(file.metadata()?.file_type()))
}

/// Returns what is at a path that failed to open, if it is not a file: sockets never open, and
/// pipes without a reader do not open for writing.
pub(super) fn no_file_at(path: &Path, _error: &io::Error) -> Option<NoFile> {
    what_else(std::fs::metadata(path).ok()?.file_type())
}

pub(super) fn what_else(kind: FileType) -> Option<NoFile> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some(NoFile::DIRECTORY)
    } else if kind.is_fifo() {
        Some(NoFile("a pipe"))
    } else if kind.is_socket() {
        Some(NoFile("a socket"))
    } else {
        Some(NoFile("a device"))
    }
}

fn flags(flags: OFlags) -> io::Result<i32> {
    i32::try_from(flags.bits()).map_err(io::Error::other)
}

/// Whether the file opens and no one holds a lock on it. A link in place of the file is not
/// followed, and a pipe is not waited for.
pub(super) fn is_at_rest(path: &Path) -> io::Result<bool> {
    let flags = flags(OFlags::NOFOLLOW | OFlags::NONBLOCK)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if let Some(what) = no_file(&file)? {
        return Err(what.error());
    }
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(false),
        // If a volume does not support locks, no one can hold one.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(true),
    }
}

/// Returns the owner's name, or its number if it has no name.
pub(super) fn owner(path: &Path) -> io::Result<Option<String>> {
    let id = path.symlink_metadata()?.uid();
    let name = uzers::get_user_by_uid(id).map(|user| user.name().to_string_lossy().into_owned());
    Ok(Some(name.unwrap_or_else(|| format!("user number {id}"))))
}

pub(super) fn foreign_owner(path: &Path) -> io::Result<Option<String>> {
    let id = path.symlink_metadata()?.uid();
    if id == 0 || id == uzers::get_effective_uid() { Ok(None) } else { owner(path) }
}

pub(super) fn belongs_to(path: &Path, account: &str) -> io::Result<bool> {
    let id = path.symlink_metadata()?.uid();
    Ok(uzers::get_user_by_name(account).is_some_and(|user| user.uid() == id))
}

pub(super) fn is_own(path: &Path) -> io::Result<bool> {
    let id = path.symlink_metadata()?.uid();
    Ok(id != 0 && id == uzers::get_effective_uid())
}

/// Returns who apart from root can change a file or its directory entry.
pub(super) fn others_who_write(path: &Path) -> io::Result<Option<String>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    for (what, path) in [("it", Some(path)), ("its folder", folder)] {
        let Some(path) = path else { continue };
        let rights = std::fs::metadata(path)?;
        if rights.uid() != 0 {
            let name = owner(path)?.unwrap_or_default();
            return Ok(Some(format!("{name} (the owner of {what})")));
        }
        if rights.mode() & 0o020 != 0 && rights.gid() != 0 {
            let group = uzers::get_group_by_gid(rights.gid())
                .map_or_else(|| rights.gid().to_string(), |it| it.name().display().to_string());
            return Ok(Some(format!("the group {group} (of {what})")));
        }
        // In a sticky folder, only the owner of a file can replace it.
        if rights.mode() & 0o002 != 0 && rights.mode() & 0o1000 == 0 {
            return Ok(Some(format!("everybody ({what} is open to all)")));
        }
    }
    Ok(None)
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
}

pub(super) fn remove_dir(path: &Path) -> io::Result<()> {
    std::fs::remove_dir(path)
}

pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    std::fs::remove_dir_all(path)
}

pub(super) fn private_file(options: &mut OpenOptions) {
    options.mode(0o600);
}

pub(super) fn program_file(options: &mut OpenOptions) {
    options.mode(0o755);
}

/// The group must match, because its members may read. If the owner cannot be changed, the file
/// stays this user's.
pub(super) fn take_rights(from: &Path, to: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let (wanted, own) = (std::fs::metadata(from)?, std::fs::metadata(to)?);
    if wanted.uid() != own.uid() && lchown(to, Some(wanted.uid()), None).is_err() {
        tracing::debug!("{} changes its owner", from.display());
    }
    if wanted.gid() != own.gid() {
        lchown(to, None, Some(wanted.gid()))?;
    }
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(wanted.mode() & 0o777))
}

/// Sets the mode regardless of the process's umask.
pub(super) fn open_to_all(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

pub(super) fn create_private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(dir)
}

/// Does nothing: the folder's mode was chosen on purpose; new ones are private from the start.
#[expect(clippy::unnecessary_wraps, reason = "other systems have something to do, and it can fail")]
pub(super) fn make_private(_dir: &Path) -> io::Result<Vec<String>> {
    Ok(Vec::new())
}

/// The group's members do not count: they were chosen together with the file's mode.
pub(super) fn readers(path: &Path) -> io::Result<Vec<String>> {
    let metadata = std::fs::metadata(path)?;
    let bits = if metadata.is_dir() { 0o005 } else { 0o004 };
    let open = metadata.mode() & bits == bits;
    Ok(if open { vec!["everybody".to_owned()] } else { Vec::new() })
}

/// Makes the account the owner of the folder and of everything in it with the same previous owner.
pub(super) fn grant(dir: &Path, account: &str) -> io::Result<()> {
    let user = uzers::get_user_by_name(account).ok_or_else(|| {
        let text = format!("there is no user {account} on this system");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })?;
    let before = dir.symlink_metadata()?.uid();
    if before == user.uid() { Ok(()) } else { hand_over(dir, before, user.uid()) }
}

/// Children first: a folder that already belongs to the account contains nothing of the previous
/// owner.
fn hand_over(path: &Path, before: u32, after: u32) -> io::Result<()> {
    let metadata = path.symlink_metadata()?;
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path)? {
            hand_over(&entry?.path(), before, after)?;
        }
    }
    if metadata.uid() == before { lchown(path, Some(after), None) } else { Ok(()) }
}

/// Returns the path in a form that libraries can open regardless of its length.
pub fn for_others(path: &Path) -> std::borrow::Cow<'_, Path> {
    path.into()
}

/// Always empty: on Unix, open files do not block moves.
pub(super) fn holders(_paths: &[PathBuf]) -> Vec<String> {
    Vec::new()
}

/// There are no drive letters.
pub(super) struct SystemDrives;

impl Drives for SystemDrives {
    fn is_remote(&self, _letter: char) -> bool {
        false
    }

    fn connection(&self, _letter: char) -> Option<String> {
        None
    }

    fn device(&self, _letter: char) -> Option<String> {
        None
    }

    fn of_somebody(&self, _letter: char) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_than_root_may_change_is_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("policy.yaml");
        std::fs::write(&path, "").expect("write");
        let open_to = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, mode).expect("own file");
            others_who_write(&path).expect("asked")
        };
        let by_root = std::fs::metadata(&path).expect("there").uid() == 0;
        assert_eq!(is_own(&path).expect("asked"), !by_root);
        assert!(is_own(&dir.path().join("gone")).is_err());
        if by_root {
            assert_eq!(open_to(0o644), None);
            assert!(open_to(0o666).expect("others").starts_with("everybody"));
        } else {
            assert!(open_to(0o600).expect("the owner").ends_with("(the owner of it)"));
        }
        assert!(others_who_write(&dir.path().join("gone")).is_err());
    }

    #[test]
    fn the_fallback_replaces_nothing_either() {
        let dir = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("a"), "a").expect("write");
        std::fs::write(at("b"), "b").expect("write");
        std::fs::create_dir_all(at("d")).expect("mkdir");
        std::fs::create_dir_all(at("e/full")).expect("mkdir");
        assert!(!rename_checked(&at("a"), &at("b")).expect("asked"));
        assert!(!rename_checked(&at("d"), &at("e")).expect("asked"));
        assert!(!rename_checked(&at("d"), &at("b")).expect("asked"));
        assert_eq!(std::fs::read(at("b")).expect("read"), b"b");
        assert!(rename_checked(&at("a"), &at("c")).expect("asked"));
        assert!(rename_checked(&at("d"), &at("f")).expect("asked"));
        assert!(!at("a").exists() && at("c").exists() && at("f").is_dir());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_mount_that_reaches_over_a_network_is_told_from_one_of_this_pc() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      40 22 0:40 / /mnt/lab rw - fuse.sshfs anna@server:/x rw\n\
                      41 22 0:41 / /mnt/my\\040disk rw - fuseblk /dev/sdb1 rw\n";
        let kind = |path: &str| mounted_as(mounts, Path::new(path)).expect("a mount");
        assert_eq!(network_fuse(kind("/mnt/lab/orders")), Some("sshfs"));
        assert_eq!(
            (kind("/mnt/my disk/orders"), network_fuse(kind("/mnt/my disk/x"))),
            ("fuseblk", None)
        );
        assert_eq!(kind("/mnt/labs"), "ext4", "another folder that begins alike");
        let dir = tempfile::tempdir().expect("tempdir");
        assert_eq!(network_volume(dir.path()).expect("asked"), None);
        assert!(network_volume(&dir.path().join("gone")).is_err());
    }

    #[test]
    fn what_everybody_may_read_is_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("secret");
        std::fs::write(&path, "x").expect("write");
        let with_mode = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
            readers(&path).expect("asked")
        };
        assert_eq!(with_mode(0o644), ["everybody"]);
        assert_eq!(with_mode(0o640), Vec::<String>::new());
    }

    #[test]
    fn a_folder_can_be_granted_to_its_owner_and_to_nobody_unknown() {
        let dir = tempfile::tempdir().expect("tempdir");
        std::fs::write(dir.path().join("x"), "x").expect("write");
        let owner = owner(dir.path()).expect("asked").expect("a name");
        grant(dir.path(), &owner).expect("his already");
        let id = dir.path().symlink_metadata().expect("there").uid();
        hand_over(dir.path(), id, id).expect("nothing changes");
        let error = grant(dir.path(), "nobody-of-that-name").expect_err("unknown");
        assert!(error.to_string().contains("nobody-of-that-name"), "{error}");
    }
}
