//! An independent view of Align: what an order holds there, fetched without the product.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use casedrop::model::manifest::Manifest;
use serde_json::Value;

use super::tree;
use super::world::{World, client};

/// Names and hashes of files.
pub type Content = BTreeMap<String, String>;

/// What an order's package holds at Align now, in the format that the agent requested. The agent
/// must have downloaded it first. Counts as a download itself.
pub fn package(world: &World, order: &str) -> Content {
    let asked = world.align().state().asset(order, "IDE").parameters;
    assert!(!asked.is_empty(), "the agent never asked for {order}");
    let (base, account) = (world.base_url(), world.account());
    let callback = "https://lab0.example/callback";
    let sign_in = [
        ("response_type", "code"),
        ("client_id", &account.client_id),
        ("redirect_uri", callback),
        ("state", "x"),
    ];
    let sign_in =
        url::Url::parse_with_params(&format!("{}/authorize", world.oauth_base()), sign_in)
            .expect("a URL");
    let back = url::Url::parse(&super::world::follow(sign_in.as_str())).expect("a URL");
    let code = back.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let zip = runtime.block_on(async {
        let client = client();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", callback),
            ("client_id", &account.client_id),
            ("client_secret", &account.client_secret),
        ];
        let url = format!("{}/oauth/token", world.oauth_base());
        let tokens: Value =
            client.post(url).form(&form).send().await.expect("sent").json().await.expect("JSON");
        let url = format!("{base}/api/third-party/v1/orders/{order}/assets/IDE");
        let token = tokens["access_token"].as_str().expect("a token");
        let answer = client.get(url).query(&asked).bearer_auth(token).send().await.expect("sent");
        answer.error_for_status().expect("a package").bytes().await.expect("whole")
    });
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).expect("a zip");
    let mut content = Content::new();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).expect("a member");
        if !member.is_dir() {
            let name = member.name().expect("text").into_owned();
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).expect("readable");
            content.insert(name, tree::hash(&bytes));
        }
    }
    content
}

/// What a manifest lists, except for what came by separate calls.
pub fn listed(manifest: &Manifest) -> Content {
    let own =
        |path: &str| !path.starts_with("thumbnails/") && !path.starts_with("screen-captures/");
    let files = manifest.files.iter().filter(|file| own(&file.path));
    files.map(|file| (file.path.to_string(), file.sha256.clone())).collect()
}
