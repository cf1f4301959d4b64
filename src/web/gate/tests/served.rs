//! The gate over real sockets.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener as StdListener, TcpStream};
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::disk::RealDisk;
use casedrop_testing::certificate::{Made, make};

const YEAR: Duration = Duration::from_hours(365 * 24);

type Told = Arc<Mutex<Vec<Result<SocketAddr, String>>>>;

struct Served {
    page: Page,
    told: Told,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

fn any_port() -> Settings {
    settings("127.0.0.1:0")
}

fn start(settings: Settings) -> Served {
    let page = Page::new(&settings);
    let told = Told::default();
    let (stop, mut stopped) = watch::channel(false);
    let until = async move { drop(stopped.wait_for(|stop| *stop).await) };
    let telling = Arc::clone(&told);
    let tell = move |news: Result<SocketAddr, &Fault>| {
        telling.lock().expect("free").push(news.map_err(Fault::chain));
    };
    let router = page.router.clone();
    let task =
        tokio::spawn(async move { serve(settings, router, Arc::new(RealDisk), tell, until).await });
    Served { page, told, stop, task }
}

async fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn client(trusted: Option<&Made>) -> reqwest::Client {
    crate::http::client::install_provider();
    let builder = reqwest::Client::builder().no_proxy();
    let builder = match trusted {
        Some(made) => {
            let pem = made.certificate.as_bytes();
            builder.tls_certs_only([reqwest::Certificate::from_pem(pem).expect("PEM")])
        }
        None => builder.tls_certs_only([]),
    };
    builder.redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

impl Served {
    async fn address(&self) -> SocketAddr {
        let listens = || self.told.lock().expect("free").iter().find_map(|news| news.clone().ok());
        wait_for("the page", listens).await
    }

    async fn end(self) -> Told {
        self.stop.send_replace(true);
        self.task.await.expect("ended");
        self.told
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_on_any_port_and_says_on_which() {
    let served = start(any_port());
    let at = served.address().await;
    assert_ne!(at.port(), 0);
    let url = any_port().url(at);
    assert_eq!(url, format!("http://{at}/"));
    let answer = client(None).get(&url).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["set-cookie"].to_str().expect("text").contains("HttpOnly"));
    let evil = client(None).get(&url).header("host", "evil.example").send().await;
    assert_eq!(evil.expect("an answer").status(), 421);
    // HTTP/1.0 may name no host at all.
    let bare = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(at).expect("connected");
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    });
    let bare = bare.await.expect("done");
    assert!(bare.starts_with("HTTP/1.0 400") && bare.contains("nosniff"), "{bare}");
    assert_eq!(served.end().await.lock().expect("free").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_told_once_and_tried_again() {
    let other = StdListener::bind("127.0.0.1:0").expect("a port");
    let listen = other.local_addr().expect("bound");
    let served = start(Settings { listen, ..any_port() });
    let told = wait_for("the trouble", || served.told.lock().expect("free").first().cloned()).await;
    let trouble = told.expect_err("taken");
    assert!(trouble.contains(&format!("cannot be shown at {listen}")), "{trouble}");
    drop(other);
    assert_eq!(served.address().await, listen);
    let told = served.end().await;
    assert_eq!(told.lock().expect("free").len(), 2, "the trouble, and its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_goes_on_for_ever_keeps_the_agent_from_ending() {
    let served = start(any_port());
    let url = format!("http://{}/events", served.address().await);
    let mut events = client(None).get(url).send().await.expect("an answer");
    served.page.events.send_replace(7);
    let first = events.chunk().await.expect("read").expect("an event");
    assert_eq!(&first[..], b"data: 7\n\n");
    // It would wait forever if the stream could hold it up.
    served.end().await;
    assert!(!matches!(events.chunk().await, Ok(Some(_))), "it is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_end_with_the_session() {
    let served = start(Settings { password_hash: Some(cheap(PASSWORD)), ..any_port() });
    let at = served.address().await;
    let session = served.page.signed_in().await;
    let get = client(None).get(format!("http://{at}/events")).header("cookie", &session.cookie);
    let mut events = get.send().await.expect("an answer");
    assert_eq!(events.status(), 200);
    served.page.events.send_replace(1);
    assert!(events.chunk().await.expect("read").is_some());
    let out = form("/logout", "").header("cookie", &session.cookie);
    assert_eq!(served.page.send(out).await.status, 200);
    served.page.events.send_replace(2);
    assert_eq!(events.chunk().await.expect("an end"), None);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_connections_waits_outside() {
    let served = start(any_port());
    let at = served.address().await;
    let flood: Vec<_> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(at).expect("connected");
            stream.write_all(b"GET / HT").expect("sent");
            stream
        })
        .collect();
    // The first ones, as many as fit, time out; then others get their turn.
    let answer = client(None).get(format!("http://{at}/health/live")).send().await;
    assert_eq!(answer.expect("an answer").status(), 200);
    drop(flood);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_used_without_a_restart() {
    let dir = tempfile::tempdir().expect("tempdir");
    let at = |name: &str| dir.path().join(name);
    let files = TlsFiles { certificate: at("certificate.pem"), key: at("key.pem") };
    let served = start(Settings { tls: Some(files.clone()), ..any_port() });
    let trouble = wait_for("the trouble", || served.told.lock().expect("free").first().cloned());
    assert!(trouble.await.expect_err("missing").contains("certificate.pem"));
    let first = make(YEAR);
    first.write(&files.certificate, &files.key);
    let url = format!("https://{}/", served.address().await);
    let get = |made: &Made| client(Some(made)).get(&url).send();
    let answer = get(&first).await.expect("trusted");
    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    assert!(cookie.starts_with("__Host-casedrop_session=") && cookie.contains("; Secure"));
    let second = make(YEAR);
    assert!(get(&second).await.is_err(), "not this one");
    second.write(&files.certificate, &files.key);
    let began = Instant::now();
    while get(&second).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(30), "the new one is never used");
    }
    let plain = client(None).get(url.replace("https", "http")).send().await;
    assert!(plain.is_err(), "nothing is said unencrypted");
    served.end().await;
}
