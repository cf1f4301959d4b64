//! Finds a release and stages it: downloads, verifies and unpacks it with `self_update`, and asks it
//! for its version. None of it runs as the agent yet.

use std::path::Path;
use std::sync::Arc;

use self_update::backends::custom::AsyncUpdate;
use self_update::update::UpdateStrategy;
use self_update::{AsyncReleaseSource, Error, ReleaseAsset, VersionStatus};
use semver::Version;

use super::place::Refused;
use super::release::{self, Artifact, Distrust, Release};
use super::{Place, Program, fetch, program_name, spawn, target};
use crate::config::{Config, UpdateSource};
use crate::disk::{Disk, Kind, LockGuard, Moved};
use crate::model::fault::{DISK_FULL, Fault, FaultClass};
use crate::model::step::Step;
use crate::model::time::WallMs;

/// Fault code of a program that has no source for updates.
pub const UPDATE_OFF: &str = "update-off";
/// Manifests and signatures are far shorter.
const MANIFEST_MAX: usize = 256 << 10;
/// The free space that an update needs, as a multiple of its archive: the program and the journal's
/// copy are larger.
const ROOM: u64 = 4;

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
    let lock = lock.ok_or_else(|| {
        let text = "another update is being staged";
        Fault::new(FaultClass::Local, "update-locked", text).hint("wait until it is done")
    })?;
    if place.has(disk, version) {
        if try_out(&place.program(version), version).is_ok() {
            return Ok(());
        }
        disk.remove_tree(&place.dir(version))?;
    }
    let (staging, downloads) = (place.staging(version), place.downloads());
    clear(disk, &staging)?;
    clear(disk, &downloads)?;
    let lock = Arc::new(lock);
    let staged = prepare(program, place, config, disk, release, Arc::clone(&lock)).await;
    // What cannot be removed now is removed before the next attempt.
    drop(clear(disk, &downloads));
    if let Err(fault) = staged {
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
    place: &Place,
    config: &Config,
    disk: &dyn Disk,
    release: &Release,
    lock: Arc<LockGuard>,
) -> Result<(), Fault> {
    let Release { version, artifact, .. } = release;
    let (staging, downloads) = (place.staging(version), place.downloads());
    disk.create_dirs(&staging)?;
    disk.create_dirs(&downloads)?;
    let (free, needed) = (disk.free_space(&staging)?, artifact.size.saturating_mul(ROOM));
    if free < needed {
        let text = format!(
            "too little free space for the update at {}: {free} bytes are free, {needed} are \
             needed",
            staging.display()
        );
        return Err(
            Fault::new(FaultClass::Local, DISK_FULL, text).hint("free some space on that volume")
        );
    }
    // `self_update` downloads into the process's folder for temporary files.
    if tempfile::env::override_temp_dir(&downloads).is_err_and(|other| other != downloads) {
        let text = "the folder for temporary files cannot be changed any more";
        return Err(Fault::new(FaultClass::Local, "update-place", text));
    }
    (program.step)(Step::UpdateDownload);
    let to = staging.join(program_name());
    let client = fetch::Archives::new(config, disk, artifact.size)?;
    let step = program.step;
    let update = AsyncUpdate::configure()
        .source(Signed(listed(source(program, config)?, release)?))
        .http_client_async(Arc::new(client))
        .current_version(place.newest(disk, &program.version).to_string())
        .update_strategy(UpdateStrategy::Latest)
        .target(target())
        .bin_name(program_name())
        .bin_install_path(&to)
        .verifying_keys(program.keys.of_archives())
        .verify_archive(move |_| {
            // `self_update` goes on in a thread even if nobody waits for it any more.
            let _held = &lock;
            step(Step::UpdateDownloaded);
            Ok(())
        })
        .unattended()
        .build_async();
    let failed = |error| cannot(error, artifact, &staging);
    match update.map_err(failed)?.update_async().await.map_err(failed)? {
        VersionStatus::Updated(_) => {}
        status => {
            let text = format!("version {version} is not installed: {status}");
            return Err(bad("update-older", text));
        }
    }
    disk.append(&to)?.sync().map_err(|error| fetch::written(&to, error))?;
    disk.sync_dir(&staging)?;
    (program.step)(Step::UpdateUnpacked);
    try_out(&to, version).map_err(|why| {
        let text = format!("version {version} does not work on this PC: {why}");
        bad("update-trial", text)
    })?;
    (program.step)(Step::UpdateTried);
    Ok(())
}

/// Where `self_update` finds the one release whose manifest is trusted.
struct Signed(self_update::Release);

impl AsyncReleaseSource for Signed {
    async fn get_releases(&self) -> self_update::Result<Vec<self_update::Release>> {
        Ok(vec![self.0.clone()])
    }
}

fn listed(source: &UpdateSource, release: &Release) -> Result<self_update::Release, Fault> {
    let Release { version, artifact, .. } = release;
    let url = fetch::archive_url(source, version, &artifact.file)?;
    let asset =
        ReleaseAsset::new(&artifact.file, url).with_digest(format!("sha256:{}", artifact.sha256));
    let listed = self_update::Release::builder().version(version.to_string()).asset(asset).build();
    listed.map_err(|error| bad("update-archive", error.to_string()))
}

/// Returns the fault for what `self_update` could not do.
fn cannot(error: Error, artifact: &Artifact, staging: &Path) -> Fault {
    let file = &artifact.file;
    match error {
        Error::Transport(source) => match source.downcast::<Fault>() {
            Ok(fault) => *fault,
            Err(source) => Fault::new(
                FaultClass::Transient,
                "update-fetch",
                format!("cannot get {file}: {source}"),
            ),
        },
        Error::Io(source) => fetch::written(staging, source),
        Error::ChecksumMismatch { .. } => {
            bad("update-digest", format!("{file} is not the file that was signed"))
        }
        Error::Signature(_) | Error::NoSignatures(_) => {
            let text = format!("{file} is not signed by a key that this program trusts");
            bad("update-signature", text)
        }
        Error::Zip(source) => {
            let name = program_name();
            let text = format!("{file} must contain one file {name} at its top: {source}");
            bad("update-archive", text)
        }
        error => bad("update-archive", format!("{file} cannot be unpacked: {error}")),
    }
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
