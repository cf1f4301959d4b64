//! Meshes of jaws, written as they are interpolated: one row of points at a time, whatever the file
//! size.

mod ply;
mod stl;
mod surface;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

pub(crate) use surface::{Anatomy, Pose, Shape, Surface};

/// The colour information in a PLY file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    /// Red, green and blue at each vertex.
    Vertices,
    /// Texture coordinates at each face, for the picture of this name.
    Texture(String),
}

/// One or two jaws in one file.
pub(crate) struct Mesh {
    surfaces: Vec<Surface>,
}

impl Mesh {
    /// Takes the approximate number of triangles per jaw.
    pub(crate) fn new(jaws: &[&Anatomy], shape: Shape, pose: Pose, triangles: usize) -> Self {
        let surface = |jaw: &&Anatomy| Surface::new(jaw, shape, pose, triangles);
        Self { surfaces: jaws.iter().map(surface).collect() }
    }

    pub(crate) fn triangles(&self) -> u64 {
        self.surfaces.iter().map(Surface::triangles).sum()
    }

    /// Returns the number of distinct vertices.
    pub(crate) fn vertices(&self) -> u64 {
        self.surfaces.iter().map(Surface::vertices).sum()
    }

    /// Writes a binary STL; `title` goes into the header.
    pub(crate) fn write_stl(&self, title: &str, out: &mut dyn Write) -> io::Result<()> {
        stl::write(self, title, out)
    }

    /// Writes a binary little-endian PLY.
    pub(crate) fn write_ply(&self, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
        ply::write(self, paint, out)
    }

    /// Returns the exact length of the STL.
    pub(crate) fn stl_size(&self) -> u64 {
        84 + 50 * self.triangles()
    }

    /// Returns the exact length of the PLY.
    pub(crate) fn ply_size(&self, paint: &Paint) -> u64 {
        ply::size(self, paint)
    }
}
