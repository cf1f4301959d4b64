//! Orders whose files never come, and all the ways in which they do not.

use crate::gateway::{Answer, Does};

/// One way in which the package of an order never comes.
#[derive(Debug, Clone, Copy)]
pub struct Poison {
    /// What it is called.
    pub name: &'static str,
    /// What the gateway does with the package of the order with that number.
    pub does: fn(usize) -> Does,
}

/// How fast a body without end comes: neither so slowly that it counts as stuck, nor so fast that the
/// disk is full before the test is over.
const ENDLESS: u64 = 256 * 1024;

/// All of them.
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

/// The one of that name.
pub fn named(name: &str) -> Poison {
    *ALL.iter().find(|poison| poison.name == name).expect("a kind of poison")
}

/// It begins as an archive does, has its length, and nothing in it makes sense.
fn broken_zip() -> Does {
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.resize(20_000, b'?');
    Answer::plain(200, "application/zip", bytes)
}
