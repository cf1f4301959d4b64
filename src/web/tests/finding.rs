//! Finding orders: the header's search, the list, unknown numbers, and the ways back.

use super::*;
use crate::model::request::CaseKind;
use crate::password::cheap;
use crate::status::WishKind;

const NUMBER: &str = "17551207";

fn listed(numbers: impl Iterator<Item = u32>) -> OrderPage {
    let order = |number: u32| {
        let order = number.to_string().parse().expect("a number");
        OrderRecord { key: OrderKey { order, ..key() }, ..record() }
    };
    let orders: Vec<_> = numbers.map(order).collect();
    OrderPage { total: orders.len(), orders }
}

impl Browser {
    fn with_orders(numbers: impl Iterator<Item = u32>) -> Self {
        let browser = Self::new(false);
        *browser.made.listed.lock().expect("sound") = Some(listed(numbers));
        browser
    }

    /// Where a page leads to.
    async fn led_to(&mut self, path: &str) -> String {
        let answer = self.call(HttpRequest::get(path), String::new()).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
        answer.headers()[header::LOCATION].to_str().expect("text").to_owned()
    }
}

#[tokio::test]
async fn every_page_has_the_search_and_the_login_has_no_menu() {
    let mut browser = Browser::new(false);
    for path in ["/", "/orders", ORDER, "/log", "/welcome", "/diagnostics", "/nothing"] {
        let (_, page) = browser.get(path).await;
        assert_eq!(page.matches("action=\"/search\"").count(), 1, "{path}");
        assert!(page.contains("href=\"/diagnostics\""), "{path}");
    }
    let mut browser = Browser::with_password(false, Some(cheap("secret")));
    let (_, page) = browser.get("/login").await;
    assert!(page.contains("name=\"password\""), "{page}");
    assert!(!page.contains("<nav") && !page.contains("/search"), "{page}");
}

#[tokio::test]
async fn what_it_needs_stands_in_one_menu() {
    let mut browser = Browser::new(false);
    let (_, page) = browser.get("/diagnostics").await;
    for path in ["/log", "/audit", "/commands", "/settings"] {
        let link = format!("<a href=\"{path}\"");
        assert!(page.contains(&link), "{path}");
        assert!(!browser.get("/orders").await.1.contains(&link), "{path}");
    }
    let (_, log) = browser.get("/log").await;
    assert!(
        log.contains("<a href=\"/audit\"") && log.contains("href=\"/log\" aria-current"),
        "{log}"
    );
}

#[tokio::test]
async fn a_search_leads_to_the_order_that_it_names_and_else_to_the_list() {
    let number: u32 = NUMBER.parse().expect("a number");
    let mut browser = Browser::with_orders(number..=number);
    let order = format!("/orders/smile%2Dlab/4711/{NUMBER}");
    assert_eq!(browser.led_to("/search?q=%2317551207").await, order);
    assert_eq!(browser.led_to(&format!("/orders/{NUMBER}")).await, order);
    // It is found, but something else was searched for.
    assert_eq!(browser.led_to("/search?q=smile-lab").await, "/orders?q=smile-lab");
    assert_eq!(browser.led_to("/search?q=+").await, "/orders");
    let mut browser = Browser::with_orders(number..=number + 1);
    assert_eq!(browser.led_to(&format!("/search?q={NUMBER}")).await, format!("/orders?q={NUMBER}"));
}

#[tokio::test]
async fn an_unknown_number_is_fetched_by_a_button() {
    let mut browser = Browser::with_orders(0..0);
    let unknown = format!("/orders/smile%2Dlab/4711/{NUMBER}");
    let paths = [format!("/orders?q={NUMBER}"), format!("/orders/{NUMBER}"), unknown];
    for (path, status) in paths.iter().zip([200, 404, 404]) {
        let (found, page) = browser.get(path).await;
        assert_eq!(found.as_u16(), status, "{path}");
        assert!(page.contains("data-test=\"unknown\"") && page.contains("/orders/fetch"), "{path}");
    }
    let (_, page) = browser.get(&format!("/orders?q={NUMBER}&state=held")).await;
    assert!(!page.contains("/orders/fetch"), "the filter may hide it");
    assert!(page.contains(&format!("href=\"/orders?q={NUMBER}\"")), "{page}");
    let (_, page) = browser.get("/orders?q=crown").await;
    assert!(!page.contains("/orders/fetch"), "nothing can be fetched by words");

    let csrf = browser.field(&paths[0], "csrf").await;
    let fields = [("id", "page-1"), ("order", NUMBER), ("lab", "smile-lab"), ("kind", "ortho")];
    let refused = browser.post("/orders/fetch", &fields).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(browser.done(), []);
    let fields = [&fields[..], &[("csrf", &csrf)]].concat();
    let answer = browser.post("/orders/fetch", &fields).await;
    assert_eq!(
        answer.headers()[header::LOCATION],
        format!("/orders/{NUMBER}?answer=page-1").as_str()
    );
    let request = Request::Refetch {
        lab: Some("smile-lab".to_owned()),
        orders: vec![NUMBER.parse().expect("a number")],
        kind: Some(CaseKind::Ortho),
    };
    let who = Who { user: None, via: Via::Page };
    assert_eq!(browser.done(), [("page-1".to_owned(), request, who)]);
}

#[tokio::test]
async fn while_an_order_is_requested_its_page_waits_for_it() {
    let mut browser = Browser::with_orders(0..0);
    browser.made.wishes.lock().expect("sound").push(Wish {
        what: WishKind::Fetch,
        lab: "smile-lab".to_owned(),
        account: Some("4711".to_owned()),
        order_id: Some(NUMBER.to_owned()),
        since: None,
    });
    let (status, page) = browser.get(&format!("/orders/{NUMBER}")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("http-equiv=\"refresh\"") && !page.contains("/orders/fetch"), "{page}");
    let (status, _) = browser.get("/orders/17551208").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn patients_are_searched_for_only_where_their_names_may_be_shown() {
    for show_names in [false, true] {
        let mut browser = Browser::new(show_names);
        let mut page = listed(1..2);
        page.orders[0].published = Some(crate::model::record::PublishedRecord {
            revision: 1,
            manifest_sha256: String::new(),
            at: WallMs(0),
            confirmed: WallMs(0),
            place: Place::Main,
            history_seen: 0,
        });
        let known = page.orders[0].key.clone();
        *browser.made.listed.lock().expect("sound") = Some(page);
        browser.get("/orders?q=doe").await;
        let queries = browser.made.queries.lock().expect("sound").clone();
        let asked = queries.iter().find(|query| !query.words.is_empty()).expect("asked");
        let named = if show_names { vec![vec![known]] } else { vec![] };
        assert_eq!(asked.named, named, "{PATIENT}");
    }
}

#[tokio::test]
async fn a_page_beyond_the_last_is_the_last() {
    let mut browser = Browser::with_orders(1000..1120);
    let (_, page) = browser.get("/orders?page=9999").await;
    assert_eq!(page.matches("<th scope=\"row\">").count(), 20, "{page}");
    assert!(page.contains("of 3") && page.contains("name=\"page\" value=\"3\""), "{page}");
}

#[tokio::test]
async fn an_order_leads_back_to_the_list_it_was_found_in() {
    let mut browser = Browser::new(false);
    let (_, list) = browser.get("/orders?q=smile&state=waiting&page=1").await;
    let order = format!("{ORDER}?list=q%3Dsmile%26state%3Dwaiting");
    assert!(list.contains(&format!("href=\"{order}\"")), "{list}");
    let (_, page) = browser.get(&order).await;
    assert!(page.contains("href=\"/orders?q=smile&#38;state=waiting\">←"), "{page}");
    // An action keeps it.
    let csrf = browser.field(&order, "csrf").await;
    let fields = [("csrf", csrf.as_str()), ("id", "page-1"), ("back", &order)];
    let answer = browser.post(&format!("{ORDER}/refetch"), &fields).await;
    assert_eq!(answer.headers()[header::LOCATION], format!("{order}&answer=page-1").as_str());
    let fields = [("csrf", csrf.as_str()), ("id", "page-2"), ("back", "/settings")];
    let answer = browser.post(&format!("{ORDER}/refetch"), &fields).await;
    assert_eq!(answer.headers()[header::LOCATION], format!("{ORDER}?answer=page-2").as_str());
}

#[tokio::test]
async fn a_return_passes_on_what_was_typed_and_loses_no_reason_to_a_mistyped_number() {
    let mut browser = Browser::new(false);
    let page = format!("{ORDER}/return");
    let csrf = browser.field(&page, "csrf").await;
    for (confirm, reason) in [("18", "the <margin>"), ("", "the <margin>"), ("17", " ")] {
        let fields =
            [("csrf", csrf.as_str()), ("id", "page-1"), ("reason", reason), ("confirm", confirm)];
        let answer = browser.post(&page, &fields).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let bytes = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        let html = String::from_utf8(bytes.to_vec()).expect("text");
        let kept = reason.replace('<', "&#60;").replace('>', "&#62;");
        assert!(html.contains(&format!(">{kept}</textarea>")), "{html}");
        assert!(html.contains("data-test=\"problem\""), "{html}");
    }
    assert_eq!(browser.done(), [], "nothing was sent");
    let typed = [("csrf", csrf.as_str()), ("reason", "margin"), ("confirm", " 17 ")];
    let answer = browser.post(&page, &[&typed[..], &[("id", "page-2")]].concat()).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    match &browser.done()[..] {
        [(_, Request::Return { order, reason, confirm, .. }, _)] => {
            assert_eq!((order.as_str(), reason.0.as_str()), ("17", "margin"));
            assert_eq!(confirm.as_ref().map(ToString::to_string).as_deref(), Some("17"));
        }
        other => panic!("{other:?}"),
    }
}
