use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

/// A ring buffer with what `say` logs.
fn recorded(bounds: [usize; 2], bytes: usize, say: impl FnOnce()) -> &'static Recent {
    // The layer needs a `'static` reference.
    let ring: &'static Recent = Box::leak(Box::new(Recent::bounded(bounds, bytes)));
    let subscriber = tracing_subscriber::registry().with(layer(ring, || WallMs(7)));
    tracing::subscriber::with_default(subscriber, say);
    ring
}

fn all<'a>() -> Filter<'a> {
    Filter { at_least: Level::TRACE, limit: 100, ..Filter::default() }
}

fn seqs(ring: &Recent, filter: &Filter<'_>) -> Vec<u64> {
    ring.lines(filter).iter().map(|line| line.seq).collect()
}

#[test]
fn a_line_says_what_it_is_about() {
    let ring = recorded([10, 10], 1 << 20, || {
        tracing::warn!(lab = %"smile-lab", order = "17", attempts = 3, why = ?"x y", "it {}", "failed");
    });
    let lines = ring.lines(&all());
    let wanted = Line {
        seq: 1,
        at_ms: 7,
        level: Level::WARN,
        target: module_path!().to_owned(),
        message: "it failed".to_owned(),
        lab: Some("smile-lab".to_owned()),
        order: Some("17".to_owned()),
        fields: "attempts=3 why=\"x y\"".to_owned(),
    };
    assert_eq!(lines, [wanted]);
    assert_eq!(serde_json::to_value(&lines[0]).expect("JSON")["level"], "WARN");
}

#[test]
fn the_filter_leaves_what_is_wanted_newest_first() {
    let ring = recorded([10, 10], 1 << 20, || {
        tracing::error!(lab = "one", order = "1", "broke");
        tracing::info!(lab = "one", order = "2", "Published");
        tracing::debug!(lab = "two", "looked");
        tracing::info!(lab = "two", files = 3, "published");
        tracing::trace!("bytes");
    });
    assert_eq!(ring.newest(), 5);
    assert_eq!(seqs(ring, &all()), [5, 4, 3, 2, 1]);
    assert_eq!(seqs(ring, &Filter::default()), [4, 2, 1], "from info on");
    assert_eq!(seqs(ring, &Filter { at_least: Level::ERROR, ..all() }), [1]);
    assert_eq!(seqs(ring, &Filter { lab: Some("One"), ..all() }), [2, 1]);
    assert_eq!(seqs(ring, &Filter { order: Some("2"), ..all() }), [2]);
    assert_eq!(seqs(ring, &Filter { contains: Some("PUBLISHED"), ..all() }), [4, 2]);
    assert_eq!(seqs(ring, &Filter { contains: Some("files=3"), ..all() }), [4]);
    assert_eq!(seqs(ring, &Filter { after: Some(3), ..all() }), [5, 4]);
    assert_eq!(seqs(ring, &Filter { limit: 2, ..all() }), [5, 4]);
    assert_eq!(seqs(ring, &Filter { lab: Some("three"), ..all() }), [0; 0]);
}

#[test]
fn the_ring_is_bounded_and_fine_lines_drive_no_others_out() {
    let ring = recorded([3, 2], 1 << 20, || {
        (0..5).for_each(|number| tracing::info!("{number}"));
        (0..50).for_each(|number| tracing::trace!("{number}"));
    });
    assert_eq!(seqs(ring, &all()), [55, 54, 5, 4, 3]);
    let ring = recorded([100, 100], 10_000, || {
        (0..100).for_each(|_| tracing::info!("{}", "x".repeat(1000)));
        tracing::info!("{}", "ä".repeat(4000));
    });
    let lines = ring.lines(&all());
    assert!((2..10).contains(&lines.len()), "{}", lines.len());
    assert!(lines[0].message.len() < 4100 && lines[0].message.ends_with('…'));
}
