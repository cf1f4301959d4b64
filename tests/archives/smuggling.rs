//! Archives that mean one thing to one program and another to the next, or that try to write
//! outside their folder: all must be refused entirely.

use super::writer::{Member, Method, Package};

/// Every kind of smuggling by name.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |name, bytes| all.push((name, bytes));
    let one = |change: &dyn Fn(&mut Member)| {
        let mut member = Member::new(b"1_shell_occlusion_u.stl", &b"solid one ".repeat(20));
        change(&mut member);
        Package::of(vec![member, Member::new(b"b.txt", b"other")]).bytes()
    };
    let package = |change: &dyn Fn(&mut Package)| {
        let mut package = Package::of(vec![
            Member::new(b"1_shell_occlusion_u.stl", &b"solid one ".repeat(20)),
            Member::new(b"b.txt", b"other"),
        ]);
        change(&mut package);
        package.bytes()
    };
    let good = one(&|_| {});
    let evil = Package::of(vec![Member::new(b"1_shell_occlusion_u.stl", b"solid evil")]).bytes();

    add("local name differs", one(&|m| m.local_name = Some(b"2_shell_occlusion_u.stl".to_vec())));
    add("local name is another case", one(&|m| m.local_name = Some(b"1_SHELL.stl".to_vec())));
    add(
        "local name is longer",
        one(&|m| {
            m.local_name = Some(b"1_shell_occlusion_u.stl.exe".to_vec());
        }),
    );
    add(
        "local name is cut by a zero",
        one(&|m| {
            m.local_name = Some(b"1_shell_occlusion_u.stl\0.exe".to_vec());
        }),
    );
    add("local name is empty", one(&|m| m.local_name = Some(Vec::new())));
    add("local method differs", one(&|m| m.local_method = Some(0)));
    add("local header alone is encrypted", one(&|m| m.local_flags_xor = 1));
    add("local sizes differ", one(&|m| m.local_sizes = Some([0x1234_5678, 20, 20])));
    add("local sizes are none", one(&|m| m.local_sizes = Some([0; 3])));
    add("checksum is wrong", one(&|m| m.crc_xor = 1));
    add("size is too small", one(&|m| m.size_by = -1));
    add("size is too big", one(&|m| m.size_by = 1));
    add("packed data has a tail", one(&|m| m.packed_tail = b"tail".to_vec()));
    add("climbs out", one(&|m| m.name = b"../1_shell.stl".to_vec()));
    add("climbs out by backslash", one(&|m| m.name = b"a\\..\\..\\1_shell.stl".to_vec()));
    add("absolute", one(&|m| m.name = b"/tmp/1_shell.stl".to_vec()));
    add("absolute on Windows", one(&|m| m.name = b"C:\\1_shell.stl".to_vec()));
    add("a share", one(&|m| m.name = b"\\\\host\\share\\1_shell.stl".to_vec()));
    add(
        "link",
        one(&|m| {
            m.made_by = 3 << 8 | 20;
            m.attributes = 0o120_777 << 16;
        }),
    );
    add(
        "device",
        one(&|m| {
            m.made_by = 3 << 8 | 20;
            m.attributes = 0o020_666 << 16;
        }),
    );
    add("encrypted scan", one(&|m| m.flags = 1));
    add("scan of an unknown method", one(&|m| m.method = Method::Unknown));
    add("offset beyond the end", one(&|m| m.offset_by = 1 << 31));
    add(
        "offset beyond the end in 64 bits",
        one(&|m| {
            m.is_64 = true;
            m.offset_by = i64::MAX - 1000;
        }),
    );
    add("offset beside the header", one(&|m| m.offset_by = 1));

    add("two of a name", package(&|p| p.members.push(Member::new(b"b.txt", b"evil "))));
    add(
        "two share a header",
        package(&|p| {
            p.members[1] = Member { offset_by: -10_000, ..p.members[1].clone() };
        }),
    );
    add("overlap", overlap());
    add("one inside the other", inside());
    add("a second archive in the comment", package(&|p| p.comment = evil.clone()));
    add("a second archive behind", package(&|p| p.after = evil.clone()));
    add("a second archive before", package(&|p| p.before = evil.clone()));
    add(
        "a second archive before, counted",
        package(&|p| {
            p.before = evil.clone();
            p.counted = true;
        }),
    );
    add("a second archive between", package(&|p| p.members[1].gap = evil.clone()));
    let end = good.len() - 22;
    add("the end twice", [good.clone(), good[end..].to_vec()].concat());
    add("fewer members", package(&|p| p.end.members = -1));
    add("more members", package(&|p| p.end.members = 1));
    add(
        "more members in 64 bits",
        package(&|p| {
            p.end_64 = true;
            p.end.members = 1 << 40;
        }),
    );
    add("directory too short", package(&|p| p.end.size = -1));
    add("directory too long", package(&|p| p.end.size = 1));
    add("directory starts before the file", package(&|p| p.end.offset = 5000));
    add("directory in another place", package(&|p| p.end.offset = -7));
    add("parts", package(&|p| p.end.disk = 1));
    add(
        "two end records that differ",
        package(&|p| {
            p.end_64 = true;
            p.end.offset_64 = -5;
        }),
    );
    add(
        "64-bit record in another place",
        package(&|p| {
            p.end_64 = true;
            p.end.locator = 3;
        }),
    );
    add(
        "64-bit record beyond the end",
        package(&|p| {
            p.end_64 = true;
            p.end.locator = 1 << 62;
        }),
    );
    add("cut", good[..good.len() - 9].to_vec());
    add("no archive", b"<html>busy</html>".to_vec());
    add("nothing in it", Package::default().bytes());
    all
}

/// The second member's data begins in the middle of the first's.
fn overlap() -> Vec<u8> {
    let inner = Package::of(vec![Member::new(b"inner.txt", b"hidden")]).bytes();
    let len = inner.windows(4).position(|at| at == b"PK\x01\x02").expect("directory");
    let mut outer = Member::new(b"1_shell_occlusion_u.stl", &inner[..len]);
    outer.method = Method::Stored;
    let mut twin = Member::new(b"inner.txt", b"hidden");
    let bytes = Package::of(vec![outer.clone()]).bytes();
    let at = bytes.windows(9).position(|at| at == b"inner.txt").expect("inner") - 30;
    // The second member's own header is written, but the directory points at the one inside the
    // first.
    let own = Package::of(vec![outer.clone()]).bytes();
    let start = own.windows(4).position(|at| at == b"PK\x01\x02").expect("directory");
    twin.offset_by = at as i64 - start as i64;
    Package::of(vec![outer, twin]).bytes()
}

/// Both members point at the same bytes.
fn inside() -> Vec<u8> {
    let first = Member::new(b"1_shell_occlusion_u.stl", b"solid one");
    let len = Package::of(vec![first.clone()]).bytes();
    let len = len.windows(4).position(|at| at == b"PK\x01\x02").expect("directory");
    let second = Member { offset_by: -(len as i64), ..first.clone() };
    Package::of(vec![first, second]).bytes()
}
