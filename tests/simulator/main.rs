//! The simulator over real HTTP: it behaves as the vendor's pages say, and its faults are real on
//! the wire.

mod admin;
mod discovery;
mod downloads;
mod faults;
mod flows;
mod lab;
mod login;
mod orders;
mod packages;
mod pairing;
