//! References in meshes and materials: a PLY's texture, an OBJ's material libraries, a material's
//! pictures.
//!
//! Each is on a line of its own. Meshes are long, so they are read line by line, and anything that
//! is not a line of text passes through.

use std::io::{self, BufRead, Read as _, Write};
use std::ops::Range;

use super::text::{decode_any, encode};

/// A longer line holds no reference.
const LINE_MAX: u64 = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ply,
    Obj,
    Mtl,
}

impl Kind {
    pub(super) fn of(extension: &str) -> Option<Self> {
        match extension {
            "ply" => Some(Self::Ply),
            "obj" => Some(Self::Obj),
            "mtl" => Some(Self::Mtl),
            _ => None,
        }
    }
}

/// Why a copy stopped.
#[derive(Debug)]
pub(super) enum Stopped<E> {
    Reading(io::Error),
    Writing(io::Error),
    /// The new name cannot be written in the file's encoding.
    Encoding,
    Refused(E),
}

/// Copies a file, replacing its references. `new_path` is called with each candidate. Returns the
/// references after replacement, and whether any changed.
pub(super) fn copy<E>(
    kind: Kind,
    reader: &mut dyn BufRead,
    writer: &mut dyn Write,
    new_path: &dyn Fn(&str) -> Result<Option<String>, E>,
) -> Result<(Vec<String>, bool), Stopped<E>> {
    let mut now = Vec::new();
    let mut is_changed = false;
    let mut line = Vec::new();
    let mut is_at_start = true;
    let mut is_header = true;
    loop {
        line.clear();
        let count = (&mut *reader).take(LINE_MAX).read_until(b'\n', &mut line);
        if count.map_err(Stopped::Reading)? == 0 {
            return Ok((now, is_changed));
        }
        let is_whole = is_at_start && (line.ends_with(b"\n") || (line.len() as u64) < LINE_MAX);
        is_at_start = line.ends_with(b"\n");
        if is_whole && is_header && may_refer(kind, &line) {
            let (text, form) = decode_any(&line);
            let mut text = text;
            // Go backwards, so that the other spans stay valid.
            for span in spans(kind, &text).into_iter().rev() {
                let Some(found) = text.get(span.clone()).map(str::to_owned) else { continue };
                let new = new_path(&found).map_err(Stopped::Refused)?;
                if let Some(new) = &new {
                    text.replace_range(span, new);
                    is_changed = true;
                }
                now.push(new.unwrap_or(found));
            }
            line = encode(&text, form).ok_or(Stopped::Encoding)?;
        }
        if kind == Kind::Ply && line.starts_with(b"end_header") {
            is_header = false;
        }
        writer.write_all(&line).map_err(Stopped::Writing)?;
        if !is_header {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                match super::super::files::read_some(reader, &mut buffer) {
                    Ok(0) => return Ok((now, is_changed)),
                    Ok(count) => writer.write_all(&buffer[..count]).map_err(Stopped::Writing)?,
                    Err(error) => return Err(Stopped::Reading(error)),
                }
            }
        }
    }
}

fn may_refer(kind: Kind, line: &[u8]) -> bool {
    let starts = |words: &[&[u8]]| {
        let line = line.trim_ascii_start();
        words.iter().any(|word| {
            line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
        })
    };
    match kind {
        Kind::Ply => starts(&[b"comment ", b"obj_info "]),
        Kind::Obj => starts(&[b"mtllib", b"maplib", b"usemap"]),
        Kind::Mtl => starts(&[b"map_", b"bump", b"disp", b"decal", b"refl", b"norm"]),
    }
}

/// Returns the spans of the references. Names may contain spaces, so a reference extends to the end
/// of the line.
fn spans(kind: Kind, line: &str) -> Vec<Range<usize>> {
    let end = line.trim_end().len();
    let starts: Vec<usize> = line[..end]
        .char_indices()
        .filter(|(at, c)| {
            !c.is_whitespace() && line[..*at].chars().next_back().is_none_or(char::is_whitespace)
        })
        .map(|(at, _)| at)
        .collect();
    let word = |start: usize| line[start..end].split_whitespace().next().unwrap_or_default();
    let rest = |at: usize| starts.get(at).map(|start| *start..end).into_iter().collect();
    match kind {
        // `comment TextureFile name`
        Kind::Ply => match starts.get(1) {
            Some(second) if word(*second).to_lowercase().starts_with("texture") => rest(2),
            _ => Vec::new(),
        },
        // `mtllib name`, or several names separated by spaces
        Kind::Obj => {
            let libraries = line[..end].to_lowercase().matches(".mtl").count();
            if libraries < 2 {
                return rest(1);
            }
            starts.iter().skip(1).map(|start| *start..*start + word(*start).len()).collect()
        }
        // `map_Kd -bm 0.5 -o 1 1 1 name`
        Kind::Mtl => {
            let mut at = 1;
            while let Some(option) = starts.get(at).map(|start| word(*start)) {
                let arguments = match option {
                    "-o" | "-s" | "-t" => 3,
                    "-mm" => 2,
                    _ if option.starts_with('-') => 1,
                    _ => break,
                };
                at += 1;
                let is_one = |start: &usize| arguments < 3 || word(*start).parse::<f64>().is_ok();
                at += starts[at.min(starts.len())..]
                    .iter()
                    .take(arguments)
                    .take_while(|start| is_one(start))
                    .count();
            }
            rest(at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: Kind, line: &str) -> Vec<&str> {
        spans(kind, line).into_iter().map(|span| &line[span]).collect()
    }

    #[test]
    fn references_are_found_behind_options_and_with_spaces() {
        assert_eq!(found(Kind::Ply, "comment TextureFile a b.jpg\r\n"), ["a b.jpg"]);
        assert_eq!(found(Kind::Ply, "comment made by a.jpg\n"), [""; 0]);
        assert_eq!(found(Kind::Obj, "mtllib a b.mtl\n"), ["a b.mtl"]);
        assert_eq!(found(Kind::Obj, "mtllib a.mtl x/b.mtl\n"), ["a.mtl", "x/b.mtl"]);
        assert_eq!(found(Kind::Mtl, "map_Kd a b.jpg\n"), ["a b.jpg"]);
        assert_eq!(found(Kind::Mtl, "map_Kd -bm 0.5 -o 1 2 c.jpg"), ["c.jpg"]);
        assert_eq!(found(Kind::Mtl, "bump -mm 0 1 -clamp on x\\c.jpg"), ["x\\c.jpg"]);
        assert_eq!(found(Kind::Mtl, "map_Kd\n"), [""; 0]);
    }
}
