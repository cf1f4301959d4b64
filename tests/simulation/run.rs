//! One run, from its seed to its end.

use crate::invariants;
use crate::script::{draw, end_troubles};
use crate::tally::Tally;
use crate::world::{Failure, World};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;
/// Within this time after the last trouble everything must be in order. An order that an outage
/// parked is retried daily, and Align may answer up to four times that it is not converted.
const PATIENCE: u64 = 6 * DAY;

/// The result of a run that went well.
pub struct Run {
    /// Equal for equal runs.
    pub hash: u64,
    pub steps: u64,
    pub tally: Tally,
}

/// Runs a seed.
///
/// # Errors
/// Says what went wrong, with the end of the trace.
pub fn run(seed: u64, aloud: bool) -> Result<Run, Failure> {
    let mut world = draw(seed, aloud);
    let result = live(&mut world).and_then(|()| live_on(&mut world));
    let steps = world.trace.steps();
    if let Err(why) = result {
        return Err(format!(
            "seed {seed}, step {steps}: {why}\n{}replay it with: CASEDROP_SIM_SEED={seed} cargo \
             test --test simulation -- --nocapture\n",
            world.trace.tail()
        ));
    }
    let mut tally = std::mem::take(&mut world.tally);
    tally.merge(&world.align.cloud().tally);
    tally.merge(&world.hooks.between().tally);
    Ok(Run { hash: world.trace.hash(), steps, tally })
}

/// Runs from the first scan until everything has settled.
pub fn live(world: &mut World) -> Result<(), Failure> {
    let ends = world.script.ends;
    while world.step(ends)? {}
    end_troubles(world)?;
    world.say(&"the dust settles");
    let last = world.clock.now + PATIENCE;
    while !is_settled(world) && world.step(last)? {}
    // Anything that would be done twice happens in this time.
    let quiet = world.clock.now + 30 * MINUTE;
    while world.step(quiet)? {}
    // A late notification may have started something new.
    while !is_settled(world) && world.step(last)? {}
    invariants::at_end(world)
}

/// One more start changes nothing.
fn live_on(world: &mut World) -> Result<(), Failure> {
    world.stop()?;
    let quiet = world.clock.now + 30 * MINUTE;
    while world.step(quiet)? {}
    invariants::tree(world)?;
    invariants::nothing_half_removed(world)?;
    invariants::at_end(world)
}

fn is_settled(world: &World) -> bool {
    // Checking is expensive.
    let now_and_then = world.trace.steps().is_multiple_of(8);
    now_and_then && world.is_idle() && invariants::unmet(world).is_empty()
}
