use super::*;

#[test]
fn durations_are_read_in_every_unit_and_written_back() {
    for (text, millis) in [
        ("500ms", 500),
        ("120s", 120_000),
        ("15m", 900_000),
        ("2h", 7_200_000),
        ("30d", 2_592_000_000),
    ] {
        assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    assert_eq!(write_duration(Duration::from_mins(2)), "120s");
    assert_eq!(write_duration(Duration::from_secs(90)), "90s");
    assert_eq!(write_duration(Duration::from_mins(5)), "5m");
}

#[test]
fn a_duration_written_otherwise_is_refused_with_the_right_spelling() {
    let hint = |text: &str| duration(text).expect_err(text).hint;
    assert!(hint("120").contains("120s"));
    assert_eq!(hint("5min"), "write 5m");
    assert_eq!(hint("5 s"), "write 5s");
    assert_eq!(hint("2 Hours"), "write 2h");
    for text in ["", "s", "-5s", "1.5h", "1h30m", "forever", "99999999999999999999s"] {
        assert!(hint(text).contains("whole number"), "{text}");
    }
    assert!(hint("0s").contains("more than zero"));
    assert!(hint("18446744073709551615d").contains("shorter"));
}

#[test]
fn sizes_count_in_thousands_or_in_1024s() {
    for (text, bytes) in
        [("5GB", 5_000_000_000), ("500mb", 500_000_000), ("64KiB", 65_536), ("0", 0), ("7B", 7)]
    {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
    assert_eq!(write_size(4_000_000_000), "4GB");
    assert_eq!(write_size(1 << 30), "1GiB");
    assert_eq!(
        size("5").expect_err("no unit").hint,
        "write 5GB for gigabytes or 5MB for megabytes"
    );
    assert_eq!(size("5g").expect_err("no B").hint, "write 5GB");
    assert!(size("99999999TB").is_err() && size("5 GB").is_err() && size("lots").is_err());
}

#[test]
fn addresses_need_an_ip_and_a_port() {
    assert!(address("127.0.0.1:8780").is_ok() && address("[::1]:80").is_ok());
    let hint = |text: &str| address(text).expect_err(text).hint;
    assert_eq!(hint("8780"), "write 127.0.0.1:8780");
    assert_eq!(hint("localhost:8780"), "write 127.0.0.1:8780");
    assert_eq!(hint(":80"), "write 127.0.0.1:80");
    assert_eq!(hint("*:80"), "write 0.0.0.0:80");
    assert!(hint("127.0.0.1").contains("a port"));
    assert!(hint("127.0.0.1:99999").contains("a port"));
}

#[test]
fn urls_are_encrypted_except_to_this_pc() {
    for text in
        ["https://a.itero.cloud/x", "http://127.0.0.1:8080", "http://[::1]:1/", "http://localhost"]
    {
        assert!(url(text).is_ok(), "{text}");
    }
    for text in [
        "http://a.itero.cloud",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "ftp://a.itero.cloud",
        "https://user:pw@a.itero.cloud",
        "a.itero.cloud",
        "mailto:a@b",
        "https://",
        "",
    ] {
        assert!(url(text).is_err(), "{text}");
    }
}

#[test]
fn a_host_is_allowed_only_below_a_whole_domain() {
    let allowed = ["itero.cloud".to_owned()];
    for host in ["itero.cloud", "eu.itero.cloud", "eu.itero.cloud."] {
        assert!(is_below(host, &allowed), "{host}");
    }
    for host in ["notitero.cloud", "itero.cloud.evil.example", "cloud"] {
        assert!(!is_below(host, &allowed), "{host}");
    }
    assert_eq!(host_suffix("Itero.Cloud"), Ok("itero.cloud".to_owned()));
    for text in
        ["com", "*.itero.cloud", ".itero.cloud", "https://itero.cloud", "10.0.0.1", "", "a:80"]
    {
        assert!(host_suffix(text).is_err(), "{text}");
    }
}

#[test]
fn a_misspelt_level_is_not_taken_for_a_filter() {
    assert!(log_level("info").is_ok() && log_level("info,casedrop::align=debug").is_ok());
    assert_eq!(log_level("inof").expect_err("misspelt").hint, "write info");
    assert!(log_level("info,x=loud").is_err());
}

#[test]
fn endpoint_paths_stay_on_the_server() {
    assert!(endpoint_path("/api/v1/orders/{orderId}").is_ok());
    for text in ["api/v1", "//evil.example/x", "/a/../b", "/a b", "https://x/y", "/a#b"] {
        assert!(endpoint_path(text).is_err(), "{text}");
    }
}
