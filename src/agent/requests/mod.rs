//! Carries out user requests, whichever way they arrive. One per process; the agent's
//! handler serves its command folder and control endpoint, a command's own handler serves that
//! command if no agent runs.
//!
//! What a request changes on this PC is in the journal, written in one transaction with the reply.
//! What reaches beyond this PC is recorded as begun before the call and never repeated
//! automatically. The reason of a return and the code of a login are passed on and stored nowhere.

mod folders;
mod handler;
mod held;
mod labs;
mod live;
mod login;
mod login_standing;
mod login_state;
mod names;
mod once;
mod orders;
pub(crate) mod output;
mod page_data;
mod pairing;
mod refusal;
mod snapshot;
mod test_order;
mod update;
mod verify;

#[cfg(test)]
mod tests;

use crate::control::StatusSource;
use crate::model::fault::{Fault, FaultClass};
use crate::model::request::{Reply, Request, Requests, Who};
use crate::status::Status;

use handler::Task;

pub use handler::RequestHandler;
pub use labs::{NOT_RUNNING, START_IT};
pub(super) use live::Live;
pub use login::LoginLacks;
pub use login_standing::{LoginStanding, LoginState, LoginTrouble};
pub use refusal::find_lab;
pub(super) use refusal::{cannot_use, usage};
pub use snapshot::is_still_news;
pub use test_order::{TestOrder, TestOrderStanding};
pub use verify::{of_unknown_origin, sentence, summary, verify_orders, was_removed};

impl Requests for RequestHandler {
    fn serve_once(&self, id: &str, request: &Request, who: &Who) -> Result<Reply, Fault> {
        let _turn = self.take_turn(id);
        if let Some(reply) = self.earlier(id, request)? {
            return Ok(reply);
        }
        let task = Task { id, who };
        let served = match request {
            Request::Refetch { lab, orders, kind } => {
                self.refetch(&task, lab.as_deref(), orders, *kind)
            }
            Request::Pair { lab, account, code } => {
                self.pair(&task, lab.as_deref(), account.as_ref(), code.as_ref())
            }
            Request::Unpair { lab, account, confirm } => {
                self.unpair(&task, lab.as_deref(), account, confirm.as_ref())
            }
            Request::Publish { lab, orders } => self.publish_held(&task, lab.as_deref(), orders),
            Request::Return { lab, order, reason, confirm } => {
                self.send_back(&task, lab.as_deref(), order, reason, confirm.as_ref())
            }
            Request::Pause { lab } => self.pause(&task, lab.as_deref()),
            Request::Resume { lab } => self.resume(&task, lab.as_deref()),
            Request::Poll { lab } => self.poll(&task, lab.as_deref()),
            Request::Verify { orders } => Ok(self.verify(orders)),
            Request::Status {} => self.status_reply(),
            Request::Update { version } => self.update(version, who),
            Request::TestOrder { remove: false } => self.publish_test_order(&task),
            Request::TestOrder { remove: true } => self.remove_test_order(&task),
            Request::Output { path } => self.choose_output(&task, path),
        };
        match served {
            // A missing login is an answer; an unusable journal is not.
            Err(fault) if fault.class != FaultClass::Local => Ok(fault.into()),
            served => served,
        }
    }

    fn settled(&self, id: &str) -> Result<(), Fault> {
        self.forget(id)
    }
}

impl StatusSource for RequestHandler {
    fn status(&self) -> Status {
        self.picture()
    }
}
