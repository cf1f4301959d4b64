//! Metrics derived from the status snapshot.

use super::counters::label;
use super::family::{Family, Labels, Samples};
use crate::model::record::OrderState;
use crate::model::time::WallMs;
use crate::status::{
    Code, LabState, LabStatus, NotificationsStatus, RunningDownload, Status, UpdateStatus, health,
};

/// Returns all families in a fixed order.
pub(super) fn families(status: &Status) -> Vec<Family> {
    let mut all = agent(status);
    all.extend(labs(status));
    all.extend(orders(status));
    all.extend(output(status));
    all.extend(status.notifications.iter().flat_map(notifications));
    all.extend(status.update.iter().flat_map(update));
    all
}

fn agent(status: &Status) -> Vec<Family> {
    let now = WallMs::from_rfc3339(&status.at);
    vec![
        Family {
            name: "casedrop_build_info",
            help: "The running version.",
            samples: Samples::Info(vec![vec![("version", status.version.clone())]]),
        },
        Family::gauge(
            "casedrop_start_timestamp_seconds",
            "When the agent started.",
            timestamp(status.agent.since.as_deref()),
        ),
        Family::gauge(
            "casedrop_last_beat_age_seconds",
            "Time since the last sign of life from the agent's main loop.",
            status.agent.silent.map(number),
        ),
        Family::gauge(
            "casedrop_ready",
            "Whether the agent can do its job now, as /health/ready says.",
            now.map(|now| flag(health(status, now).ready)),
        ),
        Family::gauges(
            "casedrop_reasons",
            "Current reasons by the codes of /health: how many there are of each.",
            reasons(status),
        ),
        Family::gauge(
            "casedrop_poll_interval_seconds",
            "The configured time between two polls.",
            number(status.poll_interval),
        ),
        Family::gauge(
            "casedrop_no_orders_after_seconds",
            "Working hours without a publication after which the PC reports that; absent if never.",
            status.no_orders_after.map(number),
        ),
        Family::gauge(
            "casedrop_journal_fault",
            "Whether the journal cannot be read or written.",
            flag(status.fault.is_some() || status.journal.is_some()),
        ),
    ]
}

fn reasons(status: &Status) -> Vec<(Labels, f64)> {
    let given = status.reasons();
    let count = |code: Code| given.iter().filter(|reason| reason.code == code).count() as u64;
    let labels = |code: Code| {
        vec![("code", code.as_str().to_owned()), ("severity", code.severity().as_str().to_owned())]
    };
    Code::ALL.map(|code| (labels(code), number(count(code)))).into()
}

fn labs(status: &Status) -> Vec<Family> {
    let labs = || status.labs.iter();
    let by_lab = |value: fn(&LabStatus) -> Option<f64>| {
        labs().filter_map(move |lab| Some((label(&lab.lab), value(lab)?)))
    };
    let states = labs().flat_map(|lab| {
        LabState::ALL.map(|state| {
            let mut labels = label(&lab.lab);
            labels.push(("state", state.as_str().to_owned()));
            (labels, flag(lab.state == state))
        })
    });
    let known = status.fault.is_none();
    vec![
        Family::gauges("casedrop_lab_state", "State of a lab: 1 for the current one.", states),
        Family::gauges(
            "casedrop_lab_login_needed",
            "Whether somebody must log in or pair.",
            by_lab(|lab| Some(flag(lab.state.needs_login()))),
        ),
        Family::gauges(
            "casedrop_lab_paused",
            "Whether somebody paused the lab.",
            by_lab(|lab| Some(flag(lab.paused.is_some()))),
        ),
        Family::gauges(
            "casedrop_last_good_poll_timestamp_seconds",
            "When Align last answered a poll.",
            by_lab(|lab| timestamp(lab.good_poll.as_deref())),
        ),
        Family::gauges(
            "casedrop_next_poll_timestamp_seconds",
            "When Align is polled next.",
            by_lab(|lab| timestamp(lab.next_poll.as_deref())),
        ),
        Family::gauges(
            "casedrop_last_publication_timestamp_seconds",
            "When an order of the lab was last published.",
            by_lab(|lab| timestamp(lab.last_publication.as_deref())),
        ),
        Family::gauges(
            "casedrop_working_seconds_since_last_publication",
            "Working hours of the lab since its last publication.",
            by_lab(|lab| lab.worked_since.map(number)),
        ),
        Family::gauges(
            "casedrop_orders_published_today",
            "Orders of the lab that were published since midnight, by the PC's clock.",
            by_lab(|lab| Some(number(lab.published_today))).filter(|_| known),
        ),
    ]
}

fn orders(status: &Status) -> Vec<Family> {
    let by_state = OrderState::ALL.map(|state| {
        let count = status.orders.get(state.as_str()).copied().unwrap_or(0);
        (vec![("state", state.as_str().to_owned())], number(count as u64))
    });
    // Unknown while the journal cannot be read.
    let known = status.fault.is_none();
    let running = &status.downloads;
    let sum = |part: fn(&RunningDownload) -> u64| number(running.iter().map(part).sum());
    vec![
        Family::gauges(
            "casedrop_orders",
            "Orders by state.",
            by_state.into_iter().filter(|_| known),
        ),
        Family::gauges(
            "casedrop_incomplete_orders",
            "Published orders whose files have a serious finding.",
            status.labs.iter().filter(|_| known).map(|lab| {
                let count = status.incomplete.get(lab.lab.as_str()).copied().unwrap_or(0);
                (label(&lab.lab), number(count))
            }),
        ),
        Family::gauges(
            "casedrop_orders_due_today",
            "Orders that are due today, by the PC's clock, and not published.",
            status.labs.iter().filter(|_| known).map(|lab| {
                let count = status.due_today.get(lab.lab.as_str()).copied().unwrap_or(0);
                (label(&lab.lab), number(count))
            }),
        ),
        Family::gauge(
            "casedrop_running_downloads",
            "Running downloads.",
            number(running.len() as u64),
        ),
        Family::gauge(
            "casedrop_running_downloads_received_bytes",
            "Bytes received of the running downloads.",
            sum(|download| download.done),
        ),
        Family::gauge(
            "casedrop_running_downloads_expected_bytes",
            "Total size of the running downloads, as far as Align reports it.",
            sum(|download| download.total.unwrap_or(0)),
        ),
    ]
}

fn output(status: &Status) -> Vec<Family> {
    let output = &status.output;
    vec![
        Family::gauge(
            "casedrop_output_waiting",
            "Whether the agent is waiting for a missing output folder.",
            flag(output.waits.is_some()),
        ),
        Family::gauge(
            "casedrop_output_free_bytes",
            "Free space on the output's volume.",
            output.free.map(number),
        ),
        Family::gauge(
            "casedrop_output_silent_seconds",
            "How long the output's volume has not answered.",
            number(output.silent.unwrap_or(0)),
        ),
        Family::gauge(
            "casedrop_output_min_free_bytes",
            "Space that must stay free there; below it nothing is fetched.",
            number(output.min_free),
        ),
        Family::gauge(
            "casedrop_output_full",
            "Whether there is less free space than must stay free.",
            flag(output.is_full()),
        ),
    ]
}

/// The counts are kept in the journal, and restart from zero if it is rebuilt.
fn notifications(told: &NotificationsStatus) -> Vec<Family> {
    let counter = |name, help, count| Family::counters(name, help, [(Labels::new(), count)]);
    vec![
        counter(
            "casedrop_notifications_received_total",
            "Orders announced by scan notifications.",
            told.received,
        ),
        counter(
            "casedrop_notifications_refused_total",
            "Notifications for an account that no lab is paired with.",
            told.refused,
        ),
        counter(
            "casedrop_notifications_unreadable_total",
            "Notifications without a readable order; Align is polled because of them.",
            told.unreadable,
        ),
        counter(
            "casedrop_notifications_missed_total",
            "Orders found by polling that no notification announced.",
            told.missed,
        ),
        Family::gauge(
            "casedrop_notifications_waiting",
            "Announced orders that Align still has to be asked about.",
            number(told.waiting),
        ),
        Family::gauge(
            "casedrop_last_notification_timestamp_seconds",
            "When the last notification arrived.",
            timestamp(told.last.as_deref()),
        ),
        Family::gauge(
            "casedrop_last_missed_notification_timestamp_seconds",
            "When polling last found an order that no notification announced.",
            timestamp(told.last_missed.as_deref()),
        ),
        Family::gauge(
            "casedrop_notifications_listener_fault",
            "Whether the listener for notifications does not work.",
            flag(told.trouble.is_some()),
        ),
    ]
}

fn update(update: &UpdateStatus) -> Vec<Family> {
    let info = |name, help, version: &Option<String>| {
        let labels = version.iter().map(|version| vec![("version", version.clone())]);
        Family { name, help, samples: Samples::Info(labels.collect()) }
    };
    vec![
        info(
            "casedrop_update_staged_info",
            "A newer version that is staged; absent if there is none.",
            &update.staged,
        ),
        info(
            "casedrop_update_trial_info",
            "A newer version that is on trial; absent if there is none.",
            &update.trial,
        ),
        info(
            "casedrop_update_taken_back_info",
            "The newest version that was rolled back; absent if there is none.",
            &update.taken_back,
        ),
    ]
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// A count as Prometheus stores it: exact up to about 9 * 10^15.
#[expect(clippy::cast_precision_loss, reason = "all numbers are floating-point ones there")]
fn number(count: u64) -> f64 {
    count as f64
}

/// Converts a time of the snapshot to seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "a time in seconds is small")]
fn timestamp(text: Option<&str>) -> Option<f64> {
    let at = WallMs::from_rfc3339(text?)?;
    Some((at.0 / 1000) as f64)
}
