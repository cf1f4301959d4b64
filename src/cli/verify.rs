//! `casedrop verify`: does the output tree hold what its manifests say?

use clap::Args;

use super::{CliError, Exit, Streams};
use crate::agent::requests::{of_unknown_origin, sentence, summary, verify_orders, was_removed};
use crate::disk::RealDisk;
use crate::hotfolder::{FileNames, Knows, Layout};
use crate::model::ids::OrderId;

#[derive(Debug, Default, Args)]
pub struct VerifyArgs {
    /// Verify only these orders.
    #[arg(value_name = "ORDER")]
    pub orders: Vec<OrderId>,
    /// Print the names of files as they are, even if they may be the name of a patient.
    #[arg(long)]
    pub names: bool,
}

/// Verifies the whole tree, or only some orders; those in `removed` were removed because of their
/// age and may be missing. `knows` asks the journal, if there is one. Exits 0 only if there is no
/// difference.
pub fn run(
    layout: &Layout,
    args: &VerifyArgs,
    removed: &[OrderId],
    knows: Option<&Knows<'_>>,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let names = if args.names { FileNames::Real } else { FileNames::Discreet };
    let (report, away) = verify_orders(&RealDisk, layout, &args.orders, removed, knows, names);
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
        let exit = run(layout, &VerifyArgs::default(), &[], None, &mut streams).expect("ran");
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
