//! Secrets in memory, for tests and for a demo that leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;

use super::{Login, SecretStore};
use casedrop_disk::LockGuard;
use casedrop_model::fault::Fault;
use casedrop_model::ids::LabName;

/// Secrets that only live as long as the process.
#[derive(Debug, Clone, Default)]
pub struct MemorySecrets(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    logins: BTreeMap<LabName, Login>,
    texts: BTreeMap<String, SecretString>,
    locked: BTreeSet<LabName>,
}

impl MemorySecrets {
    /// Creates an empty store. Clones share their content.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Content) -> T) -> T {
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
        self.with(|kept| {
            kept.logins.remove(lab);
            if kept.logins.is_empty() {
                kept.texts.clear();
            }
        });
        Ok(())
    }

    fn try_lock(&self, lab: &LabName) -> Result<Option<LockGuard>, Fault> {
        let free = self.with(|kept| kept.locked.insert(lab.clone()));
        Ok(free.then(|| LockGuard::new(Unlock(self.clone(), lab.clone()))))
    }

    fn load_text(&self, name: &str) -> Result<Option<SecretString>, Fault> {
        Ok(self.with(|kept| kept.texts.get(name).cloned()))
    }

    fn ensure_text(
        &self,
        name: &str,
        good: &dyn Fn(&SecretString) -> bool,
        make: &dyn Fn() -> Result<SecretString, Fault>,
    ) -> Result<SecretString, Fault> {
        self.with(|kept| match kept.texts.get(name).filter(|text| good(text)) {
            Some(text) => Ok(text.clone()),
            None => make().inspect(|text| {
                kept.texts.insert(name.to_owned(), text.clone());
            }),
        })
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
