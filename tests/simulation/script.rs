//! What happens to the agent in one run: orders, people, faults, restarts; then everything settles.

use std::path::PathBuf;
use std::time::Duration;

use casedrop::engine::EnginePolicy;
use casedrop::model::ids::{AccountId, LabName, OrderKey};
use casedrop::model::notification::{Named, Noted};

use crate::actors::Deed;
use crate::align::{
    Account, Broken, CaseKind, Chaos, Flow, InPlaceOfFiles, Shape, SimAlign, SimOrder,
};
use crate::setup::{policy, show};
use crate::trace::Trace;
use crate::world::{Dangers, Event, Failure, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// What the script remembers.
#[derive(Debug, Default)]
pub struct Script {
    /// When the troubles end and everything begins to settle.
    pub ends: u64,
    /// Orders that a user refetched.
    pub asked: std::collections::BTreeSet<OrderKey>,
    /// The probability that new content is permanently broken.
    broken: f64,
    /// The probability that new content is still in conversion.
    converting: f64,
    /// The dice of scan notifications, in worlds that have them. They are separate, so that a seed
    /// without notifications means what it did before they existed.
    bells: Option<fastrand::Rng>,
    /// What is held back, in worlds where anything is.
    pub holds: crate::holds::Holds,
    /// Whether a login was ever lost.
    pub logged_out: bool,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The first scan of the order with that number.
    FirstScan(usize),
    /// A scan notification for the order with that number arrives.
    Ring(usize),
    /// Something happens to some order at Align.
    Flow,
    /// Someone acts in the hot folder.
    Deed,
    /// A user has an order fetched again.
    Ask,
    /// A user has an incomplete order published anyway.
    Release,
    /// The login of a lab is lost.
    LogOut,
    /// All logins are back.
    LogIn,
    /// Align is down.
    AlignDies,
    AlignReturns,
    /// The PC's clock is set.
    ClockStep,
    /// The share with the output folder disappears.
    ShareGoes,
    ShareReturns,
    /// The disk is full, or nearly.
    DiskFills,
    /// There is room again.
    DiskEmpties,
    /// Disk calls begin to fail.
    DiskFails,
    /// They no longer fail.
    DiskRecovers,
    /// A program holds a file of an order open for a time.
    Hold,
    /// The system gains or loses the ability to exchange directories.
    Exchange,
    /// All downloads fail alike.
    DownloadsFail(InPlaceOfFiles),
    /// They no longer fail.
    DownloadsReturn,
    /// An order is refused for a time.
    Refuse(usize),
    /// The agent is asked to stop.
    Stop,
    Kill,
    PowerCut,
}

/// Seeds that were kept before age-based removal existed.
const WITHOUT_REMOVAL: [u64; 7] = [131, 142, 215, 1052, 1319, 1914, 4223];

/// Some runs remove what is old. These are drawn with separate dice, so that the other runs stay
/// what they were.
fn keep_for_a_while(policy: &mut EnginePolicy, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x006b_6565_7069_6e67);
    if WITHOUT_REMOVAL.contains(&seed) || rng.u8(..4) > 0 {
        return;
    }
    let mut some = |most: u64| (rng.u8(..4) > 0).then(|| Duration::from_mins(rng.u64(1..most)));
    policy.history_keep = some(40);
    policy.retention_keep = some(60);
}

/// A world drawn from a seed.
pub fn draw(seed: u64, aloud: bool) -> World {
    let mut rng = fastrand::Rng::with_seed(seed);
    let labs: Vec<LabName> = (1..=rng.usize(1..=2))
        .map(|number| format!("lab-{number}").parse().expect("a name"))
        .collect();
    let mut accounts = Vec::new();
    for (index, lab) in labs.iter().enumerate() {
        let id: AccountId = format!("{}", 4711 + index).parse().expect("an id");
        accounts.push(Account::new(lab.clone(), id, &mut rng));
    }
    let mut orders = Vec::new();
    for number in 0..rng.usize(1..=5) {
        let account = &accounts[rng.usize(..accounts.len())];
        let key = OrderKey {
            lab: account.lab.clone(),
            account: account.id.clone(),
            order: format!("{}", 17_544_000 + number).parse().expect("an id"),
        };
        let kind = if rng.bool() { CaseKind::Ortho } else { CaseKind::Restorative };
        let shape = Shape { top_folder: rng.bool(), litter: rng.u8(..4) == 0 };
        orders.push(SimOrder::new(key, kind, shape));
    }
    let count = orders.len();
    let align = SimAlign::new(rng.fork(), accounts, orders);
    let mut policy = policy(labs);
    policy.poll_interval = Duration::from_secs([120, 120, 180, 300][rng.usize(..4)]);
    policy.concurrency = rng.usize(1..=4);
    policy.restore = rng.u8(..4) == 0;
    keep_for_a_while(&mut policy, seed);
    let mut world = World::new(rng.fork(), align, policy, Trace::new(aloud));
    world.disk.set_exchange(rng.bool());
    // None of these seeds was kept before notifications existed.
    if seed % 4 == 1 {
        world.script.bells = Some(fastrand::Rng::with_seed(!seed));
    }
    world.policy.notifications = world.script.bells.is_some();
    plan(&mut world, count);
    refuse(&mut world, seed, count);
    crate::holds::draw(&mut world, seed);
    world
}

/// In some runs single orders are refused, and all downloads fail alike for a time. Separate dice
/// keep the other runs what they were.
fn refuse(world: &mut World, seed: u64, orders: usize) {
    if seed % 4 != 3 || crate::seeds::kept().contains(&seed) {
        return;
    }
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x7265_6675_7365);
    let length = world.script.ends - world.clock.now;
    for order in 0..orders {
        if rng.u8(..4) == 0 {
            let at = rng.u64(..length / 2);
            world.schedule(at, Event::Act(Action::Refuse(order)));
        }
    }
    for _ in 0..rng.usize(1..4) {
        let instead = InPlaceOfFiles::ALL[rng.usize(..InPlaceOfFiles::ALL.len())];
        let at = rng.u64(..length);
        world.schedule(at, Event::Act(Action::DownloadsFail(instead)));
        world.schedule(at + rng.u64(..HOUR), Event::Act(Action::DownloadsReturn));
    }
}

fn plan(world: &mut World, orders: usize) {
    let rng = &mut world.rng;
    let length = rng.u64(15..90) * MINUTE;
    let calm = rng.u8(..8) == 0;
    let mut some = |strength: f64| {
        if !calm && rng.u8(..2) == 0 { rng.f64() * strength } else { 0.0 }
    };
    world.dangers =
        Dangers { ends: some(0.05), deeds: some(0.15), commits: some(0.05), slowness: some(0.3) };
    world.script.broken = some(0.3);
    world.script.converting = some(0.7);
    world.script.ends = world.clock.now + length;
    if !calm {
        world.align.cloud().chaos = Chaos::draw(rng);
    }
    for order in 0..orders {
        let at = world.rng.u64(..length / 2);
        world.schedule(at, Event::Act(Action::FirstScan(order)));
        if let Some(bells) = &mut world.script.bells
            && bells.u8(..4) == 0
        {
            let early = bells.u64(..=at);
            world.schedule(early, Event::Act(Action::Ring(order)));
        }
    }
    // Some runs concentrate on one kind of trouble.
    let weights: Vec<u32> = KINDS.iter().map(|_| [0, 1, 1, 4][world.rng.usize(..4)]).collect();
    for _ in 0..world.rng.usize(4..25) {
        let at = world.rng.u64(..length);
        let flow = world.rng.u8(..3) > 0;
        let action = if flow || calm { Action::Flow } else { pick(&mut world.rng, &weights) };
        world.schedule(at, Event::Act(action));
    }
}

const KINDS: [Action; 12] = [
    Action::Deed,
    Action::Ask,
    Action::LogOut,
    Action::AlignDies,
    Action::ClockStep,
    Action::ShareGoes,
    Action::DiskFills,
    Action::DiskFails,
    Action::Hold,
    Action::Exchange,
    Action::Stop,
    Action::PowerCut,
];

fn pick(rng: &mut fastrand::Rng, weights: &[u32]) -> Action {
    let mut left = rng.u32(..weights.iter().sum::<u32>().max(1));
    for (kind, weight) in KINDS.iter().zip(weights) {
        if left < *weight {
            return if *kind == Action::PowerCut && rng.bool() { Action::Kill } else { *kind };
        }
        left -= weight;
    }
    Action::Flow
}

impl Action {
    /// Applies it, and schedules its end if it has one.
    pub fn happen(self, world: &mut World) -> Result<(), Failure> {
        match self {
            Self::FirstScan(order) => flow(world, order, Flow::FirstScan),
            Self::Ring(order) => ring(world, order),
            Self::Flow => some_flow(world),
            Self::Deed => deed(world),
            Self::Ask => ask(world),
            Self::Release => crate::holds::release(world),
            Self::LogOut => {
                {
                    let cloud = &mut *world.align.cloud();
                    world.script.logged_out = true;
                    let at = world.rng.usize(..cloud.accounts.len());
                    cloud.accounts[at].logged_in = false;
                }
                for_a_while(world, 90 * MINUTE, "login goes", Self::LogIn);
            }
            Self::LogIn => {
                world.align.cloud().accounts.iter_mut().for_each(|one| one.logged_in = true);
            }
            Self::AlignDies => {
                world.align.cloud().alive = false;
                for_a_while(world, 5 * HOUR, "Align dies", Self::AlignReturns);
            }
            Self::AlignReturns => world.align.cloud().alive = true,
            Self::ClockStep => clock_step(world),
            Self::ShareGoes => {
                let away = PathBuf::from("/pc/share");
                if !world.share_gone && world.disk.rename_foreign(&world.layout.output, &away) {
                    world.share_gone = true;
                    for_a_while(world, 2 * HOUR, "share goes", Self::ShareReturns);
                }
            }
            Self::ShareReturns => {
                let away = PathBuf::from("/pc/share");
                if world.share_gone && world.disk.rename_foreign(&away, &world.layout.output) {
                    world.share_gone = false;
                }
            }
            Self::DiskFills => {
                world.disk.set_free(world.rng.u64(..4_000));
                for_a_while(world, HOUR, "disk fills", Self::DiskEmpties);
            }
            Self::DiskEmpties => world.disk.set_free(1 << 40),
            Self::DiskFails => {
                world.hooks.between().fails = world.rng.f64() * 0.02;
                for_a_while(world, HOUR, "disk fails", Self::DiskRecovers);
            }
            Self::DiskRecovers => world.hooks.between().fails = 0.0,
            Self::Hold => {
                let (_, dir) = some_place(world);
                let until = world.clock.now + world.rng.u64(..30 * MINUTE);
                world.hooks.between().held.insert(dir, until);
                world.tally.count("script: file held open");
            }
            Self::DownloadsFail(instead) => {
                world.align.cloud().in_place_of_files = Some(instead);
            }
            Self::DownloadsReturn => world.align.cloud().in_place_of_files = None,
            Self::Refuse(order) => world.align.cloud().orders[order].refused = u32::MAX,
            Self::Exchange => world.disk.set_exchange(world.rng.bool()),
            Self::Stop => world.stop()?,
            Self::Kill if world.agent.is_some() => world.kill(),
            Self::PowerCut if world.agent.is_some() => world.power_cut(),
            Self::Kill | Self::PowerCut => {}
        }
        world.say(&format_args!("script: {self:?}"));
        Ok(())
    }
}

fn for_a_while(world: &mut World, most: u64, what: &'static str, end: Action) {
    world.tally.count(what);
    let wait = world.rng.u64(..most);
    world.schedule(wait, Event::Act(end));
}

fn some_flow(world: &mut World) {
    let fitting: Vec<(usize, Flow)> = {
        let cloud = world.align.cloud();
        let orders = cloud.orders.iter().enumerate().filter(|(_, order)| order.generation > 0);
        orders
            .flat_map(|(index, order)| {
                Flow::ALL.iter().filter(|flow| flow.fits(order)).map(move |flow| (index, *flow))
            })
            .collect()
    };
    if let Some((order, which)) = world.rng.choice(&fitting).copied() {
        flow(world, order, which);
    }
}

fn flow(world: &mut World, index: usize, flow: Flow) {
    if new_content(world, index, flow) {
        ring_later(world, index);
    }
}

/// Schedules notifications of an order's new content: none, one or many, at once or much later.
fn ring_later(world: &mut World, index: usize) {
    let Some(bells) = &mut world.script.bells else { return };
    if bells.u8(..4) == 0 {
        world.tally.count("notification: lost");
        return;
    }
    let times = if bells.u8(..3) == 0 { bells.usize(2..6) } else { 1 };
    let most = [1_000, 60_000, 30 * MINUTE][bells.usize(..3)];
    let waits: Vec<u64> = (0..times).map(|_| bells.u64(..most)).collect();
    for wait in waits {
        world.schedule(wait, Event::Act(Action::Ring(index)));
    }
}

/// A notification arrives, and is durable before it is answered. While no agent runs, no one
/// answers.
fn ring(world: &mut World, index: usize) {
    if world.agent.is_none() {
        world.tally.count("notification: nobody listened");
        return;
    }
    let named = {
        let order = &mut world.align.cloud().orders[index];
        order.known = order.known.max(order.generation);
        let rx = order.rx.parse().expect("an Rx id");
        (order.key.clone(), Named { account: Some(order.key.account.clone()), rx })
    };
    let labs = [(named.0.lab.clone(), named.0.account.clone())];
    let noted = world.store().notify(&labs, &[named.1], world.clock.told().wall).expect("recorded");
    world.tally.count(match noted[..] {
        [Noted::New] => "notification: came",
        _ => "notification: came again",
    });
    world.wake_soon();
}

/// Applies a flow; returns whether there is new content.
fn new_content(world: &mut World, index: usize, flow: Flow) -> bool {
    let cloud = &mut *world.align.cloud();
    let order = &mut cloud.orders[index];
    let before = order.generation;
    flow.happen(order);
    world.trace.say(world.clock.now, &format_args!("{flow:?} of {}", order.key));
    if order.generation == before {
        return false;
    }
    world.tally.count("script: new content");
    if world.rng.f64() < world.script.broken {
        let broken = if world.rng.bool() { Broken::Corrupt } else { Broken::Hostile };
        order.broken.push((order.generation, broken));
        world.tally.count("script: broken content");
    }
    if world.rng.f64() < world.script.converting {
        order.converting = world.rng.u32(..5);
        order.pictures_converting = match world.rng.u8(..4) {
            0 => u32::MAX,
            _ => world.rng.u32(..4),
        };
    }
    true
}

/// A place where an order is or will be, usually its own.
fn some_place(world: &mut World) -> (OrderKey, PathBuf) {
    let orders: Vec<OrderKey> =
        world.align.cloud().orders.iter().map(|order| order.key.clone()).collect();
    let key = orders[world.rng.usize(..orders.len())].clone();
    let beside = world.rng.u8(..5) == 0;
    let dir = if beside {
        world.layout.beside_dir(&key, world.rng.u32(1..4))
    } else {
        world.layout.order_dir(&key)
    };
    (key, dir)
}

fn deed(world: &mut World) {
    if world.share_gone {
        return;
    }
    let (_, dir) = some_place(world);
    let deed = Deed::draw(&mut world.rng);
    let ledger = &mut *world.hooks.ledger();
    if deed.happen(&world.disk, ledger, &mut world.rng, &dir, false) {
        world.tally.count("script: deed");
        world.trace.say(world.clock.now, &format_args!("{deed:?} at {}", show(&dir)));
    }
}

fn ask(world: &mut World) {
    let known = world.store().orders().expect("readable");
    if known.is_empty() {
        return;
    }
    let key = known[world.rng.usize(..known.len())].key.clone();
    world.store().ask(&key, world.clock.told().wall).expect("asked");
    {
        let cloud = &mut *world.align.cloud();
        if let Some(order) = cloud.orders.iter_mut().find(|order| order.key == key) {
            order.known = order.known.max(order.generation);
        }
    }
    world.script.asked.insert(key);
    world.tally.count("script: asked");
    world.wake_soon();
}

fn clock_step(world: &mut World) {
    let most = [30_000, 600_000, 86_400_000, 40 * 86_400_000][world.rng.usize(..4)];
    let by = world.rng.i64(-most..=most);
    world.clock.step(by);
    world.ages.clock_was_set = true;
    world.tally.count(if by < 0 { "script: clock back" } else { "script: clock forward" });
}

/// Ends all troubles.
pub fn end_troubles(world: &mut World) -> Result<(), Failure> {
    world.dangers = Dangers::default();
    for action in [
        Action::LogIn,
        Action::AlignReturns,
        Action::DownloadsReturn,
        Action::ShareReturns,
        Action::DiskEmpties,
        Action::DiskRecovers,
    ] {
        action.happen(world)?;
    }
    world.hooks.between().held.clear();
    let cloud = &mut *world.align.cloud();
    cloud.chaos = Chaos::default();
    cloud.orders.iter_mut().for_each(|order| order.refused = 0);
    Ok(())
}
