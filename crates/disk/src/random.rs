//! Unguessable texts.

use casedrop_model::digest::hex;
use casedrop_model::fault::{Fault, FaultClass};

/// Returns `BYTES` random bytes from the system in hexadecimal.
///
/// # Errors
/// The system has no random numbers; the fault gets `code`.
pub fn random_text<const BYTES: usize>(code: &'static str) -> Result<String, Fault> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        let text = format!("the system provides no random numbers: {error}");
        Fault::new(FaultClass::Local, code, text).hint("restart this PC")
    })?;
    Ok(hex(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_as_long_as_asked_for_and_comes_once() {
        let text = || random_text::<16>("none").expect("random numbers");
        assert_eq!(text().len(), 32);
        assert_ne!(text(), text());
    }
}
