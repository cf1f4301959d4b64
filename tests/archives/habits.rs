//! How twelve kinds of programs write their archives, and what goes wrong with honest ones on the
//! way.

use fastrand::Rng;

use super::writer::{Descriptor, Member, Method, Package, crc};

const UTF8: u16 = 1 << 11;
const UNIX: u16 = 3 << 8;
const NTFS: u16 = 11 << 8;

/// The program whose habits a package follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Writer {
    InfoZip,
    InfoZipStreamed,
    Python,
    Explorer,
    DotNet,
    Java,
    SevenZip,
    WinZip,
    Ditto,
    Go,
    Libarchive,
    Yazl,
}

impl Writer {
    pub(crate) const ALL: [Self; 12] = [
        Self::InfoZip,
        Self::InfoZipStreamed,
        Self::Python,
        Self::Explorer,
        Self::DotNet,
        Self::Java,
        Self::SevenZip,
        Self::WinZip,
        Self::Ditto,
        Self::Go,
        Self::Libarchive,
        Self::Yazl,
    ];
}

/// What is unusual about a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Quirk {
    TimesDiffer,
    LocalExtra,
    BareDescriptor,
    Utf8FlagDiffers,
    DescriptorFlagDiffers,
    WideSizes,
    LineFeedAfter,
    PaddingAfter,
    StubBefore,
    StubBeforeCounted,
    Comment,
    Gap,
    InnerZip,
    Empty,
    White,
    Long,
    Twice,
    Encrypted,
    UnknownMethod,
    Bzip2,
    End64,
    CodePage,
    BackslashFolder,
    TrailingBackslash,
    Litter,
    ManyFolders,
}

impl Quirk {
    pub(crate) const ALL: [Self; 26] = [
        Self::TimesDiffer,
        Self::LocalExtra,
        Self::BareDescriptor,
        Self::Utf8FlagDiffers,
        Self::DescriptorFlagDiffers,
        Self::WideSizes,
        Self::LineFeedAfter,
        Self::PaddingAfter,
        Self::StubBefore,
        Self::StubBeforeCounted,
        Self::Comment,
        Self::Gap,
        Self::InnerZip,
        Self::Empty,
        Self::White,
        Self::Long,
        Self::Twice,
        Self::Encrypted,
        Self::UnknownMethod,
        Self::Bzip2,
        Self::End64,
        Self::CodePage,
        Self::BackslashFolder,
        Self::TrailingBackslash,
        Self::Litter,
        Self::ManyFolders,
    ];
}

/// A package and what must become of it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) writer: Writer,
    pub(crate) quirks: Vec<Quirk>,
    pub(crate) bytes: Vec<u8>,
    /// The content of each file that must be published.
    pub(crate) published: Vec<Vec<u8>>,
    /// How many members must be reported as left out.
    pub(crate) left_out: usize,
}

/// Returns a package; the same seed gives the same package.
pub(crate) fn case(seed: u64) -> Case {
    let mut rng = Rng::with_seed(seed);
    let writer = Writer::ALL[rng.usize(..Writer::ALL.len())];
    let mut quirks: Vec<Quirk> =
        (0..rng.usize(..4)).map(|_| Quirk::ALL[rng.usize(..Quirk::ALL.len())]).collect();
    quirks.sort();
    quirks.dedup();
    let mut package = Package::of(content(&mut rng));
    package.members.iter_mut().for_each(|member| habit(writer, member));
    if matches!(writer, Writer::Libarchive | Writer::Yazl) {
        package.end_64 = rng.bool();
    }
    let mut left_out = 0;
    let mut unpublished = 0;
    for quirk in &quirks {
        match apply(*quirk, &mut package, &mut rng) {
            Fate::Published => {}
            Fate::LeftOut => (left_out, unpublished) = (left_out + 1, unpublished + 1),
            Fate::Merged => unpublished += 1,
        }
    }
    // Members that are left out or duplicated were appended at the end.
    let files: Vec<_> = package.members.iter().filter(|member| !member.is_dir()).collect();
    let mut published: Vec<Vec<u8>> = files.iter().map(|member| member.data.clone()).collect();
    published.truncate(files.len() - unpublished);
    Case { writer, quirks, bytes: package.bytes(), published, left_out }
}

/// An order's files: at least a scan and its XML, and a few others.
fn content(rng: &mut Rng) -> Vec<Member> {
    let mut members = Vec::new();
    let top = if rng.bool() { "iTero_Export_1/" } else { "" };
    if !top.is_empty() && rng.bool() {
        let mut dir = Member::new(top.as_bytes(), b"");
        dir.method = Method::Stored;
        members.push(dir);
    }
    let mut mesh = vec![0; 84 + 50 * rng.usize(1..40)];
    rng.fill(&mut mesh);
    let mut add = |name: &str, data: &[u8]| {
        members.push(Member::new(format!("{top}{name}").as_bytes(), data));
    };
    add("1_shell_occlusion_u.stl", &mesh);
    add(
        "itero_export_#1_v30.xml",
        b"<iTeroExport Version=\"3.0\"><ExportedObjects/></iTeroExport>",
    );
    for number in 0..rng.usize(..4) {
        let mut data = vec![b'a' + number as u8; rng.usize(..2000)];
        if rng.bool() {
            rng.fill(&mut data);
        }
        add(&format!("note {number}.txt"), &data);
    }
    for member in &mut members {
        if rng.u8(..4) == 0 {
            member.method = Method::Stored;
        }
    }
    members
}

fn habit(writer: Writer, member: &mut Member) {
    let unix_mode = if member.is_dir() { 0o040_755 } else { 0o100_644 };
    let timestamp = |len: u8| {
        let mut extra = vec![b'U', b'T', len, 0, 3];
        extra.resize(usize::from(len) + 4, 7);
        extra
    };
    match writer {
        Writer::InfoZip | Writer::InfoZipStreamed => {
            member.made_by = UNIX | 30;
            member.attributes = unix_mode << 16;
            member.local_extra = [timestamp(9), vec![b'u', b'x', 3, 0, 1, 0, 0]].concat();
            member.extra = timestamp(5);
            if writer == Writer::InfoZipStreamed {
                member.descriptor = Descriptor::Signed;
            }
        }
        Writer::Python => {
            member.made_by = UNIX | 20;
            member.attributes = 0o600 << 16;
        }
        Writer::Explorer => member.attributes = if member.is_dir() { 0x10 } else { 0x20 },
        Writer::DotNet => member.flags |= UTF8,
        Writer::Java => {
            member.flags |= UTF8;
            member.descriptor = Descriptor::Signed;
            member.local_extra = vec![0xFE, 0xCA, 0, 0];
            member.extra = vec![0xFE, 0xCA, 0, 0];
        }
        Writer::SevenZip => {
            member.made_by = 63;
            member.attributes = if member.is_dir() { 0x10 } else { 0x20 };
            member.extra = [vec![0x0A, 0, 32, 0, 0, 0, 0, 0, 1, 0, 24, 0], vec![9; 24]].concat();
        }
        Writer::WinZip => {
            member.made_by = NTFS | 20;
            member.flags |= 1 << 1;
        }
        Writer::Ditto => {
            member.made_by = UNIX | 21;
            member.attributes = unix_mode << 16;
            member.descriptor = Descriptor::Signed;
            member.local_extra = vec![b'U', b'X', 4, 0, 1, 2, 3, 4];
            member.extra = vec![b'U', b'X', 4, 0, 1, 2, 3, 4];
        }
        Writer::Go => {
            member.made_by = 20;
            member.flags |= UTF8;
            member.descriptor = Descriptor::Signed;
        }
        Writer::Libarchive => {
            member.made_by = UNIX | 45;
            member.attributes = unix_mode << 16;
            member.is_64 = true;
        }
        Writer::Yazl => {
            member.made_by = UNIX | 63;
            member.attributes = unix_mode << 16;
            member.flags |= UTF8;
            member.is_64 = true;
        }
    }
    if member.is_dir() || member.data.is_empty() {
        member.method = Method::Stored;
        member.descriptor = Descriptor::None;
    }
}

enum Fate {
    Published,
    LeftOut,
    /// Its content is already published.
    Merged,
}

fn apply(quirk: Quirk, package: &mut Package, rng: &mut Rng) -> Fate {
    let top = if package.members.iter().all(|member| member.name.starts_with(b"iTero")) {
        "iTero_Export_1/"
    } else {
        ""
    };
    let added = |name: &[u8], data: &[u8]| -> Member {
        let mut member = Member::new(&[top.as_bytes(), name].concat(), data);
        member.made_by = 20;
        member
    };
    let pick = rng.usize(..package.members.len());
    match quirk {
        Quirk::TimesDiffer => package.members[pick].local_time += 1,
        Quirk::LocalExtra => {
            package.members[pick].local_extra.extend([b'U', b'T', 5, 0, 1, 1, 2, 3, 4]);
        }
        Quirk::BareDescriptor => {
            let member = &mut package.members[pick];
            if !member.data.is_empty() {
                let kinds = [Descriptor::Bare, Descriptor::Long];
                member.descriptor = kinds[usize::from(member.is_64)];
            }
        }
        Quirk::Utf8FlagDiffers => package.members[pick].local_flags_xor ^= UTF8,
        Quirk::DescriptorFlagDiffers => {
            let member = &mut package.members[pick];
            if member.descriptor == Descriptor::None {
                // Only the directory claims that the sizes follow the data, and they do not.
                member.flags |= 1 << 3;
                member.local_flags_xor ^= 1 << 3;
            }
        }
        Quirk::WideSizes => {
            let member = &mut package.members[pick];
            if !member.data.is_empty() {
                // Only the checksum is real: the sizes refer to a ZIP64 field that the local header
                // lacks.
                member.local_sizes = Some([crc(&member.data), u32::MAX, u32::MAX]);
            }
        }
        Quirk::LineFeedAfter => package.after = b"\r\n".to_vec(),
        Quirk::PaddingAfter => package.after = vec![0; rng.usize(1..4000)],
        Quirk::StubBefore | Quirk::StubBeforeCounted => {
            package.before = b"#!/bin/sh\nexec unzip \"$0\"\n".repeat(rng.usize(1..20));
            package.counted = quirk == Quirk::StubBeforeCounted;
        }
        Quirk::Comment => package.comment = b"made for tests ".repeat(rng.usize(1..50)),
        Quirk::Gap => package.members[pick].gap = vec![b'.'; rng.usize(30..300)],
        Quirk::InnerZip => {
            let inner = Package::of(vec![Member::new(b"inner.txt", b"inner content")]).bytes();
            let mut member = added(b"attached.zip", &inner);
            member.method = Method::Stored;
            package.members.insert(0, member);
        }
        Quirk::Empty => {
            let mut member = added(b"empty.txt", b"");
            member.method = Method::Stored;
            package.members.insert(0, member);
        }
        Quirk::White => {
            let member = added(b"white.bmp", &vec![0xFF; 2_000_000]);
            package.members.insert(0, member);
        }
        Quirk::Long => {
            // No longer than Linux allows: the other programs have to write this name.
            let name = format!("{}.txt", "x".repeat(rng.usize(200..230)));
            let member = added(name.as_bytes(), b"long");
            package.members.insert(0, member);
        }
        Quirk::Twice => {
            let Some(first) = package.members.iter().find(|one| !one.is_dir()).cloned() else {
                return Fate::Published;
            };
            package.members.push(Member { gap: Vec::new(), ..first });
            return Fate::Merged;
        }
        Quirk::Encrypted => {
            let mut member = added(b"secret.txt", b"twelve bytes and the secret itself");
            member.flags = 1;
            member.method = Method::Stored;
            package.members.push(member);
            return Fate::LeftOut;
        }
        Quirk::UnknownMethod => {
            let mut member = added(b"odd.txt", b"packed by nobody knows what");
            member.method = Method::Unknown;
            package.members.push(member);
            return Fate::LeftOut;
        }
        Quirk::Bzip2 => package.members[pick].method = bzip2_if_full(&package.members[pick]),
        Quirk::End64 => package.end_64 = true,
        Quirk::CodePage => {
            let names: [&[u8]; 5] = [
                b"Foto_M\x81ller.jpg",
                b"Foto_M\xFCller.jpg",
                b"\x83X\x83L\x83\x83\x83\x93.jpg",
                b"\xC9\xA8\xC3\xE8.jpg",
                b"\xB5lvarez.jpg",
            ];
            let member = added(names[rng.usize(..names.len())], b"picture");
            package.members.insert(0, member);
        }
        Quirk::BackslashFolder => {
            let member = added(b"pictures\\one.jpg", b"one");
            package.members.insert(0, member);
        }
        Quirk::TrailingBackslash => {
            // A Shift-JIS letter whose second byte is a backslash.
            let member = added(b"\x8F\xE3\x8A{\x95\\", b"not a folder");
            package.members.insert(0, member);
        }
        Quirk::Litter => {
            let mut member = added(b"Thumbs.db", b"litter");
            member.method = Method::Stored;
            package.members.push(member);
            return Fate::LeftOut;
        }
        Quirk::ManyFolders => {
            let path = format!("{}x.txt", "folder/".repeat(rng.usize(1..12)));
            let member = added(path.as_bytes(), b"deep");
            package.members.insert(0, member);
        }
    }
    Fate::Published
}

fn bzip2_if_full(member: &Member) -> Method {
    let is_packable = !member.data.is_empty() && member.method != Method::Unknown;
    if is_packable { Method::Bzip2 } else { member.method }
}
