//! Accounts, pairing and un-pairing.

use axum::http::StatusCode;

use super::call::{Call, signed_in};
use super::hub::Hub;
use super::reply::Reply;
use super::state::State;
use super::tokens::Holder;
use super::wire::{self, PairRequest};

/// The accounts that the user can pair with: a lab person's own lab, or none for a dentist.
pub(super) fn list(hub: &Hub, call: &Call) -> Reply {
    let holder = match signed_in(hub, call) {
        Ok(holder) => holder,
        Err(refused) => return refused,
    };
    let state = hub.state();
    let numeric = state.settings.vary;
    let accounts: Vec<_> = state
        .accounts
        .iter()
        .filter(|account| account.id == holder.account && is_lab_person(&state, &holder))
        .map(|account| wire::account(&account.id, &account.name, numeric))
        .collect();
    Reply::json(StatusCode::OK, &accounts.into())
}

/// Binds the user to the account, registers the callback URL and returns tokens.
pub(super) fn pair(hub: &Hub, call: &Call) -> Reply {
    let (holder, request) = match checked(hub, call) {
        Ok(checked) => checked,
        Err(refused) => return refused,
    };
    let mut state = hub.state();
    let callback = request.callback_url.filter(|url| !url.is_empty());
    if let Some(url) = &callback
        && url::Url::parse(url).is_err()
    {
        let message = "callbackUrl is not a URL";
        return Reply::error(StatusCode::BAD_REQUEST, "BadRequest", message);
    }
    if let Some(url) = callback
        && let Some(account) = state.account_mut(&holder.account)
    {
        account.callback = Some(url);
    }
    let life = state.token_life();
    let tokens = state.tokens.pair(&holder.account, &holder.user, life);
    tracing::info!(account = holder.account, "paired");
    Reply::json(StatusCode::OK, &wire::tokens(&tokens))
}

/// Ends the pairings of *all* users of the account and drops its callback URL (FACT).
pub(super) fn unpair(hub: &Hub, call: &Call) -> Reply {
    let holder = match checked(hub, call) {
        Ok((holder, _)) => holder,
        Err(refused) => return refused,
    };
    let mut state = hub.state();
    let users = state.tokens.unpair(&holder.account);
    if let Some(account) = state.account_mut(&holder.account) {
        account.callback = None;
    }
    tracing::info!(account = holder.account, users, "un-paired");
    Reply::json(StatusCode::OK, &wire::unpaired(&holder.account, users))
}

fn checked(hub: &Hub, call: &Call) -> Result<(Holder, PairRequest), Reply> {
    let holder = signed_in(hub, call)?;
    let bad = |message| Reply::error(StatusCode::BAD_REQUEST, "BadRequest", message);
    let request: PairRequest = serde_json::from_slice(&call.body)
        .map_err(|_| bad("the body must be JSON with accountId"))?;
    let account = request.account().ok_or_else(|| bad("accountId must be a number or a string"))?;
    if account != holder.account || !is_lab_person(&hub.state(), &holder) {
        let message = "the user does not belong to this lab account";
        return Err(Reply::error(StatusCode::FORBIDDEN, "NotYourAccount", message));
    }
    Ok((holder, request))
}

fn is_lab_person(state: &State, holder: &Holder) -> bool {
    state.account(&holder.account).is_some_and(|account| {
        account.users.iter().any(|user| {
            user.name == holder.user && user.user_type.eq_ignore_ascii_case("lab person")
        })
    })
}
