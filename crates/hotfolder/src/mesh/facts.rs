//! What is known about a mesh once all its bytes have been fed.

use super::bounds::Bounds;

#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    pub(crate) form: Form,
    /// As declared by the file; counted if it declares none.
    pub(crate) triangles: Option<u64>,
    pub(crate) troubles: Vec<Trouble>,
    /// `None` if no point was read or some were not finite numbers.
    pub(crate) bounds: Option<Bounds>,
    /// Whether a large part is separate from the rest.
    pub(crate) is_apart: bool,
    /// The texture names in a PLY, or the material libraries of an OBJ.
    pub(crate) refers: Vec<String>,
    /// Whether its points or faces have texture coordinates.
    pub(crate) has_places: bool,
    /// Whether its points have colours.
    pub(crate) has_colours: bool,
}

/// The encoding of a mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    StlBinary,
    StlText,
    Ply,
    Obj,
}

/// What is wrong with a mesh, looked at on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// It is not what its extension says.
    Unreadable,
    /// It has no faces.
    Empty,
    /// It ends too early.
    Cut,
    /// It continues past its end.
    Longer,
    /// Numbers with decimal commas.
    Commas,
    /// Points that are NaN or infinite.
    NotNumbers,
}

impl Facts {
    pub(super) fn of(form: Form) -> Self {
        Self {
            form,
            triangles: None,
            troubles: Vec::new(),
            bounds: None,
            is_apart: false,
            refers: Vec::new(),
            has_places: false,
            has_colours: false,
        }
    }

    pub(super) fn with(form: Form, trouble: Trouble) -> Self {
        Self { troubles: vec![trouble], ..Self::of(form) }
    }
}
