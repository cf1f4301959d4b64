//! One renewal of a login, and what happens when its answer is lost.
//!
//! Refresh tokens may rotate (ASSUMED): then the answer contains the only token that is valid from
//! now on. An answer can be lost between Align and this PC, and a process can die before saving it.
//! So:
//!
//! - That a renewal has begun is durable before anything is sent. Anyone who finds that mark later
//!   knows that an answer may have been lost, and when.
//! - What Align returned is durable before it is used. If nothing can be saved, nothing is sent.
//! - After a lost answer, the former token is tried once more: some servers accept it for a short
//!   while (ASSUMED). It is kept next to the new one until that one has bought another.
//! - If Align then refuses, the user is told what happened, and not only to log in again.

use std::sync::PoisonError;

use secrecy::{ExposeSecret as _, SecretString};
use tracing::{info, warn};

use super::auth::{Auth, Dead, FaultCopy, Unsaved};
use super::endpoints::Endpoint;
use super::faults::{self, LOGIN_NEEDED};
use super::wire::{self, Tokens};
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::step::Step;
use casedrop_model::time::WallMs;
use casedrop_secrets::{Login, Renewal};

impl Auth {
    /// Buys a new access token. The store's lock must be held.
    pub(super) async fn refresh(&self, old: Login) -> Result<Login, Fault> {
        let lab = &self.lab;
        let Some(refresh) = old.refresh.clone() else {
            return Err(faults::login_needed(lab, "has a login that has expired"));
        };
        if let Some(fault) = self.refusal_of(&old) {
            return Err(fault);
        }
        // An earlier lost answer still counts, whatever the outcome of this attempt.
        let mut lost = old.renewal.clone();
        let begun = lost.clone().unwrap_or(Renewal { begun_at: self.now(), lost: None });
        self.store.save(lab, &Login { renewal: Some(begun.clone()), ..old.clone() })?;
        (self.step)(Step::RenewalBegun);
        let mut bought_with = &refresh;
        let mut result = self.buy(&refresh).await;
        if let Err(fault) = &result
            && may_be_lost(fault)
            && lost.is_none()
        {
            warn!(%lab, "the answer to a renewal of the login was lost: {}", fault.chain());
            lost = Some(Renewal { lost: Some(fault.code.to_owned()), ..begun });
            if is_worth_asking_at_once(fault) {
                result = self.buy(&refresh).await;
            }
        }
        if is_refused(&result)
            && let Some(former) = old.former.as_ref().filter(|former| !is_same(former, &refresh))
            && let Ok(tokens) = self.buy(former).await
        {
            (bought_with, result) = (former, Ok(tokens));
        }
        (self.step)(Step::RenewalAnswered);
        match result {
            Ok(tokens) => self.bought(tokens, old.clone(), bought_with),
            Err(fault) => Err(self.failed(fault, old, &refresh, lost)),
        }
    }

    async fn buy(&self, refresh: &SecretString) -> Result<Tokens, Fault> {
        let what = format!("refresh the login of lab {}", self.lab);
        let answer = self.post_form(Endpoint::Refresh, what, wire::refresh_form(refresh)).await?;
        self.tokens(answer).await
    }

    fn bought(&self, tokens: Tokens, old: Login, with: &SecretString) -> Result<Login, Fault> {
        let lab = &self.lab;
        let mut login = self.login_from(tokens);
        login.former =
            login.refresh.as_ref().filter(|new| !is_same(new, with)).map(|_| with.clone());
        login.refresh = login.refresh.or(old.refresh);
        login.account = old.account;
        if let Err(fault) = self.store.save(lab, &login) {
            // The old tokens may already be dead: keep the new ones until they can be saved.
            let unsaved = Unsaved { replaced: old.access, login };
            *self.unsaved.lock().unwrap_or_else(PoisonError::into_inner) = Some(unsaved);
            return Err(fault);
        }
        (self.step)(Step::RenewalSaved);
        info!(%lab, lifetime = login.lifetime.as_secs(), "the login was refreshed");
        Ok(login)
    }

    /// Records the result of a failed renewal: whether an answer is lost, and whether the login is
    /// over.
    fn failed(
        &self,
        mut fault: Fault,
        old: Login,
        refresh: &SecretString,
        lost: Option<Renewal>,
    ) -> Fault {
        if fault.code == LOGIN_NEEDED {
            if let Some(lost) = &lost {
                fault = self.over(lost, &fault);
            }
            let dead = Dead { refresh: refresh.clone(), why: FaultCopy::of(&fault), access: None };
            *self.dead.lock().unwrap_or_else(PoisonError::into_inner) = Some(dead);
        }
        if let Err(error) = self.store.save(&self.lab, &Login { renewal: lost, ..old }) {
            // Then the next renewal assumes that an answer was lost, which does no harm.
            warn!(lab = %self.lab, "{}", error.chain());
        }
        fault
    }

    /// Fault for a login that ended because an answer was lost.
    fn over(&self, lost: &Renewal, refused: &Fault) -> Fault {
        let (lab, how) = (&self.lab, in_words(lost.lost.as_deref()));
        let at = WallMs::from(lost.begun_at).in_words(self.now().into());
        let text = format!(
            "the answer to the renewal of the login of lab {lab} at {at} was lost ({how}); Align no \
             longer accepts the login"
        );
        Fault::new(FaultClass::Auth, LOGIN_NEEDED, text)
            .caused_by(refused.message.clone())
            .hint(format!("login needed: run `casedrop login {lab}`"))
    }
}

/// Whether Align may have processed the request, and only its answer was lost.
fn may_be_lost(fault: &Fault) -> bool {
    const CODES: [&str; 8] = [
        "broken-off",
        "stalled",
        "too-slow",
        "bad-answer",
        "answer-too-long",
        "http-500",
        "http-502",
        "http-504",
    ];
    fault.class == FaultClass::Transient && CODES.contains(&fault.code)
}

/// A failing server should not be asked again immediately.
fn is_worth_asking_at_once(fault: &Fault) -> bool {
    !fault.code.starts_with("http-")
}

fn is_refused(result: &Result<Tokens, Fault>) -> bool {
    matches!(result, Err(fault) if fault.code == LOGIN_NEEDED)
}

fn is_same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

fn in_words(lost: Option<&str>) -> &'static str {
    match lost {
        None => "the program or the PC stopped before it came",
        Some("broken-off") => "the connection was lost",
        Some("stalled" | "too-slow") => "it did not arrive in time",
        Some("bad-answer" | "answer-too-long") => "it could not be read",
        Some(_) => "the server failed",
    }
}
