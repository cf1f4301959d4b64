//! What is looked after from time to time while the listener works: certificate, secret, counts, and
//! the few lines in the log.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::certificate::{self, Seen};
use super::shared::{Shared, Unlogged};
use super::writer::Job;

/// Time between two lines of one kind in the log.
const HOURLY: Duration = Duration::from_hours(1);
/// Failed handshakes make no look at the certificate more often than this.
const LEAST: Duration = Duration::from_secs(1);

/// Looks after everything, for ever.
pub(super) async fn care(shared: Arc<Shared>) -> Infallible {
    let mut logged: Option<Instant> = None;
    loop {
        let least = shared.settings.care.min(LEAST);
        tokio::time::sleep(least).await;
        tokio::select! {
            () = tokio::time::sleep(shared.settings.care.saturating_sub(least)) => {}
            () = shared.handshake_failed.notified() => {}
        }
        let look = Arc::clone(&shared);
        // What fails here is told there.
        let _ = tokio::task::spawn_blocking(move || look_around(&look)).await;
        if logged.is_none_or(|at| at.elapsed() >= HOURLY) && log(&shared) {
            logged = Some(Instant::now());
        }
        nudge(&shared);
    }
}

/// What is to be kept and told at the end.
pub(super) fn last_words(shared: &Shared) {
    log(shared);
    nudge(shared);
}

/// Lets the writer keep the counts, without a notification.
fn nudge(shared: &Shared) {
    let (answer, _) = oneshot::channel();
    // A full queue is busy enough.
    let _ = shared.jobs.try_send(Job { named: Vec::new(), answer });
}

fn look_around(shared: &Shared) {
    match shared.intake.secret() {
        Ok(secret) => shared.set_secret(&secret),
        Err(fault) => tracing::debug!("the secret of the callback URL: {}", fault.chain()),
    }
    if let Some(files) = &shared.settings.tls {
        // Reading may take its time; what is swapped is swapped at once.
        let read = certificate::read(&*shared.disk, files);
        let (seen, ends) = shared.with_certificate(|certificate| {
            let Some(certificate) = certificate else { return (Seen::Same, None) };
            let seen = certificate.look(files, read);
            (seen, certificate.ends_soon(SystemTime::now()))
        });
        let path = files.certificate.display();
        match seen {
            Seen::Same => {}
            Seen::Renewed => tracing::info!("the certificate {path} is in use now"),
            Seen::Refused(fault) => tracing::error!(
                "the certificate for scan notifications has changed and cannot be used, the old one \
                 stays in use: {}",
                fault.chain()
            ),
        }
        match ends {
            None => {}
            Some(days) if days > 1 => tracing::warn!(
                "the certificate {path} for scan notifications ends in {days} days: renew it"
            ),
            Some(_) => tracing::error!(
                "the certificate {path} for scan notifications has ended, or ends within two days: \
                 renew it"
            ),
        }
    }
}

/// Whether there was anything to say.
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
                "{unreadable} scan notifications name no order that can be read (the last: {unreadable_why}); \
                 orders are found by polling; tell the makers of this agent"
            );
        }
        said = refused > 0 || unreadable > 0;
    });
    said
}
