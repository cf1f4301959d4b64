//! Server-sent events: `changed` when a page may have something new to show, `progress` during
//! downloads.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::shared::Shared;
use crate::model::ids::OrderKey;
use crate::status::Transfer;

/// How often to look at the downloads.
const LOOK: Duration = Duration::from_millis(500);
/// Shortest time between two `changed` events.
const PAUSE: Duration = Duration::from_secs(1);
/// Pages refresh after this long in any case, since other programs change things too.
const IN_ANY_CASE: Duration = Duration::from_secs(15);
/// How many events to buffer for a slow browser.
const WAITING: usize = 8;

#[derive(Serialize)]
struct Downloads<'a> {
    downloads: Vec<Download<'a>>,
}

#[derive(Serialize)]
struct Download<'a> {
    lab: &'a str,
    account: &'a str,
    order: &'a str,
    asset: &'a str,
    done: u64,
    total: Option<u64>,
}

pub(super) async fn stream(State(shared): State<Arc<Shared>>) -> Response {
    let (events, sent) = mpsc::channel(WAITING);
    let told = shared.told.clone();
    tokio::spawn(tell(shared, told, events));
    let events = stream::unfold(sent, |mut sent| async move {
        Some((Ok::<_, Infallible>(sent.recv().await?), sent))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// Sends events until the browser disconnects or the agent ends.
async fn tell(shared: Arc<Shared>, mut told: watch::Receiver<()>, events: mpsc::Sender<Event>) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut is_news, mut last) = (false, Instant::now());
    let mut was_busy = false;
    loop {
        let is_over = tokio::select! {
            () = events.closed() => true,
            changed = told.changed() => { is_news = true; changed.is_err() }
            _ = look.tick() => false,
        };
        if is_over {
            return;
        }
        let since = last.elapsed();
        if (is_news && since >= PAUSE) || since >= IN_ANY_CASE {
            (is_news, last) = (false, Instant::now());
            if events.send(Event::default().event("changed").data("{}")).await.is_err() {
                return;
            }
        }
        let running = shared.data.transfers();
        let is_busy = !running.is_empty();
        if (is_busy || was_busy)
            && let Some(event) = progress(&running)
            && events.send(event).await.is_err()
        {
            return;
        }
        was_busy = is_busy;
    }
}

fn progress(running: &std::collections::BTreeMap<OrderKey, Transfer>) -> Option<Event> {
    let downloads = running.iter().map(|(key, transfer)| Download {
        lab: key.lab.as_str(),
        account: key.account.as_str(),
        order: key.order.as_str(),
        asset: transfer.kind.as_str(),
        done: transfer.done,
        total: transfer.total,
    });
    let downloads = Downloads { downloads: downloads.collect() };
    Event::default().event("progress").json_data(&downloads).ok()
}
