//! Downloads releases from the configured source: through the system's proxy, with the config's
//! certificate authorities, `https` only except for this PC, and never more than was announced.
//! `self_update` downloads archives through `Archives`.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, TryStreamExt as _, try_unfold};
use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{Response, StatusCode};
use self_update::Error;
use self_update::http_client::{AsyncHttpClient, AsyncHttpResponse};
use url::Url;

use crate::config::{Config, UpdateSource};
use crate::disk::Disk;
use crate::http::client::Outgoing;
use crate::model::fault::{Fault, FaultClass};

/// A server that sends nothing for this long is given up on.
const STALL: Duration = Duration::from_mins(1);
/// GitHub serves release files after a few redirects.
const REDIRECTS: usize = 5;
/// The tag of the GitHub release that holds the manifests of both channels.
const CHANNELS: &str = "channels";

/// Returns the URL of a manifest, or of its signatures.
pub fn manifest_url(source: &UpdateSource, name: &str) -> Result<Url, Fault> {
    match source {
        UpdateSource::Folder(folder) => joined(folder, name),
        UpdateSource::GitHub { owner, repository } => github(owner, repository, CHANNELS, name),
    }
}

/// Returns the URL of an archive.
pub fn archive_url(
    source: &UpdateSource,
    version: &semver::Version,
    file: &str,
) -> Result<Url, Fault> {
    match source {
        UpdateSource::Folder(folder) => joined(folder, file),
        UpdateSource::GitHub { owner, repository } => {
            github(owner, repository, &format!("v{version}"), file)
        }
    }
}

fn github(owner: &str, repository: &str, tag: &str, file: &str) -> Result<Url, Fault> {
    let base = format!("https://github.com/{owner}/{repository}/releases/download/{tag}/");
    joined(&Url::parse(&base).map_err(|_| no_url(&base))?, file)
}

fn joined(folder: &Url, file: &str) -> Result<Url, Fault> {
    folder.join(file).map_err(|_| no_url(file))
}

fn no_url(text: &str) -> Fault {
    Fault::new(FaultClass::Permanent, "update-source", format!("{text} is not a valid address"))
}

/// Downloads a small file; `None` if it does not exist.
pub async fn small(
    config: &Config,
    disk: &dyn Disk,
    url: &Url,
    max: usize,
) -> Result<Option<Vec<u8>>, Fault> {
    let mut response = get(&config.outgoing(disk)?, url).await?;
    if response.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    good(&response, url)?;
    let mut all = Vec::new();
    while let Some(chunk) = chunk(&mut response, url).await? {
        if all.len() + chunk.len() > max {
            return Err(cannot(url, &format!("it is longer than {max} bytes")));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(Some(all))
}

/// Downloads archives for `self_update`.
pub(super) struct Archives {
    outgoing: Outgoing,
    size: u64,
}

impl Archives {
    /// Every archive is of exactly `size` bytes.
    pub(super) fn new(config: &Config, disk: &dyn Disk, size: u64) -> Result<Self, Fault> {
        Ok(Self { outgoing: config.outgoing(disk)?, size })
    }

    async fn open(&self, url: &str) -> Result<Archive, Fault> {
        let url = Url::parse(url).map_err(|_| no_url(url))?;
        let response = get(&self.outgoing, &url).await?;
        good(&response, &url)?;
        Ok(Archive { response, url, size: self.size })
    }
}

impl AsyncHttpClient for Archives {
    fn get<'a>(
        &'a self,
        url: &'a str,
        _headers: &'a HeaderMap,
        _timeout: Option<Duration>,
    ) -> BoxFuture<'a, self_update::Result<Box<dyn AsyncHttpResponse>>> {
        Box::pin(async move {
            let archive = self.open(url).await.map_err(Error::transport)?;
            Ok(Box::new(archive) as Box<dyn AsyncHttpResponse>)
        })
    }
}

/// An archive that is being downloaded.
struct Archive {
    response: Response,
    url: Url,
    size: u64,
}

impl Archive {
    /// Returns the next bytes, and how many came so far.
    async fn next(&mut self, got: u64) -> Result<Option<(Bytes, u64)>, Fault> {
        let (url, size) = (&self.url, self.size);
        match chunk(&mut self.response, url).await? {
            Some(bytes) => {
                let got = got + bytes.len() as u64;
                if got > size {
                    let why = format!("it is longer than the {size} bytes that were signed");
                    return Err(cannot(url, &why));
                }
                Ok(Some((bytes, got)))
            }
            None if got < size => Err(cannot(url, &format!("it ends after {got} of {size} bytes"))),
            None => Ok(None),
        }
    }
}

impl AsyncHttpResponse for Archive {
    fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    fn text(self: Box<Self>) -> BoxFuture<'static, self_update::Result<String>> {
        Box::pin(async move {
            let all: Vec<Bytes> = self.bytes_stream().try_collect().await?;
            Ok(String::from_utf8_lossy(&all.concat()).into_owned())
        })
    }

    fn bytes_stream(self: Box<Self>) -> BoxStream<'static, self_update::Result<Bytes>> {
        Box::pin(try_unfold((*self, 0), |(mut archive, got)| async move {
            let next = archive.next(got).await.map_err(Error::transport)?;
            Ok(next.map(|(bytes, got)| (bytes, (archive, got))))
        }))
    }
}

/// Returns the fault for a failed write.
pub(super) fn written(place: &std::path::Path, source: std::io::Error) -> Fault {
    crate::disk::DiskError { operation: "write", path: place.to_path_buf(), source }.into()
}

async fn get(outgoing: &Outgoing, url: &Url) -> Result<Response, Fault> {
    let mut here = url.clone();
    for _ in 0..=REDIRECTS {
        let client = outgoing.client_for(&here)?;
        let call = client.get(here.clone()).header("accept-encoding", "identity").send();
        let response = match tokio::time::timeout(STALL, call).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let hint = "check the network, `api.proxy` or the system's proxy settings, and \
                            `api.ca_file` where TLS is inspected";
                let fault = cannot(&here, "no connection, or it was lost").hint(hint);
                return Err(fault.caused_by_library(error.without_url()));
            }
            Err(_) => return Err(stalled(&here)),
        };
        if !response.status().is_redirection() {
            return Ok(response);
        }
        let next = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
        let next = next.and_then(|to| here.join(to).ok());
        let next = next.ok_or_else(|| cannot(&here, "it redirects to an invalid address"))?;
        if is_loopback(&next) && !is_loopback(url)
            || next.scheme() != "https" && !is_loopback(&next)
        {
            return Err(cannot(&here, "it redirects to an address that is not trusted"));
        }
        here = next;
    }
    Err(cannot(url, "too many redirects"))
}

async fn chunk(response: &mut Response, url: &Url) -> Result<Option<bytes::Bytes>, Fault> {
    match tokio::time::timeout(STALL, response.chunk()).await {
        Ok(Ok(chunk)) => Ok(chunk),
        Ok(Err(error)) => {
            Err(cannot(url, "the connection was lost").caused_by_library(error.without_url()))
        }
        Err(_) => Err(stalled(url)),
    }
}

fn good(response: &Response, url: &Url) -> Result<(), Fault> {
    match response.status() {
        StatusCode::OK => Ok(()),
        status => Err(cannot(url, &format!("the server answers {status}"))),
    }
}

fn stalled(url: &Url) -> Fault {
    cannot(url, &format!("the server sent nothing for {} s", STALL.as_secs()))
}

fn cannot(url: &Url, why: &str) -> Fault {
    let mut shown = url.clone();
    // A redirect target may contain a signed query.
    shown.set_query(None);
    Fault::new(FaultClass::Transient, "update-fetch", format!("cannot get {shown}: {why}"))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_its_places() {
        let folder: UpdateSource = "https://it.example/x".parse().expect("a source");
        let github: UpdateSource = "github:acme/casedrop".parse().expect("a source");
        let version = "0.2.0".parse().expect("a version");
        let manifest = |source| manifest_url(source, "stable.json").expect("a URL").to_string();
        let archive = |source| archive_url(source, &version, "a.zip").expect("a URL").to_string();
        assert_eq!(manifest(&folder), "https://it.example/x/stable.json");
        assert_eq!(archive(&folder), "https://it.example/x/a.zip");
        let base = "https://github.com/acme/casedrop/releases/download";
        assert_eq!(manifest(&github), format!("{base}/channels/stable.json"));
        assert_eq!(archive(&github), format!("{base}/v0.2.0/a.zip"));
    }
}
