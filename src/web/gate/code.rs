//! The set-up code: without a password, the page accepts changes to the set-up only from a browser
//! in which the code was entered. The code is in a file in the state folder that only the agent's
//! user and administrators can read, so anyone who knows it could have changed the config anyway.
//!
//! Each start and each use creates a new code.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};

use super::lock::{Lane, Refused};
use super::throttle::Throttle;
use crate::disk::{Disk, read_limited, write_durably_private};
use crate::model::fault::{Fault, FaultClass};

/// Name of the file in the state folder.
pub const CODE_FILE: &str = "set-up-code.txt";

/// The symbols of a code, one for each five-bit value: no digit looks like a letter.
const SYMBOLS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/// Forty bits: at one try in ten seconds, guessing takes thousands of years.
const LENGTH: usize = 8;
const MAX_FILE: u64 = 1024;

/// The code, and the throttle for attempts.
pub struct SetUpCode {
    disk: Arc<dyn Disk>,
    file: PathBuf,
    key: hmac::Key,
    inner: Mutex<Inner>,
}

struct Inner {
    /// `None` while it could not be written: a code that no one can read opens nothing.
    code: Option<SecretString>,
    throttle: Throttle,
}

impl SetUpCode {
    /// Creates a code and writes it into the state folder.
    ///
    /// # Errors
    /// The system has no random numbers, or the file cannot be written.
    pub fn new(disk: Arc<dyn Disk>, state: &Path) -> Result<Self, Fault> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &ring::rand::SystemRandom::new());
        let key = key.map_err(|_| no_random())?;
        let file = state.join(CODE_FILE);
        let inner = Inner { code: None, throttle: Throttle::default() };
        let made = Self { disk, file, key, inner: Mutex::new(inner) };
        made.renew()?;
        Ok(made)
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Replaces the code; the previous one becomes invalid.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn renew(&self) -> Result<(), Fault> {
        self.with(|inner| self.renewed(inner))
    }

    /// Deletes the file. From then on no code is valid.
    pub fn end(&self) {
        self.with(|inner| inner.code = None);
        if let Err(error) = self.disk.remove_file(&self.file) {
            tracing::debug!("the set-up code's file stays: {}", Fault::from(error).chain());
        }
    }

    /// Consumes the code if `tried` matches. Blocks.
    pub(super) fn open(&self, from: IpAddr, tried: &str, now: Duration) -> Result<(), Refused> {
        self.with(|inner| {
            let admitted = inner.throttle.admit(Lane::Code, from, now);
            admitted.map_err(|wait| Refused { wait })?;
            let is_right = inner.code.as_ref().is_some_and(|code| {
                let tried = hmac::sign(&self.key, plain(tried).as_bytes());
                let code = plain(code.expose_secret());
                hmac::verify(&self.key, code.as_bytes(), tried.as_ref()).is_ok()
            });
            if !is_right {
                tracing::warn!("a wrong set-up code was entered on the status page");
                return Err(Refused { wait: inner.throttle.wait(Lane::Code, from, now) });
            }
            inner.throttle.right(Lane::Code, from);
            if let Err(fault) = self.renewed(inner) {
                tracing::warn!("there is no new set-up code: {}", fault.chain());
            }
            Ok(())
        })
    }

    fn renewed(&self, inner: &mut Inner) -> Result<(), Fault> {
        inner.code = None;
        let code = random()?;
        write_durably_private(&*self.disk, &self.file, format!("{code}\n").as_bytes())?;
        inner.code = Some(code.into());
        Ok(())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads the code from its file, for anyone with access to it.
pub fn read_code(disk: &dyn Disk, file: &Path) -> Option<SecretString> {
    let bytes = read_limited(disk, file, MAX_FILE).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let code = text.trim();
    (!code.is_empty()).then(|| code.into())
}

/// Normalizes typed input: ignores case, spaces and dashes.
fn plain(code: &str) -> String {
    let symbols = code.chars().filter(|c| !c.is_whitespace() && !"-–—".contains(*c));
    symbols.take(4 * LENGTH).flat_map(char::to_uppercase).collect()
}

fn random() -> Result<String, Fault> {
    let mut bytes = [0_u8; LENGTH];
    getrandom::fill(&mut bytes).map_err(|_| no_random())?;
    let mut code = String::with_capacity(LENGTH + 1);
    for (at, byte) in bytes.into_iter().enumerate() {
        if at == LENGTH / 2 {
            code.push('-');
        }
        code.push(char::from(SYMBOLS[usize::from(byte) % SYMBOLS.len()]));
    }
    Ok(code)
}

fn no_random() -> Fault {
    let text = "there is no set-up code: the system gives no random numbers";
    Fault::new(FaultClass::Local, "random", text).hint("restart this PC")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn made() -> (tempfile::TempDir, SetUpCode) {
        let dir = tempfile::tempdir().expect("tempdir");
        let code = SetUpCode::new(Arc::new(RealDisk), dir.path()).expect("made");
        (dir, code)
    }

    fn written(code: &SetUpCode) -> String {
        read_code(&RealDisk, code.file()).expect("a code").expose_secret().to_owned()
    }

    #[test]
    fn a_code_opens_once_however_it_is_typed_and_a_new_one_follows() {
        let (_dir, code) = made();
        for typed in [str::to_lowercase, |code: &str| code.replace('-', " "), str::to_owned] {
            let text = written(&code);
            assert_eq!((text.len(), text.find('-')), (LENGTH + 1, Some(LENGTH / 2)), "{text}");
            assert_eq!(code.open(HERE, &typed(&text), Duration::ZERO), Ok(()));
            assert_ne!(written(&code), text);
            assert!(code.open(HERE, &text, Duration::ZERO).is_err(), "it was used");
        }
    }

    #[test]
    fn an_empty_code_a_part_and_one_of_another_start_open_nothing() {
        let (dir, code) = made();
        let first = written(&code);
        for wrong in ["", "-", &first[..4]] {
            assert!(code.open(HERE, wrong, Duration::ZERO).is_err(), "{wrong}");
        }
        drop(code);
        let code = SetUpCode::new(Arc::new(RealDisk), dir.path()).expect("made");
        assert!(code.open(HERE, &first, Duration::ZERO).is_err(), "that of the start before");
        let second = written(&code);
        code.end();
        assert!(!code.file().exists());
        assert!(code.open(HERE, &second, Duration::ZERO).is_err(), "the agent ended");
    }

    #[test]
    fn who_guesses_waits_and_not_for_long() {
        let (_dir, code) = made();
        let mut now = Duration::from_secs(1);
        let mut tries = 0;
        while now < Duration::from_hours(1) {
            match code.open(HERE, "AAAA-AAAA", now) {
                Ok(()) => panic!("guessed"),
                Err(Refused { wait }) => now += wait,
            }
            tries += 1;
        }
        assert!((300..420).contains(&tries), "{tries}");
        let right = written(&code);
        assert_eq!(code.open(HERE, &right, now + Duration::from_secs(10)), Ok(()));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_dir, code) = made();
        let mode = || std::fs::metadata(code.file()).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(code.file(), std::fs::Permissions::from_mode(0o644)).expect("set");
        code.renew().expect("renewed");
        assert_eq!(mode(), 0o600, "also where somebody opened it before");
    }
}
