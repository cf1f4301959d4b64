//! What people write, and how it is understood.

use proptest::prelude::*;

use super::*;
use crate::model::ids::OrderId;
use crate::model::request::{CaseKind, Text};

fn order(id: &str) -> OrderId {
    id.parse().expect("valid")
}

fn refetch(ids: &[&str]) -> Request {
    Request::Refetch { lab: None, orders: ids.iter().map(|id| order(id)).collect(), kind: None }
}

fn named(name: &str) -> Request {
    read(name, b"").unwrap_or_else(|complaint| panic!("{name}: {complaint:?}")).request
}

fn written(text: &str) -> Request {
    read("a file.txt", text.as_bytes()).unwrap_or_else(|found| panic!("{text}: {found:?}")).request
}

fn complaint(name: &str, bytes: &[u8]) -> CommandError {
    read(name, bytes).expect_err(name)
}

#[test]
fn a_name_alone_is_a_command_with_any_ending_or_none() {
    for name in
        ["pause.txt", "pause", "PAUSE.TXT", "Pause.yaml", "pause.x", "pause.txt.txt", " pause ."]
    {
        assert_eq!(named(name), Request::Pause { lab: None }, "{name}");
    }
    assert_eq!(named("resume.txt"), Request::Resume { lab: None });
    assert_eq!(named("poll.txt"), Request::Poll { lab: None });
    let orders = vec![order("17"), order("18")];
    assert_eq!(named("publish 17, 18.txt"), Request::Publish { lab: None, orders });
    assert_eq!(named("verify.txt"), Request::Verify { orders: vec![] });
    assert_eq!(named("verify 17.txt"), Request::Verify { orders: vec![order("17")] });
    assert_eq!(named("status.txt"), Request::Status {});
    assert_eq!(named("pause smile-lab.txt"), Request::Pause { lab: Some("smile-lab".to_owned()) });
    assert_eq!(named("pair.txt"), Request::Pair { lab: None, account: None, code: None });
}

#[test]
fn order_numbers_in_a_name_may_be_divided_in_any_way() {
    for name in [
        "refetch 17544365.txt",
        "refetch-17544365",
        "refetch_17544365.yml",
        "Refetch 17544365.txt.txt",
        "refetch17544365.txt",
        "re-fetch 17544365.txt",
        "refetch order 17544365.txt",
        "refetch (17544365).txt",
        "refetch.17544365.txt",
        "refetch 17544365 17544365.txt",
    ] {
        assert_eq!(named(name), refetch(&["17544365"]), "{name}");
    }
    for name in
        ["refetch_17544365 17544366.txt", "refetch 17544365, 17544366", "refetch-17544365+17544366"]
    {
        assert_eq!(named(name), refetch(&["17544365", "17544366"]), "{name}");
    }
}

#[test]
fn what_systems_add_to_the_names_of_copies_does_not_matter() {
    for name in [
        "pause - Copy.txt",
        "pause (2).txt",
        "pause(2).txt",
        "pause - Copy (3).txt",
        "Copy of pause.txt",
        "pause - Kopie.txt",
        "pause – Kopie (2).txt",
        "Kopie von pause.txt",
        "pause copy 2.txt",
        "pause copy",
        "pause~2.txt",
        "pause.txt (1).txt",
        "pause_copy.txt",
    ] {
        assert_eq!(named(name), Request::Pause { lab: None }, "{name}");
    }
    assert_eq!(named("refetch 17544365 (1).txt"), refetch(&["17544365"]));
    assert_eq!(named("refetch 17544365 - Copy.txt"), refetch(&["17544365"]));
    assert_eq!(named("refetch 17544365~12.txt"), refetch(&["17544365"]));
}

#[test]
fn content_is_yaml_or_json_with_numbers_or_texts() {
    let both = refetch(&["17544365", "17544366"]);
    for text in [
        "{command: refetch, orders: [17544365, 17544366]}",
        "{\"command\": \"refetch\", \"orders\": [17544365, \"17544366\"]}",
        "{\n\t\"command\": \"refetch\",\n\t\"orders\": [\n\t\t17544365,\n\t\t17544366\n\t]\n}",
        "command: refetch\norders:\n  - 17544365\n  - '17544366'\n",
        "command: refetch\r\norders: 17544365, 17544366\r\n",
        "Command: Refetch\nOrders: 17544365 17544366\norder: 17544365\n",
        "# for Anna\n---\ncommand: refetch\norder: [17544365, 17544366]\n",
        "refetch 17544365\r\n17544366\r\n",
        "refetch\n17544365;17544366",
    ] {
        assert_eq!(written(text), both, "{text}");
    }
    assert_eq!(written("command: refetch\norder: 17544365"), refetch(&["17544365"]));
    assert_eq!(
        written("{command: refetch, lab: smile-lab, order: 0017, kind: Ortho}"),
        Request::Refetch {
            lab: Some("smile-lab".to_owned()),
            orders: vec![order("0017")],
            kind: Some(CaseKind::Ortho),
        }
    );
    assert_eq!(written("pause"), Request::Pause { lab: None });
    assert_eq!(written("{command: status}"), Request::Status {});
}

#[test]
fn what_reaches_beyond_this_pc_is_read_with_its_confirmation() {
    assert_eq!(
        written("{command: unpair, lab: smile-lab, account: 4711, confirm: 4711}"),
        Request::Unpair {
            lab: Some("smile-lab".to_owned()),
            account: "4711".parse().expect("valid"),
            confirm: Some("4711".parse().expect("valid")),
        }
    );
    assert_eq!(
        written("command: return\norder: 17544365\nreason: 'tooth 14: margin'\n"),
        Request::Return {
            lab: None,
            order: order("17544365"),
            reason: Text("tooth 14: margin".to_owned()),
            confirm: None,
        }
    );
    assert_eq!(
        written(
            "command: pair\naccount: 4711\ncode: https://lab.example/callback?code=a&state=b\n"
        ),
        Request::Pair {
            lab: None,
            account: Some("4711".parse().expect("valid")),
            code: Some(Text("https://lab.example/callback?code=a&state=b".to_owned())),
        }
    );
    for (name, key) in [("unpair 4711.txt", "confirm"), ("return 17.txt", "reason")] {
        let complaint = complaint(name, b"");
        assert!(complaint.example.contains(key), "{complaint:?}");
    }
}

#[test]
fn content_counts_more_than_the_name_unless_it_is_blank() {
    let found = read("pause.txt", b"command: resume").expect("a command");
    assert_eq!(found.request, Request::Resume { lab: None });
    assert_eq!(found.name_says, Some("pause"));
    for blank in ["", " \r\n\t\r\n", "\u{FEFF}", "# nothing\n"] {
        let found = read("pause.txt", blank.as_bytes()).expect("a command");
        assert_eq!((found.request, found.name_says), (Request::Pause { lab: None }, None));
    }
    let listed = read("refetch.txt", b"17544365\r\n17544366\r\n").expect("a list");
    assert_eq!(listed.request, refetch(&["17544365", "17544366"]));
    let by_name = read("refetch.yaml", b"orders: [17544365]").expect("the name says which command");
    assert_eq!(by_name.request, refetch(&["17544365"]));
}

#[test]
fn texts_of_old_editors_are_read() {
    let utf16 = |bytes: fn(u16) -> [u8; 2], mark: bool| -> Vec<u8> {
        let text = if mark { "\u{FEFF}command: pause\r\n" } else { "command: pause\r\n" };
        text.encode_utf16().flat_map(bytes).collect()
    };
    for bytes in [
        utf16(u16::to_le_bytes, true),
        utf16(u16::to_be_bytes, true),
        utf16(u16::to_le_bytes, false),
        utf16(u16::to_be_bytes, false),
        b"\xEF\xBB\xBFcommand: pause\r\n".to_vec(),
        b"command: pause\r\n\x1A".to_vec(),
    ] {
        let found = read("x.txt", &bytes).expect("a command");
        assert_eq!(found.request, Request::Pause { lab: None }, "{bytes:?}");
    }
    let ansi = complaint("x.txt", b"command: return\nreason: Pr\xE4paration\n");
    assert!(ansi.reasons[0].contains("UTF-8"), "{ansi:?}");
}

#[test]
fn a_misspelt_command_is_answered_with_the_nearest_and_an_example() {
    let check = |name: &str, text: &str, near: &str| {
        let complaint = complaint(name, text.as_bytes());
        assert!(complaint.reasons[0].contains(&format!("did you mean `{near}`?")), "{complaint:?}");
        assert_eq!(complaint.command, Some(near), "{complaint:?}");
        assert!(complaint.example.contains(near), "{complaint:?}");
    };
    check("refech 17544365.txt", "", "refetch");
    check("refech-17544365", "", "refetch");
    check("puase.txt", "", "pause");
    check("x.txt", "command: refecth\norders: [1]", "refetch");
    check("x.txt", "resum", "resume");
}

#[test]
fn wrong_keys_are_named_with_the_nearest_right_one() {
    let reasons = |text: &str| complaint("x.yaml", text.as_bytes()).reasons;
    let found = reasons("command: refetch\noders: [17]\n");
    assert!(found[0].contains("`oders`") && found[0].contains("`orders`"), "{found:?}");
    let found = reasons("command: pause\nconfirm: 17\nlab: [a]\n");
    assert!(found[0].contains("`confirm`") && found[1].contains("`lab`"), "all at once: {found:?}");
    let found = reasons("command: unpair\n");
    assert!(found[0].contains("`account` is missing"), "{found:?}");
    let found = reasons("command: return\norder: {a: b}\n");
    assert!(found.iter().any(|reason| reason.contains("`reason` is missing")), "{found:?}");
    let found = reasons("refetch: 17544365\n");
    assert!(found[0].contains("command: refetch"), "{found:?}");
    let found = reasons("comand: refetch\n");
    assert!(found[0].contains("`comand`"), "{found:?}");
    let found = reasons("command: refetch\ncommand: pause\n");
    assert!(found[0].contains("line 2"), "{found:?}");
    let found = reasons("{\"command\": \"pause\", \"lab\": \"a\", \"lab\": \"b\"}");
    assert!(found[0].contains("line 1"), "{found:?}");
    let found = reasons("command: refetch\norders: [17\n");
    assert!(found[0].contains("YAML"), "{found:?}");
    let found = reasons("command: refetch\nkind: wax\norder: 1\n");
    assert!(found[0].contains("`ortho`"), "{found:?}");
}

#[test]
fn files_that_are_no_texts_are_said_to_be_none() {
    for bytes in
        [&b"PK\x03\x04\x00\x00"[..], b"\x89PNG\r\n\x1a\n\x00\x01", b"pau\x00se", b"\xFF\xFEx"]
    {
        let complaint = complaint("pause.txt", bytes);
        assert!(complaint.reasons[0].contains("not plain text"), "{bytes:?}: {complaint:?}");
    }
    let large = vec![b' '; 65 * 1024];
    assert!(complaint("pause.txt", &large).reasons[0].contains("64 KiB"));
    assert!(read("pause.txt", &large[..64 * 1024]).is_ok());
}

#[test]
fn nothing_is_told_of_a_content_that_makes_no_sense() {
    for text in [
        "Mr Secret asked for it",
        "Secret: {x: [",
        "command: return\norder: 17\nreason: Secret\nconfirm: [Secret]\n",
        "command: 'Secret, Anna'\n",
        "command: return\norder: 17\n'Secret, Anna': x\n",
        "- Secret",
        "command: pair\ncode: [Secret]\n",
    ] {
        let complaint = complaint("x.txt", text.as_bytes());
        assert!(!format!("{complaint:?}").contains("Secret, "), "{complaint:?}");
        let told = complaint.reasons.join(" ");
        assert!(!told.contains("Secret"), "{text}: {told}");
    }
}

#[test]
fn an_empty_file_of_an_unknown_name_may_still_be_about_to_get_its_own() {
    assert!(complaint("New Text Document.txt", b"").perhaps_unfinished);
    assert!(!complaint("refech 17.txt", b"").perhaps_unfinished);
    assert!(!complaint("New Text Document.txt", b"hello").perhaps_unfinished);
}

proptest! {
    #[test]
    fn whatever_a_file_holds_it_is_a_request_or_gets_an_example(
        name in ".{0,40}",
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Err(complaint) = read(&name, &bytes) {
            prop_assert!(!complaint.reasons.is_empty() && !complaint.example.is_empty());
        }
    }

    #[test]
    fn whatever_stands_behind_the_keys_nobody_stumbles(
        command in "(refetch|pair|unpair|return|pause|verify|refech)",
        key in "(orders|order|lab|account|confirm|reason|code|kind|oders)",
        value in "[\\PC\\n]{0,30}",
    ) {
        let text = format!("command: {command}\n{key}: {value}\n");
        if let Err(complaint) = read("x.txt", text.as_bytes()) {
            prop_assert!(complaint.reasons.iter().all(|reason| !reason.is_empty()));
            prop_assert!(!complaint.example.is_empty());
        }
    }

    #[test]
    fn orders_in_a_name_are_found_whatever_divides_them(
        ids in proptest::collection::vec(10_000_u32..99_999_999, 1..5),
        divider in "[ _,;+-]{1,3}",
        ending in "(|\\.txt|\\.TXT|\\.yaml|\\.txt\\.txt| \\(2\\)\\.txt| - Copy\\.txt)",
    ) {
        let words: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let name = format!("refetch{divider}{}{ending}", words.join(&divider));
        let Request::Refetch { orders, .. } = named(&name) else { panic!("{name}") };
        let found: Vec<String> = orders.iter().map(ToString::to_string).collect();
        let mut wanted = Vec::new();
        for word in words {
            if !wanted.contains(&word) {
                wanted.push(word);
            }
        }
        prop_assert_eq!(found, wanted);
    }
}
