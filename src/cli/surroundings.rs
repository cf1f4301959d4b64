//! What `check` asks beyond the config and its folders: the logins, the servers and the journal.

use std::path::Path;
use std::sync::Arc;

use super::check::{self, Around, CheckArgs, ExtraCheck, Findings};
use super::loading::cwd;
use super::{CliError, Exit, Streams, journal, work};
use crate::config::{self, Config};
use crate::disk::{Disk, RealDisk};
use crate::journal::{FILE_NAME, Store};
use crate::model::cancel::Cancel;

pub(super) fn run(
    args: &CheckArgs,
    named: Option<&Path>,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    with_surroundings(args.offline, |around| check::run(args, named, around, streams))?
}

/// Runs all checks of `check`.
pub(super) fn findings(named: Option<&Path>, offline: bool) -> Result<Findings, CliError> {
    with_surroundings(offline, |around| check::find(named, around))
}

fn with_surroundings<T>(offline: bool, work: impl FnOnce(&Around<'_>) -> T) -> Result<T, CliError> {
    let env = config::process_env();
    let cwd = cwd()?;
    let runtime = work::runtime()?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let logins: ExtraCheck<'_> = Box::new(|config, findings| {
        check_labs(config, runtime.handle(), &disk, offline, findings);
    });
    let around = Around {
        disk: &RealDisk,
        env: &env,
        cwd: &cwd,
        agent_runs: &crate::agent::agent_runs,
        extra: vec![logins],
    };
    Ok(work(&around))
}

/// Checks logins and servers. Unreachable servers and missing logins only warn: an agent must be
/// able to start while Align is down, and waits for a login.
fn check_labs(
    config: &Config,
    handle: &tokio::runtime::Handle,
    disk: &Arc<dyn Disk>,
    offline: bool,
    findings: &mut Findings,
) {
    check_journal(config, findings);
    match crate::secrets::open(&config.state, config.secrets, Arc::clone(disk)).keeping() {
        Ok(keeping) => {
            if let Some((text, hint)) = keeping.fallback() {
                findings.warning("secrets", text, hint);
            }
        }
        Err(fault) => findings.fault("secrets", fault.brief(), fault.hint.unwrap_or_default()),
    }
    for (index, lab) in config.labs.iter().enumerate() {
        let key = format!("labs[{index}]");
        let client = match crate::agent::connect(config, lab, handle.clone(), disk) {
            Ok(client) => client,
            Err(fault) => {
                findings.fault(&key, fault.brief(), fault.hint.unwrap_or_default());
                continue;
            }
        };
        if !offline && let Err(fault) = client.probe(&Cancel::new()) {
            let key = format!("{key}.base_url");
            findings.warning(&key, fault.brief(), fault.hint.unwrap_or_default());
        }
        match client.paired() {
            Ok(Some(_)) => {}
            Ok(None) => findings.warning(
                &key,
                format!("lab {} is logged in but not paired", lab.name),
                format!("run `casedrop pair {}`", lab.name),
            ),
            Err(fault) => {
                findings.warning(&key, fault.brief(), fault.hint.unwrap_or_default());
            }
        }
    }
}

/// Checks what the journal says about this PC. All of it recovers on its own, so these are only
/// warnings.
fn check_journal(config: &Config, findings: &mut Findings) {
    let store = Store::open_to_read(&config.state.join(FILE_NAME));
    let notes = store.and_then(|store| {
        let Some(store) = store else { return Ok(None) };
        store.orders()?;
        journal::notes(&store).map(Some)
    });
    match notes {
        Ok(notes) => {
            for (note, hint) in notes.unwrap_or_default() {
                findings.warning("state", note, hint);
            }
        }
        Err(error) => findings.warning("state", error.chain(), error.hint()),
    }
}
