//! Downloads.

use casedrop::simulator::{CaseKind, MarkDownloaded, OrderSpec};
use reqwest::header::{ACCEPT_RANGES, CONTENT_LENGTH, ETAG, IF_RANGE, RANGE};

use crate::lab::{LENGTH, Lab, asset_path, location, made_from};

#[tokio::test]
async fn a_downloaded_order_leaves_the_list_and_stays_downloadable() {
    let lab = Lab::paired().await;
    let id = lab.order(&OrderSpec::default());
    let answer = lab.download(&id, "IDE").await;
    assert_eq!(answer.headers()[CONTENT_LENGTH], LENGTH.to_string().as_str());
    assert!(answer.headers()["content-disposition"].to_str().expect("text").contains(&id));
    let first = answer.bytes().await.expect("body");
    assert!(lab.listed().await.is_empty());
    assert_eq!(lab.status(&id), "Downloaded");
    assert_eq!(lab.bytes(&id, "IDE").await, first);
    let count = lab.admin().state().asset(&id, "IDE");
    assert_eq!((count.started, count.completed, count.resumed), (2, 2, 0));
}

#[tokio::test]
async fn other_assets_do_not_take_the_order_from_the_list() {
    let lab = Lab::paired().await;
    let id = lab.order(&OrderSpec { screen_captures: true, ..OrderSpec::default() });
    assert!(made_from(&lab.bytes(&id, "IMAGE_GALLERY").await).starts_with("thumbnails"));
    assert!(made_from(&lab.bytes(&id, "SCREEN_CAPTURES").await).starts_with("screen-captures"));
    assert_eq!(lab.listed().await, [id.as_str()]);
    assert_eq!(lab.download(&id, "VIDEO").await.status(), 400);
    assert_eq!(lab.download("1", "IDE").await.status(), 404);
    let without = lab.order(&OrderSpec::default());
    assert_eq!(lab.download(&without, "SCREEN_CAPTURES").await.status(), 404);
}

#[tokio::test]
async fn the_list_can_lag_behind_a_download() {
    let lab = Lab::paired().await;
    lab.admin().update_settings(|settings| settings.list_lag_ms = 3_600_000);
    let id = lab.order(&OrderSpec::default());
    let before = lab.list().await;
    lab.bytes(&id, "IDE").await;
    assert_eq!(lab.status(&id), "Downloaded");
    let after = lab.list().await;
    assert_eq!(before[0]["status"], after[0]["status"]);
    assert_eq!(before[0]["updatedAt"], after[0]["updatedAt"]);
}

#[tokio::test]
async fn the_status_can_change_with_the_first_or_the_last_byte() {
    let lab = Lab::paired().await;
    for (mark, expected) in
        [(MarkDownloaded::Start, "Downloaded"), (MarkDownloaded::End, "Ready for Download")]
    {
        lab.admin().update_settings(|settings| settings.mark_downloaded = mark);
        let id = lab.order(&OrderSpec::default());
        let kind =
            casedrop::simulator::FaultKind::Truncate { after_bytes: 1000, announce_short: false };
        let rule = casedrop::simulator::FaultRule::on("downloadAsset", kind).order(&id).times(1);
        lab.admin().inject(rule);
        assert!(lab.download(&id, "IDE").await.bytes().await.is_err());
        assert_eq!(lab.status(&id), expected);
        lab.bytes(&id, "IDE").await;
        assert_eq!(lab.status(&id), "Downloaded");
    }
}

#[tokio::test]
async fn files_that_are_not_converted_are_regenerated() {
    let lab = Lab::paired().await;
    let id = lab.order(&OrderSpec { regenerating: 2, ..OrderSpec::default() });
    for _ in 0..2 {
        assert_eq!(lab.download(&id, "IDE").await.status(), 404);
        assert_eq!(lab.status(&id), "Ready for Download");
    }
    lab.bytes(&id, "IDE").await;
    assert_eq!(lab.admin().state().asset(&id, "IDE").not_converted, 2);
    let id = lab.order(&OrderSpec { regenerating_ms: 3_600_000, ..OrderSpec::default() });
    for _ in 0..3 {
        assert_eq!(lab.download(&id, "IDE").await.status(), 404);
    }
}

#[tokio::test]
async fn the_client_s_parameters_decide_about_the_package_and_are_recorded() {
    let lab = Lab::paired().await;
    let id = lab.order(&OrderSpec::new(CaseKind::OrthoShell));
    let get = |query: &str| {
        let path = format!("{}?{query}", asset_path(&id, "IDE"));
        let request = lab.request(&path);
        async move { made_from(&request.send().await.expect("answer").bytes().await.expect("body")) }
    };
    let plain = get("").await;
    assert!(plain.contains("OrthoShell") && plain.contains("ply: false"), "{plain}");
    let other =
        get("fileType=PLY&typeFormat=SolidModelWithLowProfileBase&fileFormat=TwoFiles").await;
    assert!(other.contains("OrthoBase") && other.contains("ply: true"), "{other}");
    assert!(other.contains("TwoFiles"), "{other}");
    let parameters = lab.admin().state().asset(&id, "IDE").parameters;
    assert_eq!(parameters["fileType"], "PLY");
    assert_eq!(parameters.len(), 3);
}

#[tokio::test]
async fn a_download_can_be_resumed() {
    let lab = Lab::paired().await;
    let id = lab.order(&OrderSpec::default());
    let first = lab.download(&id, "IDE").await;
    assert_eq!(first.headers()[ACCEPT_RANGES], "bytes");
    let etag = first.headers()[ETAG].to_str().expect("text").to_owned();
    assert!(etag.starts_with('"'));
    let whole = first.bytes().await.expect("body");
    let ask = |range: &str, tag: &str| {
        let request = lab.request(&asset_path(&id, "IDE"));
        request.header(RANGE, range).header(IF_RANGE, tag).send()
    };
    let part = ask("bytes=299000-", &etag).await.expect("answer");
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], "bytes 299000-299999/300000");
    assert_eq!(part.bytes().await.expect("body"), whole[299_000..]);
    let count = lab.admin().state().asset(&id, "IDE");
    assert_eq!((count.started, count.resumed, count.completed), (1, 1, 2));
    assert_eq!(ask("bytes=300000-", &etag).await.expect("answer").status(), 416);

    lab.admin().flow(&id, "rescan-completed").expect("moved");
    let changed = ask("bytes=299000-", &etag).await.expect("answer");
    assert_eq!(changed.status(), 200);
    assert_ne!(changed.headers()[ETAG], etag.as_str());
    assert_ne!(changed.bytes().await.expect("body"), whole);
}

#[tokio::test]
async fn tags_ranges_and_lengths_can_be_missing() {
    let lab = Lab::paired().await;
    lab.admin().update_settings(|settings| {
        settings.etag = false;
        settings.ranges = false;
        settings.content_length = false;
    });
    let id = lab.order(&OrderSpec::default());
    let request = lab.request(&asset_path(&id, "IDE")).header(RANGE, "bytes=5-");
    let answer = request.send().await.expect("answer");
    assert_eq!(answer.status(), 200);
    for name in [ETAG, ACCEPT_RANGES, CONTENT_LENGTH] {
        assert!(answer.headers().get(name).is_none());
    }
    assert_eq!(answer.bytes().await.expect("body").len(), LENGTH);
}

#[tokio::test]
async fn storage_takes_its_urls_once_and_no_bearer_token() {
    let lab = Lab::paired().await;
    lab.admin().update_settings(|settings| settings.redirect_to_storage = true);
    let id = lab.order(&OrderSpec::default());
    let url = location(&lab.download(&id, "IDE").await);
    let port = url::Url::parse(&url).expect("URL").port();
    assert_ne!(port, Some(lab.sim.address().port()));
    assert_eq!(lab.status(&id), "Ready for Download");
    let with_token = lab.http.get(&url).bearer_auth(&lab.access).send().await.expect("answer");
    assert_eq!(with_token.status(), 400);
    assert_eq!(lab.admin().state().counters.storage_with_authorization, 1);
    let plain = lab.http.get(&url).send().await.expect("answer");
    assert_eq!(plain.status(), 200);
    assert_eq!(plain.bytes().await.expect("body").len(), LENGTH);
    assert_eq!(lab.status(&id), "Downloaded");
    assert_eq!(lab.http.get(&url).send().await.expect("answer").status(), 403);
    let elsewhere = url::Url::parse(&url).expect("URL").join("/admin/state").expect("URL");
    assert_eq!(lab.http.get(elsewhere).send().await.expect("answer").status(), 404);
}

#[tokio::test]
async fn a_link_to_storage_comes_as_json_with_one_url() {
    let lab = Lab::paired().await;
    lab.admin().update_settings(|settings| settings.link_to_storage = true);
    let id = lab.order(&OrderSpec::default());
    let answer = lab.download(&id, "IDE").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json");
    let json: serde_json::Value = answer.json().await.expect("JSON");
    let url = json["assetUrl"].as_str().expect("a URL");
    let plain = lab.http.get(url).send().await.expect("answer");
    assert_eq!(plain.bytes().await.expect("body").len(), LENGTH);
    assert_eq!(lab.http.get(url).send().await.expect("answer").status(), 403, "once");
}
