//! The German words for findings; the manifest has the English ones.

use crate::model::finding_code::FindingCode;

/// The meaning of a finding. The doctor may get this text as the reason for a new scan, so it
/// states the fact and not what to do. The word for prescription is the same as in the table of
/// files.
pub(super) fn german(code: FindingCode) -> &'static str {
    match code {
        FindingCode::MemberUnreadable => {
            "Die Datei ist im ZIP-Archiv nicht lesbar und wurde weggelassen"
        }
        FindingCode::MemberNameless => {
            "Eine Datei im ZIP-Archiv hat keinen Namen und wurde weggelassen"
        }
        FindingCode::MemberTwice => "Eine Datei steht zweimal im ZIP-Archiv, mit gleichem Inhalt",
        FindingCode::ZipUnlisted => {
            "Das ZIP-Archiv enthält Dateien, die nicht in seinem Inhaltsverzeichnis stehen; sie wurden weggelassen"
        }
        FindingCode::ZipHeaders => {
            "Das ZIP-Archiv beschreibt Dateien zweimal und nicht ganz gleich"
        }
        FindingCode::ZipStrayBytes => "Im ZIP-Archiv liegen Daten, die zu keiner Datei gehören",
        FindingCode::NamesGuessed => {
            "Einige Dateinamen sind nicht in UTF-8; einzelne Buchstaben können falsch sein"
        }
        FindingCode::NameShortened => "Der Dateiname war zu lang und wurde gekürzt",
        FindingCode::NamesKept => "Die Dateien behielten die Namen des Herstellers",
        FindingCode::ScanAbsent => "Das Paket enthält keinen Scan",
        FindingCode::FileNamedAbsent => "Eine Datei, die im XML aufgeführt ist, fehlt im Paket",
        FindingCode::JawAbsent => "Der Scan eines Kiefers fehlt",
        FindingCode::AntagonistAbsent => "Der Scan des Gegenkiefers fehlt",
        FindingCode::BiteAbsent => {
            "Oberkiefer und Unterkiefer liegen weit auseinander: Die Bissregistrierung fehlt oder passt nicht"
        }
        FindingCode::JawsAlike => {
            "Oberkiefer und Unterkiefer sind derselbe Scan: Einer von beiden fehlt"
        }
        FindingCode::JawTwice => {
            "Der Scan eines Kiefers ist doppelt vorhanden oder doppelt aufgeführt"
        }
        FindingCode::JawContradicted => "Im XML steht ein anderer Kiefer als im Dateinamen",
        FindingCode::MeshUnreadable => "Die Scan-Datei ist beschädigt und lässt sich nicht öffnen",
        FindingCode::MeshEmpty => "Die Scan-Datei ist leer: Ihr Netz hat keine Dreiecke",
        FindingCode::MeshCut => "Die Scan-Datei ist abgeschnitten: Ein Teil des Netzes fehlt",
        FindingCode::MeshLonger => "Die Scan-Datei ist länger als das Netz, das sie angibt",
        FindingCode::MeshDecimalComma => {
            "Die Scan-Datei schreibt Zahlen mit Komma statt Punkt und wird dadurch falsch gelesen"
        }
        FindingCode::MeshNotNumbers => {
            "Die Scan-Datei enthält Punkte, deren Koordinaten keine Zahlen sind"
        }
        FindingCode::MeshTooSmall => {
            "Das Netz ist für Millimeter viel zu klein; vielleicht ist es in Zoll oder Metern"
        }
        FindingCode::MeshTooLarge => {
            "Das Netz ist für Millimeter viel zu groß; vielleicht ist es in Mikrometern"
        }
        FindingCode::MeshInPieces => {
            "Das Netz dieses Kiefers hat große Teile, die weit auseinanderliegen"
        }
        FindingCode::TextureAbsent => "Das Farbbild (Textur) zum Scan fehlt",
        FindingCode::MaterialAbsent => "Die Materialdatei zum Scan fehlt: Er erscheint ohne Farben",
        FindingCode::RxWithoutTeeth => {
            "Das Rezept nennt keinen Zahn: Was hergestellt werden soll, bleibt offen"
        }
        FindingCode::RxUnreadable => {
            "Das Rezept ist beschädigt und lässt sich vielleicht nicht öffnen"
        }
        FindingCode::RxPageWithoutTeeth => {
            "Das Rezept (HTML) zeigt keinen der Zähne, die im XML stehen"
        }
        FindingCode::XmlUnreadable => "Die XML-Datei ist beschädigt oder abgeschnitten",
        FindingCode::XmlOfOtherOrder => "Das XML trägt eine andere Nummer als der Auftrag",
        FindingCode::XmlContradictsOrder => "Im XML steht ein anderer Auftragscode als bei Align",
        FindingCode::FileOfOtherOrder => "Der Dateiname trägt die Nummer eines anderen Auftrags",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_german_words_of_its_own_that_fit_into_a_list() {
        let mut said = std::collections::BTreeSet::new();
        for code in FindingCode::ALL {
            let words = german(*code);
            assert!(said.insert(words), "two kinds say the same: {words}");
            assert!(words.starts_with(char::is_uppercase) && words.contains(' '), "{words}");
            // They are joined by `; `.
            assert!(!words.ends_with('.') && words.chars().count() <= 110, "{words}");
        }
    }
}
