//! Case flows and notifications.

use casedrop::simulator::{AutoFlow, OrderSpec, Scenario};
use serde_json::{Value, json};

use crate::lab::{Lab, Receiver, made_from, text};

/// A lab with a receiver, and an order whose first notification has been received.
async fn lab_with_order(spec: OrderSpec) -> (Lab, Receiver, String) {
    let mut lab = Lab::signed_in(Scenario::empty()).await;
    let mut receiver = Receiver::start().await;
    lab.pair(Some(&receiver.url)).await;
    let id = lab.order(&spec);
    receiver.next().await;
    (lab, receiver, id)
}

#[tokio::test]
async fn a_new_scan_is_notified_with_rx_id_and_account() {
    let mut lab = Lab::signed_in(Scenario::empty()).await;
    let mut receiver = Receiver::start().await;
    lab.pair(Some(&receiver.url)).await;
    let id = lab.order(&OrderSpec::default());
    let rx = lab.admin().state().order(&id).expect("known").rx_id.clone();
    assert_eq!(receiver.next().await, json!({"rxId": rx, "accountNumber": "4711"}));
    lab.order(&OrderSpec { quiet: true, ..OrderSpec::default() });
    lab.admin().notify(&id).expect("sent");
    assert_eq!(receiver.next().await["rxId"], rx.as_str());
}

#[tokio::test]
async fn modeling_changes_the_files_under_the_same_id() {
    let (lab, mut receiver, id) = lab_with_order(OrderSpec::default()).await;
    let before = made_from(&lab.bytes(&id, "IDE").await);
    assert!(before.contains("modeled: false, variant: 0"), "{before}");
    lab.admin().flow(&id, "send-to-modeling").expect("moved");
    assert_eq!(lab.status(&id), "iTero Modeling");
    assert!(lab.listed().await.is_empty());
    lab.admin().flow(&id, "modeling-completed").expect("moved");
    let rx = lab.admin().state().order(&id).expect("known").rx_id.clone();
    assert_eq!(receiver.next().await["rxId"], rx.as_str());
    let listed = lab.list().await;
    assert_eq!(
        (text(&listed[0]["orderId"]), text(&listed[0]["status"])),
        (id.clone(), "Lab Review".into())
    );
    let after = made_from(&lab.bytes(&id, "IDE").await);
    assert!(after.contains("modeled: true, variant: 1"), "{after}");
    let history: Vec<String> = lab
        .admin()
        .state()
        .order(&id)
        .expect("known")
        .history
        .iter()
        .map(|s| s.status.clone())
        .collect();
    assert_eq!(
        history,
        ["Ready for Download", "Downloaded", "iTero Modeling", "Lab Review", "Downloaded"]
    );
}

/// Transition, status, whether it is listed, whether files changed, whether a notification is due.
type Expected<'a> = (&'a str, &'a str, bool, bool, bool);

#[tokio::test]
async fn every_transition_does_what_the_table_says() {
    let (lab, mut receiver, id) = lab_with_order(OrderSpec::default()).await;
    let steps: [Expected<'_>; 14] = [
        ("return-to-doctor", "Scanning", false, false, false),
        ("rescan-completed", "Ready for Download", true, true, true),
        ("send-to-modeling", "iTero Modeling", false, false, false),
        ("modeling-completed", "Lab Review", true, true, true),
        ("physical-model", "iTero Milling", false, false, false),
        ("physical-model", "Ready to Ship", false, false, false),
        ("physical-model", "Downloaded", false, false, false),
        ("interpretation-2", "iTero Milling", false, false, false),
        ("interpretation-2", "Lab Review", true, true, true),
        ("take", "Downloaded", false, false, false),
        ("files-changed", "Downloaded", false, true, true),
        ("first-scan", "Ready for Download", true, false, true),
        ("complete", "Completed", false, false, false),
        ("rescan-completed", "Ready for Download", true, true, true),
    ];
    let mut due = 1;
    for (transition, status, listed, files, notified) in steps {
        let before = lab.admin().state().order(&id).expect("known").clone();
        lab.admin().flow(&id, transition).expect("moved");
        let after = lab.admin().state().order(&id).expect("known").clone();
        assert_eq!(after.status, status, "{transition}");
        assert_eq!(after.listed, listed, "{transition}");
        assert_eq!(after.variant, before.variant + u32::from(files), "{transition}");
        assert_ne!(after.updated_at, before.updated_at, "{transition}");
        if notified {
            due += 1;
            receiver.next().await;
        }
    }
    // The last step was notified, so everything before it has arrived, and nothing else.
    assert!(receiver.is_empty());
    assert_eq!(due, 7);
    let error = lab.admin().flow(&id, "evaporate").expect_err("unknown");
    assert!(error.contains("modeling-completed"), "{error}");
    assert!(lab.admin().flow("1", "take").is_err());
}

#[tokio::test]
async fn a_notification_can_come_before_the_files() {
    let (lab, mut receiver, id) = lab_with_order(OrderSpec::default()).await;
    lab.admin().update_settings(|settings| settings.early_notification = 2);
    lab.admin().flow(&id, "rescan-completed").expect("moved");
    receiver.next().await;
    for _ in 0..2 {
        assert!(lab.listed().await.is_empty());
        assert_eq!(lab.download(&id, "IDE").await.status(), 404);
    }
    assert_eq!(lab.listed().await, [id.as_str()]);
    lab.bytes(&id, "IDE").await;
    assert!(lab.listed().await.is_empty());
}

#[tokio::test]
async fn notifications_can_repeat() {
    let (lab, mut receiver, id) = lab_with_order(OrderSpec::default()).await;
    lab.admin().update_settings(|settings| settings.notification_repeats = 2);
    lab.admin().flow(&id, "rescan-completed").expect("moved");
    let first: Value = receiver.next().await;
    for _ in 0..2 {
        assert_eq!(receiver.next().await, first);
    }
}

#[tokio::test]
async fn an_order_can_go_to_modeling_by_itself_and_come_back() {
    let auto_flow = Some(AutoFlow { modeling_ms: 30 });
    let (lab, mut receiver, id) =
        lab_with_order(OrderSpec { auto_flow, ..OrderSpec::default() }).await;
    lab.bytes(&id, "IDE").await;
    receiver.next().await;
    assert_eq!(lab.status(&id), "Lab Review");
    lab.bytes(&id, "IDE").await;
    assert_eq!(lab.status(&id), "Downloaded");
    let history = lab.admin().state().order(&id).expect("known").history.len();
    assert_eq!(history, 5);
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_recorded() {
    let mut lab = Lab::signed_in(Scenario::empty()).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = format!("http://{}/secret-path", listener.local_addr().expect("address"));
    drop(listener);
    let mut working = Receiver::start().await;
    lab.pair(Some(&url)).await;
    lab.order(&OrderSpec::default());
    lab.pair(Some(&working.url)).await;
    lab.order(&OrderSpec::default());
    working.next().await;
    let failed = || {
        let all = lab.admin().state().notifications;
        all.into_iter().find(|delivery| delivery.error.is_some())
    };
    let waiting = async {
        loop {
            if let Some(delivery) = failed() {
                return delivery;
            }
            tokio::task::yield_now().await;
        }
    };
    let delivery =
        tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await.expect("recorded");
    assert!(!delivery.error.expect("error").contains("secret-path"));
}
