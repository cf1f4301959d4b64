//! The password of the status page. Only its hash is kept: Argon2, as a PHC string such as
//! `$argon2id$v=19$m=19456,t=2,p=1$…$…`.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::model::fault::{Fault, FaultClass};

/// Minimum length of a new password, in characters.
pub const LEAST_CHARS: usize = 8;
/// Maximum length of a password, in bytes.
pub const MOST_BYTES: usize = 1024;

/// Memory (KiB), passes and lanes of a new hash: the minimum that OWASP recommends for Argon2id
/// (Password Storage Cheat Sheet, "Argon2id": 19 MiB, 2, 1).
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// Upper limits for memory (KiB), passes and lanes: a costlier hash could starve the agent.
const MOST_COST: (u32, u32, u32) = (256 * 1024, 16, 16);

#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(phc::PasswordHash);

impl PasswordHash {
    /// Whether `password` matches this hash. Blocks for about a tenth of a second with default
    /// costs.
    pub fn is_of(&self, password: &[u8]) -> bool {
        password.len() <= MOST_BYTES && Argon2::default().verify_password(password, &self.0).is_ok()
    }
}

impl FromStr for PasswordHash {
    type Err = &'static str;

    /// # Errors
    /// The text is not an Argon2 hash, or the hash is too expensive to check. The message never
    /// quotes it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const OTHER: &str = "this is not an Argon2 hash";
        if text.starts_with('$') && !text.starts_with("$argon2") {
            return Err(OTHER);
        }
        let hash =
            phc::PasswordHash::new(text).map_err(|_| "this is not a hash in the PHC format")?;
        if Algorithm::try_from(hash.algorithm.as_str()).is_err() {
            return Err(OTHER);
        }
        let version = hash.version.map(Version::try_from).transpose();
        let (Ok(cost), Ok(_)) = (Params::try_from(&hash), version) else {
            return Err("the parameters of this hash are invalid");
        };
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err("this hash is incomplete");
        }
        let (memory, passes, lanes) = MOST_COST;
        if cost.m_cost() > memory || cost.t_cost() > passes || cost.p_cost() > lanes {
            return Err("checking this hash takes more than 256 MiB, 16 passes or 16 lanes");
        }
        Ok(Self(hash))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

/// Hashes a new password with a fresh salt and returns a PHC string.
///
/// # Errors
/// The password is too short or too long, or the system has no random numbers.
pub fn hash(password: &str) -> Result<String, Fault> {
    let fault = |text: String| Fault::new(FaultClass::Local, "password", text);
    let characters = password.chars().count();
    if characters < LEAST_CHARS {
        let text = format!("the password has only {characters} characters");
        return Err(fault(text).hint(format!("use at least {LEAST_CHARS}, better a few words")));
    }
    if password.len() > MOST_BYTES {
        let text = format!("the password has {} bytes", password.len());
        return Err(fault(text).hint(format!("use at most {MOST_BYTES}")));
    }
    let (memory, passes, lanes) = COST;
    let cannot = |error: &dyn fmt::Display| fault(format!("cannot hash the password: {error}"));
    let cost = Params::new(memory, passes, lanes, None).map_err(|error| cannot(&error))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost);
    let hash = argon2.hash_password(password.as_bytes()).map_err(|error| cannot(&error))?;
    Ok(hash.to_string())
}

/// A hash that costs almost nothing, for tests.
#[cfg(test)]
pub(crate) fn cheap(password: &str) -> PasswordHash {
    let cost = Params::new(8, 1, 1, None).expect("small");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost);
    PasswordHash(argon2.hash_password(password.as_bytes()).expect("hashed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_its_password_only() {
        let (one, other) = (hash("correct horse").expect("hashed"), hash("correct horse"));
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(Some(&one), other.as_ref().ok(), "each has a salt of its own");
        let read: PasswordHash = one.parse().expect("a hash");
        assert!(read.is_of(b"correct horse"));
        for wrong in ["", "correct hors", "correct horse ", "Correct horse"] {
            assert!(!read.is_of(wrong.as_bytes()), "{wrong}");
        }
        assert_eq!(format!("{read:?}"), "(not shown)");
    }

    #[test]
    fn hashes_with_other_parameters_are_taken() {
        let text = cheap("secret").0.to_string();
        assert!(text.parse::<PasswordHash>().expect("a hash").is_of(b"secret"));
        // From the README of the reference implementation's command-line tool, `argon2`.
        let text = "$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b/dWRWJTmaaJObG";
        assert!(text.parse::<PasswordHash>().is_ok());
    }

    #[test]
    fn what_is_no_hash_by_argon2_is_refused_and_not_quoted() {
        let salted = "$c29tZXNhbHQ$RdescudvJCsgt3ub+b/dWRWJTmaaJObG";
        for (text, why) in [
            ("hunter42".to_owned(), "PHC"),
            (String::new(), "PHC"),
            (format!("$argon2x$v=19$m=19456,t=2,p=1{salted}"), "Argon2"),
            ("$2b$12$abcdefghijklmnopqrstuv".to_owned(), "Argon2"),
            (format!("$scrypt$ln=16,r=8,p=1{salted}"), "Argon2"),
            ("$argon2id$v=19$m=19456,t=2,p=1".to_owned(), "complete"),
            (format!("$argon2id$v=19$m=1,t=2,p=1{salted}"), "parameters"),
            (format!("$argon2id$v=7$m=19456,t=2,p=1{salted}"), "parameters"),
            (format!("$argon2id$v=19$m=4000000,t=2,p=1{salted}"), "256 MiB"),
            (format!("$argon2id$v=19$m=19456,t=99,p=1{salted}"), "256 MiB"),
        ] {
            let fault = text.parse::<PasswordHash>().expect_err(&text);
            assert!(fault.contains(why), "{text}: {fault}");
        }
    }

    #[test]
    fn passwords_that_are_too_short_or_too_long_get_no_hash() {
        for password in ["", "1234567", "äöüäöüä"] {
            let fault = hash(password).expect_err(password);
            assert!(fault.hint.expect("a hint").contains("at least 8"));
        }
        assert!(hash(&"x".repeat(MOST_BYTES + 1)).is_err());
        assert!(!cheap("x").is_of("x".repeat(MOST_BYTES + 1).as_bytes()));
    }
}
