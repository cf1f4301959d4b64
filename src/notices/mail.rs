//! Sends mail over SMTP.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use secrecy::{ExposeSecret as _, SecretString};

/// Timeout for each answer of the server.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Timeout for a whole mail.
const WHOLE: Duration = Duration::from_mins(2);

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS via STARTTLS; a server without it gets nothing.
    Starttls,
    /// TLS from the start.
    Tls,
    None,
}

/// A mail server with sender and recipients.
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    server: String,
    from: Mailbox,
    to: Vec<Mailbox>,
}

/// How to reach a mail server.
pub struct Server {
    pub name: String,
    pub port: u16,
    pub security: Security,
    /// User and password, if required.
    pub login: Option<(String, SecretString)>,
    /// Certificate authorities trusted in addition to the system's, as PEM.
    pub ca_pem: Option<Vec<u8>>,
}

impl Mail {
    /// Creates the transport without connecting.
    ///
    /// # Errors
    /// TLS cannot be set up on this PC.
    pub fn new(server: Server, from: Mailbox, to: Vec<Mailbox>) -> Result<Self, String> {
        let tls = || -> Result<TlsParameters, lettre::transport::smtp::Error> {
            let mut parameters = TlsParameters::builder(server.name.clone());
            if let Some(pem) = &server.ca_pem {
                parameters = parameters.add_root_certificate(Certificate::from_pem(pem)?);
            }
            parameters.build()
        };
        let tls = match server.security {
            Security::None => Ok(Tls::None),
            Security::Starttls => tls().map(Tls::Required),
            Security::Tls => tls().map(Tls::Wrapper),
        };
        let tls = tls.map_err(|error| format!("cannot set up TLS: {}", chain(&error)))?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&server.name)
            .port(server.port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let Some((user, password)) = server.login {
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(user, password));
        }
        let shown = format!("{}:{}", server.name, server.port);
        Ok(Self { transport: builder.build(), server: shown, from, to })
    }

    /// Sends one mail to all recipients.
    ///
    /// # Errors
    /// Why the server did not accept it.
    pub async fn send(&self, subject: &str, text: String) -> Result<(), String> {
        let message = self.message(subject, text)?;
        let server = &self.server;
        match tokio::time::timeout(WHOLE, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("{server} did not accept the mail: {}", chain(&error))),
            Err(_) => Err(format!("{server} took too long")),
        }
    }

    fn message(&self, subject: &str, text: String) -> Result<Message, String> {
        let id = format!("<{:032x}@{}>", fastrand::u128(..), self.from.email.domain());
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .message_id(Some(id))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        let mut message =
            builder.body(text).map_err(|error| format!("the mail cannot be written: {error}"))?;
        // Keeps machines from replying (RFC 3834).
        message.headers_mut().insert_raw(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
        Ok(message)
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_plain_text_that_no_machine_answers() {
        let server = Server {
            name: "localhost".to_owned(),
            port: 25,
            security: Security::None,
            login: Some(("user".to_owned(), "s3cret".into())),
            ca_pem: None,
        };
        let address = |text: &str| text.parse::<Mailbox>().expect("an address");
        let to = vec![address("a@lab.example"), address("Büro <b@lab.example>")];
        let mail = Mail::new(server, address("Casedrop <c@lab.example>"), to).expect("set up");
        let message = mail.message("Casedrop: 1 order", "Grüße\n".to_owned()).expect("written");
        let text = String::from_utf8(message.formatted()).expect("ASCII");
        for part in [
            "Auto-Submitted: auto-generated\r\n",
            "Subject: Casedrop: 1 order\r\n",
            "a@lab.example",
            "b@lab.example",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Message-ID: <",
            "Date: ",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(!text.contains("s3cret"));
    }
}
