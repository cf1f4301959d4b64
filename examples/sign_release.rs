//! Generates release keys and signs releases: see docs/releasing.md.
//!
//! ```sh
//! cargo run --example sign-release -- new-key FILE
//! cargo run --example sign-release -- sign --key FILE --channel stable --version V DIR
//! ```

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casedrop::disk::{Disk as _, RealDisk, read_limited, write_durably};
use casedrop::model::digest::hex;
use casedrop::update::release::{self, ARCHIVE_MAX, Artifact, Manifest, SCHEMA, file_name};
use clap::{Parser, Subcommand};
use jiff::{SignedDuration, Timestamp};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use semver::Version;
use sha2::{Digest as _, Sha256};
use zip::ZipArchive;
use zipsign_api::sign::copy_and_sign_zip;
use zipsign_api::verify::verify_zip;

/// First line of a key file, before the key.
const HEAD: &str = "casedrop release key, keep it secret: ";
/// Where the 32 bytes of a key lie in PKCS #8.
const SEED: std::ops::Range<usize> = 16..48;

/// Generate release keys and sign releases.
#[derive(Parser)]
#[command(name = "sign-release")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Generate a key. The file is the secret half; the line for packaging/release-keys.txt is
    /// printed.
    NewKey {
        /// The key file to create. It must not exist.
        file: PathBuf,
    },
    /// Sign the archives, and write the channel's manifest and its signatures next to them.
    Sign {
        /// A key file. Repeat it to sign with several keys during a rotation.
        #[arg(long, required = true)]
        key: Vec<PathBuf>,
        /// stable or candidate.
        #[arg(long, value_parser = ["stable", "candidate"])]
        channel: String,
        /// The version of the archives.
        #[arg(long)]
        version: Version,
        /// How many days the manifest stays valid.
        #[arg(long, default_value_t = 60)]
        expires_days: u32,
        /// Where users find the release notes.
        #[arg(long)]
        notes: Option<String>,
        /// The folder that holds casedrop-<version>-<target>.zip.
        dir: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::NewKey { file } => new_key(&file),
        Command::Sign { key, channel, version, expires_days, notes, dir } => {
            let keys: Result<Vec<_>, _> = key.iter().map(|file| read_key(file)).collect();
            keys.and_then(|keys| {
                let manifest = manifest(&dir, channel, &version, expires_days, notes, &keys)?;
                sign(&dir, &manifest, &keys)
            })
        }
    };
    match done {
        Ok(text) => {
            // A reader that closes the output early is fine.
            let _ = writeln!(std::io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            let _ = writeln!(std::io::stderr(), "error: {text}");
            ExitCode::FAILURE
        }
    }
}

fn new_key(file: &Path) -> Result<String, String> {
    let secret = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| "the system gives no random numbers".to_owned())?;
    let text = format!("{HEAD}{}\n", STANDARD.encode(secret.as_ref()));
    let mut out = RealDisk.create_private(file).map_err(|error| words(&error))?;
    out.write_all(text.as_bytes()).and_then(|()| out.sync()).map_err(|error| words(&error))?;
    drop(out);
    let public = read_key(file)?;
    Ok(format!("trusted {} WHOSE, SINCE WHEN", hex(public.manifests.public_key())))
}

/// A private key, as the two who sign with it want it.
struct Key {
    manifests: Ed25519KeyPair,
    archives: zipsign_api::SigningKey,
}

fn read_key(file: &Path) -> Result<Key, String> {
    let text = read_limited(&RealDisk, file, 4096).map_err(|error| words(&error))?;
    let text = String::from_utf8_lossy(&text);
    let no_key = || format!("{} holds no release key", file.display());
    let secret = text.trim().strip_prefix(HEAD).ok_or_else(no_key)?;
    let secret = STANDARD.decode(secret).map_err(|_| no_key())?;
    let manifests = Ed25519KeyPair::from_pkcs8(&secret).map_err(|_| no_key())?;
    let seed = secret.get(SEED).and_then(|seed| seed.try_into().ok()).ok_or_else(no_key)?;
    let archives = zipsign_api::SigningKey::from_bytes(seed);
    if archives.verifying_key().as_bytes() != manifests.public_key().as_ref() {
        return Err(no_key());
    }
    Ok(Key { manifests, archives })
}

fn manifest(
    dir: &Path,
    channel: String,
    version: &Version,
    expires_days: u32,
    notes: Option<String>,
    keys: &[Key],
) -> Result<Manifest, String> {
    if channel == "stable" && !version.pre.is_empty() {
        return Err(format!(
            "{version} is a pre-release version: sign it for the channel candidate"
        ));
    }
    let start = format!("casedrop-{version}-");
    let mut artifacts = BTreeMap::new();
    for entry in RealDisk.list(dir).map_err(|error| words(&error))? {
        let name = entry.name.unwrap_or_default();
        let Some(target) = name.strip_prefix(&start).and_then(|rest| rest.strip_suffix(".zip"))
        else {
            continue;
        };
        // casedrop-1.0.0-rc.1-<target> starts like an archive of 1.0.0.
        if file_name(version, target) != name
            || !target.starts_with(char::is_alphabetic)
            || target.split('-').count() < 3
        {
            continue;
        }
        if entry.len > ARCHIVE_MAX {
            return Err(format!("{name} is larger than {ARCHIVE_MAX} bytes"));
        }
        let bytes = signed(&entry.path, &name, keys).map_err(|why| format!("{name}: {why}"))?;
        let (size, sha256) = (bytes.len() as u64, hex(Sha256::digest(&bytes)));
        artifacts.insert(target.to_owned(), Artifact { file: name, size, sha256 });
    }
    if artifacts.is_empty() {
        return Err(format!("{} holds no {start}<target>.zip", dir.display()));
    }
    let now = Timestamp::now();
    let until = now + SignedDuration::from_hours(i64::from(expires_days) * 24);
    let time = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Ok(Manifest {
        schema: SCHEMA,
        product: "casedrop".to_owned(),
        channel,
        version: version.to_string(),
        published: time(now),
        expires: time(until),
        notes,
        artifacts,
    })
}

/// Signs an archive, unless one of the keys has signed it already: archives that were published stay
/// as they are.
fn signed(path: &Path, name: &str, keys: &[Key]) -> Result<Vec<u8>, String> {
    let bytes = read_limited(&RealDisk, path, ARCHIVE_MAX).map_err(|error| words(&error))?;
    let program = if name.contains("-windows-") { "casedrop.exe" } else { "casedrop" };
    let mut zip = ZipArchive::new(Cursor::new(&bytes)).map_err(|error| words(&error))?;
    let mode = zip.by_name(program).map(|member| member.unix_mode().unwrap_or_default() & 0o777);
    let mode = mode.map_err(|error| format!("{program}: {error}"))?;
    if program == "casedrop" && mode != 0o755 {
        return Err(format!("{program} must have the mode 755"));
    }
    let (public, secret): (Vec<_>, Vec<_>) =
        keys.iter().map(|key| (key.archives.verifying_key(), key.archives.clone())).unzip();
    // A signature is for an archive of that name only.
    let name = Some(name.as_bytes());
    if verify_zip(&mut Cursor::new(&bytes), &public, name).is_ok() {
        return Ok(bytes);
    }
    let mut to = Cursor::new(Vec::new());
    copy_and_sign_zip(&mut Cursor::new(&bytes), &mut to, &secret, name)
        .map_err(|error| words(&error))?;
    let signed = to.into_inner();
    write_durably(&RealDisk, path, &signed).map_err(|error| words(&error))?;
    Ok(signed)
}

fn sign(dir: &Path, manifest: &Manifest, keys: &[Key]) -> Result<String, String> {
    let mut bytes = serde_json::to_vec_pretty(manifest).map_err(|error| words(&error))?;
    bytes.push(b'\n');
    let signatures: Vec<_> = keys.iter().map(|key| release::sign(&bytes, &key.manifests)).collect();
    let signed = serde_json::to_vec_pretty(&signatures).map_err(|error| words(&error))?;
    let name = format!("{}.json", manifest.channel);
    // Signatures first: a manifest without matching signatures is rejected, and so is the old one.
    write_durably(&RealDisk, &dir.join(format!("{name}.sig")), &signed)
        .map_err(|error| words(&error))?;
    write_durably(&RealDisk, &dir.join(&name), &bytes).map_err(|error| words(&error))?;
    let by: Vec<_> = signatures.iter().map(|signature| signature.key.as_str()).collect();
    let targets: Vec<_> = manifest.artifacts.keys().map(String::as_str).collect();
    Ok(format!(
        "{name}: version {} for {}, good until {}, signed by {}",
        manifest.version,
        targets.join(", "),
        manifest.expires,
        by.join(", ")
    ))
}

fn words(error: &dyn std::fmt::Display) -> String {
    error.to_string()
}
