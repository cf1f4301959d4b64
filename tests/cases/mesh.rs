//! Small jaws, and every form in which a mesh is written.

use std::fmt::Write as _;

/// Points, and triangles that refer to them.
#[derive(Clone)]
pub(crate) struct Mesh {
    pub(crate) points: Vec<[f32; 3]>,
    pub(crate) faces: Vec<[u32; 3]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Stl,
    StlText,
    Ply,
    PlyBig,
    PlyDouble,
    PlyText,
    Obj,
}

impl Form {
    pub(crate) const ALL: [Self; 7] = [
        Self::Stl,
        Self::StlText,
        Self::Ply,
        Self::PlyBig,
        Self::PlyDouble,
        Self::PlyText,
        Self::Obj,
    ];

    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Stl | Self::StlText => "stl",
            Self::Obj => "obj",
            _ => "ply",
        }
    }
}

/// Where a mesh gets its colour from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Colour {
    None,
    Points,
    /// Coordinates in this picture; the mesh names the picture unless the string is empty.
    Texture(String),
}

const COLUMNS: u16 = 10;

/// An arch around z = 0: a band of rows from left to right, bulging away from the other jaw.
pub(crate) fn jaw(is_upper: bool, seed: u64, scale: f32) -> Mesh {
    let mut rng = fastrand::Rng::with_seed(seed);
    let rows: u16 = 24 + rng.u16(..6);
    let width = 26.0 + rng.f32() * 4.0;
    let away = if is_upper { 1.0 } else { -1.0 };
    let mut points = Vec::new();
    for row in 0..=rows {
        let along = (f32::from(row) / f32::from(rows) - 0.5) * std::f32::consts::PI;
        for column in 0..=COLUMNS {
            let across = f32::from(column) / f32::from(COLUMNS);
            let radius = width - across * 9.0;
            let height = (across * std::f32::consts::PI).sin() * 7.0 + 0.5 + rng.f32() * 0.1;
            let point = [along.sin() * radius, along.cos() * radius * 1.3, away * height];
            points.push(point.map(|part| part * scale));
        }
    }
    let line = u32::from(COLUMNS) + 1;
    let mut faces = Vec::new();
    for row in 0..u32::from(rows) {
        for column in 0..u32::from(COLUMNS) {
            let first = row * line + column;
            faces.push([first, first + 1, first + line]);
            faces.push([first + 1, first + line + 1, first + line]);
        }
    }
    Mesh { points, faces }
}

impl Mesh {
    /// Merges both meshes into one.
    pub(crate) fn with(mut self, other: &Self) -> Self {
        let count = u32::try_from(self.points.len()).expect("few");
        self.points.extend(&other.points);
        self.faces.extend(other.faces.iter().map(|face| face.map(|corner| corner + count)));
        self
    }

    pub(crate) fn moved(mut self, by: [f32; 3]) -> Self {
        for point in &mut self.points {
            *point = [point[0] + by[0], point[1] + by[1], point[2] + by[2]];
        }
        self
    }

    pub(crate) fn bytes(&self, form: Form, colour: &Colour, materials: &str) -> Vec<u8> {
        match form {
            Form::Stl => self.stl(),
            Form::StlText => self.stl_text().into_bytes(),
            Form::Obj => self.obj(colour, materials).into_bytes(),
            _ => self.ply(form, colour),
        }
    }

    fn stl(&self) -> Vec<u8> {
        let mut bytes = format!("{:<80}", "binary STL").into_bytes();
        bytes.extend(u32::try_from(self.faces.len()).expect("few").to_le_bytes());
        for (number, face) in self.faces.iter().enumerate() {
            // Some programs write NaN as normals.
            let normal = if number % 7 == 0 { f32::NAN } else { 0.5 };
            bytes.extend([normal; 3].iter().flat_map(|part| part.to_le_bytes()));
            for corner in face {
                let point = self.points[*corner as usize];
                bytes.extend(point.iter().flat_map(|part| part.to_le_bytes()));
            }
            bytes.extend([0, 0]);
        }
        bytes
    }

    fn stl_text(&self) -> String {
        let mut text = "solid ascii\n".to_owned();
        for face in &self.faces {
            text += " facet normal 0 0 1\n  outer loop\n";
            for corner in face {
                let [x, y, z] = self.points[*corner as usize];
                writeln!(text, "   vertex {x:e} {y} {z}").expect("memory");
            }
            text += "  endloop\n endfacet\n";
        }
        text + "endsolid ascii\n"
    }

    fn obj(&self, colour: &Colour, materials: &str) -> String {
        let mut text = "# scanned\n".to_owned();
        let is_textured = matches!(colour, Colour::Texture(_));
        if is_textured {
            writeln!(text, "mtllib {materials}\nusemtl jaw").expect("memory");
        }
        for [x, y, z] in &self.points {
            writeln!(text, "v {x} {y} {z}").expect("memory");
        }
        if is_textured {
            text += &"vt 0.5 0.5\n".repeat(self.points.len());
        }
        for face in &self.faces {
            let [a, b, c] = face.map(|corner| corner + 1);
            if is_textured {
                writeln!(text, "f {a}/{a} {b}/{b} {c}/{c}").expect("memory");
            } else {
                writeln!(text, "f {a} {b} {c}").expect("memory");
            }
        }
        text
    }

    fn ply(&self, form: Form, colour: &Colour) -> Vec<u8> {
        let coding = match form {
            Form::PlyBig => "binary_big_endian",
            Form::PlyText => "ascii",
            _ => "binary_little_endian",
        };
        let real = if form == Form::PlyDouble { "double" } else { "float" };
        let (mut comment, mut at_point, mut at_face) = (String::new(), "", "");
        match colour {
            Colour::None => {}
            Colour::Points => {
                at_point = "property uchar red\nproperty uchar green\nproperty uchar blue\n";
            }
            Colour::Texture(picture) => {
                at_face = "property list uchar float texcoord\n";
                if !picture.is_empty() {
                    comment = format!("comment TextureFile {picture}\n");
                }
            }
        }
        let mut bytes = format!(
            "ply\nformat {coding} 1.0\n{comment}element vertex {}\nproperty {real} x\n\
             property {real} y\nproperty {real} z\n{at_point}element face {}\n\
             property list uchar int vertex_indices\n{at_face}end_header\n",
            self.points.len(),
            self.faces.len()
        )
        .into_bytes();
        let has_colour = *colour == Colour::Points;
        let has_places = matches!(colour, Colour::Texture(_));
        if form == Form::PlyText {
            for [x, y, z] in &self.points {
                let colour = if has_colour { " 200 180 170" } else { "" };
                bytes.extend(format!("{x} {y} {z}{colour}\n").bytes());
            }
            for [a, b, c] in &self.faces {
                let places = if has_places { " 6 0 0 1 0 0 1" } else { "" };
                bytes.extend(format!("3 {a} {b} {c}{places}\n").bytes());
            }
            return bytes;
        }
        let mut put = |mut part: Vec<u8>| {
            if form == Form::PlyBig {
                part.reverse();
            }
            bytes.extend(part);
        };
        for point in &self.points {
            for part in point {
                put(if form == Form::PlyDouble {
                    f64::from(*part).to_le_bytes().to_vec()
                } else {
                    part.to_le_bytes().to_vec()
                });
            }
            if has_colour {
                for part in [200, 180, 170] {
                    put(vec![part]);
                }
            }
        }
        for face in &self.faces {
            put(vec![3]);
            for corner in face {
                put(corner.to_le_bytes().to_vec());
            }
            if has_places {
                put(vec![6]);
                for _ in 0..6 {
                    put(0.5_f32.to_le_bytes().to_vec());
                }
            }
        }
        bytes
    }
}
