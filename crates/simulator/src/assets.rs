//! Downloads: regeneration, redirects to storage, ranges, and how a download changes the order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{StatusCode, header};

use casedrop_model::asset::AssetKind;

use super::call::{Call, Pairs, paired};
use super::faults::FaultKind;
use super::flows;
use super::hub::Hub;
use super::order::{Files, Order};
use super::packages::{Content, PackageOrder, requested, wants_ply};
use super::range::{self, Wanted};
use super::reply::{Payload, Reply};
use super::settings::MarkDownloaded;
use super::state::Ticket;
use super::tokens::random_token;
use super::{packages_dir, wire};

/// Serves one asset of one order: the bytes, or a redirect to them.
pub(super) async fn download(hub: &Arc<Hub>, call: &Call, fault: &mut Option<FaultKind>) -> Reply {
    let holder = match paired(hub, call) {
        Ok(holder) => holder,
        Err(refused) => return refused,
    };
    let id = call.route.id.clone().unwrap_or_default();
    let name = call.route.asset.as_deref().unwrap_or_default();
    let Some(asset) = wire::asset_of(name) else {
        let message = "assetType is none of IDE, IMAGE_GALLERY, SCREEN_CAPTURES";
        return Reply::error(StatusCode::BAD_REQUEST, "NoSuchAsset", message);
    };
    {
        let mut guard = hub.state();
        let state = &mut *guard;
        let own = state.orders.iter_mut().find(|o| o.id == id && o.account == holder.account);
        let Some(order) = own else {
            return Reply::error(StatusCode::NOT_FOUND, "NoSuchOrder", "no order has this id");
        };
        order.count(asset).parameters = call.query.clone();
        if let Some(message) = not_there(order, asset) {
            order.count(asset).not_converted += 1;
            return Reply::error(StatusCode::NOT_FOUND, "NotConverted", message);
        }
        let as_link = state.settings.link_to_storage;
        if as_link || state.settings.redirect_to_storage {
            let number = random_token();
            let host = call.host_with_port(hub.storage_port);
            let location =
                format!("http://{host}/storage/{number}?X-Sim-Signature={}", random_token());
            let fault = fault.take_if(|fault| fault.shapes_body());
            let asset = wire::asset_name(asset).to_owned();
            let parameters = call.query.clone();
            state.tickets.insert(number, Ticket { order: id, asset, parameters, fault });
            return if as_link {
                Reply::json(StatusCode::OK, &wire::download_link(&location))
            } else {
                Reply::redirect(location)
            };
        }
    }
    send(hub, call, &id, asset, &call.query, fault).await
}

/// The storage host. It accepts each signed URL once, and no bearer token.
pub(super) async fn storage(hub: &Arc<Hub>, call: &Call, fault: &mut Option<FaultKind>) -> Reply {
    if call.headers.contains_key(header::AUTHORIZATION) {
        hub.state().counters.storage_with_authorization += 1;
        tracing::warn!("a bearer token was sent to the storage host");
        let message = "only one way of authorization is allowed: the signature of the URL";
        return Reply::error(StatusCode::BAD_REQUEST, "InvalidArgument", message);
    }
    let ticket = call.route.id.as_ref().and_then(|id| hub.state().tickets.remove(id));
    let Some(ticket) = ticket else {
        let message = "the signature is not known or was used";
        return Reply::error(StatusCode::FORBIDDEN, "AccessDenied", message);
    };
    let Some(asset) = wire::asset_of(&ticket.asset) else {
        return Reply::error(StatusCode::NOT_FOUND, "NoSuchKey", "there is no such file");
    };
    if fault.is_none() {
        *fault = ticket.fault;
    }
    send(hub, call, &ticket.order, asset, &ticket.parameters, fault).await
}

/// Returns why a download answers 404, if it does.
fn not_there(order: &mut Order, asset: AssetKind) -> Option<&'static str> {
    match asset {
        AssetKind::Ide => order.regenerates().then_some("the files are being regenerated"),
        AssetKind::ScreenCaptures if !order.screen_captures => Some("no screen capture was taken"),
        _ => None,
    }
}

async fn send(
    hub: &Arc<Hub>,
    call: &Call,
    id: &str,
    asset: AssetKind,
    parameters: &Pairs,
    fault: &mut Option<FaultKind>,
) -> Reply {
    let content = match content(hub, id, asset, parameters, fault).await {
        Ok(content) => content,
        Err(error) => {
            tracing::error!(order = id, %error, "no package");
            let message = error.to_string();
            return Reply::error(StatusCode::INTERNAL_SERVER_ERROR, "NoPackage", &message);
        }
    };
    let settings = hub.state().settings.clone();
    let total = content.bytes.len();
    let wanted = if settings.ranges {
        let etag = settings.etag.then_some(content.etag.as_str());
        range::wanted(call.header(&header::RANGE), call.header(&header::IF_RANGE), etag, total)
    } else {
        Wanted::Whole
    };
    let (status, offset, len) = match wanted {
        Wanted::Whole => (StatusCode::OK, 0, total),
        Wanted::Part { first, last } => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Wanted::Nothing => {
            let message = "the range starts after the end";
            return Reply::error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message)
                .with(header::CONTENT_RANGE, format!("bytes */{total}"));
        }
    };
    begun(hub, id, asset, offset == 0, &settings);
    let done = {
        let (hub, id) = (hub.clone(), id.to_owned());
        move || completed(&hub, &id, asset, settings.mark_downloaded)
    };
    let body = Box::new(Payload {
        bytes: content.bytes.clone(),
        offset,
        len,
        announced: settings.content_length,
        done: (offset + len == total).then(|| Box::new(done) as Box<dyn FnOnce() + Send>),
    });
    let name = file_name(id, asset);
    let disposition = format!("attachment; filename=\"{name}\"");
    let mut reply = Reply { status, headers: Vec::new(), body }
        .with(header::CONTENT_TYPE, "application/zip")
        .with(header::CONTENT_DISPOSITION, disposition);
    if settings.etag {
        reply = reply.with(header::ETAG, content.etag.clone());
    }
    if settings.ranges {
        reply = reply.with(header::ACCEPT_RANGES, "bytes");
    }
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {offset}-{}/{total}", offset + len - 1);
        reply = reply.with(header::CONTENT_RANGE, range);
    }
    reply
}

/// Returns an asset in the form that the client asked for.
pub(super) async fn content(
    hub: &Hub,
    id: &str,
    asset: AssetKind,
    parameters: &Pairs,
    fault: &mut Option<FaultKind>,
) -> io::Result<Arc<Content>> {
    let (mut order, files) = {
        let state = hub.state();
        let order = state.order(id).ok_or_else(|| io::Error::other("the order is gone"))?;
        (package_order(order, parameters), order.files.clone())
    };
    if let Some(FaultKind::Hostile { which }) =
        fault.take_if(|f| matches!(f, FaultKind::Hostile { .. }))
    {
        return hub.library.hostile(which, order).await;
    }
    if let Some(FaultKind::CutMesh { bytes }) =
        fault.take_if(|f| matches!(f, FaultKind::CutMesh { .. }))
    {
        order.mesh_cut = bytes;
    }
    match files {
        Files::Package(path) if asset == AssetKind::Ide => {
            let disk = hub.library.disk().clone();
            let measured = path.clone();
            let len = tokio::task::spawn_blocking(move || packages_dir::length(&*disk, &measured));
            hub.library.file(path, len.await.map_err(io::Error::other)??).await
        }
        // An export folder has no separate thumbnails; made-up ones let the order complete.
        Files::Package(_) | Files::Made => hub.library.made(asset, order).await,
    }
}

fn package_order(order: &Order, parameters: &Pairs) -> PackageOrder {
    let asked = |name: &str| {
        let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    };
    PackageOrder {
        order_id: order.id.clone(),
        order_code: order.code.clone(),
        kind: requested(order.kind, asked("typeFormat")),
        ply: wants_ply(order.mesh, asked("fileType")),
        case_type: order.case_type.clone(),
        procedure: order.procedure.clone(),
        due: order.due,
        triangles: order.triangles,
        mesh_bytes: order.mesh_bytes,
        pixels: order.pixels,
        modeled: order.modeled,
        variant: order.variant,
        top_folder: order.top_folder,
        macosx: order.macosx,
        stored: order.stored,
        file_format: asked("fileFormat").map(str::to_owned),
        mesh_cut: 0,
    }
}

fn begun(
    hub: &Hub,
    id: &str,
    asset: AssetKind,
    from_start: bool,
    settings: &super::settings::Settings,
) {
    let mut state = hub.state();
    let Some(order) = state.order_mut(id) else { return };
    let count = order.count(asset);
    if from_start {
        count.started += 1;
    } else {
        count.resumed += 1;
    }
    if asset == AssetKind::Ide && settings.mark_downloaded == MarkDownloaded::Start {
        order.downloaded(Duration::from_millis(settings.list_lag_ms));
    }
}

fn completed(hub: &Arc<Hub>, id: &str, asset: AssetKind, mark: MarkDownloaded) {
    {
        let mut state = hub.state();
        let lag = Duration::from_millis(state.settings.list_lag_ms);
        let Some(order) = state.order_mut(id) else { return };
        order.count(asset).completed += 1;
        if asset != AssetKind::Ide {
            return;
        }
        if mark == MarkDownloaded::End {
            order.downloaded(lag);
        }
    }
    flows::start_auto_flow(hub, id);
}

fn file_name(id: &str, asset: AssetKind) -> String {
    let id: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    match asset {
        AssetKind::Ide => format!("iTero_Export_{id}.zip"),
        AssetKind::Thumbnails => format!("gallery_{id}.zip"),
        AssetKind::ScreenCaptures => format!("captures_{id}.zip"),
    }
}
