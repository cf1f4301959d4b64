//! Trying out another version of this program.

use crate::agent::updating::try_out_at_next_start;
use crate::model::fault::Fault;
use crate::model::request::{Outcome, Reply, Who};

use super::RequestHandler;
use super::refusal::{refused, usage};

impl RequestHandler {
    /// Puts a version on trial; the agent downloads it first if it is not staged.
    pub(super) fn update(&self, version: &str, who: &Who) -> Result<Reply, Fault> {
        let Some(updating) = self.updating.get() else {
            return Ok(Reply::new(Outcome::Refused, "this program does not update itself"));
        };
        let wanted = updating.may_try(&*self.disk, version);
        let done = wanted.and_then(|version| match self.live {
            Some(_) => Ok(updating.want(&*self.disk, version, who)),
            None if !updating.place.has(&*self.disk, &version) => {
                let text = format!("version {version} is not staged");
                Err(usage(text).hint("to download it: `casedrop update`"))
            }
            // This process cannot wait for a quiet moment.
            None => try_out_at_next_start(&self.config, &self.disk, updating, &version, who),
        });
        match done {
            Err(fault) => refused(fault),
            done => done,
        }
    }
}
