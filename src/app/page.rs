//! Connects the status page: it queries the desk and reports its address.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::Disk;
use crate::model::fault::Fault;
use crate::sync::notice::Notice;
use crate::web;
use crate::web::gate::{Clock, Gate, SetUpCode, Settings, serve};

use super::beside::UntilStop;
use super::clock;
use super::open::Site;

/// Serves the page until told to stop, if the config enables it.
pub(super) async fn show(site: Arc<Site>, mut until: UntilStop) {
    let Some(page) = site.config.status_page.clone() else { return };
    let settings = Settings::of(&page);
    let clock: Clock = Arc::new(|| clock::now().mono);
    let gate = match site.desk.visitors() {
        Some(visitors) => Gate::before(&settings, clock, visitors),
        None => match Gate::new(&settings, clock) {
            Ok(gate) => gate,
            Err(fault) => return site.say(&trouble(&fault)),
        },
    };
    let code = set_up_code(&site, &gate).await;
    let labs = site.config.labs.iter().map(|lab| lab.name.to_string()).collect();
    let (house, told) = (Arc::clone(&site.desk), site.told.subscribe());
    let router = web::router(house, &gate, labs, page.show_names, told);
    let disk: Arc<dyn Disk> = Arc::clone(&site.disk);
    let had_trouble = Mutex::new(false);
    let there = Arc::clone(&site);
    let of_url = settings.clone();
    let tell = move |began: Result<SocketAddr, &Fault>| {
        let mut had_trouble = had_trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match began {
            Ok(at) => {
                let url = of_url.url(at);
                if std::mem::take(&mut *had_trouble) {
                    let message = "the status page can be shown again".to_owned();
                    there.say(&Notice::PcHealed { message });
                }
                there.desk.page_is_at(&url);
                let code = there.desk.code_file();
                there.say(&Notice::PageAt { url, code });
            }
            Err(fault) => {
                *had_trouble = true;
                there.say(&trouble(fault));
            }
        }
    };
    serve(settings, router, disk, tell, until.stopped()).await;
    if let Some(code) = code {
        // The disk may be slow, and no one needs to wait for it.
        drop(tokio::task::spawn_blocking(move || code.end()).await);
    }
}

/// Creates the setup code if the page asks for no password. Without a code, the page can still be
/// viewed.
async fn set_up_code(site: &Arc<Site>, gate: &Gate) -> Option<Arc<SetUpCode>> {
    if gate.asks_password() {
        return None;
    }
    let (disk, state): (Arc<dyn Disk>, _) = (Arc::clone(&site.disk), site.config.state.clone());
    let made = tokio::task::spawn_blocking(move || SetUpCode::new(disk, &state)).await.ok()?;
    match made {
        Ok(code) => {
            let code = Arc::new(code);
            gate.set_code(Arc::clone(&code));
            Some(code)
        }
        Err(fault) => {
            tracing::error!("nothing can be set up on the status page: {}", fault.chain());
            None
        }
    }
}

fn trouble(fault: &Fault) -> Notice {
    Notice::PcTrouble { message: fault.chain(), hint: fault.hint.clone() }
}
