//! An agent behind a gateway, whose orders are announced one by one, and a stopwatch.
//!
//! Poisoned orders are found in the list, which is asked for once a second; good ones are announced by
//! notifications, and found in the list where that is quicker.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use casedrop::simulator::{CaseKind, OrderSpec};

use super::poison::Poison;
use crate::gateway::Gateway;
use crate::listening::{Line, Listening, SECRET, free_address, not_logged_in};
use crate::world::{ACCOUNT, Agent, LAB, order_with_id, wait_for};

/// The one asset that every order has.
pub const PACKAGE: &str = "IDE";

/// An agent and its Align behind a gateway.
pub struct Stand {
    /// Its world.
    pub listening: Listening,
    /// What stands between it and Align.
    pub gateway: Gateway,
    agent: Option<Agent>,
    next: usize,
}

/// How long orders took from their announcement until their manifest could be seen; `None`: they did
/// not come in the time that they were given.
#[derive(Debug, Clone)]
pub struct Latencies(Vec<Option<Duration>>);

impl Stand {
    /// A running agent, with more lines in its config.
    pub fn new(more: &str) -> Self {
        let mut listening = not_logged_in(free_address(), "1s", more);
        let gateway = Gateway::before(listening.world.simulator_address());
        listening.world = listening.world.behind(gateway.url());
        listening.world.log_in_and_pair(LAB);
        let agent = Some(listening.run());
        let mut stand = Self { listening, gateway, agent, next: 0 };
        // From now on it is not in its first poll, and what is done for the first time was done.
        for id in stand.announce_good(2) {
            stand.listening.world.wait_for_revision(&id, 1);
        }
        stand
    }

    /// Creates orders whose packages never come, and waits until the agent knows them. Gives their ids.
    pub fn poison(&mut self, poisons: &[Poison], count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        for poison in poisons {
            for number in 0..count {
                let spec = self.spec();
                let id = spec.id.clone().expect("given");
                self.gateway.file(&id, PACKAGE, (poison.does)(number));
                self.create(&spec);
                ids.push(id);
            }
        }
        wait_for("the poisoned orders to be known", || {
            let known = self.listening.world.journal();
            let is_known = |id: &String| known.iter().any(|one| one.key.order.as_str() == id);
            ids.iter().all(is_known).then_some(())
        });
        ids
    }

    /// How many of these orders' packages were asked for.
    pub fn tried(&self, ids: &[String]) -> usize {
        ids.iter().filter(|id| self.gateway.asked(id, PACKAGE) > 0).count()
    }

    /// Gives the agent so much time to ask for each of these at least once. Gives how many it asked
    /// for.
    pub fn wait_until_tried(&self, ids: &[String], time: Duration) -> usize {
        let end = Instant::now() + time;
        while self.tried(ids) < ids.len() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.tried(ids)
    }

    /// Announces good orders, one in each `every`, and waits for them. None gets more time than
    /// `patience`.
    pub fn good(&mut self, count: usize, every: Duration, patience: Duration) -> Latencies {
        let orders: Vec<OrderSpec> = (0..count).map(|_| self.spec()).collect();
        let manifest = |order: &OrderSpec| {
            let id = order.id.as_deref().expect("given");
            self.listening.world.dir_of(id).join("manifest.json")
        };
        let manifests: Vec<PathBuf> = orders.iter().map(manifest).collect();
        let mut line = self.line();
        let (announced, news) = mpsc::channel();
        std::thread::scope(|scope| {
            let (orders, stand) = (&orders, &*self);
            scope.spawn(move || {
                let began = Instant::now();
                for (number, order) in (0_u32..).zip(orders) {
                    let due = began + every * number;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    announced.send((number as usize, Instant::now())).expect("somebody listens");
                    stand.create(order);
                    announce(&mut line, order);
                }
            });
            watch(&manifests, &news, patience)
        })
    }

    /// Announces good orders and waits for nothing. Gives their ids.
    pub fn announce_good(&mut self, count: usize) -> Vec<String> {
        let mut line = self.line();
        let orders: Vec<_> = (0..count).map(|_| self.spec()).collect();
        for order in &orders {
            self.create(order);
            announce(&mut line, order);
        }
        orders.into_iter().filter_map(|order| order.id).collect()
    }

    /// Kills the agent and starts it again.
    pub fn restart(&mut self) {
        self.agent.take().expect("running").kill();
        self.agent = Some(self.listening.run_again());
    }

    /// Ends the agent. Gives its log.
    pub fn end(mut self) -> (Listening, String) {
        let log = self.agent.take().expect("running").kill();
        (self.listening, log)
    }

    /// A small order of its own numbers, which exists nowhere yet.
    fn spec(&mut self) -> OrderSpec {
        self.next += 1;
        let order = order_with_id(CaseKind::OrthoShell, &format!("{}", 60_000_000 + self.next));
        OrderSpec { rx_id: Some(format!("{}", 90_000 + self.next)), quiet: true, ..order }
    }

    fn create(&self, order: &OrderSpec) {
        self.listening.world.align().create_order(order).expect("created");
    }

    fn line(&self) -> Line {
        Line::connect(self.listening.address).expect("connected")
    }
}

/// Ends an agent in good order, where the system can tell it to.
pub fn still_there(mut agent: Agent) {
    assert!(agent.is_running(), "it goes on whatever comes");
    #[cfg(unix)]
    assert_eq!(agent.stop().0, Some(0));
    #[cfg(not(unix))]
    agent.kill();
}

fn announce(line: &mut Line, order: &OrderSpec) {
    let rx = order.rx_id.as_deref().expect("given");
    let body = format!(r#"{{"rxId":"{rx}","accountNumber":{ACCOUNT}}}"#);
    let status = line.post(&format!("/itero/{SECRET}"), &body).expect("answered");
    assert_eq!(status, 200, "it is taken");
}

fn watch(
    manifests: &[PathBuf],
    news: &mpsc::Receiver<(usize, Instant)>,
    patience: Duration,
) -> Latencies {
    let mut took = vec![None; manifests.len()];
    let mut waiting: BTreeMap<usize, Instant> = BTreeMap::new();
    let mut left = manifests.len();
    while left > 0 {
        waiting.extend(news.try_iter());
        waiting.retain(|number, since| {
            let since = since.elapsed();
            let is_there = manifests[*number].exists();
            if is_there {
                took[*number] = Some(since);
            }
            let is_over = is_there || since > patience;
            left -= usize::from(is_over);
            !is_over
        });
        std::thread::sleep(Duration::from_millis(1));
    }
    Latencies(took)
}

impl Latencies {
    /// Those that were measured.
    pub fn of(all: impl IntoIterator<Item = Option<Duration>>) -> Self {
        Self(all.into_iter().collect())
    }

    /// The one that so many percent do not exceed; `None` where one of them did not come.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_by_key(|one| one.unwrap_or(Duration::MAX));
        let place = (sorted.len() * percent).div_ceil(100).clamp(1, sorted.len());
        sorted[place - 1]
    }

    /// The longest; `None` where one did not come.
    pub fn worst(&self) -> Option<Duration> {
        self.percentile(100)
    }

    /// How many did not come.
    pub fn lost(&self) -> usize {
        self.0.iter().filter(|one| one.is_none()).count()
    }

    /// These and others.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}
