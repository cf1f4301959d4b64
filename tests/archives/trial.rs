//! One archive through the agent's own reader.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use casedrop::config::Limits;
use casedrop::disk::RealDisk;
use casedrop::hotfolder::unpack;
use casedrop::model::cancel::Cancel;
use casedrop::model::fault::Fault;

#[derive(Debug)]
pub(crate) struct Outcome {
    /// The content of every file, sorted.
    pub(crate) published: Vec<Vec<u8>>,
    pub(crate) left_out: Vec<String>,
    pub(crate) findings: Vec<String>,
}

pub(crate) fn try_unpack(bytes: &[u8]) -> Result<Outcome, Fault> {
    let dir = tempfile::tempdir().expect("tempdir");
    let spool = dir.path().join("spool");
    std::fs::write(&spool, bytes).expect("spooled");
    let dest = dir.path().join("dest");
    let result = unpack(&RealDisk, &spool, &dest, &Limits::default(), &Cancel::new());
    let outside = std::fs::read_dir(dir.path()).expect("listed").count();
    assert!(outside <= 2, "something was written beside the order");
    let unpacked = result?;
    let mut published = Vec::new();
    collect(&dest, &mut published);
    assert_eq!(published.len(), unpacked.files.len(), "{unpacked:?}");
    published.sort();
    Ok(Outcome {
        published,
        left_out: unpacked.left_out,
        findings: unpacked.findings.into_iter().map(|finding| finding.code).collect(),
    })
}

fn collect(dir: &Path, into: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(dir).expect("listed") {
        let path = entry.expect("listed").path();
        if path.is_dir() {
            collect(&path, into);
        } else {
            into.push(std::fs::read(path).expect("read"));
        }
    }
}

/// Archives and their results, kept for comparison with other programs in the folder named by
/// `CASEDROP_ARCHIVES_DIR`, if it is set.
pub(crate) struct Record {
    dir: Option<PathBuf>,
    kind: &'static str,
    count: u32,
}

impl Record {
    pub(crate) fn from_env(kind: &'static str) -> Self {
        let dir = std::env::var_os("CASEDROP_ARCHIVES_DIR").map(PathBuf::from);
        Self { dir, kind, count: 0 }
    }

    pub(crate) fn add(&mut self, name: &str, bytes: &[u8], result: &Result<Outcome, Fault>) {
        let Some(dir) = &self.dir else { return };
        let file = format!("{}-{:05}.zip", self.kind, self.count);
        self.count += 1;
        std::fs::write(dir.join(&file), bytes).expect("written");
        let line = match result {
            Ok(outcome) => serde_json::json!({
                "file": file,
                "name": name,
                "code": null,
                "published": outcome.published.iter().map(|content| sha256(content)).collect::<Vec<_>>(),
                "left_out": outcome.left_out.len(),
                "twice": outcome.findings.iter().filter(|code| *code == "member-twice").count(),
            }),
            Err(fault) => serde_json::json!({
                "file": file,
                "name": name,
                "code": fault.code,
                "why": fault.to_string(),
            }),
        };
        let list = dir.join(format!("{}.jsonl", self.kind));
        let mut list =
            std::fs::OpenOptions::new().create(true).append(true).open(list).expect("opened");
        writeln!(list, "{line}").expect("written");
    }
}

fn sha256(content: &[u8]) -> String {
    use sha2::Digest as _;
    casedrop::model::digest::hex(sha2::Sha256::digest(content))
}
