//! The status page: the agent's status, at a glance and in depth, in a browser on this PC. Pages
//! are rendered here and work without scripts; with scripts they follow events by server-sent
//! events.
//!
//! [`gate`] decides who may enter. The rest asks the agent only through [`PageData`], and acts only
//! through requests that users can also make elsewhere. No page shows a patient's name or anything
//! that contains one, unless the config says so; then it is read when the page is opened, and never
//! stored.

pub mod gate;

mod act;
mod address;
mod answers;
mod archive;
mod assets;
mod audit_page;
mod audit_words;
mod commands;
mod data;
mod enter;
mod events;
mod files;
mod findings;
mod first_start;
mod first_start_texts;
mod frame;
mod lang;
mod list_query;
mod list_texts;
mod log;
mod markup;
mod monitor;
mod order;
mod order_files;
mod order_texts;
mod orders;
mod overview;
mod patients;
mod pictures;
mod prescription;
mod reasons;
mod record_texts;
mod returning;
mod scans;
mod search;
mod settings;
mod setup;
mod shared;
mod story;
mod streamed;
mod texts;
mod unknown;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tokio::sync::watch;

use answers::Answers;
use gate::Gate;
use patients::Patients;
use shared::Shared;

pub use first_start::FirstStart;

pub use data::{
    AuditQuery, Choice, HeldView, LogLine, LogQuery, LoginView, OrderFile, OrderView, PageData,
    ReceiptView, RevisionView, Setup, SetupLab, SetupStep, StoryLine, TestView,
};

/// All pages, behind the gate. `told` changes whenever something happened that a page may show.
pub fn router(
    data: Arc<dyn PageData>,
    gate: &Gate,
    labs: Vec<String>,
    show_names: bool,
    told: watch::Receiver<()>,
) -> Router {
    let answers = Answers::default();
    let (gate_of_pages, patients) = (gate.clone(), Patients::default());
    let shared =
        Arc::new(Shared { data, gate: gate_of_pages, answers, patients, labs, show_names, told });
    let order = "/orders/{lab}/{account}/{order}";
    let below = |rest: &str| format!("{order}/{rest}");
    let routes = Router::new()
        .route("/", get(overview::page))
        .route("/search", get(search::go))
        .route("/orders", get(orders::page))
        .route("/orders/fetch", post(unknown::fetch))
        .route("/orders/{order}", get(unknown::page))
        .route(order, get(order::page))
        .route(&below("files/{revision}/{*path}"), get(files::file))
        .route(&below("pictures/{revision}/{*path}"), get(pictures::page))
        .route(&below("archive/{revision}"), get(archive::all))
        .route(&below("refetch"), post(act::refetch))
        .route(&below("verify"), post(act::verify))
        .route(&below("publish"), post(act::publish))
        .route(&below("return"), get(returning::page).post(returning::send))
        .route("/labs/{lab}/{what}", post(act::lab))
        .route("/diagnostics", get(frame::diagnostics))
        .route("/verify", post(act::verify_all))
        .route("/commands", get(commands::page))
        .route("/audit", get(audit_page::page))
        .route("/settings", get(settings::page))
        .route("/log", get(log::page))
        .route("/welcome", get(setup::page))
        .route("/welcome/code", post(setup::open))
        .route("/welcome/{what}", post(setup::act))
        .route("/login", get(enter::page).post(enter::sign_in))
        .route("/logout", post(enter::sign_out))
        .route("/events", get(events::stream))
        .route("/assets/{*name}", get(assets::asset))
        .route("/metrics", get(monitor::metrics))
        .route("/health", get(monitor::health))
        .route("/health/ready", get(monitor::health))
        .route("/health/live", get(monitor::live))
        .fallback(frame::no_such_page)
        .with_state(shared);
    gate.guard(routes)
}
