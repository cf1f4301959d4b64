//! An agent that listens for scan notifications, and a sender.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use casedrop::agent::CALLBACK_SECRET;
use casedrop::disk::RealDisk;
use casedrop::journal::{FILE_NAME, Store};
use casedrop::secrets::{FileSecrets, SecretStore as _};
use casedrop::simulator::{AccountSpec, Scenario, SimulatorConfig};

use super::world::{ACCOUNT, Agent, LAB, World, wait_for};

/// The last part of the callback URL.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

/// A world whose agent listens at its own address.
pub struct Listening {
    pub world: World,
    pub address: SocketAddr,
}

/// An agent at a free port, logged in. `interval` is the time between polls.
pub fn listening(interval: &str, more: &str) -> Listening {
    listening_at(free_address(), interval, more)
}

/// An unused port.
pub fn free_address() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("bound")
}

/// An agent at that address, logged in.
pub fn listening_at(address: SocketAddr, interval: &str, more: &str) -> Listening {
    let listening = not_logged_in(address, interval, more);
    listening.world.log_in_and_pair(LAB);
    listening
}

/// An agent at that address that still needs a login.
pub fn not_logged_in(address: SocketAddr, interval: &str, more: &str) -> Listening {
    let callback = format!("http://{address}/itero/{SECRET}");
    let account = AccountSpec {
        callback_url: Some(callback),
        redirect_urls: vec!["https://lab0.example/callback".to_owned()],
        ..AccountSpec::new(ACCOUNT, "Smile Dental Lab", "client", "s3cret-of-client")
    };
    let mut scenario = Scenario::empty();
    scenario.accounts = vec![account.clone()];
    scenario.settings.min_poll_interval_ms = 100;
    let config = format!(
        "polling: {{ interval: {interval}, follow_up: false }}\nnotifications:\n  listen: \
         \"{address}\"\n  public_url: http://127.0.0.1:{}/itero\n{more}",
        address.port()
    );
    let world = World::of(SimulatorConfig::new(scenario), vec![(LAB.to_owned(), account)], &config);
    let secrets = FileSecrets::new(std::sync::Arc::new(RealDisk), &world.state());
    secrets.save_text(CALLBACK_SECRET, &SECRET.into()).expect("kept");
    Listening { world, address }
}

impl Listening {
    /// Starts the agent and waits until it listens and has polled once.
    pub fn run(&self) -> Agent {
        self.run_with(&[])
    }

    /// Like [`run`](Self::run), with extra environment variables.
    pub fn run_with(&self, env: &[(&str, &str)]) -> Agent {
        let before = self.world.align().state().counters.polls;
        let agent = self.world.run_with(env);
        self.wait_until_up();
        wait_for("the first poll", || {
            (self.world.align().state().counters.polls > before).then_some(())
        });
        agent
    }

    /// Starts the agent again, when a poll may not be due yet.
    pub fn run_again(&self) -> Agent {
        let agent = self.world.run();
        self.wait_until_up();
        agent
    }

    pub fn wait_until_up(&self) {
        wait_for("the listener", || TcpStream::connect(self.address).ok());
    }

    /// Sends a body to the secret path. Returns the status of the answer.
    pub fn post(&self, body: &str) -> u16 {
        let mut line = Line::connect(self.address).expect("connected");
        line.post(&format!("/itero/{SECRET}"), body).expect("answered")
    }

    /// The journal, opened read-only.
    pub fn journal(&self) -> Store {
        Store::open_to_read(&self.world.state().join(FILE_NAME)).expect("readable").expect("there")
    }
}

/// A persistent connection.
pub struct Line(TcpStream);

impl Line {
    pub fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self(stream))
    }

    /// Returns the status once the whole answer has arrived.
    pub fn post(&mut self, path: &str, body: &str) -> std::io::Result<u16> {
        let length = body.len();
        let call =
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}");
        self.0.write_all(call.as_bytes())?;
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            self.0.read_exact(&mut byte)?;
            answer.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&answer).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |text| text.parse().expect("a number"));
        self.0.read_exact(&mut vec![0; length])?;
        Ok(head[9..12].parse().expect("a status"))
    }
}
