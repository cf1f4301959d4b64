//! The words of the page that fills in a new config.

use super::lang::Lang;
use super::texts::texts;
use crate::config::filling::{Item, Lack};

texts! {
    Texts;
    title: "Set up Casedrop", "Casedrop einrichten";
    intro: "Casedrop is new on this PC. It needs five values from Align and a folder for the orders. After that it starts by itself, and this page goes on with the login.",
        "Casedrop ist neu auf diesem PC. Es braucht fünf Angaben von Align und einen Ordner für die Aufträge. Danach startet es von selbst, und diese Seite geht mit der Anmeldung weiter.";
    intro_values: "Some values are still missing in the config. Fill them in here; everything else in it stays as it is.",
        "In der Konfiguration fehlen noch Angaben. Hier ergänzen; alles andere darin bleibt, wie es ist.";
    config_at: "The values are written to:", "Die Angaben kommen in diese Datei:";
    paste: "Paste everything at once", "Alles auf einmal einfügen";
    paste_hint: "Copy the lines with names and values from Align’s message, and paste them here. What is clear goes into the fields below.",
        "Die Zeilen mit Namen und Werten aus der Nachricht von Align kopieren und hier einfügen. Was eindeutig ist, kommt in die Felder darunter.";
    paste_take: "Fill in the fields", "Felder ausfüllen";
    paste_took: "Filled in: {fields}. Please check the fields below.",
        "Ausgefüllt: {fields}. Bitte die Felder unten prüfen.";
    paste_none: "No value was recognized in that text. Enter the values one by one below.",
        "In diesem Text wurde kein Wert erkannt. Bitte die Werte unten einzeln eintragen.";
    from_align: "From Align", "Von Align";
    oauth_base: "OAuth base", "OAuth-Basis";
    oauth_base_hint: "A web address; Align calls it oauthBase. Test and production have different ones.",
        "Eine Webadresse; bei Align heißt sie oauthBase. Test und Produktion haben verschiedene.";
    base_url: "Base URL", "Basis-URL";
    base_url_hint: "A web address; Align calls it baseUrl.", "Eine Webadresse; bei Align heißt sie baseUrl.";
    client_id: "Client ID", "Client-ID";
    client_id_hint: "Exactly as Align gave it.", "Genau so, wie Align sie genannt hat.";
    client_secret: "Client secret", "Client-Secret";
    client_secret_hint: "It is kept in a file of its own that only Casedrop’s account can read, and is never shown again.",
        "Es kommt in eine eigene Datei, die nur das Konto von Casedrop lesen kann, und wird nie wieder gezeigt.";
    redirect_url: "Redirect URL", "Redirect-URL";
    redirect_url_hint: "As registered with Align. With http://127.0.0.1:… the login finishes by itself on this PC.",
        "Wie bei Align eingetragen. Mit http://127.0.0.1:… schließt sich die Anmeldung auf diesem PC von selbst ab.";
    here: "On this PC", "Auf diesem PC";
    name: "Name of the lab", "Name des Labors";
    name_hint: "Letters, digits, - and _. It becomes a folder inside the folder for orders.",
        "Buchstaben, Ziffern, - und _. Er wird ein Ordner im Auftragsordner.";
    output: "Folder for orders", "Ordner für Aufträge";
    output_hint: "Each order appears there in a folder of its own. Point the CAD program at this folder.",
        "Jeder Auftrag erscheint dort in einem eigenen Ordner. Diesen Ordner im CAD-Programm einstellen.";
    output_other: "Or another folder (full path)", "Oder ein anderer Ordner (vollständiger Pfad)";
    kept: "There is one already. Leave this empty to keep it.",
        "Es ist schon eins da. Leer lassen, um es zu behalten.";
    fixed: "Already set by {by}, so it cannot be changed here.",
        "Schon festgelegt durch {by} und darum hier nicht änderbar.";
    good: "OK", "In Ordnung";
    missing: "Still missing.", "Fehlt noch.";
    check_fields: "Nothing was written yet: please look at the marked fields.",
        "Es wurde noch nichts geschrieben: bitte die markierten Felder ansehen.";
    save: "Save and start Casedrop", "Speichern und Casedrop starten";
    saved: "Saved. Casedrop is starting; this takes a few seconds.",
        "Gespeichert. Casedrop startet; das dauert ein paar Sekunden.";
    next_step: "Continue", "Weiter";
    cannot_write: "Casedrop cannot write its config", "Casedrop kann seine Konfiguration nicht schreiben";
    not_yet: "Casedrop is not set up yet", "Casedrop ist noch nicht eingerichtet";
}

impl Texts {
    pub(super) fn of(lang: Lang) -> &'static Self {
        match lang {
            Lang::English => &ENGLISH,
            Lang::German => &GERMAN,
        }
    }

    /// The label of a value, and what to know about it.
    pub(super) fn of_item(&self, item: Item) -> (&'static str, &'static str) {
        match item {
            Item::OauthBase => (self.oauth_base, self.oauth_base_hint),
            Item::BaseUrl => (self.base_url, self.base_url_hint),
            Item::ClientId => (self.client_id, self.client_id_hint),
            Item::ClientSecret => (self.client_secret, self.client_secret_hint),
            Item::RedirectUrl => (self.redirect_url, self.redirect_url_hint),
            Item::LabName => (self.name, self.name_hint),
            Item::Output => (self.output, self.output_hint),
        }
    }

    pub(super) fn intro_of(&self, lack: Lack) -> &'static str {
        match lack {
            Lack::File | Lack::Content => self.intro,
            Lack::Values => self.intro_values,
        }
    }
}
