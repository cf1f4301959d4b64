use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

use casedrop::align::AlignClient;
use casedrop::model::cancel::Cancel;
use casedrop::model::fault::FaultClass;
use casedrop::model::remote::Remote;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::fixture::Lab;

const AUTHORITY: &[u8] = include_bytes!("../data/tls/authority.pem");
const CERTIFICATE: &[u8] = include_bytes!("../data/tls/server.pem");
const KEY: &[u8] = include_bytes!("../data/tls/server.key.pem");

/// Answers every call with an empty list, over TLS.
pub(crate) fn server(certificate: &[u8], key: &[u8]) -> u16 {
    let certificate = CertificateDer::from_pem_slice(certificate).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(key).expect("a key");
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a matching key");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream =
                BufReader::new(StreamOwned::new(connection, stream.expect("accepted")));
            let mut line = String::new();
            // A client that does not trust us hangs up here.
            while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]";
            let tls = stream.get_mut();
            let _ = tls.write_all(answer.as_bytes()).and_then(|()| tls.flush());
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    });
    port
}

fn client(lab: &Lab, authority: Option<&[u8]>) -> AlignClient {
    let base = format!("https://127.0.0.1:{}/", server(CERTIFICATE, KEY));
    lab.another_with(|settings| {
        settings.base_url = base.parse().expect("a URL");
        settings.outgoing.ca_pem = authority.map(<[u8]>::to_vec);
    })
}

#[test]
fn an_authority_from_the_config_is_trusted() {
    let lab = Lab::new(|_| None);
    let client = client(&lab, Some(AUTHORITY));
    assert_eq!(client.ready_orders(&Cancel::new()).expect("trusted").orders, []);
}

#[test]
fn a_server_that_nobody_vouches_for_gets_no_token() {
    let lab = Lab::new(|_| None);
    let fault = client(&lab, None).ready_orders(&Cancel::new()).expect_err("not trusted");
    assert_eq!((fault.class, fault.code), (FaultClass::Transient, "tls"));
    let hint = fault.hint.expect("a hint");
    let text = fault.message;
    assert!(text.contains("is not signed by an authority that this PC knows"), "{text}");
    assert!(hint.contains("machine's certificate store") && hint.contains("api.ca_file"), "{hint}");
}
