//! The set-up of a new PC: choose the folder, log in, choose the account, publish a test order.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::act::{Basic, answer_of, answered, carry_out};
use super::data::{Choice, LoginView, PageData, Setup, SetupLab, SetupStep, TestView};
use super::frame::{AnswerView, Call, Frame, show};
use super::gate::{Checked, Refused};
use super::markup::{When, segment};
use super::shared::Shared;
use super::texts::{Texts, fill};
use super::words::Tone;
use crate::model::request::{Outcome, Reply, Request};
use crate::model::staff::for_staff;

#[derive(Template)]
#[template(path = "welcome.html")]
struct Welcome {
    frame: Frame,
    login: Step,
    account: Step,
    folder: Step,
    test_order: Step,
    labs: Vec<LabView>,
    output: String,
    refused: Option<(String, Option<String>)>,
    suggestions: Vec<String>,
    test: TestView,
    test_folder: String,
    test_last: Option<When>,
    done: bool,
    /// What is still missing.
    but: Option<String>,
    /// Whether this visitor may change anything.
    may: bool,
    code: Option<CodeBox>,
}

/// Asks for the set-up code.
pub(super) struct CodeBox {
    /// The path of the code's file; `None` if it could not be written.
    pub(super) file: Option<String>,
    pub(super) problem: Option<String>,
}

/// The state of a step: its tone and the word for it.
struct Step {
    tone: Tone,
    word: &'static str,
    now: bool,
}

struct LabView {
    lab: String,
    path: String,
    login: LoginView,
    until: String,
    paired: String,
    trouble: Option<(String, Option<String>)>,
    cannot_wait: Option<String>,
    choices: Vec<Choice>,
    chosen: bool,
}

/// Shown while the agent restarts.
#[derive(Template)]
#[template(path = "restart.html")]
struct Restart {
    frame: Frame,
    answer: AnswerView,
}

#[derive(Deserialize, Default)]
pub(super) struct Which {
    #[serde(default)]
    lab: String,
}

/// A form of a step.
#[derive(Deserialize)]
pub(super) struct Filled {
    #[serde(flatten)]
    basic: Basic,
    #[serde(default)]
    path: String,
    #[serde(default)]
    other: String,
}

/// The set-up code, as typed.
#[derive(Deserialize)]
pub(super) struct Typed {
    pub(super) code: String,
}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Query(which): Query<Which>,
    mut call: Call,
) -> Response {
    let setup = match shared.ask(PageData::setup).await {
        Ok(setup) => setup,
        Err(fault) => return call.cannot(&fault),
    };
    call.drop_answer(|answer| is_outdated(&answer.reply, &setup));
    show(&Welcome::of(setup, &which.lab, &call, &shared, None))
}

/// Whether an answer asks for a login that has succeeded since.
fn is_outdated(answer: &Reply, setup: &Setup) -> bool {
    let lab = answer.details.get("lab").and_then(|lab| lab.as_str()).unwrap_or_default();
    answer.outcome == Outcome::LoginNeeded
        && setup.labs.iter().any(|one| {
            one.lab.eq_ignore_ascii_case(lab)
                && matches!(one.login, LoginView::LoggedIn | LoginView::Paired { .. })
        })
}

/// Whether a new PC cannot work yet: nobody has finished or skipped the set-up, and no lab is
/// paired.
pub(super) fn is_unready(setup: &Setup) -> bool {
    setup.step < SetupStep::TestOrder
        && !setup.labs.iter().any(|lab| matches!(lab.login, LoginView::Paired { .. }))
}

/// Responds that the set-up code is needed first. Nothing was done.
pub(super) async fn asks_for_code(shared: &Arc<Shared>, call: &Call) -> Response {
    code_page(shared, call, call.texts.code_first.to_owned()).await
}

async fn code_page(shared: &Arc<Shared>, call: &Call, problem: String) -> Response {
    match shared.ask(PageData::setup).await {
        Ok(setup) => {
            let page = Welcome::of(setup, "", call, shared, Some(problem));
            (StatusCode::FORBIDDEN, show(&page)).into_response()
        }
        Err(fault) => call.cannot(&fault),
    }
}

/// Handles the form with the set-up code.
pub(super) async fn open(
    State(shared): State<Arc<Shared>>,
    call: Call,
    Checked(typed): Checked<Typed>,
) -> Response {
    match shared.gate.open_set_up(&call.visitor, &typed.code).await {
        Ok(()) => axum::response::Redirect::to("/welcome").into_response(),
        Err(refused) => code_page(&shared, &call, said_of(refused, call.texts)).await,
    }
}

/// What to say about a code that was refused.
pub(super) fn said_of(refused: Refused, t: &Texts) -> String {
    match refused.wait.as_secs() {
        0 => t.code_wrong.to_owned(),
        seconds => fill(t.password_wait, &[("seconds", &seconds.to_string())]),
    }
}

impl Welcome {
    fn of(
        setup: Setup,
        which: &str,
        call: &Call,
        shared: &Shared,
        problem: Option<String>,
    ) -> Self {
        let t = call.texts;
        let may = call.visitor.may_set_up();
        let at = setup.step;
        let step = |step: SetupStep| match () {
            () if at > step => Step { tone: Tone::Good, word: t.step_done, now: false },
            () if at == step => Step { tone: Tone::Busy, word: t.step_now, now: true },
            () => Step { tone: Tone::Rest, word: t.step_later, now: false },
        };
        let logins = || setup.labs.iter().map(|lab| &lab.login);
        let is_in =
            |login: &LoginView| matches!(login, LoginView::LoggedIn | LoginView::Paired { .. });
        let is_paired = |login: &LoginView| matches!(login, LoginView::Paired { .. });
        // One lab is enough to continue, but not all there is to do.
        let for_labs = |of: SetupStep, all: bool| match step(of) {
            done if done.tone == Tone::Good && !all => {
                Step { tone: Tone::Warn, word: t.step_some, now: false }
            }
            other => other,
        };
        let login = for_labs(SetupStep::LogIn, logins().all(is_in));
        let account = for_labs(SetupStep::Account, logins().all(is_paired));
        let is_tested = setup.test.is_there || setup.test.last.is_some();
        let test_order = match step(SetupStep::TestOrder) {
            passed if passed.tone == Tone::Good && !is_tested => {
                Step { tone: Tone::Rest, word: t.step_not_made, now: false }
            }
            other => other,
        };
        let waiting = setup.labs.iter().filter(|lab| !is_paired(&lab.login));
        let waiting: Vec<_> = waiting.map(|lab| lab.lab.clone()).collect();
        let is_done = at == SetupStep::Done;
        let but = (is_done && !waiting.is_empty())
            .then(|| fill(t.set_but, &[("labs", &waiting.join(", "))]));
        // Ask for the code only if there is something to do.
        let has_work = at == SetupStep::Folder || !waiting.is_empty();
        let code = (!may && (has_work || problem.is_some())).then(|| CodeBox {
            file: shared.gate.code_file().map(|file| file.display().to_string()),
            problem,
        });
        let answered =
            call.answer.as_ref().map(|answer| choices(&answer.reply)).unwrap_or_default();
        Self {
            frame: call.frame(t.welcome_title, "welcome"),
            login,
            account,
            folder: step(SetupStep::Folder),
            test_order,
            labs: setup
                .labs
                .into_iter()
                .map(|lab| LabView::of(lab, which, &answered, call))
                .collect(),
            output: setup.output.display().to_string(),
            refused: setup.may_choose.as_ref().err().map(said_for_staff),
            suggestions: setup.suggestions.iter().map(|one| one.display().to_string()).collect(),
            test_folder: setup.test.folder.display().to_string(),
            test_last: setup.test.last.as_deref().map(When::of),
            test: setup.test,
            done: is_done,
            but,
            may,
            code,
        }
    }
}

/// What went wrong and what to do, without commands.
fn said_for_staff((message, hint): &(String, Option<String>)) -> (String, Option<String>) {
    (for_staff(message), hint.as_deref().map(for_staff))
}

/// The accounts to choose from in a reply, and their lab.
fn choices(reply: &Reply) -> (String, Vec<Choice>) {
    let lab = reply.details.get("lab").and_then(|lab| lab.as_str()).unwrap_or_default();
    (lab.to_owned(), Choice::listed(&reply.details))
}

impl Choice {
    /// The accounts that a reply's details list.
    pub fn listed(details: &serde_json::Value) -> Vec<Self> {
        let accounts = details.get("accounts").and_then(|accounts| accounts.as_array());
        let text = |account: &serde_json::Value, key: &str| {
            account.get(key).and_then(|text| text.as_str()).map(str::to_owned)
        };
        let choice = |account| Some(Self { id: text(account, "id")?, name: text(account, "name") });
        accounts.into_iter().flatten().filter_map(choice).collect()
    }
}

impl LabView {
    fn of(lab: SetupLab, which: &str, answered: &(String, Vec<Choice>), call: &Call) -> Self {
        let until = match &lab.login {
            LoginView::Waiting { until, .. } => {
                let until = When::of(until).to_string();
                fill(call.texts.login_link_text, &[("until", &until)])
            }
            _ => String::new(),
        };
        let paired = match &lab.login {
            LoginView::Paired { account } => {
                fill(call.texts.logged_in, &[("lab", &lab.lab), ("account", account)])
            }
            _ => String::new(),
        };
        let is_answered = answered.0.eq_ignore_ascii_case(&lab.lab) && !answered.1.is_empty();
        Self {
            path: segment(&lab.lab),
            until,
            paired,
            chosen: lab.lab.eq_ignore_ascii_case(which),
            choices: if is_answered { answered.1.clone() } else { lab.choices },
            lab: lab.lab,
            login: lab.login,
            trouble: lab.trouble.as_ref().map(said_for_staff),
            cannot_wait: lab.cannot_wait,
        }
    }
}

pub(super) async fn act(
    State(shared): State<Arc<Shared>>,
    Path(what): Path<String>,
    call: Call,
    Checked(form): Checked<Filled>,
) -> Response {
    const BACK: &str = "/welcome";
    let (id, _) = form.basic.parts();
    let passed = |step| {
        let shared = Arc::clone(&shared);
        async move { shared.ask(move |data| data.pass(step)).await }
    };
    // Only those who may change the set-up may confirm the folder or declare it complete.
    if matches!(what.as_str(), "keep-folder" | "skip") && !call.visitor.may_set_up() {
        return asks_for_code(&shared, &call).await;
    }
    let passed = match what.as_str() {
        "folder" => {
            let other = form.other.trim();
            let path = if other.is_empty() { form.path } else { other.to_owned() };
            return choose_folder(&shared, &call, id, path).await;
        }
        "test" | "test-remove" => {
            let request = Request::TestOrder { remove: what == "test-remove" };
            return carry_out(&shared, &call, (id, BACK), request).await;
        }
        "keep-folder" => passed(SetupStep::Folder).await,
        "skip-test" => passed(SetupStep::TestOrder).await,
        "skip" => passed(SetupStep::Done).await,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match passed {
        Ok(()) => axum::response::Redirect::to(BACK).into_response(),
        Err(fault) => answered(&shared, id, Reply::from(fault), BACK),
    }
}

/// Chooses another folder. The agent restarts for that, and is unavailable for a moment.
async fn choose_folder(shared: &Arc<Shared>, call: &Call, id: String, path: String) -> Response {
    let reply = match answer_of(shared, call, &id, Request::Output { path }).await {
        Ok(reply) => reply,
        Err(response) => return response,
    };
    let restarts =
        reply.details.get("restarts").and_then(serde_json::Value::as_bool).unwrap_or_default();
    if reply.outcome != Outcome::Done || !restarts {
        return answered(shared, id, reply, "/welcome");
    }
    show(&Restart {
        frame: call.frame(call.texts.welcome_title, "welcome").still(),
        answer: AnswerView::of(&reply.into(), call.lang),
    })
}
