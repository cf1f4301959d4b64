//! Generates release keys and signs releases: see docs/releasing.md.
//!
//! ```sh
//! cargo run --example sign-release -- new-key FILE
//! cargo run --example sign-release -- sign --key FILE --channel stable --version V DIR
//! ```

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use casedrop::disk::{Disk as _, RealDisk, write_durably};
use casedrop::model::digest::hex;
use casedrop::update::release::{self, ARCHIVE_MAX, Artifact, Manifest, SCHEMA, file_name};
use clap::{Parser, Subcommand};
use jiff::{SignedDuration, Timestamp};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use semver::Version;
use sha2::{Digest as _, Sha256};

/// First line of a key file, before the key.
const HEAD: &str = "casedrop release key, keep it secret: ";

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
    /// Write the channel's manifest and its signatures next to the archives.
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
            let manifest = manifest(&dir, channel, &version, expires_days, notes);
            manifest.and_then(|manifest| sign(&dir, &manifest, &key))
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
    Ok(format!("trusted {} WHOSE, SINCE WHEN", hex(public.public_key())))
}

fn read_key(file: &Path) -> Result<Ed25519KeyPair, String> {
    let text =
        casedrop::disk::read_limited(&RealDisk, file, 4096).map_err(|error| words(&error))?;
    let text = String::from_utf8_lossy(&text);
    let no_key = || format!("{} holds no release key", file.display());
    let secret = text.trim().strip_prefix(HEAD).ok_or_else(no_key)?;
    let secret = STANDARD.decode(secret).map_err(|_| no_key())?;
    Ed25519KeyPair::from_pkcs8(&secret).map_err(|_| no_key())
}

fn manifest(
    dir: &Path,
    channel: String,
    version: &Version,
    expires_days: u32,
    notes: Option<String>,
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
        let mut file = RealDisk.open(&entry.path).map_err(|error| words(&error))?;
        let mut hash = Sha256::new();
        std::io::copy(&mut file, &mut Hashing(&mut hash)).map_err(|error| words(&error))?;
        let sha256 = hex(hash.finalize());
        artifacts.insert(target.to_owned(), Artifact { file: name, size: entry.len, sha256 });
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

struct Hashing<'a>(&'a mut Sha256);

impl std::io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn sign(dir: &Path, manifest: &Manifest, files: &[PathBuf]) -> Result<String, String> {
    let mut bytes = serde_json::to_vec_pretty(manifest).map_err(|error| words(&error))?;
    bytes.push(b'\n');
    let mut signatures = Vec::new();
    for file in files {
        let key = read_key(file)?;
        signatures.push(release::sign(&bytes, &key));
    }
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
