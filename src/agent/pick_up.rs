//! Notices when somebody takes an order's folder: "where did the scan go?" has an answer then.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::context::AgentContext;

/// How often to look.
const EVERY: Duration = Duration::from_secs(10);

/// Looks after the folders until told to stop.
pub(super) async fn look_after(context: Arc<AgentContext>, until: CancellationToken) {
    let mut row = i64::MAX;
    loop {
        tokio::select! {
            () = until.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let handler = Arc::clone(&context.handler);
        // Shares may be slow.
        let look = tokio::task::spawn_blocking(move || handler.look_for_taken(row));
        let looked = tokio::select! {
            () = until.cancelled() => return,
            looked = look => looked,
        };
        match looked {
            Ok(Ok((next, changed))) => {
                row = next;
                if changed {
                    context.told.send_replace(());
                }
            }
            // The main loop reports what is wrong with output or journal.
            Ok(Err(fault)) => tracing::debug!("cannot look for taken folders: {}", fault.chain()),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
