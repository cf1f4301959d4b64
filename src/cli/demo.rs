//! `casedrop demo`: everything without an account. A simulated Align on a loopback port, a real
//! login, real downloads, a hot folder to look at.

mod lines;
mod place;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::agent::{Ending, Finished, IsDone, log_in_and_pair};
use crate::config::{self, Config};
use crate::disk::{Disk as _, Kind, RealDisk, write_durably, write_durably_private};
use crate::hotfolder::{Layout, verify_tree};
use crate::model::cancel::Cancel;
use crate::model::size::size;
use crate::service::stop_signal;
use crate::simulator::{NOTE, Running, Scenario, Simulator, SimulatorConfig, SimulatorError};

use self::place::{Place, WRITTEN};
use super::work::{runtime, work};
use super::{CliError, Exit, Streams};

#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Hot folder
    #[arg(long, value_name = "DIR", default_value = "casedrop-demo")]
    pub output: PathBuf,
    /// How many varied orders to simulate
    #[arg(long, value_name = "N", default_value_t = 6)]
    pub orders: usize,
    /// Serve the export zips in this folder instead of made-up orders
    #[arg(long, value_name = "DIR")]
    pub packages: Option<PathBuf>,
    /// Exit once all orders are published
    #[arg(long)]
    pub once: bool,
    /// The same number produces the same orders [default: new ones each time]
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
}

/// The lab's name in the demo's config.
const LAB: &str = "smile-lab";
/// How often the simulated Align may be polled. The real one asks for 120 seconds.
const POLL_MS: u64 = 1000;

/// Runs the demo.
pub fn run(args: &DemoArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let output = std::path::absolute(&args.output).map_err(|error| {
        let text = format!("{} cannot be used as a folder: {error}", args.output.display());
        CliError::new(Exit::Usage, text)
    })?;
    let place = Place::of(output);
    place.make_ready(&RealDisk)?;
    let simulator = start(args)?;
    streams.note(NOTE);
    streams.note(format!("Simulated Align: {}", simulator.base_url()));
    write_config(&place, &simulator)?;
    let file = place.config();
    let loaded = config::load(&RealDisk, &file, &[])
        .map_err(|faults| CliError::new(Exit::Failed, faults.to_string()))?;
    let config = loaded.config;
    let runtime = runtime()?;
    log_in(&config, &runtime)?;
    streams.note(format!("Logged in and paired. Hot folder: {}\n", place.output.display()));
    let list = lines::on_config("orders", &file);
    let ending = if args.once { Ending::When(all_published(&simulator)) } else { Ending::Never };
    if !args.once {
        let scan = lines::one_more_scan(&simulator.admin_url());
        streams.note("Press Ctrl-C to end the demo. To try in another terminal:");
        streams.note(format!("one more scan:\n  {scan}\nlist the orders:\n  {list}\n"));
    }
    let (finished, summary) =
        work(runtime, config.clone(), ending, streams, stop_signal(), |console, notice| {
            console.tell(notice);
        })?;
    // Orders that an earlier demo left unfinished are gone along with its simulated Align.
    let own = simulator.admin().state().orders;
    let own: BTreeSet<_> = own.into_iter().map(|order| order.id).collect();
    let is_failing = summary.failing.iter().any(|(key, _)| own.contains(key.order.as_str()));
    simulator.stop();
    show_tree(&config, streams)?;
    streams.note(format!("\nLook around: {list}"));
    if args.once && finished != Finished::Done {
        return Err(CliError::new(Exit::Failed, "stopped before all orders were published"));
    }
    Ok(if is_failing { Exit::OrdersFailing } else { Exit::Ok })
}

fn start(args: &DemoArgs) -> Result<Running, CliError> {
    if let Some(folder) = &args.packages
        && RealDisk.kind(folder)? != Some(Kind::Dir)
    {
        let text = format!("--packages: {} is not a folder", folder.display());
        return Err(CliError::new(Exit::Usage, text)
            .hint("give the folder that contains the export archives"));
    }
    let orders = if args.packages.is_some() { 0 } else { args.orders };
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..));
    let mut scenario = Scenario::default_with(orders, seed);
    scenario.settings.min_poll_interval_ms = POLL_MS;
    let mut config = SimulatorConfig::new(scenario);
    config.packages_dir.clone_from(&args.packages);
    Simulator::start(config).map_err(|error: SimulatorError| {
        CliError::new(Exit::Failed, format!("cannot start the simulated Align: {error}"))
    })
}

/// Writes the demo's config as an ordinary file, so that users can try every command on it.
fn write_config(place: &Place, simulator: &Running) -> Result<(), CliError> {
    let Place { output, state, .. } = place;
    RealDisk.create_private_dirs(state)?;
    let secret = state.join("client-secret");
    write_durably_private(&RealDisk, &secret, b"simulated-secret\n")?;
    let quoted = |path: &Path| serde_json::to_string(&path.to_string_lossy()).unwrap_or_default();
    let text = format!(
        "{WRITTEN}\n\
         output: {output}\n\
         state: {state}\n\
         labs:\n\
         \x20 - name: {LAB}\n\
         \x20   oauth_base: {oauth}\n\
         \x20   base_url: {base}\n\
         \x20   client_id: casedrop-sim\n\
         \x20   client_secret_file: {secret}\n\
         \x20   redirect_url: http://127.0.0.1:8791/callback\n\
         \x20   account: \"4711\"\n\
         secrets: file\n\
         polling: {{ interval: {POLL_MS}ms }}\n\
         downloads: {{ retry_404: [1s, 1s, 2s] }}\n\
         retention: {{ min_free: 100MB }}\n\
         status_page: {{ listen: '127.0.0.1:0' }}\n",
        output = quoted(output),
        state = quoted(state),
        secret = quoted(&secret),
        oauth = simulator.oauth_base(),
        base = simulator.base_url(),
    );
    Ok(write_durably(&RealDisk, &place.config(), text.as_bytes())?)
}

fn log_in(config: &Config, runtime: &tokio::runtime::Runtime) -> Result<(), CliError> {
    let lab = &config.labs[0];
    let disk: std::sync::Arc<dyn crate::disk::Disk> = std::sync::Arc::new(RealDisk);
    let client = crate::agent::connect(config, lab, runtime.handle().clone(), &disk)?;
    log_in_and_pair(&client, runtime.handle(), &Cancel::new())?;
    Ok(())
}

/// Whether everything that this simulator lists is published, in its latest revision.
fn all_published(simulator: &Running) -> IsDone {
    let admin = simulator.admin().clone();
    Box::new(move |store| {
        let state = admin.state();
        for order in &state.orders {
            let known = store.find(&order.id)?;
            let Some(record) = known.first() else { return Ok(false) };
            // What needs attention does not finish by waiting.
            let parked = record.trouble.as_ref().is_some_and(|trouble| trouble.next_try.is_none());
            if parked {
                continue;
            }
            if record.is_wanted() || order.pending_flow || order.listed {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

fn show_tree(config: &Config, streams: &mut Streams) -> Result<(), CliError> {
    let layout = Layout { output: config.output.clone(), staging: config.staging.clone() };
    let report = verify_tree(&RealDisk, &layout, None);
    if streams.json {
        return streams.json(&report);
    }
    streams.line(config.output.display().to_string())?;
    branch(&config.output, 1, streams)?;
    streams.line(format!(
        "{} orders, {} files, {}, {} differences from their manifests",
        report.orders,
        report.files,
        size(report.bytes),
        report.differences.len()
    ))
}

fn branch(dir: &Path, depth: usize, streams: &mut Streams) -> Result<(), CliError> {
    for entry in RealDisk.list(dir)? {
        let Some(name) = &entry.name else { continue };
        let indent = "  ".repeat(depth);
        if entry.kind == Kind::Dir {
            streams.line(format!("{indent}{name}/"))?;
            branch(&entry.path, depth + 1, streams)?;
        } else if depth > 1 {
            streams.line(format!("{indent}{name:<50} {:>10}", size(entry.len)))?;
        }
    }
    Ok(())
}
