//! From nothing, or from a config with placeholders, to one that the agent can run with.

use super::super::From;
use super::*;
use crate::disk::RealDisk;

const EXAMPLE: &str = include_str!("../../../config.example.yaml");

struct Place {
    dir: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let state = dir.path().join("state").display().to_string();
        Self { dir, env: vec![("CASEDROP_STATE".to_owned(), state)] }
    }

    fn with(text: &str) -> Self {
        let place = Self::new();
        std::fs::write(place.config(), text).expect("written");
        place
    }

    fn config(&self) -> PathBuf {
        self.dir.path().join("etc").with_file_name("casedrop.yaml")
    }

    fn found(&self) -> Option<Unfilled> {
        let found = Unfilled::find(&RealDisk, &self.config(), &self.env, false);
        found.unwrap_or_else(|faults| panic!("{faults}"))
    }

    fn unfilled(&self) -> Unfilled {
        self.found().expect("to be filled in")
    }

    fn loaded(&self) -> Loaded {
        load(&RealDisk, &self.config(), &self.env).unwrap_or_else(|faults| {
            let text = std::fs::read_to_string(self.config()).unwrap_or_default();
            panic!("{text}\n{faults}")
        })
    }

    fn values(&self) -> Values {
        let mut values = Values::default();
        for (item, text) in [
            (Item::OauthBase, " \"https://oauth.iterocloud.com\","),
            (Item::BaseUrl, "https://api.iterocloud.com"),
            (Item::ClientId, "id: 7 #x"),
            (Item::ClientSecret, " hush'hush\n"),
            (Item::RedirectUrl, "http://127.0.0.1:8791/callback"),
            (Item::LabName, "north"),
        ] {
            values.put(item, text);
        }
        values.put(Item::Output, self.dir.path().join("Orders").to_str().expect("Unicode"));
        values
    }

    fn write(&self) -> String {
        let written = self.unfilled().write(&RealDisk, &self.values());
        written.unwrap_or_else(|why| panic!("{why:?}"));
        let text = std::fs::read_to_string(self.config()).expect("written");
        let loaded = self.loaded();
        let lab = &loaded.config.labs[0];
        assert_eq!(lab.oauth_base.as_str(), "https://oauth.iterocloud.com/");
        assert_eq!((lab.client_id.as_str(), lab.name.as_str()), ("id: 7 #x", "north"));
        let secret = lab.client_secret.as_ref().expect("given").expose_secret();
        assert_eq!(secret, "hush'hush");
        assert_eq!(loaded.config.output, self.dir.path().join("Orders"));
        assert!(!text.contains("hush"), "the config holds no secret: {text}");
        assert!(!loaded.warnings.iter().any(|warning| warning.reason.contains("secret")));
        assert!(self.found().is_none(), "it is complete");
        text
    }
}

fn wrong(found: &[Wrong], item: Item) -> Option<&Wrong> {
    found.iter().find(|wrong| wrong.item == item)
}

#[test]
fn without_a_config_the_example_is_filled_in_and_keeps_its_comments() {
    for place in [Place::new(), Place::with(""), Place::with("# nothing yet\n---\n")] {
        let unfilled = place.unfilled();
        let lack = if place.config().exists() { Lack::Content } else { Lack::File };
        assert_eq!((unfilled.lack(), unfilled.found(Item::LabName)), (lack, Some("smile-lab")));
        let text = place.write();
        let comments = |text: &str| text.lines().filter(|line| line.starts_with("# ")).count();
        assert!(comments(&text) >= comments(EXAMPLE), "{text}");
        let loaded = place.loaded();
        let commands = loaded.config.commands.expect("beside the orders");
        assert_eq!(commands.parent(), loaded.config.output.parent());
        let secret = place.dir.path().join("state").join("north.secret");
        assert_eq!(std::fs::read_to_string(&secret).expect("there"), "hush'hush\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&secret).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

#[test]
fn an_example_that_somebody_copied_is_filled_in_with_what_they_changed() {
    let copied = template::fill(template::Platform::here(), &[]).expect("writable");
    let copied = copied.replace("#concurrency: 4", "#concurrency: 4 # mine");
    for text in [copied.clone(), copied.replace('\n', "\r\n"), EXAMPLE.to_owned()] {
        let place = Place::with(&text);
        assert_eq!(place.unfilled().lack(), Lack::Values);
        let written = place.write();
        assert_eq!(written.contains("\r\n"), text.contains("\r\n"));
        assert_eq!(written.contains("# mine"), text.contains("# mine"));
        let others = |text: &str| text.lines().filter(|line| line.contains('#')).count();
        assert!(others(&written) + 4 >= others(&text), "comments stay: {written}");
    }
}

#[test]
fn a_config_of_few_lines_gets_the_file_of_the_secret_below_the_client_id() {
    let place = Place::with(
        "labs: # ours\n- client_secret_x: 1\n  client_id: CHANGE-ME # from Align\noutput: /srv/x\n",
    );
    assert!(place.found().is_none(), "an unknown key is for people");
    let output = serde_json::to_string(&place.dir.path().join("x")).expect("Unicode");
    let text = format!(
        "labs: # ours\n- name: a\n  client_id: CHANGE-ME # from Align\n  client_secret: CHANGE-ME\n  \
         base_url: https://CHANGE-ME\n  oauth_base: https://CHANGE-ME\n  redirect_url: \
         https://CHANGE-ME\noutput: {output}\n"
    );
    let place = Place::with(&text);
    let written = place.write();
    assert!(written.starts_with("labs: # ours\n- name: 'north'\n  client_id: 'id: 7 #x' # from"));
    assert!(written.contains("\n  #client_secret: CHANGE-ME\n"), "{written}");
    assert!(written.contains("\n  client_secret_file: '"), "{written}");
    assert!(!written.contains("commands"), "nobody asked for it");
}

#[test]
fn the_secret_goes_into_the_file_that_the_config_names() {
    let place = Place::new();
    let file = place.dir.path().join("named.secret");
    let given = [(template::Field::ClientSecretFile, file.to_str().expect("Unicode").to_owned())];
    let text = template::fill(template::Platform::here(), &given).expect("writable");
    std::fs::write(place.config(), text).expect("written");
    assert!(!place.unfilled().has_secret());
    place.write();
    assert_eq!(std::fs::read_to_string(&file).expect("there"), "hush'hush\n");
    // Once it is there, it need not be given again.
    let text = template::fill(template::Platform::here(), &given).expect("writable");
    std::fs::write(place.config(), text).expect("written");
    let unfilled = place.unfilled();
    assert!(unfilled.has_secret());
    let mut values = place.values();
    values.secret = None;
    assert_eq!(unfilled.check(&RealDisk, &values), []);
}

#[test]
fn what_the_environment_says_is_not_asked_and_not_written() {
    let mut place = Place::new();
    for (name, value) in [("CLIENT_SECRET", "from-outside"), ("CLIENT_ID", "env-id")] {
        place.env.push((format!("CASEDROP_LABS__0__{name}"), value.to_owned()));
    }
    let unfilled = place.unfilled();
    assert_eq!(unfilled.overruled_by(Item::ClientId), Some("CASEDROP_LABS__0__CLIENT_ID"));
    assert_eq!(unfilled.overruled_by(Item::ClientSecret), Some("CASEDROP_LABS__0__CLIENT_SECRET"));
    assert_eq!(unfilled.overruled_by(Item::BaseUrl), None);
    let mut values = place.values();
    values.secret = None;
    values.texts.remove(&Item::ClientId);
    unfilled.write(&RealDisk, &values).expect("written");
    let loaded = place.loaded();
    assert_eq!(loaded.config.labs[0].client_id, "env-id");
    let entry = loaded.config.effective.get("labs[0].client_id").expect("there");
    assert_eq!(entry.from, From::Environment);
}

#[test]
fn each_value_is_checked_as_the_config_would_be() {
    let place = Place::new();
    let unfilled = place.unfilled();
    assert_eq!(unfilled.check(&RealDisk, &place.values()), []);
    let nothing = unfilled.check(&RealDisk, &Values::default());
    assert_eq!(nothing.len(), Item::ALL.len());
    assert!(nothing.iter().all(|wrong| wrong.reason.is_none()), "{nothing:?}");
    for (item, text, word) in [
        (Item::OauthBase, "https://evil.example", "evil.example"),
        (Item::BaseUrl, "http://api.iterocloud.com", "unencrypted"),
        (Item::BaseUrl, "api.iterocloud.com", "not a URL"),
        (Item::RedirectUrl, "https://lab.example/#x", "`#`"),
        (Item::ClientId, "CHANGE-ME", "placeholder"),
        (Item::ClientSecret, "a\nb", "line break"),
        (Item::LabName, "a/b", ""),
        (Item::Output, "orders", "not a full path"),
    ] {
        let mut values = place.values();
        values.put(item, text);
        let found = unfilled.check(&RealDisk, &values);
        let [only] = found.as_slice() else { panic!("{text}: {found:?}") };
        assert_eq!(only.item, item, "{only:?}");
        let reason = only.reason.as_deref().expect("a reason");
        assert!(reason.contains(word), "{text}: {reason}");
        assert!(only.hint.is_some(), "{only:?}");
        assert!(matches!(unfilled.write(&RealDisk, &values), Err(NotWritten::Wrong(_))));
        assert!(!place.config().exists());
    }
    let mut one = Values::default();
    one.put(Item::ClientId, "x");
    assert_eq!(wrong(&unfilled.check(&RealDisk, &one), Item::ClientId), None);
}

#[test]
fn what_else_is_wrong_with_a_config_is_for_people() {
    let valid = "output: /x\nlabs:\n  - {name: a, oauth_base: 'https://o.iterocloud.com', base_url: \
                 'https://b.iterocloud.com', client_id: x, redirect_url: 'https://x.example'}\n";
    for text in [
        valid.to_owned(),
        valid.replace("client_id: x", "client_id: [x]"),
        EXAMPLE.replace("#secrets: auto", "secrets: CHANGE-ME"),
        EXAMPLE.replace("#polling:", "poling: {}\n#polling:"),
        "output: [".to_owned(),
    ] {
        assert!(Place::with(&text).found().is_none(), "{text}");
    }
    let mut place = Place::new();
    place.env.push(("CASEDROP_OUTPOT".to_owned(), "x".to_owned()));
    let faults = Unfilled::find(&RealDisk, &place.config(), &place.env, false);
    assert!(faults.expect_err("a fault").to_string().contains("CASEDROP_OUTPUT"));
}

#[test]
fn a_list_in_one_line_is_left_to_people_and_nothing_is_written() {
    let text = "output: /x\nlabs: [{name: a, oauth_base: CHANGE-ME, base_url: CHANGE-ME, client_id: \
                CHANGE-ME, redirect_url: CHANGE-ME}]\n";
    let place = Place::with(text);
    let why = place.unfilled().write(&RealDisk, &place.values()).expect_err("refused");
    let NotWritten::Fault(fault) = why else { panic!("{why:?}") };
    assert!(fault.chain().contains("cannot be filled in"), "{}", fault.chain());
    assert_eq!(std::fs::read_to_string(place.config()).expect("there"), text);
    assert!(!place.dir.path().join("state").exists(), "and no secret");
}

#[test]
fn state_and_page_go_where_the_process_can_use_them() {
    let mut place = Place::new();
    place.env.clear();
    let state = place.dir.path().join("my state");
    let mut unfilled = place.unfilled();
    assert!(unfilled.state_is_open());
    unfilled.keep_state_in(state.clone());
    unfilled.show_page_at("127.0.0.1:4321".parse().expect("an address"));
    unfilled.write(&RealDisk, &place.values()).expect("written");
    let config = place.loaded().config;
    assert_eq!(config.state, state);
    assert_eq!(config.status_page.expect("on").listen.to_string(), "127.0.0.1:4321");
    assert!(state.join("north.secret").exists());
}
