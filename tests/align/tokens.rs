use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use casedrop::disk::{LockGuard, RealDisk};
use casedrop::model::cancel::Cancel;
use casedrop::model::fault::{Fault, FaultClass};
use casedrop::model::ids::LabName;
use casedrop::model::remote::Remote;
use casedrop::secrets::{FileSecrets, Login, MemorySecrets, SecretStore};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use crate::fixture::{HOUR, Lab, MINUTE, ORDERS, TOKEN, ide, lab_name};
use crate::server::{End, Reply};

#[test]
fn a_fresh_token_is_used_as_it_is() {
    let lab = Lab::new(|_| None);
    let list = lab.client.ready_orders(&Cancel::new()).expect("orders");
    assert_eq!(list.orders[0].order_id.as_str(), "17");
    assert_eq!(lab.refreshes(), 0);
}

#[test]
fn a_token_is_refreshed_shortly_before_it_expires_and_saved_before_it_is_used() {
    let store = MemorySecrets::new();
    let (seen, saved) = (store.clone(), Arc::new(AtomicBool::new(false)));
    let noted = Arc::clone(&saved);
    let lab = Lab::with(Arc::new(store), move |call| {
        if call.path == ORDERS {
            let stored = seen.load(&lab_name()).expect("load").expect("there");
            let refresh = stored.refresh.expect("there").expose_secret().to_owned();
            noted.store(refresh == "refresh-1", Ordering::SeqCst);
        }
        None
    });
    lab.pass(Duration::from_secs(3570));
    lab.client.ready_orders(&Cancel::new()).expect("orders");
    let refresh = &lab.server.calls_to(TOKEN)[0];
    assert_eq!(refresh.form("grant_type").as_deref(), Some("refresh_token"));
    assert_eq!(refresh.form("client_secret").as_deref(), Some("hush"));
    assert!(saved.load(Ordering::SeqCst), "the rotated token was used before it was saved");
    lab.client.ready_orders(&Cancel::new()).expect("orders");
    assert_eq!(lab.refreshes(), 1);
}

#[test]
fn a_clock_that_steps_back_leads_to_a_refresh() {
    let lab = Lab::new(|_| None);
    *lab.clock.lock().expect("clock") -= HOUR;
    lab.client.ready_orders(&Cancel::new()).expect("orders");
    assert_eq!(lab.refreshes(), 1);
}

#[test]
fn twenty_callers_with_a_refused_token_refresh_once() {
    let lab = Lab::new(|_| None);
    lab.tokens.revoke_access();
    let barrier = Barrier::new(20);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                barrier.wait();
                lab.client.ready_orders(&Cancel::new()).expect("orders");
            });
        }
    });
    assert_eq!(lab.refreshes(), 1);
}

#[test]
fn programs_that_share_the_token_file_refresh_once() {
    let dir = tempfile::tempdir().expect("tempdir");
    let files =
        || -> Arc<dyn SecretStore> { Arc::new(FileSecrets::new(Arc::new(RealDisk), dir.path())) };
    let lab = Lab::with(files(), |_| None);
    let clients: Vec<_> = (0..6).map(|_| lab.another(&files())).collect();
    lab.pass(HOUR);
    let barrier = Barrier::new(clients.len());
    std::thread::scope(|scope| {
        for client in &clients {
            scope.spawn(|| {
                barrier.wait();
                client.ready_orders(&Cancel::new()).expect("orders");
            });
        }
    });
    assert_eq!(lab.refreshes(), 1);
    assert_eq!(lab.stored_access(), "access-1");
}

#[test]
fn a_login_that_another_program_made_counts_at_once() {
    let lab = Lab::new(|_| None);
    lab.tokens.revoke_access();
    let mut login = lab.store.load(&lab_name()).expect("load").expect("there");
    login.access = lab.tokens.access().into();
    lab.store.save(&lab_name(), &login).expect("save");
    lab.client.ready_orders(&Cancel::new()).expect("orders");
    assert_eq!(lab.refreshes(), 0);
}

#[test]
fn a_refused_refresh_asks_for_a_login() {
    let lab = Lab::new(|call| {
        let error = json!({ "error": "invalid_grant", "error_description": "revoked" });
        (call.path == TOKEN).then(|| Reply::json(&error).with_status(400))
    });
    lab.pass(HOUR);
    let fault = lab.client.ready_orders(&Cancel::new()).expect_err("no login");
    assert_eq!((fault.class, fault.code), (FaultClass::Auth, "login-needed"));
    assert!(fault.message.contains("invalid_grant (revoked)"), "{fault}");
    assert!(fault.hint.expect("a hint").contains("casedrop login smile-lab"));
}

#[test]
fn every_kind_of_call_notices_a_revoked_login_at_once_and_its_token_is_not_offered_again() {
    let refused = json!({ "error": "invalid_grant" });
    let lab =
        Lab::new(move |call| (call.path == TOKEN).then(|| Reply::json(&refused).with_status(400)));
    lab.tokens.revoke_access();
    let (client, cancel) = (&lab.client, Cancel::new());
    let rx = "rx-17".parse().expect("valid");
    let codes = [
        client.ready_orders(&cancel).err().map(|fault| fault.code),
        client.order_by_rx(&rx, &cancel).err().map(|fault| fault.code),
        client.download(&ide(), &cancel).err().map(|fault| fault.code),
        client.accounts(&cancel).err().map(|fault| fault.code),
        client.paired().err().map(|fault| fault.code),
    ];
    assert_eq!(codes, [Some("login-needed"); 5]);
    assert_eq!(lab.refreshes(), 1);
    // Each call alone, too.
    let calls: [fn(&casedrop::align::AlignClient) -> Option<Fault>; 2] = [
        |client| client.order_by_rx(&"rx-17".parse().expect("valid"), &Cancel::new()).err(),
        |client| client.download(&ide(), &Cancel::new()).err(),
    ];
    for call in calls {
        let fault = call(&lab.another(&lab.store)).expect("refused");
        assert_eq!((fault.class, fault.code), (FaultClass::Auth, "login-needed"));
    }
    // A new login, by anyone, clears that state.
    let mut login = lab.store.load(&lab_name()).expect("load").expect("there");
    (login.access, login.refresh) = (lab.tokens.access().into(), Some("another".into()));
    lab.store.save(&lab_name(), &login).expect("save");
    assert!(lab.client.paired().is_ok());
    lab.client.ready_orders(&Cancel::new()).expect("orders");
}

#[test]
fn a_wrong_client_secret_is_told_as_such() {
    let lab = Lab::new(|call| {
        let error = json!({ "error": "invalid_client" });
        (call.path == TOKEN).then(|| Reply::json(&error).with_status(401))
    });
    lab.pass(HOUR);
    let fault = lab.client.ready_orders(&Cancel::new()).expect_err("refused");
    assert_eq!((fault.class, fault.code), (FaultClass::Auth, "client-refused"));
    assert!(fault.hint.expect("a hint").contains("client_id"));
}

#[test]
fn a_refresh_that_fails_for_now_is_transient() {
    let lab =
        Lab::new(|call| (call.path == TOKEN).then(|| Reply::status(503).header("Retry-After", 7)));
    lab.pass(HOUR);
    let fault = lab.client.ready_orders(&Cancel::new()).expect_err("no token");
    assert_eq!((fault.class, fault.code), (FaultClass::Transient, "http-503"));
    assert_eq!(fault.retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn while_refreshing_fails_the_last_seconds_of_a_token_are_used() {
    let lab = Lab::new(|call| (call.path == TOKEN).then(|| Reply::status(503)));
    lab.pass(Duration::from_secs(3595));
    lab.client.ready_orders(&Cancel::new()).expect("orders");
    assert_eq!(lab.refreshes(), 1);
}

#[test]
fn a_fresh_token_that_is_refused_is_not_refreshed_again() {
    let lab = Lab::new(|call| (call.path == ORDERS).then(|| Reply::status(401)));
    let fault = lab.client.ready_orders(&Cancel::new()).expect_err("refused");
    assert_eq!((fault.class, fault.code), (FaultClass::Auth, "http-401"));
    assert_eq!((lab.refreshes(), lab.server.calls_to(ORDERS).len()), (1, 2));
}

#[test]
fn cancelling_a_refresh_waits_for_the_tokens_to_be_saved() {
    let cancel = Cancel::new();
    let stopper = cancel.clone();
    let (returned, seen) = mpsc::channel();
    let seen = Mutex::new(seen);
    let early = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&early);
    let lab = Lab::new(move |call| {
        if call.path == TOKEN {
            stopper.cancel();
            // Longer than the caller needs to see the cancellation: it must keep waiting.
            let wait = seen.lock().expect("seen").recv_timeout(Duration::from_millis(400));
            noted.store(wait.is_ok(), Ordering::SeqCst);
        }
        // Keeps the call from succeeding before the cancellation is seen.
        let endless = || Reply::bytes("[").header("Content-Length", 2).end(End::Stall);
        (call.path == ORDERS).then(endless)
    });
    lab.pass(HOUR);
    let fault = lab.client.ready_orders(&cancel).expect_err("cancelled");
    // If all went well, the receiver is gone.
    let _ = returned.send(());
    assert_eq!(fault.class, FaultClass::Cancelled);
    assert!(!early.load(Ordering::SeqCst), "the caller left while the refresh was under way");
    assert_eq!(lab.stored_access(), "access-1");
}

/// A store on a disk that is full after this many more writes.
struct Full(MemorySecrets, AtomicUsize);

impl SecretStore for Full {
    fn load(&self, lab: &LabName) -> Result<Option<Login>, Fault> {
        self.0.load(lab)
    }

    fn save(&self, lab: &LabName, login: &Login) -> Result<(), Fault> {
        let has_room = |left: usize| left.checked_sub(1);
        if self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, has_room).is_err() {
            return Err(Fault::new(FaultClass::Local, "disk-full", "the disk is full"));
        }
        self.0.save(lab, login)
    }

    fn remove(&self, lab: &LabName) -> Result<(), Fault> {
        self.0.remove(lab)
    }

    fn try_lock(&self, lab: &LabName) -> Result<Option<LockGuard>, Fault> {
        self.0.try_lock(lab)
    }

    fn load_text(&self, name: &str) -> Result<Option<SecretString>, Fault> {
        self.0.load_text(name)
    }

    fn ensure_text(
        &self,
        name: &str,
        good: &dyn Fn(&SecretString) -> bool,
        make: &dyn Fn() -> Result<SecretString, Fault>,
    ) -> Result<SecretString, Fault> {
        self.0.ensure_text(name, good, make)
    }

    fn save_text(&self, name: &str, text: &SecretString) -> Result<(), Fault> {
        self.0.save_text(name, text)
    }

    fn remove_text(&self, name: &str) -> Result<(), Fault> {
        self.0.remove_text(name)
    }
}

#[test]
fn tokens_that_cannot_be_saved_are_kept_until_they_can() {
    let store = Arc::new(Full(MemorySecrets::new(), AtomicUsize::new(9)));
    let lab = Lab::with(Arc::clone(&store) as Arc<dyn SecretStore>, |_| None);
    lab.pass(HOUR);
    // Room for the mark that a renewal has begun, and for nothing else.
    store.1.store(1, Ordering::SeqCst);
    let fault = lab.client.ready_orders(&Cancel::new()).expect_err("not saved");
    assert_eq!((fault.class, fault.code), (FaultClass::Local, "disk-full"));
    store.1.store(9, Ordering::SeqCst);
    lab.client.ready_orders(&Cancel::new()).expect("orders");
    assert_eq!((lab.refreshes(), lab.stored_access().as_str()), (1, "access-1"));
}

#[test]
fn nothing_is_asked_whose_answer_could_not_be_saved() {
    let store = Arc::new(Full(MemorySecrets::new(), AtomicUsize::new(9)));
    let lab = Lab::with(Arc::clone(&store) as Arc<dyn SecretStore>, |_| None);
    store.1.store(0, Ordering::SeqCst);
    lab.pass(34 * MINUTE);
    lab.client.ready_orders(&Cancel::new()).expect("with the token that lives");
    lab.pass(HOUR);
    let fault = lab.client.ready_orders(&Cancel::new()).expect_err("not saved");
    assert_eq!((fault.code, lab.refreshes()), ("disk-full", 0));
}

#[test]
fn without_a_login_nothing_is_sent() {
    let lab = Lab::new(|_| None);
    lab.store.remove(&lab_name()).expect("removed");
    let fault = lab.client.ready_orders(&Cancel::new()).expect_err("no login");
    assert_eq!((fault.class, fault.code), (FaultClass::Auth, "login-needed"));
    assert!(lab.server.calls().is_empty());
}
