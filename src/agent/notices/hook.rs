//! The hook that runs for each published order, one run at a time.

use std::sync::Arc;
use tokio_util::sync::CancellationToken;

use crate::config::HookConfig;
use crate::journal::StoreError;
use crate::notices::batch::hook_wait;
use crate::notices::hook::{Hook, Ran};

use super::{Feed, Next, PUBLISHED, Teller, begun, published};

pub(super) struct HookTeller {
    hook: Arc<Hook>,
    /// The line whose run failed last, and how often.
    failed: (i64, u32),
}

pub(super) fn teller(config: &HookConfig) -> HookTeller {
    let HookConfig { program, args, timeout } = config.clone();
    HookTeller { hook: Arc::new(Hook::new(program, args, timeout)), failed: (0, 0) }
}

impl Teller for HookTeller {
    async fn turn(&mut self, feed: &Feed, until: &CancellationToken) -> Result<Next, StoreError> {
        let found = feed.with(|store, context, sink| {
            let from = begun(store, sink)?;
            let rows = store.events_after(from, &[PUBLISHED], 1)?;
            let Some(row) = rows.into_iter().next() else { return Ok(None) };
            let event = published(store, context, &row)?;
            Ok(Some((from, row, event)))
        });
        let (from, row, event) = match found.await? {
            None => return Ok(Next::AtNews),
            Some((from, row, None)) => {
                feed.told(from, row.id, until).await;
                return Ok(Next::Again);
            }
            Some((from, row, Some(event))) => (from, row, event),
        };
        let (hook, stop) = (Arc::clone(&self.hook), until.clone());
        let input = event.to_json().to_string().into_bytes();
        let variables = event.variables();
        let run = move || hook.run(input, variables, &|| stop.is_cancelled());
        let ran = match tokio::task::spawn_blocking(run).await {
            Ok(ran) => ran,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let (key, revision) = (&row.key, event.manifest.revision);
        match ran {
            Ran::Well => {
                tracing::info!(lab = %key.lab, order = %key.order, "the hook accepted revision \
                                                                    {revision}");
                feed.told(from, row.id, until).await;
                Ok(Next::Again)
            }
            Ran::Stopped => Ok(Next::Never),
            Ran::Failed(why) => {
                let before = if self.failed.0 == row.id { self.failed.1 } else { 0 };
                self.failed = (row.id, before + 1);
                if let Some(wait) = hook_wait(self.failed.1) {
                    let seconds = wait.as_secs();
                    tracing::warn!(
                        lab = %key.lab,
                        order = %key.order,
                        "the hook failed for revision {revision}: {why}; retrying in {seconds} s"
                    );
                    return Ok(Next::After(wait));
                }
                tracing::warn!(
                    lab = %key.lab,
                    order = %key.order,
                    "the hook failed {} times for revision {revision}; giving up: {why}",
                    self.failed.1
                );
                feed.told(from, row.id, until).await;
                Ok(Next::Again)
            }
        }
    }
}
