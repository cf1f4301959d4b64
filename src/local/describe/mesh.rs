//! A look at a mesh's outer form. Findings are notes for a person; no order fails over them.

use std::io::{self, Read as _, SeekFrom};
use std::path::Path;

use super::super::unpack::read_head;
use crate::disk::{Disk, ReadFile};

const STL_HEAD: u64 = 84;
const STL_TRIANGLE: u64 = 50;
const PLY_HEAD_MAX: usize = 64 * 1024;

/// What is wrong with the mesh, if anything.
pub(super) fn complaint(disk: &dyn Disk, path: &Path, extension: &str) -> Option<String> {
    let mut file = disk.open(path).ok()?;
    let found = match extension {
        "stl" => stl(&mut *file),
        "ply" => ply(&mut *file),
        _ => return None,
    };
    match found {
        Ok(complaint) => complaint,
        Err(error) => Some(format!("cannot be read: {error}")),
    }
}

fn stl(file: &mut dyn ReadFile) -> io::Result<Option<String>> {
    let len = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut head = vec![0; 512];
    let count = read_head(file, &mut head)?;
    let head = &head[..count];
    if let Some(&[a, b, c, d]) = head.get(80..84) {
        let triangles = u64::from(u32::from_le_bytes([a, b, c, d]));
        if STL_HEAD + STL_TRIANGLE * triangles == len {
            return Ok((triangles == 0).then(|| "holds no triangles".to_owned()));
        }
    }
    if head.starts_with(b"solid") && head.is_ascii() {
        return Ok(None);
    }
    Ok(Some(format!("is neither binary STL of its length ({len} bytes) nor text STL")))
}

fn ply(file: &mut dyn ReadFile) -> io::Result<Option<String>> {
    let len = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    file.take(PLY_HEAD_MAX as u64).read_to_end(&mut head)?;
    let complaint = match ply_needs(&head) {
        Ok(needed) if needed > len => {
            Some(format!("is cut off: {len} bytes, its header asks for {needed} at least"))
        }
        Ok(_) => None,
        Err(why) => Some(why.to_owned()),
    };
    Ok(complaint)
}

/// The least length of a PLY file with this header.
fn ply_needs(head: &[u8]) -> Result<u64, &'static str> {
    const END: &[u8] = b"end_header";
    if !head.starts_with(b"ply") {
        return Err("does not start like a PLY file");
    }
    let end = head.windows(END.len()).position(|window| window == END);
    let end = end.ok_or("has no PLY header that ends")?;
    let text =
        std::str::from_utf8(&head[..end]).map_err(|_| "has a PLY header that is not text")?;
    let mut binary = false;
    let (mut count, mut row, mut rows) = (0_u64, 0_u64, 0_u64);
    for line in text.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["format", format, ..] => binary = format.starts_with("binary"),
            ["element", _, number] => {
                rows = rows.saturating_add(count.saturating_mul(row));
                count = number.parse().map_err(|_| "has a PLY element without a number")?;
                row = 0;
            }
            // A list has at least its length; one byte is the least that can be.
            ["property", "list", ..] => row += 1,
            ["property", kind, _] => row += width(kind),
            _ => {}
        }
    }
    rows = rows.saturating_add(count.saturating_mul(row));
    let header = end as u64 + END.len() as u64;
    Ok(if binary { header.saturating_add(rows) } else { header })
}

fn width(kind: &str) -> u64 {
    match kind {
        "char" | "uchar" | "int8" | "uint8" => 1,
        "short" | "ushort" | "int16" | "uint16" => 2,
        "double" | "float64" => 8,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    fn complaint_about(name: &str, bytes: &[u8]) -> Option<String> {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        complaint(&RealDisk, &path, name.rsplit('.').next().expect("extension"))
    }

    fn binary_stl(triangles: u32) -> Vec<u8> {
        let mut bytes = vec![0; 80];
        bytes.extend(triangles.to_le_bytes());
        bytes.resize(84 + 50 * triangles as usize, 0);
        bytes
    }

    #[test]
    fn whole_meshes_are_fine() {
        assert_eq!(complaint_about("a.stl", &binary_stl(3)), None);
        assert_eq!(complaint_about("a.stl", b"solid x\nendsolid x\n"), None);
        let ply = b"ply\nformat binary_little_endian 1.0\nelement vertex 2\nproperty float x\n\
            element face 0\nproperty list uchar int i\nend_header\n12345678";
        assert_eq!(complaint_about("a.ply", ply), None);
    }

    #[test]
    fn broken_ones_are_named() {
        let mut cut = binary_stl(3);
        cut.pop();
        assert!(complaint_about("a.stl", &cut).is_some_and(|text| text.contains("233 bytes")));
        assert!(complaint_about("a.stl", &binary_stl(0)).is_some());
        assert!(complaint_about("a.stl", b"").is_some());
        assert!(complaint_about("a.ply", b"solid").is_some());
        let ply = b"ply\nformat binary_little_endian 1.0\nelement vertex 99\nproperty float x\n\
            end_header\n1234";
        assert!(complaint_about("a.ply", ply).is_some_and(|text| text.contains("cut off")));
    }
}
