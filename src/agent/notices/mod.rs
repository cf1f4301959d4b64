//! Notifies other programs and people, in parallel with the engine: each channel is a task of its
//! own, with its own position in the journal.

mod hook;
mod mail;
mod webhook;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::Notices;
use crate::hotfolder::inspect::with_names;
use crate::journal::{FeedRow, Store, StoreError};
use crate::model::record::{OrderRecord, OrderState, Place};
use crate::notices::batch;
use crate::notices::feed::{Attention, Event, Held, Published};

use super::background::BackgroundTasks;
use super::context::AgentContext;

/// The kinds of event lines that are reported.
const PUBLISHED: &str = "published";
const PARKED: &str = "parked";
const HELD: &str = "held";
/// How often to check for events whose wake-up was missed.
const LOOK: Duration = Duration::from_secs(15);
/// How long to wait if the journal cannot be read. The cause is reported elsewhere.
const JOURNAL_WAIT: Duration = Duration::from_secs(5);

/// A notification channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sink {
    Hook,
    Webhook,
    Mail,
}

impl Sink {
    const ALL: [Self; 3] = [Self::Hook, Self::Webhook, Self::Mail];

    /// The fact that stores the last line reported.
    fn place(self) -> &'static str {
        match self {
            Self::Hook => "notices:hook",
            Self::Webhook => "notices:webhook",
            Self::Mail => "notices:mail",
        }
    }

    /// The fact that stores any other state.
    fn state(self) -> &'static str {
        match self {
            Self::Hook => "notices:hook-state",
            Self::Webhook => "notices:webhook-state",
            Self::Mail => "notices:mail-state",
        }
    }

    fn is_on(self, config: &Notices) -> bool {
        match self {
            Self::Hook => config.hook.is_some(),
            Self::Webhook => config.webhook.is_some(),
            Self::Mail => config.mail.is_some(),
        }
    }
}

/// What to do after a turn.
enum Next {
    /// Take another turn at once.
    Again,
    /// Take another turn as soon as there is news.
    AtNews,
    /// Take another turn after that time, with or without news.
    After(Duration),
    /// Take no turn until the next start.
    Never,
}

/// Takes one turn after another.
trait Teller: Send + 'static {
    fn turn(
        &mut self,
        feed: &Feed,
        until: &CancellationToken,
    ) -> impl Future<Output = Result<Next, StoreError>> + Send;
}

/// Sets the start position of each channel before the engine writes a line: whatever happens from
/// now on is reported, however soon. A disabled channel forgets its position.
pub(super) fn begin(store: &Store, config: &Notices) -> Result<(), StoreError> {
    store.atomically(|store| {
        for sink in Sink::ALL {
            if sink.is_on(config) {
                let kept = place(store, sink)?;
                let begin = batch::begin(kept, store.newest_event()?);
                if kept != Some(begin) {
                    store.set_fact(sink.place(), &begin.to_string())?;
                    store.drop_fact(sink.state())?;
                }
            } else if store.fact(sink.place())?.is_some() {
                store.drop_fact(sink.place())?;
                store.drop_fact(sink.state())?;
            }
        }
        Ok(())
    })
}

/// Starts the configured channels.
pub(super) fn start(context: &Arc<AgentContext>, tasks: &mut BackgroundTasks) {
    let config = &context.config.notices;
    if let Some(config) = &config.hook {
        drive(context, tasks, Sink::Hook, hook::teller(config));
    }
    if let Some(config) = &config.webhook {
        match webhook::teller(context, config) {
            Ok(teller) => drive(context, tasks, Sink::Webhook, teller),
            Err(why) => tracing::error!("the webhook is off until the next start: {why}"),
        }
    }
    if let Some(config) = &config.mail {
        match mail::teller(context, config) {
            Ok(teller) => drive(context, tasks, Sink::Mail, teller),
            Err(why) => tracing::error!("no mail is sent until the next start: {why}"),
        }
    }
}

fn drive(
    context: &Arc<AgentContext>,
    tasks: &mut BackgroundTasks,
    sink: Sink,
    mut teller: impl Teller,
) {
    let feed = Feed { context: Arc::clone(context), sink };
    let mut news = context.told.subscribe();
    tasks.start(|until| async move {
        while !until.is_cancelled() {
            let next = match teller.turn(&feed, &until).await {
                Ok(next) => next,
                Err(error) => {
                    tracing::debug!("notices are waiting for the journal: {}", error.chain());
                    Next::After(JOURNAL_WAIT)
                }
            };
            match next {
                Next::Again => {}
                Next::AtNews => {
                    rest(&until, tokio::time::timeout(LOOK, heard(&mut news))).await;
                }
                Next::After(wait) => rest(&until, tokio::time::sleep(wait)).await,
                Next::Never => return,
            }
        }
    });
}

async fn heard(news: &mut watch::Receiver<()>) {
    if news.changed().await.is_err() {
        // There will be no more news.
        std::future::pending::<()>().await;
    }
}

async fn rest<T>(until: &CancellationToken, wait: impl Future<Output = T>) {
    tokio::select! {
        () = until.cancelled() => {}
        _ = wait => {}
    }
}

/// The journal as seen by one channel.
struct Feed {
    context: Arc<AgentContext>,
    sink: Sink,
}

impl Feed {
    /// Works with the journal on a thread that may block.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store, &AgentContext, Sink) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (context, sink) = (Arc::clone(&self.context), self.sink);
        let task = move || context.journal.with(|store| work(store, &context, sink));
        match tokio::task::spawn_blocking(task).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Records that all lines from `from` to `upto` were reported, and drops the other state kept
    /// for them.
    async fn told(&self, from: i64, upto: i64, until: &CancellationToken) {
        let work = move |store: &Store, sink| {
            if move_on(store, sink, from, upto)? {
                store.drop_fact(sink.state())?;
            }
            Ok(())
        };
        self.record(until, work).await;
    }

    /// Records a delivery. A busy journal must not cause a second delivery, so this retries until
    /// the agent stops.
    async fn record(
        &self,
        until: &CancellationToken,
        work: impl Fn(&Store, Sink) -> Result<(), StoreError> + Clone + Send + 'static,
    ) {
        loop {
            let work = work.clone();
            let recorded =
                self.with(move |store, _, sink| store.atomically(|store| work(store, sink)));
            match recorded.await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!("sent notices could not be recorded yet: {}", error.chain());
                }
            }
            rest(until, tokio::time::sleep(JOURNAL_WAIT)).await;
            if until.is_cancelled() {
                return;
            }
        }
    }
}

/// Returns the last line reported, if known.
fn place(store: &Store, sink: Sink) -> Result<Option<i64>, StoreError> {
    Ok(store.fact(sink.place())?.and_then(|text| text.parse().ok()))
}

/// The same while an agent runs, whatever became of the journal.
fn begun(store: &Store, sink: Sink) -> Result<i64, StoreError> {
    Ok(batch::begin(place(store, sink)?, store.newest_event()?))
}

/// Advances the position, unless the journal was rebuilt in the meantime: then its lines differ,
/// and so does the position.
fn move_on(store: &Store, sink: Sink, from: i64, upto: i64) -> Result<bool, StoreError> {
    let is_same = begun(store, sink)? == from && store.newest_event()? >= upto;
    if is_same {
        store.set_fact(sink.place(), &upto.to_string())?;
    }
    Ok(is_same)
}

/// Returns the event to report for a line, if any.
fn event(
    store: &Store,
    context: &AgentContext,
    row: &FeedRow,
) -> Result<Option<Event>, StoreError> {
    if row.kind == PUBLISHED {
        return Ok(published(store, context, row)?.map(|it| Event::Published(Box::new(it))));
    }
    let Some(order) = store.order(&row.key)? else { return Ok(None) };
    if row.kind == HELD {
        return Ok(Some(Event::Held(Box::new(held(store, context, row, order)?))));
    }
    let is_parked = order.state() == OrderState::Attention;
    let trouble = order.trouble.filter(|_| is_parked);
    let remote = order.remote;
    Ok(Some(Event::Attention(Box::new(Attention {
        key: row.key.clone(),
        rx_id: remote.rx_id.map(|id| id.as_str().to_owned()),
        order_code: remote.order_code,
        case_type: remote.case_type,
        procedure: remote.procedure,
        code: trouble.as_ref().map(|trouble| trouble.code.clone()),
        message: row.text.clone(),
        hint: trouble.and_then(|trouble| trouble.hint),
        at: row.at,
    }))))
}

fn held(
    store: &Store,
    context: &AgentContext,
    row: &FeedRow,
    order: OrderRecord,
) -> Result<Held, StoreError> {
    let held = store.held(&row.key)?;
    // As for published orders.
    let named = |held: &crate::journal::Held| {
        let dir = context.layout.held_dir(&held.dir);
        with_names(&*context.disk, &dir, &held.manifest).ok().flatten()
    };
    Ok(Held {
        key: row.key.clone(),
        rx_id: order.remote.rx_id.map(|id| id.as_str().to_owned()),
        order_code: order.remote.order_code,
        case_type: order.remote.case_type,
        procedure: order.remote.procedure,
        message: row.text.clone(),
        is_over: held.as_ref().is_none_or(|held| held.released),
        findings: held
            .map(|held| named(&held).unwrap_or(held.manifest).findings)
            .unwrap_or_default(),
        at: row.at,
    })
}

fn published(
    store: &Store,
    context: &AgentContext,
    row: &FeedRow,
) -> Result<Option<Published>, StoreError> {
    let Some(revision) = store.revision_of(row)? else { return Ok(None) };
    let number = revision.manifest.revision;
    let path = match revision.place {
        Place::Main => context.layout.order_dir(&row.key),
        Place::Beside => context.layout.beside_dir(&row.key, number),
    };
    let below = path.strip_prefix(&context.layout.output).unwrap_or(&path);
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    let newest = store.order(&row.key)?.and_then(|order| order.published);
    // Programs need the real file names, which only the folder knows. Once it is gone, there are no
    // files.
    let manifest = match with_names(&*context.disk, &path, &revision.manifest) {
        Ok(Some(named)) => named,
        Ok(None) | Err(_) => revision.manifest,
    };
    Ok(Some(Published {
        key: row.key.clone(),
        folder: parts.join("/"),
        path,
        manifest_sha256: revision.manifest_sha256,
        manifest,
        at: row.at,
        superseded_by: newest.map(|it| it.revision).filter(|newest| *newest > number),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HookConfig;
    use crate::model::ids::OrderKey;
    use crate::model::time::WallMs;

    fn with_hook() -> Notices {
        let hook = HookConfig {
            program: "/bin/true".into(),
            args: Vec::new(),
            timeout: Duration::from_secs(1),
        };
        Notices { hook: Some(hook), ..Notices::default() }
    }

    fn publish(store: &Store) {
        let key = OrderKey {
            lab: "lab".parse().expect("valid"),
            account: "1".parse().expect("valid"),
            order: "2".parse().expect("valid"),
        };
        store.tell(&key, WallMs(1), PUBLISHED, "text").expect("told");
    }

    #[test]
    fn a_way_of_telling_begins_now_and_goes_on_where_it_was() {
        let store = Store::in_memory().expect("journal");
        publish(&store);
        begin(&store, &with_hook()).expect("begun");
        assert_eq!(place(&store, Sink::Hook).expect("read"), Some(1));
        assert_eq!(place(&store, Sink::Mail).expect("read"), None);
        publish(&store);
        begin(&store, &with_hook()).expect("begun");
        assert_eq!(place(&store, Sink::Hook).expect("read"), Some(1), "one line waits");
        assert_eq!(begun(&store, Sink::Hook).expect("read"), 1);
    }

    #[test]
    fn one_that_was_off_meanwhile_hears_nothing_of_that_time() {
        let store = Store::in_memory().expect("journal");
        begin(&store, &with_hook()).expect("begun");
        store.set_fact(Sink::Hook.state(), "x").expect("set");
        begin(&store, &Notices::default()).expect("switched off");
        assert_eq!(store.fact(Sink::Hook.state()).expect("read"), None);
        publish(&store);
        begin(&store, &with_hook()).expect("begun");
        assert_eq!(place(&store, Sink::Hook).expect("read"), Some(1));
    }

    #[test]
    fn lines_that_begin_anew_are_not_all_told_again() {
        let store = Store::in_memory().expect("journal");
        store.set_fact(Sink::Hook.place(), "700").expect("set");
        publish(&store);
        assert_eq!(begun(&store, Sink::Hook).expect("read"), 1);
        begin(&store, &with_hook()).expect("begun");
        assert_eq!(place(&store, Sink::Hook).expect("read"), Some(1));
    }

    #[test]
    fn a_delivery_that_began_with_a_lost_journal_moves_nothing_in_the_new_one() {
        let store = Store::in_memory().expect("journal");
        begin(&store, &with_hook()).expect("begun");
        publish(&store);
        assert!(!move_on(&store, Sink::Hook, 699, 700).expect("asked"));
        assert!(!move_on(&store, Sink::Hook, 0, 700).expect("asked"));
        assert_eq!(place(&store, Sink::Hook).expect("read"), Some(0));
        assert!(move_on(&store, Sink::Hook, 0, 1).expect("asked"));
        assert_eq!(place(&store, Sink::Hook).expect("read"), Some(1));
    }
}
