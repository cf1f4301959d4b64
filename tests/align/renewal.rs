//! Renewals are early, and a lost answer never ends a login that is still usable.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use casedrop::model::cancel::Cancel;
use casedrop::model::fault::FaultClass;
use casedrop::model::remote::Remote;
use casedrop::secrets::{Login, MemorySecrets, Renewal, SecretStore};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::fixture::{ASSET, HOUR, Lab, MINUTE, TOKEN, ide, lab_name};
use crate::server::Reply;

fn works(lab: &Lab) {
    lab.client.ready_orders(&Cancel::new()).expect("orders");
}

#[test]
fn a_token_is_renewed_at_about_half_its_life() {
    let lab = Lab::new(|_| None);
    lab.pass(26 * MINUTE);
    works(&lab);
    assert_eq!(lab.refreshes(), 0);
    lab.pass(8 * MINUTE);
    works(&lab);
    assert_eq!((lab.refreshes(), lab.stored_access().as_str()), (1, "access-1"));
}

#[test]
fn that_a_renewal_has_begun_is_durable_before_it_is_sent_and_forgotten_once_it_is_saved() {
    let store = MemorySecrets::new();
    let (seen, marked) = (store.clone(), Arc::new(AtomicBool::new(false)));
    let noted = Arc::clone(&marked);
    let lab = Lab::with(Arc::new(store), move |call| {
        if call.path == TOKEN {
            let login = seen.load(&lab_name()).expect("load").expect("there");
            noted.store(login.renewal.is_some(), Ordering::SeqCst);
        }
        None
    });
    lab.pass(34 * MINUTE);
    works(&lab);
    assert!(marked.load(Ordering::SeqCst));
    let login = lab.stored();
    assert_eq!(login.renewal, None);
    // The former token is kept until the new one has been used to renew.
    let former = |login: Login| login.former.map(|token| token.expose_secret().to_owned());
    assert_eq!(former(login).as_deref(), Some("refresh-0"));
    lab.pass(34 * MINUTE);
    works(&lab);
    assert_eq!(former(lab.stored()).as_deref(), Some("refresh-1"));
}

#[test]
fn after_an_answer_that_was_lost_the_former_token_is_tried_once_more() {
    let lab = Lab::new(|_| None);
    lab.tokens.lose(1);
    lab.pass(34 * MINUTE);
    works(&lab);
    assert_eq!((lab.refreshes(), lab.stored_access().as_str()), (2, "access-1"));
    assert_eq!(lab.stored().renewal, None);
    assert!(lab.client.ending().is_none());
}

#[test]
fn while_the_access_token_lives_the_lab_goes_on_and_people_are_told_what_happened() {
    let lab = Lab::new(|_| None);
    lab.tokens.be_strict();
    lab.tokens.lose(1);
    let until = lab.stored().issued_at + HOUR;
    lab.pass(34 * MINUTE);
    works(&lab);
    works(&lab);
    assert_eq!(lab.refreshes(), 2, "a refused token is not offered again");
    let ending = lab.client.ending().expect("it ends");
    assert_eq!(ending.at, until);
    let told = ending.why.chain();
    assert!(told.contains("was lost (the connection was lost)"), "{told}");
    assert!(ending.why.hint.expect("a way out").contains("casedrop login smile-lab"));
    assert!(lab.client.paired().is_ok());
    lab.pass(26 * MINUTE);
    let fault = lab.client.ready_orders(&Cancel::new()).expect_err("it is over");
    assert_eq!((fault.class, fault.code), (FaultClass::Auth, "login-needed"));
    assert!(fault.message.contains("was lost (the connection was lost)"), "{fault}");
    assert!(fault.message.contains("no longer accepts the login"), "{fault}");
    assert!(lab.client.paired().is_err());
    assert!(lab.client.ending().is_none(), "it is not ending, it is over");
}

#[test]
fn a_resource_that_is_refused_does_not_end_what_lives_of_a_login() {
    let lab = Lab::new(|call| (call.path == ASSET).then(|| Reply::status(401)));
    lab.tokens.be_strict();
    lab.tokens.lose(1);
    let refused = |code| {
        let fault = lab.client.download(&ide(), &Cancel::new()).err().expect("refused");
        assert_eq!(fault.code, code, "{fault}");
    };
    // The first fault reports that the login is no longer renewed; the others are about the order.
    refused("login-needed");
    assert!(lab.client.ending().is_some() && lab.client.paired().is_ok());
    refused("http-401");
    works(&lab);
    assert_eq!(lab.refreshes(), 2);
}

/// Leaves what a process leaves that died while renewing the login.
fn died(lab: &Lab) {
    let renewal = Some(Renewal { begun_at: UNIX_EPOCH + 56 * HOUR, lost: None });
    let login = Login { renewal, ..lab.stored() };
    lab.store.save(&lab_name(), &login).expect("saved");
}

#[test]
fn after_a_process_died_in_a_renewal_the_next_one_asks_at_once_with_the_former_token() {
    let lab = Lab::new(|_| None);
    died(&lab);
    works(&lab);
    assert_eq!((lab.refreshes(), lab.stored_access().as_str()), (1, "access-1"));
    let strict = Lab::new(|_| None);
    strict.tokens.be_strict();
    strict.tokens.revoke_access();
    died(&strict);
    let fault = strict.client.ready_orders(&Cancel::new()).expect_err("it is over");
    assert!(fault.message.contains("at 1970-01-03"), "{fault}");
    assert!(fault.message.contains("stopped before it came"), "{fault}");
    // The next process sees the same error.
    let fault = strict.another(&strict.store).ready_orders(&Cancel::new()).expect_err("over");
    assert!(fault.message.contains("stopped before it came"), "{fault}");
}

#[test]
fn a_new_token_that_is_refused_gives_way_to_the_former_one() {
    let lab = Lab::new(|_| None);
    let login = Login {
        refresh: Some("refresh-of-nobody".into()),
        former: Some("refresh-0".into()),
        ..lab.stored()
    };
    lab.store.save(&lab_name(), &login).expect("saved");
    lab.pass(HOUR);
    works(&lab);
    assert_eq!((lab.refreshes(), lab.stored_access().as_str()), (2, "access-1"));
}

#[test]
fn a_plain_refusal_is_told_as_one() {
    let refused = json!({ "error": "invalid_grant", "error_description": "revoked" });
    let lab =
        Lab::new(move |call| (call.path == TOKEN).then(|| Reply::json(&refused).with_status(400)));
    lab.pass(34 * MINUTE);
    works(&lab);
    let why = lab.client.ending().expect("it ends").why;
    assert!(why.message.contains("invalid_grant (revoked)"), "{why}");
    assert_eq!(lab.stored().renewal, None, "its answer came");
}

#[test]
fn an_early_renewal_that_fails_is_not_repeated_with_every_call() {
    let lab = Lab::new(|call| (call.path == TOKEN).then(|| Reply::status(503)));
    lab.pass(34 * MINUTE);
    works(&lab);
    works(&lab);
    assert_eq!(lab.refreshes(), 1);
    lab.pass(4 * MINUTE);
    works(&lab);
    assert_eq!(lab.refreshes(), 2);
    assert!(lab.client.ending().is_none(), "it may be renewed yet");
}
