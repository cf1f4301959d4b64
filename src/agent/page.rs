//! Connects the status page: it queries the request handler and reports its address.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

use crate::disk::Disk;
use crate::model::fault::Fault;
use crate::model::notice::Notice;
use crate::web;
use crate::web::gate::{Clock, Gate, SetUpCode, Settings, serve};

use super::clock;
use super::context::AgentContext;

/// Serves the page until told to stop, if the config enables it.
pub(super) async fn show(context: Arc<AgentContext>, until: CancellationToken) {
    let Some(page) = context.config.status_page.clone() else { return };
    let settings = Settings::of(&page);
    let clock: Clock = Arc::new(|| clock::now().mono);
    let gate = match context.handler.visitors() {
        Some(visitors) => Gate::before(&settings, clock, visitors),
        None => match Gate::new(&settings, clock) {
            Ok(gate) => gate,
            Err(fault) => return context.say(&trouble(&fault)),
        },
    };
    let code = set_up_code(&context, &gate).await;
    let labs = context.config.labs.iter().map(|lab| lab.name.to_string()).collect();
    let (data, told) = (Arc::clone(&context.handler), context.told.subscribe());
    let router = web::router(data, &gate, labs, page.show_names, told);
    let disk: Arc<dyn Disk> = Arc::clone(&context.disk);
    let had_trouble = Mutex::new(false);
    let there = Arc::clone(&context);
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
                there.handler.page_is_at(&url);
                let code = there.handler.code_file();
                there.say(&Notice::PageAt { url, code });
            }
            Err(fault) => {
                *had_trouble = true;
                there.say(&trouble(fault));
            }
        }
    };
    serve(settings, router, disk, tell, until.cancelled()).await;
    if let Some(code) = code {
        // The disk may be slow, and no one needs to wait for it.
        drop(tokio::task::spawn_blocking(move || code.end()).await);
    }
}

/// Creates the setup code if the page asks for no password. Without a code, the page can still be
/// viewed.
async fn set_up_code(context: &Arc<AgentContext>, gate: &Gate) -> Option<Arc<SetUpCode>> {
    if gate.asks_password() {
        return None;
    }
    let (disk, state): (Arc<dyn Disk>, _) =
        (Arc::clone(&context.disk), context.config.state.clone());
    let made = tokio::task::spawn_blocking(move || SetUpCode::new(disk, &state)).await.ok()?;
    match made {
        Ok(code) => {
            let code = Arc::new(code);
            gate.set_code(Arc::clone(&code));
            Some(code)
        }
        Err(fault) => {
            tracing::error!("the set-up on the status page cannot be used: {}", fault.chain());
            None
        }
    }
}

fn trouble(fault: &Fault) -> Notice {
    Notice::PcTrouble { message: fault.brief(), hint: fault.hint.clone() }
}
