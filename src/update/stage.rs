//! Finds a release and stages it: downloads, verifies and unpacks it, and asks it for its version.
//! None of it runs as the agent yet.

use std::io::{BufReader, Read as _};
use std::path::Path;

use semver::Version;
use zip::ZipArchive;

use super::place::Refused;
use super::release::{self, Artifact, Distrust, Release};
use super::{Place, Program, fetch, program_name, spawn, target};
use crate::config::{Config, UpdateSource};
use crate::disk::{Disk, Kind, Moved};
use crate::model::fault::{DISK_FULL, Fault, FaultClass};
use crate::model::step::Step;
use crate::model::time::WallMs;

/// Fault code of a program that has no source for updates.
pub const UPDATE_OFF: &str = "update-off";
/// Manifests and signatures are far shorter.
const MANIFEST_MAX: usize = 256 << 10;
/// Maximum size of a program, in bytes.
const PROGRAM_MAX: u64 = 1 << 30;
/// The free space that an update needs, as a multiple of its archive: the program and the journal's
/// copy are larger.
const ROOM: u64 = 4;
const BUFFER: usize = 64 << 10;
/// The name of the archive while it is being staged.
const ARCHIVE: &str = "archive.zip";

/// What the source has for this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    UpToDate,
    /// A newer version that can be installed.
    There(Release),
    /// A newer version that already failed here.
    Failed(Release, Refused),
    /// A release that is not trusted or of no use here.
    Distrusted(String),
}

/// Checks what the source has: in the configured channel, and for release candidates also in the
/// stable one.
///
/// # Errors
/// The source cannot be reached, or there is none.
pub async fn look(
    program: &Program,
    place: &Place,
    config: &Config,
    disk: &dyn Disk,
    now: WallMs,
) -> Result<Found, Fault> {
    let source = source(program, config)?;
    let channels: &[&str] = config.updates.channel.offered();
    let mut best: Option<Release> = None;
    let mut distrust = None;
    for channel in channels {
        match manifest(program, source, config, disk, channel, now).await? {
            None => {}
            Some(Ok(release)) if best.as_ref().is_some_and(|b| b.version >= release.version) => {}
            Some(Ok(release)) => best = Some(release),
            Some(Err(why)) => distrust = Some(format!("{source}, channel {channel}: {why}")),
        }
    }
    // The caller may be the installed program while a newer one is the agent.
    let here = place.newest(disk, &program.version);
    let newer = best.as_ref().filter(|best| best.version > here);
    Ok(match (newer, distrust) {
        (Some(newer), _) => match place.refused(disk).get(&newer.version) {
            Some(refused) => Found::Failed(newer.clone(), refused.clone()),
            None => Found::There(newer.clone()),
        },
        (None, Some(why)) => Found::Distrusted(why),
        (None, None) if best.is_none() => {
            let text = format!("there is no release at {source}");
            let hint = "check `updates.source` and `updates.channel`";
            return Err(Fault::new(FaultClass::Transient, "update-none", text).hint(hint));
        }
        (None, None) => Found::UpToDate,
    })
}

/// Returns where releases come from.
pub fn source<'a>(program: &Program, config: &'a Config) -> Result<&'a UpdateSource, Fault> {
    let off = |text: &str, hint: &str| {
        Err(Fault::new(FaultClass::Permanent, UPDATE_OFF, text).hint(hint))
    };
    if program.keys.is_empty() {
        return off(
            "self-update is off: this build has no release keys",
            "install new versions by hand, or use a build with release keys",
        );
    }
    match &config.updates.source {
        Some(source) => Ok(source),
        None => off(
            "self-update is off: the config has no source for updates",
            "set `updates.source` to the https:// address of a folder, or to github:owner/name",
        ),
    }
}

/// Downloads the manifest of a channel; `None` if there is none.
async fn manifest(
    program: &Program,
    source: &UpdateSource,
    config: &Config,
    disk: &dyn Disk,
    channel: &str,
    now: WallMs,
) -> Result<Option<Result<Release, Distrust>>, Fault> {
    let file = format!("{channel}.json");
    let url = fetch::manifest_url(source, &file)?;
    let Some(bytes) = fetch::small(config, disk, &url, MANIFEST_MAX).await? else {
        return Ok(None);
    };
    let url = fetch::manifest_url(source, &format!("{file}.sig"))?;
    let signatures = fetch::small(config, disk, &url, MANIFEST_MAX).await?.unwrap_or_default();
    Ok(Some(release::read(&bytes, &signatures, &program.keys, channel, &target(), now)))
}

/// Stages the release's program, complete and tried, and makes that durable. A version already
/// present is not downloaded again.
///
/// # Errors
/// Whatever went wrong: nothing of it is left, and the existing versions are untouched.
pub async fn stage(
    program: &Program,
    place: &Place,
    config: &Config,
    disk: &dyn Disk,
    release: &Release,
) -> Result<(), Fault> {
    let version = &release.version;
    let lock = place.lock(disk)?;
    let _lock = lock.ok_or_else(|| {
        let text = "another update is being staged";
        Fault::new(FaultClass::Local, "update-locked", text).hint("wait until it is done")
    })?;
    if place.has(disk, version) {
        if try_out(&place.program(version), version).is_ok() {
            return Ok(());
        }
        disk.remove_tree(&place.dir(version))?;
    }
    let staging = place.staging(version);
    clear(disk, &staging)?;
    let staged = prepare(program, config, disk, release, &staging).await;
    if let Err(fault) = staged {
        // What cannot be removed now is removed before the next attempt.
        drop(clear(disk, &staging));
        return Err(fault);
    }
    let at = place.dir(version);
    // An earlier folder of that version without a program.
    clear(disk, &at)?;
    if disk.rename(&staging, &at)? != Moved::Done {
        let text = format!("something keeps appearing at {}", at.display());
        return Err(Fault::new(FaultClass::Local, "update-place", text).hint("remove it"));
    }
    disk.sync_dir(place.versions())?;
    (program.step)(Step::UpdateStaged);
    Ok(())
}

async fn prepare(
    program: &Program,
    config: &Config,
    disk: &dyn Disk,
    release: &Release,
    staging: &Path,
) -> Result<(), Fault> {
    let Release { version, artifact, .. } = release;
    let Artifact { file, size, sha256 } = artifact;
    let source = source(program, config)?;
    disk.create_dirs(staging)?;
    let free = disk.free_space(staging)?;
    if free < size.saturating_mul(ROOM) {
        let text = format!(
            "too little free space for the update at {}: {free} bytes are free, {} are needed",
            staging.display(),
            size.saturating_mul(ROOM)
        );
        return Err(
            Fault::new(FaultClass::Local, DISK_FULL, text).hint("free some space on that volume")
        );
    }
    (program.step)(Step::UpdateDownload);
    let archive = staging.join(ARCHIVE);
    let url = fetch::archive_url(source, version, file)?;
    let mut to = disk.create(&archive)?;
    let got = fetch::large(config, disk, &url, *size, &mut *to, &archive).await?;
    drop(to);
    if !got.eq_ignore_ascii_case(sha256) {
        return Err(bad("update-digest", format!("{file} is not the file that was signed")));
    }
    (program.step)(Step::UpdateDownloaded);
    let to = staging.join(program_name());
    unpack(disk, &archive, &to, file)?;
    disk.remove_file(&archive)?;
    disk.sync_dir(staging)?;
    (program.step)(Step::UpdateUnpacked);
    try_out(&to, version).map_err(|why| {
        let text = format!("version {version} does not work on this PC: {why}");
        bad("update-trial", text)
    })?;
    (program.step)(Step::UpdateTried);
    Ok(())
}

/// Extracts the only archive member that matters, the program.
fn unpack(disk: &dyn Disk, archive: &Path, to: &Path, shown: &str) -> Result<(), Fault> {
    let broken = |error: &dyn std::fmt::Display| {
        bad("update-archive", format!("{shown} cannot be unpacked: {error}"))
    };
    let file = BufReader::with_capacity(BUFFER, disk.open(archive)?);
    let mut zip = ZipArchive::new(file).map_err(|error| broken(&error))?;
    let is_program = |name: &String| {
        // At the top level, or in one top-level folder.
        let mut parts = name.rsplit('/');
        parts.next() == Some(program_name()) && parts.count() <= 1
    };
    let names = zip.file_names().map(|name| name.map(std::borrow::Cow::into_owned));
    let names = names.collect::<Result<Vec<_>, _>>().map_err(|error| broken(&error))?;
    let mut names = names.into_iter().filter(is_program);
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err(broken(&format!("it must contain one file {}", program_name())));
    };
    let member = zip.by_name(&name).map_err(|error| broken(&error))?;
    let mut out = disk.create_program(to)?;
    let (mut member, mut buffer) = (member.take(PROGRAM_MAX + 1), vec![0; BUFFER]);
    let mut sum = 0_u64;
    loop {
        let count = member.read(&mut buffer).map_err(|error| broken(&error))?;
        if count == 0 {
            break;
        }
        sum += count as u64;
        if sum > PROGRAM_MAX {
            return Err(broken(&"the program is too large"));
        }
        out.write_all(&buffer[..count]).map_err(|error| fetch::written(to, error))?;
    }
    out.sync().map_err(|error| fetch::written(to, error))
}

/// Checks that the program starts and is the version that was signed.
fn try_out(program: &Path, version: &Version) -> Result<(), String> {
    let said = spawn::ask_version(program)?;
    if said == format!("casedrop {version}") {
        return Ok(());
    }
    let said: String = said.chars().take(60).collect();
    Err(format!("asked for its version, it answered {said:?}"))
}

fn clear(disk: &dyn Disk, dir: &Path) -> Result<(), Fault> {
    match disk.kind(dir)? {
        None => Ok(()),
        Some(Kind::Dir) => Ok(disk.remove_tree(dir)?),
        Some(_) => Ok(disk.remove_file(dir)?),
    }
}

fn bad(code: &'static str, text: String) -> Fault {
    Fault::new(FaultClass::Permanent, code, text)
        .hint("nothing was changed; the current version keeps running")
}
