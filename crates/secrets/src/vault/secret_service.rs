//! The Secret Service of a desktop session (such as GNOME Keyring). The key is an item of the
//! default keyring, found by its id, which is in `key.id` next to the secrets.
//!
//! Never prompts the user: a locked keyring counts as unusable for now. Each request has a deadline
//! and its own thread, because callers may be on a thread that drives a runtime.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use secret_service::{EncryptionType, Error, SecretService};

use super::{Key, KeyVault, SECRET_SERVICE, no_randomness, unusable};
use casedrop_disk::{Disk, read_limited, write_durably_private};
use casedrop_model::fault::Fault;

/// The file that says which item is the key for new secrets.
const ID_FILE: &str = "key.id";
const MAX_BYTES: u64 = 256;
/// Deadline of a request: it may start a service, which may hang.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much longer than its deadline to wait for a request to be abandoned.
const GRACE: Duration = Duration::from_secs(1);

type Secret = Zeroizing<Vec<u8>>;

pub struct SecretServiceVault {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

/// Why a request got no answer.
enum Trouble {
    Service(Error),
    NoKeyring,
    Locked,
    Late,
    Thread(io::Error),
}

impl SecretServiceVault {
    /// The key's id is stored in `dir`.
    pub fn new(disk: Arc<dyn Disk>, dir: &Path) -> Self {
        Self { disk, dir: dir.to_path_buf() }
    }

    fn path(&self) -> PathBuf {
        self.dir.join(ID_FILE)
    }

    fn current_id(&self) -> Result<Option<String>, Fault> {
        match read_limited(&*self.disk, &self.path(), MAX_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => Ok(Some(String::from_utf8_lossy(&read?).trim().to_owned())),
        }
    }
}

impl KeyVault for SecretServiceVault {
    fn word(&self) -> &'static str {
        SECRET_SERVICE.0
    }

    fn name(&self) -> &'static str {
        SECRET_SERVICE.1
    }

    fn find(&self, id: &str) -> Result<Option<Key>, Fault> {
        let wanted = id.to_owned();
        let secret = ask(async move || search(&wanted).await)?;
        Ok(secret.and_then(|secret| Key::from_slice(&secret)).filter(|key| key.id() == id))
    }

    fn current(&self) -> Result<Option<Key>, Fault> {
        match self.current_id()? {
            Some(id) => self.find(&id),
            None => ask(async || usable(&connect().await?).await).map(|()| None),
        }
    }

    fn make(&self) -> Result<Key, Fault> {
        let key = Key::random().ok_or_else(no_randomness)?;
        if self.current_id()?.is_some() {
            tracing::warn!(
                "the keyring no longer has a key for {}: a new one is created",
                self.dir.display()
            );
        }
        let label = format!("Casedrop: key of the logins in {}", self.dir.display());
        let (id, secret) = (key.id().to_owned(), Zeroizing::new(key.expose().to_vec()));
        ask(async move || keep(&label, &id, &secret).await)?;
        self.disk.create_private_dirs(&self.dir)?;
        write_durably_private(&*self.disk, &self.path(), key.id().as_bytes())?;
        Ok(key)
    }

    fn forget(&self) -> Result<(), Fault> {
        let Some(id) = self.current_id()? else { return Ok(()) };
        ask(async move || delete(&id).await)?;
        self.disk.remove_file(&self.path())?;
        Ok(self.disk.sync_dir(&self.dir)?)
    }
}

async fn connect() -> Result<SecretService<'static>, Trouble> {
    Ok(SecretService::connect(EncryptionType::Dh).await?)
}

/// Checks that the default keyring accepts keys without prompting the user.
async fn usable(service: &SecretService<'_>) -> Result<(), Trouble> {
    let keyring = service.get_default_collection().await.map_err(|error| match error {
        Error::NoResult => Trouble::NoKeyring,
        error => Trouble::Service(error),
    })?;
    if keyring.is_locked().await? { Err(Trouble::Locked) } else { Ok(()) }
}

async fn search(id: &str) -> Result<Option<Secret>, Trouble> {
    let service = connect().await?;
    let found = service.search_items(attributes(id)).await?;
    if let Some(item) = found.unlocked.first() {
        return Ok(Some(Zeroizing::new(item.get_secret().await?)));
    }
    if !found.locked.is_empty() {
        return Err(Trouble::Locked);
    }
    // A locked keyring may not even say what it contains.
    usable(&service).await.map(|()| None)
}

async fn keep(label: &str, id: &str, secret: &[u8]) -> Result<(), Trouble> {
    let service = connect().await?;
    usable(&service).await?;
    let keyring = service.get_default_collection().await?;
    keyring.create_item(label, attributes(id), secret, false, "application/octet-stream").await?;
    Ok(())
}

async fn delete(id: &str) -> Result<(), Trouble> {
    let service = connect().await?;
    let found = service.search_items(attributes(id)).await?;
    if found.unlocked.is_empty() && !found.locked.is_empty() {
        return Err(Trouble::Locked);
    }
    for item in found.unlocked {
        item.delete().await?;
    }
    Ok(())
}

fn attributes(id: &str) -> HashMap<&str, &str> {
    HashMap::from([("application", "casedrop"), ("key", id)])
}

/// Sends a request to the service on its own thread, for a limited time.
fn ask<T: Send + 'static>(
    question: impl AsyncFnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Fault> {
    let (answer, answered) = mpsc::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let result = runtime.map_err(Trouble::Thread).and_then(|runtime| {
            let limited = async { tokio::time::timeout(PATIENCE, question()).await };
            runtime.block_on(limited).unwrap_or(Err(Trouble::Late))
        });
        // The caller may have given up.
        let _ = answer.send(result);
    };
    let thread = thread::Builder::new().name("secret-service".to_owned()).spawn(work);
    let result = match thread {
        Ok(_) => answered.recv_timeout(PATIENCE + GRACE).unwrap_or(Err(Trouble::Late)),
        Err(error) => Err(Trouble::Thread(error)),
    };
    result.map_err(Fault::from)
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Locked | Error::Prompt | Error::PromptDisconnected => Self::Locked,
            error => Self::Service(error),
        }
    }
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Service(Error::Unavailable) => {
                unusable("this session has no keyring (no Secret Service answers)")
            }
            Trouble::Service(error) => {
                unusable("this session's keyring (Secret Service) does not answer")
                    .caused_by_library(error)
            }
            Trouble::NoKeyring => unusable("the Secret Service has no default keyring"),
            Trouble::Locked => unusable("the keyring of this session is locked")
                .hint("unlock it, by logging in to the desktop or with its own program"),
            Trouble::Late => {
                let text = format!("the keyring did not answer within {} s", PATIENCE.as_secs());
                unusable(text)
            }
            Trouble::Thread(error) => {
                unusable("the keyring cannot be asked: no thread could be started").caused_by(error)
            }
        }
    }
}
