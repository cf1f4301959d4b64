//! Has the system's event log look at what there is to know, again and again.

use std::sync::Arc;
use std::time::Duration;

use super::beside::UntilStop;
use super::clock;
use super::open::Site;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(30);

/// Looks until it is time to end; not at all where nobody keeps what is written.
pub(super) async fn look_after(site: Arc<Site>, mut until: UntilStop) {
    if !site.events.is_on() {
        return;
    }
    loop {
        tokio::select! {
            biased;
            () = until.stopped() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let site = Arc::clone(&site);
        let look = move || site.events.look(&site.desk.picture().reasons(), clock::now().mono);
        // The next look comes after this one: a share that hangs is asked once.
        if let Err(error) = tokio::task::spawn_blocking(look).await {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}
