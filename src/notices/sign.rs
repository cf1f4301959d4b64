//! Signatures as defined by "Standard Webhooks" 1.0.0 (standardwebhooks.com), for which receivers
//! find libraries in most languages: HMAC-SHA256 of `<id>.<timestamp>.<body>`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// The prefix of secrets, from the specification.
const PREFIX: &str = "whsec_";
/// The allowed key lengths in bytes, from the specification.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// Why a text is not a valid signing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSecret {
    #[error("the secret does not start with `whsec_`")]
    Prefix,
    #[error("what follows `whsec_` is not base64")]
    Base64,
    /// Too short to be safe, or longer than receivers accept.
    #[error("the secret is {0} bytes long, not 24 to 64")]
    Length(usize),
}

/// The key shared by sender and receiver. It cannot be printed.
pub struct Key(hmac::Key);

impl Key {
    /// Parses a secret such as `whsec_MfKQ…`.
    pub fn parse(text: &str) -> Result<Self, BadSecret> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(BadSecret::Prefix)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| BadSecret::Base64)?;
        if !LENGTHS.contains(&bytes.len()) {
            return Err(BadSecret::Length(bytes.len()));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// Returns the value of the `webhook-signature` header for a message sent at that time, in
    /// seconds since 1970.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut signed = hmac::Context::with_key(&self.0);
        signed.update(format!("{id}.{timestamp}.").as_bytes());
        signed.update(body);
        format!("v1,{}", STANDARD.encode(signed.sign()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector of the specification's libraries.
    #[test]
    fn the_signature_is_that_of_the_specification() {
        let key = Key::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signature = key.sign(id, 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_part_counts() {
        let key = Key::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let other = Key::parse("whsec_AfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let signature = key.sign("a", 1, b"body");
        for changed in [
            key.sign("b", 1, b"body"),
            key.sign("a", 2, b"body"),
            key.sign("a", 1, b"body2"),
            other.sign("a", 1, b"body"),
        ] {
            assert_ne!(changed, signature);
        }
    }

    #[test]
    fn what_is_no_secret_is_said() {
        let bad = |text| Key::parse(text).err();
        assert_eq!(bad("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), Some(BadSecret::Prefix));
        assert_eq!(bad("whsec_*"), Some(BadSecret::Base64));
        assert_eq!(bad("whsec_AAAA"), Some(BadSecret::Length(3)));
        let long = format!("whsec_{}", STANDARD.encode([7; 65]));
        assert_eq!(bad(&long), Some(BadSecret::Length(65)));
    }
}
