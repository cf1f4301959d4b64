//! Tells other programs and people what happened: a program that is run for each published order
//! ([`hook`]), a signed message to a web server ([`webhook`]), and a digest by mail ([`mail`]).
//!
//! What is told ([`feed`], [`digest`]), when ([`batch`]), and how it is signed ([`sign`]) is pure. Each
//! way of telling has a place of its own in the journal, moved on only after a delivery: what was
//! published is told at least once, in order, whatever happens in between. None of it holds up the
//! engine or another way, and none of it tells a token, a secret or the name of a patient.

pub mod batch;
pub mod digest;
pub mod feed;
pub mod hook;
pub mod mail;
pub mod sign;
pub mod webhook;
