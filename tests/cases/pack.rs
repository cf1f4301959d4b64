//! A package as it arrives, and what the agent reports about it.

use std::io::{Cursor, Write as _};

use casedrop::config::{Limits, Names};
use casedrop::disk::RealDisk;
use casedrop::hotfolder::{Case, describe_case, unpack};
use casedrop::model::cancel::Cancel;
use casedrop::model::manifest::Finding;
use casedrop::model::order::{RemoteOrder, Status};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The files of an order, and what Align says about it.
#[derive(Clone)]
pub(crate) struct Pack {
    pub(crate) order: RemoteOrder,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) names: Names,
}

impl Pack {
    pub(crate) fn new(id: u64, code: &str, case_type: &str, procedure: &str) -> Self {
        let id = id.to_string().parse().expect("an id");
        let mut order = RemoteOrder::new(id, Status::Ready);
        order.order_code = Some(code.to_owned());
        order.case_type = Some(case_type.to_owned());
        order.procedure = Some(procedure.to_owned());
        Self { order, files: Vec::new(), names: Names::Vendor }
    }

    pub(crate) fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.files.push((name.into(), bytes.into()));
    }

    /// Returns the first file whose name contains `part`.
    pub(crate) fn file(&mut self, part: &str) -> &mut (String, Vec<u8>) {
        self.files.iter_mut().find(|(name, _)| name.contains(part)).expect("such a file")
    }

    pub(crate) fn remove(&mut self, part: &str) {
        let before = self.files.len();
        self.files.retain(|(name, _)| !name.contains(part));
        assert!(self.files.len() < before, "{part} is there");
    }

    /// Replaces text in all files whose names contain `part`; fails if none contains the text.
    pub(crate) fn replace(&mut self, part: &str, old: &str, new: &str) {
        let mut count = 0;
        for (_, bytes) in self.files.iter_mut().filter(|(name, _)| name.contains(part)) {
            let text = String::from_utf8(bytes.clone()).expect("text");
            count += text.matches(old).count();
            *bytes = text.replace(old, new).into_bytes();
        }
        assert!(count > 0, "{part} holds {old}");
    }

    fn zipped(&self) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (name, bytes) in &self.files {
            writer.start_file(name.as_str(), options).expect("member");
            writer.write_all(bytes).expect("written");
        }
        writer.finish().expect("finished").into_inner()
    }

    /// Unpacks and describes the package as a fetch does, and returns the findings.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.findings_of(&self.zipped())
    }

    pub(crate) fn findings_of(&self, archive: &[u8]) -> Vec<Finding> {
        let dir = tempfile::tempdir().expect("tempdir");
        let (spool, staged) = (dir.path().join("spool"), dir.path().join("staged"));
        std::fs::write(&spool, archive).expect("written");
        let unpacked = unpack(&RealDisk, &spool, &staged, &Limits::default(), &Cancel::new())
            .expect("unpacked");
        let case = Case { order: &self.order, meshes: &unpacked.meshes, pictures_follow: true };
        let described = describe_case(&RealDisk, &staged, unpacked.files, self.names, &case)
            .expect("described");
        let paths: Vec<_> = described.files.iter().map(|file| file.path.as_str()).collect();
        for finding in &described.findings {
            let is_named = finding.path.as_deref().is_none_or(|path| paths.contains(&path));
            assert!(is_named != (finding.code == "file-named-absent"), "{finding:?}");
            assert!(finding.words.is_ascii() && finding.words.len() < 200, "{finding:?}");
        }
        unpacked.findings.into_iter().chain(described.findings).collect()
    }
}
