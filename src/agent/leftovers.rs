//! What interrupted work left in staging: what is still useful stays, the rest is removed.

use std::cell::Cell;
use std::path::PathBuf;

use crate::audit::{AuditEvent, Entry, Mark};
use crate::config::Config;
use crate::engine::job_name;
use crate::hotfolder::clean::sweep_work;
use crate::hotfolder::layout::Layout;
use crate::journal::{Store, StoreError};
use crate::model::fault::Fault;
use crate::model::record::OrderRecord;
use crate::model::time::WallMs;

use super::context::AgentContext;

/// Returns what unfinished work in staging is still useful: staged orders about to be published,
/// and interrupted downloads of orders that will be retried.
pub(super) fn worth_keeping(
    store: &Store,
    config: &Config,
    layout: &Layout,
) -> Result<Vec<PathBuf>, StoreError> {
    let staged = store.intents()?.into_iter().map(|intent| layout.staged_dir(&intent.job));
    let is_coming = |order: &OrderRecord| {
        order.trouble.as_ref().is_none_or(|trouble| trouble.next_try.is_some())
            && config.labs.iter().any(|lab| lab.name == order.key.lab)
    };
    let wanted = store.wanted()?.into_iter().filter(is_coming);
    Ok(staged.chain(wanted.map(|order| layout.spool_dir(&job_name(&order.key)))).collect())
}

/// Returns the folders of revisions that are being published or held back.
pub(super) fn staged(store: &Store, layout: &Layout) -> Result<Vec<PathBuf>, StoreError> {
    let intents = store.intents()?.into_iter().map(|intent| layout.staged_dir(&intent.job));
    let holds = store.holds()?.into_iter().map(|held| layout.held_dir(&held.dir));
    Ok(intents.chain(holds).collect())
}

/// Removes leftovers of interrupted work from staging, with an audit record.
pub(super) fn sweep(context: &AgentContext, kept: &[PathBuf], now: WallMs) -> Result<(), Fault> {
    let entry = |mark, count| {
        Entry::by_agent(now, AuditEvent::LeftoversRemoved, mark).detail("count", count)
    };
    let begun = Cell::new(0);
    let begin = |count: usize| {
        tracing::info!("removing {count} leftovers of interrupted work from staging");
        context.audit.record(&entry(Mark::Begun, count))?;
        begun.set(count);
        Ok(())
    };
    let swept = sweep_work(&*context.disk, &context.layout, kept, &begin, &context.step);
    if begun.get() > 0 {
        let (mark, count) = match &swept {
            Ok(count) => (Mark::Done, *count),
            Err(_) => (Mark::Failed, begun.get()),
        };
        context.audit.record(&entry(mark, count))?;
    }
    swept.map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::disk::RealDisk;
    use crate::model::fault::FaultClass;
    use crate::model::ids::OrderKey;
    use crate::model::order::{RemoteOrder, Status};
    use crate::model::record::{Spent, Trouble};
    use crate::model::time::WallMs;

    #[test]
    fn only_downloads_that_will_be_continued_survive_a_start() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("casedrop.yaml");
        let yaml = "output: orders\nstate: state\nlabs:\n  - name: lab\n    \
                    oauth_base: https://oauth.iterocloud.com\n    base_url: https://base.iterocloud.com\n    \
                    client_id: abc\n    redirect_url: https://lab.example/cb\n";
        std::fs::write(&path, yaml).expect("written");
        let config = crate::config::load(&RealDisk, &path, &[]).expect("a config").config;
        let layout = Layout { output: config.output.clone(), staging: config.staging.clone() };
        let store = Store::in_memory().expect("journal");
        let save = |lab: &str, id: &str, change: fn(&mut OrderRecord)| {
            let key = OrderKey {
                lab: lab.parse().expect("valid"),
                account: "1".parse().expect("valid"),
                order: id.parse().expect("valid"),
            };
            let remote = RemoteOrder::new(key.order.clone(), Status::Ready);
            let mut order = OrderRecord::new(key, remote, WallMs(1));
            change(&mut order);
            store.save(&order).expect("saved");
        };
        let trouble = |next_try: Option<WallMs>| Trouble {
            class: FaultClass::Transient,
            code: "broken-off".to_owned(),
            message: String::new(),
            hint: None,
            attempts: 1,
            spent: Spent::default(),
            since: WallMs(1),
            next_try,
            wait: Duration::ZERO,
            attention: next_try.is_none(),
        };
        let mut troubles = [Some(trouble(Some(WallMs(9)))), Some(trouble(None))].into_iter();
        save("lab", "new", |_| {});
        save("lab", "published", |order| order.fetched = order.evidence);
        save("gone", "of-no-lab", |_| {});
        for (id, trouble) in ["retried", "parked"].iter().zip(&mut troubles) {
            save("lab", id, |_| {});
            let mut order = store.find(id).expect("read").remove(0);
            order.trouble = trouble;
            store.save(&order).expect("saved");
        }
        let kept = worth_keeping(&store, &config, &layout).expect("read");
        let names: Vec<_> =
            kept.iter().map(|path| path.file_name().expect("name").to_string_lossy()).collect();
        assert_eq!(names, ["lab~1~new.spool", "lab~1~retried.spool"]);
    }
}
