//! Tests of access control lists, and of what Wine keeps of them: it turns them into a Unix mode
//! when a folder is created, losing the flag that stops inheritance and entries for single
//! accounts.

use super::*;

fn rights(text: &str) -> Rights {
    Rights::parse(text)
}

fn readers_of(text: &str) -> Vec<String> {
    let entries = rights(text).entries.expect("a list");
    let reading = entries.iter().filter(|entry| entry.lets_read());
    reading.filter_map(Entry::id).filter(|id| is_crowd(id)).collect()
}

#[test]
fn a_list_is_read_as_the_system_writes_it() {
    let list = rights("D:PAI(D;;FR;;;BG)(A;OICI;FA;;;SY)(A;OICIID;0x1200a9;;;S-1-5-21-1-2-3-1001)");
    assert!(list.protected);
    let entries = list.entries.expect("a list");
    assert_eq!(entries.len(), 3);
    assert_eq!((entries[0].kind.as_str(), entries[0].id().as_deref()), ("D", Some("S-1-5-32-546")));
    assert!(entries[1].has_flag("CI") && !entries[1].has_flag("ID"));
    assert!(entries[2].has_flag("ID") && entries[2].mask() == Some(0x0012_00a9));
    assert!(!rights("D:AI(A;;FA;;;SY)").protected);
    assert_eq!(rights("D:NO_ACCESS_CONTROL"), Rights { protected: false, entries: None });
    assert_eq!(rights("D:P").entries.map(|list| list.len()), Some(0), "nobody may do anything");
    let conditional = "(XA;;FR;;;WD;(@User.Title==\"(x)\"))";
    assert_eq!(split(&format!("{conditional}(A;;FA;;;SY)")), [conditional, "(A;;FA;;;SY)"]);
}

#[test]
fn crowds_that_may_read_are_told_from_those_that_a_private_folder_is_for() {
    let inherited_from_a_drive = "D:AI(A;OICIID;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1301bf;;;AU)\
                                  (A;OICIID;0x1200a9;;;BU)(A;OICIIOID;FA;;;CO)";
    assert_eq!(readers_of(inherited_from_a_drive), ["S-1-5-11", "S-1-5-32-545"]);
    let private = "D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;LS)(A;;FA;;;S-1-5-80-1-2-3-4-5)";
    assert_eq!(readers_of(private), Vec::<String>::new());
    assert_eq!(readers_of("D:(A;;FR;;;WD)(A;OICIIO;FA;;;AU)(A;;0x100020;;;BU)"), ["S-1-1-0"]);
    assert_eq!(readers_of("D:(A;;GR;;;S-1-5-21-1-2-3-513)"), ["S-1-5-21-1-2-3-513"]);
}

#[test]
fn those_who_can_change_a_file_beside_administrators_are_told() {
    let holder = |text: &str, wanted| rights(text).holder(wanted);
    let closed = "D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;0x1200a9;;;LS)(A;OICIIO;FA;;;AU)";
    assert_eq!(holder(closed, CHANGES), None);
    let state = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1301bf;;;LS)";
    assert_eq!(
        holder(state, CHANGES).as_deref(),
        Some("S-1-5-19"),
        "as inherited from the state folder"
    );
    assert_eq!(
        holder(state, DELETES_CHILDREN),
        None,
        "modify is not enough to delete what others own"
    );
    assert_eq!(holder("D:(A;;FA;;;BU)", DELETES_CHILDREN).as_deref(), Some("S-1-5-32-545"));
    for right in ["FW", "GW", "GA", "SD", "WD", "WO"] {
        let text = format!("D:(A;;{right};;;WD)");
        assert_eq!(holder(&text, CHANGES).as_deref(), Some("S-1-1-0"), "{right}");
    }
    assert_eq!(holder("D:NO_ACCESS_CONTROL", CHANGES).as_deref(), Some("S-1-1-0"));
    assert_eq!(holder("D:(D;;FA;;;WD)(A;;FR;;;WD)", CHANGES), None);
}

#[test]
fn only_what_single_accounts_were_given_on_the_folder_itself_outlasts_the_cut() {
    let list = rights(
        "D:AI(D;;FW;;;BG)(A;OICI;0x1301bf;;;LS)(A;OICI;FA;;;WD)(A;OICIID;FA;;;S-1-5-21-1-2-3-1001)\
         (A;OICIIO;FA;;;CO)",
    );
    let kept: Vec<_> = list.given().into_iter().map(|entry| entry.whole).collect();
    assert_eq!(kept, ["(D;;FW;;;BG)", "(A;OICI;0x1301bf;;;LS)"]);
    let text = private(&list.given()).expect("known");
    let own = account::own().expect("known");
    assert_eq!(
        text,
        format!(
            "D:P(D;;FW;;;BG)(A;OICI;FA;;;S-1-5-18)(A;OICI;FA;;;S-1-5-32-544)(A;OICI;FA;;;{own})\
             (A;OICI;0x1301bf;;;LS)"
        )
    );
    Descriptor::parse(&text).expect("the system reads it");
}

#[test]
fn letters_for_accounts_of_this_pc_are_asked_of_the_system() {
    assert_eq!(translated("BA").as_deref(), Some(ADMINISTRATORS));
    assert_eq!(translated("?!"), None);
}

#[test]
fn a_private_folder_is_closed_to_others_from_its_first_moment() {
    let dir = tempfile::tempdir().expect("tempdir");
    let folder = dir.path().join("state");
    create_private_dir(&folder).expect("made");
    assert_eq!(readers(&folder).expect("asked"), Vec::<String>::new());
    std::fs::write(folder.join("journal.db"), "x").expect("this account may write there");
    let error = create_private_dir(&folder).expect_err("it is there");
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
}

/// Wine accepts new permissions for an existing folder, reports success, and forgets them.
#[test]
fn a_folder_that_everybody_may_read_is_closed_or_it_is_told_that_it_is_not() {
    let dir = tempfile::tempdir().expect("tempdir");
    let folder = dir.path().join("state");
    std::fs::create_dir(&folder).expect("made");
    let own = account::own().expect("known");
    let open = format!("D:(A;OICI;FA;;;{own})(A;OICI;FR;;;WD)");
    Descriptor::parse(&open).expect("valid").put(&folder, true).expect("set");
    let entries = Rights::of(&folder).expect("asked").entries.expect("a list");
    let is_kept = entries.iter().any(|entry| entry.mask() == Some(0x0012_0089));
    assert_eq!(readers(&folder).expect("asked").len(), 1);

    let closed = make_private(&folder);
    assert_eq!(closed.as_ref().ok().map(Vec::len), is_kept.then_some(1), "{closed:?}");
    assert_eq!(readers(&folder).expect("asked").is_empty(), is_kept);
    if is_kept {
        assert_eq!(make_private(&folder).expect("closed already"), Vec::<String>::new());
    }
    std::fs::write(folder.join("journal.db"), "x").expect("this account may write there");
}

#[test]
fn a_grant_is_given_once_and_unknown_accounts_are_named() {
    let dir = tempfile::tempdir().expect("tempdir");
    grant(dir.path(), r"NT AUTHORITY\LocalService").expect("given");
    grant(dir.path(), "S-1-5-19").expect("given already");
    std::fs::write(dir.path().join("x"), "x").expect("this account may still write there");
    let error = grant(dir.path(), r"NOWHERE\nobody-of-that-name").expect_err("unknown");
    assert!(error.to_string().contains("nobody-of-that-name"), "{error}");
}

#[test]
fn a_protected_file_is_changed_by_administrators_alone() {
    let rights = Rights::parse(&protected("S-1-5-19"));
    assert!(rights.protected);
    assert_eq!(rights.holder(CHANGES), None);
    let entries = |reader| Rights::parse(&protected(reader)).entries.map(|all| all.len());
    assert_eq!((entries("S-1-5-19"), entries(ADMINISTRATORS)), (Some(3), Some(2)));
}
