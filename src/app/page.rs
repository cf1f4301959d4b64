//! The status page, wired: it asks the desk, and tells where it is.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::Disk;
use crate::model::fault::Fault;
use crate::sync::notice::Notice;
use crate::web;
use crate::web::gate::{Gate, Settings, serve};

use super::beside::UntilStop;
use super::clock;
use super::open::Site;

/// Shows the page, if the config says so, until it is told to stop.
pub(super) async fn show(site: Arc<Site>, mut until: UntilStop) {
    let Some(page) = site.config.status_page.clone() else { return };
    let settings = Settings::of(&page);
    let gate = match Gate::new(&settings, Arc::new(|| clock::now().mono)) {
        Ok(gate) => gate,
        Err(fault) => return site.say(&trouble(&fault)),
    };
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
                there.say(&Notice::PageAt { url });
            }
            Err(fault) => {
                *had_trouble = true;
                there.say(&trouble(fault));
            }
        }
    };
    serve(settings, router, disk, tell, until.stopped()).await;
}

fn trouble(fault: &Fault) -> Notice {
    Notice::PcTrouble { message: fault.chain(), hint: fault.hint.clone() }
}
