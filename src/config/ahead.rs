//! Keys that are read and checked already, and whose part of the agent is still to come.

use super::Config;

impl Config {
    /// The keys that are set to something that this version does not do, each with what it does
    /// instead.
    pub fn not_in_effect(&self) -> Vec<(&'static str, &'static str)> {
        let keys = [("log.dir", self.log.dir.is_some(), "the log goes to standard error")];
        keys.into_iter().filter(|(_, set, _)| *set).map(|(key, _, what)| (key, what)).collect()
    }
}
