//! Scan notifications, which Align sends to an account's callback URL.

use std::sync::Arc;
use std::time::Duration;

use super::hub::Hub;
use super::snapshot::Delivery;
use super::wire;

/// How long to wait for a receiver's response.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends a notification to the account's callback URL, as often as the settings say. An account
/// without one gets none (FACT). Returns at once.
pub(super) fn send(hub: &Arc<Hub>, rx_id: &str, account: &str) {
    let (url, times) = {
        let state = hub.state();
        let Some(url) = state.account(account).and_then(|account| account.callback.clone()) else {
            return;
        };
        (url, 1 + state.settings.notification_repeats)
    };
    let (hub, rx_id, account) = (hub.clone(), rx_id.to_owned(), account.to_owned());
    hub.clone().runtime.spawn(async move {
        for _ in 0..times {
            let result = deliver(&url, &rx_id, &account).await;
            let (status, error) = match result {
                Ok(status) => (Some(status), None),
                // The callback URL contains the receiver's secret.
                Err(error) => (None, Some(error.without_url().to_string())),
            };
            tracing::info!(rx = rx_id, account, status, error, "notification sent");
            let delivery =
                Delivery { rx_id: rx_id.clone(), account: account.clone(), status, error };
            hub.state().deliveries.push(delivery);
        }
    });
}

async fn deliver(url: &str, rx_id: &str, account: &str) -> Result<u16, reqwest::Error> {
    // A new client each time: pooled connections could belong to a runtime that has ended.
    let answer = client()?.post(url).json(&wire::notification(rx_id, account)).send().await?;
    Ok(answer.status().as_u16())
}

fn client() -> Result<reqwest::Client, reqwest::Error> {
    // Fails only if a provider is already installed, which is fine too.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .timeout(TIMEOUT)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
}
