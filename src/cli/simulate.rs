//! `casedrop simulate`: only the simulated API, until Ctrl-C.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::disk::{Disk, Kind, RealDisk, read_limited};
use crate::simulator::{
    AccountSpec, NOTE, Running, Scenario, Simulator, SimulatorConfig, SimulatorError,
};

use super::outcome::{CliError, Exit};
use super::streams::Streams;

/// How many orders to simulate unless there is a scenario or a folder of packages.
const ORDERS: usize = 6;

const MAX_SCENARIO: u64 = 4 << 20;

#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8790")]
    pub listen: SocketAddr,
    /// YAML file with settings, accounts, users and orders; docs/simulator.md explains it
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// Folder of export archives to serve as ready orders, including those added later
    #[arg(long, value_name = "DIR")]
    pub packages: Option<PathBuf>,
}

/// Runs the simulator until Ctrl-C. Prints a config for the agent to standard output and everything
/// else to standard error.
pub fn run(args: &SimulateArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let scenario = scenario(args)?;
    let accounts = scenario.accounts.clone();
    let running = start(args, scenario)?;
    streams.note(NOTE);
    streams.note(format!("API:   {}", running.base_url()));
    streams.note(format!("Login: {}", running.oauth_base()));
    streams.note(format!("Admin: {}/state (this computer only)", running.admin_url()));
    streams.note("A config for the agent follows on standard output. Stop with Ctrl-C.\n");
    streams.line(config_yaml(&running, &accounts))?;
    wait_for_stop()?;
    streams.note("stopping");
    running.stop();
    Ok(Exit::Ok)
}

fn start(args: &SimulateArgs, scenario: Scenario) -> Result<Running, CliError> {
    if let Some(folder) = &args.packages
        && RealDisk.kind(folder)? != Some(Kind::Dir)
    {
        return Err(CliError::new(
            Exit::Usage,
            format!("--packages: {} is not a folder", folder.display()),
        )
        .hint("give the folder that contains the export archives"));
    }
    let mut config = SimulatorConfig::new(scenario);
    config.listen = args.listen;
    config.packages_dir.clone_from(&args.packages);
    Simulator::start(config).map_err(|error| match &error {
        SimulatorError::Listen { source, .. } => {
            CliError::new(Exit::Failed, format!("{error}: {source}"))
                .hint("choose another address with --listen; port 0 picks a free one")
        }
        SimulatorError::Scenario(_) => CliError::new(Exit::Usage, error.to_string()),
        SimulatorError::Threads(source) => {
            CliError::new(Exit::Failed, format!("{error}: {source}"))
        }
    })
}

fn scenario(args: &SimulateArgs) -> Result<Scenario, CliError> {
    match &args.scenario {
        Some(file) => read_scenario(file),
        None if args.packages.is_some() => Ok(Scenario::empty()),
        None => Ok(Scenario::default_with(ORDERS, 1)),
    }
}

fn read_scenario(file: &Path) -> Result<Scenario, CliError> {
    const FORMAT: &str = "a scenario has `settings` and `accounts`, and each account has `orders`; \
                          docs/simulator.md explains them, with an example";
    let wrong = |text: String| {
        CliError::new(Exit::Usage, format!("{}: {text}", file.display())).hint(FORMAT)
    };
    let bytes = match read_limited(&RealDisk, file, MAX_SCENARIO) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = format!("--scenario: there is no file {}", file.display());
            return Err(CliError::new(Exit::Usage, text).hint(FORMAT));
        }
        bytes => bytes?,
    };
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8 text".to_owned()))?;
    Scenario::from_yaml(&text).map_err(|error| wrong(error.to_string()))
}

/// A config that connects the agent to the simulator.
fn config_yaml(running: &Running, accounts: &[AccountSpec]) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut labs = Vec::new();
    for account in accounts {
        let name = lab_name(&account.name, &account.id, &names);
        labs.push(format!(
            "  - name: {}\n    oauth_base: {}\n    base_url: {}\n    client_id: {}\n    \
             client_secret: {}\n    redirect_url: \"http://127.0.0.1:8789/callback\"\n    \
             account: {}\n",
            quoted(&name),
            quoted(&running.oauth_base()),
            quoted(&running.base_url()),
            quoted(&account.client_id),
            quoted(&account.client_secret),
            quoted(&account.id),
        ));
        names.push(name);
    }
    let settings = running.admin().state().settings;
    let interval = settings.min_poll_interval_ms.div_ceil(1000).max(1);
    format!(
        "# For casedrop against the simulated API. Save it as casedrop.yaml, then:\n\
         #   casedrop login {first} && casedrop pair {first} && casedrop run\n\
         output: ./casedrop-orders\n\
         state: ./casedrop-state\n\
         labs:\n{labs}\
         # The simulator refuses to be asked more often; see min_poll_interval_ms there.\n\
         polling: {{ interval: {interval}s }}",
        labs = labs.concat(),
        first = names.first().map_or("LAB", String::as_str),
    )
}

/// A name that is easy to type: `Smile Dental Lab` becomes `smile-dental-lab`.
fn lab_name(name: &str, id: &str, taken: &[String]) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let plain = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    if plain.is_empty() || taken.contains(&plain) { format!("lab-{id}") } else { plain }
}

/// A YAML double-quoted string; every JSON string is one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn wait_for_stop() -> Result<(), CliError> {
    let failed = |error| CliError::new(Exit::Failed, format!("cannot wait for Ctrl-C: {error}"));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(stop_signal()).map_err(failed)
}

#[cfg(unix)]
async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stop_signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> SimulateArgs {
        SimulateArgs {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            scenario: None,
            packages: None,
        }
    }

    #[test]
    fn the_printed_config_names_the_running_simulator() {
        let scenario = scenario(&args()).expect("scenario");
        let accounts = scenario.accounts.clone();
        let running = start(&args(), scenario).expect("start");
        let yaml = config_yaml(&running, &accounts);
        let config: serde_json::Value = serde_yaml::from_str(&yaml).expect("YAML");
        assert_eq!(config["labs"][0]["base_url"], running.base_url());
        assert_eq!(config["labs"][0]["oauth_base"], running.oauth_base());
        assert_eq!(config["labs"][0]["name"], "smile-dental-lab");
        assert_eq!(config["labs"][0]["account"], "4711");
        assert_eq!(config["labs"][0]["client_secret"], "simulated-secret");
        assert_eq!(config["polling"]["interval"], "120s");
        assert_eq!(running.admin().state().orders.len(), ORDERS);
    }

    #[test]
    fn a_wrong_scenario_names_the_file_and_the_line() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("lab.yaml");
        std::fs::write(&file, "accounts:\n- id: \"1\"\n  nam: A\n").expect("write");
        let error = scenario(&SimulateArgs { scenario: Some(file), ..args() }).expect_err("wrong");
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.message.contains("lab.yaml") && error.message.contains("line 3"), "{error}");
        let file = Some(folder.path().join("nofile.yaml"));
        let error = scenario(&SimulateArgs { scenario: file, ..args() }).expect_err("missing");
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.message.contains("nofile.yaml"), "{error}");
        assert!(error.hint.expect("a hint").contains("docs/simulator.md"));
    }

    #[test]
    fn a_taken_address_and_a_missing_folder_are_named() {
        let running = start(&args(), Scenario::empty()).expect("start");
        let listen = running.address();
        let error =
            start(&SimulateArgs { listen, ..args() }, Scenario::empty()).expect_err("taken");
        assert!(error.message.contains(&listen.to_string()), "{error}");
        let packages = Some(PathBuf::from("no-such-folder"));
        let error =
            start(&SimulateArgs { packages, ..args() }, Scenario::empty()).expect_err("missing");
        assert_eq!(error.exit, Exit::Usage);
    }

    #[test]
    fn lab_names_are_easy_to_type_and_distinct() {
        assert_eq!(lab_name("Smile Dental Lab", "1", &[]), "smile-dental-lab");
        assert_eq!(lab_name("Smile", "2", &["smile".to_owned()]), "lab-2");
        assert_eq!(lab_name("東京", "3", &[]), "lab-3");
    }
}
