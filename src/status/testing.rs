//! A status snapshot for tests.

use super::report::{
    AgentStatus, LabState, LabStatus, NotificationsStatus, Status, UpdateStatus, VolumeStatus,
};
use crate::model::record::OrderState;

/// A working agent with one lab, all well, at 12:00 UTC on June 1, 2026.
pub(crate) fn well() -> Status {
    Status {
        version: "1.2.3".to_owned(),
        at: "2026-06-01T12:00:00Z".to_owned(),
        agent: AgentStatus {
            running: true,
            since: Some("2026-06-01T06:00:00Z".to_owned()),
            silent: Some(0),
        },
        page: None,
        set_up_code: None,
        labs: vec![lab("smile-lab")],
        orders: OrderState::ALL
            .iter()
            .map(|state| (state.as_str().to_owned(), usize::from(*state == OrderState::Published)))
            .collect(),
        incomplete: std::collections::BTreeMap::new(),
        due_today: std::collections::BTreeMap::new(),
        failing: Vec::new(),
        failing_more: 0,
        poll_interval: 120,
        no_orders_after: None,
        notifications: Some(NotificationsStatus {
            received: 12,
            last: Some("2026-06-01T11:30:00Z".to_owned()),
            waiting: 1,
            refused: 0,
            unreadable: 0,
            missed: 2,
            last_missed: Some("2026-05-20T10:00:00Z".to_owned()),
            trouble: None,
        }),
        downloads: Vec::new(),
        pauses: Vec::new(),
        output: VolumeStatus {
            path: "orders".into(),
            waits: None,
            free: Some(100_000_000_000),
            free_age: Some(0),
            silent: None,
            min_free: 5_000_000_000,
        },
        journal: None,
        update: Some(UpdateStatus::default()),
        wishes: Vec::new(),
        notes: Vec::new(),
        fault: None,
    }
}

/// A polled lab.
pub(crate) fn lab(name: &str) -> LabStatus {
    LabStatus {
        lab: name.parse().expect("a lab's name"),
        account: Some("4711".parse().expect("an account")),
        account_name: Some("Smile Lab GmbH".to_owned()),
        state: LabState::Polling,
        paused: None,
        good_poll: Some("2026-06-01T11:59:00Z".to_owned()),
        next_poll: Some("2026-06-01T12:01:00Z".to_owned()),
        last_publication: Some("2026-06-01T11:00:00Z".to_owned()),
        published_today: 3,
        worked_since: Some(3600),
        login_ends: None,
        fault: None,
        hint: None,
        todo: None,
    }
}
