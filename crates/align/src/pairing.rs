//! Which account a lab is paired with, and logging out.
//!
//! FACT: pairing binds the user to the account and returns a new set of tokens; pairing again
//! returns the same. **Unpairing affects all users that are paired with the account and disconnects
//! its callback URL.** Revoking a token is a logout.

use tracing::{info, warn};
use url::Url;

use super::account::Account;
use super::auth::Ending;
use super::client::{AlignClient, MAX_ANSWER};
use super::endpoints::Endpoint;
use super::http::{Body, Request};
use super::wire;
use casedrop_model::cancel::Cancel;
use casedrop_model::fault::Fault;
use casedrop_model::ids::AccountId;
use casedrop_secrets::{PairedAccount, SEALED, UNREADABLE};

impl AlignClient {
    /// Returns the accounts that this login may be paired with.
    pub fn accounts(&self, cancel: &Cancel) -> Result<Vec<Account>, Fault> {
        let request = Request::get(format!("get the accounts of lab {}", self.auth.lab));
        let call = self.ask(Endpoint::Accounts, &[], &request, MAX_ANSWER, wire::accounts);
        self.run(cancel, call)
    }

    /// Pairs the login with an account and saves the tokens it returns. Without a callback URL no
    /// notifications arrive, unless one was registered with Align.
    pub fn pair(
        &self,
        account: &Account,
        callback_url: Option<&Url>,
        cancel: &Cancel,
    ) -> Result<(), Fault> {
        let lab = &self.auth.lab;
        let body = wire::pair_body(&account.id, callback_url);
        let request =
            Request::post(format!("pair lab {lab} with account {}", account.id), Body::Json(body));
        // An answer without tokens leaves the current ones in place.
        let read = |bytes: &[u8]| Ok(wire::tokens(bytes).ok());
        let tokens = self.run(cancel, self.ask(Endpoint::Pair, &[], &request, MAX_ANSWER, read))?;
        let fresh = tokens.map(|tokens| self.auth.login_from(tokens));
        let paired = PairedAccount { id: account.id.clone(), name: account.name.clone() };
        // Tokens issued by Align are saved even if we are asked to stop.
        self.run(
            &Cancel::new(),
            self.auth.change(move |stored| {
                let mut login = match (fresh, stored) {
                    (Some(fresh), None) => fresh,
                    (Some(mut fresh), Some(stored)) => {
                        if fresh.refresh.is_none() {
                            fresh.refresh = stored.refresh;
                            (fresh.former, fresh.renewal) = (stored.former, stored.renewal);
                        }
                        fresh
                    }
                    (None, stored) => stored?,
                };
                login.account = Some(paired);
                Some(login)
            }),
        )?;
        info!(%lab, account = %account.id, "the lab is paired");
        Ok(())
    }

    /// Unpairs an account: **for all its users, including their notifications.**
    pub fn unpair(&self, account: &AccountId, cancel: &Cancel) -> Result<(), Fault> {
        let lab = &self.auth.lab;
        let body = Body::Json(wire::unpair_body(account));
        let request = Request::post(format!("un-pair account {account} of lab {lab}"), body);
        self.run(cancel, self.ask(Endpoint::Unpair, &[], &request, MAX_ANSWER, |_| Ok(())))?;
        let gone = account.clone();
        self.run(
            &Cancel::new(),
            self.auth.change(move |stored| {
                let mut login = stored?;
                login.account = login.account.filter(|account| account.id != gone);
                Some(login)
            }),
        )?;
        info!(%lab, %account, "the account is un-paired");
        Ok(())
    }

    /// Returns the account that the login is paired with, if any; a fault if there is no login, or
    /// it is over.
    pub fn paired(&self) -> Result<Option<PairedAccount>, Fault> {
        Ok(self.auth.living()?.account)
    }

    /// Returns when the login stops working, if Align no longer renews it.
    pub fn ending(&self) -> Option<Ending> {
        self.auth.ending()
    }

    /// Revokes the tokens and removes them. They are removed even if Align cannot be told: then the
    /// fault is returned as part of the success.
    pub fn logout(&self, cancel: &Cancel) -> Result<Option<Fault>, Fault> {
        let login = match self.auth.login() {
            // There is no readable token left to revoke.
            Err(fault) if [UNREADABLE, SEALED].contains(&fault.code) => {
                self.forget()?;
                return Ok(Some(fault));
            }
            login => login?,
        };
        let revoke = async {
            let (token, is_refresh) = match &login.refresh {
                Some(token) => (token, true),
                None => (&login.access, false),
            };
            let what = format!("revoke the login of lab {}", self.auth.lab);
            let form = wire::revoke_form(token, is_refresh);
            let answer = self.auth.post_form(Endpoint::Revoke, what, form).await?;
            if answer.status().is_success() { Ok(()) } else { Err(answer.fault()) }
        };
        let told = self.run(cancel, revoke);
        self.forget()?;
        Ok(told.err())
    }

    fn forget(&self) -> Result<(), Fault> {
        self.abandon_login()?;
        self.run(&Cancel::new(), self.auth.change(|_| None))
    }

    /// Saves the tokens of a new login. It is not paired yet; returns the account of the previous
    /// one.
    pub(super) fn keep(&self, tokens: wire::Tokens) -> Result<Option<PairedAccount>, Fault> {
        let former = self.auth.login().ok().and_then(|login| login.account);
        let login = self.auth.login_from(tokens);
        if login.refresh.is_none() {
            warn!(lab = %self.auth.lab, "the login has no refresh token");
        }
        self.run(&Cancel::new(), self.auth.change(move |_| Some(login)))?;
        Ok(former)
    }
}
