//! Logins that requests start and finish, and the records of any login.

use serde_json::json;

use super::{RequestHandler, Task};
use crate::align::{AlignClient, LOGIN_NEEDED, LoginRequest, PENDING_FOR};
use crate::audit::{AuditEvent, Entry, Mark};
use crate::config::LabConfig;
use crate::journal::{LabRecord, Store};
use crate::model::cancel::Cancel;
use crate::model::fault::{Fault, FaultClass, NOT_PAIRED};
use crate::model::ids::{AccountId, LabName};
use crate::model::request::{Outcome, Reply, Text, Via, Who};
use crate::model::time::WallMs;
use crate::secrets::{SEALED, UNREADABLE};

use secrecy::SecretString;

/// Whether the fault is a missing login, which a user can fix by logging in.
pub(super) fn needs_login(fault: &Fault) -> bool {
    [LOGIN_NEEDED, UNREADABLE, SEALED, "http-401"].contains(&fault.code)
}

/// Why someone must log a lab in or pair it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginLacks {
    pub fault: String,
    /// What the user can do.
    pub hint: Option<String>,
}

/// Whether a fault in the journal is over once a readable login with a pairing exists here. Other
/// faults come from Align and count until someone logs in.
pub(super) fn is_over_with_login(code: &str) -> bool {
    [UNREADABLE, SEALED, NOT_PAIRED].contains(&code)
}

fn is_from_align(record: &LabRecord) -> bool {
    record.lacks_login() && !record.fault_code.as_deref().is_some_and(is_over_with_login)
}

impl RequestHandler {
    /// Starts a login and replies with what the user should do.
    pub(super) fn ask_for_login(
        &self,
        task: &Task<'_>,
        lab: &LabConfig,
        client: &AlignClient,
        account: Option<&AccountId>,
        why: Fault,
    ) -> Reply {
        let name = &lab.name;
        // A command-line user logs in with another command; the agent itself cannot log in.
        if matches!(task.who.via, Via::CommandLine | Via::Agent) {
            let next = format!("login needed: run `casedrop login {name}`");
            return Reply { next: Some(next), ..why.into() };
        }
        let pending = match client.await_login(account) {
            Ok(pending) => pending,
            Err(fault) => return fault.into(),
        };
        self.login_went(name, None);
        self.login_began.notify_one();
        let url = pending.request.url();
        let by_itself = pending.request.returns_here() && self.live.is_some();
        let until = pending.until.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let ends = WallMs(0).plus(until);
        let until = ends.local();
        let message = format!(
            "Lab {name} must be logged in first ({}). Open this link in a browser{}, and log in \
             with the lab's own user at Align:\n{url}",
            why.brief(),
            if by_itself { " on this PC" } else { "" },
        );
        let then = if by_itself {
            format!(
                "The link is valid until {until}. After the login, the lab is paired \
                 automatically; there is nothing more to do."
            )
        } else if task.who.via == Via::Page {
            format!(
                "The link is valid until {until}. After the login, copy the whole address that the \
                 browser then shows (the page itself may not load), and paste it here."
            )
        } else {
            format!(
                "The link is valid until {until}. After the login, copy the whole address that the \
                 browser then shows (the page itself may not load), and drop a second file with \
                 this content, with the address in place of the dots:\n\
                 {{\"command\": \"pair\", \"lab\": \"{name}\", \"code\": \"…\"}}"
            )
        };
        let details = json!({
            "lab": name, "login_url": url, "until": ends.to_rfc3339(), "finishes_by_itself": by_itself,
        });
        Reply::new(Outcome::LoginNeeded, message).next(then).details(details)
    }

    /// Finishes the pending login with what the user provided. Returns the account that was
    /// requested when it started.
    pub(super) fn end_login(
        &self,
        who: &Who,
        lab: &LabConfig,
        client: &AlignClient,
        code: &Text,
    ) -> Result<Option<AccountId>, Box<Reply>> {
        let name = &lab.name;
        let again = if who.via == Via::Page {
            "start again: open the login link once more, and paste the address that the browser \
             shows after that login"
                .to_owned()
        } else {
            format!(
                "start again: drop a `pair` file without a code for lab {name}, open the link in \
                 its receipt, and use the address that the browser shows after that login"
            )
        };
        let details = |code: &str| json!({ "lab": name, "code": code });
        let waits = client.pending_login().map_err(|fault| Box::new(fault.into()))?;
        let pending = waits.ok_or_else(|| {
            let text = format!(
                "nothing was done: no login of lab {name} is waiting for a code. None was started, \
                 it is already finished, or it was started more than {} minutes ago",
                PENDING_FOR.as_secs() / 60
            );
            let reply = Reply::new(Outcome::Refused, text).next(again.clone());
            Box::new(reply.details(details("no-login-waits")))
        })?;
        let code = pending.request.code_from_input(&code.0).map_err(|fault| {
            let text = format!("nothing was done: {}", fault.brief());
            let reply = Reply::new(Outcome::Refused, text).next(again.clone());
            Box::new(reply.details(details(fault.code)))
        })?;
        match self.finish_login(who, name, client, &pending.request, &code) {
            Ok(()) => Ok(pending.account),
            Err(fault) => {
                let details = details(fault.code);
                let reply = Reply::from(fault).details(details);
                let next = reply.next.clone().filter(|_| reply.outcome != Outcome::LoginNeeded);
                Err(Box::new(Reply { next: next.or(Some(again)), ..reply }))
            }
        }
    }

    /// Exchanges a code for a login, and records it.
    pub(crate) fn finish_login(
        &self,
        who: &Who,
        lab: &LabName,
        client: &AlignClient,
        request: &LoginRequest,
        code: &SecretString,
    ) -> Result<(), Fault> {
        let result = client.finish_login(request, code, &Cancel::new());
        let mark = if result.is_ok() { Mark::Done } else { Mark::Failed };
        self.record(who, AuditEvent::Login, lab, mark);
        if let Ok(Some(former)) = &result {
            self.remember_former(lab, &former.id);
        }
        if result.is_ok() {
            self.login_settled(lab);
        }
        result.map(|_| ())
    }

    /// Returns why someone must log in or pair a lab: what this process finds in the login store,
    /// or else what the agent learned from Align. `record` is the journal's record of the lab.
    pub fn login_lacks(&self, lab: &LabName, record: Option<&LabRecord>) -> Option<LoginLacks> {
        match self.with_link(lab, |link| (link.connect)()) {
            Err(fault) if fault.class == FaultClass::Auth => {
                Some(LoginLacks { fault: fault.brief(), hint: fault.hint })
            }
            Ok(_) | Err(_) => record.filter(|record| is_from_align(record)).map(|record| {
                let fault = record.fault.clone().unwrap_or_else(|| "login needed".to_owned());
                LoginLacks { fault, hint: record.hint.clone() }
            }),
        }
    }

    /// Clears the missing login from the journal and wakes the engine.
    fn login_settled(&self, lab: &LabName) {
        // If no agent has ever run here, there is no journal, and this must not create one.
        let lacks = |store: &Store| Ok(store.labs()?.iter().any(LabRecord::lacks_login));
        let is_told = matches!(self.journal.look(lacks), Ok(Some(true)));
        if is_told && let Err(error) = self.journal.with(|store| store.settle_login(lab.as_str())) {
            tracing::warn!(%lab, "the login is not in the journal yet: {}", error.chain());
        }
        self.wake.now();
    }

    /// Wakes the engine because the login changed.
    pub(in crate::agent) fn login_changed(&self) {
        self.wake.now();
    }

    /// Logs a lab out: revokes its login and deletes it with everything that belongs to it. On
    /// success, returns the fault if Align could not be told.
    ///
    /// # Errors
    /// There is no login, or it cannot be removed.
    pub fn log_out(&self, lab: &LabName, who: &Who) -> Result<Option<Fault>, Fault> {
        let untold = self.labs.client(lab)?.logout(&Cancel::new());
        let mark = if matches!(untold, Ok(None)) { Mark::Done } else { Mark::Failed };
        self.record(who, AuditEvent::Logout, lab, mark);
        let untold = untold?;
        self.forget_pairing(lab);
        Ok(untold)
    }

    /// A login that succeeded is not undone if it cannot be recorded.
    fn record(&self, who: &Who, deed: AuditEvent, lab: &LabName, mark: Mark) {
        let entry = Entry::new((self.now)().wall, who.clone(), deed, mark).lab(lab);
        if let Err(fault) = self.audit.record(&entry) {
            tracing::error!(%lab, "the audit record could not be written: {}", fault.chain());
        }
    }
}
