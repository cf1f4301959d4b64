//! The mail digest.

use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use crate::config::{MailConfig, MailOnly, MailSecurity};
use crate::journal::{Store, StoreError};
use crate::model::findings::why_incomplete;
use crate::model::record::OrderState;
use crate::notices::batch::growing;
use crate::notices::digest::{self, DigestState, Due, Problem, Published};
use crate::notices::mail::{Mail, Security, Server};

use super::{Feed, Next, Sink, Teller, begun, move_on};
use crate::agent::clock::wall_now;
use crate::agent::context::AgentContext;
use crate::status::{Code, Reason};

/// How often to check whether something needs attention.
const LOOK: Duration = Duration::from_secs(30);
/// The first wait after a rejected mail.
const FIRST_WAIT: Duration = Duration::from_secs(15);
/// What to do about an order that is held back.
const HELD: &str =
    "open the order on the status page: publish it anyway, or ask the doctor for a new scan";
pub(super) struct MailTeller {
    mail: Mail,
    every: Duration,
    only: MailOnly,
    failures: u32,
}

/// What a mail is based on.
struct Picture {
    kept: DigestState,
    problems: Vec<Problem>,
    published: Vec<Published>,
    from: i64,
    newest: i64,
}

pub(super) fn teller(context: &AgentContext, config: &MailConfig) -> Result<MailTeller, String> {
    let server = Server {
        name: config.server.clone(),
        port: config.port,
        security: match config.security {
            MailSecurity::Starttls => Security::Starttls,
            MailSecurity::Tls => Security::Tls,
            MailSecurity::None => Security::None,
        },
        login: config.login.clone(),
        ca_pem: context.config.outgoing(&*context.disk).map_err(|fault| fault.chain())?.ca_pem,
    };
    let mail = Mail::new(server, config.from.clone(), config.to.clone())?;
    Ok(MailTeller { mail, every: config.every, only: config.only, failures: 0 })
}

impl Teller for MailTeller {
    async fn turn(&mut self, feed: &Feed, until: &CancellationToken) -> Result<Next, StoreError> {
        let handler = Arc::clone(&feed.context.handler);
        let reasons = match tokio::task::spawn_blocking(move || handler.picture().reasons()).await {
            Ok(reasons) => reasons,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let found = feed.with(move |store, context, sink| look(store, context, sink, &reasons));
        let Picture { mut kept, problems, published, from, newest } = found.await?;
        let news = self.only == MailOnly::All && !published.is_empty();
        let now = wall_now();
        let due = kept.due(now, self.every, &problems, news);
        // An urgent mail leaves out what can wait for the digest.
        let published = if due == Due::Soon { Vec::new() } else { published };
        match due {
            Due::NotYet(wait) => return Ok(Next::After(wait.min(LOOK))),
            Due::Nothing => {}
            Due::Digest | Due::Soon => {
                let subject = digest::subject(&problems, &published);
                let text = digest::text(&problems, &published);
                let sent = tokio::select! {
                    biased;
                    () = until.cancelled() => return Ok(Next::Never),
                    sent = self.mail.send(&subject, text) => sent,
                };
                if let Err(why) = sent {
                    self.failures += 1;
                    let wait = growing(FIRST_WAIT, self.failures);
                    let seconds = wait.as_secs();
                    tracing::warn!("{why}; retrying in {seconds} s");
                    return Ok(Next::After(wait));
                }
                self.failures = 0;
                tracing::info!("mail sent: {subject}");
            }
        }
        kept.done(now, due);
        let work = move |store: &Store, sink| {
            if due != Due::Soon {
                move_on(store, sink, from, newest)?;
            }
            keep(store, sink, &kept)
        };
        feed.record(until, work).await;
        Ok(Next::Again)
    }
}

fn look(
    store: &Store,
    context: &AgentContext,
    sink: Sink,
    reasons: &[Reason],
) -> Result<Picture, StoreError> {
    let now = wall_now();
    let before: Option<DigestState> =
        store.fact(sink.state())?.and_then(|text| serde_json::from_str(&text).ok());
    let mut kept = before.clone().unwrap_or_else(|| DigestState::first(now));
    let problems = problems(store, context, reasons)?;
    kept.look(now, &problems);
    if before.as_ref() != Some(&kept) {
        keep(store, sink, &kept)?;
    }
    let (from, newest) = (begun(store, sink)?, store.newest_event()?);
    let published = store.published_between(from, newest)?;
    let published = published
        .into_iter()
        .map(|tally| Published { lab: tally.lab, orders: tally.orders, revisions: tally.revisions })
        .collect();
    Ok(Picture { kept, problems, published, from, newest })
}

fn keep(store: &Store, sink: Sink, kept: &DigestState) -> Result<(), StoreError> {
    let text = serde_json::to_string(kept).unwrap_or_default();
    store.set_fact(sink.state(), &text)
}

/// Returns what needs attention now: each order on its own, everything else as in `/health`.
fn problems(
    store: &Store,
    context: &AgentContext,
    reasons: &[Reason],
) -> Result<Vec<Problem>, StoreError> {
    let is_ours = |lab: &str| context.config.labs.iter().any(|known| known.name.as_str() == lab);
    let orders = store.wanted()?.into_iter().filter(|order| is_ours(order.key.lab.as_str()));
    let orders = orders.filter(|order| order.state() == OrderState::Attention);
    let orders = orders.filter_map(|order| {
        let trouble = order.trouble?;
        let order = order.key.to_string();
        Some(Problem::Order { order, message: trouble.message, hint: trouble.hint })
    });
    let mut held = Vec::new();
    for one in store.holds()?.into_iter().filter(|one| is_ours(one.key.lab.as_str())) {
        let state = store.order(&one.key)?.map(|order| order.state());
        if state == Some(OrderState::Held) {
            held.push(Problem::Order {
                order: one.key.to_string(),
                message: format!("held back: {}", why_incomplete(&one.manifest.findings)),
                hint: Some(HELD.to_owned()),
            });
        }
    }
    let others = reasons.iter().filter(|reason| reason.is_for_messages()).filter_map(of_reason);
    Ok(others.chain(orders).chain(held).collect())
}

fn of_reason(reason: &Reason) -> Option<Problem> {
    let Reason { code, lab, message, hint, detail, .. } = reason.clone();
    let name = lab.as_ref().map(ToString::to_string);
    Some(match (code, name) {
        (Code::OrdersNeedAttention | Code::OrdersHeld, _) => return None,
        (Code::LoginNeeded | Code::NotPaired, Some(lab)) => {
            let message = detail.map_or(message, |said| said.message);
            Problem::Lab { lab, message, hint }
        }
        (code, lab) => Problem::Other { code: code.as_str(), lab, message, hint },
    })
}
