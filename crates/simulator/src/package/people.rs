//! Invented people. Names contain a marker word, so that a test can search logs, journals and
//! manifests for leaks.

use super::noise::hash;

/// In every part of every patient's name and chart number.
pub const PATIENT_MARKER: &str = "Zzyzx";
/// In every doctor's last name and licence number, and in every practice's address.
pub const DOCTOR_MARKER: &str = "Sampledoc";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub first: String,
    pub last: String,
}

impl Person {
    /// "Last, First".
    pub fn last_first(&self) -> String {
        format!("{}, {}", self.last, self.first)
    }

    /// "First, Last", as other exports write it.
    pub fn first_last(&self) -> String {
        format!("{}, {}", self.first, self.last)
    }
}

const FIRST: [&str; 12] = [
    "Quentin",
    "Ottilie",
    "Ignatius",
    "Wilhelmina",
    "Zoë",
    "Bartholomew",
    "Jürgen",
    "Euphemia",
    "Thaddeus",
    "Xiomara",
    "Valentín",
    "Philippa",
];
const LAST: [&str; 12] = [
    "Patient",
    "Obsidian",
    "Marzipan",
    "O'Placeholder",
    "Müller",
    "Quagmire",
    "Specimen",
    "Thistledown",
    "Umbrage",
    "Vexillum",
    "Wobblethorpe",
    "Yellowhammer",
];

const DOCTORS: [&str; 6] = ["Ahlborn", "Bergmann", "Castellano", "Delacroix", "Eastwood", "Fjørd"];

fn pick<'a>(from: &[&'a str], seed: u64, what: u64) -> &'a str {
    let count = from.len() as u64;
    usize::try_from(hash(seed, what, 0) % count).ok().and_then(|at| from.get(at)).unwrap_or(&"Nemo")
}

/// The patient for a seed.
pub(super) fn patient(seed: u64) -> Person {
    Person {
        first: format!("{}-{PATIENT_MARKER}", pick(&FIRST, seed, 1)),
        last: format!("{PATIENT_MARKER}-{}", pick(&LAST, seed, 2)),
    }
}

/// The doctor for a seed.
pub(super) fn doctor(seed: u64) -> Person {
    Person {
        first: pick(&FIRST, seed, 3).to_owned(),
        last: format!("{DOCTOR_MARKER}-{}", pick(&DOCTORS, seed, 4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_be_searched_for() {
        for seed in 0..50 {
            let (patient, doctor) = (patient(seed), doctor(seed));
            assert!(
                patient.first.contains(PATIENT_MARKER) && patient.last.contains(PATIENT_MARKER)
            );
            assert!(doctor.last.contains(DOCTOR_MARKER));
        }
        assert_ne!(patient(1), patient(2));
    }
}
