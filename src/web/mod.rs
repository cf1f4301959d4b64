//! The status page: who may come in, and what they see.

pub mod gate;
