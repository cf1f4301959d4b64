use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use super::super::{MemorySecrets, PairedAccount, Renewal, vault};
use super::*;
use casedrop_disk::RealDisk;

/// A vault in memory that can be made unreachable.
#[derive(Default)]
struct Fake {
    word: &'static str,
    away: AtomicBool,
    keys: Mutex<Vec<Key>>,
}

impl Fake {
    fn new(word: &'static str) -> Arc<Self> {
        Arc::new(Self { word, ..Self::default() })
    }

    fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn keys(&self) -> Result<MutexGuard<'_, Vec<Key>>, Fault> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Fault::new(FaultClass::Local, "vault", format!("{} is away", self.word)));
        }
        Ok(self.keys.lock().expect("keys"))
    }
}

impl KeyVault for Fake {
    fn word(&self) -> &'static str {
        self.word
    }

    fn name(&self) -> &'static str {
        self.word
    }

    fn find(&self, id: &str) -> Result<Option<Key>, Fault> {
        Ok(self.keys()?.iter().find(|key| key.id() == id).cloned())
    }

    fn current(&self) -> Result<Option<Key>, Fault> {
        Ok(self.keys()?.last().cloned())
    }

    fn make(&self) -> Result<Key, Fault> {
        let key = Key::random().expect("random numbers");
        self.keys()?.push(key.clone());
        Ok(key)
    }

    fn forget(&self) -> Result<(), Fault> {
        self.keys()?.pop();
        Ok(())
    }
}

fn lab() -> LabName {
    "Smile-Lab".parse().expect("valid")
}

fn login() -> Login {
    Login {
        access: "access-1".into(),
        refresh: Some("refresh-1".into()),
        issued_at: UNIX_EPOCH + Duration::from_millis(1_790_000_000_123),
        lifetime: Duration::from_hours(1),
        // So long that it is not in a sealed file by chance, which is hexadecimal.
        account: Some(PairedAccount { id: "471108154711".parse().expect("valid"), name: None }),
        former: Some("refresh-0".into()),
        renewal: Some(Renewal {
            begun_at: UNIX_EPOCH + Duration::from_millis(1_790_000_001_000),
            lost: Some("broken-off".to_owned()),
        }),
    }
}

/// A store as another process would open it.
fn sealing(dir: &Path, policy: SecretsIn, vaults: &[&Arc<Fake>]) -> FileSecrets {
    let vaults = vaults.iter().map(|vault| Arc::clone(vault) as Arc<dyn KeyVault>).collect();
    FileSecrets::with_vaults(Arc::new(RealDisk), dir, policy, vaults)
}

fn content(dir: &Path, name: &str) -> String {
    let bytes = std::fs::read(dir.join("secrets").join(name)).expect("there");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn assert_is_login(store: &FileSecrets) {
    let back = store.load(&lab()).expect("load").expect("kept");
    assert_eq!(back.refresh.expect("kept").expose_secret(), "refresh-1");
}

#[test]
fn a_login_survives_the_process_and_can_be_removed() {
    let dir = tempfile::tempdir().expect("tempdir");
    let vault = Fake::new("vault");
    for policy in [SecretsIn::File, SecretsIn::Auto, SecretsIn::Vault] {
        let store = || sealing(dir.path(), policy, &[&vault]);
        assert!(store().load(&lab()).expect("load").is_none());
        store().save(&lab(), &login()).expect("save");
        let back = store().load(&"smile-lab".parse().expect("valid")).expect("load");
        let back = back.expect("kept");
        assert_eq!(back.access.expose_secret(), "access-1");
        assert_eq!(back.refresh.expect("kept").expose_secret(), "refresh-1");
        assert_eq!((back.issued_at, back.lifetime), (login().issued_at, login().lifetime));
        assert_eq!((back.account, back.renewal), (login().account, login().renewal));
        assert_eq!(back.former.expect("kept").expose_secret(), "refresh-0");
        store().remove(&lab()).expect("remove");
        store().remove(&lab()).expect("none there is fine");
        assert!(store().load(&lab()).expect("load").is_none());
    }
}

#[test]
fn a_sealed_file_shows_nothing_and_a_plain_one_is_sealed_when_it_is_saved_next() {
    let dir = tempfile::tempdir().expect("tempdir");
    let vault = Fake::new("vault");
    FileSecrets::new(Arc::new(RealDisk), dir.path()).save(&lab(), &login()).expect("save");
    assert!(content(dir.path(), "smile-lab.json").contains("refresh-1"));
    let store = sealing(dir.path(), SecretsIn::Auto, &[&vault]);
    assert_is_login(&store);
    store.save(&lab(), &login()).expect("save");
    store.save_text("callback", &"hush-hush".into()).expect("save");
    for name in ["smile-lab.json", "callback.text"] {
        let content = content(dir.path(), name);
        for secret in ["access-1", "refresh-1", "471108154711", "hush"] {
            assert!(!content.contains(secret), "{content}");
        }
    }
    let another = sealing(dir.path(), SecretsIn::Auto, &[&vault]);
    assert_is_login(&another);
    let text = another.load_text("callback").expect("load").expect("kept");
    assert_eq!(text.expose_secret(), "hush-hush");
    assert_eq!(vault.keys().expect("there").len(), 1, "one key is enough");
}

#[test]
fn without_a_vault_the_file_is_the_announced_fallback() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (away, other) = (Fake::new("first"), Fake::new("second"));
    away.set_away(true);
    let store = sealing(dir.path(), SecretsIn::Auto, &[&away]);
    let keeping = store.keeping().expect("allowed");
    assert_eq!((keeping.vault, keeping.folder), (None, dir.path().join("secrets")));
    assert!(keeping.reasons[0].contains("first is away"));
    assert!(!dir.path().join("secrets").exists(), "looking makes nothing");
    store.save(&lab(), &login()).expect("save");
    assert!(content(dir.path(), "smile-lab.json").contains("refresh-1"));
    let store = sealing(dir.path(), SecretsIn::Auto, &[&away, &other]);
    assert_eq!(store.keeping().expect("allowed").vault, Some("second"));
    store.save(&lab(), &login()).expect("save");
    assert!(content(dir.path(), "smile-lab.json").contains(r#""vault":"second""#));
}

#[test]
fn a_vault_that_is_demanded_and_missing_is_an_error_and_nothing_is_written() {
    let dir = tempfile::tempdir().expect("tempdir");
    let vault = Fake::new("vault");
    vault.set_away(true);
    let store = sealing(dir.path(), SecretsIn::Vault, &[&vault]);
    for fault in [
        store.keeping().expect_err("demanded"),
        store.save(&lab(), &login()).expect_err("demanded"),
    ] {
        assert!(fault.message.contains("vault is away"), "{fault}");
        assert!(fault.hint.expect("a way out").contains("secrets: auto"));
    }
    assert!(store.load(&lab()).expect("load").is_none());
}

#[test]
fn a_login_whose_key_cannot_be_had_says_so_and_a_new_one_takes_its_place() {
    let dir = tempfile::tempdir().expect("tempdir");
    let vault = Fake::new("the keyring");
    sealing(dir.path(), SecretsIn::Auto, &[&vault]).save(&lab(), &login()).expect("save");
    vault.set_away(true);
    let store = sealing(dir.path(), SecretsIn::Auto, &[&vault]);
    let fault = store.load(&lab()).expect_err("locked");
    assert_eq!((fault.class, fault.code), (FaultClass::Auth, SEALED));
    assert!(fault.chain().contains("the keyring is away"), "{}", fault.chain());
    assert!(fault.hint.expect("a way out").contains("casedrop login Smile-Lab"));
    vault.set_away(false);
    assert_is_login(&store);
    // Another user's vault, or one that lost the key.
    let other = Fake::new("the keyring");
    let store = sealing(dir.path(), SecretsIn::Auto, &[&other]);
    let fault = store.load(&lab()).expect_err("not this user's");
    assert_eq!(fault.code, SEALED);
    assert!(fault.message.contains("another user"), "{fault}");
    let plain = FileSecrets::new(Arc::new(RealDisk), dir.path()).load(&lab());
    assert!(plain.expect_err("no such vault").message.contains("another system"));
    store.save(&lab(), &login()).expect("a new login");
    assert_is_login(&sealing(dir.path(), SecretsIn::Auto, &[&other]));
}

#[test]
fn a_keyring_that_is_locked_while_the_agent_runs_stops_no_refresh() {
    let dir = tempfile::tempdir().expect("tempdir");
    let vault = Fake::new("vault");
    sealing(dir.path(), SecretsIn::Vault, &[&vault]).save(&lab(), &login()).expect("save");
    let store = sealing(dir.path(), SecretsIn::Vault, &[&vault]);
    assert_is_login(&store);
    vault.set_away(true);
    store.save(&lab(), &login()).expect("sealed with the key that it has");
    assert_is_login(&store);
    assert!(!content(dir.path(), "smile-lab.json").contains("refresh-1"));
}

#[test]
fn with_the_last_login_everything_goes() {
    let dir = tempfile::tempdir().expect("tempdir");
    let vault = Fake::new("vault");
    let memory = MemorySecrets::new();
    let files = sealing(dir.path(), SecretsIn::Auto, &[&vault]);
    let other: LabName = "other-lab".parse().expect("valid");
    let stores: [&dyn SecretStore; 2] = [&files, &memory];
    for store in stores {
        store.save(&lab(), &login()).expect("save");
        store.save(&other, &login()).expect("save");
        store.save_text("callback", &"hush".into()).expect("save");
        store.remove(&lab()).expect("remove");
        assert!(store.load_text("callback").expect("load").is_some(), "a login is left");
        store.remove(&other).expect("remove");
        assert!(store.load_text("callback").expect("load").is_none());
    }
    assert!(vault.keys().expect("there").is_empty());
}

#[test]
fn sealed_files_cannot_be_exchanged() {
    let dir = tempfile::tempdir().expect("tempdir");
    let vault = Fake::new("vault");
    let store = sealing(dir.path(), SecretsIn::Auto, &[&vault]);
    let other: LabName = "other-lab".parse().expect("valid");
    store.save(&lab(), &login()).expect("save");
    let secrets = dir.path().join("secrets");
    std::fs::copy(secrets.join("smile-lab.json"), secrets.join("other-lab.json")).expect("copied");
    assert_eq!(store.load(&other).expect_err("of another lab").code, UNREADABLE);
}

#[test]
fn processes_that_save_first_at_the_same_time_agree_on_one_key() {
    let dir = tempfile::tempdir().expect("tempdir");
    let vault = Fake::new("vault");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (vault, dir) = (&vault, dir.path());
            scope.spawn(move || {
                let store = sealing(dir, SecretsIn::Auto, &[vault]);
                store.save_text(&format!("text-{number}"), &"x".into()).expect("saved");
            });
        }
    });
    assert_eq!(vault.keys().expect("there").len(), 1);
}

#[test]
fn only_one_holder_has_the_lock() {
    let dir = tempfile::tempdir().expect("tempdir");
    let stores: [Box<dyn SecretStore>; 2] = [
        Box::new(FileSecrets::new(Arc::new(RealDisk), dir.path())),
        Box::new(MemorySecrets::new()),
    ];
    for store in stores {
        let held = store.try_lock(&lab()).expect("lock").expect("free");
        assert!(store.try_lock(&lab()).expect("lock").is_none());
        drop(held);
        assert!(store.try_lock(&lab()).expect("lock").is_some());
    }
}

#[test]
fn a_damaged_file_is_named_and_its_content_is_not_quoted() {
    let dir = tempfile::tempdir().expect("tempdir");
    let store = FileSecrets::new(Arc::new(RealDisk), dir.path());
    store.save(&lab(), &login()).expect("save");
    let path = dir.path().join("secrets").join("smile-lab.json");
    std::fs::write(&path, r#"{"schema":1,"access_token":["top-secret"]}"#).expect("write");
    let fault = store.load(&lab()).expect_err("damaged");
    assert_eq!((fault.class, fault.code), (FaultClass::Auth, UNREADABLE));
    assert!(fault.chain().contains("smile-lab.json"), "{}", fault.chain());
    assert!(!fault.chain().contains("top-secret"));
}

#[test]
fn a_login_cannot_be_printed() {
    let text = format!("{:?}", login());
    assert!(!text.contains("access-1") && !text.contains("refresh-1"), "{text}");
}

#[test]
fn the_systems_own_vaults_are_named_without_asking_them() {
    let dir = tempfile::tempdir().expect("tempdir");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let words: Vec<_> =
        vault::of_system(&disk, dir.path()).iter().map(|vault| vault.word()).collect();
    if cfg!(windows) {
        assert_eq!(words, ["dpapi"]);
    } else if cfg!(target_os = "linux") {
        assert_eq!(words, ["secret-service", "credential"]);
    }
}

#[test]
fn a_login_of_an_earlier_version_is_read() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("secrets/smile-lab.json");
    std::fs::create_dir(dir.path().join("secrets")).expect("made");
    let text = r#"{"schema":1,"access_token":"a","refresh_token":"r","issued_at_ms":1000,
        "lifetime_ms":3600000,"account":{"id":"471108154711","name":null}}"#;
    std::fs::write(path, text).expect("written");
    let login = FileSecrets::new(Arc::new(RealDisk), dir.path()).load(&lab());
    let login = login.expect("load").expect("there");
    assert_eq!(login.issued_at, UNIX_EPOCH + Duration::from_secs(1));
    assert!(login.former.is_none() && login.renewal.is_none());
}

#[cfg(unix)]
#[test]
fn the_file_is_closed_to_other_users() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("tempdir");
    FileSecrets::new(Arc::new(RealDisk), dir.path()).save(&lab(), &login()).expect("save");
    let mode = |path: PathBuf| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(dir.path().join("secrets")), 0o700);
    assert_eq!(mode(dir.path().join("secrets/smile-lab.json")), 0o600);
}

#[test]
fn whoever_keeps_secrets_from_being_told_gets_all_of_them() {
    let dir = tempfile::tempdir().expect("tempdir");
    let vault = Fake::new("fake");
    let open = || {
        let vaults: Vec<Arc<dyn KeyVault>> = vec![vault.clone()];
        FileSecrets::with_vaults(Arc::new(RealDisk), dir.path(), SecretsIn::Vault, vaults)
    };
    let secrets = open();
    let texts = |secrets: &FileSecrets| {
        let (values, unread) = secrets.values();
        let mut texts: Vec<String> =
            values.iter().map(|value| value.expose_secret().to_owned()).collect();
        texts.sort();
        (texts, unread.len())
    };
    assert_eq!(texts(&secrets), (vec![], 0), "there is not even a folder");
    secrets.save(&lab(), &login()).expect("saved");
    secrets.save_text("callback", &"part-of-a-url".into()).expect("saved");
    let pending = r#"{"url":"https://a.b/?x","state":"st4te","verifier":"v3rifier","began_ms":1}"#;
    secrets.save_text("pending-login-smile-lab", &pending.into()).expect("saved");
    let all = ["access-1", "part-of-a-url", "refresh-0", "refresh-1", "st4te", "v3rifier"];
    assert_eq!(texts(&open()), (all.map(str::to_owned).to_vec(), 0));
    vault.set_away(true);
    assert_eq!(texts(&open()), (vec![], 3), "it is told that they were not looked at");
}
