//! The words of the records (commands, audit, settings, log), in each of the page's languages.

use super::texts::texts;

texts! {
    RecordTexts;
    // Commands.
    by_name: "Commands by file name", "Befehle durch den Dateinamen";
    by_name_text: "Create an empty text file with one of these names in the command folder. Use the order’s own number.",
        "Im Befehlsordner eine leere Textdatei mit einem dieser Namen anlegen, mit der eigenen Auftragsnummer.";
    by_content: "Commands by content", "Befehle durch den Inhalt";
    by_content_text: "Put this text into a file with any name.",
        "Diesen Text in eine Datei mit beliebigem Namen schreiben.";
    file_name: "File name", "Dateiname";
    content: "Content", "Inhalt";
    effect: "Effect", "Wirkung";
    does_poll: "Ask Align for new orders as soon as it allows that.",
        "Align nach neuen Aufträgen fragen, sobald es das erlaubt.";
    does_refetch: "Fetch this order again. Several numbers are allowed.",
        "Diesen Auftrag neu holen. Mehrere Nummern sind erlaubt.";
    does_publish: "Publish this order although it is incomplete.",
        "Diesen Auftrag trotz fehlender Teile ablegen.";
    does_verify: "Check all published files; with numbers, only those of these orders.",
        "Alle abgelegten Dateien prüfen; mit Nummern nur die dieser Aufträge.";
    does_status: "Show how things stand.", "Den Stand zeigen.";
    does_pause: "Start nothing new until resume.", "Bis resume nichts Neues beginnen.";
    does_resume: "Continue after pause.", "Nach pause weitermachen.";
    does_refetch_new: "Fetch an order that Casedrop has never seen.",
        "Einen Auftrag holen, den Casedrop noch nie gesehen hat.";
    does_pair: "Log the lab in, if necessary, and choose its account.",
        "Das Labor anmelden, falls nötig, und sein Konto wählen.";
    does_return: "Send this order back to the doctor for a new scan.",
        "Diesen Auftrag für einen neuen Scan an die Praxis zurückschicken.";
    does_unpair: "Disconnect an account, for all its users on every PC.",
        "Ein Konto trennen, für alle seine Benutzer auf allen PCs.";
    example_reason: "the margin of tooth 14 is not visible",
        "der Rand von Zahn 14 ist nicht zu sehen";
    answers: "Recent answers", "Letzte Antworten";
    answers_text: "After a few seconds the file moves to the folder done or failed. The answer is next to it, in a file whose name ends in .receipt.txt, and here.",
        "Nach ein paar Sekunden wandert die Datei in den Ordner done oder failed. Die Antwort liegt daneben, in einer Datei mit der Endung .receipt.txt, und steht hier.";
    verify: "Check all published files", "Alle abgelegten Dateien prüfen";
    verify_text: "Compares every published file with its manifest. With many orders this takes a while.",
        "Vergleicht jede abgelegte Datei mit ihrem Manifest. Bei vielen Aufträgen dauert das.";
    bundle_text: "For remote support, IT can make a support bundle on this PC: one ZIP without secrets and patient names.",
        "Für die Fernwartung kann die IT auf diesem PC ein Support-Paket erstellen: ein ZIP ohne Geheimnisse und Patientennamen.";
    // Who did something.
    via_page: "status page", "Statusseite";
    via_folder: "command folder", "Befehlsordner";
    via_line: "command line", "Kommandozeile";
    via_agent: "Casedrop itself", "Casedrop selbst";
    // What was done.
    did_agent_started: "Casedrop started", "Casedrop gestartet";
    did_agent_stopped: "Casedrop stopped", "Casedrop beendet";
    did_config_changed: "Settings changed", "Einstellungen geändert";
    did_login: "Lab logged in", "Labor angemeldet";
    did_logout: "Lab logged out", "Labor abgemeldet";
    did_pair: "Account chosen", "Konto gewählt";
    did_unpair: "Account disconnected", "Konto getrennt";
    did_refetch: "Fetch again", "Neu holen";
    did_publish: "Publish anyway", "Trotzdem ablegen";
    did_return: "Returned to the doctor", "An die Praxis zurückgeschickt";
    did_pause: "Paused", "Pausiert";
    did_resume: "Resumed", "Fortgesetzt";
    did_removed: "Order removed (retention)", "Auftrag entfernt (Aufbewahrungsfrist)";
    did_history_removed: "Replaced revision removed", "Ersetzte Revision entfernt";
    did_held_removed: "Held-back package removed", "Zurückgehaltenes Paket entfernt";
    did_leftovers_removed: "Leftovers removed", "Reste entfernt";
    did_update: "Update", "Aktualisierung";
    did_test_order: "Test order published", "Testauftrag abgelegt";
    did_test_order_removed: "Test order removed", "Testauftrag entfernt";
    did_output_chosen: "Folder for orders chosen", "Ordner für Aufträge gewählt";
    // How it ended.
    mark_begun: "begun", "begonnen";
    mark_done: "done", "erledigt";
    mark_refused: "not done", "nicht ausgeführt";
    mark_failed: "failed", "gescheitert";
    mark_unknown: "unknown", "unbekannt";
    // Its details.
    about_order: "order {order}", "Auftrag {order}";
    about_account: "account {account}", "Konto {account}";
    first_config: "first start", "erster Start";
    changed_keys: "changed: {keys}", "geändert: {keys}";
    of_version: "version {version}", "Version {version}";
    before_version: "before: {version}", "vorher: {version}";
    files_removed: "files: {n}", "Dateien: {n}";
    count: "count: {n}", "Anzahl: {n}";
    revisions: "revisions: {n}", "Revisionen: {n}";
    orders: "orders: {orders}", "Aufträge: {orders}";
    manifests: "manifest SHA-256: {hashes}", "SHA-256 des Manifests: {hashes}";
    from_folder: "from {path}", "von {path}";
    to_folder: "to {path}", "nach {path}";
    because: "because {why}", "Grund: {why}";
    day: "Day", "Tag";
    no_matching: "No matching entries.", "Keine passenden Einträge.";
    newest: "The newest {n} entries that match.", "Die neuesten {n} passenden Einträge.";
    reset: "Show all", "Alle zeigen";
    // Settings.
    config_file: "Config file", "Konfigurationsdatei";
    how_to_change: "To change a setting, edit this file and restart Casedrop. Settings locked by an administrator can only be changed in the policy. The folder for orders, logins and accounts are set under Set-up.",
        "Um etwas zu ändern, diese Datei bearbeiten und Casedrop neu starten. Was vom Administrator gesperrt ist, lässt sich nur in der Richtlinie ändern. Auftragsordner, Anmeldungen und Konten stellt man unter Einrichtung ein.";
    copy_path: "Copy path", "Pfad kopieren";
    not_set: "not set", "nicht gesetzt";
}
