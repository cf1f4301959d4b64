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
mod assets;
mod data;
mod enter;
mod events;
mod files;
mod findings;
mod first_start;
mod first_start_texts;
mod frame;
mod lang;
mod markup;
mod monitor;
mod order;
mod orders;
mod overview;
mod reasons;
mod records;
mod returning;
mod setup;
mod shared;
mod texts;
mod words;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tokio::sync::watch;

use frame::Answers;
use gate::Gate;
use shared::Shared;

pub use first_start::FirstStart;

pub use data::{
    Choice, HeldView, LogLine, LogQuery, LoginView, OrderFile, OrderView, PageData, ReceiptView,
    RevisionView, Setup, SetupLab, SetupStep, StoryLine, TestView,
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
    let shared = Arc::new(Shared { data, gate: gate.clone(), answers, labs, show_names, told });
    let order = "/orders/{lab}/{account}/{order}";
    let below = |rest: &str| format!("{order}/{rest}");
    let routes = Router::new()
        .route("/", get(overview::page))
        .route("/orders", get(orders::page))
        .route(order, get(order::page))
        .route(&below("files/{revision}/{*path}"), get(files::file))
        .route(&below("refetch"), post(act::refetch))
        .route(&below("publish"), post(act::publish))
        .route(&below("return"), get(returning::page).post(returning::send))
        .route("/labs/{lab}/{what}", post(act::lab))
        .route("/commands", get(records::commands))
        .route("/audit", get(records::audit))
        .route("/settings", get(records::settings))
        .route("/log", get(records::log))
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
