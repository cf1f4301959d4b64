//! Periodic upkeep while the listener runs: certificate, secret, counts, and the few log lines.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::shared::{Shared, Unlogged};
use super::writer::Job;

/// Time between two rounds of log lines.
const HOURLY: Duration = Duration::from_hours(1);

/// Looks after everything, forever.
pub(super) async fn care(shared: Arc<Shared>) -> Infallible {
    let mut logged: Option<Instant> = None;
    loop {
        let care = shared.settings.care;
        match &shared.certificate {
            Some(certificate) => certificate.wait(care).await,
            None => tokio::time::sleep(care).await,
        }
        let look = Arc::clone(&shared);
        // Failures are reported there.
        let _ = tokio::task::spawn_blocking(move || look_around(&look)).await;
        if logged.is_none_or(|at| at.elapsed() >= HOURLY) && log(&shared) {
            logged = Some(Instant::now());
        }
        nudge(&shared);
    }
}

/// Stores and logs what is left at shutdown.
pub(super) fn last_words(shared: &Shared) {
    log(shared);
    nudge(shared);
}

/// Makes the writer store the counts, without a notification.
fn nudge(shared: &Shared) {
    let (answer, _) = oneshot::channel();
    // If the queue is full, the writer is busy anyway.
    let _ = shared.jobs.try_send(Job { mentions: Vec::new(), answer });
}

fn look_around(shared: &Shared) {
    match shared.intake.secret() {
        Ok(secret) => shared.set_secret(&secret),
        Err(fault) => tracing::debug!("the secret of the callback URL: {}", fault.chain()),
    }
    if let Some(certificate) = &shared.certificate {
        certificate.look(&*shared.disk);
    }
}

/// Returns whether there was anything to log.
fn log(shared: &Shared) -> bool {
    let mut said = false;
    shared.log_later(|unlogged| {
        let Unlogged { refused, refused_from, unreadable, unreadable_why } = std::mem::take(unlogged);
        if refused > 0 {
            let from = refused_from.map_or_else(String::new, |from| format!(", the last from {from}"));
            tracing::info!(
                "{refused} scan notifications for accounts that no lab is paired with were refused{from}"
            );
        }
        if unreadable > 0 {
            tracing::warn!(
                "{unreadable} scan notifications contain no readable order (the last: \
                 {unreadable_why}), so Align is polled because of them; check whether a gateway \
                 changes them, and tell the makers of Casedrop"
            );
        }
        said = refused > 0 || unreadable > 0;
    });
    said
}
