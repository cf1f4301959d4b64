//! One order: its state, its files, its history, its scan.

use std::path::Path;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path as InPath, State};
use axum::response::Response;

pub(super) use super::address::{InAddress, href, named};
use super::data::{OrderView, RevisionView};
use super::frame::{Call, Frame, show};
use super::markup::{When, number, size};
use super::order_files::{self, FileGroup};
use super::order_texts::OrderTexts;
use super::overview::DownloadView;
use super::pictures::{self, Picture};
use super::prescription;
use super::scans::{self, ScanLink};
use super::shared::Shared;
use super::story::{self, LineView};
use super::texts::{Texts, fill};
use super::unknown::not_here;
use super::words::Tone;
use super::{archive, files};
use crate::model::fault::FaultClass;
use crate::model::manifest::{Finding, Manifest, ManifestFile, Role};
use crate::model::record::{OrderRecord, Place, Retired, Trouble};
use crate::model::staff::for_staff;
use crate::model::time::WallMs;
use crate::status::{RunningDownload, Stage};

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    frame: Frame,
    w: &'static OrderTexts,
    path: String,
    /// The order's number.
    order: String,
    code: String,
    patient: Option<String>,
    names_hidden: bool,
    tone: Tone,
    state: String,
    facts: Vec<(&'static str, String)>,
    heard: When,
    trouble: Option<TroubleView>,
    /// Findings about the files.
    findings: Vec<FindingView>,
    /// The held revision.
    held: Option<HeldBox>,
    folder: Option<String>,
    folder_gone: bool,
    /// When the folder was found to be taken.
    picked_up: Option<When>,
    no_folder: &'static str,
    can_return: bool,
    download: Option<DownloadView>,
    /// The meshes, for the viewer's script.
    meshes: Option<String>,
    /// The same as links.
    scans: Vec<ScanLink>,
    pictures: Vec<Picture>,
    /// The files of the prescription: URL and words.
    prescription: Vec<(String, &'static str)>,
    groups: Vec<FileGroup>,
    /// URL and words.
    download_all: Option<(String, String)>,
    missing: String,
    revisions: Vec<RevisionLine>,
    story: Vec<LineView>,
}

struct TroubleView {
    tone: Tone,
    message: String,
    hint: Option<String>,
    attempts: u32,
    since: When,
    next_try: Option<When>,
}

/// The held revision.
struct HeldBox {
    since: When,
    /// Whether it is to be published anyway.
    released: bool,
}

/// One finding, in words.
struct FindingView {
    tone: Tone,
    /// In the page's language, if the page has words for it.
    text: String,
    /// The language of those words.
    lang: &'static str,
    file: String,
}

struct RevisionLine {
    number: u32,
    reason: &'static str,
    at: When,
    files: usize,
    size: String,
    sha256: String,
    stands: String,
    folder: Option<String>,
}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    InPath(parts): InAddress,
    mut call: Call,
) -> Response {
    let Some(key) = named(parts) else { return call.nothing(call.texts.not_found_order) };
    let (show_names, wanted) = (shared.show_names, key.clone());
    let asked = shared.ask(move |data| {
        let found = data.order(&key)?;
        let patient = found.as_ref().filter(|_| show_names).and_then(|_| data.patient(&key));
        Ok((found, patient, data.transfers().remove(&key)))
    });
    let (view, patient, transfer) = match asked.await {
        Ok((Some(view), patient, transfer)) => (view, patient, transfer),
        Ok((None, ..)) => {
            return not_here(&shared, &call, &wanted.order, wanted.lab.as_str()).await;
        }
        Err(fault) => return call.cannot(&fault),
    };
    call.drop_answer(|answer| answer.is_settled_by(settled(&view.record)));
    let download = transfer.map(|transfer| {
        let running = RunningDownload::of(view.record.key.clone(), &transfer, Stage::Downloading);
        DownloadView::of(&running, call.lang)
    });
    show(&OrderPage { patient, download, ..OrderPage::of(&view, &call, show_names) })
}

/// When an attempt to fetch the order last ended: published or failed.
fn settled(record: &OrderRecord) -> Option<WallMs> {
    let published = record.published.as_ref().map(|one| one.at.max(one.confirmed));
    let failed = record.trouble.as_ref().map(|trouble| trouble.since);
    published.max(failed)
}

impl OrderPage {
    /// Whether any finding is serious.
    fn is_incomplete(&self) -> bool {
        self.findings.iter().any(|one| one.tone == Tone::Bad)
    }

    /// Whether a person still has to decide.
    fn is_undecided(&self) -> bool {
        self.held.as_ref().is_some_and(|held| !held.released)
    }

    fn of(view: &OrderView, call: &Call, show_names: bool) -> Self {
        let (t, w, lang) = (call.texts, call.lang.order_texts(), call.lang.code());
        let record = &view.record;
        let key = &record.key;
        let path = href(key);
        let state = record.state();
        // The revision on disk; without it there is nothing to show.
        let newest = view.revisions.first();
        let standing = newest.filter(|revision| revision.folder.is_some());
        let held = view.held.as_ref();
        // Show what a person has to decide on, else what is published.
        let shown_manifest =
            held.map(|held| &held.manifest).or(newest.map(|revision| &revision.manifest));
        let all = shown_manifest.map(|manifest| manifest.files.as_slice()).unwrap_or_default();
        let of_role = |wanted: Role| all.iter().filter(move |file| file.role == wanted);
        let at_hand = shown_manifest.and_then(|it| view.at_hand(it.revision));
        let address = |file: &ManifestFile| {
            at_hand
                .filter(|_| files::may_show(file.role, show_names))
                .map(|manifest| files::href(&path, manifest.revision, &file.path))
        };
        let meshes = scans::meshes(of_role(Role::Scan), &address, call.lang);
        let prescription =
            all.iter().filter(|file| matches!(file.role, Role::RxPdf | Role::RxHtml));
        let findings = shown_manifest.map(|it| it.findings.as_slice()).unwrap_or_default();
        let named = |role| {
            matches!(role, Role::RxPdf | Role::RxHtml | Role::ScreenCapture | Role::Metadata)
        };
        Self {
            w,
            frame: call.frame(format!("{} {}", t.order, key.order), "orders"),
            order: key.order.to_string(),
            code: record.remote.order_code.clone().unwrap_or_default(),
            patient: None,
            names_hidden: !show_names && all.iter().any(|file| named(file.role)),
            tone: Tone::of_state(state),
            state: t.state_of(record),
            facts: facts(view, call),
            heard: When::at(record.last_seen),
            trouble: record.trouble.as_ref().filter(|_| record.is_wanted()).map(TroubleView::of),
            findings: findings.iter().map(|one| FindingView::of(one, call)).collect(),
            held: held.map(|held| HeldBox { since: When::at(held.at), released: held.released }),
            folder: view.folder.as_deref().map(shown),
            folder_gone: standing.is_none(),
            picked_up: record.picked_up.map(When::at),
            no_folder: if record.retired == Retired::Yes { t.folder_removed } else { t.no_folder },
            can_return: !record.is_away(),
            download: None,
            scans: meshes.iter().map(|mesh| mesh.link(lang)).collect(),
            meshes: (!meshes.is_empty())
                .then(|| serde_json::to_string(&meshes).unwrap_or_default()),
            pictures: at_hand.map(|it| pictures::of(it, &path, show_names, w)).unwrap_or_default(),
            prescription: prescription
                .filter_map(|file| Some((address(file)?, t.role_of(file.role))))
                .collect(),
            groups: order_files::groups(all, &address, (t, w), lang),
            download_all: at_hand.and_then(|it| download_all(it, &path, show_names, call)),
            missing: shown_manifest.map(|manifest| missing(manifest, t)).unwrap_or_default(),
            revisions: view.revisions.iter().map(|one| RevisionLine::of(one, t, lang)).collect(),
            story: story::lines(&view.story, t, w, lang),
            path,
        }
    }
}

fn facts(view: &OrderView, call: &Call) -> Vec<(&'static str, String)> {
    let t = call.texts;
    let record = &view.record;
    let (remote, lang) = (&record.remote, call.lang.code());
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let rx = remote.rx_id.as_ref().map(ToString::to_string).unwrap_or_default();
    let facts = [
        (t.lab, record.key.lab.to_string()),
        (t.account_head, record.key.account.to_string()),
        (t.case_type, text(&remote.case_type)),
        (t.due_date, record.due_date().map_or_else(String::new, |day| day.in_words(lang))),
        (t.doctor, record.doctor().unwrap_or_default().to_owned()),
        (t.procedure, record.procedure().unwrap_or_default().to_owned()),
        (t.teeth, prescription::teeth(record.teeth(), call.lang)),
        (t.rx_id, rx),
        (t.at_align, remote.status.to_string()),
    ];
    facts.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

/// The URL of all files in one zip, and the words for it. A single file needs none.
fn download_all(
    manifest: &Manifest,
    path: &str,
    show_names: bool,
    call: &Call,
) -> Option<(String, String)> {
    let (w, lang) = (call.lang.order_texts(), call.lang.code());
    let all = &manifest.files;
    let shown: Vec<_> = all.iter().filter(|file| files::may_show(file.role, show_names)).collect();
    let bytes = shown.iter().map(|file| file.size).sum();
    let words = if shown.len() == all.len() { w.download_all } else { w.download_shown };
    let values = [("n", &*number(shown.len(), lang)), ("size", &*size(bytes, lang))];
    (shown.len() > 1).then(|| (archive::href(path, manifest.revision), fill(words, &values)))
}

/// The parts that were requested and are not available.
fn missing(manifest: &Manifest, t: &Texts) -> String {
    let missing: Vec<_> = manifest.missing.iter().map(|name| t.asset(name)).collect();
    missing.join(", ")
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

impl FindingView {
    fn of(finding: &Finding, call: &Call) -> Self {
        let own = call.texts.finding(&finding.code);
        Self {
            tone: Tone::of_severity(finding.severity),
            text: own.map_or_else(|| finding.words.clone(), str::to_owned),
            lang: if own.is_some() { call.lang.code() } else { "en" },
            file: finding.path.clone().unwrap_or_default(),
        }
    }
}

impl TroubleView {
    fn of(trouble: &Trouble) -> Self {
        let is_usual = trouble.class == FaultClass::NotConverted && !trouble.attention;
        Self {
            // Align needs its time to prepare files.
            tone: if is_usual { Tone::Busy } else { Tone::Warn },
            message: for_staff(&trouble.message),
            hint: trouble.hint.as_deref().map(for_staff),
            attempts: trouble.attempts,
            since: When::at(trouble.since),
            next_try: trouble.next_try.map(When::at),
        }
    }
}

impl RevisionLine {
    fn of(revision: &RevisionView, t: &Texts, lang: &str) -> Self {
        let manifest = &revision.manifest;
        let stands = match (&revision.folder, revision.place) {
            (None, _) => t.is_gone,
            (Some(folder), Place::Main) if !is_history(folder, manifest.revision) => t.in_output,
            (Some(_), Place::Beside) => t.in_output,
            (Some(_), Place::Main) => t.in_history,
        };
        Self {
            number: manifest.revision,
            reason: t.reason_of(manifest.reason),
            at: When::at(revision.at),
            files: manifest.files.len(),
            size: size(manifest.bytes(), lang),
            sha256: revision.manifest_sha256.clone(),
            stands: stands.to_owned(),
            folder: revision.folder.as_deref().map(shown),
        }
    }
}

/// Replaced revisions are in folders named after their numbers.
fn is_history(folder: &Path, revision: u32) -> bool {
    folder.file_name().is_some_and(|name| name.to_string_lossy() == format!("r{revision}"))
}
