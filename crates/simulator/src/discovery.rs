//! Discovery: which URLs a client should use.
//!
//! ASSUMED: like all other calls it requires an access token; the setting `discovery_needs_token`
//! opens it to everyone. Login and refresh work without it, below `oauth_base`.

use axum::http::StatusCode;

use super::call::{Call, signed_in};
use super::hub::Hub;
use super::reply::Reply;
use super::routes::DISCOVERED;
use super::settings::Regional;
use super::wire;

/// Returns the domain and path of every endpoint that the settings do not omit.
pub(super) fn discover(hub: &Hub, call: &Call) -> Reply {
    let settings = hub.state().settings.clone();
    if !settings.discovery {
        return Reply::error(StatusCode::NOT_FOUND, "NotFound", "discovery is switched off");
    }
    if settings.discovery_needs_token
        && let Err(refused) = signed_in(hub, call)
    {
        return refused;
    }
    let host = match settings.regional {
        Regional::Same => call.host().to_owned(),
        Regional::Localhost => {
            call.host().replace(super::call::without_port(call.host()), "localhost")
        }
        Regional::Port => call.host_with_port(hub.regional_port),
    };
    let domain = format!("http://{host}");
    let is_among =
        |names: &[String], name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    let wanted = DISCOVERED.iter().filter(|(name, ..)| !is_among(&settings.discovery_omit, name));
    let endpoints: Vec<_> = wanted
        .enumerate()
        .map(|(index, (name, _, path))| {
            // A trailing slash on the domain makes no difference to a client.
            let slash = if settings.vary && index % 2 == 1 { "/" } else { "" };
            let wrong = if is_among(&settings.discovery_wrong, name) { "/nowhere" } else { "" };
            wire::endpoint(name, &format!("{domain}{slash}"), &format!("{wrong}{path}"))
        })
        .collect();
    Reply::json(StatusCode::OK, &wire::discovery(&endpoints))
}
