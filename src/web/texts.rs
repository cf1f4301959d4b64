//! Every word of the page, in each of its languages. What the agent itself says (faults, receipts,
//! the log) is always English.

macro_rules! texts {
    ($($name:ident: $english:literal, $german:literal;)*) => {
        /// The words of one language.
        pub(super) struct Texts {
            $(pub(super) $name: &'static str,)*
        }

        /// English.
        pub(super) static ENGLISH: Texts = Texts { $($name: $english,)* };

        /// German.
        pub(super) static GERMAN: Texts = Texts { $($name: $german,)* };

        #[cfg(test)]
        const NAMED: &[(&str, &str, &str)] = &[$((stringify!($name), $english, $german),)*];
    };
}

texts! {
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
    log_out: "Log out", "Abmelden";
    other_language: "Deutsch", "English";
    offline: "No connection to Casedrop. What stands here may be old.",
        "Keine Verbindung zu Casedrop. Was hier steht, kann veraltet sein.";
    answer: "Answer", "Antwort";
    copied: "Copied", "Kopiert";
    rate: "{amount}/s", "{amount}/s";
    left: "{time} left", "noch {time}";
    of_total: "{done} of {total}", "{done} von {total}";
    // Overview.
    all_well: "All is well", "Alles in Ordnung";
    needs_person: "Needs attention", "Handlungsbedarf";
    good_to_know: "Good to know", "Gut zu wissen";
    retried: "Tried again automatically", "Wird von selbst noch einmal versucht";
    nothing_needed: "No action needed. New orders arrive automatically.",
        "Es ist nichts zu tun. Neue Aufträge kommen von selbst.";
    labs: "Labs", "Labore";
    account_head: "Account", "Konto";
    last_poll: "Last answer from Align", "Letzte Antwort von Align";
    next_poll: "Next poll", "Nächste Abfrage";
    last_publication: "Last order published", "Letzter Auftrag abgelegt";
    orders_today: "Orders today", "Aufträge heute";
    never: "never", "noch nie";
    poll_now: "Poll now", "Jetzt abfragen";
    pause: "Pause", "Pausieren";
    resume: "Resume", "Fortsetzen";
    log_in: "Log in", "Anmelden";
    choose_account: "Choose account", "Konto wählen";
    paused_by: "Paused by {who}", "Pausiert von {who}";
    downloads: "Being downloaded", "Wird heruntergeladen";
    no_downloads: "Nothing is being downloaded right now.", "Gerade wird nichts heruntergeladen.";
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
    staged: "{version} is ready to be tried out", "{version} liegt zum Ausprobieren bereit";
    on_trial: "{version} is on trial", "{version} wird ausprobiert";
    // The state of a lab.
    lab_polling: "Polling", "Fragt ab";
    lab_notified: "Polling, and notified of scans", "Fragt ab und erhält Scan-Meldungen";
    lab_never_notified: "Polling; no scan notification received yet",
        "Fragt ab; noch keine Scan-Meldung erhalten";
    lab_not_notified: "Polling; scan notifications do not arrive",
        "Fragt ab; Scan-Meldungen kommen nicht an";
    lab_paused: "Paused", "Pausiert";
    lab_login: "Login needed", "Anmeldung nötig";
    lab_login_ends: "Login ends soon", "Anmeldung endet bald";
    lab_unpaired: "Account not chosen", "Konto nicht gewählt";
    lab_unreachable: "Align unreachable", "Align nicht erreichbar";
    lab_waiting: "Waiting for Align’s first answer", "Wartet auf die erste Antwort von Align";
    lab_overdue: "No answer for too long", "Zu lange keine Antwort";
    lab_full: "Disk full", "Datenträger voll";
    lab_away: "Hot folder is away", "Auftragsordner fehlt";
    full_text: "There is less free space than has to stay free, so nothing is fetched. Orders stay at Align until there is room.",
        "Es ist weniger Platz frei, als frei bleiben muss; darum wird nichts geholt. Aufträge bleiben bei Align, bis Platz ist.";
    full_hint: "Make room on the volume of the hot folder, or set retention.keep in the config.",
        "Auf dem Datenträger des Auftragsordners Platz schaffen oder retention.keep in der Konfiguration setzen.";
    // Reasons.
    hours: "{n} h", "{n} h";
    minutes: "{n} min", "{n} min";
    stopped: "Casedrop is not running", "Casedrop läuft nicht";
    stopped_text: "Nothing is polled or fetched until it runs again.",
        "Bis es wieder läuft, wird nichts abgefragt oder geholt.";
    stopped_hint: "Start Casedrop, or ask whoever looks after this PC.",
        "Casedrop starten oder fragen, wer diesen PC betreut.";
    stuck: "Casedrop does not respond", "Casedrop reagiert nicht";
    stuck_text: "It has given no sign of life for {time}.", "Seit {time} gibt es kein Lebenszeichen.";
    stuck_hint: "Restart the service. If that happens again, send a support bundle.",
        "Den Dienst neu starten. Geschieht das wieder, ein Support-Paket schicken.";
    journal_fault: "The journal cannot be used", "Das Journal ist nicht benutzbar";
    journal_fault_text: "Nothing is fetched until it can be used again.",
        "Bis es wieder benutzbar ist, wird nichts geholt.";
    away_text: "Orders wait until it is back.", "Aufträge warten, bis er wieder da ist.";
    away_hint: "Bring the folder or its network share back. Casedrop then continues automatically.",
        "Den Ordner oder seine Freigabe zurückbringen. Casedrop macht dann von selbst weiter.";
    login_text: "No orders arrive for this lab until somebody logs in.",
        "Für dieses Labor kommen keine Aufträge, bis sich jemand anmeldet.";
    login_ends_text: "Align no longer renews this lab’s login. Orders still arrive for now.",
        "Align verlängert die Anmeldung dieses Labors nicht mehr. Noch kommen Aufträge an.";
    login_ends_hint: "Ask IT to log this lab in again in time. This page cannot do it while the present login still works.",
        "Die IT bitten, das Labor rechtzeitig neu anzumelden. Solange die jetzige Anmeldung gilt, geht das auf dieser Seite nicht.";
    unpaired_text: "No orders arrive for this lab until its account is chosen.",
        "Für dieses Labor kommen keine Aufträge, bis sein Konto gewählt ist.";
    overdue_text: "Align has not answered for too long, so new orders are not found.",
        "Align hat zu lange nicht geantwortet; neue Aufträge werden darum nicht gefunden.";
    overdue_hint: "Check the network, proxy and firewall of this PC, and whether Align has an outage.",
        "Netzwerk, Proxy und Firewall dieses PCs prüfen, und ob Align eine Störung hat.";
    orders_held: "Orders held back, since they are incomplete: {n}",
        "Aufträge, die unvollständig sind und zurückgehalten werden: {n}";
    orders_held_hint: "Look at each of them: publish it anyway, or ask the doctor for a new scan.",
        "Jeden ansehen: trotzdem ablegen, oder die Praxis um einen neuen Scan bitten.";
    need_attention: "Orders that need attention: {n}", "Aufträge mit Handlungsbedarf: {n}";
    downloads_paused: "Downloads are paused", "Downloads pausieren";
    downloads_paused_hint: "Usually nothing: Casedrop tries again automatically, and no order is lost. If it lasts, check the network and the proxy of this PC, and whether Align has an outage.",
        "Meist nichts: Casedrop versucht es von selbst wieder, und kein Auftrag geht verloren. Dauert es an, Netzwerk und Proxy dieses PCs prüfen, und ob Align eine Störung hat.";
    no_orders: "No new orders for unusually long", "Ungewöhnlich lange keine neuen Aufträge";
    no_orders_text: "Nothing was published for {time} of working time.",
        "Während {time} Arbeitszeit wurde nichts abgelegt.";
    no_orders_hint: "Ask a dentist whether a case was sent, and look for it at myitero.com. If this lab gets few cases, raise alerts.no_orders_after in the config.",
        "Bei einer Praxis nachfragen, ob ein Fall gesendet wurde, und ihn auf myitero.com suchen. Bekommt dieses Labor wenige Fälle, alerts.no_orders_after in der Konfiguration erhöhen.";
    disk_low: "Disk almost full", "Datenträger fast voll";
    unreachable_text: "Casedrop tries again automatically.", "Casedrop versucht es von selbst wieder.";
    listener: "Scan notifications cannot be received", "Scan-Meldungen können nicht empfangen werden";
    listener_text: "Until they can, orders are found by polling.",
        "So lange werden Aufträge durch Abfragen gefunden.";
    not_notified: "Scan notifications are missing", "Scan-Meldungen fehlen";
    not_notified_text: "Polling found orders that no scan notification announced: {n} so far.",
        "Durch Abfragen wurden Aufträge gefunden, die keine Scan-Meldung angekündigt hat: bisher {n}.";
    not_notified_hint: "Check notifications.public_url, the reverse proxy and firewall in front of it, and pair the labs again.",
        "notifications.public_url, den Reverse-Proxy und die Firewall davor prüfen, und die Labore neu koppeln.";
    taken_back: "An update did not work", "Eine Aktualisierung hat nicht funktioniert";
    taken_back_text: "The version before it is running again.", "Die Version davor läuft wieder.";
    journal_rebuilt: "The journal was made again", "Das Journal wurde neu angelegt";
    journal_rebuilt_hint: "If no order is missing, delete the folder of the old journal, if there is one.",
        "Fehlt kein Auftrag, den Ordner des alten Journals löschen, falls es ihn gibt.";
    note: "Note", "Hinweis";
    trial: "An update is on trial", "Eine Aktualisierung wird ausprobiert";
    trial_text: "If it does not work, the version before it comes back automatically.",
        "Funktioniert sie nicht, kommt die Version davor von selbst zurück.";
    paused_text: "Nothing new is polled or fetched until it is resumed.",
        "Bis zum Fortsetzen wird nichts Neues abgefragt oder geholt.";
    // Orders.
    search: "Search", "Suchen";
    search_hint: "Order number, code, Rx id or case type", "Auftragsnummer, Code, Rx-Id oder Falltyp";
    lab: "Lab", "Labor";
    state: "State", "Zustand";
    sort: "Sorted by", "Sortiert nach";
    any_lab: "all labs", "alle Labore";
    published_incomplete: "published, but incomplete", "abgelegt, aber unvollständig";
    any_files: "complete or not", "vollständig oder nicht";
    incomplete: "incomplete", "unvollständig";
    any_state: "all states", "alle Zustände";
    show: "Show", "Anzeigen";
    sort_newest: "heard of last", "zuletzt gemeldet";
    sort_oldest: "heard of longest ago", "am längsten nicht gemeldet";
    sort_highest: "number, highest first", "Nummer, höchste zuerst";
    sort_lowest: "number, lowest first", "Nummer, niedrigste zuerst";
    sort_case: "case type", "Falltyp";
    sort_state: "state", "Zustand";
    found_none: "No order matches.", "Kein Auftrag passt dazu.";
    found: "{n} orders", "{n} Aufträge";
    found_one: "1 order", "1 Auftrag";
    page_of: "Page {page} of {pages}", "Seite {page} von {pages}";
    previous: "Previous page", "Vorige Seite";
    next: "Next page", "Nächste Seite";
    order: "Order", "Auftrag";
    case_type: "Case type", "Falltyp";
    revision: "Revision", "Revision";
    published: "Published", "Abgelegt";
    heard: "Heard of last", "Zuletzt gemeldet";
    at_align: "At Align", "Bei Align";
    procedure: "Procedure", "Verfahren";
    rx_id: "Rx id", "Rx-Id";
    // The states of an order.
    state_waiting: "waiting", "wartet";
    state_regenerating: "Align is making the files", "Align erstellt die Dateien";
    state_retrying: "trying again", "neuer Versuch folgt";
    state_attention: "needs attention", "braucht Aufmerksamkeit";
    state_held: "held back: incomplete", "zurückgehalten: unvollständig";
    state_away: "sent on, expected back", "weitergegeben, kommt zurück";
    state_published: "published", "abgelegt";
    state_removed: "removed, too old", "entfernt, zu alt";
    // One order.
    patient: "Patient", "Patient";
    refetch: "Fetch again", "Neu holen";
    publish_anyway: "Publish anyway", "Trotzdem ablegen";
    ask_doctor: "Ask the doctor…", "Praxis fragen…";
    held_text: "This scan is incomplete. It is kept safely and was not put into the hot folder.",
        "Dieser Scan ist unvollständig. Er ist sicher aufbewahrt und wurde nicht in den Auftragsordner gelegt.";
    held_released: "This scan is incomplete, and is about to be put into the hot folder as it is.",
        "Dieser Scan ist unvollständig und wird gerade so, wie er ist, in den Auftragsordner gelegt.";
    findings: "What was noticed about these files", "Was an diesen Dateien auffiel";
    ask_text: "Please scan again. The scan that reached us is incomplete: {what}",
        "Bitte neu scannen. Der Scan, der uns erreicht hat, ist unvollständig: {what}";
    return_scan: "Return to the doctor…", "An die Praxis zurück…";
    open_folder: "Folder", "Ordner";
    no_folder: "not published yet", "noch nicht abgelegt";
    folder_gone: "not there any more: somebody took or changed it", "nicht mehr dort: jemand hat ihn weggenommen oder geändert";
    folder_removed: "removed from the output", "aus dem Auftragsordner entfernt";
    next_try: "Next try", "Nächster Versuch";
    no_next_try: "not by itself", "nicht von selbst";
    attempts: "Attempts", "Versuche";
    since: "Since", "Seit";
    pictures: "Pictures", "Bilder";
    files: "Files", "Dateien";
    file: "File", "Datei";
    role: "What it is", "Was es ist";
    jaw: "Jaw", "Kiefer";
    size: "Size", "Größe";
    sha256: "SHA-256", "SHA-256";
    story: "What happened to it", "Was mit ihm geschah";
    history: "Revisions", "Revisionen";
    reason: "Reason", "Grund";
    stands: "Stands", "Liegt";
    in_output: "in the hot folder", "im Auftragsordner";
    in_history: "kept as replaced", "als ersetzt aufbewahrt";
    is_gone: "removed", "entfernt";
    missing: "Asked for and not there", "Angefordert und nicht vorhanden";
    scan_3d: "Scan in 3D", "Scan in 3D";
    show_3d: "Show the scan in 3D", "Scan in 3D zeigen";
    names_hidden: "Prescription and screen captures name the patient and are not shown here (status_page.show_names).",
        "Rezept und Bildschirmfotos nennen den Patienten und werden hier nicht gezeigt (status_page.show_names).";
    // The 3D view.
    v_loading: "Loading the scan …", "Scan wird geladen …";
    v_failed: "The scan cannot be shown", "Der Scan kann nicht gezeigt werden";
    v_upper: "Upper jaw", "Oberkiefer";
    v_lower: "Lower jaw", "Unterkiefer";
    v_other: "Other", "Weitere";
    v_wireframe: "Wireframe", "Gitternetz";
    v_colours: "Colours", "Farben";
    v_reset: "Reset", "Zurücksetzen";
    v_front: "Front", "Vorn";
    v_left: "Left", "Links";
    v_right: "Right", "Rechts";
    v_top: "Top", "Oben";
    v_close: "Close", "Schließen";
    v_webgl: "This browser does not draw in 3D (WebGL is missing).",
        "Dieser Browser zeichnet nicht in 3D (WebGL fehlt).";
    v_hint: "Drag or use the arrow keys to turn, the wheel or + and − to zoom.",
        "Ziehen oder Pfeiltasten drehen, Rad oder + und − vergrößern.";
    v_stage: "The scan; arrow keys turn it, + and − zoom", "Der Scan; Pfeiltasten drehen, + und − vergrößern";
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
    reason_extras: "pictures arrived", "Bilder nachgekommen";
    // Lines of an order's history.
    did_seen: "Seen at Align", "Bei Align gesehen";
    did_asked: "Asked for by a person", "Von jemandem angefordert";
    did_fetching: "Fetching", "Wird geholt";
    did_failed: "Attempt failed", "Versuch gescheitert";
    did_parked: "Needs attention", "Braucht Aufmerksamkeit";
    did_published: "Published", "Abgelegt";
    did_held: "Held back: incomplete", "Zurückgehalten: unvollständig";
    did_released: "To be published anyway", "Wird trotzdem abgelegt";
    did_unchanged: "Unchanged", "Unverändert";
    did_extras: "Pictures did not arrive", "Bilder nicht gekommen";
    did_away: "Sent on", "Weitergegeben";
    did_left: "Left Align’s list", "Nicht mehr in Aligns Liste";
    did_taken: "Taken by another program", "Von anderem Programm geholt";
    did_returned: "Returned to the doctor", "An die Praxis zurückgeschickt";
    did_removed: "Removed because of its age", "Wegen des Alters entfernt";
    did_kept: "Left alone", "Belassen";
    did_rebuilt: "Found again", "Wiedergefunden";
    did_forgotten: "Forgotten", "Vergessen";
    // Returning a scan.
    return_title: "Return the scan to the doctor", "Scan an die Praxis zurückschicken";
    return_warning: "The doctor is asked to scan again, and Align takes the order away from the lab. This cannot be undone here.",
        "Die Praxis wird um einen neuen Scan gebeten, und Align nimmt dem Labor den Auftrag ab. Das lässt sich hier nicht rückgängig machen.";
    return_reason: "Reason, for the doctor", "Grund, für die Praxis";
    return_reason_hint: "It goes to Align and is kept nowhere else.", "Er geht an Align und wird sonst nirgends aufbewahrt.";
    return_confirm: "Order number, once more", "Auftragsnummer, noch einmal";
    return_do: "Return this scan", "Diesen Scan zurückschicken";
    cancel: "Cancel", "Abbrechen";
    // Commands and receipts.
    commands_intro: "Who drops a small file into the command folder is answered with a receipt there. The last receipts:",
        "Wer eine kleine Datei in den Befehlsordner legt, bekommt dort eine Quittung. Die letzten Quittungen:";
    command_folder: "Command folder", "Befehlsordner";
    no_command_folder: "There is no command folder. The key `commands` in the config names one.",
        "Es gibt keinen Befehlsordner. Der Schlüssel `commands` in der Konfiguration nennt einen.";
    no_receipts: "No command has been answered yet.", "Noch wurde kein Befehl beantwortet.";
    asked: "Asked", "Verlangt";
    who: "Who", "Wer";
    when: "When", "Wann";
    result: "Result", "Ergebnis";
    happened: "What happened", "Was geschah";
    outcome_done: "done", "erledigt";
    outcome_refused: "not done", "nicht ausgeführt";
    outcome_failed: "failed", "gescheitert";
    outcome_login: "login needed", "Anmeldung nötig";
    outcome_differs: "done, with differences", "erledigt, mit Abweichungen";
    outcome_unknown: "not known", "unbekannt";
    // Audit.
    audit_intro: "Who did what on this PC. `casedrop audit --verify` checks that nothing was changed.",
        "Wer auf diesem PC was getan hat. `casedrop audit --verify` prüft, dass nichts verändert wurde.";
    no_audit: "Nothing is recorded yet.", "Noch ist nichts aufgezeichnet.";
    number: "No.", "Nr.";
    way: "Way", "Weg";
    what: "What", "Was";
    about: "About", "Worüber";
    // Settings.
    settings_intro: "What is in force, and where it comes from. Passwords and other secrets are not shown.",
        "Was gilt, und woher es kommt. Kennwörter und andere Geheimnisse werden nicht gezeigt.";
    key: "Key", "Schlüssel";
    value: "Value", "Wert";
    origin: "From", "Herkunft";
    from_default: "default", "Vorgabe";
    from_file: "file", "Datei";
    from_environment: "environment", "Umgebung";
    from_policy: "policy", "Richtlinie";
    locked: "locked by an administrator", "von der Verwaltung gesperrt";
    only_written: "only what somebody set", "nur Gesetztes";
    everything: "everything", "alles";
    // Log.
    log_intro: "The last lines of this process, newest first. Older ones are in the log files (log.dir) or the system’s journal.",
        "Die letzten Zeilen dieses Prozesses, neueste zuerst. Ältere stehen in den Logdateien (log.dir) oder im Journal des Systems.";
    no_lines: "No line matches.", "Keine Zeile passt dazu.";
    level: "Level", "Stufe";
    level_error: "errors", "Fehler";
    level_warn: "warnings too", "auch Warnungen";
    level_info: "what happened too", "auch Ereignisse";
    level_all: "details too", "auch Einzelheiten";
    // Signing in on the page.
    password: "Password", "Kennwort";
    password_title: "Casedrop on this PC", "Casedrop auf diesem PC";
    password_wrong: "That is not the password.", "Das ist nicht das Kennwort.";
    password_wait: "Too many attempts. Try again in {seconds} seconds.",
        "Zu viele Versuche. In {seconds} Sekunden noch einmal versuchen.";
    enter: "Enter", "Eintreten";
    // Set-up.
    code_head: "Enter the set-up code", "Einrichtungscode eingeben";
    code_text: "Only whoever looks after this PC may change where orders go and who is logged in. The code proves that. It is needed once in this browser.",
        "Nur wer diesen PC betreut, darf ändern, wohin Aufträge gehen und wer angemeldet ist. Der Code weist das nach. In diesem Browser wird er nur einmal gebraucht.";
    code_window: "If you started Casedrop in a window: the code is shown in that window.",
        "Wurde Casedrop in einem Fenster gestartet: Der Code steht in diesem Fenster.";
    code_in_file: "Otherwise ask whoever looks after this PC. An administrator finds the code in this file:",
        "Sonst bitte fragen, wer diesen PC betreut. Mit Administratorrechten findet man den Code in dieser Datei:";
    code: "Set-up code", "Einrichtungscode";
    code_enter: "Enter the code", "Code eingeben";
    code_first: "Nothing was changed: the set-up code is needed first.",
        "Es wurde nichts geändert: Zuerst wird der Einrichtungscode gebraucht.";
    code_wrong: "That is not the code, or it was used already: each code works once.",
        "Das ist nicht der Code, oder er wurde schon benutzt: Jeder Code gilt nur einmal.";
    code_before: "Enter the set-up code above to log in here.",
        "Zum Anmelden oben den Einrichtungscode eingeben.";
    welcome_title: "Set up Casedrop", "Casedrop einrichten";
    welcome_intro: "Four steps from here to the first order on this PC.",
        "Vier Schritte bis zum ersten Auftrag auf diesem PC.";
    step_login: "Log in at Align", "Bei Align anmelden";
    step_login_text: "With the lab’s own user at Align. Casedrop never sees the password.",
        "Mit dem eigenen Benutzer des Labors bei Align. Casedrop sieht das Kennwort nie.";
    step_account: "Choose the lab’s account", "Konto des Labors wählen";
    step_folder: "Choose the folder", "Ordner wählen";
    step_folder_text: "Here orders appear, each in a folder of its own. Point the CAD program at it.",
        "Hier erscheinen die Aufträge, jeder in einem eigenen Ordner. Das CAD-Programm auf ihn richten.";
    step_test: "Publish a test order", "Testauftrag ablegen";
    step_test_text: "A made-up order goes the whole way into the folder, so that you see where real ones will appear and whether the CAD program finds them. It does not come from Align.",
        "Ein erfundener Auftrag geht den ganzen Weg in den Ordner, damit man sieht, wo echte erscheinen und ob das CAD-Programm sie findet. Er kommt nicht von Align.";
    test_publish: "Publish the test order", "Testauftrag ablegen";
    test_remove: "Remove the test order", "Testauftrag entfernen";
    step_done: "Done", "Fertig";
    step_now: "Next", "Jetzt";
    step_later: "Later", "Später";
    step_some: "Not all labs", "Nicht alle Labore";
    step_not_made: "Not done", "Nicht gemacht";
    login_link: "Open Align’s login page", "Anmeldeseite von Align öffnen";
    login_link_text: "The link is good until {until}.", "Der Link gilt bis {until}.";
    login_waits: "This page goes on by itself after the login.", "Diese Seite geht nach der Anmeldung von selbst weiter.";
    login_paste: "After the login, copy the whole address that the browser shows (the page itself may not load), and paste it here:",
        "Nach der Anmeldung die ganze Adresse kopieren, die der Browser zeigt (die Seite selbst lädt vielleicht nicht), und hier einfügen:";
    login_address: "Address after the login", "Adresse nach der Anmeldung";
    login_finish: "Finish the login", "Anmeldung abschließen";
    logged_in: "{lab} is paired with account {account}.", "{lab} ist mit Konto {account} gekoppelt.";
    use_account: "Use this account", "Dieses Konto verwenden";
    use_folder: "Use this folder", "Diesen Ordner verwenden";
    folder_path: "Folder for orders", "Ordner für Aufträge";
    all_set: "All is set up. Orders come in by themselves from now on.",
        "Alles ist eingerichtet. Aufträge kommen jetzt von selbst.";
    set_but: "Set up, except for labs that nobody is logged in for: {labs}. Their orders do not arrive yet.",
        "Eingerichtet, bis auf Labore ohne Anmeldung: {labs}. Ihre Aufträge kommen noch nicht.";
    to_overview: "To the overview", "Zur Übersicht";
    next_step: "Go on", "Weiter";
    logged_in_only: "Logged in.", "Angemeldet.";
    folder_other: "Or another folder (its whole path)", "Oder ein anderer Ordner (der ganze Pfad)";
    skip_test: "Skip this", "Überspringen";
    bad_form: "This form is incomplete or too old: open the page again.",
        "Dieses Formular ist unvollständig oder zu alt: die Seite neu öffnen.";
    // Errors.
    not_found: "There is nothing here.", "Hier ist nichts.";
    not_found_order: "Casedrop knows no such order.", "Einen solchen Auftrag kennt Casedrop nicht.";
    cannot_show: "This cannot be shown now", "Das kann gerade nicht gezeigt werden";
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

    use super::*;

    fn gaps(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn every_language_says_everything_with_the_same_gaps() {
        for (name, english, german) in NAMED {
            assert!(!english.trim().is_empty() && !german.trim().is_empty(), "{name}");
            assert_eq!(gaps(english), gaps(german), "{name}");
        }
    }

    #[test]
    fn gaps_are_filled() {
        let text = fill(ENGLISH.page_of, &[("page", "2"), ("pages", "7")]);
        assert_eq!(text, "Page 2 of 7");
    }
}
