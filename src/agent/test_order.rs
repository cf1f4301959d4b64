//! How the test order is made: a simulated Align on a loopback port, a real login, a real download,
//! and a publication like that of any other order. Nothing leaves this PC, and nothing but the
//! published order is left behind.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::LOCATION;
use tokio::runtime::Handle;
use url::Url;

use crate::align::{Account, AlignClient, AlignSettings, system_clock};
use crate::audit::Audit;
use crate::config::Config;
use crate::disk::{Disk, Kind};
use crate::engine::effects::{FetchJob, Fetched};
use crate::execute::{Executor, Fetches, Link, Timer};
use crate::hotfolder::inspect::{LocalPicture, Read, inspect, read_manifest};
use crate::hotfolder::layout::Layout;
use crate::hotfolder::publish::Step;
use crate::hotfolder::retention::{self, Fate, Piece};
use crate::hotfolder::root::Root;
use crate::http::client::Outgoing;
use crate::model::asset::AssetKind;
use crate::model::cancel::Cancel;
use crate::model::fault::{Fault, FaultClass, NOT_PAIRED};
use crate::model::ids::OrderKey;
use crate::model::manifest::{Account as Whose, Manifest, Reason, SCHEMA};
use crate::model::order::RemoteOrder;
use crate::model::record::Place;
use crate::model::remote::Remote as _;
use crate::model::test_order::{self, ACCOUNT, LAB, ORDER};
use crate::model::time::WallMs;
use crate::secrets::MemorySecrets;
use crate::simulator::{
    AccountSpec, CaseKind, MadePackages, OrderSpec, PackageOrder, PackageSource, Running, Scenario,
    Settings, Simulator, SimulatorConfig, WriteSeek,
};
use crate::status::Progress;

/// The name of the directory in which it is assembled.
const JOB: &str = "test-order";
/// The name of the simulated account.
const ACCOUNT_NAME: &str = "Test order of Casedrop";
/// Enough to look like a jaw, and quick to generate.
const TRIANGLES: usize = 20_000;
const PIXELS: u16 = 640;
/// No one listens there: we only need to know where the simulated sign-in sends the browser.
const REDIRECT: &str = "http://127.0.0.1:9/callback";
/// A simulated Align on this PC answers faster than this.
const STALL: Duration = Duration::from_secs(30);

/// What is needed to publish the test order.
pub(super) struct Means {
    pub(super) config: Arc<Config>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) layout: Layout,
    pub(super) root: Arc<Root>,
    pub(super) audit: Audit,
    pub(super) progress: Arc<Progress>,
    pub(super) cancel: Cancel,
    pub(super) step: fn(Step),
    pub(super) clock: fn() -> WallMs,
    /// Of a multi-threaded runtime.
    pub(super) handle: Handle,
}

/// What is at the test order's location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    Absent,
    /// The complete test order.
    Whole(Box<Manifest>),
    /// The test order with some files taken away.
    Partly(Box<Manifest>),
    /// Something else, or a test order changed by others, with a description.
    Others(String),
}

/// Examines the test order's location. `compare` compares a directory with its manifest, for
/// example [`look_whole`].
pub(super) fn standing(
    disk: &dyn Disk,
    layout: &Layout,
    compare: impl Fn(&dyn Disk, &std::path::Path, &Manifest) -> Result<LocalPicture, Fault>,
) -> Result<Standing, Fault> {
    let dir = layout.order_dir(&test_order::key()?);
    if let Read::Manifest(manifest, _) = read_manifest(disk, &dir)?
        && test_order::is_its(&manifest)
    {
        return Ok(match compare(disk, &dir, &manifest)? {
            LocalPicture::AsPublished | LocalPicture::Ours { .. } => Standing::Whole(manifest),
            LocalPicture::Reduced { .. } => Standing::Partly(manifest),
            LocalPicture::Absent => Standing::Absent,
            LocalPicture::Altered { differences } => Standing::Others(differences.join(", ")),
            LocalPicture::Foreign { what } => Standing::Others(what),
        });
    }
    Ok(match inspect(disk, &dir, None, None)? {
        LocalPicture::Absent => Standing::Absent,
        LocalPicture::Foreign { what } => Standing::Others(what),
        _ => Standing::Others("another order".to_owned()),
    })
}

/// Compares byte for byte.
pub(super) fn look_whole(
    disk: &dyn Disk,
    dir: &std::path::Path,
    manifest: &Manifest,
) -> Result<LocalPicture, Fault> {
    inspect(disk, dir, Some(manifest), None)
}

/// Publishes the test order if nothing is there yet. Blocks; gives up soon after being cancelled.
///
/// # Errors
/// Something is there already, the output is closed or missing, the disk is full, or no loopback
/// port is free.
pub(super) fn publish(means: &Means) -> Result<Manifest, Fault> {
    means.root.check()?;
    let key = test_order::key()?;
    let align = start(&means.disk)?;
    let published = fetch_from(&align, means, &key);
    // It is gone before anyone learns the result.
    align.stop();
    published
}

fn fetch_from(align: &Running, means: &Means, key: &OrderKey) -> Result<Manifest, Fault> {
    let client = Arc::new(client(align, key, &means.handle)?);
    let cancel = &means.cancel;
    let account = log_in_and_pair(&client, &means.handle, cancel)?;
    let ready = client.ready_orders(cancel)?.orders;
    let remote = ready.into_iter().find(|order| order.order_id == key.order).ok_or_else(|| {
        Fault::new(FaultClass::Permanent, "test-order", "the simulated Align does not list it")
    })?;
    let links = [(key.lab.clone(), link(&client))];
    let executor = Executor {
        config: Arc::clone(&means.config),
        disk: Arc::clone(&means.disk),
        layout: means.layout.clone(),
        root: Arc::clone(&means.root),
        links: Arc::new(BTreeMap::from(links)),
        audit: means.audit.clone(),
        progress: Arc::clone(&means.progress),
        cancel: cancel.clone(),
        fetches: Fetches::default(),
        step: means.step,
        clock: means.clock,
        timer: Timer::real(),
    };
    let job =
        FetchJob { key: key.clone(), remote: remote.clone(), job: JOB.to_owned(), damaged: 0 };
    let describe = |fetched| manifest(&remote, account, fetched, (means.clock)());
    executor.publish_alone(&job, describe)
}

/// Removes the test order, if it is the one that was published, and the folders that only it
/// needed.
pub(super) fn remove(means: &Means) -> Result<Fate, Fault> {
    means.root.check()?;
    let (disk, layout) = (&*means.disk, &means.layout);
    let key = test_order::key()?;
    let dir = layout.order_dir(&key);
    let fate = match read_manifest(disk, &dir)? {
        Read::Manifest(manifest, sha256) if test_order::is_its(&manifest) => {
            let piece = Piece {
                key: &key,
                place: Place::Main,
                manifest: &manifest,
                manifest_sha256: &sha256,
            };
            match retention::standing(disk, layout, piece)? {
                retention::Standing::Absent => Fate::Absent,
                retention::Standing::Ours | retention::Standing::Moved => {
                    retention::remove(disk, layout, piece, &means.step)?
                }
                retention::Standing::Others(what) => Fate::LeftAlone(what),
            }
        }
        _ => match inspect(disk, &dir, None, None)? {
            LocalPicture::Absent => Fate::Absent,
            LocalPicture::Foreign { what } => Fate::LeftAlone(what),
            _ => Fate::LeftAlone("another order".to_owned()),
        },
    };
    if matches!(fate, Fate::Removed | Fate::Absent) {
        tidy(disk, layout, &dir)?;
    }
    Ok(fate)
}

/// Removes empty parent folders too.
fn tidy(disk: &dyn Disk, layout: &Layout, dir: &std::path::Path) -> Result<(), Fault> {
    let above = dir.ancestors().take_while(|dir| **dir != *layout.output);
    for dir in above {
        if disk.kind(dir)? != Some(Kind::Dir) {
            continue;
        }
        match disk.remove_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => return Ok(()),
            done => done?,
        }
        if let Some(parent) = dir.parent() {
            disk.sync_dir(parent)?;
        }
    }
    Ok(())
}

/// Starts a simulated Align with one order.
fn start(disk: &Arc<dyn Disk>) -> Result<Running, Fault> {
    let account = AccountSpec {
        orders: vec![OrderSpec {
            id: Some(ORDER.to_owned()),
            triangles: Some(TRIANGLES),
            pixels: Some(PIXELS),
            quiet: true,
            ..OrderSpec::new(CaseKind::OrthoShell)
        }],
        ..AccountSpec::new(ACCOUNT, ACCOUNT_NAME, "casedrop-test", "simulated-secret")
    };
    let scenario = Scenario { settings: Settings::default(), accounts: vec![account] };
    let config = SimulatorConfig {
        disk: Arc::clone(disk),
        ..SimulatorConfig::with_packages(scenario, Arc::new(Packages))
    };
    Simulator::start(config).map_err(|error| {
        Fault::new(FaultClass::Local, "test-order", "cannot start the simulated Align")
            .hint("find out which program uses up all ports of this PC, and try again")
            .caused_by(error)
    })
}

/// Files in a package are named after the order number, which this order lacks.
struct Packages;

impl PackageSource for Packages {
    fn write(
        &self,
        asset: AssetKind,
        order: &PackageOrder,
        out: &mut dyn WriteSeek,
    ) -> io::Result<()> {
        let order = PackageOrder { order_id: "1".to_owned(), ..order.clone() };
        MadePackages.write(asset, &order, out)
    }

    fn hostile(&self, which: &str, order: &PackageOrder) -> io::Result<Vec<u8>> {
        MadePackages.hostile(which, order)
    }
}

fn client(align: &Running, key: &OrderKey, handle: &Handle) -> Result<AlignClient, Fault> {
    let url = |text: &str| {
        Url::parse(text).map_err(|error| {
            Fault::new(FaultClass::Permanent, "test-order", format!("{text} is not a URL"))
                .caused_by(error)
        })
    };
    let settings = AlignSettings {
        lab: key.lab.clone(),
        oauth_base: url(&align.oauth_base())?,
        base_url: url(&align.base_url())?,
        client_id: "casedrop-test".to_owned(),
        client_secret: Some("simulated-secret".into()),
        redirect_url: url(REDIRECT)?,
        // This PC only, whatever the config says about the real Align.
        allowed_hosts: Vec::new(),
        api_paths: BTreeMap::new(),
        outgoing: Outgoing::default(),
        stall_timeout: STALL,
        clock: system_clock(),
        memory: None,
        step: |_| {},
    };
    AlignClient::new(settings, Arc::new(MemorySecrets::new()), handle.clone())
}

fn link(client: &Arc<AlignClient>) -> Link {
    let paired = Arc::clone(client);
    let connect = move || {
        paired
            .paired()?
            .ok_or_else(|| Fault::new(FaultClass::Auth, NOT_PAIRED, "the test lab is not paired"))
    };
    Link { remote: Arc::<AlignClient>::clone(client), connect: Box::new(connect) }
}

/// Logs in at a simulated Align as a user with a browser would, except that its sign-in page needs
/// no click, and pairs with the first account.
///
/// # Errors
/// What the simulated Align did wrong.
pub fn log_in_and_pair(
    client: &AlignClient,
    handle: &Handle,
    cancel: &Cancel,
) -> Result<Account, Fault> {
    let request = client.begin_login()?;
    crate::http::client::install_provider();
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_certs_only([])
        .build();
    let answered = handle.block_on(async { browser?.get(request.url().as_str()).send().await });
    let back = answered
        .ok()
        .and_then(|answer| answer.headers().get(LOCATION)?.to_str().ok().map(str::to_owned))
        .ok_or_else(|| {
            let text = "the simulated sign-in did not redirect";
            Fault::new(FaultClass::Auth, "simulated-login", text)
        })?;
    client.finish_login(&request, &request.code_from_input(&back)?, cancel)?;
    let account = client.accounts(cancel)?.into_iter().next().ok_or_else(|| {
        let text = "the simulated Align lists no account";
        Fault::new(FaultClass::Auth, "simulated-account", text)
    })?;
    client.pair(&account, None, cancel)?;
    Ok(account)
}

fn manifest(remote: &RemoteOrder, account: Account, fetched: Fetched, at: WallMs) -> Manifest {
    Manifest {
        schema: SCHEMA,
        lab: LAB.to_owned(),
        account: Whose { id: ACCOUNT.to_owned(), name: account.name },
        order_id: ORDER.to_owned(),
        rx_id: remote.rx_id.as_ref().map(ToString::to_string),
        order_code: remote.order_code.clone(),
        status: remote.status.to_string(),
        case_type: remote.case_type.clone(),
        procedure: remote.procedure.clone(),
        due_date: remote.due_date.or(fetched.prescription.due_date),
        doctor: remote.doctor.clone().or(fetched.prescription.doctor),
        teeth: fetched.prescription.teeth,
        revision: 1,
        reason: Reason::FirstScan,
        published_at: at.to_rfc3339(),
        agent: format!("casedrop {}", env!("CARGO_PKG_VERSION")),
        files: fetched.files,
        left_out: fetched.left_out,
        missing: fetched.missing,
        previous: None,
        findings: fetched.findings,
    }
}

#[cfg(test)]
#[path = "test_order_tests.rs"]
mod tests;
