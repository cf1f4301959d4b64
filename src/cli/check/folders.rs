//! Whether the folders of a config can be used, and whether there is free space.

use std::path::{Path, PathBuf};

use super::Findings;
use crate::disk::{Disk, Kind};
use crate::inputs::commands::FOLDERS;
use crate::model::size::write_size_roughly;

/// Checks that files can be created in a folder or, if it does not exist yet, in its nearest
/// existing parent.
///
/// Does not create the folder itself. The probe's name begins with a dot, and the probe is removed
/// immediately. In a `watched` folder nothing is created at all.
pub(super) fn writable(
    disk: &dyn Disk,
    path: &Path,
    watched: bool,
) -> Result<(), (String, String)> {
    let fault = |error: crate::disk::DiskError| {
        let fault: crate::model::fault::Fault = error.into();
        let hint = fault.hint.clone().unwrap_or_default();
        (fault.brief(), hint)
    };
    let (folder, kind) = nearest_existing(disk, path).map_err(fault)?;
    if kind == Kind::File {
        let reason = format!("{} is a file, not a folder", folder.display());
        return Err((reason, "choose a folder, or move that file away".to_owned()));
    }
    if watched && folder == path {
        return disk.may_create_in(&folder).map_err(fault);
    }
    let probe = folder.join(format!(".casedrop-probe-{}", std::process::id()));
    if disk.kind(&probe).map_err(fault)?.is_some() {
        // Left by a check that was killed.
        disk.remove_file(&probe).map_err(fault)?;
    }
    let written = disk.create(&probe).and_then(|mut file| {
        let wrote = std::io::Write::write_all(&mut file, b"casedrop check\n");
        let synced = wrote.and_then(|()| file.sync());
        synced.map_err(|source| crate::disk::DiskError {
            operation: "write",
            path: probe.clone(),
            source,
        })
    });
    // A probe that could not be created needs no removal; one that could not be written does.
    let removed = match disk.kind(&probe) {
        Ok(Some(_)) => disk.remove_file(&probe),
        _ => Ok(()),
    };
    written.and(removed).map_err(|error| {
        let (_, hint) = fault(crate::disk::DiskError {
            operation: error.operation,
            path: error.path.clone(),
            source: std::io::Error::from(error.kind()),
        });
        let what = if folder == path {
            format!("cannot write to {}", path.display())
        } else {
            let holder = folder.display();
            format!(
                "{} does not exist and cannot be created: cannot write to {holder}",
                path.display()
            )
        };
        (format!("{what}: {}", error.source), hint)
    })
}

/// Checks the folders inside the command folder, as far as they exist.
pub(super) fn command_folder(disk: &dyn Disk, path: &Path, findings: &mut Findings) {
    for name in FOLDERS {
        let folder = path.join(name);
        match disk.kind(&folder) {
            Ok(Some(Kind::Dir)) => {
                if let Err(error) = disk.may_create_in(&folder) {
                    let fault: crate::model::fault::Fault = error.into();
                    findings.fault("commands", fault.brief(), fault.hint.unwrap_or_default());
                }
            }
            Ok(Some(_)) => {
                let folder = folder.display();
                let reason =
                    format!("{folder} is not a folder, and the agent needs a folder of that name");
                findings.fault("commands", reason, "move it away");
            }
            // An unreachable command folder is reported elsewhere.
            Ok(None) | Err(_) => {}
        }
    }
}

/// The folder, or its nearest existing parent.
fn nearest_existing(
    disk: &dyn Disk,
    path: &Path,
) -> Result<(PathBuf, Kind), crate::disk::DiskError> {
    let mut at = path;
    loop {
        match disk.kind(at) {
            Ok(Some(kind)) => return Ok((at.to_path_buf(), kind)),
            Ok(None) => {}
            // Nothing can exist below a file; the loop finds the file itself further up.
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {}
            Err(error) => return Err(error),
        }
        match at.parent() {
            Some(parent) => at = parent,
            None => return Ok((at.to_path_buf(), Kind::Dir)),
        }
    }
}

/// The journal is a database, and databases and network file systems do not mix.
pub(super) fn state(disk: &dyn Disk, path: &Path, findings: &mut Findings) {
    let Ok((folder, _)) = nearest_existing(disk, path) else { return };
    if let Ok(Some(kind)) = disk.network_volume(&folder) {
        let reason = format!(
            "{} is on a network file system ({kind}), where the journal can get damaged and two \
             agents may not notice each other",
            path.display()
        );
        let here = if cfg!(windows) { r"C:\ProgramData\Casedrop" } else { "/var/lib/casedrop" };
        let hint = format!(
            "choose a folder on a disk of this PC, such as {here}; only the output belongs on a \
             share. To move it: stop the agent, move the whole folder, change `state`, start the \
             agent"
        );
        findings.warning("state", reason, hint);
    }
}

/// Checks that locks exclude a second process on the output's volume. The probe is in staging, on
/// the same volume, since other software watches the output itself.
pub(super) fn locks(disk: &dyn Disk, output: &Path, staging: &Path, findings: &mut Findings) {
    let Ok((folder, Kind::Dir)) = nearest_existing(disk, staging) else { return };
    // If this would write to a folder above the output, another check reports that.
    let probe = folder.join(format!(".casedrop-lock-probe-{}", std::process::id()));
    let first = disk.try_lock(&probe);
    let why = match &first {
        Ok(Some(_)) => match disk.try_lock(&probe) {
            Ok(None) => None,
            Ok(Some(_)) => Some("a second lock was granted while the first was held".to_owned()),
            Err(error) => Some(error.source.to_string()),
        },
        // Someone else holds it, so locks work.
        Ok(None) => None,
        Err(error) if is_refusal(error) => None,
        Err(error) => Some(error.source.to_string()),
    };
    drop(first);
    if let Ok(Some(_)) = disk.kind(&probe) {
        // A leftover is small and hidden.
        let _ = disk.remove_file(&probe);
    }
    let Some(why) = why else { return };
    let kind = disk.network_volume(&folder).ok().flatten();
    let on = kind.as_ref().map(|kind| format!(" ({kind})")).unwrap_or_default();
    let reason = format!(
        "file locks do not work on the volume of {}{on}: {why}; nothing keeps two agents from \
         writing there at the same time",
        output.display()
    );
    let hint = match kind.as_deref() {
        Some("NFS") => "mount it without `nolock` and `local_lock`, with NFS 4 if the server can",
        Some("SMB" | "SMB (CIFS)") => "mount it without `nobrl`",
        Some("sshfs") => "sshfs has no locks: use NFS or SMB",
        _ => "use another kind of volume",
    };
    let hint = format!("{hint}; until then, make sure that only one agent uses it as its output");
    findings.warning("output", reason, hint);
}

/// Whether the file could not even be created, which another check reports.
fn is_refusal(error: &crate::disk::DiskError) -> bool {
    use std::io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem, StorageFull};
    [NotFound, PermissionDenied, ReadOnlyFilesystem, StorageFull].contains(&error.kind())
}

pub(super) fn volume(
    disk: &dyn Disk,
    output: &Path,
    staging: &Path,
    min_free: u64,
    findings: &mut Findings,
) {
    let (Ok((near_output, _)), Ok((near_staging, _))) =
        (nearest_existing(disk, output), nearest_existing(disk, staging))
    else {
        return;
    };
    match disk.same_volume(&near_output, &near_staging) {
        Ok(true) => {}
        Ok(false) => {
            let reason = format!(
                "{} and the output {} are on different volumes, so orders cannot be moved into \
                 place in one step",
                staging.display(),
                output.display()
            );
            let inside = output.join(".casedrop-staging");
            let hint = format!(
                "choose a folder on the output's volume; if the output is the root of a share or a \
                 mount point: {}",
                inside.display()
            );
            findings.fault("staging", reason, hint);
        }
        Err(error) => findings.fault(
            "staging",
            format!("{error}: {}", error.source),
            "check that both folders are reachable",
        ),
    }
    let is_refused = findings.faults.iter().any(|fault| fault.key == "staging");
    if staging.starts_with(output) && !is_refused {
        let reason = format!(
            "{} is inside the output, because the output is the root of its volume; it is hidden, \
             but programs that search the whole volume can see it",
            staging.display()
        );
        let hint = "if that disturbs a program, use a folder on that volume as the output instead";
        findings.warning("staging", reason, hint);
    }
    match disk.free_space(&near_output) {
        Ok(free) if free < min_free => {
            let reason = format!(
                "only {} are free on the volume of {}, and {} must stay free: nothing would be \
                 fetched",
                write_size_roughly(free),
                output.display(),
                write_size_roughly(min_free)
            );
            findings.fault("retention.min_free", reason, "free some space, or set a smaller size");
        }
        Ok(_) => {}
        Err(error) => findings.fault(
            "output",
            format!("{error}: {}", error.source),
            "check that the volume is reachable",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use casedrop_testing::{Lie, NoExchange};

    fn locks_on(disk: &dyn Disk) -> (Findings, usize) {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut findings = Findings::default();
        locks(disk, &dir.path().join("orders"), &dir.path().join("staging"), &mut findings);
        (findings, std::fs::read_dir(dir.path()).expect("listed").count())
    }

    #[test]
    fn a_volume_whose_locks_keep_nobody_out_is_told_with_the_way_out() {
        let (findings, left) = locks_on(&RealDisk);
        assert_eq!((findings.warnings.len(), findings.faults.len(), left), (0, 0, 0));
        let unsupported = Some(std::io::ErrorKind::Unsupported);
        for (lie, why) in [(None, "a second lock was granted"), (unsupported, "unsupported")] {
            let (findings, left) = locks_on(&NoExchange(Lie::NoLocks(lie)));
            assert_eq!((findings.warnings.len(), left), (1, 0));
            let warning = &findings.warnings[0];
            assert!(warning.key == "output" && warning.reason.contains(why), "{warning:?}");
            let hint = warning.hint.as_deref().unwrap_or_default();
            assert!(hint.contains("only one agent"), "{warning:?}");
        }
        // Another check reports that nothing can be created there.
        let (findings, _) =
            locks_on(&NoExchange(Lie::NoLocks(Some(std::io::ErrorKind::PermissionDenied))));
        assert_eq!(findings.warnings.len(), 0);
    }

    #[test]
    fn a_state_folder_on_a_network_file_system_is_told_also_before_it_is_made() {
        let dir = tempfile::tempdir().expect("tempdir");
        let told = |disk: &dyn Disk| {
            let mut findings = Findings::default();
            state(disk, &dir.path().join("not/there/yet"), &mut findings);
            findings.warnings
        };
        assert_eq!(told(&RealDisk).len(), 0);
        let warnings = told(&NoExchange(Lie::Network("NFS")));
        assert!(warnings.len() == 1 && warnings[0].key == "state", "{warnings:?}");
        assert!(warnings[0].reason.contains("network file system (NFS)"), "{warnings:?}");
        assert!(warnings[0].hint.as_deref().is_some_and(|hint| hint.contains("a disk of this PC")));
    }
}
