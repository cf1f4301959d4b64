//! The words for what a doctor ordered, and for what a scan shows besides a jaw, in both languages.

use super::lang::Lang;
use crate::model::manifest::{ManifestFile, Stage};
use crate::model::prescription::{Restoration, Tooth};

/// The teeth in a line, with their numbers in the system of the language: FDI in German, Universal
/// in English. Empty if there are none.
pub(super) fn teeth(teeth: &[Tooth], lang: Lang) -> String {
    let is_german = lang.code() == "de";
    let one = |tooth: &Tooth| {
        let number = if is_german { tooth.fdi() } else { tooth.number };
        match tooth.restoration {
            Some(what) => format!("{number} {}", restoration(what, is_german)),
            None => number.to_string(),
        }
    };
    teeth.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn restoration(what: Restoration, is_german: bool) -> &'static str {
    let (english, german) = match what {
        Restoration::Crown => ("crown", "Krone"),
        Restoration::ThreeQuarterCrown => ("3/4 crown", "3/4-Krone"),
        Restoration::Abutment => ("abutment", "Abutment"),
        Restoration::Inlay => ("inlay", "Inlay"),
        Restoration::Onlay => ("onlay", "Onlay"),
        Restoration::Veneer => ("veneer", "Veneer"),
        Restoration::Removable => ("removable", "herausnehmbar"),
        Restoration::Missing => ("missing", "fehlt"),
        Restoration::MissingClosed => ("missing, no gap", "fehlt, Lücke geschlossen"),
        Restoration::Deciduous => ("deciduous", "Milchzahn"),
        Restoration::ScanBody => ("scan body", "Scanbody"),
        Restoration::CerecGuide => ("surgical guide", "Bohrschablone"),
        Restoration::Bridge => ("bridge", "Brücke"),
        Restoration::Pontic => ("pontic", "Brückenglied"),
        Restoration::EggShell => ("eggshell provisional", "Schalenprovisorium"),
        Restoration::Mockup => ("mock-up", "Mock-up"),
    };
    if is_german { german } else { english }
}

/// What a scan shows besides a jaw as it is to be worked with; empty if nothing.
pub(super) fn shows(file: &ManifestFile, lang: &str) -> String {
    let is_german = lang == "de";
    let stage = match file.stage {
        Some(Stage::Pretreatment) if is_german => "vor der Behandlung",
        Some(Stage::Pretreatment) => "pre-treatment",
        Some(Stage::Working) | None => "",
    };
    let part = match (file.part.as_deref().unwrap_or_default(), is_german) {
        ("bite", true) => "Biss",
        ("die", true) => "Stumpf",
        ("margin", true) => "Präparationsgrenze",
        ("scan-body", true) => "Scanbody",
        ("scan-body", false) => "scan body",
        (word, _) => word,
    };
    let words = [stage, part];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::Role;

    #[test]
    fn teeth_have_the_numbers_and_words_of_the_language() {
        let tooth = |number, what| Tooth::new(number, what).expect("a tooth");
        let some = [tooth(8, Some(Restoration::Crown)), tooth(30, None)];
        let [english, german] =
            ["en", "de"].map(|code| teeth(&some, Lang::of_code(code).expect("a language")));
        assert_eq!((english.as_str(), german.as_str()), ("8 crown, 30", "11 Krone, 46"));
    }

    #[test]
    fn a_scan_says_what_else_it_shows() {
        let mut file = crate::web::tests::file("upper.stl", Role::Scan);
        file.stage = Some(Stage::Working);
        assert_eq!(shows(&file, "en"), "");
        file.part = Some("bite".to_owned());
        assert_eq!((shows(&file, "en").as_str(), shows(&file, "de").as_str()), ("bite", "Biss"));
        (file.stage, file.part) = (Some(Stage::Pretreatment), None);
        assert_eq!(shows(&file, "de"), "vor der Behandlung");
    }
}
