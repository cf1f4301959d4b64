use super::*;

fn survey(output: &str, staging: &str) -> Survey {
    Survey {
        output: Some(PathBuf::from(output)),
        staging: Some(PathBuf::from(staging)),
        ..Survey::default()
    }
}

#[test]
fn the_default_staging_is_on_the_volume_of_the_output() {
    let output = Path::new("/mnt/orders");
    assert_eq!(default_staging(output, false), Path::new("/mnt/.orders.casedrop-staging"));
    assert_eq!(default_staging(output, true), Path::new("/mnt/orders/.casedrop-staging"));
    assert_eq!(default_staging(Path::new("/"), false), Path::new("/.casedrop-staging"));
}

#[test]
fn staging_lies_in_the_output_only_hidden_and_only_at_a_volume_s_root() {
    let at_root = |path: &Path| path == Path::new("/mnt/orders");
    let clash = |staging: &str| clashes(&survey("/mnt/orders", staging), &at_root).len();
    assert_eq!(clash("/mnt/orders/.casedrop-staging"), 0);
    assert_eq!(clash("/mnt/orders/staging"), 1);
    assert_eq!(clash("/mnt/orders/.deeper/staging"), 1);
    let nowhere = |_: &Path| false;
    assert_eq!(clashes(&survey("/srv/o", "/srv/o/.casedrop-staging"), &nowhere).len(), 1);
    assert_eq!(clashes(&survey("/srv/o", "/srv/.o"), &nowhere).len(), 0);
}

#[test]
fn names_that_only_begin_alike_do_not_lie_in_one_another() {
    assert_eq!(clashes(&survey("/srv/orders", "/srv/orders-staging"), &|_| false), []);
}

#[test]
fn relative_paths_start_at_the_config_and_dots_are_folded() {
    let base = Path::new(if cfg!(windows) { r"C:\etc\casedrop" } else { "/etc/casedrop" });
    assert_eq!(resolve(base, "orders"), base.join("orders"));
    assert_eq!(resolve(base, "./a/../b"), base.join("b"));
    assert_eq!(resolve(base, "../b"), base.with_file_name("b"));
    assert_eq!(resolve(base, "../../../../.."), base.ancestors().last().expect("the root"));
}

#[test]
fn a_percent_sign_alone_is_no_variable() {
    assert!(check_text("100%").is_ok() && check_text("50% of 100%").is_ok());
    assert!(check_text("%APPDATA%/x").is_err() && check_text("a/%ProgramFiles(x86)%").is_err());
}

#[cfg(windows)]
#[test]
fn windows_does_not_tell_case_apart() {
    let survey = survey(r"C:\Casedrop\Orders", r"c:/casedrop/ORDERS/x");
    assert_eq!(clashes(&survey, &|_| false).len(), 1);
    assert!(check_text("C:orders").is_err() && check_text("C:\\a<b").is_err());
    assert!(check_text(r"\\?\C:\orders").is_ok());
}
