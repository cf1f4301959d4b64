use super::*;

const DOCUMENTED: &str = r#"{"orderId":17544365,"rxId":"RX-9","orderCode":"02NR8VTN",
  "status":"Ready For Download","caseType":"iRecord","procedure":"Orthodontic",
  "patient":{"firstName":"Paula","lastName":"Placeholder","chartNumber":"C-1"},
  "doctor":{"name":"Dr. Sample","license":"L-1"},"practice":{"id":7,"name":"Practice"},
  "receivedDate":"11/23/2026","dueDate":"2026-12-01","updatedAt":"2026-11-23T10:00:00Z",
  "history":[{"status":"Scanning","at":"11/20/2026"},{"at":"nothing said"}],
  "assets":[{"type":"IMAGE_GALLERY","etag":"\"g\""},{"type":"ide","url":null,"etag":"\"abc\""}]}"#;

#[test]
fn an_order_is_read_without_its_patient() {
    let order = single_order(DOCUMENTED.as_bytes()).expect("readable");
    assert_eq!(order.order_id.as_str(), "17544365");
    assert_eq!(order.rx_id.as_ref().expect("there").as_str(), "RX-9");
    assert_eq!(order.status, Status::Ready);
    assert_eq!(order.updated_at.as_deref(), Some("2026-11-23T10:00:00Z"));
    assert_eq!(order.history.len(), 1);
    assert_eq!(order.etag.as_deref(), Some("\"abc\""));
    assert_eq!(order.due_date.expect("there").to_string(), "2026-12-01");
    assert_eq!(order.doctor.as_deref(), Some("Dr. Sample"));
    let all = format!("{order:?}");
    for name in ["Paula", "Placeholder", "C-1", "L-1", "Practice"] {
        assert!(!all.contains(name), "{name} is in {all}");
    }
}

#[test]
fn names_and_ids_may_be_written_otherwise() {
    let text = r#"{"Data":[{"order_id":"17","RXID":5,"STATUS":"On The Moon","Case-Type":{"id":34,"name":"iCast"}}]}"#;
    let list = ready_orders(text.as_bytes()).expect("readable");
    let order = &list.orders[0];
    assert_eq!((order.order_id.as_str(), order.rx_id.as_ref().expect("rx").as_str()), ("17", "5"));
    assert_eq!(order.status, Status::Other("On The Moon".to_owned()));
    assert_eq!(order.case_type.as_deref(), Some("iCast"));
}

#[test]
fn a_due_date_or_doctor_that_says_nothing_is_absent() {
    for (text, due, doctor) in [
        (r#"{"orderId":1,"dueDate":"12/01/2026","doctor":"Dr. Sample"}"#, true, true),
        (
            r#"{"orderId":1,"due_date":"2026-12-01T00:00:00+01:00","Doctor":{"Name":"S"}}"#,
            true,
            true,
        ),
        (r#"{"orderId":1,"dueDate":"0001-01-01T00:00:00Z","doctor":" , "}"#, false, false),
        (r#"{"orderId":1,"dueDate":"soon","doctor":{"license":"L-1"}}"#, false, false),
        (r#"{"orderId":1,"dueDate":null,"doctor":null}"#, false, false),
    ] {
        let order = single_order(text.as_bytes()).expect(text);
        let day = order.due_date.map(|day| day.to_string());
        assert_eq!(day.as_deref(), due.then_some("2026-12-01"), "{text}");
        assert_eq!(order.doctor.is_some(), doctor, "{text}");
    }
}

#[test]
fn an_unreadable_entry_spoils_nothing_and_betrays_nobody() {
    let text = r#"{"orders":[{"orderId":1},"Doe, Jane",{"patient":"Doe"},{"orderId":{"of":"Doe"}},{"orderId":2}]}"#;
    let list = ready_orders(text.as_bytes()).expect("readable");
    let ids: Vec<_> = list.orders.iter().map(|order| order.order_id.as_str()).collect();
    assert_eq!(ids, ["1", "2"]);
    assert_eq!(list.unreadable.len(), 3);
    assert!(list.unreadable[0].contains("entry 2"), "{:?}", list.unreadable);
    assert!(!list.unreadable.concat().contains("Doe"));
}

#[test]
fn an_order_in_the_ready_list_is_ready_unless_it_says_otherwise() {
    let list = ready_orders(br#"[{"orderId":1},{"orderId":2,"status":"Lab Review"}]"#);
    let list = list.expect("readable");
    assert_eq!(list.orders[0].status, Status::Ready);
    assert_eq!(list.orders[1].status, Status::LabReview);
}

#[test]
fn a_single_order_may_be_wrapped() {
    for text in
        [r#"{"order":{"orderId":3}}"#, r#"[{"orderId":3}]"#, r#"{"items":[{"caseId":"3"}]}"#]
    {
        assert_eq!(single_order(text.as_bytes()).expect(text).order_id.as_str(), "3");
    }
    assert_eq!(single_order(b"{}"), Err(BadAnswer::Lacks("usable order id")));
    assert_eq!(single_order(b"[]"), Err(BadAnswer::Lacks("order")));
}

#[test]
fn tokens_are_read_from_either_place() {
    for text in [
        r#"{"access_token":"a","refresh_token":"r","expires_in":"3600","token_type":"Bearer"}"#,
        r#"{"tokens":{"accessToken":"a","refreshToken":"r","expiresIn":3600}}"#,
    ] {
        let tokens = tokens(text.as_bytes()).expect(text);
        assert_eq!(tokens.access.expose_secret(), "a");
        assert_eq!(tokens.refresh.expect("there").expose_secret(), "r");
        assert_eq!(tokens.lifetime, Some(Duration::from_hours(1)));
    }
    let bare = tokens(br#"{"access_token":"a","expires_in":-1}"#).expect("readable");
    assert!(bare.refresh.is_none() && bare.lifetime.is_none());
    assert!(tokens(br#"{"access_token":""}"#).is_err());
}

#[test]
fn only_a_proper_error_word_is_passed_on() {
    let error = oauth_error(br#"{"error":"invalid_grant","error_description":"used\nbefore"}"#);
    let error = error.expect("an error");
    assert_eq!(
        (error.code.as_str(), error.description.as_deref()),
        ("invalid_grant", Some("used before"))
    );
    assert_eq!(oauth_error(br#"{"error":"token abc is bad"}"#), None);
    assert_eq!(oauth_error(b"<html>"), None);
}

#[test]
fn discovery_leaves_out_what_it_cannot_read() {
    let text = r#"{"endpoints":[{"name":"getOrdersForLab","domain":"https://eu.example","path":"/o"},
        {"name":"pairAccount"}, 7, {"Name":"downloadAsset","Domain":"us.example","path":null}]}"#;
    let found = discovery(text.as_bytes()).expect("readable");
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].path, "/o");
    assert_eq!(found[1].domain, "us.example");
}

#[test]
fn forms_are_encoded_and_signed() {
    let mut form = refresh_form(&"r+/=".into());
    sign_form(&mut form, "id 1", Some(&"s&t".into()));
    assert_eq!(
        encode_form(&form),
        "grant_type=refresh_token&refresh_token=r%2B%2F%3D&client_id=id+1&client_secret=s%26t"
    );
}

#[test]
fn a_download_link_is_the_only_web_address_in_the_answer() {
    let link = |text: &str| download_link(text.as_bytes()).map(|url| url.to_string());
    let url = Ok("https://storage.example/17?s=1".to_owned());
    for text in [
        r#""https://storage.example/17?s=1""#,
        r#"{"url": " https://storage.example/17?s=1 ", "expires": 60, "name": "a: b"}"#,
        r#"[{"data": {"link": "https://storage.example/17?s=1", "id": "urn:x"}}]"#,
        r#"["https://storage.example/17?s=1", "https://storage.example/17?s=1"]"#,
    ] {
        assert_eq!(link(text), url, "{text}");
    }
    assert_eq!(link("{}"), Err(BadAnswer::Lacks("address of a download")));
    assert_eq!(link(r#"{"path": "/17.zip"}"#), Err(BadAnswer::Lacks("address of a download")));
    let two = r#"["https://a.example/", "https://b.example/"]"#;
    assert_eq!(link(two), Err(BadAnswer::Lacks("single address of a download")));
    assert!(matches!(link("{"), Err(BadAnswer::NotJson { .. })));
}
