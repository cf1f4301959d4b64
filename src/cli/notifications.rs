//! `casedrop notifications`: the URL that Align calls with scan notifications, and whether calls to
//! it arrive here.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Subcommand;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Response, StatusCode};
use serde::Serialize;
use url::Url;

use super::work::runtime;
use super::{CliError, Exit, Streams};
use crate::agent::{agent_runs, existing_callback_url};
use crate::config::Config;
use crate::disk::{Disk, RealDisk};
use crate::http::client::{is_loopback, unreached};
use crate::inputs::notifications::{RECORDED, TEST, TESTED};
use crate::secrets;

#[derive(Debug, Clone, Copy, Subcommand)]
pub enum NotificationsCommand {
    /// Call the public URL as Align does, and say what answers
    #[command(after_help = "\
The call starts here. If the lab's network leads its own public name elsewhere than the internet does,
the test shows the former; the answer says to which address the name leads.")]
    Test,
    /// Print the URL that Align calls, with its secret part: whoever has it can send notifications
    Url,
}

/// Answers are read up to this size, in bytes.
const MOST: usize = 4096;
/// Time limit for one call.
const TIMEOUT: Duration = Duration::from_secs(30);

pub fn run(
    config: &Config,
    what: NotificationsCommand,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let url = callback(config)?;
    match what {
        NotificationsCommand::Url => {
            if streams.json {
                streams.json(&serde_json::json!({ "url": url.as_str() }))?;
            } else {
                streams.line(&url)?;
                streams.note("Keep it secret: whoever has this URL can send notifications.");
            }
            Ok(Exit::Ok)
        }
        NotificationsCommand::Test => test(config, &url, streams),
    }
}

/// The callback URL of this installation, if it exists already.
fn callback(config: &Config) -> Result<Url, CliError> {
    if config.notifications.is_none() {
        let text = "scan notifications are not set up: the config has no `notifications`";
        return Err(CliError::new(Exit::Usage, text)
            .hint("docs/operators.md says how; without them orders are found by polling"));
    }
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let secrets = secrets::open(&config.state, config.secrets, disk);
    existing_callback_url(config, &secrets)?.ok_or_else(|| {
        CliError::new(Exit::Failed, "the URL has no secret part yet")
            .hint("start Casedrop once, or pair a lab: that makes it")
    })
}

/// The result of a test, for programs. It has nothing of the URL's secret part.
#[derive(Debug, Serialize)]
struct Tested {
    /// Without the secret part.
    public_url: String,
    /// To which addresses the URL's host leads, asked from here.
    addresses: Vec<IpAddr>,
    /// The HTTP status of the answer; `None` if there was none.
    status: Option<u16>,
    /// Milliseconds until the answer.
    took_ms: u64,
    /// Whether the call arrived at this Casedrop.
    arrived: bool,
    message: String,
    hint: Option<String>,
}

fn test(config: &Config, url: &Url, streams: &mut Streams) -> Result<Exit, CliError> {
    let public =
        config.notifications.as_ref().map_or_else(|| url.clone(), |it| it.public_url.clone());
    let client = config.outgoing(&RealDisk)?.client_for(url)?;
    let host = url.host_str().unwrap_or_default();
    let asked = runtime()?.block_on(async {
        let addresses = addresses(url).await;
        let began = Instant::now();
        let call =
            client.post(url.clone()).timeout(TIMEOUT).header(CONTENT_TYPE, "application/json");
        let answer = match call.body(TEST).send().await {
            Ok(answer) => Ok(read(answer).await),
            // The URL is secret.
            Err(error) => Err(unreached(host, &error.without_url())),
        };
        (addresses, began.elapsed(), answer)
    });
    let (addresses, took, answer) = asked;
    let status = answer.as_ref().ok().map(|answer| answer.status.as_u16());
    let (arrived, message, hint) = match answer {
        Ok(answer) => answer.judge(&public),
        Err(why) => (false, why, Some(HOW_TO_REACH)),
    };
    let hint = match hint {
        Some(_) if !agent_runs(&config.state) => {
            Some("Casedrop is not running here, so nothing receives the call. Start it first")
        }
        hint => hint,
    };
    let tested = Tested {
        public_url: public.to_string(),
        addresses,
        status,
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        arrived,
        message,
        hint: hint.map(str::to_owned),
    };
    tell(&tested, is_loopback(url), streams)?;
    Ok(if arrived { Exit::Ok } else { Exit::Failed })
}

fn tell(tested: &Tested, is_loopback: bool, streams: &mut Streams) -> Result<(), CliError> {
    if streams.json {
        return streams.json(tested);
    }
    let Tested { public_url, addresses, took_ms, message, hint, .. } = tested;
    let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    let leads = if shown.is_empty() { "nowhere".to_owned() } else { shown.join(", ") };
    streams.note(format!(
        "Called {}/… as Align does; its host leads to {leads}.",
        public_url.trim_end_matches('/')
    ));
    streams.line(format!("{message} ({took_ms} ms)"))?;
    if let Some(hint) = hint {
        streams.note(format!("hint: {hint}"));
    }
    if !is_loopback && !addresses.is_empty() && addresses.iter().all(is_inside) {
        streams.note(
            "That address is inside this network: this test does not show whether the internet \
             reaches it.",
        );
    }
    Ok(())
}

/// The addresses of a URL's host, as this PC sees them; none if its name is unknown here, or known
/// to the proxy only.
async fn addresses(url: &Url) -> Vec<IpAddr> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let found = tokio::net::lookup_host((host, port)).await;
    let mut all: Vec<_> = found.into_iter().flatten().map(|address| address.ip()).collect();
    all.sort();
    all.dedup();
    all
}

/// Whether Align cannot reach an address because it exists in local networks only.
fn is_inside(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_private() || address.is_loopback() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local()
        }
    }
}

const HOW_TO_REACH: &str = "check the name in DNS, the certificate, and that firewall and reverse \
                            proxy let calls through";

/// What answered.
struct Answer {
    status: StatusCode,
    /// The host that it redirects to.
    elsewhere: Option<String>,
    /// The beginning of its text.
    text: String,
}

async fn read(mut answer: Response) -> Answer {
    let status = answer.status();
    let base = answer.url().clone();
    let to = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let elsewhere =
        to.and_then(|to| base.join(to).ok()).map(|to| to.origin().ascii_serialization());
    let mut bytes = Vec::new();
    // If it breaks off, its beginning says enough.
    while let Ok(Some(chunk)) = answer.chunk().await
        && bytes.len() < MOST
    {
        bytes.extend_from_slice(&chunk);
    }
    Answer { status, elsewhere, text: String::from_utf8_lossy(&bytes).into_owned() }
}

impl Answer {
    /// Whether the call arrived, what to say about it, and what to do.
    fn judge(&self, public: &Url) -> (bool, String, Option<&'static str>) {
        let Self { status, elsewhere, text } = self;
        let host = public.host_str().unwrap_or_default();
        let said = format!("{host} answered {status}");
        match status.as_u16() {
            200 if text.trim() == TESTED.trim() => {
                (true, "The call arrived: scan notifications reach Casedrop.".to_owned(), None)
            }
            200 if text.trim() == RECORDED.trim() => {
                let text = "The call arrived, but something on the way changed its content. \
                            Casedrop then asks Align for the whole list";
                let hint = "let the reverse proxy or gateway pass the body on unchanged";
                (true, text.to_owned(), Some(hint))
            }
            200..=299 => {
                let hint = "another program answers at that address: pass the path on to \
                            `notifications.listen`";
                (false, format!("{said}, but that was not Casedrop"), Some(hint))
            }
            300..=399 => {
                let to = elsewhere.as_deref().unwrap_or("another address");
                let hint = "set `notifications.public_url` to where it leads, or stop the redirect";
                (false, format!("{said}: it redirects to {to}"), Some(hint))
            }
            401 | 403 | 407 => {
                let hint = "Align cannot log in: exempt this path from the login or the filter";
                (false, said, Some(hint))
            }
            404 | 405 => {
                let hint = "the call did not arrive at this Casedrop: pass the whole path on to \
                            `notifications.listen`, unchanged; if several PCs run Casedrop, check \
                            which one it is passed to";
                (false, said, Some(hint))
            }
            502..=504 => {
                let hint = "the reverse proxy does not reach `notifications.listen`: check address, \
                            port and firewall between the two";
                (false, said, Some(hint))
            }
            _ => (false, said, Some(HOW_TO_REACH)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, text: &str) -> (bool, String, Option<&'static str>) {
        let status = StatusCode::from_u16(status).expect("a status");
        let elsewhere = Some("https://login.example".to_owned());
        let answer = Answer { status, elsewhere, text: text.to_owned() };
        answer.judge(&Url::parse("https://lab.example/itero").expect("a URL"))
    }

    #[test]
    fn only_casedrop_s_own_answer_counts_as_arrived() {
        assert!(judged(200, TESTED).0);
        let (arrived, text, hint) = judged(200, RECORDED);
        assert!(arrived && text.contains("changed its content") && hint.is_some());
        for (status, said, hint) in [
            (200, "not Casedrop", "another program"),
            (302, "redirects to https://login.example", "public_url"),
            (401, "401", "exempt"),
            (404, "404", "whole path"),
            (502, "502", "does not reach"),
            (500, "500", "DNS"),
        ] {
            let (arrived, text, way_out) = judged(status, "<html>Welcome</html>");
            assert!(!arrived && text.contains(said) && text.contains("lab.example"), "{text}");
            assert!(way_out.expect("a hint").contains(hint), "{status}");
        }
    }

    #[test]
    fn addresses_that_align_cannot_reach_are_told_apart() {
        for address in ["10.1.2.3", "192.168.1.5", "127.0.0.1", "::1", "fd00::1", "fe80::1"] {
            assert!(is_inside(&address.parse().expect("an address")), "{address}");
        }
        for address in ["203.0.113.5", "2001:db8::1"] {
            assert!(!is_inside(&address.parse().expect("an address")), "{address}");
        }
    }
}
