//! Regularly passes the current reasons to the system's event log.

use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::context::AgentContext;

/// Interval between two checks.
const LOOK: Duration = Duration::from_secs(30);

/// Checks until it is time to end; does nothing if entries are not written anywhere.
pub(super) async fn look_after(context: Arc<AgentContext>, until: CancellationToken) {
    if !context.events.is_on() {
        return;
    }
    loop {
        tokio::select! {
            biased;
            () = until.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let context = Arc::clone(&context);
        let look =
            move || context.events.look(&context.handler.picture().reasons(), clock::now().mono);
        // The next check waits for this one: a hanging share is asked only once.
        if let Err(error) = tokio::task::spawn_blocking(look).await {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
