//! The client of Align's API against servers that behave and misbehave.

mod answers;
mod calls;
mod cli;
mod discovery;
mod download;
mod fixture;
mod login;
mod pairing;
mod proxy;
mod renewal;
mod server;
mod tls;
mod tokens;
