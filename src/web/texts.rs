//! Every word of the page, in each of its languages. What the agent itself says (faults, receipts,
//! the log) is always English.

macro_rules! texts {
    ($words:ident; $($name:ident: $english:literal, $german:literal;)*) => {
        /// The words of one language.
        pub(super) struct $words {
            $(pub(super) $name: &'static str,)*
        }

        /// English.
        pub(super) static ENGLISH: $words = $words { $($name: $english,)* };

        /// German.
        pub(super) static GERMAN: $words = $words { $($name: $german,)* };

        #[cfg(test)]
        pub(super) const NAMED: &[(&str, &str, &str)] =
            &[$((stringify!($name), $english, $german),)*];
    };
}
// Pages with many words of their own have a table of their own.
pub(super) use texts;

texts! {
    Texts;
    // The frame of every page.
    skip: "Skip to the content", "Zum Inhalt springen";
    nav: "Pages", "Seiten";
    overview: "Overview", "Übersicht";
    orders: "Orders", "Aufträge";
    commands: "Commands", "Befehle";
    audit: "Audit", "Protokoll";
    settings: "Settings", "Einstellungen";
    log: "Log", "Log";
    welcome: "Set-up", "Einrichtung";
    log_out: "Sign out", "Abmelden";
    other_language: "Deutsch", "English";
    offline: "No connection to Casedrop. This page may be out of date.",
        "Keine Verbindung zu Casedrop. Diese Seite ist vielleicht nicht mehr aktuell.";
    answer: "Result", "Ergebnis";
    copied: "Copied", "Kopiert";
    rate: "{amount}/s", "{amount}/s";
    left: "{time} left", "noch {time}";
    of_total: "{done} of {total}", "{done} von {total}";
    // Overview.
    all_well: "All is well", "Alles in Ordnung";
    good_to_know: "Good to know", "Gut zu wissen";
    retried: "Retrying automatically", "Wird automatisch wiederholt";
    labs: "Labs", "Labore";
    account_head: "Account", "Konto";
    poll_now: "Poll now", "Jetzt abfragen";
    pause: "Pause", "Pausieren";
    resume: "Resume", "Fortsetzen";
    log_in: "Log in", "Anmelden";
    choose_account: "Choose account", "Konto wählen";
    paused_by: "Paused by {who}", "Pausiert von {who}";
    downloads: "Current downloads", "Laufende Downloads";
    asset_ide: "order files", "Auftragsdateien";
    asset_thumbnails: "pictures", "Bilder";
    asset_captures: "screen captures", "Bildschirmfotos";
    latest: "Recent activity", "Letzte Ereignisse";
    nothing_yet: "No orders yet.", "Noch keine Aufträge.";
    this_pc: "This PC", "Dieser PC";
    hot_folder: "Hot folder", "Auftragsordner";
    free: "Free space", "Freier Platz";
    free_of: "{free} free (Casedrop stops at {min})", "{free} frei (bei {min} hört Casedrop auf)";
    version: "Version", "Version";
    running_since: "Running since", "Läuft seit";
    notifications: "Scan notifications", "Scan-Meldungen";
    notifications_off: "off: orders are found by polling", "aus: Aufträge werden durch Abfragen gefunden";
    notifications_told: "{received} received, {waiting} waiting, {missed} missed",
        "{received} empfangen, {waiting} offen, {missed} verpasst";
    what_to_do: "What to do", "Was zu tun ist";
    more_failing: "and {n} more", "und {n} weitere";
    copy: "Copy", "Kopieren";
    copy_path: "Copy folder path", "Ordnerpfad kopieren";
    staged: "{version} will be tried out next", "{version} wird als Nächstes ausprobiert";
    on_trial: "{version} is being tried out", "{version} wird ausprobiert";
    // The state of a lab.
    lab_polling: "Polling", "Fragt ab";
    lab_notified: "Polling and receiving scan notifications", "Fragt ab und erhält Scan-Meldungen";
    lab_never_notified: "Polling; no scan notification received yet",
        "Fragt ab; noch keine Scan-Meldung erhalten";
    lab_not_notified: "Polling; scan notifications are not arriving",
        "Fragt ab; Scan-Meldungen kommen nicht an";
    lab_paused: "Paused", "Pausiert";
    lab_login: "Login needed", "Anmeldung nötig";
    lab_login_ends: "Login ends soon", "Anmeldung endet bald";
    lab_unpaired: "No account chosen", "Kein Konto gewählt";
    lab_unreachable: "Align unreachable", "Align nicht erreichbar";
    lab_waiting: "Waiting for Align’s first answer", "Wartet auf die erste Antwort von Align";
    lab_overdue: "No answer from Align for too long", "Zu lange keine Antwort von Align";
    lab_full: "Disk full", "Datenträger voll";
    lab_away: "Hot folder unavailable", "Auftragsordner nicht erreichbar";
    full_text: "Free space is below the limit, so nothing is fetched. Orders wait at Align until there is room.",
        "Es ist weniger Platz frei, als frei bleiben muss; darum wird nichts geholt. Aufträge bleiben bei Align, bis Platz ist.";
    full_hint: "Free up space on the drive that holds the hot folder, or set retention.keep in the config.",
        "Auf dem Datenträger des Auftragsordners Platz schaffen oder retention.keep in der Konfiguration setzen.";
    // Reasons.
    hours: "{n} h", "{n} h";
    minutes: "{n} min", "{n} min";
    stopped: "Casedrop is not running", "Casedrop läuft nicht";
    stopped_text: "No new orders arrive until it runs again.",
        "Bis es wieder läuft, kommen keine neuen Aufträge an.";
    stopped_hint: "Start Casedrop, or ask IT.", "Casedrop starten oder die IT fragen.";
    stuck: "Casedrop does not respond", "Casedrop reagiert nicht";
    stuck_text: "It has not responded for {time}.", "Seit {time} gibt es kein Lebenszeichen.";
    stuck_hint: "Restart the service. If it happens again, send a support bundle.",
        "Den Dienst neu starten. Geschieht das wieder, ein Support-Paket schicken.";
    journal_fault: "The journal cannot be used", "Das Journal ist nicht benutzbar";
    journal_fault_text: "Nothing is fetched until it can be used again.",
        "Bis es wieder benutzbar ist, wird nichts geholt.";
    away_text: "Orders wait until it is back.", "Aufträge warten, bis er wieder da ist.";
    away_hint: "Restore the folder or reconnect its network share. Casedrop then continues automatically.",
        "Den Ordner oder seine Freigabe zurückbringen. Casedrop macht dann von selbst weiter.";
    login_text: "No orders arrive for this lab until someone logs in.",
        "Für dieses Labor kommen keine Aufträge, bis sich jemand anmeldet.";
    login_ends_text: "Align no longer renews this lab’s login. Orders still arrive for now.",
        "Align verlängert die Anmeldung dieses Labors nicht mehr. Noch kommen Aufträge an.";
    login_ends_hint: "Ask IT to log this lab in again in time. This page cannot do it while the current login still works.",
        "Die IT bitten, das Labor rechtzeitig neu anzumelden. Solange die jetzige Anmeldung gilt, geht das auf dieser Seite nicht.";
    unpaired_text: "No orders arrive for this lab until its account is chosen.",
        "Für dieses Labor kommen keine Aufträge, bis sein Konto gewählt ist.";
    overdue_text: "Align has not answered for too long, so new orders are not being found.",
        "Align hat zu lange nicht geantwortet; neue Aufträge werden darum nicht gefunden.";
    overdue_hint: "Check the network, proxy and firewall of this PC, and whether Align has an outage.",
        "Netzwerk, Proxy und Firewall dieses PCs prüfen, und ob Align eine Störung hat.";
    orders_held: "Incomplete orders held back: {n}",
        "Unvollständige Aufträge, die zurückgehalten werden: {n}";
    orders_held_hint: "Open each one: publish it anyway, or ask the doctor for a new scan.",
        "Jeden öffnen: trotzdem ablegen, oder die Praxis um einen neuen Scan bitten.";
    need_attention: "Orders that need attention: {n}", "Aufträge mit Handlungsbedarf: {n}";
    downloads_paused: "Downloads are paused", "Downloads sind pausiert";
    downloads_paused_hint: "Usually nothing: Casedrop tries again automatically, and no order is lost. If it lasts, check the network and the proxy of this PC, and whether Align has an outage.",
        "Meist nichts: Casedrop versucht es von selbst wieder, und kein Auftrag geht verloren. Dauert es an, Netzwerk und Proxy dieses PCs prüfen, und ob Align eine Störung hat.";
    no_orders: "No new orders for an unusually long time",
        "Ungewöhnlich lange keine neuen Aufträge";
    no_orders_text: "No order was published in {time} of working time.",
        "Während {time} Arbeitszeit wurde nichts abgelegt.";
    no_orders_hint: "Ask a dentist whether a case was sent, and look for it at myitero.com. If this lab gets few cases, raise alerts.no_orders_after in the config.",
        "Bei einer Praxis nachfragen, ob ein Fall gesendet wurde, und ihn auf myitero.com suchen. Bekommt dieses Labor wenige Fälle, alerts.no_orders_after in der Konfiguration erhöhen.";
    disk_low: "Disk almost full", "Datenträger fast voll";
    unreachable_text: "Casedrop tries again automatically.", "Casedrop versucht es von selbst wieder.";
    listener: "Scan notifications cannot be received", "Scan-Meldungen können nicht empfangen werden";
    listener_text: "Until this works again, orders are found by polling.",
        "Bis das wieder geht, werden Aufträge durch Abfragen gefunden.";
    not_notified: "Scan notifications are missing", "Scan-Meldungen fehlen";
    not_notified_text: "Polling found orders that no scan notification announced: {n} so far.",
        "Durch Abfragen wurden Aufträge gefunden, die keine Scan-Meldung angekündigt hat: bisher {n}.";
    not_notified_hint: "Check notifications.public_url, the reverse proxy and firewall in front of it, and pair the labs again.",
        "notifications.public_url, den Reverse-Proxy und die Firewall davor prüfen, und die Labore neu koppeln.";
    taken_back: "An update failed", "Eine Aktualisierung hat nicht funktioniert";
    taken_back_text: "The previous version is running again.", "Die vorige Version läuft wieder.";
    journal_rebuilt: "The journal was rebuilt", "Das Journal wurde neu angelegt";
    journal_rebuilt_hint: "If no order is missing, delete the folder of the old journal, if there is one.",
        "Fehlt kein Auftrag, den Ordner des alten Journals löschen, falls es ihn gibt.";
    note: "Note", "Hinweis";
    trial: "An update is being tried out", "Eine Aktualisierung wird ausprobiert";
    trial_text: "If it does not work, the previous version is restored automatically.",
        "Funktioniert sie nicht, kommt die vorige Version von selbst zurück.";
    paused_text: "Casedrop does not look for new orders or fetch any until it is resumed.",
        "Bis zum Fortsetzen wird nichts Neues abgefragt oder geholt.";
    // Orders.
    search: "Search", "Suchen";
    lab: "Lab", "Labor";
    state: "State", "Zustand";
    sort: "Sort by", "Sortieren nach";
    any_lab: "all labs", "alle Labore";
    published_incomplete: "published, but incomplete", "abgelegt, aber unvollständig";
    any_files: "complete or incomplete", "vollständig oder nicht";
    incomplete: "incomplete", "unvollständig";
    any_state: "all states", "alle Zustände";
    show: "Show", "Anzeigen";
    sort_newest: "newest update first", "neueste Aktualisierung zuerst";
    sort_oldest: "oldest update first", "älteste Aktualisierung zuerst";
    sort_highest: "number, highest first", "Nummer, höchste zuerst";
    sort_lowest: "number, lowest first", "Nummer, niedrigste zuerst";
    sort_case: "case type", "Falltyp";
    sort_state: "state", "Zustand";
    found_none: "No matching orders.", "Keine passenden Aufträge.";
    found: "{n} orders", "{n} Aufträge";
    found_one: "1 order", "1 Auftrag";
    previous: "Previous page", "Vorige Seite";
    next: "Next page", "Nächste Seite";
    order: "Order", "Auftrag";
    case_type: "Case type", "Falltyp";
    due_date: "Due", "Termin";
    doctor: "Doctor", "Behandler";
    teeth: "Teeth (Universal)", "Zähne (FDI)";
    sort_due_first: "due date, soonest first", "Termin, frühester zuerst";
    sort_due_last: "due date, latest first", "Termin, spätester zuerst";
    revision: "Revision", "Revision";
    published: "Published", "Abgelegt";
    heard: "Last update", "Zuletzt aktualisiert";
    at_align: "At Align", "Bei Align";
    procedure: "Procedure", "Verfahren";
    rx_id: "Rx ID", "Rx-ID";
    // The states of an order.
    state_waiting: "waiting", "wartet";
    state_downloading: "downloading", "wird geladen";
    state_checking: "checking", "wird geprüft";
    state_refetching: "published, being fetched again", "abgelegt, wird neu geholt";
    state_picked_up: "picked up", "abgeholt";
    state_regenerating: "being prepared by Align", "bei Align in Vorbereitung";
    state_retrying: "trying again", "neuer Versuch folgt";
    state_attention: "needs attention", "braucht Aufmerksamkeit";
    state_held: "held back: incomplete", "zurückgehalten: unvollständig";
    state_away: "at the doctor or in modeling", "in der Praxis oder Modellierung";
    state_published: "published", "abgelegt";
    state_removed: "removed (retention)", "entfernt (Aufbewahrungsfrist)";
    states_waiting: "waiting", "warten";
    states_attention: "need attention", "brauchen Aufmerksamkeit";
    // One order.
    patient: "Patient", "Patient";
    refetch: "Fetch again", "Neu holen";
    publish_anyway: "Publish anyway", "Trotzdem ablegen";
    ask_doctor: "Ask the doctor…", "Praxis fragen…";
    held_text: "This scan is incomplete, so it was not put into the hot folder. It is kept safe.",
        "Dieser Scan ist unvollständig und wurde darum nicht in den Auftragsordner gelegt. Er ist sicher aufbewahrt.";
    held_released: "This scan is incomplete. It is about to be put into the hot folder as it is.",
        "Dieser Scan ist unvollständig. Er wird gleich so, wie er ist, in den Auftragsordner gelegt.";
    findings: "Notes on these files", "Hinweise zu diesen Dateien";
    ask_text: "Please scan again. The scan we received is incomplete: {what}",
        "Bitte neu scannen. Der Scan, der uns erreicht hat, ist unvollständig: {what}";
    return_scan: "Return to the doctor…", "An die Praxis zurück…";
    open_folder: "Folder", "Ordner";
    no_folder: "not published yet", "noch nicht abgelegt";
    folder_gone: "no longer there: it was moved, deleted or changed",
        "nicht mehr dort: verschoben, gelöscht oder geändert";
    folder_taken: "taken from there (moved, deleted or emptied); noticed",
        "dort abgeholt (verschoben, gelöscht oder geleert); bemerkt";
    folder_removed: "removed from the hot folder", "aus dem Auftragsordner entfernt";
    next_try: "Next attempt", "Nächster Versuch";
    no_next_try: "none planned", "keiner geplant";
    attempts: "Attempts", "Versuche";
    since: "Since", "Seit";
    pictures: "Pictures", "Bilder";
    files: "Files", "Dateien";
    file: "File", "Datei";
    role: "Type", "Art";
    jaw: "Jaw", "Kiefer";
    size: "Size", "Größe";
    sha256: "SHA-256", "SHA-256";
    story: "History", "Verlauf";
    history: "Revisions", "Revisionen";
    reason: "Reason", "Grund";
    stands: "Location", "Ort";
    in_output: "in the hot folder", "im Auftragsordner";
    in_history: "replaced, but kept", "ersetzt, aber aufbewahrt";
    is_gone: "removed", "entfernt";
    missing: "Not available", "Nicht verfügbar";
    show_3d: "Show the scan in 3D", "Scan in 3D zeigen";
    names_hidden: "The prescription and screen captures name the patient and are not shown here (status_page.show_names).",
        "Rezept und Bildschirmfotos nennen den Patienten und werden hier nicht gezeigt (status_page.show_names).";
    // The 3D view.
    v_loading: "Loading the scan …", "Scan wird geladen …";
    v_failed: "The scan cannot be shown", "Der Scan kann nicht gezeigt werden";
    v_upper: "Upper jaw", "Oberkiefer";
    v_lower: "Lower jaw", "Unterkiefer";
    v_wireframe: "Wireframe", "Gitternetz";
    v_colours: "Colours", "Farben";
    v_reset: "Reset", "Zurücksetzen";
    v_front: "Front", "Vorn";
    v_left: "Left", "Links";
    v_right: "Right", "Rechts";
    v_top: "Top", "Oben";
    v_close: "Close", "Schließen";
    v_webgl: "This browser cannot show 3D (WebGL is missing).",
        "Dieser Browser kann kein 3D zeigen (WebGL fehlt).";
    v_hint: "Drag or use the arrow keys to turn; use the wheel or + and − to zoom.",
        "Zum Drehen ziehen oder Pfeiltasten drücken; zum Vergrößern Mausrad oder + und −.";
    v_stage: "The scan. Arrow keys turn it; + and − zoom.",
        "Der Scan. Pfeiltasten drehen; + und − vergrößern.";
    // Roles and jaws.
    role_scan: "scan", "Scan";
    role_texture: "texture", "Textur";
    role_metadata: "XML of the case", "XML des Falls";
    role_rx_pdf: "prescription (PDF)", "Rezept (PDF)";
    role_rx_html: "prescription (HTML)", "Rezept (HTML)";
    role_thumbnail: "picture", "Bild";
    role_capture: "screen capture", "Bildschirmfoto";
    role_attachment: "attachment", "Anhang";
    jaw_upper: "upper", "oben";
    jaw_lower: "lower", "unten";
    jaw_both: "both", "beide";
    // Why a revision exists.
    reason_first: "first scan", "erster Scan";
    reason_modeling: "after modeling", "nach der Modellierung";
    reason_rescan: "rescan", "neuer Scan";
    reason_interpretation: "interpretation 2", "Interpretation 2";
    reason_changed: "files changed", "Dateien geändert";
    reason_refetch: "fetched again on request", "auf Wunsch neu geholt";
    reason_extras: "pictures added", "Bilder nachgekommen";
    // Lines of an order's history.
    did_seen: "Seen at Align", "Bei Align gesehen";
    did_asked: "Requested", "Angefordert";
    did_fetching: "Fetching", "Wird geholt";
    did_failed: "Attempt failed", "Versuch gescheitert";
    did_parked: "Needs attention", "Braucht Aufmerksamkeit";
    did_published: "Published", "Abgelegt";
    did_held: "Held back: incomplete", "Zurückgehalten: unvollständig";
    did_released: "To be published anyway", "Wird trotzdem abgelegt";
    did_unchanged: "Unchanged", "Unverändert";
    did_extras: "Pictures did not arrive", "Bilder nicht gekommen";
    did_away: "Sent to the doctor or to modeling", "An Praxis oder Modellierung gegeben";
    did_left: "No longer on Align’s list", "Nicht mehr in Aligns Liste";
    did_taken: "Taken by another program", "Von anderem Programm geholt";
    did_returned: "Returned to the doctor", "An die Praxis zurückgeschickt";
    did_removed: "Removed (retention)", "Entfernt (Aufbewahrungsfrist)";
    did_kept: "Not removed", "Nicht entfernt";
    did_picked_up: "Picked up", "Abgeholt";
    did_back: "Back in the folder", "Wieder im Ordner";
    did_rebuilt: "Found again", "Wiedergefunden";
    did_forgotten: "Old revision removed", "Alte Revision entfernt";
    // Returning a scan.
    return_title: "Return the scan to the doctor", "Scan an die Praxis zurückschicken";
    return_warning: "Align asks the doctor to scan again and takes the order away from the lab. You cannot undo this here.",
        "Die Praxis wird um einen neuen Scan gebeten, und Align nimmt dem Labor den Auftrag ab. Das lässt sich hier nicht rückgängig machen.";
    return_reason: "Reason for the doctor", "Grund für die Praxis";
    return_reason_hint: "It is sent to Align and stored nowhere else.",
        "Er geht an Align und wird sonst nirgends aufbewahrt.";
    return_confirm: "Order number again, to confirm", "Auftragsnummer noch einmal, zur Bestätigung";
    return_do: "Return this scan", "Diesen Scan zurückschicken";
    cancel: "Cancel", "Abbrechen";
    // Commands and receipts.
    command_folder: "Command folder", "Befehlsordner";
    no_command_folder: "No command folder is set up. IT can name one in the config (commands).",
        "Es ist kein Befehlsordner eingerichtet. Die IT kann in der Konfiguration einen nennen (commands).";
    no_receipts: "No command has been answered yet.", "Noch wurde kein Befehl beantwortet.";
    asked: "Request", "Befehl";
    who: "Who", "Wer";
    when: "When", "Wann";
    result: "Result", "Ergebnis";
    happened: "What happened", "Was geschah";
    outcome_done: "done", "erledigt";
    outcome_refused: "not done", "nicht ausgeführt";
    outcome_failed: "failed", "gescheitert";
    outcome_login: "login needed", "Anmeldung nötig";
    outcome_differs: "done, with differences", "erledigt, mit Abweichungen";
    outcome_unknown: "unknown", "unbekannt";
    // Audit.
    audit_intro: "Who did what on this PC. IT can verify that no entry was changed or removed.",
        "Wer auf diesem PC was getan hat. Die IT kann prüfen, dass kein Eintrag verändert oder entfernt wurde.";
    no_audit: "Nothing is recorded yet.", "Noch ist nichts aufgezeichnet.";
    number: "No.", "Nr.";
    what: "Action", "Aktion";
    about: "Details", "Details";
    // Settings.
    settings_intro: "The settings in effect, and where each one comes from. Passwords and other secrets are not shown.",
        "Was gilt, und woher es kommt. Kennwörter und andere Geheimnisse werden nicht gezeigt.";
    key: "Key", "Schlüssel";
    value: "Value", "Wert";
    origin: "Source", "Herkunft";
    from_default: "default", "Vorgabe";
    from_file: "file", "Datei";
    from_environment: "environment", "Umgebung";
    from_policy: "policy", "Richtlinie";
    locked: "locked by an administrator", "vom Administrator gesperrt";
    only_written: "changed", "geändert";
    everything: "all", "alle";
    // Log.
    log_intro: "The most recent log lines, newest first. Older ones are in the log files (log.dir) or the system journal.",
        "Die neuesten Zeilen des Logs, neueste zuerst. Ältere stehen in den Logdateien (log.dir) oder im Journal des Systems.";
    no_lines: "No matching lines.", "Keine passenden Zeilen.";
    level: "Level", "Stufe";
    level_error: "Errors", "Fehler";
    level_warn: "Warnings and errors", "Warnungen und Fehler";
    level_info: "Info", "Info";
    level_all: "Debug", "Debug";
    // Signing in on the page.
    password: "Password", "Kennwort";
    password_title: "Casedrop on this PC", "Casedrop auf diesem PC";
    password_wrong: "Wrong password.", "Falsches Kennwort.";
    password_wait: "Too many attempts. Try again in {seconds} seconds.",
        "Zu viele Versuche. In {seconds} Sekunden noch einmal versuchen.";
    enter: "Sign in", "Anmelden";
    // Set-up.
    code_head: "Enter the set-up code", "Einrichtungscode eingeben";
    code_text: "Only the person who looks after this PC may change where orders go and who is logged in. The code proves that it is you. You need it only once in this browser.",
        "Nur wer diesen PC betreut, darf ändern, wohin Aufträge gehen und wer angemeldet ist. Der Code weist das nach. In diesem Browser wird er nur einmal gebraucht.";
    code_window: "If you started Casedrop in a window: the code is shown in that window.",
        "Wurde Casedrop in einem Fenster gestartet: Der Code steht in diesem Fenster.";
    code_in_file: "Otherwise ask IT. An administrator can find the code in this file:",
        "Sonst die IT fragen. Mit Administratorrechten findet man den Code in dieser Datei:";
    code: "Set-up code", "Einrichtungscode";
    code_enter: "Enter the code", "Code eingeben";
    code_first: "Nothing was changed. Enter the set-up code first.",
        "Es wurde nichts geändert. Bitte zuerst den Einrichtungscode eingeben.";
    code_wrong: "Wrong code, or one that was already used: each code works only once.",
        "Falscher Code, oder er wurde schon benutzt: Jeder Code gilt nur einmal.";
    code_before: "Enter the set-up code above to log in here.",
        "Zum Anmelden oben den Einrichtungscode eingeben.";
    welcome_title: "Set up Casedrop", "Casedrop einrichten";
    welcome_intro: "Four steps to the first order on this PC.",
        "Vier Schritte bis zum ersten Auftrag auf diesem PC.";
    step_login: "Log in to Align", "Bei Align anmelden";
    step_login_text: "Use the lab’s own Align user. Casedrop never sees the password.",
        "Mit dem eigenen Benutzer des Labors bei Align. Casedrop sieht das Kennwort nie.";
    step_account: "Choose the lab’s account", "Konto des Labors wählen";
    step_folder: "Choose the folder", "Ordner wählen";
    step_folder_text: "Orders appear here, each in its own folder. Point the CAD program at this folder.",
        "Hier erscheinen die Aufträge, jeder in einem eigenen Ordner. Diesen Ordner im CAD-Programm einstellen.";
    step_test: "Publish a test order", "Testauftrag ablegen";
    step_test_text: "A made-up order is put into the folder, so that you can see where real ones will appear and whether the CAD program finds them. It does not come from Align.",
        "Ein erfundener Auftrag wird in den Ordner gelegt, damit man sieht, wo echte erscheinen und ob das CAD-Programm sie findet. Er kommt nicht von Align.";
    test_publish: "Publish the test order", "Testauftrag ablegen";
    test_remove: "Remove the test order", "Testauftrag entfernen";
    step_done: "Done", "Fertig";
    step_now: "Next", "Jetzt";
    step_later: "Later", "Später";
    step_some: "Not all labs", "Nicht alle Labore";
    step_not_made: "Not done", "Nicht erledigt";
    login_going: "Align’s login page opens now. After the login you come back here.",
        "Die Anmeldeseite von Align öffnet sich jetzt. Nach der Anmeldung geht es hier weiter.";
    login_back: "Back to the set-up", "Zurück zur Einrichtung";
    login_link: "Open Align’s login page", "Anmeldeseite von Align öffnen";
    login_link_text: "The link is valid until {until}.", "Der Link gilt bis {until}.";
    login_waits: "This page continues automatically after the login.",
        "Diese Seite geht nach der Anmeldung von selbst weiter.";
    login_paste: "After the login, copy the whole address that the browser shows (the page itself may not load), and paste it here:",
        "Nach der Anmeldung die ganze Adresse kopieren, die der Browser zeigt (die Seite selbst lädt vielleicht nicht), und hier einfügen:";
    login_address: "Address after the login", "Adresse nach der Anmeldung";
    login_finish: "Finish the login", "Anmeldung abschließen";
    logged_in: "{lab} is paired with account {account}.", "{lab} ist mit Konto {account} gekoppelt.";
    use_account: "Use this account", "Dieses Konto verwenden";
    use_folder: "Use this folder", "Diesen Ordner verwenden";
    folder_path: "Folder for orders", "Ordner für Aufträge";
    all_set: "Set-up is complete. New orders now arrive automatically.",
        "Alles ist eingerichtet. Aufträge kommen jetzt von selbst.";
    set_but: "Set-up is complete, except for: {labs}. Their orders do not arrive yet.",
        "Eingerichtet, bis auf: {labs}. Deren Aufträge kommen noch nicht.";
    to_overview: "To the overview", "Zur Übersicht";
    next_step: "Continue", "Weiter";
    logged_in_only: "Logged in.", "Angemeldet.";
    folder_other: "Or another folder (full path)", "Oder ein anderer Ordner (vollständiger Pfad)";
    skip_test: "Skip", "Überspringen";
    bad_form: "This form is incomplete or has expired. Open the page again.",
        "Dieses Formular ist unvollständig oder abgelaufen. Bitte die Seite neu öffnen.";
    // Errors.
    not_found: "Page not found.", "Seite nicht gefunden.";
    not_found_order: "Order not found.", "Auftrag nicht gefunden.";
    cannot_show: "This page cannot be shown right now",
        "Diese Seite kann gerade nicht gezeigt werden";
}

/// Replaces the `{names}` in a text.
pub(super) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = text.to_owned();
    for (name, value) in values {
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    filled
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{first_start_texts, list_texts, order_texts, record_texts};
    use super::*;

    fn all() -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
        let others =
            [first_start_texts::NAMED, list_texts::NAMED, order_texts::NAMED, record_texts::NAMED];
        NAMED.iter().chain(others.into_iter().flatten())
    }

    fn gaps(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn every_language_says_everything_with_the_same_gaps() {
        for (name, english, german) in all() {
            assert!(!english.trim().is_empty() && !german.trim().is_empty(), "{name}");
            assert_eq!(gaps(english), gaps(german), "{name}");
        }
    }

    #[test]
    fn gaps_are_filled() {
        let text = fill(ENGLISH.of_total, &[("done", "2 kB"), ("total", "7 kB")]);
        assert_eq!(text, "2 kB of 7 kB");
    }
}
