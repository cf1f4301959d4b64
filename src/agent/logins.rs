//! What a running agent does about logins on its own: it waits for the browser if a command started
//! a login, and pairs a lab again that was paired before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::align::{AlignClient, PendingLogin};
use crate::model::cancel::Cancel;
use crate::model::fault::Fault;
use crate::model::ids::{AccountId, LabName};
use crate::model::request::{Outcome, Reply, Request, Requests as _, Via, Who};

use super::requests::RequestHandler;

/// How often logins are checked.
const LOOK: Duration = Duration::from_secs(1);
/// How long to wait after a failed pairing before retrying.
const AGAIN: Duration = Duration::from_mins(1);
/// The longest such wait.
const AGAIN_AT_MOST: Duration = Duration::from_mins(30);

/// The observed state of one lab's login.
#[derive(Default)]
struct Lab {
    /// The thread that waits at the redirect URL, if any.
    waiter: Option<Waiter>,
    /// The login at the last check.
    seen: Option<Seen>,
    /// The login when its pairing was last found to be right, or tried.
    settled: Option<Seen>,
    /// When to retry a failed pairing, and the current wait.
    again: Option<(Instant, Duration)>,
    /// The last problem reported.
    told: Option<String>,
}

struct Waiter {
    login: PendingLogin,
    cancel: Cancel,
}

/// What reveals a change of the login.
#[derive(Clone, PartialEq, Eq)]
enum Seen {
    None(&'static str),
    /// With the account that the lab was paired with before. Without it, two logins between two
    /// checks, the first of them paired, would look like a single unpaired one.
    Unpaired(Option<AccountId>),
    Paired(AccountId),
}

/// Looks after the logins until told to stop.
pub(super) async fn look_after(handler: Arc<RequestHandler>, until: CancellationToken) {
    let names: Vec<_> = handler.config().labs.iter().map(|lab| lab.name.clone()).collect();
    let mut labs: BTreeMap<LabName, Lab> =
        names.into_iter().map(|name| (name, Lab::default())).collect();
    loop {
        let (mut looked, work) = (std::mem::take(&mut labs), Arc::clone(&handler));
        // Keyrings and Align may be slow.
        let look = tokio::task::spawn_blocking(move || {
            for (name, lab) in &mut looked {
                lab.look(&work, name);
            }
            looked
        });
        tokio::select! {
            () = until.cancelled() => break,
            looked = look => match looked {
                Ok(looked) => labs = looked,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            },
        }
        tokio::select! {
            () = until.cancelled() => break,
            // The browser may be back within a moment.
            () = handler.login_began.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    // Dropping it cancels everything that waits for a browser.
    drop(labs);
}

impl Lab {
    fn look(&mut self, handler: &Arc<RequestHandler>, name: &LabName) {
        let result = handler.labs_ways().client(name).and_then(|client| {
            self.listen(handler, name, &client)?;
            self.pair(handler, name, &client)
        });
        self.tell(handler, name, result.err());
    }

    /// Waits at the redirect URL as long as a login is waiting for the browser.
    fn listen(
        &mut self,
        handler: &Arc<RequestHandler>,
        name: &LabName,
        client: &Arc<AlignClient>,
    ) -> Result<(), Fault> {
        let pending = client.pending_login()?.filter(|login| login.request.returns_here());
        let is_same = |waiter: &Waiter| {
            !waiter.cancel.is_cancelled()
                && pending
                    .as_ref()
                    .is_some_and(|login| login.request.is_same(&waiter.login.request))
        };
        if self.waiter.as_ref().is_some_and(is_same) {
            return Ok(());
        }
        self.waiter = None;
        let Some(login) = pending else { return Ok(()) };
        // If the port is in use, the next check tries again.
        let Some(loopback) = login.request.listen(client)? else { return Ok(()) };
        let page = handler.page().and_then(|page| page.borrow().clone());
        let loopback = loopback.leading_back_to(page.map(|page| format!("{page}welcome")));
        let cancel = Cancel::new();
        let Some(waited) = client.pending_login()? else { return Ok(()) };
        let work = Returning {
            handler: Arc::clone(handler),
            lab: name.clone(),
            client: Arc::clone(client),
            cancel: cancel.clone(),
        };
        let patience = waited.until.duration_since(std::time::SystemTime::now());
        let patience = patience.unwrap_or_default();
        tracing::info!(lab = %name, "a login is waiting for the browser");
        std::thread::Builder::new()
            .name("login".to_owned())
            .spawn(move || {
                let code = loopback.wait(&waited.request, &work.client, patience, &work.cancel);
                work.came_back(&waited, code);
            })
            .map_err(|error| {
                let text = "cannot wait for a login: no thread could be started";
                Fault::new(crate::model::fault::FaultClass::Local, "login-wait", text)
                    .caused_by(error)
            })?;
        self.waiter = Some(Waiter { login, cancel });
        Ok(())
    }

    /// Pairs again if needed.
    fn pair(
        &mut self,
        handler: &RequestHandler,
        name: &LabName,
        client: &AlignClient,
    ) -> Result<(), Fault> {
        let seen = match client.paired() {
            Ok(Some(account)) => Seen::Paired(account.id),
            Ok(None) => Seen::Unpaired(handler.account_of_former_pairing(name)),
            Err(fault) => Seen::None(fault.code),
        };
        if self.seen.as_ref().is_some_and(|before| *before != seen) {
            handler.login_changed();
        }
        self.seen = Some(seen.clone());
        let is_due = self.again.is_some_and(|(at, _)| at <= Instant::now());
        if self.settled.as_ref() == Some(&seen) && !is_due {
            return Ok(());
        }
        let reply = handler.pair_again(name)?;
        self.settled = Some(seen);
        match reply {
            None => self.again = None,
            Some(reply) if reply.outcome == Outcome::Done => {
                tracing::info!(lab = %name, "paired again: {}", reply.message);
                // Check once more what it left.
                (self.again, self.settled) = (None, None);
            }
            Some(reply) => {
                let wait = self.again.map_or(AGAIN, |(_, wait)| (2 * wait).min(AGAIN_AT_MOST));
                self.again = Some((Instant::now() + wait, wait));
                log(name, "the lab could not be paired again", &reply);
            }
        }
        Ok(())
    }

    /// Reports a problem if it is new.
    fn tell(&mut self, handler: &RequestHandler, name: &LabName, fault: Option<Fault>) {
        let text = fault.map(|fault| match &fault.hint {
            Some(hint) => format!("{}; {hint}", fault.chain()),
            None => fault.chain(),
        });
        if let Some(text) = &text
            && self.told.as_ref() != Some(text)
        {
            tracing::warn!(lab = %name, "the login cannot be checked right now: {text}");
        }
        if self.told != text {
            handler.login_cannot_be_waited_for(name, text.clone());
        }
        self.told = text;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Handles the return of the browser.
struct Returning {
    handler: Arc<RequestHandler>,
    lab: LabName,
    client: Arc<AlignClient>,
    cancel: Cancel,
}

impl Returning {
    fn came_back(&self, login: &PendingLogin, code: Result<secrecy::SecretString, Fault>) {
        let lab = &self.lab;
        let who = Who { user: None, via: Via::Agent };
        let logged_in = code.and_then(|code| {
            self.handler.finish_login(&who, lab, &self.client, &login.request, &code)
        });
        // From here on the port is free, and the next check may listen again.
        self.cancel.cancel();
        match logged_in {
            Err(fault) if fault.class == crate::model::fault::FaultClass::Cancelled => {}
            Err(fault) => self.tell("the login failed", fault.into()),
            Ok(()) => {
                tracing::info!(%lab, "logged in");
                match self.pair(login.account.clone()) {
                    Ok(reply) if reply.outcome == Outcome::Done => {
                        tracing::info!(%lab, "{}", reply.message);
                        self.handler.login_went(lab, None);
                    }
                    Ok(reply) => self.tell("the lab is logged in but not paired", reply),
                    Err(fault) => self.tell("the lab is logged in but not paired", fault.into()),
                }
            }
        }
    }

    /// Reports to the log and to the page that waits for the login.
    fn tell(&self, what: &str, reply: Reply) {
        log(&self.lab, what, &reply);
        self.handler.login_went(&self.lab, Some(reply));
    }

    fn pair(&self, account: Option<AccountId>) -> Result<Reply, Fault> {
        let account = account.or_else(|| self.handler.account_of_former_pairing(&self.lab));
        let id = crate::control::new_id()?;
        let request = Request::Pair { lab: Some(self.lab.to_string()), account, code: None };
        let reply = self.handler.serve_once(&id, &request, &Who { user: None, via: Via::Agent })?;
        self.handler.settled(&id)?;
        Ok(reply)
    }
}

/// Logs something that needs attention.
fn log(lab: &LabName, what: &str, reply: &Reply) {
    let next = reply.next.as_deref().unwrap_or_default();
    tracing::error!(%lab, next, "{what}: {}", reply.message);
}

#[cfg(test)]
#[path = "logins_tests.rs"]
mod tests;
