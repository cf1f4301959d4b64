//! Reaching a server through a proxy, and what is reported when the proxy refuses.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use casedrop::align::AlignClient;
use casedrop::config::{NamedProxy, ProxyConfig};
use casedrop::model::cancel::Cancel;
use casedrop::model::fault::{Fault, FaultClass};
use casedrop::model::remote::Remote;
use serde_json::Value;

use crate::fixture::Lab;
use crate::tls::server;

const INSPECTION: &[u8] = include_bytes!("../data/tls/inspection.pem");
const CERTIFICATE: &[u8] = include_bytes!("../data/tls/inspected.pem");
const KEY: &[u8] = include_bytes!("../data/tls/inspected.key.pem");
/// A name that only the proxy can resolve.
const NAME: &str = "align.casedrop.test";
/// `user:word` in base64.
const LOGIN: &str = "Basic dXNlcjp3b3Jk";

#[derive(Clone, Copy)]
enum Policy {
    Open,
    WithLogin,
    Closed,
}

/// A proxy in front of one server; records the heads of its requests.
struct HttpProxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl HttpProxy {
    fn start(behind: u16, policy: Policy) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heads);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, kept) = (stream.expect("a connection"), Arc::clone(&kept));
                // Clients may hang up at any time.
                thread::spawn(move || pass(stream, behind, policy, &kept));
            }
        });
        Self { port, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("heads").clone()
    }

    fn named(&self) -> NamedProxy {
        let url = format!("http://127.0.0.1:{}", self.port).parse().expect("a URL");
        NamedProxy { url, login: None, except: None }
    }
}

fn pass(
    client: TcpStream,
    behind: u16,
    policy: Policy,
    kept: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    kept.lock().expect("heads").push(head.clone());
    let mut client = client;
    let refusal = match policy {
        Policy::Closed => Some("403 Forbidden"),
        Policy::WithLogin if !head.contains(LOGIN) => Some("407 Proxy Authentication Required"),
        Policy::Open | Policy::WithLogin => None,
    };
    if let Some(refusal) = refusal {
        return client.write_all(format!("HTTP/1.1 {refusal}\r\n\r\n").as_bytes());
    }
    let mut server = TcpStream::connect(("127.0.0.1", behind))?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let (mut from_server, mut to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
    // What arrived after the head is already in the reader.
    std::io::copy(&mut reader, &mut server)?;
    server.shutdown(Shutdown::Write)
}

fn client(lab: &Lab, proxy: NamedProxy, authority: Option<&[u8]>) -> AlignClient {
    lab.another_with(|settings| {
        settings.base_url = format!("https://{NAME}/").parse().expect("a URL");
        settings.oauth_base = settings.base_url.clone();
        settings.allowed_hosts = vec![NAME.to_owned()];
        settings.outgoing.ca_pem = authority.map(<[u8]>::to_vec);
        settings.outgoing.proxy = ProxyConfig::Named(proxy);
    })
}

fn refused(client: &AlignClient) -> Fault {
    client.ready_orders(&Cancel::new()).expect_err("not let through")
}

#[test]
#[cfg_attr(windows, ignore = "Wine takes no further authorities (api.ca_file)")]
fn orders_come_through_a_tunnel_that_shows_the_proxy_no_token() {
    let (lab, proxy) =
        (Lab::new(|_| None), HttpProxy::start(server(CERTIFICATE, KEY), Policy::Open));
    let client = client(&lab, proxy.named(), Some(INSPECTION));
    assert_eq!(client.ready_orders(&Cancel::new()).expect("let through").orders, []);
    let heads = proxy.heads();
    assert!(!heads.is_empty());
    for head in heads {
        assert!(head.starts_with(&format!("CONNECT {NAME}:443 HTTP/1.1\r\n")), "{head}");
        assert!(!head.contains("Bearer") && !head.contains("access-"), "{head}");
    }
}

#[test]
#[cfg_attr(windows, ignore = "Wine does not say why it trusts a chain not")]
fn an_inspection_whose_authority_is_unknown_is_told_with_the_way_out() {
    let (lab, proxy) =
        (Lab::new(|_| None), HttpProxy::start(server(CERTIFICATE, KEY), Policy::Open));
    let fault = refused(&client(&lab, proxy.named(), None));
    assert_eq!((fault.class, fault.code), (FaultClass::Transient, "tls"));
    let text =
        format!("the certificate of {NAME} is not signed by an authority that this PC knows");
    assert!(fault.message.contains(&text), "{}", fault.message);
    assert!(fault.hint.expect("a hint").contains("certificate store"));
}

#[test]
#[cfg_attr(windows, ignore = "Wine takes no further authorities (api.ca_file)")]
fn a_proxy_that_asks_for_a_login_gets_that_of_the_config() {
    let (lab, proxy) =
        (Lab::new(|_| None), HttpProxy::start(server(CERTIFICATE, KEY), Policy::WithLogin));
    let fault = refused(&client(&lab, proxy.named(), Some(INSPECTION)));
    assert_eq!((fault.class, fault.code), (FaultClass::Transient, "proxy"));
    assert!(fault.hint.expect("a hint").contains("api.proxy_credentials_file"));
    let login = Some(("user".to_owned(), "word".into()));
    let with_login = client(&lab, NamedProxy { login, ..proxy.named() }, Some(INSPECTION));
    assert_eq!(with_login.ready_orders(&Cancel::new()).expect("let through").orders, []);
}

#[test]
fn a_proxy_that_does_not_let_pass_is_told_as_such() {
    let lab = Lab::new(|_| None);
    let closed = HttpProxy::start(1, Policy::Closed);
    let fault = refused(&client(&lab, closed.named(), None));
    assert_eq!((fault.class, fault.code), (FaultClass::Transient, "proxy"));
    assert!(fault.message.contains(&format!("does not connect to {NAME}")), "{}", fault.message);
    // A port that no one listens on any more.
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let url = format!("http://{gone}").parse().expect("a URL");
    let fault = refused(&client(&lab, NamedProxy { url, ..closed.named() }, None));
    assert_eq!(fault.code, "connect");
    assert!(fault.message.contains(&format!("the proxy http://{gone}")), "{}", fault.message);
    assert!(fault.hint.expect("a hint").contains("api.proxy"));
}

#[test]
fn this_pc_and_the_exceptions_are_reached_without_the_proxy() {
    let (lab, proxy) = (Lab::new(|_| None), HttpProxy::start(1, Policy::Closed));
    let here = lab.another_with(|settings| {
        settings.outgoing.proxy = ProxyConfig::Named(proxy.named());
    });
    assert_eq!(here.ready_orders(&Cancel::new()).expect("reached").orders.len(), 1);
    let except = Some("casedrop.test".to_owned());
    refused(&client(&lab, NamedProxy { except, ..proxy.named() }, None));
    assert_eq!(proxy.heads(), Vec::<String>::new());
}

/// Returns the warning of `casedrop check` about `labs[0].base_url`.
fn check(api: &str, env: &[(&str, String)]) -> Option<String> {
    let dir = tempfile::tempdir().expect("temporary folder");
    std::fs::write(dir.path().join("inspection.pem"), INSPECTION).expect("written");
    std::fs::write(dir.path().join("proxy.secret"), "user:word\n").expect("written");
    let config = format!(
        "output: orders\nstate: state\nsecrets: file\nretention: {{ min_free: 0 }}\nstatus_page: {{ listen: \
         null }}\nlabs:\n  - name: smile-lab\n    oauth_base: https://{NAME}\n    base_url: https://{NAME}\n    \
         client_id: abc\n    redirect_url: https://lab.example/cb\napi:\n  allowed_hosts: [{NAME}]\n  \
         ca_file: inspection.pem\n{api}"
    );
    std::fs::write(dir.path().join("casedrop.yaml"), config).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_casedrop"));
    command.args(["check", "--json"]).current_dir(dir.path());
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    command.envs(env.iter().map(|(name, value)| (name, value)));
    let output = command.output().expect("ran");
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(0), "{found}");
    let warnings = found["warnings"].as_array().expect("a list");
    let about = warnings.iter().find(|warning| warning["key"] == "labs[0].base_url");
    about.map(|warning| format!("{}\n{}", warning["reason"], warning["hint"]))
}

#[test]
#[cfg_attr(windows, ignore = "Wine takes no further authorities (api.ca_file)")]
fn the_config_or_the_environment_name_the_proxy() {
    let proxy = HttpProxy::start(server(CERTIFICATE, KEY), Policy::WithLogin);
    let port = proxy.port;
    let named = format!("  proxy: http://127.0.0.1:{port}\n");
    let told = check(&named, &[]).expect("a warning");
    assert!(told.contains("the proxy asks for a user"), "{told}");
    let with_file = format!("{named}  proxy_credentials_file: proxy.secret\n");
    assert_eq!(check(&with_file, &[]), None);
    let variable = |login: &str| [("HTTPS_PROXY", format!("http://{login}127.0.0.1:{port}"))];
    assert_eq!(check("", &variable("user:word@")), None);
    let before = proxy.heads().len();
    let told = check("  proxy: none\n", &variable("user:word@")).expect("a warning");
    assert!(told.contains(NAME), "{told}");
    let mut except = variable("").to_vec();
    except.push(("NO_PROXY", NAME.to_owned()));
    check(&with_file, &except).expect("a warning");
    assert_eq!(proxy.heads().len(), before, "neither went through the proxy");
}
