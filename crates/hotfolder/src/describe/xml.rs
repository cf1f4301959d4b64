//! The vendor's XML: which files it names, and as what. Advisory: unreadable content is skipped.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::escape::{escape, unescape};
use quick_xml::events::{BytesStart, Event};

use super::names::{MARGIN, Part};
use casedrop_model::manifest::{Jaw, Role};

/// Larger XML files are not read: real ones reach 1 MB.
pub(super) const MAX: u64 = 16 << 20;

const BOM: &str = "\u{feff}";

/// One `Object` below `ExportedObjects`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Object {
    kind: String,
    sub_kind: String,
    jaw: String,
    pub(super) files: Vec<FileRef>,
}

/// A `FileName` and the position of its raw text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileRef {
    /// The name without any folder.
    pub(super) name: String,
    /// The name with its folder.
    pub(super) path: String,
    span: Range<usize>,
}

impl Object {
    pub(super) fn role(&self) -> Option<Role> {
        match self.kind.as_str() {
            "surface" => Some(Role::Scan),
            "texture" => Some(Role::Texture),
            "image" if self.sub_kind.contains("gallery") => Some(Role::Thumbnail),
            _ => None,
        }
    }

    pub(super) fn jaw(&self) -> Option<Jaw> {
        match (self.jaw.contains("upper"), self.jaw.contains("lower")) {
            (true, true) => Some(Jaw::Both),
            (true, false) => Some(Jaw::Upper),
            (false, true) => Some(Jaw::Lower),
            (false, false) => (self.jaw == "both").then_some(Jaw::Both),
        }
    }

    /// Whether it is something that has no jaw, such as a margin.
    pub(super) fn is_line(&self) -> bool {
        self.kind == "line"
    }

    pub(super) fn is_image(&self) -> bool {
        self.kind == "image"
    }

    pub(super) fn pretreatment(&self) -> bool {
        self.sub_kind.contains("pretreatment")
    }

    /// SEEN: `ObjectType="Line" SubType="Margin"`.
    pub(super) fn part(&self) -> Option<Part> {
        let is_margin = self.sub_kind.contains(MARGIN);
        is_margin.then(|| Part { word: MARGIN, label: MARGIN.to_owned() })
    }

    fn set(&mut self, field: &str, raw: &str, span: Range<usize>) {
        let Ok(value) = unescape(raw) else { return };
        let value = value.trim();
        match field {
            "objecttype" => self.kind = value.to_lowercase(),
            "subtype" => self.sub_kind = value.to_lowercase(),
            "jawid" => self.jaw = value.to_lowercase(),
            "filename" if !value.is_empty() => {
                let name = value.rsplit(['/', '\\']).next().unwrap_or(value).to_owned();
                self.files.push(FileRef { name, path: value.to_owned(), span });
            }
            _ => {}
        }
    }
}

/// Returns all objects up to the end or the first syntax error.
pub(super) fn objects(text: &str) -> Vec<Object> {
    read(text).0
}

/// Like [`objects`], and also returns whether the document was complete. Fields may be attributes
/// or elements.
pub(super) fn read(text: &str) -> (Vec<Object>, bool) {
    let body = text.strip_prefix(BOM).unwrap_or(text);
    let offset = text.len() - body.len();
    let mut reader = Reader::from_str(body);
    reader.config_mut().check_end_names = false;
    let mut objects = Vec::new();
    let mut current: Option<Object> = None;
    let mut field: Option<(String, usize)> = None;
    let (mut depth, mut has_root) = (0_usize, false);
    loop {
        let before = position(&reader);
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                depth += 1;
                has_root = true;
                let name = local_name(&tag);
                if name == "object" {
                    current = Some(from_attributes(&tag, body, offset));
                } else if current.is_some() {
                    field = Some((name, position(&reader)));
                }
            }
            Ok(Event::Empty(tag)) if local_name(&tag) == "object" => {
                objects.push(from_attributes(&tag, body, offset));
            }
            Ok(Event::End(tag)) => {
                depth = depth.saturating_sub(1);
                let name = tag.local_name().as_ref().to_lowercase();
                if let Some((open, start)) = field.take()
                    && open == name
                    && let Some(object) = &mut current
                    && let Some(raw) = body.get(start..before)
                {
                    object.set(&name, raw, start + offset..before + offset);
                }
                if name == "object" {
                    objects.extend(current.take());
                }
            }
            Ok(Event::Eof) => return (objects, has_root && depth == 0),
            Err(_) => return (objects, false),
            Ok(_) => {}
        }
    }
}

/// Replaces file names and leaves every other byte alone; `None` if nothing changes.
pub(super) fn renamed<E>(
    text: &str,
    new_name: impl Fn(&str) -> Result<Option<String>, E>,
) -> Result<Option<String>, E> {
    let mut changes: Vec<(Range<usize>, String)> = Vec::new();
    for file in objects(text).into_iter().flat_map(|object| object.files) {
        changes.extend(new_name(&file.path)?.map(|new| (file.span, new)));
    }
    if changes.is_empty() {
        return Ok(None);
    }
    changes.sort_by_key(|(span, _)| span.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (span, new) in changes {
        // Spans may overlap in broken XML.
        let Some(kept) = text.get(at..span.start) else { continue };
        out.push_str(kept);
        out.push_str(&escape(new.as_str()));
        at = span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Ok(Some(out))
}

fn from_attributes(tag: &BytesStart<'_>, body: &str, offset: usize) -> Object {
    let mut object = Object::default();
    for attribute in tag.attributes().with_checks(false).flatten() {
        let raw: &str = &attribute.value;
        // The value is a slice of the body; its offset there is where to replace it.
        let start = raw.as_ptr().addr().wrapping_sub(body.as_ptr().addr());
        let end = start.saturating_add(raw.len());
        if body.get(start..end) == Some(raw) {
            let name = attribute.key.local_name().as_ref().to_lowercase();
            object.set(&name, raw, start + offset..end + offset);
        }
    }
    object
}

fn local_name(tag: &BytesStart<'_>) -> String {
    tag.local_name().as_ref().to_lowercase()
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH_WAYS: &str = "\u{feff}<?xml version=\"1.0\"?>\r\n<iTeroExport Version=\"5.0\">\r\n\
        <RxInfo><Notes>FileName &amp; more</Notes></RxInfo><ExportedObjects>\r\n\
        <Object ObjectType=\"Surface\"  SubType='Jaw' JawId=\"Upper\" FileName=\"a&amp;b.stl\"/>\r\n\
        <Object><ObjectType>Image</ObjectType><SubType>Gallery</SubType><JawId/>\
        <FileName> .\\c.jpg </FileName></Object ></ExportedObjects><!-- end --></iTeroExport>\r\n";

    #[test]
    fn fields_are_read_from_attributes_and_elements() {
        let objects = objects(BOTH_WAYS);
        assert_eq!(objects.len(), 2);
        assert_eq!(objects[0].role(), Some(Role::Scan));
        assert_eq!(objects[0].jaw(), Some(Jaw::Upper));
        assert_eq!(objects[0].files[0].name, "a&b.stl");
        assert_eq!((objects[1].role(), objects[1].jaw()), (Some(Role::Thumbnail), None));
        assert_eq!(objects[1].files[0].name, "c.jpg");
    }

    #[test]
    fn renaming_leaves_every_other_byte_alone() {
        let renamed = |text: &str, new: &dyn Fn(&str) -> Option<String>| {
            renamed(text, |name| Ok::<_, ()>(new(name))).expect("infallible")
        };
        let new = renamed(BOTH_WAYS, &|name| (name == "a&b.stl").then(|| "x<y>.stl".to_owned()));
        let expected = BOTH_WAYS.replace("a&amp;b.stl", "x&lt;y&gt;.stl");
        assert_eq!(new.expect("changed"), expected);
        let new = renamed(BOTH_WAYS, &|name| (name == ".\\c.jpg").then(|| "t/c.jpg".to_owned()));
        assert_eq!(new.expect("changed"), BOTH_WAYS.replace(" .\\c.jpg ", "t/c.jpg"));
        assert_eq!(renamed(BOTH_WAYS, &|_| None), None);
    }

    #[test]
    fn broken_xml_yields_what_came_before_the_break() {
        let text = "<a><Object FileName=\"1.stl\"/><Object FileName=\"2.stl\"><";
        assert_eq!(objects(text).len(), 1);
        assert!(!read(text).1 && !read("<a><b/>").1 && read("<a><b></b></a>\n").1);
        assert!(objects("not xml at all & <<<").is_empty());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[<>/a&;=\" \u{e9}\r\nOobject FileName!\\[\\]?-]{0,80}") {
            let _ = objects(&text);
            let same = renamed(&text, |name| Ok::<_, ()>(Some(name.to_owned())));
            prop_assert!(same.expect("infallible").is_none_or(|same| same.len() + 200 > text.len()));
        }
    }
}
