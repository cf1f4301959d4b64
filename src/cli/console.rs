//! What the user sees while the agent works: on a terminal, bars with bytes and rate; elsewhere,
//! plain lines.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use secrecy::ExposeSecret as _;

use crate::disk::RealDisk;
use crate::model::ids::OrderKey;
use crate::model::notice::Notice;
use crate::status::Progress;
use crate::web::gate::read_code;

use super::streams::Streams;

const REDRAW: Duration = Duration::from_millis(120);

/// Lines and bars on standard error.
pub(super) struct Console<'a> {
    bars: Option<Bars>,
    err: &'a mut (dyn Write + Send),
}

struct Bars {
    multi: MultiProgress,
    over: Arc<AtomicBool>,
    painter: Option<JoinHandle<()>>,
}

impl<'a> Console<'a> {
    /// Shows the downloads in `progress` until it is dropped.
    pub(super) fn new(streams: &'a mut Streams, progress: &Arc<Progress>) -> Self {
        let bars = streams.terminal.then(|| Bars::start(Arc::clone(progress)));
        Self { bars, err: &mut *streams.err }
    }

    /// Prints a notice, except for a poll that brought nothing.
    pub(super) fn tell(&mut self, notice: &Notice) {
        if !matches!(notice, Notice::Polled { wanted: 0, .. }) {
            self.line(&notice.to_string());
        }
        // Print the code only here, for the person who started the agent: it must not get into the
        // log or event log.
        if let Notice::PageAt { code: Some(file), .. } = notice
            && let Some(code) = read_code(&RealDisk, file)
        {
            let code = code.expose_secret();
            self.line(&format!(
                "set-up code: {code} (the page asks for it before it changes anything)"
            ));
        }
    }

    fn line(&mut self, text: &str) {
        // A message that cannot be shown is no reason to stop.
        let _ = match &self.bars {
            Some(bars) => bars.multi.println(text),
            None => writeln!(self.err, "{text}"),
        };
    }
}

impl Bars {
    fn start(progress: Arc<Progress>) -> Self {
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let over = Arc::new(AtomicBool::new(false));
        let painter = thread::spawn({
            let (multi, over) = (multi.clone(), Arc::clone(&over));
            move || {
                let mut shown = BTreeMap::new();
                while !over.load(Ordering::Relaxed) {
                    paint(&multi, &mut shown, &progress);
                    thread::park_timeout(REDRAW);
                }
                for bar in shown.into_values() {
                    bar.finish_and_clear();
                }
            }
        });
        Self { multi, over, painter: Some(painter) }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(painter) = self.painter.take() {
            painter.thread().unpark();
            // A painter that panicked has nothing more to show.
            let _ = painter.join();
        }
    }
}

fn paint(
    multi: &MultiProgress,
    shown: &mut BTreeMap<OrderKey, ProgressBar>,
    progress: &Arc<Progress>,
) {
    let now = progress.snapshot();
    shown.retain(|key, bar| {
        let stays = now.contains_key(key);
        if !stays {
            bar.finish_and_clear();
        }
        stays
    });
    for (key, transfer) in now {
        let message = format!("{} {}", key.order, transfer.kind.as_str());
        let bar = shown.entry(key).or_insert_with(|| {
            let bar = ProgressBar::new(transfer.total.unwrap_or_default());
            multi.add(bar.with_style(style(transfer.total.is_some())).with_message(message.clone()))
        });
        bar.set_style(style(transfer.total.is_some()));
        bar.set_message(message);
        if let Some(total) = transfer.total {
            bar.set_length(total);
        }
        bar.set_position(transfer.done);
    }
}

fn style(bounded: bool) -> ProgressStyle {
    let template = if bounded {
        "  {msg:<28} [{bar:24}] {decimal_bytes:>10} of {decimal_total_bytes:<10} {decimal_bytes_per_sec}"
    } else {
        "  {msg:<28} {spinner} {decimal_bytes:>10} {decimal_bytes_per_sec}"
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}
