//! A release: a signed manifest that names the archives. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use semver::Version;
use serde::{Deserialize, Serialize};

use super::keys::{self, Keys, Signature};
use crate::model::digest::hex;
use crate::model::time::WallMs;

/// The version of the manifest's format. Changes only if older programs cannot read the new one.
pub const SCHEMA: u32 = 1;
/// Signed in front of the manifest, so that a signature is valid for nothing else.
const DOMAIN: &[u8] = b"casedrop release manifest 1\n";
/// How far this PC's clock may be behind the signer's.
const CLOCKS_DIFFER: Duration = Duration::from_hours(24);
/// Maximum size of an archive, in bytes.
pub const ARCHIVE_MAX: u64 = 512 << 20;

/// The signed content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub schema: u32,
    /// `casedrop`.
    pub product: String,
    /// `stable` or `candidate`.
    pub channel: String,
    pub version: String,
    /// When it was signed, RFC 3339.
    pub published: String,
    /// How long it may be trusted, RFC 3339: this limits how long newer manifests can be withheld
    /// from a PC.
    pub expires: String,
    /// Where to read what is new.
    #[serde(default)]
    pub notes: Option<String>,
    /// The archives, by target.
    pub artifacts: BTreeMap<String, Artifact>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// `casedrop-<version>-<target>.zip`.
    pub file: String,
    /// In bytes.
    pub size: u64,
    /// In hexadecimal.
    pub sha256: String,
}

/// A release that is trusted and fits this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub version: Version,
    pub channel: String,
    /// Where to read what is new.
    pub notes: Option<String>,
    /// The archive for this program's target.
    pub artifact: Artifact,
}

/// Why a manifest is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    #[error("its manifest is not signed by a key that this program trusts")]
    Signature,
    #[error("its manifest cannot be read: {0}")]
    Unreadable(String),
    /// It has another schema.
    #[error("its manifest is for newer programs (schema {0})")]
    Newer(u32),
    /// It is for another product or channel.
    #[error("its manifest is for {0}")]
    Other(String),
    /// It has expired.
    #[error(
        "its manifest expired on {0}: the releases there are not maintained, or newer ones are \
         withheld from this PC"
    )]
    Stale(String),
    /// Its signing time is in the future.
    #[error("its manifest was signed at {0}, which is in the future: check this PC's clock")]
    Early(String),
    /// It has no archive for this target.
    #[error("it has nothing for {0}")]
    Target(String),
}

/// Returns the archive name of a version for a target.
pub fn file_name(version: &Version, target: &str) -> String {
    format!("casedrop-{version}-{target}.zip")
}

/// Parses an untrusted manifest, verifying its signature before anything else.
pub fn read(
    bytes: &[u8],
    signatures: &[u8],
    keys: &Keys,
    channel: &str,
    target: &str,
    now: WallMs,
) -> Result<Release, Distrust> {
    let signatures: Vec<Signature> =
        serde_json::from_slice(signatures).map_err(|_| Distrust::Signature)?;
    if !keys.trust(&signed(bytes), &signatures) {
        return Err(Distrust::Signature);
    }
    let unreadable = |error: &dyn std::fmt::Display| Distrust::Unreadable(error.to_string());
    let form: Form = serde_json::from_slice(bytes).map_err(|error| unreadable(&error))?;
    if form.schema != SCHEMA {
        return Err(Distrust::Newer(form.schema));
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| unreadable(&error))?;
    if manifest.product != "casedrop" || manifest.channel != channel {
        let Manifest { product, channel, .. } = manifest;
        return Err(Distrust::Other(format!("{product}, channel {channel}")));
    }
    let time = |text: &str| text.parse::<Timestamp>().map_err(|error| unreadable(&error));
    let (published, expires) = (time(&manifest.published)?, time(&manifest.expires)?);
    if now.0 > expires.as_millisecond() {
        return Err(Distrust::Stale(manifest.expires));
    }
    if now.plus(CLOCKS_DIFFER).0 < published.as_millisecond() {
        return Err(Distrust::Early(manifest.published));
    }
    let version = Version::parse(&manifest.version).map_err(|error| unreadable(&error))?;
    if channel == "stable" && !version.pre.is_empty() {
        return Err(Distrust::Other(format!("the release candidate {version}")));
    }
    let artifact = manifest.artifacts.get(target).cloned();
    let artifact = artifact.ok_or_else(|| Distrust::Target(target.to_owned()))?;
    if artifact.file != file_name(&version, target) {
        return Err(Distrust::Other(format!("the file {}", artifact.file)));
    }
    if artifact.size > ARCHIVE_MAX {
        return Err(Distrust::Unreadable(format!("an archive of {} bytes", artifact.size)));
    }
    let Manifest { channel, notes, .. } = manifest;
    Ok(Release { version, channel, notes, artifact })
}

#[derive(Deserialize)]
struct Form {
    schema: u32,
}

/// Returns the bytes that a signature covers.
fn signed(manifest: &[u8]) -> Vec<u8> {
    [DOMAIN, manifest].concat()
}

pub fn sign(manifest: &[u8], key: &Ed25519KeyPair) -> Signature {
    let signature = hex(key.sign(&signed(manifest)));
    Signature { key: keys::id(key.public_key().as_ref()), signature }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-24T12:00:00Z";
    const TARGET: &str = "x86_64-unknown-linux-gnu";

    fn key(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key")
    }

    fn trusted() -> Keys {
        Keys::of_hex(&hex(key(1).public_key())).expect("a key")
    }

    fn manifest() -> Manifest {
        let file = file_name(&Version::new(0, 2, 0), TARGET);
        let artifact = Artifact { file, size: 9, sha256: "00".repeat(32) };
        Manifest {
            schema: SCHEMA,
            product: "casedrop".to_owned(),
            channel: "stable".to_owned(),
            version: "0.2.0".to_owned(),
            published: "2026-11-20T00:00:00Z".to_owned(),
            expires: "2027-01-19T00:00:00Z".to_owned(),
            notes: None,
            artifacts: [(TARGET.to_owned(), artifact)].into(),
        }
    }

    fn at(now: &str, bytes: &[u8], by: &Ed25519KeyPair) -> Result<Release, Distrust> {
        let now: Timestamp = now.parse().expect("a time");
        let signatures = serde_json::to_vec(&[sign(bytes, by)]).expect("JSON");
        read(bytes, &signatures, &trusted(), "stable", TARGET, WallMs(now.as_millisecond()))
    }

    fn good(change: impl Fn(&mut Manifest)) -> Result<Release, Distrust> {
        let mut manifest = manifest();
        change(&mut manifest);
        at(NOW, &serde_json::to_vec(&manifest).expect("JSON"), &key(1))
    }

    #[test]
    fn a_signed_manifest_is_read() {
        let release = good(|_| {}).expect("trusted");
        assert_eq!(release.version, Version::new(0, 2, 0));
        assert_eq!(release.artifact.size, 9);
    }

    #[test]
    fn nothing_is_believed_without_a_signature_over_exactly_these_bytes() {
        let bytes = serde_json::to_vec(&manifest()).expect("JSON");
        assert_eq!(at(NOW, &bytes, &key(2)), Err(Distrust::Signature), "another key");
        let now = WallMs(0);
        for signatures in [&b"[]"[..], b"", b"{}", b"[{\"key\":\"x\",\"signature\":\"\"}]"] {
            let read = read(&bytes, signatures, &trusted(), "stable", TARGET, now);
            assert_eq!(read, Err(Distrust::Signature));
        }
        let signatures = serde_json::to_vec(&[sign(&bytes, &key(1))]).expect("JSON");
        let mut other = bytes.clone();
        other.push(b' ');
        let changed = read(&other, &signatures, &trusted(), "stable", TARGET, now);
        assert_eq!(changed, Err(Distrust::Signature));
        // A signature of the bare bytes, such as one made for another purpose.
        let bare = Signature { signature: hex(key(1).sign(&bytes)), ..sign(&bytes, &key(1)) };
        let bare = serde_json::to_vec(&[bare]).expect("JSON");
        let read = read(&bytes, &bare, &trusted(), "stable", TARGET, now);
        assert_eq!(read, Err(Distrust::Signature));
    }

    #[test]
    fn what_is_signed_and_does_not_fit_is_refused() {
        let stale =
            at("2027-01-20T00:00:00Z", &serde_json::to_vec(&manifest()).expect("JSON"), &key(1));
        assert!(matches!(stale, Err(Distrust::Stale(_))), "{stale:?}");
        let early =
            at("2026-11-18T00:00:00Z", &serde_json::to_vec(&manifest()).expect("JSON"), &key(1));
        assert!(matches!(early, Err(Distrust::Early(_))), "{early:?}");
        assert_eq!(good(|one| one.schema = 2), Err(Distrust::Newer(2)));
        let others: [fn(&mut Manifest); 4] = [
            |one| one.channel = "candidate".to_owned(),
            |one| one.product = "another".to_owned(),
            |one| one.version = "0.2.0-rc.1".to_owned(),
            // The archive of another version, although signed.
            |one| one.version = "0.3.0".to_owned(),
        ];
        for other in others {
            let read = good(other);
            assert!(matches!(read, Err(Distrust::Other(_))), "{read:?}");
        }
        assert_eq!(good(|one| one.artifacts.clear()), Err(Distrust::Target(TARGET.to_owned())));
        let unreadable: [fn(&mut Manifest); 3] = [
            |one| one.version = "2".to_owned(),
            |one| one.expires = "soon".to_owned(),
            |one| one.artifacts.values_mut().for_each(|one| one.size = u64::MAX),
        ];
        for change in unreadable {
            let read = good(change);
            assert!(matches!(read, Err(Distrust::Unreadable(_))), "{read:?}");
        }
    }
}
