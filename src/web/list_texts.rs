//! The words for finding orders: the header of every page, the lists, the overview, and what the
//! page answers to its own buttons. The other words are in [`texts`](super::texts).

use super::texts::texts;

texts! {
    Texts;
    // The header of every page.
    search_orders: "Search orders", "Aufträge suchen";
    search_do: "Search", "Suchen";
    search_hint: "Number, code, doctor, due date, case type, lab",
        "Nummer, Code, Behandler, Termin, Falltyp, Labor";
    search_hint_names: "Number, code, patient, doctor, due date, case type, lab",
        "Nummer, Code, Patient, Behandler, Termin, Falltyp, Labor";
    diagnostics: "Diagnostics", "Diagnose";
    diagnostics_intro: "What IT needs when something does not work.",
        "Was die IT braucht, wenn etwas nicht geht.";
    log_about: "What Casedrop is doing, line by line.", "Was Casedrop tut, Zeile für Zeile.";
    audit_about: "Who did what on this PC, and when.", "Wer auf diesem PC wann was getan hat.";
    commands_about: "Files dropped into the command folder, and the answers to them.",
        "Dateien im Befehlsordner und die Quittungen dazu.";
    settings_about: "The settings in effect, and where each one comes from.",
        "Was eingestellt ist, und woher es kommt.";
    // The list.
    searched_for: "Search: {text}", "Suche: {text}";
    search_off: "Remove the search", "Suche aufheben";
    filters_off: "Remove all filters", "Alle Filter aufheben";
    search_all: "Search all orders for “{text}”", "In allen Aufträgen nach „{text}“ suchen";
    nothing_here: "Maybe the filters hide it.", "Vielleicht verbergen es die Filter.";
    from_day: "Received from", "Eingang ab";
    until_day: "Received to", "Eingang bis";
    sort_published: "last published first", "zuletzt abgelegte zuerst";
    first_page: "First page", "Erste Seite";
    last_page: "Last page", "Letzte Seite";
    page: "Page", "Seite";
    go: "Go", "Gehe zu";
    of_pages: "of {pages}", "von {pages}";
    // A number that is not known here.
    unknown: "Order {order} is not known on this PC", "Auftrag {order} ist auf diesem PC nicht bekannt";
    unknown_why: "Possible reasons:", "Mögliche Gründe:";
    unknown_not_sent: "The practice has not sent it yet, or Align has not passed it on to the lab yet.",
        "Die Praxis hat ihn noch nicht gesendet, oder Align hat ihn noch nicht an das Labor weitergegeben.";
    unknown_other_lab: "It was sent to another lab.", "Er wurde an ein anderes Labor gesendet.";
    unknown_other_account: "It belongs to another account than the one that this lab is paired with.",
        "Er gehört zu einem anderen Konto als dem, mit dem dieses Labor gekoppelt ist.";
    unknown_typing: "The number is mistyped.", "Die Nummer ist vertippt.";
    unknown_old: "It was finished before Casedrop was set up here: then it can be fetched by its number.",
        "Er war schon fertig, bevor Casedrop hier eingerichtet wurde: Dann lässt er sich mit seiner Nummer holen.";
    fetch: "Fetch from Align by number", "Mit der Nummer bei Align holen";
    fetch_kind: "Kind of case", "Art des Falls";
    kind_restorative: "restorative", "restaurativ";
    kind_ortho: "orthodontic", "kieferorthopädisch";
    fetch_requested: "Order {order} is being requested from Align",
        "Auftrag {order} wird bei Align angefordert";
    fetch_requested_text: "This page opens the order as soon as Casedrop has asked for it.",
        "Diese Seite öffnet den Auftrag, sobald Casedrop ihn angefordert hat.";
    // The overview.
    need_one: "1 thing needs attention.", "1 Sache braucht Aufmerksamkeit.";
    need_some: "{n} things need attention.", "{n} Sachen brauchen Aufmerksamkeit.";
    today_none: "No orders published today.", "Heute noch kein Auftrag abgelegt.";
    today_one: "1 order published today.", "Heute 1 Auftrag abgelegt.";
    today_some: "{n} orders published today.", "Heute {n} Aufträge abgelegt.";
    answered: "Last answer from Align: {time}.", "Letzte Antwort von Align: {time}.";
    today: "Today’s orders", "Aufträge von heute";
    today_empty: "None yet.", "Noch keine.";
    today_all: "All {n} orders of today", "Alle {n} Aufträge von heute";
    all_orders: "All orders", "Alle Aufträge";
    by_state: "Orders by state", "Aufträge nach Zustand";
    time: "Time", "Zeit";
    last_answer: "last answer {time}", "letzte Antwort {time}";
    next_check: "next check {time}", "nächste Abfrage {time}";
    never_answered: "no answer yet", "noch keine Antwort";
    today_of_lab: "{n} today", "{n} heute";
    // What to do about what needs attention.
    login_hint: "Press Log in. If you do not have the lab’s login at Align, ask the person who has it.",
        "Auf Anmelden drücken. Wer den Zugang des Labors bei Align nicht hat, fragt, wer ihn hat.";
    unpaired_hint: "Press Choose account.", "Auf Konto wählen drücken.";
    journal_hint: "Ask IT to look at the log and at the disk that holds Casedrop’s state.",
        "Die IT bitten, das Log und den Datenträger mit dem Zustand von Casedrop anzusehen.";
    attention_hint: "Open each one: its page says what to do.",
        "Jeden öffnen: Seine Seite sagt, was zu tun ist.";
    unreachable_hint: "Usually nothing. If it lasts, check the network and the proxy of this PC, and whether Align has an outage.",
        "Meist nichts. Dauert es an, Netzwerk und Proxy dieses PCs prüfen, und ob Align eine Störung hat.";
    listener_hint: "Ask IT whether another program uses the port of the scan notifications.",
        "Die IT fragen, ob ein anderes Programm den Port der Scan-Meldungen benutzt.";
    taken_back_hint: "Ask IT to look at the log; it says why the new version did not work.",
        "Die IT bitten, ins Log zu sehen; dort steht, warum die neue Version nicht ging.";
    note_hint: "Ask IT if you do not know what it is about.",
        "Die IT fragen, wenn unklar ist, worum es geht.";
    trial_hint: "Nothing.", "Nichts.";
    paused_hint: "Press Resume when orders should arrive again.",
        "Auf Fortsetzen drücken, wenn wieder Aufträge kommen sollen.";
    starting_hint: "Nothing: it takes a few seconds.", "Nichts: Das dauert einige Sekunden.";
    // Answers.
    said_paused: "{lab} is paused. Running downloads will finish; new orders wait.",
        "{lab} ist pausiert. Laufende Downloads werden fertig; neue Aufträge warten.";
    said_resume: "To continue, press Resume.", "Weiter geht es mit Fortsetzen.";
    said_resumed: "{lab} looks for new orders again.", "{lab} sucht wieder nach neuen Aufträgen.";
    said_polling: "{lab} is asking Align now.", "{lab} fragt jetzt bei Align nach.";
    said_poll_later: "{lab} asks Align at {time}. Align does not allow it sooner.",
        "{lab} fragt um {time} bei Align nach. Eher erlaubt Align es nicht.";
    said_fetch: "Order {order} will be fetched again.", "Auftrag {order} wird neu geholt.";
    said_fetch_new: "Order {order} is requested from Align by its number. If Align does not have it, its page will say so.",
        "Auftrag {order} wird mit seiner Nummer bei Align angefordert. Hat Align ihn nicht, steht das auf seiner Seite.";
    said_fetch_paused: "But {lab} is paused: it waits until somebody presses Resume on the overview.",
        "Aber {lab} ist pausiert: Er wartet, bis jemand auf der Übersicht auf Fortsetzen drückt.";
    said_publish: "Order {order} will be published as it is.",
        "Auftrag {order} wird so abgelegt, wie er ist.";
    said_returned: "Order {order} went back to the doctor.", "Auftrag {order} ging zurück an die Praxis.";
    said_rescan: "The new scan arrives under the same number.",
        "Der neue Scan kommt unter derselben Nummer.";
    // Returning a scan.
    confirm_wrong: "Nothing was sent: the number you typed is not {order}. Your reason is still here.",
        "Es wurde nichts gesendet: Die eingetippte Nummer ist nicht {order}. Der Grund steht noch da.";
    reason_missing: "Nothing was sent: tell the doctor in a few words what to scan again.",
        "Es wurde nichts gesendet: Bitte der Praxis in wenigen Worten sagen, was neu zu scannen ist.";
}
