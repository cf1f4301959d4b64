//! Ways in beside Align's list and the command line. An input understands what it is given and hands
//! it on; it decides nothing about orders, and knows neither Align nor the journal: it is given a
//! desk, a disk and a clock.

pub mod commands;
