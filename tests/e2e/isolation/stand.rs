//! An agent behind a gateway whose orders are announced one by one, and a stopwatch.
//!
//! Poisoned orders are found through the list, which is polled once a second; good ones are
//! announced by notifications, or found through the list if that is quicker.

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

pub struct Stand {
    pub listening: Listening,
    pub gateway: Gateway,
    agent: Option<Agent>,
    next: usize,
}

/// Times from the announcement of an order until its manifest was visible; `None` if it did not
/// arrive within the given time.
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
        // After this the first poll and all one-time work are done.
        for id in stand.announce_good(2) {
            stand.listening.world.wait_for_revision(&id, 1);
        }
        stand
    }

    /// Creates orders whose packages never arrive, and waits until the agent knows them. Returns
    /// their ids.
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

    /// How many of these orders had their package requested.
    pub fn tried(&self, ids: &[String]) -> usize {
        ids.iter().filter(|id| self.gateway.asked(id, PACKAGE) > 0).count()
    }

    /// Gives the agent this much time to request each of these at least once. Returns how many it
    /// requested.
    pub fn wait_until_tried(&self, ids: &[String], time: Duration) -> usize {
        let end = Instant::now() + time;
        while self.tried(ids) < ids.len() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.tried(ids)
    }

    /// Announces good orders, one per `every`, and waits up to `patience` for each.
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

    /// Announces good orders without waiting. Returns their ids.
    pub fn announce_good(&mut self, count: usize) -> Vec<String> {
        let mut line = self.line();
        let orders: Vec<_> = (0..count).map(|_| self.spec()).collect();
        for order in &orders {
            self.create(order);
            announce(&mut line, order);
        }
        orders.into_iter().filter_map(|order| order.id).collect()
    }

    pub fn restart(&mut self) {
        self.agent.take().expect("running").kill();
        self.agent = Some(self.listening.run_again());
    }

    /// Kills the agent. Returns its log.
    pub fn end(mut self) -> (Listening, String) {
        let log = self.agent.take().expect("running").kill();
        (self.listening, log)
    }

    /// A small order with its own numbers that does not exist at Align yet.
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

/// Stops an agent gracefully, where the system supports that.
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
    pub fn of(all: impl IntoIterator<Item = Option<Duration>>) -> Self {
        Self(all.into_iter().collect())
    }

    /// The time that `percent` % of the orders do not exceed; `None` if the order there never
    /// arrived.
    pub fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_by_key(|one| one.unwrap_or(Duration::MAX));
        let place = (sorted.len() * percent).div_ceil(100).clamp(1, sorted.len());
        sorted[place - 1]
    }

    /// The longest time; `None` if any order did not arrive.
    pub fn worst(&self) -> Option<Duration> {
        self.percentile(100)
    }

    /// How many did not arrive.
    pub fn lost(&self) -> usize {
        self.0.iter().filter(|one| one.is_none()).count()
    }

    /// Both sets together.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }
}
