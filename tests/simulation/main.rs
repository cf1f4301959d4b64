//! The engine and what it runs on, in one thread and driven by a seed: Align, disk and clocks are
//! simulated, and all of them misbehave.
//!
//! `CASEDROP_SIM_SEEDS=100000` or `=5000..9000` runs other seeds than the usual ones;
//! `CASEDROP_SIM_SEED=17` runs one and prints each of its steps.

#![expect(unreachable_pub, reason = "a test program has no public items")]
#![expect(clippy::print_stdout, reason = "a run shows what it covered, and one seed its steps")]

mod disk;

mod actors;
mod ages;
mod align;
mod bench;
mod clock;
mod holds;
mod hooks;
mod invariants;
mod ledger;
mod outages;
mod run;
mod script;
mod seeds;
mod setup;
mod tally;
mod timer;
mod trace;
mod world;

mod checks;
mod power_cuts;
mod sync_order;
