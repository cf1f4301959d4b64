//! Bars on a terminal: what is done with each order, and how long its download will still take.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::asset::AssetKind;
use crate::model::ids::OrderKey;
use crate::model::size::size;
use crate::model::time::in_words;
use crate::status::{Progress, Stage, Transfer};

const REDRAW: Duration = Duration::from_millis(120);
/// A rate is measured over this time.
const WINDOW: Duration = Duration::from_secs(10);
/// Over less, it says nothing: small files arrive at once, out of some buffer.
const SHORTEST: Duration = Duration::from_secs(1);

/// Bars that a thread of its own paints until they are dropped.
pub(super) struct Bars {
    multi: MultiProgress,
    over: Arc<AtomicBool>,
    painter: Option<JoinHandle<()>>,
}

impl Bars {
    pub(super) fn start(progress: Arc<Progress>) -> Self {
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let over = Arc::new(AtomicBool::new(false));
        let painter = thread::spawn({
            let (multi, over) = (multi.clone(), Arc::clone(&over));
            move || {
                let (began, mut shown) = (Instant::now(), BTreeMap::new());
                while !over.load(Ordering::Relaxed) {
                    paint(&multi, &mut shown, &progress, began.elapsed());
                    thread::park_timeout(REDRAW);
                }
                for Shown { bar, .. } in shown.into_values() {
                    bar.finish_and_clear();
                }
            }
        });
        Self { multi, over, painter: Some(painter) }
    }

    /// Prints a line above the bars.
    pub(super) fn line(&self, text: &str) -> std::io::Result<()> {
        self.multi.println(text)
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

/// One order's bar.
struct Shown {
    bar: ProgressBar,
    speed: Speed,
}

fn paint(
    multi: &MultiProgress,
    shown: &mut BTreeMap<OrderKey, Shown>,
    progress: &Progress,
    at: Duration,
) {
    let now = progress.stages();
    shown.retain(|key, Shown { bar, .. }| {
        let stays = now.contains_key(key);
        if !stays {
            bar.finish_and_clear();
        }
        stays
    });
    for (key, (stage, transfer)) in now {
        let order = key.order.to_string();
        let Shown { bar, speed } = shown.entry(key).or_insert_with(|| Shown {
            bar: multi.add(ProgressBar::new(0)),
            speed: Speed::default(),
        });
        let transfer = transfer.filter(|_| stage == Stage::Downloading);
        let total = transfer.as_ref().and_then(|transfer| transfer.total);
        bar.set_style(style(total.is_some()));
        bar.set_prefix(format!("{order} {}", what(stage, transfer.as_ref())));
        let Some(transfer) = transfer else {
            bar.set_message("");
            continue;
        };
        speed.saw(at, transfer.kind, transfer.done);
        bar.set_length(total.unwrap_or(transfer.done));
        bar.set_position(transfer.done);
        bar.set_message(amounts(&transfer, speed.rate()));
    }
}

fn style(bounded: bool) -> ProgressStyle {
    let template =
        if bounded { "  {prefix:<36} [{bar:24}] {msg}" } else { "  {prefix:<36} {spinner} {msg}" };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

fn what(stage: Stage, transfer: Option<&Transfer>) -> String {
    match transfer.map(|transfer| transfer.kind) {
        Some(kind) if kind != AssetKind::Ide => format!("{} {}", stage.as_str(), kind.in_words()),
        _ => stage.as_str().to_owned(),
    }
}

/// Such as `12.3 MB of 101.0 MB, 400.0 kB/s, 4 min left`.
fn amounts(transfer: &Transfer, rate: Option<u64>) -> String {
    let mut text = size(transfer.done);
    if let Some(total) = transfer.total {
        text = format!("{text} of {}", size(total));
    }
    let Some(rate) = rate else { return text };
    text = format!("{text}, {}/s", size(rate));
    let left = transfer.total.map(|total| total.saturating_sub(transfer.done));
    match left.and_then(|left| left.checked_div(rate)) {
        Some(seconds) => format!("{text}, {} left", in_words(Duration::from_secs(seconds.max(1)))),
        None => text,
    }
}

/// How fast a download is, over the last seconds.
#[derive(Debug, Default)]
struct Speed {
    kind: Option<AssetKind>,
    /// When how many bytes were there, oldest first.
    seen: VecDeque<(Duration, u64)>,
}

impl Speed {
    fn saw(&mut self, at: Duration, kind: AssetKind, done: u64) {
        // Another download, or the same once more.
        let is_new = self.kind != Some(kind) || self.seen.back().is_some_and(|last| last.1 > done);
        if is_new {
            self.kind = Some(kind);
            self.seen.clear();
        }
        self.seen.push_back((at, done));
        while self.seen.get(1).is_some_and(|(then, _)| at.saturating_sub(*then) >= WINDOW) {
            self.seen.pop_front();
        }
    }

    /// In bytes per second; `None` as long as too little was seen.
    fn rate(&self) -> Option<u64> {
        let ((from, before), (to, done)) = (self.seen.front()?, self.seen.back()?);
        let time = to.saturating_sub(*from);
        if time < SHORTEST {
            return None;
        }
        let millis = u64::try_from(time.as_millis()).ok()?;
        done.saturating_sub(*before).saturating_mul(1000).checked_div(millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(done: u64, total: Option<u64>) -> Transfer {
        Transfer { kind: AssetKind::Ide, done, total, arrived: done }
    }

    #[test]
    fn a_rate_is_that_of_the_last_seconds_and_a_small_file_has_none() {
        let mut speed = Speed::default();
        speed.saw(Duration::ZERO, AssetKind::Ide, 0);
        speed.saw(Duration::from_millis(100), AssetKind::Ide, 900_000);
        assert_eq!(speed.rate(), None, "it came out of a buffer");
        speed.saw(Duration::from_secs(2), AssetKind::Ide, 2_000_000);
        assert_eq!(speed.rate(), Some(1_000_000));
        for second in 3..30 {
            speed.saw(Duration::from_secs(second), AssetKind::Ide, 2_000_000);
        }
        assert_eq!(speed.rate(), Some(0), "it stands still now");
        speed.saw(Duration::from_secs(30), AssetKind::Thumbnails, 5);
        assert_eq!(speed.rate(), None, "another download");
    }

    #[test]
    fn what_is_downloaded_is_told_with_the_time_left() {
        let half = transfer(500_000, Some(1_000_000));
        assert_eq!(amounts(&half, None), "500.0 kB of 1.0 MB");
        assert_eq!(amounts(&half, Some(10_000)), "500.0 kB of 1.0 MB, 10.0 kB/s, 50 s left");
        assert_eq!(amounts(&half, Some(0)), "500.0 kB of 1.0 MB, 0 B/s");
        assert_eq!(amounts(&transfer(5, None), Some(5)), "5 B, 5 B/s");
        assert_eq!(what(Stage::Downloading, Some(&half)), "downloading");
        let pictures = Transfer { kind: AssetKind::Thumbnails, ..half };
        assert_eq!(what(Stage::Downloading, Some(&pictures)), "downloading thumbnails");
        assert_eq!(what(Stage::Unpacking, None), "unpacking");
    }
}
