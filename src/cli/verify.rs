//! `casedrop verify`: does the output tree hold what its manifests say?

use clap::Args;

use super::order_view::{known_lab, layout, unknown};
use super::{CliError, Exit, Streams, journal};
use crate::agent::requests::{of_unknown_origin, sentence, summary, verify_orders, was_removed};
use crate::config::Config;
use crate::disk::RealDisk;
use crate::hotfolder::{FileNames, Knows, Layout, Selection};
use crate::journal::Store;
use crate::model::ids::{LabName, OrderId, OrderKey};

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Verify only these orders.
    #[arg(value_name = "ORDER")]
    pub orders: Vec<OrderId>,
    /// Verify only this lab's orders.
    #[arg(long, value_name = "LAB")]
    pub lab: Option<String>,
    /// Print the names of files as they are, even if they may be the name of a patient.
    #[arg(long)]
    pub names: bool,
}

/// Verifies the whole tree or some of its orders. Works without a journal too: then a removed order
/// counts as missing.
pub fn verify(config: &Config, args: &VerifyArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let removed = journal::removed(config, &args.orders);
    let store = journal::open(config).ok().flatten();
    let lab = args.lab.as_deref().map(|lab| known_lab(config, store.as_ref(), lab)).transpose()?;
    // If the journal cannot say now, treat the manifest as known.
    let knows = store.as_ref().map(|store| {
        |key: &OrderKey, sha256: &str| store.knows_manifest(key, sha256).unwrap_or(true)
    });
    let knows = knows.as_ref().map(|knows| knows as &Knows<'_>);
    let dir =
        lab.map(|lab| lab.parse::<LabName>().map_or_else(|_| lab.clone(), |lab| lab.dir_name()));
    let wanted = Selection { lab: dir.as_deref(), orders: &args.orders };
    let names = if args.names { FileNames::Real } else { FileNames::Discreet };
    let journal = Known { removed: &removed, knows, store: store.as_ref() };
    run(&layout(config), wanted, names, &journal, streams)
}

/// Whether the journal was asked about an order and has never seen it.
fn is_unseen(store: Option<&Store>, order: &OrderId) -> bool {
    store.is_some_and(|store| matches!(store.find(order.as_str()), Ok(found) if found.is_empty()))
}

/// What the journal says, if there is one.
#[derive(Default)]
struct Known<'a> {
    /// Orders that were removed because of their age and may be missing.
    removed: &'a [OrderId],
    /// Whether it knows a manifest.
    knows: Option<&'a Knows<'a>>,
    store: Option<&'a Store>,
}

/// Verifies what is wanted. Exits 0 only if there is no difference.
fn run(
    layout: &Layout,
    wanted: Selection<'_>,
    names: FileNames,
    journal: &Known<'_>,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let (report, away) =
        verify_orders(&RealDisk, layout, wanted, journal.removed, journal.knows, names);
    if let [order] = wanted.orders
        && report.orders == 0
        && is_unseen(journal.store, order)
    {
        return Err(unknown(order.as_str()));
    }
    for order in &away {
        streams.note(was_removed(order));
    }
    if streams.json {
        streams.json(&report)?;
    } else {
        let is_shortened =
            |file: &Option<String>| file.as_ref().is_some_and(|file| file.contains('…'));
        if report.differences.iter().any(|difference| is_shortened(&difference.file)) {
            streams.note("to see the names of files in full: --names");
        }
        for order in &report.unknown_origin {
            streams.line(of_unknown_origin(order))?;
        }
        for difference in &report.differences {
            streams.line(sentence(difference))?;
        }
        streams.line(summary(&report))?;
    }
    Ok(if report.differences.is_empty() { Exit::Ok } else { Exit::Failed })
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::hotfolder::root::prepare_root;
    use casedrop_testing::{key, sealed};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn verify(layout: &Layout, json: bool) -> (Exit, String) {
        let out = Shared::default();
        let mut streams = Streams {
            out: Box::new(out.clone()),
            err: Box::new(io::sink()),
            input: Box::new(io::empty()),
            json,
            terminal: false,
        };
        let (wanted, names) = (Selection::default(), FileNames::Discreet);
        let exit = run(layout, wanted, names, &Known::default(), &mut streams).expect("ran");
        let bytes = out.0.lock().expect("not poisoned").clone();
        (exit, String::from_utf8(bytes).expect("text"))
    }

    #[test]
    fn the_exit_code_and_the_text_name_the_damaged_file() {
        let place = tempfile::tempdir().expect("tempdir");
        let output = place.path().join("orders");
        let layout = Layout { output, staging: place.path().join(".orders.staging") };
        prepare_root(&RealDisk, &layout, None).expect("prepared");
        let dir = layout.order_dir(&key());
        sealed(&dir, 1, &[("a.stl", "mesh")]);
        let good = (Exit::Ok, "1 order, 1 file, 4 bytes: no differences\n".to_owned());
        assert_eq!(verify(&layout, false), good);

        std::fs::write(dir.join("a.stl"), "mEsh").expect("one byte changed");
        let bad = "smile-lab/4711/17/a.stl has different content\n\
            1 order, 1 file, 4 bytes: 1 difference\n";
        assert_eq!(verify(&layout, false), (Exit::Failed, bad.to_owned()));
        let (exit, json) = verify(&layout, true);
        assert_eq!(exit, Exit::Failed);
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json["differences"][0]["file"], "a.stl");
    }
}
