//! `casedrop hash-password`: the hash that the config holds in place of the status page's password.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::{CliError, Exit, Streams};
use crate::password;

/// Prompts for a text without echoing it.
pub type AskUnseen<'a> = &'a dyn Fn(&str) -> io::Result<String>;

/// Prompts at the process's own terminal; `None` if standard input is not one.
pub(super) fn terminal() -> Option<AskUnseen<'static>> {
    fn ask(prompt: &str) -> io::Result<String> {
        let terminal = ::console::Term::stderr();
        if !terminal.is_term() {
            // The terminal would echo the input.
            return Err(io::Error::other("standard error is not a terminal"));
        }
        terminal.write_str(prompt)?;
        terminal.read_secure_line()
    }
    io::stdin().is_terminal().then_some(&ask)
}

/// Reads a password, twice if a person types it, and prints its hash.
pub fn run(ask: Option<AskUnseen<'_>>, streams: &mut Streams) -> Result<Exit, CliError> {
    let hash = password::hash(read(ask, streams)?.expose_secret())?;
    if streams.json {
        streams.json(&json!({ "password_hash": hash }))?;
        return Ok(Exit::Ok);
    }
    streams.line(&hash)?;
    streams.note(
        "Put it into the config, in single quotes, and restart the agent:\n\
         status_page:\n  password_hash: '…'",
    );
    Ok(Exit::Ok)
}

fn read(ask: Option<AskUnseen<'_>>, streams: &mut Streams) -> Result<SecretString, CliError> {
    let unreadable = |error: io::Error| {
        CliError::new(Exit::Failed, format!("cannot read the password: {error}"))
            .hint("type it at a terminal, or give it as one line on standard input")
    };
    let Some(ask) = ask else {
        let mut line = String::new();
        let most = u64::try_from(password::MOST_BYTES).unwrap_or(u64::MAX) + 3;
        streams.input.by_ref().take(most).read_line(&mut line).map_err(unreadable)?;
        let password = line.strip_suffix('\n').unwrap_or(&line);
        return Ok(password.strip_suffix('\r').unwrap_or(password).into());
    };
    let password: SecretString = ask("Password for the status page: ").map_err(unreadable)?.into();
    let again: SecretString = ask("Repeat the password: ").map_err(unreadable)?.into();
    if password.expose_secret() != again.expose_secret() {
        return Err(CliError::new(Exit::Failed, "the passwords do not match").hint("try again"));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::password::PasswordHash;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("free").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("free").clone()).expect("text")
        }
    }

    fn hash(ask: Option<AskUnseen<'_>>, input: &str, json: bool) -> Result<String, CliError> {
        let (out, err) = (Sink::default(), Sink::default());
        let mut streams = Streams {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            input: Box::new(Cursor::new(input.to_owned())),
            json,
            terminal: false,
        };
        run(ask, &mut streams)?;
        assert_eq!(err.text().contains("password_hash"), !json);
        Ok(out.text())
    }

    fn is_of(out: &str, password: &str) -> bool {
        let hash: PasswordHash = out.trim_end().parse().expect("a hash and nothing else");
        hash.is_of(password.as_bytes())
    }

    #[test]
    fn a_line_of_standard_input_is_hashed_without_its_end() {
        for input in ["correct horse", "correct horse\n", "correct horse\r\nmore"] {
            assert!(is_of(&hash(None, input, false).expect("hashed"), "correct horse"));
        }
        let json = hash(None, "correct horse ", true).expect("hashed");
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert!(is_of(json["password_hash"].as_str().expect("text"), "correct horse "));
    }

    #[test]
    fn a_person_types_it_twice() {
        let same = |_: &str| Ok("correct horse".to_owned());
        assert!(is_of(&hash(Some(&same), "", false).expect("hashed"), "correct horse"));
        let differs = |prompt: &str| Ok(format!("correct horse {prompt}"));
        let error = hash(Some(&differs), "", false).expect_err("refused");
        assert!(error.to_string().contains("do not match") && !error.to_string().contains("horse"));
        let none = |_: &str| Err(io::Error::other("no terminal"));
        assert!(hash(Some(&none), "", false).expect_err("refused").to_string().contains("hint"));
    }

    #[test]
    fn a_short_password_is_refused() {
        for input in ["", "\n", "short\n"] {
            let error = hash(None, input, false).expect_err("refused").to_string();
            assert!(error.contains("at least 8"), "{error}");
        }
    }
}
