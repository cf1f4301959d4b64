//! The header of a PLY: the order of its elements, their counts and their properties.

use super::text::decode;

/// A longer header is not valid.
pub(super) const MAX: usize = 64 << 10;
const END: &[u8] = b"end_header";

#[derive(Debug, Default)]
pub(super) struct Head {
    pub(super) coding: Coding,
    pub(super) elements: Vec<Element>,
    /// Texture names found in its comments.
    pub(super) textures: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Coding {
    #[default]
    Text,
    Little,
    Big,
}

/// Rows of one kind.
#[derive(Debug, Clone)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) count: u64,
    pub(super) properties: Vec<Property>,
}

/// One value of a row, or a list of them.
#[derive(Debug, Clone)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// For a list, the type of its length.
    pub(super) list: Option<Kind>,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl Kind {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "char" | "int8" => Self::I8,
            "uchar" | "uint8" => Self::U8,
            "short" | "int16" => Self::I16,
            "ushort" | "uint16" => Self::U16,
            "int" | "int32" => Self::I32,
            "uint" | "uint32" => Self::U32,
            "float" | "float32" => Self::F32,
            "double" | "float64" => Self::F64,
            _ => return None,
        })
    }

    pub(super) fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Reads a value at the start of `bytes`; `None` if there are too few.
    pub(super) fn read(self, bytes: &[u8], coding: Coding) -> Option<f64> {
        let mut raw = [0; 8];
        let size = self.size();
        let slot = raw.get_mut(..size)?;
        slot.copy_from_slice(bytes.get(..size)?);
        if coding == Coding::Big {
            slot.reverse();
        }
        let [a, b, c, d, ..] = raw;
        Some(match self {
            Self::I8 => f64::from(i8::from_le_bytes([a])),
            Self::U8 => f64::from(a),
            Self::I16 => f64::from(i16::from_le_bytes([a, b])),
            Self::U16 => f64::from(u16::from_le_bytes([a, b])),
            Self::I32 => f64::from(i32::from_le_bytes([a, b, c, d])),
            Self::U32 => f64::from(u32::from_le_bytes([a, b, c, d])),
            Self::F32 => f64::from(f32::from_le_bytes([a, b, c, d])),
            Self::F64 => f64::from_le_bytes(raw),
        })
    }
}

impl Element {
    /// Returns the length of a row; `None` if it has lists.
    pub(super) fn row(&self) -> Option<usize> {
        let is_fixed = self.properties.iter().all(|property| property.list.is_none());
        is_fixed.then(|| self.properties.iter().map(|property| property.kind.size()).sum())
    }

    /// Returns the length of a row if every list has as many values as in a triangle mesh.
    pub(super) fn usual_row(&self) -> usize {
        let size = |property: &Property| match property.list {
            None => property.kind.size(),
            Some(count) => {
                let values = if property.name.contains("texcoord") { 6 } else { 3 };
                count.size() + values * property.kind.size()
            }
        };
        self.properties.iter().map(size).sum()
    }

    /// Returns the offset of a value in a row, and its property; `None` after a list.
    pub(super) fn place(&self, name: &str) -> Option<(usize, &Property)> {
        let mut at = 0;
        for property in &self.properties {
            if property.name == name {
                return Some((at, property));
            }
            if property.list.is_some() {
                return None;
            }
            at += property.kind.size();
        }
        None
    }

    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.properties.iter().any(|property| names.contains(&property.name.as_str()))
    }
}

impl Head {
    pub(super) fn element(&self, name: &str) -> Option<&Element> {
        self.elements.iter().find(|element| element.name == name)
    }
}

/// Returns the offset of the body; `None` if the header does not end here.
pub(super) fn end(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.windows(END.len()).position(|found| found == END) {
        let (start, mut end) = (from + at, from + at + END.len());
        let is_line = start > 0 && matches!(bytes[start - 1], b'\n' | b'\r');
        if is_line {
            while matches!(bytes.get(end), Some(b' ' | b'\t')) {
                end += 1;
            }
            return match (bytes.get(end)?, bytes.get(end + 1)) {
                (b'\r', Some(b'\n')) => Some(end + 2),
                // It depends on the next byte, which has not arrived yet.
                (b'\r', None) => None,
                (b'\n' | b'\r', _) => Some(end + 1),
                _ => None,
            };
        }
        from = end;
    }
    None
}

/// Reads a header; `None` if it is not one.
pub(super) fn read(bytes: &[u8]) -> Option<Head> {
    let mut head = Head::default();
    let mut is_coded = false;
    for line in bytes.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let text = decode(line);
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["format", coding, ..] => {
                is_coded = true;
                head.coding = match *coding {
                    "ascii" => Coding::Text,
                    "binary_little_endian" => Coding::Little,
                    "binary_big_endian" => Coding::Big,
                    _ => return None,
                };
            }
            ["element", name, count, ..] => {
                let count = count.parse().ok()?;
                let name = (*name).to_owned();
                head.elements.push(Element { name, count, properties: Vec::new() });
            }
            ["property", "list", count, kind, name, ..] => {
                let list = Some(Kind::of(count)?);
                let property = Property { name: (*name).to_owned(), kind: Kind::of(kind)?, list };
                head.elements.last_mut()?.properties.push(property);
            }
            ["property", kind, name, ..] => {
                let name = (*name).to_owned();
                let property = Property { name, kind: Kind::of(kind)?, list: None };
                head.elements.last_mut()?.properties.push(property);
            }
            ["comment", what, ..] if what.to_lowercase().starts_with("texture") => {
                let rest = text.trim().split_once(*what).map(|(_, rest)| rest.trim());
                head.textures.extend(rest.filter(|name| !name.is_empty()).map(str::to_owned));
            }
            _ => {}
        }
    }
    is_coded.then_some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_end_where_they_end() {
        let text = b"ply\r\nformat binary_big_endian 1.0\r\ncomment no end_header here\r\n\
            comment TextureFile my teeth.jpg\r\nelement vertex 3\r\nproperty double x\r\n\
            property uchar red\r\nelement face 1\r\nproperty list uchar int vertex_indices\r\n\
            end_header\r\nBODY";
        assert_eq!(end(text), Some(text.len() - 4));
        assert_eq!(end(&text[..text.len() - 5]), None);
        let head = read(&text[..text.len() - 4]).expect("a header");
        assert_eq!((head.coding, head.textures), (Coding::Big, vec!["my teeth.jpg".to_owned()]));
        let rows: Vec<_> = head.elements.iter().map(Element::row).collect();
        assert_eq!(rows, [Some(9), None]);
        assert_eq!(head.elements[1].usual_row(), 13);
        assert!(read(b"ply\nformat binary_middle_endian 1.0\n").is_none());
        assert!(read(b"ply\nformat ascii 1.0\nelement vertex many\n").is_none());
    }
}
