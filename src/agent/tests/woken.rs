//! What wakes the engine: nothing that this process causes waits for the next regular check of the
//! journal.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use secrecy::ExposeSecret as _;

use super::*;
use crate::model::request::{Outcome, Request, Requests as _, Via, Who};

impl Pc {
    /// Enables the listener for scan notifications and returns its address.
    fn listen(&self) -> SocketAddr {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("bound");
        let file = self.dir.path().join("casedrop.yaml");
        let text = std::fs::read_to_string(&file).expect("readable");
        let more = format!(
            "secrets: file\nnotifications:\n  listen: \"{address}\"\n  public_url: \
             http://{address}/itero\n"
        );
        std::fs::write(&file, text + &more).expect("written");
        address
    }
}

/// Posts to the listener's secret path and returns the status line of the response.
fn post(context: &context::AgentContext, address: SocketAddr, body: &str) -> String {
    let secret = callback_secret(&**context.handler.labs_ways().secrets()).expect("kept");
    let mut stream = wait_for("the listener", || TcpStream::connect(address).ok());
    let (path, length) = (secret.expose_secret(), body.len());
    let head = format!("POST /{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n");
    let call = format!("{head}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(call.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn what_this_process_causes_itself_waits_for_no_tick() {
    let pc = Pc::new();
    pc.poll_every("1h");
    let address = pc.listen();
    pc.announce("1");
    let agent = pc.open().expect("opened").ticking(Duration::from_hours(1));
    let context = Arc::clone(&agent.context);
    let running = Pc::run_agent(agent);
    running.wait_for_publication("1");
    for id in ["2", "3"] {
        pc.announce(id);
        let body = format!(r#"{{"rxId":"rx-{id}","accountNumber":"4711"}}"#);
        assert_eq!(post(&context, address, &body), "HTTP/1.1 200 OK");
        running.wait_for_publication(id);
    }
    // User requests, whichever way they arrive.
    let ask = |id: &str, request: &Request| {
        let who = Who { user: None, via: Via::CommandLine };
        let reply = context.handler.serve_once(id, request, &who).expect("the journal can be used");
        assert_eq!(reply.outcome, Outcome::Done, "{reply:?}");
    };
    ask("1", &Request::Pause { lab: None });
    running.wait_for("the pause", |notice| matches!(notice, Notice::Paused { .. }));
    ask("2", &Request::Resume { lab: None });
    running.wait_for("the end of it", |notice| matches!(notice, Notice::Resumed { .. }));
    let orders = vec!["2".parse().expect("valid")];
    ask("3", &Request::Refetch { lab: None, orders, kind: None });
    let again =
        |notice: &Notice| matches!(notice, Notice::Fetching { key } if key.order.as_str() == "2");
    running.wait_for("the order", again);
    running.stop();
}

#[test]
fn a_notification_that_cannot_be_read_leaves_a_wish_before_it_is_answered() {
    let pc = Pc::new();
    pc.poll_every("1h");
    let address = pc.listen();
    let agent = pc.open().expect("opened");
    let context = Arc::clone(&agent.context);
    let running = Pc::run_agent(agent);
    wait_for("the first poll", || (pc.align.polls.load(Ordering::SeqCst) > 0).then_some(()));
    // Until then, it would fulfill any request to poll.
    running.wait_for("its answer", |notice| matches!(notice, Notice::Polled { .. }));
    for body in ["<scan>ready</scan>", r#"{"orderId":99}"#, "\u{1}\u{2}", ""] {
        assert_eq!(post(&context, address, body), "HTTP/1.1 200 OK", "{body}");
        let wanted = context.journal.with(Store::polls_wanted).expect("readable");
        assert_eq!(wanted, ["smile-lab"], "{body}");
    }
    running.stop();
    assert_eq!(pc.align.polls.load(Ordering::SeqCst), 1, "120 s are kept to");
    assert!(context.journal.with(Store::received).expect("readable").unreadable > 0);
}
