//! What reaches the agent from outside. Inputs produce events and never act: they hand over what they
//! learnt to whoever they were given, and know neither Align nor the journal.

pub mod notifications;
