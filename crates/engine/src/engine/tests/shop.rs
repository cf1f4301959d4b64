//! A lab with many orders, each answered as a test wants, second by second.

use super::*;
use crate::pace::Arrived;

/// What a download runs into.
pub(super) enum Meets {
    /// It succeeds.
    Files,
    Fails(Fault),
    /// It runs at this many bytes per second, with this total size.
    Runs(u64, Option<u64>),
}

/// The lab, and everything that happened.
pub(super) struct Shop {
    pub(super) world: World,
    /// Seconds since the start.
    pub(super) second: u64,
    pub(super) listed: Vec<RemoteOrder>,
    pub(super) published: BTreeMap<OrderKey, u64>,
    /// When each download started.
    pub(super) fetches: Vec<(u64, OrderKey)>,
    /// How often the login was tested.
    pub(super) proofs: usize,
    pub(super) told: Vec<Notice>,
    /// Whether a test finds the login valid.
    pub(super) login_is_good: bool,
    running: BTreeMap<OrderKey, (u64, Arrived)>,
}

pub(super) const HOST: &str = "storage.example";

pub(super) fn order(number: usize) -> OrderKey {
    key("lab", &number.to_string())
}

impl Shop {
    pub(super) fn new(concurrency: usize) -> Self {
        let mut world = World::new(&["lab"]);
        world.engine.policy.concurrency = concurrency;
        let mut shop = Self {
            world,
            second: 0,
            listed: Vec::new(),
            published: BTreeMap::new(),
            fetches: Vec::new(),
            proofs: 0,
            told: Vec::new(),
            login_is_good: true,
            running: BTreeMap::new(),
        };
        shop.pass(0, &mut |_, _| Meets::Files);
        shop
    }

    /// Makes the orders known, as a list would.
    pub(super) fn announce(&mut self, numbers: impl IntoIterator<Item = usize>) -> Vec<Effect> {
        for number in numbers {
            self.listed.push(remote(&number.to_string(), Status::Ready));
        }
        let list = ReadyList { orders: self.listed.clone(), ..ReadyList::default() };
        let account = "1".parse().expect("valid");
        self.handle(Input::Polled { lab: name("lab"), account, result: Ok(list) })
    }

    /// The same, a moment after everything started in this second.
    pub(super) fn announce_later(
        &mut self,
        numbers: impl IntoIterator<Item = usize>,
    ) -> Vec<Effect> {
        self.world.now.mono += Duration::from_millis(1);
        self.announce(numbers)
    }

    fn handle(&mut self, input: Input) -> Vec<Effect> {
        let effects = self.world.engine.handle(self.world.now, input).expect("journal");
        let mut rest = Vec::new();
        for effect in effects {
            match effect {
                Effect::Tell(notice) => self.told.push(notice),
                other => rest.push(other),
            }
        }
        rest
    }

    /// Lets this many seconds pass. `meets` says what a download started in a given second runs
    /// into.
    pub(super) fn pass(&mut self, seconds: u64, meets: &mut dyn FnMut(&OrderKey, u64) -> Meets) {
        self.go_on(Vec::new(), seconds, meets);
    }

    /// The same, carrying out `todo` first.
    pub(super) fn go_on(
        &mut self,
        mut todo: Vec<Effect>,
        seconds: u64,
        meets: &mut dyn FnMut(&OrderKey, u64) -> Meets,
    ) {
        for left in (0..=seconds).rev() {
            todo.extend(self.handle(Input::Tick));
            while !todo.is_empty() {
                for effect in std::mem::take(&mut todo) {
                    let next = self.perform(effect, meets);
                    todo.extend(next);
                }
            }
            if left == 0 {
                return;
            }
            self.second += 1;
            self.world.now.mono += Duration::from_secs(1);
            self.world.now.wall = self.world.now.wall.plus(Duration::from_secs(1));
            for (rate, arrived) in self.running.values_mut() {
                arrived.bytes += *rate;
                arrived.left = arrived.left.map(|left| left.saturating_sub(*rate));
            }
            let arrived = self.running.iter().map(|(key, (_, arrived))| (key.clone(), *arrived));
            todo.extend(self.handle(Input::Progress(arrived.collect())));
        }
    }

    fn perform(
        &mut self,
        effect: Effect,
        meets: &mut dyn FnMut(&OrderKey, u64) -> Meets,
    ) -> Vec<Effect> {
        let input = match effect {
            Effect::Look { key, .. } => {
                let seen =
                    Seen { local: LocalPicture::Absent, free: 1_000_000_000_000, held: None };
                Input::Looked { key, result: Ok(seen) }
            }
            Effect::Fetch(job) => {
                self.fetches.push((self.second, job.key.clone()));
                match meets(&job.key, self.second) {
                    Meets::Files => fetched_well(job.key),
                    Meets::Fails(fault) => Input::Fetched { key: job.key, result: Err(fault) },
                    Meets::Runs(rate, left) => {
                        let arrived = Arrived { bytes: 0, left, is_coming: true };
                        self.running.insert(job.key, (rate, arrived));
                        return Vec::new();
                    }
                }
            }
            Effect::GiveUp { key } => {
                self.running.remove(&key).expect("it runs");
                let fault = Fault::new(FaultClass::Cancelled, "cancelled", "given up");
                Input::Fetched { key, result: Err(fault) }
            }
            Effect::Publish(job) => {
                let key = job.intent.key.clone();
                self.published.insert(key.clone(), self.second);
                Input::Published { key, result: Ok(PublishOutcome::Done { dir: "out".into() }) }
            }
            Effect::Poll { lab, account } => {
                let list = ReadyList { orders: self.listed.clone(), ..ReadyList::default() };
                Input::Polled { lab, account, result: Ok(list) }
            }
            Effect::Connect { lab } => {
                let paired = PairedAccount { id: "1".parse().expect("valid"), name: None };
                Input::Connected { lab, result: Ok(paired) }
            }
            Effect::Prove { lab } => {
                self.proofs += 1;
                let refused = || Fault::new(FaultClass::Refused, "http-403", "403");
                let result = if self.login_is_good { Ok(()) } else { Err(refused()) };
                Input::Proved { lab, result }
            }
            Effect::Discard { key, .. } => Input::Discarded { key },
            other => panic!("{other:?}"),
        };
        self.handle(input)
    }

    /// Ends a running download.
    pub(super) fn ends(&mut self, key: &OrderKey, result: Result<(), Fault>) -> Vec<Effect> {
        self.running.remove(key).expect("it runs");
        let input = match result {
            Ok(()) => fetched_well(key.clone()),
            Err(fault) => Input::Fetched { key: key.clone(), result: Err(fault) },
        };
        self.handle(input)
    }

    pub(super) fn runs(&self, key: &OrderKey) -> bool {
        self.running.contains_key(key)
    }

    pub(super) fn trouble(&self, number: usize) -> casedrop_model::record::Trouble {
        self.world.record(&order(number)).trouble.expect("trouble")
    }

    pub(super) fn state(&self, number: usize) -> OrderState {
        self.world.record(&order(number)).state()
    }

    pub(super) fn standing(&self) -> LabStanding {
        self.world.engine.lab_standings(self.world.now)[0].1
    }

    pub(super) fn outages(&self) -> (usize, usize) {
        let count = |what: fn(&Notice) -> bool| self.told.iter().filter(|one| what(one)).count();
        (
            count(|notice| matches!(notice, Notice::Outage { .. })),
            count(|notice| matches!(notice, Notice::OutageOver { .. })),
        )
    }
}

fn fetched_well(key: OrderKey) -> Input {
    let hosts = vec!["api.example".to_owned(), HOST.to_owned()];
    let fetched = Fetched { files: vec![file("a")], hosts, ..Fetched::default() };
    Input::Fetched { key, result: Ok(fetched) }
}

/// A fault of the download server.
pub(super) fn fault(class: FaultClass, code: &'static str) -> Fault {
    Fault::new(class, code, format!("{HOST} says {code}")).at(HOST)
}
