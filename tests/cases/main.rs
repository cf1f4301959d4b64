//! Whole cases of every kind, which must raise nothing, and cases with one fault, which must be
//! found.
//!
//! `CASEDROP_CASES=10000` tries more whole cases.

#![expect(clippy::print_stdout, reason = "the counts are what a run is for")]

mod faults;
mod mesh;
mod pack;
mod whole;

use std::collections::BTreeMap;
use std::io::Cursor;

use casedrop::model::manifest::{Finding, Severity};
use casedrop::simulator::package::{CaseKind, CaseSpec, MeshFormat, Placement, write_ide_package};

use mesh::Form;
use pack::Pack;
use whole::{Kind, Style};

/// Number of whole cases.
const CASES: u64 = 1000;

fn graver(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.severity > Severity::Note).collect()
}

#[test]
fn no_whole_case_is_accused() {
    let count = std::env::var("CASEDROP_CASES").ok().and_then(|count| count.parse().ok());
    let count: u64 = count.unwrap_or(CASES);
    let mut by_kind: BTreeMap<Kind, u64> = BTreeMap::new();
    let mut notes: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..count {
        let (kind, pack) = whole::case(seed);
        *by_kind.entry(kind).or_default() += 1;
        let findings = pack.findings();
        let names: Vec<_> = pack.files.iter().map(|(name, _)| name).collect();
        assert!(graver(&findings).is_empty(), "seed {seed}, {kind:?}: {findings:?} of {names:?}");
        for finding in findings {
            *notes.entry(finding.code).or_default() += 1;
        }
    }
    println!("{count} whole cases: {by_kind:?}; notes: {notes:?}");
}

#[test]
fn every_fault_is_found() {
    let faults = faults::all();
    assert!(faults.len() >= 40, "{}", faults.len());
    let mut missed = Vec::new();
    for fault in &faults {
        let before = fault.base.findings();
        assert!(graver(&before).is_empty(), "{}: {before:?}", fault.name);
        let mut spoiled = fault.base.clone();
        (fault.spoil)(&mut spoiled);
        let findings = spoiled.findings();
        let wanted = if fault.is_serious { Severity::Serious } else { Severity::Warning };
        let is_found = findings.iter().any(|one| one.code == fault.code && one.severity == wanted);
        // A fault that is only a warning must not hold the case back through another finding.
        let is_exaggerated =
            !fault.is_serious && findings.iter().any(|one| one.severity == Severity::Serious);
        if !is_found || is_exaggerated {
            missed.push((fault.name, fault.code, findings));
        }
    }
    assert!(missed.is_empty(), "{} of {}: {missed:#?}", missed.len(), faults.len());
    println!("{} faults of {} found", faults.len(), faults.len());
}

/// How a `CaseId` relates to an `OrderID` is unknown.
#[test]
fn a_case_number_beside_the_orders_own_accuses_nobody() {
    let mut pack = whole::pack(&Style::new(Kind::Crown, Form::Stl));
    pack.replace("_v50.xml", "17544402</OrderID>", "17544402</OrderID><CaseId>17599999</CaseId>");
    let findings = pack.findings();
    assert!(graver(&findings).is_empty(), "{findings:?}");
}

#[test]
fn the_same_is_found_under_every_way_of_naming() {
    for names in [casedrop::config::Names::Plain, casedrop::config::Names::Both] {
        let mut pack = whole::pack(&Style { names, ..Style::new(Kind::Crown, Form::Stl) });
        pack.file("upper_jaw").1.truncate(3000);
        pack.remove("lower_jaw");
        let findings = pack.findings();
        let codes: Vec<_> = findings.iter().map(|one| one.code.as_str()).collect();
        assert!(codes.contains(&"mesh-cut") && codes.contains(&"file-named-absent"), "{codes:?}");
    }
}

/// The simulator's packages in all their forms.
#[test]
fn the_simulators_packages_are_whole() {
    let mut count = 0;
    for (number, kind) in [CaseKind::OrthoShell, CaseKind::OrthoLowProfile, CaseKind::Restorative]
        .into_iter()
        .cycle()
        .take(12)
        .enumerate()
    {
        let id = 17_544_365 + 7 * u64::try_from(number).expect("few");
        let mut spec = CaseSpec::small(id, kind);
        spec.mesh = if number % 2 == 0 { MeshFormat::Stl } else { MeshFormat::Ply };
        spec.placement =
            [Placement::Occlusion, Placement::TeethUp, Placement::LockedOcclusion][number / 3 % 3];
        spec.texture = number % 4 == 1;
        spec.color = !spec.texture;
        spec.modeled = number % 3 == 0;
        spec.bite2 = number % 5 == 0;
        spec.hash_in_names = number % 4 != 0;
        spec.attachments = number % 3 == 1;
        if number % 6 == 5 {
            spec.triangles = 9000;
        }
        let mut archive = Cursor::new(Vec::new());
        write_ide_package(&spec, &mut archive).expect("written");
        let pack = Pack::new(id, &spec.order_code, &spec.case_type, &spec.procedure);
        let findings = pack.findings_of(archive.get_ref());
        assert_eq!(findings, [], "{spec:?}");
        count += 1;
    }
    println!("{count} packages of the simulator");
}

/// A finding is never a fault: whatever the bytes of a mesh or XML, the order is described.
#[test]
fn random_bytes_never_fail_an_order() {
    for seed in 0..150 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let form = Form::ALL[rng.usize(..Form::ALL.len())];
        let mut pack = whole::pack(&Style { seed: seed + 1, ..Style::new(Kind::Crown, form) });
        for (_, bytes) in &mut pack.files {
            if rng.bool() {
                continue;
            }
            let keep = rng.usize(..=bytes.len());
            bytes.truncate(keep);
            let more = rng.usize(..2000);
            bytes.extend(std::iter::repeat_with(|| rng.u8(..)).take(more));
        }
        let _ = pack.findings();
    }
}
