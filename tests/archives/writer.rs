//! A zip writer that writes exactly what it is told, however wrong.

use std::io::Write as _;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Stored,
    Deflated,
    Bzip2,
    /// Declared as a method that no program reads.
    Unknown,
}

/// One member with both of its headers.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) name: Vec<u8>,
    /// The name in the local header if it differs.
    pub(crate) local_name: Option<Vec<u8>>,
    pub(crate) data: Vec<u8>,
    pub(crate) method: Method,
    pub(crate) flags: u16,
    /// Flag bits that differ in the local header.
    pub(crate) local_flags_xor: u16,
    pub(crate) local_method: Option<u16>,
    pub(crate) time: u32,
    pub(crate) local_time: u32,
    /// Checksum, packed size and unpacked size in the local header.
    pub(crate) local_sizes: Option<[u32; 3]>,
    /// With a data descriptor, the local header has zeros and the values follow the data.
    pub(crate) descriptor: Descriptor,
    pub(crate) extra: Vec<u8>,
    pub(crate) local_extra: Vec<u8>,
    pub(crate) made_by: u16,
    pub(crate) attributes: u32,
    /// Added to the local header's offset in the directory.
    pub(crate) offset_by: i64,
    /// Whether the directory gives sizes and offset as 64 bits.
    pub is_64: bool,
    /// Bytes before its local header.
    pub(crate) gap: Vec<u8>,
    /// Bytes that follow its packed data and count as packed.
    pub(crate) packed_tail: Vec<u8>,
    /// Combined by XOR with the directory's checksum.
    pub(crate) crc_xor: u32,
    /// Added to the unpacked size in both headers.
    pub(crate) size_by: i64,
}

/// How sizes follow the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Descriptor {
    None,
    Signed,
    Bare,
    /// With 64-bit sizes.
    Long,
}

impl Member {
    pub(crate) fn new(name: &[u8], data: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            local_name: None,
            data: data.to_owned(),
            method: Method::Deflated,
            flags: 0,
            local_flags_xor: 0,
            local_method: None,
            time: 0x5a21_6000,
            local_time: 0x5a21_6000,
            local_sizes: None,
            descriptor: Descriptor::None,
            extra: Vec::new(),
            local_extra: Vec::new(),
            made_by: 20,
            attributes: 0,
            offset_by: 0,
            is_64: false,
            gap: Vec::new(),
            packed_tail: Vec::new(),
            crc_xor: 0,
            size_by: 0,
        }
    }

    pub(crate) fn is_dir(&self) -> bool {
        self.name.ends_with(b"/")
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Package {
    /// Bytes before the archive; `counted` says whether offsets include them.
    pub(crate) before: Vec<u8>,
    pub(crate) counted: bool,
    pub(crate) members: Vec<Member>,
    pub(crate) comment: Vec<u8>,
    pub(crate) after: Vec<u8>,
    pub end_64: bool,
    pub(crate) end: EndFaults,
}

/// Errors of the end record, added to the true values.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EndFaults {
    pub(crate) members: i64,
    pub(crate) size: i64,
    pub(crate) offset: i64,
    pub(crate) disk: u16,
    /// Added in the 64-bit record only.
    pub offset_64: i64,
    /// Added to the offset at which the locator looks for that record.
    pub(crate) locator: i64,
}

impl Package {
    pub(crate) fn of(members: Vec<Member>) -> Self {
        Self { members, ..Self::default() }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.before.clone();
        let base = if self.counted { 0 } else { self.before.len() as u64 };
        let mut directory = Vec::new();
        for member in &self.members {
            out.extend(&member.gap);
            let offset = (out.len() as u64 - base).wrapping_add_signed(member.offset_by);
            write_member(member, offset, &mut out, &mut directory);
        }
        let start = (out.len() as u64 - base).wrapping_add_signed(self.end.offset);
        let size = (directory.len() as u64).wrapping_add_signed(self.end.size);
        let count = (self.members.len() as u64).wrapping_add_signed(self.end.members);
        out.extend(&directory);
        if self.end_64 {
            let at = (out.len() as u64 - base).wrapping_add_signed(self.end.locator);
            out.extend(b"PK\x06\x06");
            out.extend(44_u64.to_le_bytes());
            out.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            out.extend(count.to_le_bytes());
            out.extend(count.to_le_bytes());
            out.extend(size.to_le_bytes());
            out.extend(start.wrapping_add_signed(self.end.offset_64).to_le_bytes());
            out.extend(b"PK\x06\x07\0\0\0\0");
            out.extend(at.to_le_bytes());
            out.extend(1_u32.to_le_bytes());
        }
        out.extend(b"PK\x05\x06");
        out.extend(self.end.disk.to_le_bytes());
        out.extend(self.end.disk.to_le_bytes());
        let (short_count, short) = if self.end_64 && self.end.offset_64 == 0 {
            (0xFFFF, [u32::MAX; 2])
        } else {
            (count as u16, [size as u32, start as u32])
        };
        out.extend(short_count.to_le_bytes());
        out.extend(short_count.to_le_bytes());
        out.extend(short[0].to_le_bytes());
        out.extend(short[1].to_le_bytes());
        out.extend((self.comment.len() as u16).to_le_bytes());
        out.extend(&self.comment);
        out.extend(&self.after);
        out
    }
}

pub(crate) fn crc(data: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(data);
    crc.sum()
}

fn pack(member: &Member) -> (u16, Vec<u8>) {
    match member.method {
        Method::Stored => (0, member.data.clone()),
        Method::Unknown => (77, member.data.clone()),
        Method::Deflated => {
            let level = flate2::Compression::new(6);
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(&member.data).expect("packed");
            (8, encoder.finish().expect("packed"))
        }
        Method::Bzip2 => {
            let level = bzip2::Compression::fast();
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), level);
            encoder.write_all(&member.data).expect("packed");
            (12, encoder.finish().expect("packed"))
        }
    }
}

fn write_member(member: &Member, offset: u64, out: &mut Vec<u8>, directory: &mut Vec<u8>) {
    const DESCRIPTOR: u16 = 1 << 3;
    let (method, mut packed) = pack(member);
    packed.extend(&member.packed_tail);
    let crc = crc(&member.data);
    let size = (member.data.len() as u64).wrapping_add_signed(member.size_by);
    let flags = match member.descriptor {
        Descriptor::None => member.flags,
        _ => member.flags | DESCRIPTOR,
    };
    let true_sizes = [crc, packed.len() as u32, size as u32];
    let later = member.descriptor != Descriptor::None;
    let local = member.local_sizes.unwrap_or(if later { [0; 3] } else { true_sizes });
    let name = member.local_name.as_ref().unwrap_or(&member.name);
    out.extend(b"PK\x03\x04\x14\0");
    out.extend((flags ^ member.local_flags_xor).to_le_bytes());
    out.extend(member.local_method.unwrap_or(method).to_le_bytes());
    out.extend(member.local_time.to_le_bytes());
    out.extend(local.iter().flat_map(|value| value.to_le_bytes()));
    out.extend((name.len() as u16).to_le_bytes());
    out.extend((member.local_extra.len() as u16).to_le_bytes());
    out.extend(name);
    out.extend(&member.local_extra);
    out.extend(&packed);
    match member.descriptor {
        Descriptor::None => {}
        Descriptor::Signed | Descriptor::Bare => {
            if member.descriptor == Descriptor::Signed {
                out.extend(b"PK\x07\x08");
            }
            out.extend(true_sizes.iter().flat_map(|value| value.to_le_bytes()));
        }
        Descriptor::Long => {
            out.extend(b"PK\x07\x08");
            out.extend(crc.to_le_bytes());
            out.extend((packed.len() as u64).to_le_bytes());
            out.extend(size.to_le_bytes());
        }
    }

    let mut extra = member.extra.clone();
    let mut wide = [packed.len() as u32, size as u32, offset as u32];
    if member.is_64 {
        extra.extend([1, 0, 24, 0]);
        extra.extend(size.to_le_bytes());
        extra.extend((packed.len() as u64).to_le_bytes());
        extra.extend(offset.to_le_bytes());
        wide = [u32::MAX; 3];
    }
    directory.extend(b"PK\x01\x02");
    directory.extend(member.made_by.to_le_bytes());
    directory.extend([20, 0]);
    directory.extend(flags.to_le_bytes());
    directory.extend(method.to_le_bytes());
    directory.extend(member.time.to_le_bytes());
    directory.extend((crc ^ member.crc_xor).to_le_bytes());
    directory.extend(wide[0].to_le_bytes());
    directory.extend(wide[1].to_le_bytes());
    directory.extend((member.name.len() as u16).to_le_bytes());
    directory.extend((extra.len() as u16).to_le_bytes());
    directory.extend([0; 6]);
    directory.extend(member.attributes.to_le_bytes());
    directory.extend(wide[2].to_le_bytes());
    directory.extend(&member.name);
    directory.extend(&extra);
}
