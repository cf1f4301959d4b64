//! Summaries of the findings in an order's manifest, without file names: what lists, counts and the
//! journal keep of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::manifest::{Finding, Manifest, Severity};

/// One kind of finding and how often it occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingCount {
    /// The code, as in the manifest.
    pub code: String,
    /// The severity, as in the manifest.
    pub severity: Severity,
    /// Number of occurrences.
    pub count: u32,
}

/// The findings of one revision by code, most severe first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FindingCounts(pub Vec<FindingCount>);

impl FindingCounts {
    /// Counts findings by severity and code.
    pub fn of(findings: &[Finding]) -> Self {
        let mut counts: BTreeMap<(std::cmp::Reverse<Severity>, &str), u32> = BTreeMap::new();
        for finding in findings {
            let count = counts.entry((std::cmp::Reverse(finding.severity), &finding.code));
            *count.or_default() += 1;
        }
        let count = |((severity, code), count): ((std::cmp::Reverse<Severity>, &str), u32)| {
            FindingCount { code: code.to_owned(), severity: severity.0, count }
        };
        Self(counts.into_iter().map(count).collect())
    }

    /// Returns the number of findings of this severity.
    pub fn of_severity(&self, severity: Severity) -> u32 {
        let these = self.0.iter().filter(|one| one.severity == severity);
        these.map(|one| one.count).sum()
    }

    /// Whether the case cannot be worked on as it is.
    pub fn is_incomplete(&self) -> bool {
        self.0.iter().any(|one| one.severity == Severity::Serious)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a short text for one line of a list, such as `2 serious, 1 warning`; empty if there
    /// are none.
    pub fn in_words(&self) -> String {
        let words = [
            (Severity::Serious, "serious", "serious"),
            (Severity::Warning, "warning", "warnings"),
            (Severity::Note, "note", "notes"),
        ];
        let told = words.into_iter().filter_map(|(severity, one, many)| {
            match self.of_severity(severity) {
                0 => None,
                1 => Some(format!("1 {one}")),
                count => Some(format!("{count} {many}")),
            }
        });
        told.collect::<Vec<_>>().join(", ")
    }
}

impl Manifest {
    /// Whether a finding says that the case cannot be worked on as it is.
    pub fn is_incomplete(&self) -> bool {
        is_incomplete(&self.findings)
    }
}

/// Whether one of these findings says that the case cannot be worked on as it is.
pub fn is_incomplete(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Serious)
}

/// Describes what makes a case incomplete, on one line and without file names.
pub fn why_incomplete(findings: &[Finding]) -> String {
    let serious = findings.iter().filter(|finding| finding.severity == Severity::Serious);
    let mut words: Vec<&str> = serious.map(|finding| finding.words.trim_end_matches('.')).collect();
    words.dedup();
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::finding_code::FindingCode;
    use super::*;

    #[test]
    fn findings_are_counted_by_code_the_gravest_first_and_without_their_files() {
        let findings = [
            Finding::new(FindingCode::NamesGuessed, Severity::Note, "guessed").of("Mr Secret.jpg"),
            Finding::new(FindingCode::MeshCut, Severity::Serious, "cut").of("a.stl"),
            Finding::new(FindingCode::MeshCut, Severity::Serious, "cut").of("b.stl"),
            Finding::new(FindingCode::BiteAbsent, Severity::Warning, "open"),
        ];
        let counts = FindingCounts::of(&findings);
        let found: Vec<_> = counts.0.iter().map(|one| (one.code.as_str(), one.count)).collect();
        assert_eq!(found, [("mesh-cut", 2), ("bite-absent", 1), ("names-guessed", 1)]);
        assert!(counts.is_incomplete() && !FindingCounts::of(&findings[..1]).is_incomplete());
        assert_eq!(counts.in_words(), "2 serious, 1 warning, 1 note");
        assert!(!serde_json::to_string(&counts).expect("JSON").contains("Secret"));
        assert_eq!(why_incomplete(&findings), "cut");
        let said = ["It is cut.", "It is empty."];
        let both = said.map(|words| Finding::new(FindingCode::MeshEmpty, Severity::Serious, words));
        assert_eq!(why_incomplete(&both), "It is cut; It is empty");
        assert_eq!(FindingCounts::default().in_words(), "");
    }
}
