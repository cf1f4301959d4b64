//! The simulated endpoints: their names, methods and paths.
//!
//! Every path here is ASSUMED. A client uses the fallback paths below `base_url` if discovery does
//! not name an endpoint; the discovered paths differ on purpose, so that the counters reveal a
//! client that ignores discovery.

use axum::http::Method;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Authorize,
    Token,
    Revoke,
    Discovery,
    Accounts,
    Pair,
    Unpair,
    Orders,
    Order,
    Asset,
    Return,
    Storage,
    CreateOrder,
    CreateOrderByRx,
    Procedures,
}

impl Endpoint {
    /// The name in discovery, in faults and in the counters.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Token => "token",
            Self::Revoke => "revokeToken",
            Self::Discovery => "discovery",
            Self::Accounts => "getAccountsForPairing",
            Self::Pair => "pairAccount",
            Self::Unpair => "unpairAccount",
            Self::Orders => "getOrdersForLab",
            Self::Order => "getOrderByRxId",
            Self::Asset => "downloadAsset",
            Self::Return => "returnScan",
            Self::Storage => "storage",
            Self::CreateOrder => "createNewOrder",
            Self::CreateOrderByRx => "createNewOrderByRx",
            Self::Procedures => "availableProcedureMaps",
        }
    }
}

/// The login's base path below the simulator's root. Its separate path catches clients that join
/// URLs carelessly.
pub(super) const OAUTH_BASE: &str = "/auth";

/// What discovery lists: endpoint name, endpoint, path.
pub(super) const DISCOVERED: [(&str, Endpoint, &str); 9] = [
    ("getAccountsForPairing", Endpoint::Accounts, "/eu1/lab-connector/v3/accounts"),
    ("pairAccount", Endpoint::Pair, "/eu1/lab-connector/v3/accounts/pair"),
    ("unpairAccount", Endpoint::Unpair, "/eu1/lab-connector/v3/accounts/unpair"),
    ("getOrdersForLab", Endpoint::Orders, "/eu1/lab-connector/v3/lab-orders"),
    ("getOrderByRxId", Endpoint::Order, "/eu1/lab-connector/v3/prescriptions/{rxId}/order"),
    (
        "downloadAsset",
        Endpoint::Asset,
        "/eu1/lab-connector/v3/lab-orders/{orderId}/files/{assetType}",
    ),
    ("returnScan", Endpoint::Return, "/eu1/lab-connector/v3/lab-orders/{orderId}/send-back"),
    ("refreshToken", Endpoint::Token, "/eu1/identity/token"),
    ("revokeToken", Endpoint::Revoke, "/eu1/identity/revoke"),
];

/// What works without discovery.
const SHARED: [(Endpoint, &str); 15] = [
    (Endpoint::Authorize, "/auth/authorize"),
    (Endpoint::Token, "/auth/oauth/token"),
    (Endpoint::Revoke, "/auth/oauth/revoke"),
    (Endpoint::Discovery, "/api/third-party/v2/discovery"),
    (Endpoint::Accounts, "/api/third-party/v1/accounts"),
    (Endpoint::Pair, "/api/third-party/v1/pair"),
    (Endpoint::Unpair, "/api/third-party/v1/unpair"),
    (Endpoint::Orders, "/api/third-party/v1/orders/lab"),
    (Endpoint::Order, "/api/third-party/v1/orders/{rxId}"),
    (Endpoint::Asset, "/api/third-party/v1/orders/{orderId}/assets/{assetType}"),
    (Endpoint::Return, "/api/third-party/v1/orders/{orderId}/return"),
    (Endpoint::Storage, "/storage/{ticket}"),
    (Endpoint::CreateOrder, "/scanning-tool/api/v1/order/create-new-order"),
    (Endpoint::CreateOrderByRx, "/scanning-tool/api/v1/order/create-new-order-by-rx"),
    (Endpoint::Procedures, "/scanning-tool/api/v1/presets/available-procedure-maps"),
];

/// A request's endpoint and the values in its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    /// Whether discovery returns this path.
    pub(super) discovered: bool,
    /// `{rxId}`, `{orderId}` or `{ticket}`.
    pub(super) id: Option<String>,
    /// `{assetType}`.
    pub(super) asset: Option<String>,
}

/// Finds the endpoint for a path, whatever the method.
pub(super) fn find(path: &str) -> Option<Route> {
    let discovered = DISCOVERED.iter().map(|(_, endpoint, template)| (*endpoint, *template, true));
    let shared = SHARED.iter().map(|(endpoint, template)| (*endpoint, *template, false));
    discovered.chain(shared).find_map(|(endpoint, template, discovered)| {
        let values = captures(template, path)?;
        let mut values = values.into_iter();
        Some(Route { endpoint, discovered, id: values.next(), asset: values.next() })
    })
}

/// Whether the endpoint accepts the method.
pub(super) fn allows(endpoint: Endpoint, method: &Method) -> bool {
    match endpoint {
        Endpoint::Authorize => method == Method::GET || method == Method::POST,
        Endpoint::Token
        | Endpoint::Revoke
        | Endpoint::Pair
        | Endpoint::Unpair
        | Endpoint::Return
        | Endpoint::CreateOrder
        | Endpoint::CreateOrderByRx => method == Method::POST,
        _ => method == Method::GET,
    }
}

/// Returns the values of a template's placeholders, if the path matches it.
fn captures(template: &str, path: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    let mut parts = path.split('/');
    for wanted in template.split('/') {
        let part = parts.next()?;
        if wanted.starts_with('{') {
            let value = percent_encoding::percent_decode_str(part).decode_utf8().ok()?;
            if value.is_empty() {
                return None;
            }
            values.push(value.into_owned());
        } else if wanted != part {
            return None;
        }
    }
    parts.next().is_none().then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_orders_is_not_taken_for_an_rx_id() {
        let route = find("/api/third-party/v1/orders/lab").expect("known");
        assert_eq!(route.endpoint, Endpoint::Orders);
        let route = find("/api/third-party/v1/orders/RX%2F17").expect("known");
        assert_eq!((route.endpoint, route.id.as_deref()), (Endpoint::Order, Some("RX/17")));
        let route = find("/eu1/lab-connector/v3/lab-orders/17544365/files/IDE").expect("known");
        assert!(route.discovered);
        assert_eq!(route.asset.as_deref(), Some("IDE"));
        assert_eq!(find("/api/third-party/v1/orders/lab/"), None);
    }
}
