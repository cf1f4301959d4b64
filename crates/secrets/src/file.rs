//! Secrets as files below the state directory, sealed if there is a vault for the key.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use super::seal::Sealed;
use super::vault::{Key, KeyVault};
use super::{Login, SEALED, SecretStore, SecretsIn, UNREADABLE, stored};
use casedrop_disk::{Disk, LockGuard, read_limited, write_durably_private};
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::ids::LabName;

/// A login file is about 2 kB, twice that when sealed; tokens with many claims may be longer.
const MAX_BYTES: u64 = 1024 * 1024;
const LOGIN: &str = "json";
const TEXT: &str = "text";

pub struct FileSecrets {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    policy: SecretsIn,
    vaults: Vec<Arc<dyn KeyVault>>,
    known: Mutex<Known>,
}

/// What the process has learned about the keys. A keyring may get locked; keys already read stay
/// usable.
#[derive(Default)]
struct Known {
    keys: BTreeMap<String, Key>,
    /// The vault and key that seal new secrets.
    current: Option<(usize, Key)>,
}

/// How secrets are currently kept on this PC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeping {
    /// The folder of their files.
    pub folder: PathBuf,
    /// The vault that holds the key for new secrets; `None`: they are not sealed.
    pub vault: Option<&'static str>,
    /// Why the vaults of this system cannot be used, if that is why none is.
    pub reasons: Vec<String>,
    /// What could be done about it.
    pub hint: Option<String>,
}

impl Keeping {
    /// Returns the message and hint to show if no vault could be used; `None` if everything is as
    /// configured.
    pub fn fallback(&self) -> Option<(String, String)> {
        if self.vault.is_some() || self.reasons.is_empty() {
            return None;
        }
        let text = format!(
            "logins are stored in files that only the agent's user may read, in {}, and are not \
             sealed: {}",
            self.folder.display(),
            self.reasons.join("; ")
        );
        let hint = self.hint.clone().map_or_else(String::new, |hint| format!("{hint}; or "));
        let hint = format!(
            "{hint}give the service a key (docs/operators.md, \"Where secrets are kept\"), or \
             write `secrets: file` if that is what you want"
        );
        Some((text, hint))
    }
}

/// One secret: its file and what it is bound to.
struct Place {
    path: PathBuf,
    purpose: String,
    /// What messages call it.
    what: String,
    /// How to fix it if it cannot be read, and the fault's class.
    hint: String,
    class: FaultClass,
}

impl FileSecrets {
    /// Keeps secrets in `<state>/secrets`, never sealed. Creates nothing until the first secret is
    /// saved.
    pub fn new(disk: Arc<dyn Disk>, state: &Path) -> Self {
        Self::with_vaults(disk, state, SecretsIn::File, Vec::new())
    }

    /// The same, but sealed with a key from the first usable vault, if the policy asks for it.
    pub fn with_vaults(
        disk: Arc<dyn Disk>,
        state: &Path,
        policy: SecretsIn,
        vaults: Vec<Arc<dyn KeyVault>>,
    ) -> Self {
        Self { disk, dir: super::folder(state), policy, vaults, known: Mutex::default() }
    }

    /// Reports how secrets are currently kept here. Creates nothing.
    ///
    /// # Errors
    /// A vault is required, and none can be used.
    pub fn keeping(&self) -> Result<Keeping, Fault> {
        let mut keeping =
            Keeping { folder: self.dir.clone(), vault: None, reasons: Vec::new(), hint: None };
        if self.policy == SecretsIn::File {
            return Ok(keeping);
        }
        for vault in &self.vaults {
            match vault.current() {
                Ok(_) => {
                    keeping.vault = Some(vault.name());
                    break;
                }
                Err(fault) => {
                    tracing::debug!("{}: {}", vault.name(), fault.chain());
                    keeping.reasons.push(fault.brief());
                    keeping.hint = keeping.hint.or(fault.hint);
                }
            }
        }
        match (self.policy, keeping.vault) {
            (SecretsIn::Vault, None) => Err(no_vault(&keeping.reasons, keeping.hint)),
            _ => Ok(keeping),
        }
    }

    /// Returns all secret values stored here, to make sure that none is disclosed, and what could
    /// not be read. Changes nothing.
    pub fn values(&self) -> (Vec<SecretString>, Vec<String>) {
        let (mut values, mut unread) = (Vec::new(), Vec::new());
        for extension in [LOGIN, TEXT] {
            // Before the first login there is no folder.
            let Ok(paths) = self.entries(extension) else { continue };
            for path in paths {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let place = match extension {
                    LOGIN => self.login_named(&stem),
                    _ => self.text(&stem),
                };
                match self.read(&place) {
                    Ok(bytes) => {
                        values.extend(bytes.iter().flat_map(|bytes| stored::values(bytes)));
                    }
                    Err(fault) => unread.push(fault.chain()),
                }
            }
        }
        (values, unread)
    }

    fn login(&self, lab: &LabName) -> Place {
        self.login_of(&Self::name(lab), lab.as_str())
    }

    fn login_named(&self, name: &str) -> Place {
        self.login_of(name, name)
    }

    fn login_of(&self, name: &str, lab: &str) -> Place {
        let path = self.dir.join(format!("{name}.{LOGIN}"));
        let what = format!("the login of lab {lab} in {}", path.display());
        let hint = format!("run `casedrop login {lab}`, which writes it again");
        Place { path, purpose: format!("login {name}"), what, hint, class: FaultClass::Auth }
    }

    fn text(&self, name: &str) -> Place {
        let path = self.dir.join(format!("{name}.{TEXT}"));
        let what = format!("the secret in {}", path.display());
        let hint = "remove that file, and a new secret is created".to_owned();
        Place { path, purpose: format!("text {name}"), what, hint, class: FaultClass::Local }
    }

    /// Lab names are unique case-insensitively.
    fn name(lab: &LabName) -> String {
        lab.dir_name().to_lowercase()
    }

    fn read(&self, place: &Place) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        let bytes = match read_limited(&*self.disk, &place.path, MAX_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => Zeroizing::new(read?),
        };
        let Some(sealed) = Sealed::read(&bytes) else { return Ok(Some(bytes)) };
        let key = self.key_of(&sealed).map_err(|why| why.told(place))?;
        match sealed.open(&place.purpose, &key) {
            Some(secret) => Ok(Some(secret)),
            None => Err(unreadable(place)),
        }
    }

    /// Returns the key that a secret was sealed with.
    fn key_of(&self, sealed: &Sealed) -> Result<Key, NoKey> {
        let mut known = self.known();
        if let Some(key) = known.keys.get(&sealed.key) {
            return Ok(key.clone());
        }
        let found = self.vaults.iter().enumerate().find(|(_, vault)| vault.word() == sealed.vault);
        let Some((index, vault)) = found else {
            return Err(NoKey::OtherSystem(sealed.vault.clone()));
        };
        match vault.find(&sealed.key) {
            Ok(Some(key)) => {
                known.keys.insert(sealed.key.clone(), key.clone());
                if self.policy != SecretsIn::File && known.current.is_none() {
                    known.current = Some((index, key.clone()));
                }
                Ok(key)
            }
            Ok(None) => Err(NoKey::Gone(vault.name())),
            Err(fault) => Err(NoKey::Unusable(vault.name(), Box::new(fault))),
        }
    }

    fn write(&self, place: &Place, secret: &[u8]) -> Result<(), Fault> {
        self.disk.create_private_dirs(&self.dir)?;
        let sealed = match self.sealing_key()? {
            None => None,
            Some((vault, key)) => {
                let sealed = Sealed::of(secret, &place.purpose, self.vaults[vault].word(), &key);
                let bytes = sealed.and_then(|sealed| serde_json::to_vec(&sealed).ok());
                Some(bytes.ok_or_else(|| {
                    let text = format!("cannot seal {}", place.what);
                    Fault::new(FaultClass::Local, "login-unwritable", text)
                })?)
            }
        };
        let bytes = sealed.as_deref().unwrap_or(secret);
        Ok(write_durably_private(&*self.disk, &place.path, bytes)?)
    }

    /// Returns the key for a new secret, creating it if necessary; `None`: it stays unsealed.
    fn sealing_key(&self) -> Result<Option<(usize, Key)>, Fault> {
        if self.policy == SecretsIn::File {
            return Ok(None);
        }
        let mut known = self.known();
        if let Some(current) = &known.current {
            return Ok(Some(current.clone()));
        }
        let (mut reasons, mut hint) = (Vec::new(), None);
        for (index, vault) in self.vaults.iter().enumerate() {
            match self.have_key(&**vault) {
                Ok(key) => {
                    known.keys.insert(key.id().to_owned(), key.clone());
                    known.current = Some((index, key.clone()));
                    return Ok(Some((index, key)));
                }
                Err(fault) => {
                    reasons.push(fault.brief());
                    hint = hint.or(fault.hint);
                }
            }
        }
        match self.policy {
            SecretsIn::Vault => Err(no_vault(&reasons, hint)),
            _ => Ok(None),
        }
    }

    /// Returns the vault's key, creating it if necessary. If several processes do this at once,
    /// only one creates it.
    fn have_key(&self, vault: &dyn KeyVault) -> Result<Key, Fault> {
        if let Some(key) = vault.current()? {
            return Ok(key);
        }
        let _lock = self.disk.lock(&self.dir.join("key.lock"))?;
        if let Some(key) = vault.current()? {
            return Ok(key);
        }
        let key = vault.make()?;
        tracing::info!("a new key for logins is in {}", vault.name());
        Ok(key)
    }

    /// Whether any login is left; foreign entries do not count.
    fn has_logins(&self) -> Result<bool, Fault> {
        Ok(self.entries(LOGIN)?.next().is_some())
    }

    fn entries(&self, extension: &'static str) -> Result<impl Iterator<Item = PathBuf>, Fault> {
        let entries = self.disk.list(&self.dir)?.into_iter().map(|entry| entry.path);
        Ok(entries.filter(move |path| path.extension().is_some_and(|found| found == extension)))
    }

    /// Removes everything else once no login is left.
    fn clear(&self) -> Result<(), Fault> {
        for path in self.entries(TEXT)?.collect::<Vec<_>>() {
            self.remove_file(&path)?;
        }
        *self.known() = Known::default();
        for vault in &self.vaults {
            // If the vault cannot be reached now, its key no longer opens anything that still
            // exists.
            if let Err(fault) = vault.forget() {
                tracing::debug!("{}: {}", vault.name(), fault.chain());
            }
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> Result<(), Fault> {
        if self.disk.kind(path)?.is_some() {
            self.disk.remove_file(path)?;
            self.disk.sync_dir(&self.dir)?;
        }
        Ok(())
    }

    /// Only one process at a time replaces a named text: each of two would take the other's half for
    /// what a crash left behind.
    fn lock_texts(&self) -> Result<LockGuard, Fault> {
        self.disk.create_private_dirs(&self.dir)?;
        Ok(self.disk.lock(&self.dir.join("texts.lock"))?)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretStore for FileSecrets {
    fn load(&self, lab: &LabName) -> Result<Option<Login>, Fault> {
        let place = self.login(lab);
        let Some(bytes) = self.read(&place)? else { return Ok(None) };
        stored::read(&bytes).map(Some).ok_or_else(|| unreadable(&place))
    }

    fn save(&self, lab: &LabName, login: &Login) -> Result<(), Fault> {
        let bytes = stored::write(login).map_err(|error| {
            Fault::new(FaultClass::Local, "login-unwritable", "cannot write the login")
                .caused_by(error)
        })?;
        self.write(&self.login(lab), &bytes)
    }

    fn remove(&self, lab: &LabName) -> Result<(), Fault> {
        let path = self.login(lab).path;
        if self.disk.kind(&path)?.is_some() {
            self.remove_file(&path)?;
            if !self.has_logins()? {
                self.clear()?;
            }
        }
        Ok(())
    }

    fn try_lock(&self, lab: &LabName) -> Result<Option<LockGuard>, Fault> {
        self.disk.create_private_dirs(&self.dir)?;
        Ok(self.disk.try_lock(&self.dir.join(format!("{}.lock", Self::name(lab))))?)
    }

    fn load_text(&self, name: &str) -> Result<Option<SecretString>, Fault> {
        let text = self.read(&self.text(name))?;
        Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned().into()))
    }

    fn ensure_text(
        &self,
        name: &str,
        good: &dyn Fn(&SecretString) -> bool,
        make: &dyn Fn() -> Result<SecretString, Fault>,
    ) -> Result<SecretString, Fault> {
        if let Some(text) = self.load_text(name)?.filter(good) {
            return Ok(text);
        }
        let _lock = self.lock_texts()?;
        if let Some(text) = self.load_text(name)?.filter(good) {
            return Ok(text);
        }
        let text = make()?;
        self.write(&self.text(name), text.expose_secret().as_bytes())?;
        Ok(text)
    }

    fn save_text(&self, name: &str, text: &SecretString) -> Result<(), Fault> {
        let _lock = self.lock_texts()?;
        self.write(&self.text(name), text.expose_secret().as_bytes())
    }

    fn remove_text(&self, name: &str) -> Result<(), Fault> {
        self.remove_file(&self.text(name).path)
    }
}

/// Why the key of a sealed secret is unavailable.
enum NoKey {
    /// It was sealed on another kind of system.
    OtherSystem(String),
    /// The vault does not have it.
    Gone(&'static str),
    /// The vault cannot be used here and now.
    Unusable(&'static str, Box<Fault>),
}

impl NoKey {
    fn told(self, place: &Place) -> Fault {
        let what = &place.what;
        let (text, source, hint) = match self {
            Self::OtherSystem(word) => {
                (format!("{what} was sealed on another system (its key is in {word})"), None, None)
            }
            Self::Gone(vault) => {
                let text = format!(
                    "{what} was sealed with a key that {vault} of this user does not have: another \
                     user or another PC sealed it, or the key was removed"
                );
                (text, None, None)
            }
            Self::Unusable(vault, fault) => {
                let text = format!(
                    "{what} is sealed, and its key is in {vault}, which cannot be used here"
                );
                (text, Some(fault.chain()), fault.hint)
            }
        };
        let as_whom = "as the user and in the session in which the agent runs";
        let hint = hint.map_or_else(
            || format!("{as_whom}, {}", place.hint),
            |hint| format!("{hint}; or, {as_whom}, {}", place.hint),
        );
        let fault = Fault::new(place.class, SEALED, text).hint(hint);
        match source {
            Some(source) => fault.caused_by(source),
            None => fault,
        }
    }
}

fn unreadable(place: &Place) -> Fault {
    Fault::new(place.class, UNREADABLE, format!("{} cannot be read", place.what))
        .hint(place.hint.clone())
}

fn no_vault(reasons: &[String], hint: Option<String>) -> Fault {
    let mut text = "`secrets: vault` is set, but no vault of this system can be used".to_owned();
    if !reasons.is_empty() {
        text = format!("{text}: {}", reasons.join("; "));
    }
    let or =
        "write `secrets: auto` into the config to allow files that only the agent's user may read";
    Fault::new(FaultClass::Local, "vault", text).hint(match hint {
        Some(hint) => format!("{hint}; or {or}"),
        None => or.to_owned(),
    })
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
