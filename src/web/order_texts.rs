//! The words of an order's page, in each of the page's languages.

use super::texts::texts;

texts! {
    OrderTexts;
    // The scan.
    scan: "Scan", "Scan";
    both_jaws: "Both jaws", "Beide Kiefer";
    other_scan: "Other scan", "Weiterer Scan";
    numbered: "{name} ({n})", "{name} ({n})";
    bottom: "Bottom", "Unten";
    // Pictures.
    all_views: "Overview", "Gesamtansicht";
    front: "Front", "Vorn";
    left: "Left", "Links";
    right: "Right", "Rechts";
    upper: "Upper jaw", "Oberkiefer";
    lower: "Lower jaw", "Unterkiefer";
    capture: "Screen capture {n}", "Bildschirmfoto {n}";
    picture: "Picture {n}", "Bild {n}";
    picture_of: "{picture} · Order {order}", "{picture} · Auftrag {order}";
    to_order: "Order {order}", "Auftrag {order}";
    previous_picture: "Previous picture", "Voriges Bild";
    next_picture: "Next picture", "Nächstes Bild";
    save_picture: "Save this picture", "Bild speichern";
    // Files.
    prescription: "Prescription", "Rezept";
    scans: "Scans", "Scans";
    other: "Other", "Sonstige";
    download_all: "Download all ({n} files, {size})", "Alle herunterladen ({n} Dateien, {size})";
    download_shown: "Download all shown here ({n} files, {size})",
        "Alle hier gezeigten herunterladen ({n} Dateien, {size})";
    taken: "The folder of this order was taken or changed, so its files cannot be downloaded together.",
        "Der Ordner dieses Auftrags wurde geholt oder verändert; seine Dateien lassen sich darum nicht zusammen herunterladen.";
    details: "Details", "Details";
    checksums: "SHA-256 checksum of each file", "SHA-256-Prüfsumme jeder Datei";
    check_files: "Check files", "Dateien prüfen";
    // The history.
    preparing: "Being prepared by Align", "Bei Align in Vorbereitung";
    times: "{n} times, first", "{n} Mal, zuerst";
    revision: "Revision {n}: {reason}, {files} files, {size}",
        "Revision {n}: {reason}, {files} Dateien, {size}";
    nothing_changed: "Fetched again: nothing changed", "Neu geholt: nichts geändert";
    fetches_anyway: "Casedrop fetches it anyway.", "Casedrop holt ihn trotzdem.";
    expected_back: "It is expected back.", "Er wird zurückerwartet.";
    still_held: "Fetched again, unchanged; still held back.",
        "Neu geholt, unverändert; weiter zurückgehalten.";
    never_listed: "By its number; Align has not listed it here.",
        "Über seine Nummer; Align hat ihn hier nicht aufgeführt.";
}
