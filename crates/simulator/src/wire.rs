//! The JSON that the simulator speaks, and the only place that knows it.
//!
//! Everything here is ASSUMED: the vendor gives the real wire format to registered partners only.
//! Public pages reveal the *facts* behind it (which calls there are, what they mean and when which
//! status appears), not the names. With `settings.vary` the shapes differ from order to order as in
//! real services: ids as numbers or strings, two spellings, two date formats, unknown fields.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use casedrop_model::asset::AssetKind;

use super::order::{Files, Order};
use super::tokens::TokenSet;

/// The asset's name in paths.
pub(super) fn asset_name(asset: AssetKind) -> &'static str {
    match asset {
        AssetKind::Ide => "IDE",
        AssetKind::Thumbnails => "IMAGE_GALLERY",
        AssetKind::ScreenCaptures => "SCREEN_CAPTURES",
    }
}

/// The asset for a name in a path.
pub(super) fn asset_of(name: &str) -> Option<AssetKind> {
    let known = [AssetKind::Ide, AssetKind::Thumbnails, AssetKind::ScreenCaptures];
    known.into_iter().find(|asset| asset_name(*asset).eq_ignore_ascii_case(name))
}

/// Tokens, as in RFC 6749 section 5.1; the response to pairing is the same.
pub(super) fn tokens(tokens: &TokenSet) -> Value {
    json!({
        "access_token": tokens.access,
        "refresh_token": tokens.refresh,
        "token_type": "Bearer",
        "expires_in": tokens.expires_in,
    })
}

/// An error, as in RFC 6749 section 5.2.
pub(super) fn oauth_error(code: &str, description: &str) -> Value {
    json!({"error": code, "error_description": description})
}

/// Any other error.
pub(super) fn error(code: &str, message: &str) -> Value {
    json!({"errorCode": code, "message": message})
}

/// The location of a download. ASSUMED: that such a response contains one URL.
pub(super) fn download_link(url: &str) -> Value {
    json!({"assetUrl": url, "expiresInSeconds": 60})
}

/// One endpoint in the discovery response.
pub(super) fn endpoint(name: &str, domain: &str, path: &str) -> Value {
    json!({"name": name, "domain": domain, "path": path, "version": "v3"})
}

/// The discovery response.
pub(super) fn discovery(endpoints: &[Value]) -> Value {
    json!({"region": "eu1", "endpoints": endpoints})
}

/// One account that can be paired with.
pub(super) fn account(id: &str, name: &str, numeric: bool) -> Value {
    json!({"accountId": id_value(id, numeric), "name": name, "type": "Lab"})
}

/// The response to un-pair.
pub(super) fn unpaired(account: &str, users: usize) -> Value {
    json!({"accountId": account, "unpairedUsers": users})
}

/// The response to a return.
pub(super) fn returned(order: &Order) -> Value {
    json!({"orderId": order.id, "status": order.status})
}

/// The body of a notification.
pub(super) fn notification(rx_id: &str, account: &str) -> Value {
    json!({"rxId": rx_id, "accountNumber": account})
}

/// The request body of pair and un-pair.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PairRequest {
    account_id: Value,
    #[serde(default)]
    pub(super) callback_url: Option<String>,
}

impl PairRequest {
    /// Returns the account, given as a number or a string.
    pub(super) fn account(&self) -> Option<String> {
        match &self.account_id {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}

/// The request body of a return.
#[derive(Debug, Deserialize)]
pub(super) struct ReturnRequest {
    pub(super) reason: String,
}

/// The scanning tool's request to create a scan (FACT, except `rxId`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewOrder {
    pub(super) company_id: Value,
    pub(super) scanner_serial_number: String,
    pub(super) procedure_map_id: u32,
    #[serde(default)]
    pub(super) rx_id: Option<Value>,
}

/// An order as shown in the list or when requested by its Rx id.
pub(super) fn order(order: &Order, status: &str, updated: Timestamp, vary: bool) -> Value {
    let odd = vary && order.serial % 2 == 1;
    let american = vary && order.serial % 3 == 1;
    let status = if odd { status.replace("Ready for", "Ready For") } else { status.to_owned() };
    let (day, time) =
        if american { ("%m/%d/%Y", "%m/%d/%Y") } else { ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ") };
    let history: Vec<Value> =
        order.history.iter().map(|step| json!({"status": step.status, "at": step.at})).collect();
    let mut value = json!({
        "orderId": id_value(&order.id, !odd),
        "rxId": id_value(&order.rx_id, odd),
        "orderCode": order.code,
        "status": status,
        "caseType": order.case_type,
        "procedure": order.procedure,
        "patient": {
            "firstName": "Pretend",
            "lastName": format!("Simulated-Patient-{}", order.serial),
            "chartNumber": format!("SIM-{:04}", order.serial),
        },
        "doctor": {"name": order.doctor, "license": "SIM-000"},
        "practice": {"id": id_value("8080", !odd), "name": "Simulated Practice"},
        "receivedDate": order.received.strftime(time).to_string(),
        "dueDate": order.due.strftime(day).to_string(),
        "updatedAt": updated.to_string(),
        "history": history,
        "assets": [{"type": "IDE", "url": null, "etag": null}],
    });
    if vary && order.serial % 3 == 2 {
        value["scannerModel"] = json!("Element 5D");
        value["flags"] = json!({"isVip": false, "lanes": [1, 2]});
    }
    // A real package has a doctor and a due date of its own.
    let is_real = matches!(order.files, Files::Package(_));
    if is_real || (vary && order.serial % 4 == 2) {
        value["doctor"] = Value::Null;
        value["dueDate"] = Value::Null;
    }
    if vary && order.serial % 4 == 3 {
        value["orderCode"] = Value::Null;
        if let Some(fields) = value.as_object_mut() {
            fields.shift_remove("practice");
        }
    }
    value
}

/// An id, as a number if nothing is lost that way.
fn id_value(id: &str, numeric: bool) -> Value {
    match id.parse::<u64>() {
        Ok(number) if numeric && number.to_string() == id => json!(number),
        _ => json!(id),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenario::OrderSpec;
    use super::*;

    #[test]
    fn ids_come_as_numbers_and_as_strings() {
        let shown = |serial, vary| {
            let made = Order::new(&OrderSpec::default(), "1", serial);
            order(&made, "Ready for Download", made.updated, vary)
        };
        assert!(shown(2, true)["orderId"].is_number());
        assert!(shown(3, true)["orderId"].is_string());
        assert_eq!(shown(3, true)["status"], "Ready For Download");
        assert_eq!(shown(3, false)["status"], "Ready for Download");
        assert!(shown(1, true)["dueDate"].as_str().expect("text").contains('/'));
        assert!(shown(2, true)["doctor"].is_null() && shown(2, true)["dueDate"].is_null());
        assert!(shown(2, false)["doctor"]["name"].as_str().expect("text").starts_with("Dr. "));
        assert_eq!(id_value("007", true), json!("007"));
    }
}
