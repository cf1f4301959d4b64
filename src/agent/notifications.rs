//! Connects the listener for scan notifications: writes what it receives to the journal and wakes
//! the engine.

use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::align;
use crate::disk::Disk;
use crate::inputs::notifications::{CARE, Intake, Recorded, Settings, serve};
use crate::journal::{Store, StoreError};
use crate::model::fault::{Fault, FaultClass};
use crate::model::ids::{AccountId, LabName};
use crate::model::notice::Notice;
use crate::model::notification::{Mention, Noted, Reading, Received};
use crate::secrets::SecretStore;

use super::callback::callback_secret;
use super::clock::wall_now;
use super::context::AgentContext;

/// Listens until told to stop, if the config enables it.
pub(super) async fn listen(context: Arc<AgentContext>, until: CancellationToken) {
    let Some(notifications) = context.config.notifications.clone() else { return };
    let settings = Settings {
        listen: notifications.listen,
        path: notifications.public_url.path().to_owned(),
        tls: notifications.tls,
        trusted_proxies: notifications.trusted_proxies,
        care: CARE,
    };
    // The process shares one store, so that there is only one key.
    let secrets = Arc::clone(context.handler.labs_ways().secrets());
    let disk: Arc<dyn Disk> = Arc::clone(&context.disk);
    let intake = Arc::new(Wired { context, secrets, told: Mutex::default() });
    serve(settings, intake, disk, until.cancelled()).await;
}

struct Wired {
    context: Arc<AgentContext>,
    secrets: Arc<dyn SecretStore>,
    /// The last problem reported, if it is not over.
    told: Mutex<Option<String>>,
}

impl Intake for Wired {
    fn secret(&self) -> Result<SecretString, Fault> {
        callback_secret(&*self.secrets)
    }

    fn read(&self, body: &[u8], query: Option<&str>) -> Reading {
        align::read_notification(body, query)
    }

    fn record(
        &self,
        mentions: &[Mention],
        counted: Received,
        keep_count: bool,
    ) -> Result<Recorded, Fault> {
        let now = wall_now();
        let fixed =
            self.context.config.labs.iter().map(|lab| (lab.name.clone(), lab.account.clone()));
        let fixed: Vec<_> = fixed.collect();
        let recorded = self.context.journal.with(|store| {
            store.atomically(|store| {
                let noted = store.mention(&paired(store, &fixed)?, mentions, now)?;
                let mut sum = counted;
                sum.add(&Received::of(mentions, &noted, now));
                // If something is written anyway, updating the counts is free.
                let is_news = noted.contains(&Noted::New);
                if is_news || (keep_count && sum != Received::default()) {
                    store.add_received(&sum)?;
                    sum = Received::default();
                }
                Ok((Recorded { noted, uncounted: sum }, is_news))
            })
        });
        let (recorded, is_news) = recorded.map_err(unwritable)?;
        if is_news {
            self.context.wake.now();
        }
        Ok(recorded)
    }

    fn trouble(&self, fault: Option<&Fault>) {
        let why = fault.map(Fault::chain);
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let before = std::mem::replace(&mut *told, why.clone());
            match fault {
                Some(fault) if before != why => {
                    let hint = fault.hint.clone();
                    self.context.say(&Notice::PcTrouble { message: fault.brief(), hint });
                }
                None if before.is_some() => {
                    let message = "scan notifications can be received again".to_owned();
                    self.context.say(&Notice::PcHealed { message });
                }
                _ => {}
            }
        }
        let kept = self.context.journal.with(|store| store.set_listener_trouble(why.as_deref()));
        if let Err(error) = kept {
            tracing::debug!("{}", error.chain());
        }
    }
}

/// Returns the account of each lab: the one it was last paired with, or until then the one in the
/// config.
fn paired(
    store: &Store,
    fixed: &[(LabName, Option<AccountId>)],
) -> Result<Vec<(LabName, AccountId)>, StoreError> {
    let known = store.labs()?;
    let account = |lab: &LabName| {
        let record = known.iter().find(|record| record.lab == lab.as_str())?;
        record.account.as_ref()?.parse().ok()
    };
    let all = fixed.iter().filter_map(|(lab, fixed)| {
        let account = account(lab).or_else(|| fixed.clone())?;
        Some((lab.clone(), account))
    });
    Ok(all.collect())
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function for map_err")]
fn unwritable(error: StoreError) -> Fault {
    Fault::new(FaultClass::Local, "journal", error.chain()).hint(error.hint())
}
