//! The patient's name, for a page that may show it. It is read on demand and stored nowhere.

use std::path::Path;

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::Event;

use super::{text, xml};
use casedrop_disk::{Disk, read_limited};
use casedrop_model::manifest::{Manifest, Role};

const FIELD: &str = "patient";
/// Longer names are cut off, in characters.
const MAX: usize = 200;

/// Reads the patient's name from the vendor's XML of the revision in `dir`. `None` if there is none
/// or it cannot be read.
pub fn patient(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Option<String> {
    let files = manifest.files.iter().filter(|file| file.role == Role::Metadata);
    let named = files.filter(|file| file.path.to_ascii_lowercase().ends_with(".xml"));
    let mut texts = named.filter_map(|file| {
        let bytes = read_limited(disk, &file.path.under(dir), xml::MAX).ok()?;
        text::decode(bytes).map(|(text, _)| text)
    });
    texts.find_map(|text| in_xml(&text))
}

/// Finds the name as an attribute or an element.
fn in_xml(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().check_end_names = false;
    let mut is_inside = false;
    let mut found = String::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => {
                let mut attributes = tag.attributes();
                for one in attributes.with_checks(false).flatten() {
                    if is_field(one.key.local_name().as_ref())
                        && let Ok(value) = unescape(&one.value)
                        && let name = tidy(&value)
                        && !name.is_empty()
                    {
                        return Some(name);
                    }
                }
                is_inside = is_field(tag.local_name().as_ref());
                found.clear();
            }
            Ok(Event::Text(text)) if is_inside => found.push_str(&text),
            Ok(Event::GeneralRef(name)) if is_inside => {
                found.extend(["&", &name, ";"]);
            }
            Ok(Event::End(tag)) => {
                if is_inside && is_field(tag.local_name().as_ref()) {
                    let name = tidy(&unescape(&found).ok()?);
                    if !name.is_empty() {
                        return Some(name);
                    }
                }
                is_inside = false;
            }
            Ok(Event::Eof) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

fn is_field(name: &str) -> bool {
    name.eq_ignore_ascii_case(FIELD)
}

fn tidy(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_as_attribute_and_as_element() {
        let attribute = "<iTeroExport><RxInfo Order='1' Patient='Doe, J&#246;rg'/></iTeroExport>";
        assert_eq!(in_xml(attribute).as_deref(), Some("Doe, J\u{f6}rg"));
        let element = "\u{feff}<a><RxInfo><Patient> Doe &amp; Co </Patient></RxInfo></a>";
        assert_eq!(in_xml(element).as_deref(), Some("Doe & Co"));
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        for text in ["", "<a/>", "<a><Patient/><Patient> </Patient></a>", "<a><Patient>x", "& <<"] {
            assert_eq!(in_xml(text), None, "{text}");
        }
    }
}
