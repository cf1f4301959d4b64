//! The engine and what it stands on, in one thread and from a seed, on a disk that lies.

#![expect(unreachable_pub, reason = "a test program has no public items")]

mod disk;

mod bench;
mod power_cuts;
mod sync_order;
