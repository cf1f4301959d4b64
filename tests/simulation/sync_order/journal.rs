//! The journal says "published" only after everything is durable, and "about to be" before the
//! first rename: the real engine and executor, with the inputs fed in turn.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use casedrop::audit::Audit;
use casedrop::config;
use casedrop::engine::Engine;
use casedrop::engine::EnginePolicy;
use casedrop::engine::effects::{Effect, Fetched, Input};
use casedrop::engine::retry::RetryPolicy;
use casedrop::execute::{Executor, Fetches};
use casedrop::hotfolder::publish::PublishOutcome;
use casedrop::hotfolder::root::Root;
use casedrop::journal::Store;
use casedrop::model::cancel::Cancel;
use casedrop::model::ids::OrderKey;
use casedrop::model::order::{RemoteOrder, Status};
use casedrop::model::remote::ReadyList;
use casedrop::model::time::{Now, WallMs};
use casedrop::secrets::PairedAccount;
use casedrop::status::Progress;

use super::{DONE, Promise};
use crate::bench::{Bench, NEW, files_below, key, manifest_files, unpack};
use crate::disk::{Event, Recorder, SimDisk};
use crate::timer::TIMER;

const CONFIG: &str = "\
output: orders
labs:
  - name: smile-lab
    oauth_base: https://oauth.iterocloud.com
    base_url: https://base.iterocloud.com
    client_id: abc
    redirect_url: https://lab.example/cb
";

fn engine(key: &OrderKey, now: Now) -> Engine {
    let policy = EnginePolicy {
        labs: vec![key.lab.clone()],
        poll_interval: Duration::from_secs(120),
        concurrency: 2,
        min_rate: 8192,
        retry: RetryPolicy { not_converted: vec![Duration::from_secs(120)] },
        restore: false,
        follow_up: false,
        history_keep: None,
        retention_keep: None,
        late_extras: true,
        hold: std::collections::BTreeSet::new(),
        notifications: true,
        min_free: 0,
        volume: "/pc".into(),
        agent: "casedrop test".to_owned(),
        seed: 1,
    };
    Engine::new(Store::in_memory().expect("journal"), policy, now).expect("journal")
}

fn executor(disk: &Recorder<SimDisk>, below: &SimDisk, bench: &Bench) -> Executor {
    let file = Path::new("/pc/casedrop.yaml");
    assert!(below.write_foreign(file, CONFIG.as_bytes()));
    let root = Root::new(Arc::new(disk.clone()), bench.layout.clone());
    root.prepare(Some(&bench.root_id)).expect("prepared");
    root.open();
    Executor {
        config: Arc::new(config::load(below, file, &[]).expect("valid").config),
        disk: Arc::new(disk.clone()),
        audit: Audit::new(Arc::new(disk.clone()), "/pc/state"),
        layout: bench.layout.clone(),
        root: Arc::new(root),
        links: Arc::default(),
        progress: Arc::new(Progress::default()),
        cancel: Cancel::new(),
        fetches: Fetches::default(),
        step: |_| {},
        clock: || WallMs(1_000_000),
        timer: TIMER,
    }
}

#[test]
fn a_publication_is_recorded_only_after_everything_is_durable() {
    let below = SimDisk::new(1);
    let disk = Recorder::new(below.clone());
    let bench = Bench::new(&disk, Path::new("/pc"));
    let executor = executor(&disk, &below, &bench);
    let key = key();
    let now = Now { wall: WallMs(1_000_000), mono: Duration::from_secs(50) };
    let mut engine = engine(&key, now);
    let recorded = |engine: &Engine| {
        engine.store().order(&key).expect("journal").is_some_and(|order| order.published.is_some())
    };
    disk.take();
    let (mut staged, mut moved_in) = (None, false);
    let mut inputs = VecDeque::from([Input::Tick]);
    while let Some(input) = inputs.pop_front() {
        for effect in engine.handle(now, input).expect("journal") {
            inputs.extend(match effect {
                Effect::Connect { lab } => {
                    let paired = PairedAccount { id: key.account.clone(), name: None };
                    Some(Input::Connected { lab, result: Ok(paired) })
                }
                Effect::Poll { lab, account } => {
                    let orders = vec![RemoteOrder::new(key.order.clone(), Status::Ready)];
                    let result = Ok(ReadyList { orders, ..ReadyList::default() });
                    Some(Input::Polled { lab, account, result })
                }
                Effect::Fetch(job) => {
                    let dir = bench.layout.work_dir(&job.job);
                    unpack(&disk, &dir, NEW);
                    staged = Some(dir);
                    let files = manifest_files(NEW);
                    Some(Input::Fetched {
                        key: job.key,
                        result: Ok(Fetched { files, ..Fetched::default() }),
                    })
                }
                Effect::Publish(job) => {
                    assert_eq!(engine.store().intents().expect("journal").len(), 1);
                    let answer = executor.perform(Effect::Publish(job)).expect("an answer");
                    let Input::Published { result: Ok(PublishOutcome::Done { dir }), .. } = &answer
                    else {
                        panic!("{answer:?}")
                    };
                    // Even before the engine hears of it, nothing can undo the publication any
                    // more.
                    disk.mark(DONE);
                    assert!(!recorded(&engine));
                    let durable = files_below(&below.durable(Path::new("/")), dir);
                    assert_eq!(durable.map(|files| files.len()), Some(NEW.len() + 1));
                    moved_in = true;
                    Some(answer)
                }
                other => executor.perform(other),
            });
        }
    }
    assert!(recorded(&engine) && moved_in);
    let promise = Promise {
        staged: &staged.expect("fetched"),
        dir: &bench.layout.order_dir(&key),
        output: &bench.layout.output,
        staging: &bench.layout.staging,
        replaces: false,
    };
    let events = disk.take();
    assert_eq!(promise.check(&events), Ok(()), "{events:#?}");
    let after = events.split(|event| *event == Event::Mark(DONE)).next_back().expect("the mark");
    assert!(after.is_empty(), "nothing is left to do on the disk: {after:?}");
}
