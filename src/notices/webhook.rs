//! Sends messages to a web server.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, StatusCode};
use url::Url;

use super::batch::Sent;
use super::sign::Key;
use crate::http::client::{retry_after, unreached};
use crate::model::time::WallMs;

/// Timeout for one message as a whole.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The web server that receives the messages.
pub struct Webhook {
    client: Client,
    url: Url,
    key: Key,
}

impl Webhook {
    /// The client must not follow redirects.
    pub fn new(client: Client, url: Url, key: Key) -> Self {
        Self { client, url, key }
    }

    /// Sends a message; `id` stays the same when a message is sent again.
    pub async fn send(&self, id: &str, body: Vec<u8>, now: WallMs) -> Sent {
        let seconds = now.0.div_euclid(1000);
        let call = self
            .client
            .post(self.url.clone())
            .timeout(TIMEOUT)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", self.key.sign(id, seconds, &body))
            .body(body);
        let host = self.url.host_str().unwrap_or_default();
        match call.send().await {
            Ok(answer) => judge(host, answer.status(), answer.headers(), SystemTime::now()),
            // The URL itself may be secret.
            Err(error) => Sent::NotNow(unreached(host, &error.without_url()), None),
        }
    }
}

fn judge(host: &str, status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Sent {
    let text = format!("{host} answered {status}");
    match status.as_u16() {
        200..=299 => Sent::Delivered,
        410 => Sent::Gone,
        408 | 425 | 429 | 500..=599 => Sent::NotNow(text, retry_after(headers, now)),
        _ => Sent::Refused(text),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use reqwest::header::{DATE, HeaderName, RETRY_AFTER};

    use super::*;

    fn answer(status: u16, headers: &[(HeaderName, &str)]) -> Sent {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().expect("a header")))
            .collect();
        let status = StatusCode::from_u16(status).expect("a status");
        judge("host", status, &headers, UNIX_EPOCH)
    }

    #[test]
    fn the_answer_decides_what_follows() {
        let not_now = |status, wait: Option<u64>| {
            let text = format!("host answered {}", StatusCode::from_u16(status).expect("one"));
            Sent::NotNow(text, wait.map(Duration::from_secs))
        };
        assert_eq!(answer(204, &[]), Sent::Delivered);
        assert_eq!(answer(410, &[]), Sent::Gone);
        assert_eq!(answer(500, &[]), not_now(500, None));
        assert_eq!(answer(429, &[(RETRY_AFTER, "7")]), not_now(429, Some(7)));
        assert_eq!(answer(503, &[(RETRY_AFTER, "999999")]), not_now(503, Some(86_400)));
        let dates = [
            (RETRY_AFTER, "Mon, 23 Nov 2026 10:02:00 GMT"),
            (DATE, "Mon, 23 Nov 2026 10:00:00 GMT"),
        ];
        assert_eq!(answer(503, &dates), not_now(503, Some(120)));
        for status in [301, 400, 401, 404] {
            assert!(matches!(answer(status, &[]), Sent::Refused(_)), "{status}");
        }
    }
}
