//! Checks every member's description before anything is written: its name, whether it can be read,
//! and whether all of them stay within the limits.

use std::collections::{BTreeMap, BTreeSet};

use super::{Reading, What};
use crate::archive::names::{Name, decode_all, is_doubtful};
use crate::archive::{Archive, Entry, Stray, fault, methods};
use crate::describe::named_in_xml;
use crate::files::is_litter;
use casedrop_model::discreet::file_name;
use casedrop_model::export::Limits;
use casedrop_model::fault::Fault;
use casedrop_model::finding_code::FindingCode;
use casedrop_model::manifest::{Finding, Severity};
use casedrop_model::path::{PathFault, RelPath};

/// Below this size in bytes, no compression ratio is harmful.
const RATIO_FLOOR: u64 = 256 << 20;
/// The maximum number and size of XML members that are read for the file names they list.
const XML_FILES_MAX: usize = 4;
const XML_MAX: u64 = 8 << 20;

#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The members to write, by index in the archive.
    pub(super) members: Vec<(usize, Name)>,
    /// Members that must be identical to others.
    pub(super) twins: Vec<Twin>,
    pub(super) left_out: Vec<String>,
    pub(super) findings: Vec<Finding>,
    /// Why the first unreadable member cannot be read.
    pub(super) unread: Option<Fault>,
}

/// A second member with the same name, checksum and size.
#[derive(Debug)]
pub(super) struct Twin {
    pub(super) index: usize,
    pub(super) of: usize,
}

pub(super) fn survey(
    archive: &mut Archive,
    reading: Reading<'_>,
    what: What,
    buffer: &mut [u8],
) -> Result<Survey, Fault> {
    let listed =
        if is_doubtful(&archive.entries) { names_in_xml(archive, buffer) } else { BTreeSet::new() };
    let names = decode_all(&archive.entries, reading.code_page, &listed);
    let mut survey = Survey::default();
    tell_differences(archive, &names, &mut survey.findings);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (index, (entry, name)) in archive.entries.iter().zip(names).enumerate() {
        survey.take(index, entry, name, what, &mut seen, &archive.entries)?;
    }
    let members = survey.members.iter().filter_map(|(index, _)| archive.entries.get(*index));
    check_bounds(members, reading.limits)?;
    Ok(survey)
}

impl Survey {
    fn take(
        &mut self,
        index: usize,
        entry: &Entry,
        name: Name,
        what: What,
        seen: &mut BTreeMap<String, usize>,
        entries: &[Entry],
    ) -> Result<(), Fault> {
        let shown = file_name(&name.text);
        // Checked for every member: one with an unsafe path gives the archive away.
        let path = match RelPath::make_safe(&name.text) {
            Err(PathFault::Empty) => None,
            made => Some(made.map_err(|error| fault::unsafe_name(&error))?),
        };
        if entry.is_special() {
            return Err(fault::link(&shown));
        }
        // A trailing `\` also marks an empty folder: some programs write it that way.
        let is_dir = name.text.ends_with('/') || (name.text.ends_with('\\') && entry.size == 0);
        if is_dir && entry.size == 0 {
            return Ok(());
        }
        if let Some(&of) = seen.get(&name.text) {
            let is_alike = entries.get(of).is_some_and(|first| {
                (first.crc, first.size) == (entry.crc, entry.size) && !entry.is_encrypted()
            });
            if !is_alike || is_left_out(&name.text) {
                return Err(fault::duplicate(&shown));
            }
            self.twins.push(Twin { index, of });
            return Ok(());
        }
        seen.insert(name.text.clone(), index);
        let Some(path) = path.filter(|_| !is_dir) else {
            let words = if is_dir {
                "the archive calls it a folder, but it has content, which was left out"
            } else {
                "the archive contains a file without a name, which was left out"
            };
            let finding = Finding::new(FindingCode::MemberNameless, Severity::Warning, words);
            self.findings.push(finding.of(name.text.clone()));
            self.left_out.push(name.text);
            return Ok(());
        };
        if is_left_out(&name.text) {
            self.left_out.push(name.text);
            return Ok(());
        }
        let fault = if entry.is_encrypted() {
            fault::encrypted(&shown)
        } else if !methods::is_supported(entry.method) {
            methods::unsupported(&shown)
        } else {
            self.members.push((index, name));
            return Ok(());
        };
        if what.needs(&path) {
            return Err(fault);
        }
        self.findings.push(unreadable(&fault, &name.text));
        self.left_out.push(name.text);
        self.unread.get_or_insert(fault);
        Ok(())
    }
}

/// Describes a member that was left out because it cannot be read.
pub(super) fn unreadable(fault: &Fault, name: &str) -> Finding {
    let words = match fault.code {
        fault::ENCRYPTED => "it is encrypted and was left out",
        fault::UNSUPPORTED => "it is packed in a way that the agent cannot read, and was left out",
        _ => "it is damaged in the vendor's archive and was left out",
    };
    Finding::new(FindingCode::MemberUnreadable, Severity::Warning, words).of(name)
}

fn check_bounds<'a>(
    members: impl Iterator<Item = &'a Entry>,
    limits: &Limits,
) -> Result<(), Fault> {
    let (mut size, mut packed) = (0_u64, 0_u64);
    for entry in members {
        size = size.saturating_add(entry.size);
        packed = packed.saturating_add(entry.packed);
    }
    if size > limits.unpacked_bytes {
        return Err(fault::bomb(&format!("more than {} bytes", limits.unpacked_bytes)));
    }
    if size > RATIO_FLOOR && size / packed.max(1) > limits.ratio {
        return Err(fault::bomb(&format!("it grows more than {} times", limits.ratio)));
    }
    Ok(())
}

/// Reports harmless deviations from how archives usually look.
fn tell_differences(archive: &Archive, names: &[Name], findings: &mut Vec<Finding>) {
    let mut note = |code: FindingCode, severity, words: String| {
        findings.push(Finding::new(code, severity, words));
    };
    if archive.differing > 0 {
        let (differing, all) = (archive.differing, archive.entries.len());
        note(
            FindingCode::ZipHeaders,
            Severity::Note,
            format!(
                "the archive describes {differing} of its {all} files twice, with small differences"
            ),
        );
    }
    let Stray { before, between, after, members } = archive.stray;
    for (count, place) in [(before, "before"), (between, "between the files of"), (after, "after")]
    {
        if count > 0 {
            let words = format!("{count} bytes that belong to no file are {place} the archive");
            note(FindingCode::ZipStrayBytes, Severity::Note, words);
        }
    }
    if members > 0 {
        let words = "the archive contains files that its directory does not list; they were left \
                     out";
        note(FindingCode::ZipUnlisted, Severity::Warning, words.to_owned());
    }
    let guessed = names.iter().filter(|name| name.raw.is_some()).count();
    if guessed > 0 {
        let words = format!("{guessed} file names are not in UTF-8; some letters may be wrong");
        note(FindingCode::NamesGuessed, Severity::Note, words);
    }
}

/// Returns the file names in the order's XML. Unreadable XML is ignored here; it is reported when
/// it is unpacked.
fn names_in_xml(archive: &mut Archive, buffer: &mut [u8]) -> BTreeSet<String> {
    let is_xml = |entry: &Entry| {
        let end = entry.raw_name.len().saturating_sub(4);
        entry.raw_name[end..].eq_ignore_ascii_case(b".xml") && entry.size <= XML_MAX
    };
    let entries = archive.entries.iter().enumerate();
    let found: Vec<usize> = entries
        .filter(|(_, entry)| is_xml(entry) && !entry.is_encrypted())
        .map(|(index, _)| index)
        .take(XML_FILES_MAX)
        .collect();
    let mut listed = BTreeSet::new();
    for index in found {
        let mut bytes = Vec::new();
        let read = archive.extract(index, "an XML file", buffer, &mut |more| {
            bytes.extend_from_slice(more);
            Ok(())
        });
        if read.is_ok() {
            listed.extend(named_in_xml(&bytes));
        }
    }
    listed
}

fn is_left_out(name: &str) -> bool {
    let mut parts = name.split(['/', '\\']).filter(|part| !part.is_empty());
    parts.clone().any(|part| part.eq_ignore_ascii_case("__MACOSX"))
        || parts.next_back().is_some_and(is_litter)
}
