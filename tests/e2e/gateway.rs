//! A gateway between the agent and Align: forwards all calls, and answers in Align's place on
//! request, for single files or for everything.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Longest request head accepted.
const MAX_HEAD: usize = 64 * 1024;
const ZIP: &[u8] = b"PK\x03\x04";

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Does {
    /// An answer instead of Align's.
    Answer(Answer),
    /// No answer, on an open connection.
    Silence,
    Reset,
    /// The head and the beginning of a body, then nothing, on an open connection.
    Stall,
    /// The head, and a body at one byte per second.
    Trickle,
    /// The connection is closed before the end of the body.
    CutShort,
    /// An endless body at this many bytes per second.
    Endless(u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    content_type: &'static str,
    retry_after: Option<u64>,
    body: Vec<u8>,
}

impl Answer {
    pub fn plain(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Does {
        Does::Answer(Self { status, content_type, retry_after: None, body: body.into() })
    }

    /// An error as Align sends it.
    pub fn error(status: u16) -> Does {
        Self::plain(status, "application/json", r#"{"error":"Injected","message":"no luck"}"#)
    }

    /// An error with a `Retry-After`.
    pub fn error_for(status: u16, seconds: u64) -> Does {
        let Does::Answer(answer) = Self::error(status) else { unreachable!("it is one") };
        Does::Answer(Self { retry_after: Some(seconds), ..answer })
    }

    /// An HTML page.
    pub fn page(status: u16) -> Does {
        let text = "<!doctype html><html><body><h1>The gateway cannot help you</h1></body></html>";
        Self::plain(status, "text/html; charset=utf-8", text)
    }
}

/// Whether and how connections are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Open,
    /// No one listens.
    Shut,
    /// Connections are reset at once.
    Slammed,
    /// Connections are accepted, but nothing sent there is answered.
    Deaf,
    /// The server there does not speak HTTP.
    Babble,
}

#[derive(Debug, Default)]
struct Orders {
    everything: Option<Does>,
    downloads: Option<Does>,
    files: BTreeMap<(String, String), Does>,
    /// How often each file was requested.
    asked: BTreeMap<(String, String), u32>,
}

/// A gateway in front of a server. Dropping it stops it.
pub struct Gateway {
    address: SocketAddr,
    orders: Arc<Mutex<Orders>>,
    door: watch::Sender<Door>,
    /// Whether it is listening.
    listens: watch::Receiver<bool>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Gateway {
    /// Starts a gateway on its own port that forwards everything to `server`.
    pub fn before(server: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("gateway")
            .enable_all()
            .build()
            .expect("runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("bound");
        let orders = Arc::<Mutex<Orders>>::default();
        let (door, doors) = watch::channel(Door::Open);
        let (told, listens) = watch::channel(true);
        runtime.spawn(keep(listener, address, server, Arc::clone(&orders), doors, told));
        Self { address, orders, door, listens, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what becomes of one file of an order: `IDE`, `IMAGE_GALLERY` or `SCREEN_CAPTURES`.
    pub fn file(&self, order: &str, asset: &str, does: Does) {
        self.orders().files.insert((order.to_owned(), asset.to_owned()), does);
    }

    /// Sets what becomes of all files of all orders.
    pub fn downloads(&self, does: Does) {
        self.orders().downloads = Some(does);
    }

    /// Sets what becomes of all calls.
    pub fn everything(&self, does: Does) {
        self.orders().everything = Some(does);
    }

    /// Sets what becomes of connections; returns once it is in effect.
    pub fn door(&self, door: Door) {
        self.door.send_replace(door);
        let mut listens = self.listens.clone();
        let wanted = door != Door::Shut;
        let runtime = self.runtime.as_ref().expect("running");
        runtime.block_on(listens.wait_for(|is| *is == wanted)).expect("it lives");
    }

    /// Forwards everything again. Calls that hang keep hanging.
    pub fn pass(&self) {
        {
            let mut orders = self.orders();
            orders.everything = None;
            orders.downloads = None;
            orders.files.clear();
        }
        self.door(Door::Open);
    }

    /// How often a file was requested.
    pub fn asked(&self, order: &str, asset: &str) -> u32 {
        let file = (order.to_owned(), asset.to_owned());
        self.orders().asked.get(&file).copied().unwrap_or_default()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Listens unless the door is shut.
async fn keep(
    first: TcpListener,
    address: SocketAddr,
    server: SocketAddr,
    orders: Arc<Mutex<Orders>>,
    mut doors: watch::Receiver<Door>,
    told: watch::Sender<bool>,
) {
    let mut listener = Some(first);
    loop {
        let door = *doors.borrow_and_update();
        if door == Door::Shut {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        told.send_replace(listener.is_some());
        let changed = match &listener {
            Some(open) => tokio::select! {
                changed = doors.changed() => changed,
                accepted = open.accept() => {
                    if let Ok((stream, _)) = accepted {
                        tokio::spawn(receive(stream, door, server, Arc::clone(&orders)));
                    }
                    continue;
                }
            },
            // Another program may have taken the port briefly.
            None if door != Door::Shut => {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            None => doors.changed().await,
        };
        if changed.is_err() {
            return;
        }
    }
}

async fn receive(stream: TcpStream, door: Door, server: SocketAddr, orders: Arc<Mutex<Orders>>) {
    // A client that hangs up early is fine.
    let _ = match door {
        Door::Slammed | Door::Shut => reset(stream),
        Door::Deaf => be_deaf(stream).await,
        Door::Babble => babble(stream).await,
        Door::Open => serve(stream, server, &orders).await,
    };
}

/// Serves one call, since each has its own connection.
async fn serve(
    mut stream: TcpStream,
    server: SocketAddr,
    orders: &Mutex<Orders>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (head, rest) = read_head(&mut stream).await?;
    let does = {
        let orders = &mut *orders.lock().unwrap_or_else(PoisonError::into_inner);
        let file = file_of(&head);
        if let Some(file) = &file {
            *orders.asked.entry(file.clone()).or_default() += 1;
        }
        let of_file = file.as_ref().and_then(|file| orders.files.get(file));
        let of_all = orders.downloads.as_ref().filter(|_| file.is_some());
        of_file.or(of_all).or(orders.everything.as_ref()).cloned()
    };
    match does {
        None => pass_on(stream, server, &head, &rest).await,
        Some(Does::Answer(answer)) => send(&mut stream, &answer).await,
        Some(Does::Silence) => be_deaf(stream).await,
        Some(Does::Reset) => reset(stream),
        Some(Does::Stall) => {
            begin_zip(&mut stream, Some(1_000_000)).await?;
            be_deaf(stream).await
        }
        Some(Does::Trickle) => {
            begin_zip(&mut stream, Some(1_000_000)).await?;
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                stream.write_all(&[0]).await?;
            }
        }
        Some(Does::CutShort) => begin_zip(&mut stream, Some(1_000_000)).await,
        Some(Does::Endless(rate)) => pour(&mut stream, rate).await,
    }
}

async fn read_head(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            read.truncate(end);
            return Ok((String::from_utf8_lossy(&read).into_owned(), rest));
        }
        if read.len() > MAX_HEAD || stream.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The file that a request asks for: the order and the asset.
fn file_of(head: &str) -> Option<(String, String)> {
    let target = head.split(' ').nth(1)?.split('?').next()?;
    let mut parts = target.rsplit('/');
    let asset = parts.next()?;
    let files = parts.next()?;
    let order = parts.next()?;
    matches!(files, "files" | "assets").then(|| (order.to_owned(), asset.to_owned()))
}

async fn pass_on(
    mut stream: TcpStream,
    server: SocketAddr,
    head: &str,
    rest: &[u8],
) -> io::Result<()> {
    let mut there = TcpStream::connect(server).await?;
    there.set_nodelay(true)?;
    let kept = head.split("\r\n").filter(|line| !line.to_lowercase().starts_with("connection:"));
    let head = kept.collect::<Vec<_>>().join("\r\n") + "\r\nConnection: close\r\n\r\n";
    there.write_all(head.as_bytes()).await?;
    there.write_all(rest).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut there).await?;
    Ok(())
}

async fn send(stream: &mut TcpStream, answer: &Answer) -> io::Result<()> {
    let Answer { status, content_type, retry_after, body } = answer;
    let wait = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Injected\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         {wait}Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}

/// Sends the head of an archive and its first bytes.
async fn begin_zip(stream: &mut TcpStream, length: Option<u64>) -> io::Result<()> {
    let length = match length {
        Some(length) => format!("Content-Length: {length}"),
        None => "Transfer-Encoding: chunked".to_owned(),
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\n{length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    if length.starts_with("Content-Length") {
        stream.write_all(ZIP).await?;
    }
    stream.flush().await
}

/// Sends an endless archive.
async fn pour(stream: &mut TcpStream, rate: u64) -> io::Result<()> {
    const STEPS: u64 = 20;
    begin_zip(stream, None).await?;
    let size = usize::try_from(rate / STEPS).unwrap_or(1).max(ZIP.len());
    let mut bytes = vec![0; size];
    bytes[..ZIP.len()].copy_from_slice(ZIP);
    loop {
        stream.write_all(format!("{size:x}\r\n").as_bytes()).await?;
        stream.write_all(&bytes).await?;
        stream.write_all(b"\r\n").await?;
        bytes.fill(0);
        tokio::time::sleep(Duration::from_millis(1000 / STEPS)).await;
    }
}

fn reset(stream: TcpStream) -> io::Result<()> {
    // A linger time of zero turns the close into a reset.
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    drop(stream);
    Ok(())
}

/// Reads and discards until the other side hangs up.
async fn be_deaf(mut stream: TcpStream) -> io::Result<()> {
    let mut lost = [0; 4096];
    while stream.read(&mut lost).await? > 0 {}
    Ok(())
}

async fn babble(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(b"220 mail.example ESMTP at your service\r\n").await?;
    be_deaf(stream).await
}
