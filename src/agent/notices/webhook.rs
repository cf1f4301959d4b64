//! Signed messages to a web server. The content of a message is recorded before it is first sent,
//! so that every repetition is the same and has the same id.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::config::WebhookConfig;
use crate::journal::{Store, StoreError};
use crate::notices::batch::{self, MOST_EVENTS, Sent};
use crate::notices::feed::{Event, message};
use crate::notices::sign::Key;
use crate::notices::webhook::Webhook;

use super::{Feed, HELD, Next, PARKED, PUBLISHED, Sink, Teller, begun, event};
use crate::agent::clock::wall_now;
use crate::agent::context::AgentContext;

pub(super) struct WebTeller {
    webhook: Webhook,
    batch: Duration,
    failures: u32,
}

/// The content of a message: all lines up to that one.
#[derive(Clone, Serialize, Deserialize)]
struct Batch {
    id: String,
    upto: i64,
}

enum Ready {
    Nothing,
    Wait(Duration),
    /// What follows the line with that number.
    Send(i64, Batch, Vec<Event>),
}

pub(super) fn teller(context: &AgentContext, config: &WebhookConfig) -> Result<WebTeller, String> {
    let client = context
        .config
        .outgoing(&*context.disk)
        .and_then(|out| out.client_for(&config.url))
        .map_err(|fault| fault.chain())?;
    let key = Key::parse(config.secret.expose_secret()).map_err(|bad| bad.to_string())?;
    let webhook = Webhook::new(client, config.url.clone(), key);
    Ok(WebTeller { webhook, batch: config.batch, failures: 0 })
}

impl Teller for WebTeller {
    async fn turn(&mut self, feed: &Feed, until: &CancellationToken) -> Result<Next, StoreError> {
        let window = self.batch;
        let ready = feed.with(move |store, context, sink| ready(store, context, sink, window));
        let (from, batch, events) = match ready.await? {
            Ready::Nothing => return Ok(Next::AtNews),
            Ready::Wait(wait) => return Ok(Next::After(wait)),
            Ready::Send(from, batch, events) => (from, batch, events),
        };
        if events.is_empty() {
            feed.told(from, batch.upto, until).await;
            return Ok(Next::Again);
        }
        let now = wall_now();
        let body = message(&batch.id, now, &events);
        let sent = tokio::select! {
            biased;
            () = until.cancelled() => return Ok(Next::Never),
            sent = self.webhook.send(&batch.id, body, now) => sent,
        };
        self.failures = if sent == Sent::Delivered { 0 } else { self.failures + 1 };
        let wait = batch::web_wait(&sent, self.failures);
        match &sent {
            Sent::Delivered => {
                tracing::debug!("the webhook accepted {} events", events.len());
                feed.told(from, batch.upto, until).await;
                return Ok(Next::Again);
            }
            Sent::Gone => tracing::warn!(
                "the webhook's receiver answered 410 (gone): the webhook is off until the next \
                 start"
            ),
            Sent::Refused(why) | Sent::NotNow(why, _) => tracing::warn!(
                "the webhook failed: {why}; retrying in {} s",
                wait.unwrap_or_default().as_secs()
            ),
        }
        Ok(wait.map_or(Next::Never, Next::After))
    }
}

fn ready(
    store: &Store,
    context: &AgentContext,
    sink: Sink,
    window: Duration,
) -> Result<Ready, StoreError> {
    let from = begun(store, sink)?;
    let kept: Option<Batch> =
        store.fact(sink.state())?.and_then(|text| serde_json::from_str(&text).ok());
    let mut rows = store.events_after(from, &[PUBLISHED, PARKED, HELD], MOST_EVENTS)?;
    let kept = kept.filter(|batch| rows.first().is_some_and(|row| row.id <= batch.upto));
    let Some(oldest) = rows.first() else { return Ok(Ready::Nothing) };
    if let Some(batch) = &kept {
        rows.retain(|row| row.id <= batch.upto);
    } else {
        let wait = batch::window(oldest.at, window, rows.len(), wall_now());
        if !wait.is_zero() {
            return Ok(Ready::Wait(wait));
        }
    }
    let mut told = Vec::new();
    for row in &rows {
        told.push((row.id, event(store, context, row)?));
    }
    let batch = if let Some(batch) = kept {
        batch
    } else {
        let length = |event: &Option<Event>| {
            event.as_ref().map_or(0, |event| event.to_json().to_string().len())
        };
        let count = batch::fitting(told.iter().map(|(_, event)| length(event)));
        told.truncate(count);
        let upto = told.last().map_or(from, |(id, _)| *id);
        let batch = Batch { id: format!("msg_{:032x}", fastrand::u128(..)), upto };
        let text = serde_json::to_string(&batch).unwrap_or_default();
        store.set_fact(sink.state(), &text)?;
        batch
    };
    let events = told.into_iter().filter_map(|(_, event)| event).collect();
    Ok(Ready::Send(from, batch, events))
}
