//! Explains what blocks the way from this PC to a server, so that it can be fixed.

use std::error::Error;

use rustls::CertificateError;

/// Why a server was not reached, if certificates or a proxy are to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// A stable word: `tls` or `proxy`.
    pub code: &'static str,
    /// What is wrong.
    pub reason: String,
    /// What to do about it.
    pub hint: String,
}

/// Searches the causes of an error for such a reason.
pub fn trouble(host: &str, error: &(dyn Error + 'static)) -> Option<Trouble> {
    if let Some(error) = find_tls(error) {
        let (reason, hint) = certificate(host, error);
        return Some(Trouble { code: "tls", reason, hint: hint.to_owned() });
    }
    // The client's own error type is not public.
    let text = std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .find(|text| text.starts_with("tunnel error"))?;
    if text.contains("underlying connection") {
        // The proxy itself was not reached.
        return None;
    }
    let (reason, hint) = if text.contains("authorization required") {
        let hint = "set `api.proxy_credentials_file` to a file that contains user:password, and \
                    `api.proxy` to the proxy; or ask your IT to let this PC through without a \
                    login";
        ("the proxy asks for a user and a password".to_owned(), hint)
    } else {
        let hint = "ask your IT to let this PC connect to that host at port 443 through the proxy; \
                    `api.proxy` says which proxy is used";
        (format!("the proxy does not connect to {host}"), hint)
    };
    Some(Trouble { code: "proxy", reason, hint: hint.to_owned() })
}

/// Says why a server was not reached, with the causes. The error must have no URL, which may be
/// secret.
pub fn unreached(host: &str, error: &(dyn Error + 'static)) -> String {
    if let Some(trouble) = trouble(host, error) {
        return format!("{}: {}", trouble.reason, trouble.hint);
    }
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.fold(format!("cannot reach {host}"), |text, cause| format!("{text}: {cause}"))
}

fn certificate(host: &str, error: &rustls::Error) -> (String, &'static str) {
    let rustls::Error::InvalidCertificate(error) = error else {
        let hint = "if this PC or network inspects https (antivirus, firewall, proxy), let this \
                    host pass unchanged, or set `api.ca_file` to the inspection's certificate \
                    authority";
        return (format!("no trusted connection to {host}"), hint);
    };
    match error {
        CertificateError::UnknownIssuer => (
            format!("the certificate of {host} is not signed by an authority that this PC knows"),
            "if this PC or network inspects https (antivirus, firewall, proxy), put the \
             certificate authority of the inspection into the machine's certificate store, or set \
             `api.ca_file` to its PEM file",
        ),
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => (
            format!("the certificate of {host} is not valid at this time"),
            "check this PC's date and clock; if they are right, the server's certificate has expired",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            format!("the received certificate is not for {host}"),
            "check the address in the config; a proxy or a login page of the network may answer in the \
             server's place",
        ),
        _ => (
            format!("the certificate of {host} cannot be trusted"),
            "if this PC or network inspects https (antivirus, firewall, proxy), let this host pass \
             unchanged, or set `api.ca_file` to the inspection's certificate authority",
        ),
    }
}

fn find_tls<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    if let Some(found) = error.downcast_ref::<rustls::Error>() {
        return Some(found);
    }
    // The `source` of an I/O error skips the error that it wraps.
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => find_tls(inner),
        None => error.source().and_then(find_tls),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(error: CertificateError) -> Trouble {
        let error = std::io::Error::other(rustls::Error::InvalidCertificate(error));
        trouble("align.example", &error).expect("about certificates")
    }

    #[test]
    fn each_fault_of_a_certificate_has_its_own_way_out() {
        let unknown = of(CertificateError::UnknownIssuer);
        assert!(
            unknown.reason.contains("align.example") && unknown.reason.contains("this PC knows")
        );
        assert!(unknown.hint.contains("certificate store") && unknown.hint.contains("api.ca_file"));
        assert!(of(CertificateError::Expired).hint.contains("clock"));
        assert!(of(CertificateError::NotValidForName).reason.contains("not for align.example"));
        assert!(of(CertificateError::Revoked).reason.contains("cannot be trusted"));
        let handshake = rustls::Error::HandshakeNotComplete;
        assert_eq!(trouble("h", &handshake).expect("TLS").reason, "no trusted connection to h");
    }

    #[test]
    fn a_server_that_is_not_reached_is_named_with_the_cause() {
        let error = std::io::Error::other("reset");
        assert_eq!(unreached("h", &error), "cannot reach h: reset");
        let error = rustls::Error::HandshakeNotComplete;
        assert!(unreached("h", &error).starts_with("no trusted connection to h: if this PC"));
    }

    #[test]
    fn other_errors_are_left_to_others() {
        assert_eq!(trouble("h", &std::io::Error::other("reset")), None);
    }
}
