//! Binary STL: an 80-byte title, the number of triangles, and 50 bytes for each.

use std::io::{self, Write};

use super::super::samples::Point;
use super::{Mesh, Surface};

pub(super) fn write(mesh: &Mesh, title: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut header = [b' '; 80];
    // With "solid" at the start, readers would take the file for an ASCII one.
    for (slot, byte) in header.iter_mut().zip("binary STL ".bytes().chain(title.bytes())) {
        *slot = byte;
    }
    out.write_all(&header)?;
    let count = u32::try_from(mesh.triangles())
        .map_err(|_| io::Error::other("an STL file cannot hold that many triangles"))?;
    out.write_all(&count.to_le_bytes())?;
    mesh.surfaces.iter().try_for_each(|surface| write_surface(surface, out))
}

fn write_surface(surface: &Surface, out: &mut dyn Write) -> io::Result<()> {
    let centres = surface.cap_centres();
    let mut before: Vec<Point> = Vec::new();
    let mut bytes = Vec::new();
    surface.for_each_row(|row, points| {
        bytes.clear();
        if row > 0 {
            for corners in surface.band() {
                let at = |(next, column): (bool, usize)| {
                    if next { points[column].at } else { before[column].at }
                };
                facet(corners.map(at), &mut bytes);
            }
        }
        let last = row + 1 == surface.rows();
        if row == 0 || last {
            // A shell has no end walls, and so no centres for them.
            let centre = centres.get(usize::from(last)).map_or([0.0; 3], |centre| centre.at);
            for corners in surface.cap(last) {
                let at = |column: Option<usize>| column.map_or(centre, |c| points[c].at);
                facet(corners.map(at), &mut bytes);
            }
        }
        before.clear();
        before.extend_from_slice(points);
        out.write_all(&bytes)
    })
}

fn facet(corners: [[f32; 3]; 3], bytes: &mut Vec<u8>) {
    // A fixed-size buffer: without optimization, iterators would dominate the run time here.
    let mut buffer = [0; 50];
    let mut at = 0;
    for vector in [normal(corners), corners[0], corners[1], corners[2]] {
        for part in vector {
            buffer[at..at + 4].copy_from_slice(&part.to_le_bytes());
            at += 4;
        }
    }
    bytes.extend_from_slice(&buffer);
}

/// The unit normal by the right-hand rule; straight up if the triangle has no area.
fn normal([a, b, c]: [[f32; 3]; 3]) -> [f32; 3] {
    let along = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
    let across = [c[0] - a[0], c[1] - a[1], c[2] - a[2]];
    let product = [
        along[1] * across[2] - along[2] * across[1],
        along[2] * across[0] - along[0] * across[2],
        along[0] * across[1] - along[1] * across[0],
    ];
    let square = |part: f32| part * part;
    let length = (square(product[0]) + square(product[1]) + square(product[2])).sqrt();
    if length > 0.0 { product.map(|part| part / length) } else { [0.0, 0.0, 1.0] }
}
