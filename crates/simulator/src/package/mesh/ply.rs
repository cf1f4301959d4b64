//! Binary little-endian PLY: vertices, then faces that refer to them.

use std::io::{self, Write};

use super::super::samples::{Point, paint};
use super::{Mesh, Paint, Surface};

pub(super) fn write(mesh: &Mesh, look: &Paint, out: &mut dyn Write) -> io::Result<()> {
    if mesh.vertices() > u64::from(i32::MAX.unsigned_abs()) {
        return Err(io::Error::other("a PLY file cannot hold that many vertices"));
    }
    out.write_all(header(mesh, look).as_bytes())?;
    for surface in &mesh.surfaces {
        write_vertices(surface, look, out)?;
    }
    let mut first = 0;
    for surface in &mesh.surfaces {
        write_faces(surface, first, look, out)?;
        first += surface.vertices();
    }
    Ok(())
}

pub(super) fn size(mesh: &Mesh, look: &Paint) -> u64 {
    let (vertex, face) = match look {
        Paint::Plain => (12, 13),
        Paint::Vertices => (15, 13),
        Paint::Texture(_) => (12, 13 + 25),
    };
    header(mesh, look).len() as u64 + vertex * mesh.vertices() + face * mesh.triangles()
}

fn header(mesh: &Mesh, look: &Paint) -> String {
    let (comment, vertex, face) = match look {
        Paint::Plain => (String::new(), "", ""),
        Paint::Vertices => {
            (String::new(), "property uchar red\nproperty uchar green\nproperty uchar blue\n", "")
        }
        Paint::Texture(file) => {
            (format!("comment TextureFile {file}\n"), "", "property list uchar float texcoord\n")
        }
    };
    format!(
        "ply\nformat binary_little_endian 1.0\n{comment}element vertex {}\n\
         property float x\nproperty float y\nproperty float z\n{vertex}\
         element face {}\nproperty list uchar int vertex_indices\n{face}end_header\n",
        mesh.vertices(),
        mesh.triangles()
    )
}

fn write_vertices(surface: &Surface, look: &Paint, out: &mut dyn Write) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut put = |points: &[Point], first: usize| {
        bytes.clear();
        for (index, point) in points.iter().enumerate() {
            for part in point.at {
                bytes.extend_from_slice(&part.to_le_bytes());
            }
            if *look == Paint::Vertices {
                bytes.extend_from_slice(&paint(point.tone, first + index));
            }
        }
        out.write_all(&bytes)
    };
    surface.for_each_row(|row, points| put(points, row * points.len()))?;
    put(&surface.cap_centres(), 0)
}

fn write_faces(surface: &Surface, first: u64, look: &Paint, out: &mut dyn Write) -> io::Result<()> {
    let (rows, width) = (surface.rows(), surface.width());
    let textured = matches!(look, Paint::Texture(_));
    let mut bytes = Vec::new();
    // Corners as (row, column); the centres of the end walls follow the last row.
    let put = |corners: [(usize, usize); 3], bytes: &mut Vec<u8>| {
        // A fixed-size buffer: without optimization, small appends would dominate the run time.
        let mut face = [3; 13];
        for (slot, (row, column)) in corners.into_iter().enumerate() {
            // The count was checked before the first byte was written.
            let index = u32::try_from(first + (row * width + column) as u64).unwrap_or(u32::MAX);
            face[1 + slot * 4..5 + slot * 4].copy_from_slice(&index.to_le_bytes());
        }
        bytes.extend_from_slice(&face);
        if textured {
            bytes.push(6);
            for (row, column) in corners {
                for part in [share(column, width), 1.0 - share(row.min(rows - 1), rows)] {
                    bytes.extend_from_slice(&part.to_le_bytes());
                }
            }
        }
    };
    for row in 0..rows - 1 {
        bytes.clear();
        for corners in surface.band() {
            let at = |(next, column): (bool, usize)| (row + usize::from(next), column);
            put(corners.map(at), &mut bytes);
        }
        out.write_all(&bytes)?;
    }
    bytes.clear();
    for last in [false, true] {
        let row = if last { rows - 1 } else { 0 };
        for corners in surface.cap(last) {
            let at = |column: Option<usize>| match column {
                Some(column) => (row, column),
                None => (rows, usize::from(last)),
            };
            put(corners.map(at), &mut bytes);
        }
    }
    out.write_all(&bytes)
}

#[expect(clippy::cast_precision_loss, reason = "rows and columns are counted in thousands")]
fn share(at: usize, of: usize) -> f32 {
    at as f32 / (of - 1).max(1) as f32
}
