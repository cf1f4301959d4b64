//! The vendor's scanning tool, which creates scans in its sandbox without a scanner.
//!
//! FACT: paths, request fields and status codes. ASSUMED: the response formats, and that the Basic
//! authorization's user and password are the client id and client secret.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use super::call::Call;
use super::hub::Hub;
use super::notify;
use super::reply::Reply;
use super::routes::Endpoint;
use super::scenario::{CaseKind, OrderSpec};
use super::wire::NewOrder;

const PROCEDURES: [(u32, &str, CaseKind); 3] = [
    (1, "Orthodontic, iRecord", CaseKind::OrthoShell),
    (2, "Orthodontic, iCast", CaseKind::OrthoBase),
    (3, "Restorative, Fixed Restorative", CaseKind::Restorative),
];

/// Lists the procedures with which a scan can be created.
pub(super) fn procedures(hub: &Hub, call: &Call) -> Reply {
    if let Err(refused) = authorized(hub, call) {
        return refused;
    }
    let shown: Vec<Value> =
        PROCEDURES.iter().map(|(id, name, _)| json!({"id": id, "name": name})).collect();
    Reply::json(StatusCode::OK, &shown.into())
}

/// Creates a scan; it is ready at once, and a notification is sent.
pub(super) fn create(hub: &Arc<Hub>, call: &Call) -> Reply {
    let account = match authorized(hub, call) {
        Ok(account) => account,
        Err(refused) => return refused,
    };
    let bad = |message: &str| Reply::error(StatusCode::BAD_REQUEST, "BadRequest", message);
    let Ok(wanted) = serde_json::from_slice::<NewOrder>(&call.body) else {
        return bad("companyId, scannerSerialNumber and procedureMapId are needed");
    };
    if text(&wanted.company_id) != account {
        return bad("companyId is not the account of this login");
    }
    if wanted.scanner_serial_number.trim().is_empty() {
        return bad("scannerSerialNumber is empty");
    }
    let procedure = PROCEDURES.iter().find(|(id, ..)| *id == wanted.procedure_map_id);
    let Some((_, _, kind)) = procedure else {
        return bad("procedureMapId is not one of the available ones");
    };
    let by_rx = call.route.endpoint == Endpoint::CreateOrderByRx;
    if by_rx && wanted.rx_id.is_none() {
        return bad("rxId is needed");
    }
    let rx_id = wanted.rx_id.as_ref().filter(|_| by_rx).map(text);
    let spec = OrderSpec { rx_id, account: Some(account.clone()), ..OrderSpec::new(*kind) };
    let created = hub.state().create_order(&spec);
    let id = match created {
        Ok(id) => id,
        Err(message) => return bad(&message),
    };
    let rx_id = hub.state().order(&id).map(|order| order.rx_id.clone()).unwrap_or_default();
    notify::send(hub, &rx_id, &account);
    Reply::json(StatusCode::OK, &json!({"orderId": id, "rxId": rx_id}))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the account of the login.
fn authorized(hub: &Hub, call: &Call) -> Result<String, Reply> {
    let login = call
        .header(&header::AUTHORIZATION)
        .and_then(|value| value.strip_prefix("Basic "))
        .and_then(|text| String::from_utf8(base64(text.trim())?).ok());
    let state = hub.state();
    let known =
        login.as_deref().and_then(|login| login.split_once(':')).and_then(|(id, secret)| {
            state.accounts.iter().find(|a| a.client_id == id && a.client_secret == secret)
        });
    known.map(|account| account.id.clone()).ok_or_else(|| {
        Reply::error(StatusCode::UNAUTHORIZED, "Unauthorized", "the login is wrong")
            .with(header::WWW_AUTHENTICATE, "Basic realm=\"scanning tool\"")
    })
}

/// Decodes standard Base64; `None` if it is invalid.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(bits.checked_shr(count)?.to_le_bytes()[0]);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_decoded() {
        assert_eq!(base64("YWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Some(b"aladdin:open sesame".to_vec()));
        assert_eq!(base64("YWI="), Some(b"ab".to_vec()));
        assert_eq!(base64("a b"), None);
    }
}
