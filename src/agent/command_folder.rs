//! Runs the command folder in parallel with the engine: checks it regularly, and sooner when the
//! system reports something new.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::inputs::commands::{Folder, Look, SCAN, Watcher, watch};
use crate::model::request::Requests;

use super::background::BackgroundTasks;
use super::clock;
use super::context::AgentContext;

/// Delay after a hint: by then most writes are complete, and many hints become one.
const SETTLE: Duration = Duration::from_millis(100);

/// Watches a folder.
type Watch = fn(&Path, Arc<Notify>) -> Result<Watcher, String>;

/// Starts checking the folder, if the config names one.
pub(super) fn start(context: &Arc<AgentContext>, tasks: &mut BackgroundTasks) {
    let Some(dir) = context.config.commands.clone() else { return };
    let handler: Arc<dyn Requests> = Arc::clone(&context.handler) as Arc<dyn Requests>;
    let folder = Folder::new(dir, Arc::clone(&context.disk), handler, context.step, clock::now);
    tasks.start(move |until| run(Arc::new(folder), until, by_the_system));
}

fn by_the_system(dir: &Path, hint: Arc<Notify>) -> Result<Watcher, String> {
    watch(dir, move || hint.notify_one())
}

async fn run(folder: Arc<Folder>, until: CancellationToken, watch: Watch) {
    let hint = Arc::new(Notify::new());
    // Lives as long as the folder is watched.
    let mut watcher: Option<Watcher> = None;
    let mut is_first = true;
    let mut slow: Option<JoinHandle<()>> = None;
    while let Some(look) = look(&folder, &until).await {
        if look.is_new || is_first {
            drop(watcher.take());
            watcher = watched(&folder, watch, &hint, &until).await;
            is_first = false;
        }
        if look.slow && slow.as_ref().is_none_or(JoinHandle::is_finished) {
            let folder = Arc::clone(&folder);
            slow = Some(tokio::task::spawn_blocking(move || folder.work_off_slow()));
        }
        tokio::select! {
            () = until.cancelled() => return,
            () = tokio::time::sleep(look.again) => {}
            () = hint.notified() => tokio::time::sleep(SETTLE).await,
        }
    }
}

/// Checks the folder once, on a thread that a share may block for long; `None` when it is time to
/// end.
async fn look(folder: &Arc<Folder>, until: &CancellationToken) -> Option<Look> {
    let folder = Arc::clone(folder);
    let look = tokio::task::spawn_blocking(move || folder.look());
    tokio::select! {
        biased;
        () = until.cancelled() => None,
        look = look => Some(look.unwrap_or_else(|error| {
            // The file it was handling is still in `working`.
            tracing::error!("reading the command folder failed: {error}");
            Look { again: SCAN, slow: false, is_new: false }
        })),
    }
}

async fn watched(
    folder: &Arc<Folder>,
    watch: Watch,
    hint: &Arc<Notify>,
    until: &CancellationToken,
) -> Option<Watcher> {
    let (folder, hint) = (Arc::clone(folder), Arc::clone(hint));
    let begun = tokio::task::spawn_blocking(move || watch(folder.dir(), hint));
    let begun = tokio::select! {
        biased;
        () = until.cancelled() => return None,
        begun = begun => begun,
    };
    match begun {
        Ok(Ok(watcher)) => Some(watcher),
        Ok(Err(why)) => {
            let every = SCAN.as_secs();
            tracing::debug!(
                why,
                "the command folder cannot be watched; it is checked every {every} s"
            );
            None
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::disk::RealDisk;
    use crate::model::fault::Fault;
    use crate::model::request::{Outcome, Reply, Request, Who};

    struct Agreeable;

    impl Requests for Agreeable {
        fn serve_once(&self, _: &str, _: &Request, _: &Who) -> Result<Reply, Fault> {
            Ok(Reply::new(Outcome::Done, "done"))
        }

        fn settled(&self, _: &str) -> Result<(), Fault> {
            Ok(())
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_that_the_system_does_not_watch_is_looked_at_all_the_same() {
        let dir = tempfile::tempdir().expect("tempdir");
        let commands = dir.path().join("commands");
        let (disk, handler) = (Arc::new(RealDisk), Arc::new(Agreeable));
        let folder = Folder::new(commands.clone(), disk, handler, |_| {}, clock::now);
        let mut tasks = BackgroundTasks::new();
        let blind: Watch = |_, _| Err("not on this volume".to_owned());
        tasks.start(move |until| run(Arc::new(folder), until, blind));
        // The slow lane, the fast lane, and a file that arrives later.
        let began = Instant::now();
        for name in ["verify.txt", "pause.txt", "resume.txt"] {
            std::fs::create_dir_all(&commands).expect("made");
            std::fs::write(commands.join(name), "").expect("written");
            let receipt = commands.join("done").join(format!("{name}.receipt.json"));
            while !receipt.exists() {
                assert!(began.elapsed() < Duration::from_secs(60), "waited in vain for {name}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        tasks.end().await;
    }
}
