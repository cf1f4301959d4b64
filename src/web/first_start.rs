//! The page of a PC whose config lacks what Align gave the lab: it asks for the values, writes the
//! config, and makes way for the agent, whose page then goes on with the set-up at the same place.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::Router;
use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Json, Redirect, Response};
use axum::routing::{get, post};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::assets;
use super::first_start_texts::Texts as Words;
use super::frame::{chosen, show};
use super::gate::{Checked, Gate, Visitor};
use super::lang::Lang;
use super::setup::{CodeBox, Typed, said_of};
use super::texts::{Texts, fill};
use crate::config::filling::{Item, Lack, NotWritten, Pasted, Unfilled, Values, Wrong};
use crate::disk::Disk;
use crate::model::fault::{Fault, FaultClass};
use crate::model::staff::for_staff;

/// What the page works with. It ends once the config is written.
pub struct FirstStart {
    unfilled: Unfilled,
    disk: Arc<dyn Disk>,
    gate: Gate,
    /// Candidates for the folder.
    suggestions: Vec<PathBuf>,
    /// A secret that was entered in a form with something wrong in it: no page shows it again, and
    /// nobody must enter it twice.
    kept: Mutex<Option<SecretString>>,
    written: watch::Sender<bool>,
}

impl FirstStart {
    /// The page for that config.
    pub fn new(
        unfilled: Unfilled,
        disk: Arc<dyn Disk>,
        gate: Gate,
        suggestions: Vec<PathBuf>,
    ) -> Arc<Self> {
        let (kept, written) = (Mutex::default(), watch::Sender::new(false));
        Arc::new(Self { unfilled, disk, gate, suggestions, kept, written })
    }

    /// Resolves once the config is written.
    pub async fn written(&self) {
        // An error means that the sender is gone.
        drop(self.written.subscribe().wait_for(|written| *written).await);
    }

    /// The pages, behind the gate.
    pub fn router(self: &Arc<Self>) -> Router {
        let routes = Router::new()
            .route("/welcome", get(page))
            .route("/welcome/code", post(open))
            .route("/welcome/check", post(check))
            .route("/welcome/fill", post(write))
            .route("/assets/{*name}", get(assets::asset))
            .route("/metrics", get(not_yet))
            .route("/health", get(not_yet))
            .route("/health/ready", get(not_yet))
            .route("/health/live", get(StatusCode::OK))
            .fallback(async || Redirect::to("/welcome"))
            .with_state(Arc::clone(self));
        self.gate.guard(routes)
    }

    fn is_written(&self) -> bool {
        *self.written.borrow()
    }

    fn with_kept<T>(&self, work: impl FnOnce(&mut Option<SecretString>) -> T) -> T {
        work(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Works on a thread that may block.
    async fn block<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let own = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&own)).await.map_err(|error| {
            Fault::new(FaultClass::Local, "first-start", "the values could not be checked")
                .caused_by(error)
        })
    }
}

/// Who calls, and in which language.
struct Call {
    lang: Lang,
    visitor: Visitor,
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, state).await;
        let visitor = visitor.map_err(axum::response::IntoResponse::into_response)?;
        Ok(Self { lang: Lang::of(&parts.headers), visitor })
    }
}

/// What the shared parts of templates need.
struct Frame {
    lang: &'static str,
    /// The other language.
    other: &'static str,
    csrf: String,
}

#[derive(Template)]
#[template(path = "first_start.html")]
struct Page {
    frame: Frame,
    t: &'static Texts,
    w: &'static Words,
    intro: &'static str,
    config: String,
    /// Why the config cannot be written, and what to do.
    refused: Option<(String, Option<String>)>,
    code: Option<CodeBox>,
    problem: Option<&'static str>,
    pasted: Option<String>,
    fields: Vec<Field>,
    suggestions: Vec<String>,
    /// A folder that is not suggested.
    other: String,
    saved: bool,
}

struct Field {
    name: &'static str,
    label: &'static str,
    hint: &'static str,
    value: String,
    secret: bool,
    /// Whether there is a secret already.
    kept: bool,
    /// What sets the value instead.
    fixed: Option<String>,
    /// What is wrong with it, as HTML.
    wrong: Option<String>,
}

/// The values as typed.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Filled {
    paste: String,
    /// Not empty: only fill in the fields from the pasted text.
    take: String,
    oauth_base: String,
    base_url: String,
    client_id: String,
    client_secret: String,
    redirect_url: String,
    name: String,
    output: String,
    other: String,
}

impl Filled {
    /// The values and what the pasted text gave.
    fn values(&self) -> (Values, Pasted) {
        let output = if self.other.trim().is_empty() { &self.output } else { &self.other };
        let mut values = Values::default();
        for (item, text) in [
            (Item::OauthBase, &self.oauth_base),
            (Item::BaseUrl, &self.base_url),
            (Item::ClientId, &self.client_id),
            (Item::ClientSecret, &self.client_secret),
            (Item::RedirectUrl, &self.redirect_url),
            (Item::LabName, &self.name),
            (Item::Output, output),
        ] {
            values.put(item, text);
        }
        let pasted = Pasted::of(&self.paste);
        pasted.put_into(&mut values);
        (values, pasted)
    }
}

/// What a page shows besides the fields.
#[derive(Default)]
struct Shown {
    wrong: Vec<Wrong>,
    refused: Option<Fault>,
    code_problem: Option<String>,
    problem: bool,
    pasted: Option<String>,
    saved: bool,
}

impl FirstStart {
    fn page(&self, call: &Call, values: &Values, shown: Shown) -> Page {
        let (t, w) = (call.lang.texts(), Words::of(call.lang));
        let refused = shown.refused.or_else(|| self.unfilled.may_write(&*self.disk).err());
        let said = |fault: Fault| (for_staff(&fault.chain()), fault.hint.as_deref().map(for_staff));
        let code = (!call.visitor.may_set_up()).then(|| CodeBox {
            file: self.gate.code_file().map(|file| file.display().to_string()),
            problem: shown.code_problem,
        });
        let mut suggestions: Vec<String> =
            self.suggestions.iter().map(|one| one.display().to_string()).collect();
        // The example's folder is a suggestion like others; one that people wrote is their wish.
        let is_wish = self.unfilled.lack() == Lack::Values;
        let found = self.unfilled.found(Item::Output);
        let found = found.filter(|found| is_wish || suggestions.iter().any(|one| one == found));
        let output = values.text(Item::Output).or(found);
        let output = output.or(suggestions.first().map(String::as_str)).unwrap_or("").to_owned();
        let other = if suggestions.contains(&output) { String::new() } else { output.clone() };
        suggestions.retain(|one| !one.is_empty());
        let field = |item: Item| {
            let (label, hint) = w.of_item(item);
            let value = match item {
                Item::Output => output.clone(),
                Item::ClientSecret => String::new(),
                item => {
                    let value = values.text(item).or(self.unfilled.found(item));
                    value.unwrap_or_default().to_owned()
                }
            };
            let is_secret = item == Item::ClientSecret;
            let kept =
                is_secret && (self.unfilled.has_secret() || self.with_kept(|kept| kept.is_some()));
            let wrong = shown.wrong.iter().find(|wrong| wrong.item == item);
            Field {
                name: item.name(),
                label,
                hint,
                value,
                secret: is_secret,
                kept,
                fixed: self.unfilled.overruled_by(item).map(|by| fill(w.fixed, &[("by", by)])),
                wrong: wrong.map(|wrong| html_of(wrong, w)),
            }
        };
        Page {
            frame: Frame {
                lang: call.lang.code(),
                other: if call.lang == Lang::English { "de" } else { "en" },
                csrf: call.visitor.token(),
            },
            t,
            w,
            intro: w.intro_of(self.unfilled.lack()),
            config: self.unfilled.path().display().to_string(),
            refused: refused.map(said),
            code,
            problem: shown.problem.then_some(w.check_fields),
            pasted: shown.pasted,
            fields: Item::ALL.into_iter().map(field).collect(),
            suggestions,
            other,
            saved: shown.saved,
        }
    }

    /// Lets a secret that was entered before count.
    fn recall(&self, values: &mut Values) {
        let kept = self.with_kept(|kept| kept.clone());
        if let (None, Some(secret)) = (values.secret(), kept) {
            values.put(Item::ClientSecret, secret.expose_secret());
        }
    }
}

fn html_of(wrong: &Wrong, w: &Words) -> String {
    let Some(reason) = &wrong.reason else { return w.missing.to_owned() };
    let text = match &wrong.hint {
        Some(hint) => format!("{reason}: {hint}"),
        None => reason.clone(),
    };
    let mut html = String::from("<span lang=\"en\">");
    for c in for_staff(&text).chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            c => html.push(c),
        }
    }
    html + "</span>"
}

fn said_of_paste(pasted: &Pasted, w: &Words) -> String {
    if pasted.is_empty() {
        return w.paste_none.to_owned();
    }
    let fields: Vec<_> = pasted.items().map(|item| w.of_item(item).0).collect();
    fill(w.paste_took, &[("fields", &fields.join(", "))])
}

#[derive(Deserialize, Default)]
struct Asked {
    lang: Option<String>,
}

async fn page(
    State(own): State<Arc<FirstStart>>,
    Query(asked): Query<Asked>,
    call: Call,
) -> Response {
    if let Some(lang) = asked.lang.as_deref().and_then(Lang::of_code) {
        return chosen(lang, "/welcome");
    }
    if own.is_written() {
        // Not this page any more, and not yet the agent's.
        let shown = Shown { saved: true, ..Shown::default() };
        let page = show(&own.page(&call, &Values::default(), shown));
        return (StatusCode::SERVICE_UNAVAILABLE, page).into_response();
    }
    show(&own.page(&call, &Values::default(), Shown::default()))
}

async fn not_yet(headers: HeaderMap) -> Response {
    let words = Words::of(Lang::of(&headers));
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", words.not_yet)).into_response()
}

/// Handles the form with the set-up code.
async fn open(
    State(own): State<Arc<FirstStart>>,
    call: Call,
    Checked(typed): Checked<Typed>,
) -> Response {
    match own.gate.open_set_up(&call.visitor, &typed.code).await {
        Ok(()) => Redirect::to("/welcome").into_response(),
        Err(refused) => asks_for_code(&own, &call, said_of(refused, call.lang.texts())),
    }
}

fn asks_for_code(own: &FirstStart, call: &Call, problem: String) -> Response {
    let shown = Shown { code_problem: Some(problem), ..Shown::default() };
    let page = show(&own.page(call, &Values::default(), shown));
    (StatusCode::FORBIDDEN, page).into_response()
}

/// Checks the values of a form that is still being filled in. Nothing is written.
async fn check(
    State(own): State<Arc<FirstStart>>,
    call: Call,
    Checked(filled): Checked<Filled>,
) -> Response {
    if !call.visitor.may_set_up() {
        return StatusCode::FORBIDDEN.into_response();
    }
    let (mut values, pasted) = filled.values();
    own.recall(&mut values);
    let given = values.clone();
    let Ok(wrong) = own.block(move |own| own.unfilled.check(&*own.disk, &given)).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let found = |item: Item| match wrong.iter().find(|wrong| wrong.item == item) {
        None => json!({}),
        Some(Wrong { reason: None, .. }) => json!({ "missing": true }),
        Some(Wrong { reason: Some(reason), hint, .. }) => {
            json!({ "reason": for_staff(reason), "hint": hint.as_deref().map(for_staff) })
        }
    };
    let fields: Map<String, Value> =
        Item::ALL.into_iter().map(|item| (item.name().to_owned(), found(item))).collect();
    // They go back to where they came from, into the fields.
    let text = |item: Item| match item {
        Item::ClientSecret => values.secret().map(|secret| secret.expose_secret().to_owned()),
        item => values.text(item).map(str::to_owned),
    };
    let taken: Map<String, Value> = pasted
        .items()
        .filter_map(|item| Some((item.name().to_owned(), text(item)?.into())))
        .collect();
    let said = said_of_paste(&pasted, Words::of(call.lang));
    Json(json!({ "fields": fields, "pasted": taken, "said": said })).into_response()
}

/// Writes the config if all values are right.
async fn write(
    State(own): State<Arc<FirstStart>>,
    call: Call,
    Checked(filled): Checked<Filled>,
) -> Response {
    if !call.visitor.may_set_up() {
        return asks_for_code(&own, &call, call.lang.texts().code_first.to_owned());
    }
    let (mut values, pasted) = filled.values();
    own.recall(&mut values);
    if let Some(secret) = values.secret() {
        own.with_kept(|kept| *kept = Some(secret.clone()));
    }
    let only_takes = !filled.take.is_empty();
    let said = (only_takes || !filled.paste.trim().is_empty())
        .then(|| said_of_paste(&pasted, Words::of(call.lang)));
    if only_takes {
        let shown = Shown { pasted: said, ..Shown::default() };
        return show(&own.page(&call, &values, shown));
    }
    let given = values.clone();
    let written = own.block(move |own| {
        // A second form must not write over what the agent starts with.
        if own.is_written() {
            return Ok(());
        }
        own.unfilled.write(&*own.disk, &given)
    });
    let shown = match written.await {
        Ok(Ok(())) => {
            own.with_kept(|kept| *kept = None);
            own.written.send_replace(true);
            tracing::info!("the config {} was filled in", own.unfilled.path().display());
            let shown = Shown { saved: true, ..Shown::default() };
            return show(&own.page(&call, &Values::default(), shown));
        }
        Ok(Err(NotWritten::Wrong(wrong))) => {
            Shown { wrong, problem: true, pasted: said, ..Shown::default() }
        }
        Ok(Err(NotWritten::Fault(fault))) | Err(fault) => {
            tracing::warn!("the config was not written: {}", fault.chain());
            Shown { refused: Some(fault), pasted: said, ..Shown::default() }
        }
    };
    (StatusCode::UNPROCESSABLE_ENTITY, show(&own.page(&call, &values, shown))).into_response()
}
