//! What happened in one run, step by step: printed on request, always hashed.

use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};

/// How many of the latest lines a failing run shows.
const TAIL: usize = 40;

/// The trace of one run.
#[derive(Debug, Default)]
pub struct Trace {
    hash: DefaultHasher,
    aloud: bool,
    steps: u64,
    tail: std::collections::VecDeque<String>,
}

impl Trace {
    /// Creates a trace that is printed as it goes, or not.
    pub fn new(aloud: bool) -> Self {
        Self { aloud, ..Self::default() }
    }

    /// Adds a line.
    pub fn say(&mut self, now: u64, what: &dyn fmt::Display) {
        self.steps += 1;
        let (seconds, millis) = (now / 1000, now % 1000);
        let line = format!("{:>5} {seconds:>7}.{millis:03} {what}", self.steps);
        self.hash.write(line.as_bytes());
        if self.aloud {
            println!("{line}");
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// The number of the latest step.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Equal for equal traces.
    pub fn hash(&self) -> u64 {
        self.hash.finish()
    }

    /// The latest lines.
    pub fn tail(&self) -> String {
        self.tail.iter().flat_map(|line| [line, "\n"]).collect()
    }
}
