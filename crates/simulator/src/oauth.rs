//! The login: authorization code grant, refresh and revoke (errors as in RFC 6749).

use std::time::{Duration, Instant};

use axum::http::{Method, StatusCode, header};
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use url::{Host, Url};

use super::call::{Call, Pairs};
use super::hub::Hub;
use super::pages;
use super::reply::Reply;
use super::state::{Account, AuthCode, State};
use super::tokens::{BadRefresh, Holder, Rotation, random_token};
use super::wire;

/// How long a code can be exchanged.
const CODE_LIFE: Duration = Duration::from_mins(1);

/// Signs in: at once, or with a page whose form is sent back by POST.
pub(super) fn authorize(hub: &Hub, call: &Call) -> Reply {
    let asked = if call.method == Method::POST { call.form() } else { call.query.clone() };
    let mut state = hub.state();
    let Some(account) = find_client(&state, &asked) else {
        return pages::refused("This client_id is not known.");
    };
    let text = |name: &str| asked.get(name).map(String::as_str);
    let redirect = text("redirect_uri").unwrap_or_default();
    let Some(target) = Url::parse(redirect).ok().filter(|url| is_allowed(account, url, redirect))
    else {
        return pages::refused("This redirect_uri is not registered for the client.");
    };
    let back = |pairs: &[(&str, &str)]| {
        let mut url = target.clone();
        url.query_pairs_mut().extend_pairs(pairs);
        if let Some(state) = text("state") {
            url.query_pairs_mut().append_pair("state", state);
        }
        Reply::redirect(url.into())
    };
    if text("response_type") != Some("code") && call.method == Method::GET {
        return back(&[("error", "unsupported_response_type")]);
    }
    let challenge = text("code_challenge").map(str::to_owned);
    if challenge.is_some() && text("code_challenge_method") != Some("S256") {
        return back(&[("error", "invalid_request"), ("error_description", "S256 is needed")]);
    }
    if state.settings.deny_login || text("decision") == Some("deny") {
        return back(&[("error", "access_denied")]);
    }
    if !state.settings.auto_approve && call.method == Method::GET {
        return pages::sign_in(account, &asked);
    }
    let named = account.users.iter().find(|user| Some(user.name.as_str()) == text("user"));
    let user = if call.method == Method::POST { named } else { account.users.first() };
    let Some(user) = user else {
        return pages::refused("This user is not known.");
    };
    let code = AuthCode {
        code: random_token(),
        account: account.id.clone(),
        user: user.name.clone(),
        redirect_uri: redirect.to_owned(),
        challenge,
        until: Instant::now() + CODE_LIFE,
    };
    let answer = back(&[("code", &code.code)]);
    state.codes.push(code);
    answer
}

/// Exchanges codes and refresh tokens for access tokens.
pub(super) fn token(hub: &Hub, call: &Call) -> Reply {
    let form = call.form();
    let mut state = hub.state();
    let account = match authenticate(&state, &form) {
        Ok(account) => account,
        Err(refused) => return refused,
    };
    match form.get("grant_type").map(String::as_str) {
        Some("authorization_code") => exchange(&mut state, &account, &form),
        Some("refresh_token") => refresh(&mut state, &account, &form),
        Some(_) => failure(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            "authorization_code and refresh_token are supported",
        ),
        None => failure(StatusCode::BAD_REQUEST, "invalid_request", "grant_type is missing"),
    }
}

/// Logs out. As in RFC 7009, an unknown token is not an error.
pub(super) fn revoke(hub: &Hub, call: &Call) -> Reply {
    let form = call.form();
    let mut state = hub.state();
    if let Err(refused) = authenticate(&state, &form) {
        return refused;
    }
    let Some(token) = form.get("token") else {
        return failure(StatusCode::BAD_REQUEST, "invalid_request", "token is missing");
    };
    state.tokens.revoke(token);
    Reply::text(StatusCode::OK, "text/plain", String::new())
}

fn exchange(state: &mut State, account: &str, form: &Pairs) -> Reply {
    let bad = |text| failure(StatusCode::BAD_REQUEST, "invalid_grant", text);
    let given = form.get("code").map(String::as_str).unwrap_or_default();
    // Whatever the outcome, a code that has been presented is spent.
    let Some(index) = state.codes.iter().position(|code| code.code == given) else {
        return bad("the code is not known or was used");
    };
    let code = state.codes.remove(index);
    if code.until < Instant::now() {
        return bad("the code expired");
    }
    if code.account != account {
        return bad("the code was given to another client");
    }
    if form.get("redirect_uri") != Some(&code.redirect_uri) {
        return bad("redirect_uri differs from the one that the code was asked with");
    }
    if let Some(challenge) = &code.challenge {
        let verifier = form.get("code_verifier").cloned().unwrap_or_default();
        if !verifies(challenge, verifier) {
            return bad("code_verifier does not fit the code_challenge");
        }
    }
    let life = state.token_life();
    let holder = Holder { account: code.account, user: code.user, from_pairing: false };
    let tokens = state.tokens.issue(holder, life);
    state.counters.logins += 1;
    granted(&tokens)
}

fn refresh(state: &mut State, account: &str, form: &Pairs) -> Reply {
    let given = form.get("refresh_token").map(String::as_str).unwrap_or_default();
    let rotation = state
        .settings
        .rotate_refresh_tokens
        .then(|| Rotation { grace: Duration::from_millis(state.settings.refresh_grace_ms) });
    let life = state.token_life();
    match state.tokens.refresh(account, given, rotation, life) {
        Ok(tokens) => {
            state.counters.refreshes += 1;
            granted(&tokens)
        }
        Err(refused) => {
            let text = match refused {
                BadRefresh::Unknown => "the refresh token is not known",
                BadRefresh::Spent => {
                    state.counters.refresh_reuses += 1;
                    "the refresh token was used already"
                }
            };
            failure(StatusCode::BAD_REQUEST, "invalid_grant", text)
        }
    }
}

fn verifies(challenge: &str, verifier: String) -> bool {
    // RFC 7636 requires this length, and the library accepts no other.
    (43..=128).contains(&verifier.len())
        && PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier)).as_str()
            == challenge
}

fn find_client<'a>(state: &'a State, form: &Pairs) -> Option<&'a Account> {
    let client = form.get("client_id")?;
    state.accounts.iter().find(|account| account.client_id == *client)
}

/// Authenticates with `client_secret_post` and returns the client's account id.
fn authenticate(state: &State, form: &Pairs) -> Result<String, Reply> {
    find_client(state, form)
        .filter(|account| form.get("client_secret") == Some(&account.client_secret))
        .map(|account| account.id.clone())
        .ok_or_else(|| {
            let text = "client_id or client_secret is wrong";
            failure(StatusCode::UNAUTHORIZED, "invalid_client", text)
        })
}

/// Loopback, or an exact match of a registered URL; never with a fragment (FACT).
fn is_allowed(account: &Account, url: &Url, text: &str) -> bool {
    let loopback = url.scheme() == "http"
        && match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
    let registered = account.redirect_urls.iter().any(|known| known == text);
    (loopback || registered) && !text.contains('#')
}

fn granted(tokens: &super::tokens::TokenSet) -> Reply {
    Reply::json(StatusCode::OK, &wire::tokens(tokens)).with(header::CACHE_CONTROL, "no-store")
}

fn failure(status: StatusCode, code: &str, text: &str) -> Reply {
    Reply::json(status, &wire::oauth_error(code, text)).with(header::CACHE_CONTROL, "no-store")
}
