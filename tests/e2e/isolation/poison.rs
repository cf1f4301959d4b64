//! Orders whose files never arrive, in every way.

use crate::gateway::{Answer, Does};

/// One way in which the package of an order never arrives.
#[derive(Debug, Clone, Copy)]
pub struct Poison {
    pub name: &'static str,
    /// What the gateway does with the package of the order with that number.
    pub does: fn(usize) -> Does,
}

/// Rate of an endless body: not so slow that it counts as stalled, not so fast that it fills the
/// disk before the test ends.
const ENDLESS: u64 = 256 * 1024;

pub const ALL: [Poison; 9] = [
    Poison { name: "500", does: |_| Answer::error(500) },
    Poison { name: "401 and 403", does: |number| Answer::error([401, 403][number % 2]) },
    Poison { name: "404", does: |_| Answer::error(404) },
    Poison { name: "429", does: |_| Answer::error(429) },
    Poison { name: "stall", does: |_| Does::Stall },
    Poison { name: "trickle", does: |_| Does::Trickle },
    Poison { name: "HTML 200", does: |_| Answer::page(200) },
    Poison { name: "broken zip", does: |_| broken_zip() },
    Poison { name: "huge", does: |_| Does::Endless(ENDLESS) },
];

pub fn named(name: &str) -> Poison {
    *ALL.iter().find(|poison| poison.name == name).expect("a kind of poison")
}

/// Starts like an archive, has the announced length, but the content is garbage.
fn broken_zip() -> Does {
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.resize(20_000, b'?');
    Answer::plain(200, "application/zip", bytes)
}
