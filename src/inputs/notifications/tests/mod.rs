//! The listener over real sockets, with a fake in the agent's place.

mod tls;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::disk::RealDisk;
use crate::model::fault::FaultClass;
use crate::model::notification::{Mention, Named, Noted, Reading, Received};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Something changed.
const UNCLEAR: &str = "Unclear { account: None }";

/// Stands in for the agent and remembers what it is given.
struct Fake {
    secret: Mutex<String>,
    recorded: Mutex<Vec<Mention>>,
    reads: AtomicUsize,
    commits: AtomicUsize,
    counted: Mutex<Received>,
    fails: AtomicBool,
    /// While it is closed, recording blocks.
    gate: (Mutex<bool>, Condvar),
    troubles: Mutex<Vec<Option<String>>>,
}

impl Fake {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            secret: Mutex::new(SECRET.to_owned()),
            recorded: Mutex::default(),
            reads: AtomicUsize::new(0),
            commits: AtomicUsize::new(0),
            counted: Mutex::default(),
            fails: AtomicBool::new(false),
            gate: (Mutex::new(true), Condvar::new()),
            troubles: Mutex::default(),
        })
    }

    fn set_gate(&self, open: bool) {
        *self.gate.0.lock().expect("free") = open;
        self.gate.1.notify_all();
    }

    fn names(&self) -> Vec<String> {
        let all = self.recorded.lock().expect("free");
        let name = |mention: &Mention| match mention {
            Mention::Rx(named) => named.rx.as_str().to_owned(),
            other => format!("{other:?}"),
        };
        all.iter().map(name).collect()
    }

    fn counted(&self) -> Received {
        *self.counted.lock().expect("free")
    }
}

impl Intake for Fake {
    fn secret(&self) -> Result<SecretString, Fault> {
        Ok(self.secret.lock().expect("free").clone().into())
    }

    fn read(&self, body: &[u8], _query: Option<&str>) -> Reading {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let text = String::from_utf8_lossy(body);
        let Some((account, rx)) = text.split_once(' ') else {
            return Reading::unclear(None, "no space in it");
        };
        let named = Named { account: account.parse().ok(), rx: rx.parse().expect("an Rx id") };
        Reading { mentions: vec![Mention::Rx(named)], unreadable: None }
    }

    fn record(
        &self,
        mentions: &[Mention],
        counted: Received,
        keep_count: bool,
    ) -> Result<Recorded, Fault> {
        let mut open = self.gate.0.lock().expect("free");
        while !*open {
            open = self.gate.1.wait(open).expect("free");
        }
        if self.fails.load(Ordering::SeqCst) {
            return Err(Fault::new(FaultClass::Local, "journal", "the disk is full"));
        }
        let known = |mention: &Mention| match mention {
            Mention::Rx(named) => named.account.as_ref().is_some_and(|a| a.as_str() == "1"),
            _ => true,
        };
        let noted: Vec<_> =
            mentions.iter().map(|n| if known(n) { Noted::New } else { Noted::Nobodys }).collect();
        if !mentions.is_empty() {
            self.commits.fetch_add(1, Ordering::SeqCst);
        }
        self.recorded.lock().expect("free").extend(mentions.iter().filter(|n| known(n)).cloned());
        let mut sum = counted;
        sum.add(&Received::of(mentions, &noted, crate::model::time::WallMs(1)));
        let keeps = keep_count || noted.contains(&Noted::New);
        if keeps {
            self.counted.lock().expect("free").add(&std::mem::take(&mut sum));
        }
        Ok(Recorded { noted, uncounted: sum })
    }

    fn trouble(&self, fault: Option<&Fault>) {
        self.troubles.lock().expect("free").push(fault.map(Fault::chain));
    }
}

struct Listening {
    address: SocketAddr,
    fake: Arc<Fake>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

fn free_address() -> SocketAddr {
    StdListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound")
}

fn settings() -> Settings {
    Settings {
        listen: free_address(),
        path: "/itero/".to_owned(),
        tls: None,
        trusted_proxies: Vec::new(),
        care: Duration::from_millis(50),
    }
}

fn start(settings: Settings) -> Listening {
    let (fake, address) = (Fake::new(), settings.listen);
    let (stop, mut stopped) = watch::channel(false);
    let until = async move { drop(stopped.wait_for(|stop| *stop).await) };
    let intake: Arc<dyn Intake> = Arc::<Fake>::clone(&fake);
    let task = tokio::spawn(serve(settings, intake, Arc::new(RealDisk), until));
    Listening { address, fake, stop, task }
}

async fn listen(settings: Settings) -> Listening {
    let listening = start(settings);
    listening.is_up().await;
    listening
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

fn client() -> reqwest::Client {
    crate::http::client::install_provider();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}

impl Listening {
    async fn is_up(&self) {
        let is_up = || self.fake.troubles.lock().expect("free").contains(&None).then_some(());
        wait_for("the listener", is_up).await;
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn post(&self, path: &str, body: &str) -> reqwest::Response {
        let call = client().post(self.url(path)).body(body.to_owned());
        call.send().await.expect("an answer")
    }

    async fn status(&self, path: &str, body: &str) -> u16 {
        self.post(path, body).await.status().as_u16()
    }

    async fn end(self) -> Arc<Fake> {
        self.stop.send_replace(true);
        self.task.await.expect("ended");
        self.fake
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_secret_path_answers_and_others_are_counted() {
    let listening = listen(settings()).await;
    let bare = format!("/{SECRET}");
    let below = format!("/itero/{SECRET}");
    assert_eq!(listening.status(&below, "1 a").await, 200);
    assert_eq!(listening.status(&bare, "1 b").await, 200, "a proxy may strip the path");
    assert_eq!(listening.status(&format!("{below}/"), "1 c").await, 200);
    assert_eq!(listening.fake.names(), ["a", "b", "c"]);
    for path in [
        "/".to_owned(),
        "/itero".to_owned(),
        format!("/other/{SECRET}"),
        format!("/itero/{}", &SECRET[1..]),
        format!("{below}/x"),
        format!("/itero//{SECRET}"),
    ] {
        let answer = listening.post(&path, "1 x").await;
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.bytes().await.expect("a body").len(), 0);
    }
    let answer = client().get(listening.url(&below)).send().await.expect("an answer");
    assert_eq!(
        (answer.status().as_u16(), answer.text().await.expect("text").as_str()),
        (200, "ok\n")
    );
    assert_eq!(listening.status(&below, "").await, 200, "a gateway may have stripped it");
    let put = client().put(listening.url(&below)).send().await.expect("an answer");
    assert_eq!(put.status(), 405);
    let fake = listening.end().await;
    assert_eq!(fake.names()[3..], [UNCLEAR]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_is_answered_and_leaves_no_trace() {
    let listening = listen(settings()).await;
    let path = format!("/itero/{SECRET}");
    let answer = listening.post(&path, &format!("{TEST}\n")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.expect("text"), TESTED);
    let answer = listening.post(&path, "Doe").await;
    assert_eq!(answer.text().await.expect("text"), RECORDED);
    assert_eq!(listening.status("/itero/elsewhere", TEST).await, 404);
    let fake = listening.end().await;
    assert_eq!(fake.names(), [UNCLEAR], "only what was no test");
    assert_eq!((fake.counted().received, fake.counted().unreadable), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_accounts_are_refused_and_unreadable_bodies_are_recorded_and_both_are_counted() {
    let listening = listen(settings()).await;
    let path = format!("/itero/{SECRET}");
    let answer = listening.post(&path, "2 a").await;
    assert_eq!((answer.status().as_u16(), answer.bytes().await.expect("a body").len()), (404, 0));
    let answer = listening.post(&path, "Doe").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(listening.fake.names(), [UNCLEAR], "durable before it is answered");
    let call = client().post(listening.url(&path)).header("content-encoding", "gzip");
    let packed = call.body(super::decode::tests::gzip(b"1 packed")).send().await;
    assert_eq!(packed.expect("an answer").status(), 200);
    assert_eq!(listening.fake.names(), [UNCLEAR, "packed"]);
    let bomb = super::decode::tests::gzip(&vec![b' '; 50_000_000]);
    let call = client().post(listening.url(&path)).header("content-encoding", "gzip");
    assert_eq!(call.body(bomb).send().await.expect("an answer").status(), 200);
    assert_eq!(listening.fake.names(), [UNCLEAR, "packed", UNCLEAR]);
    assert_eq!(listening.status("/elsewhere", "1 a").await, 404);
    assert_eq!(listening.status(&path, "1 a").await, 200);
    let counted = listening.fake.counted();
    assert_eq!(
        (counted.received, counted.refused, counted.unreadable, counted.elsewhere),
        (3, 1, 2, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gathers_during_a_commit_is_committed_together() {
    let listening = listen(settings()).await;
    listening.fake.set_gate(false);
    let mut calls = tokio::task::JoinSet::new();
    let client = client();
    for number in 0..100 {
        let call = client.post(listening.url(&format!("/itero/{SECRET}")));
        let call = call.body(format!("1 {number}")).send();
        calls.spawn(async move { call.await.expect("an answer").status().as_u16() });
    }
    // All of them are in, and none is answered before it is durable.
    wait_for("the calls", || (listening.fake.reads.load(Ordering::SeqCst) == 100).then_some(()))
        .await;
    assert!(calls.try_join_next().is_none());
    listening.fake.set_gate(true);
    while let Some(status) = calls.join_next().await {
        assert_eq!(status.expect("answered"), 200);
    }
    assert_eq!(listening.fake.names().len(), 100);
    let commits = listening.fake.commits.load(Ordering::SeqCst);
    assert!(commits < 20, "{commits} commits for 100 notifications");
    listening.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_is_asked_for_again() {
    let listening = listen(settings()).await;
    let path = format!("/itero/{SECRET}");
    listening.fake.fails.store(true, Ordering::SeqCst);
    let answer = listening.post(&path, "1 a").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "10");
    listening.fake.fails.store(false, Ordering::SeqCst);
    assert_eq!(listening.status(&path, "1 a").await, 200);
    assert_eq!(listening.fake.counted().turned_away, 1);
    listening.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_large_bodies_are_refused_whether_or_not_they_say_so() {
    let listening = listen(settings()).await;
    let address = listening.address;
    let huge = "x".repeat(200_000);
    for head in [
        format!("POST /itero/{SECRET} HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n"),
        format!(
            "POST /itero/{SECRET} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n"
        ),
    ] {
        let huge = huge.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).expect("connected");
            stream.write_all(head.as_bytes()).expect("sent");
            // It may be refused halfway.
            let _ = stream.write_all(huge.as_bytes());
            let mut answer = [0; 12];
            let read = stream.read_exact(&mut answer);
            (read.is_ok(), String::from_utf8_lossy(&answer).into_owned())
        });
        let (is_answered, answer) = answer.await.expect("done");
        // A connection that is closed while more data arrives may lose its answer.
        assert!(!is_answered || answer == "HTTP/1.1 413", "{answer}");
    }
    assert_eq!(listening.status(&format!("/itero/{SECRET}"), "1 a").await, 200);
    assert_eq!(listening.fake.counted().unreadable, 2);
    assert_eq!(listening.fake.names(), [UNCLEAR, UNCLEAR, "a"], "what they said may matter");
    listening.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_say_nothing_do_not_keep_others_out() {
    let listening = listen(settings()).await;
    // Fewer than the limit: the remaining room is for callers that have something to say.
    let slow: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = TcpStream::connect(listening.address).expect("connected");
            stream.write_all(b"POST /").expect("sent");
            stream
        })
        .collect();
    assert_eq!(listening.status(&format!("/itero/{SECRET}"), "1 a").await, 200);
    // And they are disconnected.
    let began = Instant::now();
    tokio::task::spawn_blocking(move || {
        for mut stream in slow {
            stream.set_read_timeout(Some(Duration::from_secs(40))).expect("set");
            let mut rest = Vec::new();
            // A reset ends it, too.
            let _ = stream.read_to_end(&mut rest);
        }
    })
    .await
    .expect("done");
    assert!(began.elapsed() < Duration::from_secs(35), "{:?}", began.elapsed());
    listening.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_idle_connections_than_there_is_room_for_keep_no_notification_out() {
    let listening = listen(settings()).await;
    let address = listening.address;
    // Some say nothing, some start a request and never finish it, some were answered and stay.
    let ping = format!("GET /{SECRET} HTTP/1.1\r\nHost: a\r\n\r\n");
    let idle = tokio::task::spawn_blocking(move || {
        let open = |number: usize| {
            let mut stream = TcpStream::connect(address).expect("connected");
            match number % 3 {
                0 => {}
                1 => stream.write_all(b"POST /").expect("sent"),
                _ => stream.write_all(ping.as_bytes()).expect("sent"),
            }
            stream
        };
        (0..400).map(open).collect::<Vec<_>>()
    });
    let idle = idle.await.expect("done");
    let path = format!("/itero/{SECRET}");
    for number in 0..3 {
        assert_eq!(listening.status(&path, &format!("1 {number}")).await, 200);
    }
    // The notifications did not have to wait for these connections to end.
    let is_open = |stream: &TcpStream| {
        stream.set_nonblocking(true).expect("set");
        let mut bytes = [0; 1024];
        loop {
            match (&*stream).read(&mut bytes) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
            }
        }
    };
    let open = idle.iter().filter(|stream| is_open(stream)).count();
    assert!(open >= CONNECTIONS / 2, "only {open} are left");
    assert!(open <= CONNECTIONS, "{open} at a time");
    listening.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_told_and_tried_again() {
    let other = StdListener::bind("127.0.0.1:0").expect("a port");
    let settings = Settings { listen: other.local_addr().expect("bound"), ..settings() };
    let listening = start(settings.clone());
    wait_for("a second attempt", || {
        (listening.fake.troubles.lock().expect("free").len() > 1).then_some(())
    })
    .await;
    drop(other);
    listening.is_up().await;
    let troubles = listening.fake.troubles.lock().expect("free").clone();
    let first = troubles.first().expect("told").clone().expect("a trouble");
    assert!(first.contains(&settings.listen.to_string()), "{first}");
    assert_eq!(listening.status(&format!("/{SECRET}"), "1 a").await, 200);
    listening.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_made_anew_counts_soon() {
    let listening = listen(settings()).await;
    let other = "fedcba9876543210fedcba9876543210";
    other.clone_into(&mut listening.fake.secret.lock().expect("free"));
    let began = Instant::now();
    while listening.status(&format!("/{other}"), "1 a").await != 200 {
        assert!(began.elapsed() < Duration::from_secs(30));
    }
    assert_eq!(listening.status(&format!("/{SECRET}"), "1 a").await, 404);
    listening.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_at_the_end_is_recorded_before_it() {
    let listening = listen(settings()).await;
    listening.fake.set_gate(false);
    let url = listening.url(&format!("/{SECRET}"));
    let call = tokio::spawn(async move { client().post(url).body("1 a").send().await });
    wait_for("the call", || (listening.fake.reads.load(Ordering::SeqCst) == 1).then_some(())).await;
    listening.stop.send_replace(true);
    listening.fake.set_gate(true);
    let answer = call.await.expect("done").expect("an answer");
    assert_eq!(answer.status(), 200);
    let fake = listening.end().await;
    assert_eq!(fake.names(), ["a"]);
}
