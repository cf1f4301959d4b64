//! The simulated Align API and the exports that it serves: what demo, `simulate` and the tests run
//! against. Nothing here talks to Align, and every person in it is invented.

pub mod package;
