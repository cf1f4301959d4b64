//! What is known of a mesh once its bytes went by.

use super::bounds::Bounds;

/// What a mesh file was found to be and to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    pub(crate) form: Form,
    /// As the file says; as counted where it says nothing.
    pub(crate) triangles: Option<u64>,
    pub(crate) troubles: Vec<Trouble>,
    /// `None` where no point was read, or some were no numbers.
    pub(crate) bounds: Option<Bounds>,
    /// Whether a large part lies apart from the rest.
    pub(crate) is_apart: bool,
    /// The textures of a PLY, and the materials of an OBJ, that it names.
    pub(crate) refers: Vec<String>,
    /// Whether its points or faces have places in a texture.
    pub(crate) has_places: bool,
    /// Whether its points have colours.
    pub(crate) has_colours: bool,
}

/// How a mesh is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    StlBinary,
    StlText,
    Ply,
    Obj,
}

/// What is wrong with a mesh by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// It is not what its ending says.
    Unreadable,
    /// It has no faces.
    Empty,
    /// It ends too early.
    Cut,
    /// It goes on behind its end.
    Longer,
    /// Numbers with decimal commas.
    Commas,
    /// Points that are no numbers, or infinite.
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
