//! Notifies other programs and people: a hook that runs for each published order ([`hook`]), a
//! signed message to a web server ([`webhook`]), and a digest by mail ([`mail`]).
//!
//! What is reported ([`feed`], [`digest`]), when ([`batch`]), and how it is signed ([`sign`]) is
//! pure. Each channel has its own position in the journal, which advances only after a delivery:
//! every publication is reported at least once, in order, whatever happens in between. No channel
//! blocks the engine or another channel, and none reveals a token, a secret or a patient's name.

pub mod batch;
pub mod digest;
pub mod feed;
pub mod hook;
pub mod mail;
pub mod sign;
pub mod webhook;
