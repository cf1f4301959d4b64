//! The proxy to the internet: its keys and their faults.

use secrecy::ExposeSecret as _;

use super::super::ProxyConfig;
use super::{SMALL, load_bad, load_bytes, load_good, small_and};

#[test]
fn the_way_out_is_the_systems_unless_the_config_names_another() {
    assert!(matches!(load_good(SMALL, &[]).config.proxy, ProxyConfig::System));
    let none = load_good(&small_and("api: { proxy: none }\n"), &[]).config.proxy;
    assert!(matches!(none, ProxyConfig::None));
    let env = [("CASEDROP_API__PROXY", "http://proxy.lab:3128"), ("no_proxy", "lab.example")];
    let ProxyConfig::Named(proxy) = load_good(SMALL, &env).config.proxy else { panic!("named") };
    assert_eq!(proxy.url.as_str(), "http://proxy.lab:3128/");
    assert_eq!(proxy.except.as_deref(), Some("lab.example"));
    assert!(proxy.login.is_none());
}

#[test]
fn the_login_at_the_proxy_comes_from_a_file() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let load = |content: &str, more: &str| {
        std::fs::write(dir.path().join("proxy.secret"), content).expect("written");
        let text = small_and(&format!("api:\n{more}  proxy_credentials_file: proxy.secret\n"));
        load_bytes(dir.path(), text.as_bytes(), &[])
    };
    let named = "  proxy: http://proxy.lab:3128\n";
    let config = load("anna:pass:word\n", named).expect("good").config;
    let ProxyConfig::Named(proxy) = config.proxy else { panic!("named") };
    let (user, password) = proxy.login.expect("a login");
    assert_eq!((user.as_str(), password.expose_secret()), ("anna", "pass:word"));
    for (content, more) in [("hush\n", named), (":hush\n", named), ("a:hush\n", "")] {
        let faults = load(content, more).expect_err("a fault").faults;
        assert_eq!(faults[0].key, "api.proxy_credentials_file");
        assert!(faults[0].line.is_some() && faults[0].hint.is_some());
        assert!(!format!("{faults:?}").contains("hush"), "{faults:?}");
    }
}

#[test]
fn a_proxy_that_cannot_be_meant_is_refused_without_showing_its_password() {
    for (text, hint) in [
        ("http://anna:hush@proxy.lab:3128", "proxy_credentials_file"),
        ("anna:hush@proxy.lab:3128", "http://proxy.example:3128"),
        ("socks5://proxy.lab:1080", "`none`"),
        ("http://proxy.lab/hush.pac", ".pac"),
        ("proxy.lab", "http://proxy.example:3128"),
    ] {
        let faults = load_bad(&small_and(&format!("api: {{ proxy: '{text}' }}\n")), &[]);
        let [fault] = faults.as_slice() else { panic!("one fault: {faults:#?}") };
        assert_eq!((fault.key.as_str(), fault.line), ("api.proxy", Some(8)));
        assert!(fault.hint.as_deref().unwrap_or_default().contains(hint), "{fault:#?}");
        assert!(!format!("{fault:?}").contains("hush"), "{fault:?}");
    }
}
