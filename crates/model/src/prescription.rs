//! What a doctor ordered: what is to be made, for which teeth, and by when. Nothing here names the
//! patient.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::day::Day;
use super::manifest::Manifest;

/// What an order's files, or its manifest, say about the prescription. Whatever they do not say is
/// absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prescription {
    /// The day on which the doctor needs the work.
    pub due_date: Option<Day>,
    /// The doctor's name, as Align writes it.
    pub doctor: Option<String>,
    /// For example `Restorative`.
    pub procedure: Option<String>,
    /// The teeth that something is ordered for, by number.
    pub teeth: Vec<Tooth>,
}

/// A tooth of the prescription.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Tooth {
    /// The tooth's number in the Universal (ADA) system: 1 to 16 in the upper jaw from the
    /// patient's right, 17 to 32 in the lower jaw from the patient's left.
    pub number: u8,
    /// What is ordered, such as `crown`. Absent if the vendor's code is unknown here.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "known")]
    #[schemars(with = "Option<String>")]
    pub restoration: Option<Restoration>,
}

/// What is ordered for a tooth.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Restoration {
    Crown,
    ThreeQuarterCrown,
    Abutment,
    Inlay,
    Onlay,
    Veneer,
    Removable,
    /// No tooth, and a gap.
    Missing,
    /// No tooth, and no gap.
    MissingClosed,
    Deciduous,
    ScanBody,
    CerecGuide,
    /// A tooth that carries a bridge.
    Bridge,
    Pontic,
    EggShell,
    Mockup,
}

impl Restoration {
    /// The word in manifests.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Tooth {
    /// Creates a tooth of the permanent teeth; `None` if there is no such number.
    pub fn new(number: u8, restoration: Option<Restoration>) -> Option<Self> {
        (1..=32).contains(&number).then_some(Self { number, restoration })
    }

    /// The tooth's number in the FDI (ISO 3950) system, used outside North America; 0 for a number
    /// that does not exist.
    pub fn fdi(self) -> u8 {
        match self.number {
            number @ 1..=8 => 19 - number,
            number @ 9..=16 => number + 12,
            number @ 17..=24 => 55 - number,
            number @ 25..=32 => number + 16,
            _ => 0,
        }
    }
}

impl Prescription {
    /// What a manifest says.
    pub fn of(manifest: &Manifest) -> Self {
        Self {
            due_date: manifest.due_date,
            doctor: manifest.doctor.clone(),
            procedure: manifest.procedure.clone(),
            teeth: manifest.teeth.clone(),
        }
    }
}

/// A word of a newer version is no reason to refuse a manifest.
fn known<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Restoration>, D::Error> {
    let word = Option::<String>::deserialize(from)?;
    Ok(word.and_then(|word| serde_json::from_value(word.into()).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn teeth_have_a_number_in_both_systems() {
        let fdi = |number| Tooth::new(number, None).expect("a tooth").fdi();
        assert_eq!([1, 8, 9, 16, 17, 24, 25, 32].map(fdi), [18, 11, 21, 28, 38, 31, 41, 48]);
        assert_eq!((Tooth::new(0, None), Tooth::new(33, None)), (None, None));
    }

    #[test]
    fn an_unknown_word_is_left_out_and_nothing_else_is() {
        let read = |text: &str| serde_json::from_str::<Tooth>(text).expect("readable");
        let crown = read(r#"{"number":8,"restoration":"crown"}"#);
        assert_eq!(crown.restoration, Some(Restoration::Crown));
        assert_eq!(
            serde_json::to_string(&crown).expect("JSON"),
            r#"{"number":8,"restoration":"crown"}"#
        );
        assert_eq!(read(r#"{"number":8,"restoration":"hologram"}"#).restoration, None);
        assert_eq!(read(r#"{"number":8}"#), read(r#"{"number":8,"restoration":null}"#));
    }
}
