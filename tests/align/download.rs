use std::sync::mpsc;
use std::time::Duration;

use casedrop::model::asset::{AssetInfo, AssetKind, Format, Resume};
use casedrop::model::cancel::Cancel;
use casedrop::model::fault::{Fault, FaultClass};
use casedrop::model::remote::{AssetBody, Remote};

use crate::fixture::{ASSET, Lab, ide};
use crate::server::{Call, End, Reply, Server};

const BYTES: &[u8] = b"0123456789";

/// A lab that answers requests for the asset with this reply.
fn asset(reply: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Lab {
    Lab::new(move |call| (call.path == ASSET).then(|| reply(call)))
}

fn rest(mut body: Box<dyn AssetBody>) -> Result<Vec<u8>, Fault> {
    let mut all = Vec::new();
    while let Some(chunk) = body.next_chunk(&Cancel::new())? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

fn fetch(lab: &Lab) -> Result<Vec<u8>, Fault> {
    rest(lab.client.download(&ide(), &Cancel::new())?)
}

#[test]
fn a_whole_body_comes_with_its_length_and_tag() {
    let lab = asset(|_| Reply::bytes(BYTES).header("ETag", "\"v1\""));
    let mut request = ide();
    request.format = Format {
        file_type: Some("STL".to_owned()),
        cad_cam_system: Some("3 Shape".to_owned()),
        ..Format::default()
    };
    let mut body = lab.client.download(&request, &Cancel::new()).expect("a body");
    let (etag, hosts) = (Some("\"v1\"".to_owned()), vec![lab.server.host()]);
    let expected = AssetInfo { total: Some(10), offset: 0, etag, hosts };
    assert_eq!(*body.info(), expected);
    assert_eq!(body.next_chunk(&Cancel::new()).expect("bytes").expect("bytes"), BYTES);
    assert_eq!(body.next_chunk(&Cancel::new()).expect("the end"), None);
    assert_eq!(body.next_chunk(&Cancel::new()).expect("still the end"), None);
    let call = &lab.server.calls_to(ASSET)[0];
    assert_eq!(call.query, "fileType=STL&cadCamSystem=3+Shape");
    assert_eq!(call.header("accept-encoding"), Some("identity"));
    assert!(call.header("user-agent").expect("sent").starts_with("Casedrop/"));
}

#[test]
fn the_kinds_have_their_own_addresses() {
    let lab = Lab::new(|call| call.path.contains("/assets/").then(|| Reply::bytes("x")));
    for kind in [AssetKind::Thumbnails, AssetKind::ScreenCaptures] {
        let request = casedrop::model::asset::AssetRequest { kind, ..ide() };
        rest(lab.client.download(&request, &Cancel::new()).expect("a body")).expect("bytes");
    }
    let paths: Vec<_> = lab.server.calls().into_iter().map(|call| call.path).collect();
    assert!(paths.iter().any(|path| path.ends_with("/assets/IMAGE_GALLERY")), "{paths:?}");
    assert!(paths.iter().any(|path| path.ends_with("/assets/SCREEN_CAPTURES")), "{paths:?}");
}

#[test]
fn a_body_that_breaks_off_is_never_taken_for_complete() {
    let short = || Reply::bytes(BYTES).header("Content-Length", 20);
    let chunked = || Reply::bytes("4\r\nabcd\r\n").header("Transfer-Encoding", "chunked");
    let cases: [(&str, Reply); 3] =
        [("truncated", short()), ("reset", short().end(End::Reset)), ("chunked", chunked())];
    for (name, reply) in cases {
        let lab = asset(move |_| reply.clone());
        let fault = match fetch(&lab) {
            Err(fault) => fault,
            Ok(bytes) => panic!("{name}: {} bytes were taken for all", bytes.len()),
        };
        assert_eq!(fault.class, FaultClass::Transient, "{name}: {fault}");
        assert!(fault.message.contains("order 17"), "{name}: {fault}");
    }
}

#[test]
fn after_a_break_the_body_never_ends_well() {
    let lab = asset(|_| Reply::bytes(BYTES).header("Content-Length", 20));
    let mut body = lab.client.download(&ide(), &Cancel::new()).expect("a body");
    let cancel = Cancel::new();
    let fault = loop {
        match body.next_chunk(&cancel) {
            Ok(chunk) => assert!(chunk.is_some(), "taken for complete"),
            Err(fault) => break fault,
        }
    };
    assert_eq!(fault.code, "broken-off");
    assert_eq!(body.next_chunk(&cancel).expect_err("still broken").code, "broken-off");
}

#[test]
fn a_body_that_stalls_is_given_up() {
    let lab = asset(|_| Reply::bytes(BYTES).header("Content-Length", 20).end(End::Stall));
    let client = lab.another_with(|settings| settings.stall_timeout = Duration::from_millis(200));
    let fault = rest(client.download(&ide(), &Cancel::new()).expect("a body")).expect_err("stalls");
    assert_eq!((fault.class, fault.code), (FaultClass::Transient, "stalled"));
}

#[test]
fn cancelling_interrupts_a_wait_for_bytes() {
    let lab = asset(|_| Reply::bytes(BYTES).header("Content-Length", 20).end(End::Stall));
    let mut body = lab.client.download(&ide(), &Cancel::new()).expect("a body");
    let cancel = Cancel::new();
    let (first, came) = mpsc::channel();
    std::thread::scope(|scope| {
        let stopper = cancel.clone();
        scope.spawn(move || {
            came.recv().expect("bytes came");
            stopper.cancel();
        });
        let mut seen = 0;
        while seen < BYTES.len() {
            seen += body.next_chunk(&cancel).expect("bytes").expect("bytes").len();
        }
        first.send(()).expect("the stopper waits");
        assert_eq!(body.next_chunk(&cancel).expect_err("stopped").class, FaultClass::Cancelled);
    });
}

#[test]
fn what_is_not_converted_yet_is_told_apart_from_what_fails() {
    for status in [404, 202, 204] {
        let lab = asset(move |_| Reply::status(status).header("Retry-After", 60));
        let fault = fetch(&lab).expect_err("not there");
        assert_eq!((fault.class, fault.code), (FaultClass::NotConverted, "not-converted"));
        assert_eq!(fault.retry_after, Some(Duration::from_mins(1)), "{status}");
        let text = "Align has not finished preparing the files of order 17";
        assert_eq!(fault.to_string(), text);
    }
    let lab = Lab::new(|call| call.path.contains("/assets/").then(|| Reply::status(404)));
    for (kind, what) in
        [(AssetKind::Thumbnails, "thumbnails"), (AssetKind::ScreenCaptures, "screen captures")]
    {
        let request = casedrop::model::asset::AssetRequest { kind, ..ide() };
        let fault = lab.client.download(&request, &Cancel::new()).err().expect("not there");
        let text = format!("Align has not finished preparing the {what} of order 17");
        assert_eq!(fault.to_string(), text);
    }
}

#[test]
fn the_token_does_not_follow_a_redirect_to_another_server() {
    let storage = Server::start(|_| Reply::bytes(BYTES));
    let target = storage.url("/bucket/17.zip?signature=s");
    let lab = asset(move |_| Reply::status(302).header("Location", &target));
    let body = lab.client.download(&ide(), &Cancel::new()).expect("a body");
    assert_eq!(body.info().hosts, [lab.server.host(), storage.host()], "who answered, in order");
    assert_eq!(rest(body).expect("bytes"), BYTES);
    let call = &storage.calls()[0];
    assert_eq!((call.path.as_str(), call.query.as_str()), ("/bucket/17.zip", "signature=s"));
    assert_eq!(call.header("authorization"), None);
    assert_eq!(lab.server.calls_to(ASSET)[0].bearer(), Some("access-0"));
}

#[test]
fn the_token_follows_a_redirect_within_the_server_but_not_after_a_detour() {
    let lab = Lab::new(|call| match call.path.as_str() {
        ASSET => Some(Reply::status(307).header("Location", "/elsewhere?x=1")),
        "/elsewhere" => Some(Reply::bytes(BYTES)),
        _ => None,
    });
    assert_eq!(fetch(&lab).expect("bytes"), BYTES);
    assert_eq!(lab.server.calls_to("/elsewhere")[0].bearer(), Some("access-0"));

    let detour = Server::start(|call| {
        Reply::status(302).header("Location", format!("http://{}/back", call.query))
    });
    let lab = Lab::new(move |call| match call.path.as_str() {
        ASSET => {
            let me = call.header("host").expect("sent");
            Some(Reply::status(302).header("Location", detour.url(&format!("/?{me}"))))
        }
        "/back" => Some(Reply::bytes(BYTES)),
        _ => None,
    });
    assert_eq!(fetch(&lab).expect("bytes"), BYTES);
    assert_eq!(lab.server.calls_to("/back")[0].header("authorization"), None);
}

#[test]
fn a_storage_server_that_refuses_says_nothing_about_the_login() {
    for status in [401, 403] {
        let storage = Server::start(move |_| Reply::status(status));
        let target = storage.url("/signed?secret-signature");
        let lab = asset(move |_| Reply::status(302).header("Location", &target));
        let fault = fetch(&lab).expect_err("refused");
        assert_eq!(fault.class, FaultClass::Refused, "{fault}");
        assert_eq!(fault.host.as_deref(), Some(storage.host().as_str()));
        assert!(!fault.chain().contains("secret-signature"), "{}", fault.chain());
        assert_eq!(lab.refreshes(), 0);
    }
}

#[test]
fn redirects_that_lead_astray_are_refused() {
    for target in ["http://storage.example/17.zip", "ftp://127.0.0.1/x", "http://[broken"] {
        let lab = asset(move |_| Reply::status(302).header("Location", target));
        assert_eq!(fetch(&lab).expect_err(target).code, "bad-redirect");
    }
    let lab = asset(|_| Reply::status(302).header("Location", ASSET));
    assert_eq!(fetch(&lab).expect_err("a circle").code, "redirect-loop");
    assert_eq!(lab.server.calls_to(ASSET).len(), 6);
}

fn resumed(
    etag: &str,
    reply: impl Fn(&Call) -> Reply + Send + Sync + 'static,
) -> (Lab, AssetInfo, Vec<u8>) {
    let lab = asset(move |call| match call.header("range") {
        Some(_) => reply(call),
        None => Reply::bytes(BYTES).header("ETag", "\"v2\""),
    });
    let mut request = ide();
    request.resume = Some(Resume { offset: 4, etag: etag.to_owned() });
    let body = lab.client.download(&request, &Cancel::new()).expect("a body");
    let info = body.info().clone();
    let bytes = rest(body).expect("bytes");
    (lab, info, bytes)
}

fn part(range: &'static str) -> Reply {
    Reply::bytes(&BYTES[4..])
        .with_status(206)
        .header("Content-Range", range)
        .header("ETag", "\"v1\"")
}

#[test]
fn a_download_goes_on_where_it_broke_off() {
    let (lab, info, bytes) = resumed("\"v1\"", |_| part("bytes 4-9/10"));
    assert_eq!((info.offset, info.total), (4, Some(10)));
    assert_eq!(bytes, &BYTES[4..]);
    let call = &lab.server.calls_to(ASSET)[0];
    assert_eq!(call.header("range"), Some("bytes=4-"));
    assert_eq!(call.header("if-range"), Some("\"v1\""));
}

#[test]
fn a_download_starts_again_where_it_cannot_go_on() {
    type Answer = fn(&Call) -> Reply;
    let answers: [(&str, Answer); 6] = [
        ("the whole", |_| Reply::bytes(BYTES).header("ETag", "\"v2\"")),
        ("no such range", |_| Reply::status(416)),
        ("another place", |_| part("bytes 5-9/10")),
        ("another length", |_| part("bytes 4-9/12")),
        ("no place", |_| Reply::bytes(&BYTES[4..]).with_status(206)),
        ("another version", |_| {
            Reply::bytes(&BYTES[4..])
                .with_status(206)
                .header("Content-Range", "bytes 4-9/10")
                .header("ETag", "\"v2\"")
        }),
    ];
    for (name, reply) in answers {
        let (_lab, info, bytes) = resumed("\"v1\"", reply);
        assert_eq!((info.offset, info.total), (0, Some(10)), "{name}");
        assert_eq!((info.etag.as_deref(), bytes.as_slice()), (Some("\"v2\""), BYTES), "{name}");
    }
}

#[test]
fn a_weak_tag_does_not_vouch_for_the_bytes() {
    let (lab, info, _) = resumed("W/\"v1\"", |_| part("bytes 4-9/10"));
    assert_eq!(info.offset, 0);
    assert_eq!(lab.server.calls_to(ASSET)[0].header("range"), None);
}

#[test]
fn a_continued_body_that_breaks_off_is_noticed_too() {
    let lab = asset(|_| part("bytes 4-9/10").header("Content-Length", 6).end(End::Close));
    let mut request = ide();
    request.resume = Some(Resume { offset: 4, etag: "\"v1\"".to_owned() });
    assert_eq!(
        rest(lab.client.download(&request, &Cancel::new()).expect("a body")).expect("whole").len(),
        6
    );
    let lab = asset(|_| {
        Reply::bytes("01")
            .with_status(206)
            .header("Content-Range", "bytes 4-9/10")
            .header("Content-Length", 6)
    });
    let fault =
        rest(lab.client.download(&request, &Cancel::new()).expect("a body")).expect_err("short");
    assert_eq!(fault.code, "broken-off");
}

#[test]
fn a_body_that_ends_in_good_order_but_too_early_is_noticed() {
    let lab = asset(|_| {
        Reply::bytes("2\r\n45\r\n0\r\n\r\n")
            .with_status(206)
            .header("Transfer-Encoding", "chunked")
            .header("Content-Range", "bytes 4-9/10")
    });
    let mut request = ide();
    request.resume = Some(Resume { offset: 4, etag: "\"v1\"".to_owned() });
    let body = lab.client.download(&request, &Cancel::new()).expect("a body");
    assert_eq!(rest(body).expect_err("short").code, "broken-off");
}

#[test]
fn a_compressed_answer_is_refused() {
    let lab = asset(|_| Reply::bytes(BYTES).header("Content-Encoding", "gzip"));
    assert_eq!(fetch(&lab).expect_err("compressed").code, "bad-answer");
}
