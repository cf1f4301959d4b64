//! Downloads: streamed, resumed where they broke off, and never considered complete when they are
//! not.
//!
//! FACT: a 404 means "not converted"; Align then starts to make the files. ASSUMED: 202 and 204
//! mean the same. SEEN: download URLs generated per call; JSON containing one is followed. `ETag`,
//! `Content-Length` and ranges may or may not be offered.

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_RANGE, RANGE,
};
use tokio::runtime::Handle;
use url::Url;

use super::client::{AlignClient, unless_cancelled};
use super::endpoints::Endpoint;
use super::faults;
use super::http::{Answer, Request};
use super::unexpected::{self, Kind};
use super::wire;
use casedrop_model::asset::{AssetInfo, AssetKind, AssetRequest, Resume};
use casedrop_model::cancel::Cancel;
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::remote::AssetBody;

/// The longest JSON that is searched for a download URL.
const MAX_LINK: usize = 64 * 1024;

/// A download whose body is still to be read.
pub(super) struct Opened {
    answer: Answer,
    info: AssetInfo,
    /// Bytes still to come, if the server said how many there are.
    left: Option<u64>,
}

/// Starts the download; resumes an earlier one if the server agrees that it is the same file.
pub(super) async fn open(client: &AlignClient, wanted: &AssetRequest) -> Result<Opened, Fault> {
    let resume = wanted.resume.as_ref().filter(|resume| resume.offset > 0 && is_strong(resume));
    if let Some(resume) = resume {
        let answer = ask(client, wanted, Some(resume)).await?;
        match answer.status() {
            StatusCode::PARTIAL_CONTENT => {
                if let Some((mut info, left)) = continued(answer.headers(), resume) {
                    info.hosts = answer.hosts().to_vec();
                    return Ok(Opened { answer, info, left });
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {}
            _ => return whole(answer),
        }
    }
    whole(ask(client, wanted, None).await?)
}

async fn ask(
    client: &AlignClient,
    wanted: &AssetRequest,
    resume: Option<&Resume>,
) -> Result<Answer, Fault> {
    let files = files_of(wanted);
    let mut request = Request::get(format!("download {files}")).about(files);
    request.query = wire::asset_query(&wanted.format);
    if let Some(resume) = resume
        && let Ok(etag) = HeaderValue::from_str(&resume.etag)
        && let Ok(range) = HeaderValue::from_str(&format!("bytes={}-", resume.offset))
    {
        request.headers = vec![(IF_RANGE, etag), (RANGE, range)];
    }
    let values = [("orderId", wanted.order.as_str()), ("assetType", wire::asset_type(wanted.kind))];
    let mut answer = client.authorized(Endpoint::Download, &values, &request).await?;
    if given(&mut answer, wanted).await? == Kind::Json {
        let next = link_in(&mut answer).await?;
        answer = client.followed(&request, answer, next).await?;
        if given(&mut answer, wanted).await? == Kind::Json {
            return Err(wrong_content(&mut answer, Kind::Json).await);
        }
    }
    Ok(answer)
}

/// Describes the asset for messages.
fn files_of(wanted: &AssetRequest) -> String {
    let files = match wanted.kind {
        AssetKind::Ide => "files",
        AssetKind::Thumbnails => "thumbnails",
        AssetKind::ScreenCaptures => "screen captures",
    };
    format!("the {files} of order {}", wanted.order)
}

/// Accepts an answer that contains the asset, or JSON that may contain its URL, and returns which
/// of the two it is; any other answer is a fault.
async fn given(answer: &mut Answer, wanted: &AssetRequest) -> Result<Kind, Fault> {
    match answer.status().as_u16() {
        200 => {}
        206 | 416 => return Ok(Kind::Files),
        202 | 204 | 404 => return Err(not_converted(answer, wanted).await),
        ..=399 => return Err(odd(answer)),
        _ => return Err(answer.whole_fault().await),
    }
    let coding = text(answer.headers(), CONTENT_ENCODING);
    if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
        return Err(match unexpected::by_type(answer.headers()) {
            Kind::Files => compressed(answer),
            kind => {
                let came = unexpected::in_words(kind, answer.headers(), &[]);
                faults::wrong_content(answer.what(), &answer.host, &came)
            }
        });
    }
    match answer.kind().await? {
        kind @ (Kind::Files | Kind::Json) => Ok(kind),
        kind => Err(wrong_content(answer, kind).await),
    }
}

async fn wrong_content(answer: &mut Answer, kind: Kind) -> Fault {
    let came = answer.in_words(kind).await;
    faults::wrong_content(answer.what(), &answer.host, &came)
}

async fn not_converted(answer: &mut Answer, wanted: &AssetRequest) -> Fault {
    let page = answer.page().await;
    let mut text = format!("Align has not finished preparing {}", files_of(wanted));
    if page.is_some() {
        // In that case Align may not be the one saying so.
        text = format!("{text}: {} answered {}", answer.host, answer.status());
    }
    let fault = Fault::new(FaultClass::NotConverted, "not-converted", text)
        .hint("Align is still preparing the files; the agent asks again later")
        .retry_after(answer.fault().retry_after)
        .at(&answer.host);
    page.iter().fold(fault, |fault, page| faults::with_page(fault, page))
}

/// Fault for a status that says neither that the files are here nor that they are not.
fn odd(answer: &Answer) -> Fault {
    let came = format!("the status {}", answer.status());
    faults::wrong_content(answer.what(), &answer.host, &came)
        .retry_after(answer.fault().retry_after)
}

fn compressed(answer: &Answer) -> Fault {
    let text = format!("cannot {}: {} compressed the answer", answer.what(), answer.host);
    Fault::new(FaultClass::Transient, "bad-answer", text)
        .hint("a proxy that changes downloads must let those of Align pass unchanged")
        .at(&answer.host)
}

/// Returns the URL of the asset from JSON.
async fn link_in(answer: &mut Answer) -> Result<Url, Fault> {
    let bytes = answer.bytes(MAX_LINK).await?;
    match wire::download_link(&bytes) {
        Ok(link) => Ok(link),
        Err(error) => Err(wrong_content(answer, Kind::Json).await.caused_by(error)),
    }
}

fn whole(answer: Answer) -> Result<Opened, Fault> {
    match answer.status() {
        StatusCode::OK => {}
        // A part, although everything was requested.
        StatusCode::PARTIAL_CONTENT => return Err(odd(&answer)),
        _ => return Err(answer.fault()),
    }
    let total = text(answer.headers(), CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let (etag, hosts) = (etag(answer.headers()), answer.hosts().to_vec());
    let info = AssetInfo { total, offset: 0, etag, hosts };
    Ok(Opened { answer, info, left: total })
}

/// Parses a 206, if it continues exactly where and what we asked for.
fn continued(headers: &HeaderMap, resume: &Resume) -> Option<(AssetInfo, Option<u64>)> {
    let range = text(headers, CONTENT_RANGE)?;
    let (unit, range) = range.split_once(' ')?;
    let (span, total) = range.trim().split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let length = last.checked_add(1)?.checked_sub(first)?;
    let total: Option<u64> = if total == "*" { None } else { Some(total.parse().ok()?) };
    let announced = text(headers, CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let etag = etag(headers);
    let right = unit.eq_ignore_ascii_case("bytes")
        && first == resume.offset
        && total.is_none_or(|total| total == last + 1)
        && announced.is_none_or(|announced: u64| announced == length)
        && etag.as_ref().is_none_or(|etag| *etag == resume.etag);
    // Everything up to the end was requested, so the last byte gives the total length.
    let info = AssetInfo {
        total: Some(last + 1),
        offset: resume.offset,
        etag: etag.or_else(|| Some(resume.etag.clone())),
        hosts: Vec::new(),
    };
    right.then_some((info, Some(length)))
}

impl Opened {
    /// Turns it into a body with blocking reads, whose input runs on that runtime.
    pub(super) fn on(self, handle: Handle) -> impl AssetBody {
        Body { opened: self, handle, state: State::Open }
    }
}

struct Body {
    opened: Opened,
    handle: Handle,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Complete,
    Broken,
}

impl AssetBody for Body {
    fn info(&self) -> &AssetInfo {
        &self.opened.info
    }

    fn next_chunk(&mut self, cancel: &Cancel) -> Result<Option<Bytes>, Fault> {
        match self.state {
            State::Complete => return Ok(None),
            State::Broken => return Err(self.opened.broken_off()),
            State::Open => {}
        }
        if cancel.is_cancelled() {
            return Err(faults::cancelled());
        }
        let chunk = unless_cancelled(cancel, self.opened.next());
        let Some(chunk) = self.handle.block_on(chunk) else { return Err(faults::cancelled()) };
        match &chunk {
            Ok(Some(_)) => {}
            Ok(None) => self.state = State::Complete,
            Err(_) => self.state = State::Broken,
        }
        chunk
    }
}

impl Opened {
    async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        let chunk = self.answer.chunk().await?;
        let length = chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        match (&mut self.left, &chunk) {
            (Some(left), None) if *left > 0 => Err(self.broken_off()),
            (Some(left), Some(_)) => {
                *left = left.checked_sub(length).ok_or_else(|| {
                    let text =
                        format!("cannot {}: more arrived than announced", self.answer.what());
                    Fault::new(FaultClass::Transient, "bad-length", text)
                })?;
                Ok(chunk)
            }
            _ => Ok(chunk),
        }
    }

    fn broken_off(&self) -> Fault {
        let (what, host) = (self.answer.what(), &self.answer.host);
        let text = format!("cannot {what}: the connection to {host} was lost");
        Fault::new(FaultClass::Transient, "broken-off", text).at(host)
    }
}

fn is_strong(resume: &Resume) -> bool {
    resume.etag.starts_with('"')
}

fn etag(headers: &HeaderMap) -> Option<String> {
    text(headers, ETAG).map(str::to_owned)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim).filter(|text| !text.is_empty())
}
