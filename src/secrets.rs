//! Where logins are kept between runs: tokens and the account that a lab is paired with.
//!
//! What is saved is durable when [`SecretStore::save`] returns, since refresh tokens may rotate: the
//! old one is dead once the new one was handed out. Several processes (the service, a command) share
//! a store; whoever changes a login holds its lock meanwhile and reads it again under the lock.
//!
//! [`FileSecrets`] keeps one file per lab below the state directory, readable by its owner only. On
//! Windows the rights are those that the state directory hands down, so that directory must be
//! closed to other users (the installer sees to it).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::disk::{Disk, LockGuard, read_limited, write_durably_private};
use crate::model::fault::{Fault, FaultClass};
use crate::model::ids::{AccountId, LabName};

const SCHEMA: u32 = 1;
/// A login file is about 2 kB; tokens that hold many claims may be longer.
const MAX_BYTES: u64 = 256 * 1024;

/// The code of the fault for a login that is there and cannot be read. A new login replaces it.
pub const UNREADABLE: &str = "login-unreadable";

/// One lab's login.
#[derive(Debug, Clone)]
pub struct Login {
    /// Proves who is calling.
    pub access: SecretString,
    /// Buys the next access token.
    pub refresh: Option<SecretString>,
    /// When the access token was handed out, by this PC's clock.
    pub issued_at: SystemTime,
    /// How long it lives from then on.
    pub lifetime: Duration,
    /// The account that the lab is paired with.
    pub account: Option<PairedAccount>,
}

/// The account that a lab is paired with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairedAccount {
    /// Its number.
    pub id: AccountId,
    /// Its name, where Align told.
    pub name: Option<String>,
}

/// Keeps logins. Calls block, shortly.
pub trait SecretStore: Send + Sync {
    /// The lab's login, if there is one.
    fn load(&self, lab: &LabName) -> Result<Option<Login>, Fault>;
    /// Replaces the lab's login; it is durable when this returns.
    fn save(&self, lab: &LabName, login: &Login) -> Result<(), Fault>;
    /// Forgets the lab's login. None being there is fine.
    fn remove(&self, lab: &LabName) -> Result<(), Fault>;
    /// Takes the lock on the lab's login; `None` while somebody else holds it.
    fn try_lock(&self, lab: &LabName) -> Result<Option<LockGuard>, Fault>;
    /// A secret of that name that belongs to no lab, if there is one.
    fn load_text(&self, name: &str) -> Result<Option<SecretString>, Fault>;
    /// Keeps a secret of that name; it is durable when this returns.
    fn save_text(&self, name: &str, text: &SecretString) -> Result<(), Fault>;
    /// Forgets the secret of that name. None being there is fine.
    fn remove_text(&self, name: &str) -> Result<(), Fault>;
}

/// Logins as files below the state directory.
pub struct FileSecrets {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl FileSecrets {
    /// Keeps logins in `<state>/secrets`. Nothing is created before the first login.
    pub fn new(disk: Arc<dyn Disk>, state: &Path) -> Self {
        Self { disk, dir: state.join("secrets") }
    }

    fn file(&self, lab: &LabName, extension: &str) -> PathBuf {
        // Lab names are unique without regard to case.
        self.dir.join(format!("{}.{extension}", lab.dir_name().to_lowercase()))
    }

    /// The names are ours: plain words.
    fn text_file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.text"))
    }

    fn remove_file(&self, path: &Path) -> Result<(), Fault> {
        if self.disk.kind(path)?.is_some() {
            self.disk.remove_file(path)?;
            self.disk.sync_dir(&self.dir)?;
        }
        Ok(())
    }
}

impl SecretStore for FileSecrets {
    fn load(&self, lab: &LabName) -> Result<Option<Login>, Fault> {
        let path = self.file(lab, "json");
        let bytes = match read_limited(&*self.disk, &path, MAX_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        // What serde says could quote a token, so it is not passed on.
        match serde_json::from_slice::<Stored>(&bytes) {
            Ok(stored) if stored.schema == SCHEMA => Ok(Some(stored.into())),
            _ => Err(Fault::new(
                FaultClass::Auth,
                UNREADABLE,
                format!("the login of lab {lab} in {} cannot be read", path.display()),
            )
            .hint(format!("run `casedrop login {lab}`, which writes it anew"))),
        }
    }

    fn save(&self, lab: &LabName, login: &Login) -> Result<(), Fault> {
        let bytes = serde_json::to_vec(&Stored::from(login)).map_err(|error| {
            Fault::new(FaultClass::Local, "login-unwritable", "cannot write the login")
                .caused_by(error)
        })?;
        self.disk.create_private_dirs(&self.dir)?;
        Ok(write_durably_private(&*self.disk, &self.file(lab, "json"), &bytes)?)
    }

    fn remove(&self, lab: &LabName) -> Result<(), Fault> {
        self.remove_file(&self.file(lab, "json"))
    }

    fn try_lock(&self, lab: &LabName) -> Result<Option<LockGuard>, Fault> {
        self.disk.create_private_dirs(&self.dir)?;
        Ok(self.disk.try_lock(&self.file(lab, "lock"))?)
    }

    fn load_text(&self, name: &str) -> Result<Option<SecretString>, Fault> {
        match read_limited(&*self.disk, &self.text_file(name), MAX_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => Ok(Some(String::from_utf8_lossy(&read?).into_owned().into())),
        }
    }

    fn save_text(&self, name: &str, text: &SecretString) -> Result<(), Fault> {
        self.disk.create_private_dirs(&self.dir)?;
        let bytes = text.expose_secret().as_bytes();
        Ok(write_durably_private(&*self.disk, &self.text_file(name), bytes)?)
    }

    fn remove_text(&self, name: &str) -> Result<(), Fault> {
        self.remove_file(&self.text_file(name))
    }
}

/// The file's content. Times are in milliseconds, so that tokens of a few seconds (simulation) work.
#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u32,
    access_token: String,
    refresh_token: Option<String>,
    issued_at_ms: u64,
    lifetime_ms: u64,
    account: Option<PairedAccount>,
}

impl From<&Login> for Stored {
    fn from(login: &Login) -> Self {
        let since_epoch = login.issued_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            schema: SCHEMA,
            access_token: login.access.expose_secret().to_owned(),
            refresh_token: login.refresh.as_ref().map(|token| token.expose_secret().to_owned()),
            issued_at_ms: millis(since_epoch),
            lifetime_ms: millis(login.lifetime),
            account: login.account.clone(),
        }
    }
}

impl From<Stored> for Login {
    fn from(stored: Stored) -> Self {
        let issued_at = UNIX_EPOCH.checked_add(Duration::from_millis(stored.issued_at_ms));
        Self {
            access: stored.access_token.into(),
            refresh: stored.refresh_token.map(Into::into),
            issued_at: issued_at.unwrap_or(UNIX_EPOCH),
            lifetime: Duration::from_millis(stored.lifetime_ms),
            account: stored.account,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Logins in memory, for tests and for a demonstration that leaves nothing behind.
#[derive(Debug, Clone, Default)]
pub struct MemorySecrets(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    logins: BTreeMap<LabName, Login>,
    texts: BTreeMap<String, SecretString>,
    locked: BTreeSet<LabName>,
}

impl MemorySecrets {
    /// An empty store. Clones share their content.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Kept) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl SecretStore for MemorySecrets {
    fn load(&self, lab: &LabName) -> Result<Option<Login>, Fault> {
        Ok(self.with(|kept| kept.logins.get(lab).cloned()))
    }

    fn save(&self, lab: &LabName, login: &Login) -> Result<(), Fault> {
        self.with(|kept| kept.logins.insert(lab.clone(), login.clone()));
        Ok(())
    }

    fn remove(&self, lab: &LabName) -> Result<(), Fault> {
        self.with(|kept| kept.logins.remove(lab));
        Ok(())
    }

    fn try_lock(&self, lab: &LabName) -> Result<Option<LockGuard>, Fault> {
        let free = self.with(|kept| kept.locked.insert(lab.clone()));
        Ok(free.then(|| LockGuard::new(Unlock(self.clone(), lab.clone()))))
    }

    fn load_text(&self, name: &str) -> Result<Option<SecretString>, Fault> {
        Ok(self.with(|kept| kept.texts.get(name).cloned()))
    }

    fn save_text(&self, name: &str, text: &SecretString) -> Result<(), Fault> {
        self.with(|kept| kept.texts.insert(name.to_owned(), text.clone()));
        Ok(())
    }

    fn remove_text(&self, name: &str) -> Result<(), Fault> {
        self.with(|kept| kept.texts.remove(name));
        Ok(())
    }
}

struct Unlock(MemorySecrets, LabName);

impl Drop for Unlock {
    fn drop(&mut self) {
        self.0.with(|kept| kept.locked.remove(&self.1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    fn lab() -> LabName {
        "Smile-Lab".parse().expect("valid")
    }

    fn login() -> Login {
        Login {
            access: "access-1".into(),
            refresh: Some("refresh-1".into()),
            issued_at: UNIX_EPOCH + Duration::from_millis(1_790_000_000_123),
            lifetime: Duration::from_hours(1),
            account: Some(PairedAccount { id: "4711".parse().expect("valid"), name: None }),
        }
    }

    #[test]
    fn a_login_survives_the_process_and_can_be_removed() {
        let dir = tempfile::tempdir().expect("tempdir");
        let store = || FileSecrets::new(Arc::new(RealDisk), dir.path());
        assert!(store().load(&lab()).expect("load").is_none());
        store().save(&lab(), &login()).expect("save");
        let back = store().load(&"smile-lab".parse().expect("valid")).expect("load");
        let back = back.expect("kept");
        assert_eq!(back.access.expose_secret(), "access-1");
        assert_eq!(back.refresh.expect("kept").expose_secret(), "refresh-1");
        assert_eq!((back.issued_at, back.lifetime), (login().issued_at, login().lifetime));
        assert_eq!(back.account, login().account);
        store().remove(&lab()).expect("remove");
        store().remove(&lab()).expect("none there is fine");
        assert!(store().load(&lab()).expect("load").is_none());
    }

    #[test]
    fn only_one_holder_has_the_lock() {
        let dir = tempfile::tempdir().expect("tempdir");
        let stores: [Box<dyn SecretStore>; 2] = [
            Box::new(FileSecrets::new(Arc::new(RealDisk), dir.path())),
            Box::new(MemorySecrets::new()),
        ];
        for store in stores {
            let held = store.try_lock(&lab()).expect("lock").expect("free");
            assert!(store.try_lock(&lab()).expect("lock").is_none());
            drop(held);
            assert!(store.try_lock(&lab()).expect("lock").is_some());
        }
    }

    #[test]
    fn a_damaged_file_is_named_and_its_content_is_not_quoted() {
        let dir = tempfile::tempdir().expect("tempdir");
        let store = FileSecrets::new(Arc::new(RealDisk), dir.path());
        store.save(&lab(), &login()).expect("save");
        let path = dir.path().join("secrets").join("smile-lab.json");
        std::fs::write(&path, r#"{"schema":1,"access_token":["top-secret"]}"#).expect("write");
        let fault = store.load(&lab()).expect_err("damaged");
        assert_eq!(fault.class, FaultClass::Auth);
        assert!(fault.chain().contains("smile-lab.json"), "{}", fault.chain());
        assert!(!fault.chain().contains("top-secret"));
    }

    #[test]
    fn a_login_cannot_be_printed() {
        let text = format!("{:?}", login());
        assert!(!text.contains("access-1") && !text.contains("refresh-1"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_closed_to_other_users() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("tempdir");
        FileSecrets::new(Arc::new(RealDisk), dir.path()).save(&lab(), &login()).expect("save");
        let mode =
            |path: PathBuf| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(dir.path().join("secrets")), 0o700);
        assert_eq!(mode(dir.path().join("secrets/smile-lab.json")), 0o600);
    }
}
