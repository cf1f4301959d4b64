//! The tasks that run in parallel with the engine: command folder, listener for scan notifications,
//! control endpoint, notices. None of them decides about orders. Each records what it learned in
//! the journal and then wakes the engine, which reads it there.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long these tasks may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The tasks in parallel with one engine.
pub(super) struct BackgroundTasks {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl BackgroundTasks {
    pub(super) fn new() -> Self {
        Self { tasks: JoinSet::new(), stop: CancellationToken::new() }
    }

    /// Starts another task.
    pub(super) fn start<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        task: impl FnOnce(CancellationToken) -> F,
    ) {
        self.tasks.spawn(task(self.stop.clone()));
    }

    /// Asks all tasks to end and waits for that, up to a deadline.
    pub(super) async fn end(mut self) {
        self.stop.cancel();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::warn!("{} background tasks did not end in time", self.tasks.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tasks_end_when_they_are_told() {
        let mut tasks = BackgroundTasks::new();
        let (done, ended) = tokio::sync::oneshot::channel();
        tasks.start(|until| async move {
            until.cancelled().await;
            // There is no receiver only if the test has already failed.
            let _ = done.send(until.is_cancelled());
        });
        tasks.end().await;
        assert_eq!(ended.await, Ok(true));
    }
}
