//! The URLs of orders.

use axum::extract::Path;

use super::markup::segment;
use crate::model::ids::OrderKey;

/// The order's part of a URL: lab, account, order.
pub(super) type InAddress = Path<(String, String, String)>;

/// The URL of an order's page.
pub(super) fn href(key: &OrderKey) -> String {
    format!(
        "/orders/{}/{}/{}",
        segment(key.lab.as_str()),
        segment(key.account.as_str()),
        segment(key.order.as_str())
    )
}

/// The order that a URL names.
pub(super) fn named((lab, account, order): (String, String, String)) -> Option<OrderKey> {
    Some(OrderKey {
        lab: lab.parse().ok()?,
        account: account.parse().ok()?,
        order: order.parse().ok()?,
    })
}
