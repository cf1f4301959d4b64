//! Whether the folders of a config can be used, and whether there is room.

use std::path::{Path, PathBuf};

use super::Findings;
use crate::config;
use crate::disk::{Disk, Kind};
use crate::inputs::commands::FOLDERS;

/// Whether files can be made in a folder, or else, if it is not there yet, in what will hold it.
///
/// The folder itself is not made. The probe's name begins with a dot, and it is gone at once. In a
/// `watched` folder nothing is made at all.
pub(super) fn writable(
    disk: &dyn Disk,
    path: &Path,
    watched: bool,
) -> Result<(), (String, String)> {
    let fault = |error: crate::disk::DiskError| {
        let fault: crate::model::fault::Fault = error.into();
        let hint = fault.hint.clone().unwrap_or_default();
        (fault.chain(), hint)
    };
    let (folder, kind) = nearest_existing(disk, path).map_err(fault)?;
    if kind == Kind::File {
        let reason = format!("{} is a file, not a folder", folder.display());
        return Err((reason, "name a folder, or move that file away".to_owned()));
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
    // A probe that could not be made needs no removal; one that could not be written does.
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
            format!("{} is missing and cannot be made: cannot write to {holder}", path.display())
        };
        (format!("{what}: {}", error.source), hint)
    })
}

/// Whether the folders in the command folder can be used, as far as they are there.
pub(super) fn command_folder(disk: &dyn Disk, path: &Path, findings: &mut Findings) {
    for name in FOLDERS {
        let folder = path.join(name);
        match disk.kind(&folder) {
            Ok(Some(Kind::Dir)) => {
                if let Err(error) = disk.may_create_in(&folder) {
                    let fault: crate::model::fault::Fault = error.into();
                    findings.fault("commands", fault.chain(), fault.hint.unwrap_or_default());
                }
            }
            Ok(Some(_)) => {
                let folder = folder.display();
                let reason = format!("{folder} is no folder, and the agent needs one of that name");
                findings.fault("commands", reason, "move it away");
            }
            // That the command folder itself is out of reach is told already.
            Ok(None) | Err(_) => {}
        }
    }
}

/// The folder, or the nearest one above it that exists.
fn nearest_existing(
    disk: &dyn Disk,
    path: &Path,
) -> Result<(PathBuf, Kind), crate::disk::DiskError> {
    let mut at = path;
    loop {
        match disk.kind(at) {
            Ok(Some(kind)) => return Ok((at.to_path_buf(), kind)),
            Ok(None) => {}
            // Below a file nothing can stand; the file itself is found further up.
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {}
            Err(error) => return Err(error),
        }
        match at.parent() {
            Some(parent) => at = parent,
            None => return Ok((at.to_path_buf(), Kind::Dir)),
        }
    }
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
                "{} and the output {} are on different volumes, so that orders cannot appear in one step",
                staging.display(),
                output.display()
            );
            let inside = output.join(".casedrop-staging");
            let hint = format!(
                "name a folder on the output's volume; where the output is the root of a share or a \
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
    if staging.starts_with(output) {
        let reason = format!(
            "{} lies inside the output, as the output is the root of its volume; it is hidden, yet \
             programs that search the whole volume can see it",
            staging.display()
        );
        let hint = "if a program trips over it, make a folder on that volume the output instead";
        findings.warning("staging", reason, hint);
    }
    match disk.free_space(&near_output) {
        Ok(free) if free < min_free => {
            let reason = format!(
                "{} of the volume of {} are free, and {} are to stay free: nothing would be fetched",
                config::write_size_roughly(free),
                output.display(),
                config::write_size_roughly(min_free)
            );
            findings.fault(
                "retention.min_free",
                reason,
                "free some space, or write a smaller size",
            );
        }
        Ok(_) => {}
        Err(error) => findings.fault(
            "output",
            format!("{error}: {}", error.source),
            "check that the volume is reachable",
        ),
    }
}
