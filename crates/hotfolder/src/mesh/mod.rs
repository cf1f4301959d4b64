//! Inspects meshes while they are written: counts, bounds, and whether the file is complete.
//!
//! We use small readers of our own instead of a crate's: only a few numbers are kept per mesh, a
//! file is read once, in the chunks in which it is unpacked, and no input, however odd, is a fault.
//! The findings describe the file; what they mean for the case is decided elsewhere.
//!
//! The work per byte is bounded: it adds between 1 and 2 % to unpacking nothing but meshes (`cargo
//! bench --bench inspect` prints it). Every point of a binary mesh is read; a long text mesh is
//! sampled.

mod bounds;
mod facts;
mod number;
mod obj;
mod pieces;
mod ply;
mod ply_head;
mod ply_text;
mod rows;
mod stl;
mod stl_text;
#[cfg(test)]
mod tests;
mod text;

pub use facts::Facts;
pub(super) use facts::{Form, Trouble};

use self::obj::Obj;
use self::ply::PlyBinary;
use self::ply_head::{Coding, Head};
use self::ply_text::PlyText;
use self::stl::Stl;
use self::stl_text::StlText;

/// How many bytes of an STL it takes to tell binary from text.
const STL_LOOK: usize = 512;

/// A mesh on its way to the disk.
#[derive(Debug)]
pub(super) struct Probe {
    kind: Kind,
    len: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Stl,
    Ply,
    Obj,
}

#[derive(Debug)]
enum State {
    /// The beginning, until it says how to read the rest.
    Head(Vec<u8>),
    Stl(Box<Stl>),
    StlText(Box<StlText>),
    Ply(Box<PlyBinary>, Head),
    PlyText(Box<PlyText>, Head),
    Obj(Box<Obj>),
    Known(Facts),
}

impl Probe {
    /// Takes the file's extension in lowercase and its length; `None` if it is not a mesh.
    pub(super) fn new(extension: &str, len: u64) -> Option<Self> {
        let kind = match extension {
            "stl" => Kind::Stl,
            "ply" => Kind::Ply,
            "obj" => Kind::Obj,
            _ => return None,
        };
        Some(Self { kind, len, state: State::Head(Vec::new()) })
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) {
        match &mut self.state {
            State::Head(head) => {
                head.extend_from_slice(chunk);
                let head = std::mem::take(head);
                self.state = self.begin(head, false);
            }
            State::Stl(stl) => stl.feed(chunk),
            State::StlText(stl) => stl.feed(chunk),
            State::Ply(ply, _) => ply.feed(chunk),
            State::PlyText(ply, _) => ply.feed(chunk),
            State::Obj(obj) => obj.feed(chunk),
            State::Known(_) => {}
        }
    }

    pub(super) fn finish(mut self) -> Facts {
        if let State::Head(head) = &mut self.state {
            let head = std::mem::take(head);
            self.state = self.begin(head, true);
        }
        match self.state {
            State::Stl(stl) => stl.finish(),
            State::StlText(stl) => stl.finish(),
            State::Ply(ply, head) => ply.finish(&head),
            State::PlyText(ply, head) => ply.finish(&head),
            State::Obj(obj) => obj.finish(),
            State::Known(facts) => facts,
            State::Head(_) => Facts::with(self.kind.form(), Trouble::Unreadable),
        }
    }

    /// Picks the reader, once the beginning allows it.
    fn begin(&self, head: Vec<u8>, is_all: bool) -> State {
        if is_all && head.iter().all(u8::is_ascii_whitespace) {
            return State::Known(Facts::with(self.kind.form(), Trouble::Empty));
        }
        match self.kind {
            Kind::Stl if is_all || head.len() >= STL_LOOK => self.begin_stl(&head),
            Kind::Ply => self.begin_ply(head, is_all),
            Kind::Obj if is_all || head.len() >= STL_LOOK => {
                let start = head.get(..STL_LOOK).unwrap_or(&head);
                if !text::is_text(start) {
                    return self.unreadable();
                }
                let mut obj = Obj::new(self.len, start);
                obj.feed(&head);
                State::Obj(Box::new(obj))
            }
            Kind::Stl | Kind::Obj => State::Head(head),
        }
    }

    fn begin_stl(&self, head: &[u8]) -> State {
        let start = head.get(..STL_LOOK).unwrap_or(head);
        let count = start.get(stl::HEAD - 4..stl::HEAD).and_then(|bytes| bytes.first_chunk());
        let triangles = count.map(|bytes| u32::from_le_bytes(*bytes));
        let is_exact = triangles.is_some_and(|count| stl::length(count) == self.len);
        if text::is_text(start) && !is_exact {
            let word = start.trim_ascii_start().get(..5);
            if !word.is_some_and(|word| word.eq_ignore_ascii_case(b"solid")) {
                return self.unreadable();
            }
            let mut stl = StlText::new(self.len, start);
            stl.feed(head);
            return State::StlText(Box::new(stl));
        }
        let (Some(triangles), Some(body)) = (triangles, head.get(stl::HEAD..)) else {
            return State::Known(Facts::with(Form::StlBinary, Trouble::Cut));
        };
        let mut stl = Stl::new(triangles, self.len);
        stl.feed(body);
        State::Stl(Box::new(stl))
    }

    fn begin_ply(&self, head: Vec<u8>, is_all: bool) -> State {
        let is_ply = head.starts_with(b"ply") || (head.len() < 3 && !is_all);
        let Some(end) = ply_head::end(head.get(..ply_head::MAX).unwrap_or(&head)) else {
            if is_ply && !is_all && head.len() < ply_head::MAX {
                return State::Head(head);
            }
            let trouble = if is_ply && is_all { Trouble::Cut } else { Trouble::Unreadable };
            return State::Known(Facts::with(Form::Ply, trouble));
        };
        let (header, body) = head.split_at(end);
        let Some(read) = ply_head::read(header).filter(|_| is_ply) else {
            return self.unreadable();
        };
        let length = self.len.saturating_sub(end as u64);
        if read.coding == Coding::Text {
            let mut ply = PlyText::new(&read, header, length);
            ply.feed(body);
            State::PlyText(Box::new(ply), read)
        } else {
            let mut ply = PlyBinary::new(&read, length);
            ply.feed(body);
            State::Ply(Box::new(ply), read)
        }
    }

    fn unreadable(&self) -> State {
        State::Known(Facts::with(self.kind.form(), Trouble::Unreadable))
    }
}

impl Kind {
    fn form(self) -> Form {
        match self {
            Self::Stl => Form::StlBinary,
            Self::Ply => Form::Ply,
            Self::Obj => Form::Obj,
        }
    }
}
