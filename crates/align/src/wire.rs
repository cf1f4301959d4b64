//! Everything the client knows about Align's wire format: the names in JSON bodies, forms and
//! queries.
//!
//! Align gives the specification to registered partners only. **FACT** marks what is in its public
//! pages, **SEEN** what other integrators do, **ASSUMED** what we chose where both are silent. With
//! the specification at hand, only this file needs correcting (and the paths, in the config's
//! `api:` section). Parsing is tolerant: see [`loose`](super::loose).
//!
//! The patient's name ends here: nothing that this module returns contains it.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use super::account::Account;
use super::lenient_json::{BadAnswer, each_entry, field, id, text, value};
use casedrop_model::asset::{AssetKind, Format};
use casedrop_model::day::Day;
use casedrop_model::ids::AccountId;
use casedrop_model::order::{RemoteOrder, Status, StatusChange};
use casedrop_model::remote::ReadyList;

/// ASSUMED: lists may be in an object, under one of these.
const WRAPPERS: [&str; 3] = ["data", "items", "result"];

/// Tokens as the token endpoint and "pair" return them.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) access: SecretString,
    pub(super) refresh: Option<SecretString>,
    pub(super) lifetime: Option<Duration>,
}

/// FACT: the result is an access token and a refresh token. The names are those of RFC 6749,
/// section 5.1; ASSUMED: "pair" uses them too, perhaps within an object.
pub(super) fn tokens(bytes: &[u8]) -> Result<Tokens, BadAnswer> {
    const LACKS: BadAnswer = BadAnswer::Lacks("access token");
    let answer = value(bytes)?;
    let object = answer.as_object().ok_or(LACKS)?;
    let inner = field(object, &["tokens", "token", "data", "result"]).and_then(Value::as_object);
    let object = inner.filter(|_| field(object, &["access_token"]).is_none()).unwrap_or(object);
    let secret = |name: &str| {
        field(object, &[name]).and_then(Value::as_str).filter(|token| !token.is_empty())
    };
    let seconds = match field(object, &["expires_in"]) {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    Ok(Tokens {
        access: secret("access_token").ok_or(LACKS)?.into(),
        refresh: secret("refresh_token").map(Into::into),
        lifetime: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
    })
}

/// An error answer of the token endpoint (RFC 6749, section 5.2).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OauthError {
    pub(super) code: String,
    pub(super) description: Option<String>,
}

/// Parses the token endpoint's error, if the answer is one.
pub(super) fn oauth_error(bytes: &[u8]) -> Option<OauthError> {
    let answer = value(bytes).ok()?;
    let object = answer.as_object()?;
    let code = field(object, &["error"])?.as_str()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if code.is_empty() || code.len() > 64 || !code.chars().all(plain) {
        return None;
    }
    let description = text(field(object, &["error_description"]), &[]);
    Some(OauthError { code: code.to_owned(), description })
}

/// A form for the token endpoint.
pub(super) type Form = Vec<(&'static str, SecretString)>;

/// Exchanges an authorization code (RFC 6749, section 4.1.3, and RFC 7636).
pub(super) fn code_form(code: &SecretString, redirect: &str, verifier: &str) -> Form {
    vec![
        ("grant_type", "authorization_code".into()),
        ("code", code.clone()),
        ("redirect_uri", redirect.into()),
        ("code_verifier", verifier.into()),
    ]
}

/// Refreshes the tokens (RFC 6749, section 6).
pub(super) fn refresh_form(refresh: &SecretString) -> Form {
    vec![("grant_type", "refresh_token".into()), ("refresh_token", refresh.clone())]
}

/// Revokes a token (RFC 7009).
pub(super) fn revoke_form(token: &SecretString, is_refresh: bool) -> Form {
    let hint = if is_refresh { "refresh_token" } else { "access_token" };
    vec![("token", token.clone()), ("token_type_hint", hint.into())]
}

/// ASSUMED: the client authenticates in the form (`client_secret_post`).
pub(super) fn sign_form(form: &mut Form, client_id: &str, secret: Option<&SecretString>) {
    form.push(("client_id", client_id.into()));
    if let Some(secret) = secret {
        form.push(("client_secret", secret.clone()));
    }
}

/// Encodes the form for sending.
pub(super) fn encode_form(form: &Form) -> String {
    let mut encoder = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in form {
        encoder.append_pair(name, value.expose_secret());
    }
    encoder.finish()
}

/// What the login page returned: the code, the state, the error (RFC 6749, section 4.1.2).
#[derive(Debug, Default)]
pub(super) struct Redirected {
    pub(super) code: Option<SecretString>,
    pub(super) state: Option<SecretString>,
    pub(super) error: Option<String>,
}

/// Parses the query of the redirected URL.
pub(super) fn redirected(url: &Url) -> Redirected {
    let mut seen = Redirected::default();
    for (name, value) in url.query_pairs() {
        match &*name {
            "code" => seen.code = Some(value.as_ref().into()),
            "state" => seen.state = Some(value.as_ref().into()),
            "error" => seen.error = text(Some(&Value::String(value.into_owned())), &[]),
            _ => {}
        }
    }
    seen
}

/// One endpoint as named by discovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Discovered {
    pub(super) name: String,
    pub(super) domain: String,
    pub(super) path: String,
}

/// FACT: discovery returns the domain and path of every endpoint. The shape is ASSUMED. Unreadable
/// entries are left out; their endpoints fall back to the config.
pub(super) fn discovery(bytes: &[u8]) -> Result<Vec<Discovered>, BadAnswer> {
    let mut found = Vec::new();
    each_entry(bytes, &["endpoints", "data", "items"], "list of endpoints", |entry| {
        let Some(object) = entry.as_object() else { return };
        let get = |name| text(field(object, &[name]), &[]);
        if let (Some(name), Some(domain)) = (get("name"), get("domain")) {
            found.push(Discovered { name, domain, path: get("path").unwrap_or_default() });
        }
    })?;
    Ok(found)
}

/// FACT: "Get accounts for pairing" lists accounts. The shape is ASSUMED.
pub(super) fn accounts(bytes: &[u8]) -> Result<Vec<Account>, BadAnswer> {
    let mut found = Vec::new();
    each_entry(bytes, &["accounts", "data", "items"], "list of accounts", |entry| {
        let Some(object) = entry.as_object() else { return };
        if let Some(id) = id(field(object, &["accountId", "accountNumber", "id"])) {
            let name = text(field(object, &["name", "accountName"]), &[]);
            let kind = text(field(object, &["type", "accountType"]), &["name"]);
            found.push(Account { id, name, kind });
        }
    })?;
    Ok(found)
}

/// FACT: the callback URL may be given in the pairing request. The names are ASSUMED.
pub(super) fn pair_body(account: &AccountId, callback: Option<&Url>) -> Value {
    let mut body = json!({ "accountId": account.as_str() });
    if let Some(url) = callback {
        body["callbackUrl"] = url.as_str().into();
    }
    body
}

/// ASSUMED.
pub(super) fn unpair_body(account: &AccountId) -> Value {
    json!({ "accountId": account.as_str() })
}

/// ASSUMED.
pub(super) fn return_body(reason: &str) -> Value {
    json!({ "reason": reason })
}

/// FACT: all cases that are currently ready. The shape is ASSUMED. An unreadable entry does not
/// affect the others.
pub(super) fn ready_orders(bytes: &[u8]) -> Result<ReadyList, BadAnswer> {
    let mut list = ReadyList::default();
    let mut position = 0;
    let wrappers = ["orders", WRAPPERS[0], WRAPPERS[1], WRAPPERS[2]];
    each_entry(bytes, &wrappers, "list of orders", |entry| {
        position += 1;
        // The list only contains ready orders, so an entry without a status is ready.
        match entry.as_object().ok_or("is not an object").and_then(|o| order(o, &Status::Ready)) {
            Ok(order) => list.orders.push(order),
            Err(reason) => list.unreadable.push(format!("entry {position} of the list {reason}")),
        }
    })?;
    Ok(list)
}

/// One order, bare or wrapped. ASSUMED.
pub(super) fn single_order(bytes: &[u8]) -> Result<RemoteOrder, BadAnswer> {
    let answer = value(bytes)?;
    let mut object = first_object(&answer).ok_or(BadAnswer::Lacks("order"))?;
    if let Some(inner) = field(object, &["order", WRAPPERS[0], WRAPPERS[1], WRAPPERS[2]])
        && field(object, &ORDER_ID).is_none()
    {
        object = first_object(inner).ok_or(BadAnswer::Lacks("order"))?;
    }
    let unknown = Status::Other(String::new());
    order(object, &unknown).map_err(|_| BadAnswer::Lacks("usable order id"))
}

/// FACT: scan, order and case are the same thing. The names are ASSUMED.
const ORDER_ID: [&str; 2] = ["orderId", "caseId"];

fn first_object(value: &Value) -> Option<&Map<String, Value>> {
    match value {
        Value::Array(list) => list.first()?.as_object(),
        other => other.as_object(),
    }
}

/// The fields are ASSUMED, the statuses FACT. `patient` is not even read. ASSUMED: the due date is a
/// day as the doctor's practice writes it (ISO 8601 or month first), so no time zone shifts it.
fn order(object: &Map<String, Value>, silent: &Status) -> Result<RemoteOrder, &'static str> {
    let get = |name| text(field(object, &[name]), &["name", "value"]);
    let order_id = field(object, &ORDER_ID).ok_or("has no order id")?;
    let list = |name| field(object, &[name]).and_then(Value::as_array).into_iter().flatten();
    let history = list("history").filter_map(Value::as_object).filter_map(|step| {
        let status = text(field(step, &["status"]), &["name"])?;
        let at = text(field(step, &["at", "date", "time"]), &[]);
        Some(StatusChange { status: status.into(), at })
    });
    let ide = list("assets").filter_map(Value::as_object).find(|asset| {
        text(field(asset, &["type", "assetType"]), &["name"])
            .is_some_and(|kind| kind.eq_ignore_ascii_case(asset_type(AssetKind::Ide)))
    });
    Ok(RemoteOrder {
        order_id: id(Some(order_id)).ok_or("has an order id that cannot be used")?,
        rx_id: id(field(object, &["rxId"])),
        order_code: get("orderCode"),
        status: get("status").map_or_else(|| silent.clone(), Status::from),
        case_type: get("caseType"),
        procedure: get("procedure"),
        due_date: get("dueDate").and_then(|text| Day::from_vendor(&text)),
        doctor: get("doctor").filter(|name| name.chars().any(char::is_alphanumeric)),
        updated_at: get("updatedAt"),
        history: history.collect(),
        etag: ide.and_then(|asset| text(field(asset, &["etag"]), &[])),
    })
}

/// SEEN: download URLs generated per call. ASSUMED: such a URL comes as JSON that contains exactly
/// one web address, anywhere.
pub(super) fn download_link(bytes: &[u8]) -> Result<Url, BadAnswer> {
    let mut links = Vec::new();
    collect_links(&value(bytes)?, &mut links);
    links.dedup();
    match links.as_slice() {
        [link] => Ok(link.clone()),
        [] => Err(BadAnswer::Lacks("address of a download")),
        _ => Err(BadAnswer::Lacks("single address of a download")),
    }
}

fn collect_links(value: &Value, links: &mut Vec<Url>) {
    match value {
        Value::String(text) => {
            let link = Url::parse(text.trim()).ok();
            links.extend(link.filter(|link| matches!(link.scheme(), "http" | "https")));
        }
        Value::Array(list) => list.iter().for_each(|entry| collect_links(entry, links)),
        Value::Object(object) => object.values().for_each(|entry| collect_links(entry, links)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// FACT: a scan notification contains the Rx id and the account number. The names are ASSUMED.
pub(super) const NOTIFIED_RX: [&str; 7] =
    ["rxId", "rxIds", "rx", "rxNumber", "prescriptionId", "prescriptionIds", "prescription"];
/// ASSUMED.
pub(super) const NOTIFIED_ACCOUNT: [&str; 8] = [
    "accountNumber",
    "accountId",
    "account",
    "companyId",
    "companyNumber",
    "labAccountId",
    "labId",
    "lab",
];
/// ASSUMED: what a notification may say instead.
pub(super) const NOTIFIED_ORDER: [&str; 6] =
    ["orderId", "orderIds", "orderNumber", "orderNumbers", "order", "orders"];
/// ASSUMED: like [`NOTIFIED_INNER`], for an order.
pub(super) const NOTIFIED_ORDER_INNER: [&str; 3] = ["id", "number", "orderId"];
/// ASSUMED: either may be in an object, under one of these.
pub(super) const NOTIFIED_INNER: [&str; 4] = ["id", "number", "rxId", "accountId"];

/// SEEN: `IDE` and `IMAGE_GALLERY`. ASSUMED: `SCREEN_CAPTURES`.
pub(super) fn asset_type(kind: AssetKind) -> &'static str {
    match kind {
        AssetKind::Ide => "IDE",
        AssetKind::Thumbnails => "IMAGE_GALLERY",
        AssetKind::ScreenCaptures => "SCREEN_CAPTURES",
    }
}

/// SEEN: the parameters and their values. ASSUMED: their names in the query.
pub(super) fn asset_query(format: &Format) -> Vec<(&'static str, String)> {
    [
        ("fileType", &format.file_type),
        ("fileFormat", &format.file_format),
        ("typeFormat", &format.type_format),
        ("cadCamSystem", &format.cad_cam_system),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value.clone()?)))
    .collect()
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
