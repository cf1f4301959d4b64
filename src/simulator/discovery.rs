//! Discovery: which URLs a client is to use.

use axum::http::StatusCode;

use super::hub::Hub;
use super::reply::Reply;
use super::routes::DISCOVERED;
use super::service::Call;
use super::settings::Regional;
use super::wire;

/// Names domain and path of every endpoint that the settings do not leave out.
pub(super) fn discover(hub: &Hub, call: &Call) -> Reply {
    let settings = hub.state().settings.clone();
    if !settings.discovery {
        return Reply::error(StatusCode::NOT_FOUND, "NotFound", "discovery is switched off");
    }
    let host = match settings.regional {
        Regional::Same => call.host().to_owned(),
        Regional::Localhost => {
            call.host().replace(super::service::without_port(call.host()), "localhost")
        }
        Regional::Port => call.host_with_port(hub.regional_port),
    };
    let domain = format!("http://{host}");
    let wanted = DISCOVERED.iter().filter(|(name, ..)| {
        !settings.discovery_omit.iter().any(|omitted| omitted.eq_ignore_ascii_case(name))
    });
    let endpoints: Vec<_> = wanted
        .enumerate()
        .map(|(index, (name, _, path))| {
            // Upper case in a domain or a slash at its end changes nothing for a client.
            let slash = if settings.vary && index % 2 == 1 { "/" } else { "" };
            wire::endpoint(name, &format!("{domain}{slash}"), path)
        })
        .collect();
    Reply::json(StatusCode::OK, &wire::discovery(&endpoints))
}
