use casedrop::align::Account;
use casedrop::model::cancel::Cancel;
use casedrop::model::fault::FaultClass;
use casedrop::model::remote::Remote;
use serde_json::{Value, json};

use crate::fixture::{Lab, lab_name};
use crate::server::{Call, Reply};

const PAIR: &str = "/api/third-party/v1/pair";
const UNPAIR: &str = "/api/third-party/v1/unpair";
const REVOKE: &str = "/oauth/revoke";

fn align(call: &Call) -> Option<Reply> {
    match call.path.as_str() {
        "/api/third-party/v1/accounts" => Some(Reply::json(&json!({ "Accounts": [
            { "accountId": 4711, "name": "Smile Lab", "type": "Lab" }, { "accountId": "4712" }
        ]}))),
        PAIR => Some(Reply::json(&json!({
            "access_token": "paired-access", "refresh_token": "paired-refresh", "expires_in": 60
        }))),
        UNPAIR | REVOKE => Some(Reply::status(200)),
        _ => None,
    }
}

fn account(lab: &Lab) -> Account {
    lab.client.accounts(&Cancel::new()).expect("accounts").remove(0)
}

#[test]
fn pairing_keeps_the_new_tokens_and_the_account() {
    let lab = Lab::new(align);
    let fault = lab.client.account().expect_err("not paired yet");
    assert_eq!((fault.class, fault.code), (FaultClass::Auth, "not-paired"));
    assert!(fault.hint.expect("a hint").contains("casedrop pair smile-lab"));
    let account = account(&lab);
    assert_eq!((account.id.as_str(), account.name.as_deref()), ("4711", Some("Smile Lab")));
    let callback = "https://lab.example/n/7".parse().expect("a URL");
    lab.client.pair(&account, Some(&callback), &Cancel::new()).expect("paired");
    assert_eq!(lab.stored_access(), "paired-access");
    assert_eq!(lab.client.account().expect("paired").as_str(), "4711");
    let body: Value = serde_json::from_str(&lab.server.calls_to(PAIR)[0].body).expect("JSON");
    assert_eq!(body, json!({ "accountId": "4711", "callbackUrl": callback.as_str() }));
}

#[test]
fn a_refresh_keeps_the_pairing() {
    let lab = Lab::new(align);
    let mut login = lab.store.load(&lab_name()).expect("load").expect("there");
    let id = "4711".parse().expect("valid");
    login.account = Some(casedrop::secrets::PairedAccount { id, name: None });
    lab.store.save(&lab_name(), &login).expect("saved");
    lab.tokens.revoke_access();
    lab.client.ready_orders(&Cancel::new()).expect("orders");
    assert_eq!((lab.refreshes(), lab.client.account().expect("paired").as_str()), (1, "4711"));
}

#[test]
fn un_pairing_forgets_the_account_and_keeps_the_login() {
    let lab = Lab::new(align);
    // The fake accepts the old token only, so keep it.
    let account = account(&lab);
    let mut login = lab.store.load(&lab_name()).expect("load").expect("there");
    let (id, name) = (account.id.clone(), account.name);
    login.account = Some(casedrop::secrets::PairedAccount { id, name });
    lab.store.save(&lab_name(), &login).expect("saved");
    lab.client.unpair(&account.id, &Cancel::new()).expect("un-paired");
    assert_eq!(lab.server.calls_to(UNPAIR)[0].body, r#"{"accountId":"4711"}"#);
    assert_eq!(lab.client.account().expect_err("none").code, "not-paired");
    assert_eq!(lab.stored_access(), "access-0");
}

#[test]
fn logging_out_revokes_the_refresh_token_and_forgets_the_login() {
    let lab = Lab::new(align);
    assert!(lab.client.logout(&Cancel::new()).expect("logged out").is_none());
    let call = &lab.server.calls_to(REVOKE)[0];
    assert_eq!(call.form("token").as_deref(), Some("refresh-0"));
    assert_eq!(call.form("client_id").as_deref(), Some("client-1"));
    assert!(lab.store.load(&lab_name()).expect("load").is_none());
}

#[test]
fn logging_out_forgets_the_login_even_if_align_cannot_be_told() {
    let lab = Lab::new(|call| (call.path == REVOKE).then(|| Reply::status(503)));
    let untold = lab.client.logout(&Cancel::new()).expect("forgotten").expect("a fault");
    assert_eq!(untold.code, "http-503");
    assert!(lab.store.load(&lab_name()).expect("load").is_none());
}
