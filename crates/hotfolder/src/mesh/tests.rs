//! Meshes in every form, whole and damaged, and input that is not a mesh.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// A bowl with this side in millimetres: points, and triangles that refer to them.
fn bowl(side: f32) -> (Vec<[f32; 3]>, Vec<[u32; 3]>) {
    const N: u16 = 20;
    let at = |step: u16| (f32::from(step) / f32::from(N) - 0.5) * side;
    let points = (0..=N)
        .flat_map(|row| (0..=N).map(move |column| (row, column)))
        .map(|(row, column)| {
            let (x, y) = (at(row), at(column));
            [x, y, (x * x + y * y) / side]
        })
        .collect();
    let mut faces = Vec::new();
    for row in 0..u32::from(N) {
        for column in 0..u32::from(N) {
            let width = u32::from(N) + 1;
            let first = row * width + column;
            faces.push([first, first + 1, first + width]);
            faces.push([first + 1, first + width + 1, first + width]);
        }
    }
    (points, faces)
}

fn stl(points: &[[f32; 3]], faces: &[[u32; 3]]) -> Vec<u8> {
    let mut bytes = vec![b' '; 80];
    bytes.extend(u32::try_from(faces.len()).expect("few").to_le_bytes());
    for face in faces {
        bytes.extend([f32::NAN; 3].iter().flat_map(|part| part.to_le_bytes()));
        for corner in face {
            let point = points[*corner as usize];
            bytes.extend(point.iter().flat_map(|part| part.to_le_bytes()));
        }
        bytes.extend([0, 0]);
    }
    bytes
}

fn stl_text(points: &[[f32; 3]], faces: &[[u32; 3]]) -> String {
    let mut text = "solid jaw\n".to_owned();
    for face in faces {
        text += " facet normal 0 0 1\n  outer loop\n";
        for corner in face {
            let [x, y, z] = points[*corner as usize];
            writeln!(text, "   vertex {x:e} {y} {z}").expect("memory");
        }
        text += "  endloop\n endfacet\n";
    }
    text + "endsolid jaw\n"
}

fn ply(coding: &str, points: &[[f32; 3]], faces: &[[u32; 3]], is_double: bool) -> Vec<u8> {
    let float = if is_double { "double" } else { "float" };
    let mut bytes = format!(
        "ply\nformat {coding} 1.0\ncomment TextureFile my jaw.jpg\nelement vertex {}\n\
         property {float} x\nproperty {float} y\nproperty {float} z\nproperty uchar red\n\
         element face {}\nproperty list uchar int vertex_indices\nproperty uchar flags\nend_header\n",
        points.len(),
        faces.len()
    )
    .into_bytes();
    if coding == "ascii" {
        for [x, y, z] in points {
            bytes.extend(format!("{x} {y} {z} 200\n").bytes());
        }
        for [a, b, c] in faces {
            bytes.extend(format!("3 {a} {b} {c} 0\n").bytes());
        }
        return bytes;
    }
    let is_big = coding == "binary_big_endian";
    let mut put = |mut part: Vec<u8>| {
        if is_big {
            part.reverse();
        }
        bytes.extend(part);
    };
    for point in points {
        for part in point {
            put(if is_double {
                f64::from(*part).to_le_bytes().to_vec()
            } else {
                part.to_le_bytes().to_vec()
            });
        }
        put(vec![200]);
    }
    for face in faces {
        put(vec![3]);
        for corner in face {
            put(corner.to_le_bytes().to_vec());
        }
        put(vec![0]);
    }
    bytes
}

fn obj(points: &[[f32; 3]], faces: &[[u32; 3]]) -> String {
    let mut text = "# a jaw\nmtllib my jaw.mtl\n".to_owned();
    for [x, y, z] in points {
        writeln!(text, "v {x} {y} {z} 0.5 0.5 0.5\nvt 0.5 0.5").expect("memory");
    }
    for face in faces {
        let [a, b, c] = face.map(|corner| corner + 1);
        writeln!(text, "f {a}/{a} {b}/{b} {c}/{c}").expect("memory");
    }
    text
}

fn look(extension: &str, bytes: &[u8], size: usize) -> Facts {
    let mut probe = Probe::new(extension, bytes.len() as u64).expect("a mesh");
    bytes.chunks(size).for_each(|chunk| probe.feed(chunk));
    probe.finish()
}

/// Every form of the same mesh, with its extension.
fn forms(side: f32) -> Vec<(&'static str, Vec<u8>)> {
    let (points, faces) = bowl(side);
    let ply = |coding, is_double| ("ply", ply(coding, &points, &faces, is_double));
    vec![
        ("stl", stl(&points, &faces)),
        ("stl", stl_text(&points, &faces).into_bytes()),
        ("stl", stl_text(&points, &faces).replace('\n', "\r\n").into_bytes()),
        ply("binary_little_endian", false),
        ply("binary_little_endian", true),
        ply("binary_big_endian", false),
        ply("binary_big_endian", true),
        ply("ascii", false),
        ("obj", obj(&points, &faces).into_bytes()),
    ]
}

#[test]
fn every_form_of_a_whole_mesh_gives_the_same() {
    for (extension, bytes) in forms(60.0) {
        for size in [1, 7, 4096, bytes.len()] {
            let facts = look(extension, &bytes, size);
            let what = format!("{extension} {:?} {size}", facts.form);
            assert_eq!(facts.troubles, [], "{what}");
            assert_eq!(facts.triangles, Some(800), "{what}");
            let longest = facts.bounds.expect("points").longest();
            assert!((longest - 60.0).abs() < 0.01, "{what}: {longest}");
            assert!(!facts.is_apart, "{what}");
            let name = match facts.form {
                Form::Ply => vec!["my jaw.jpg".to_owned()],
                Form::Obj => vec!["my jaw.mtl".to_owned()],
                _ => Vec::new(),
            };
            assert_eq!(facts.refers, name, "{what}");
        }
    }
}

#[test]
fn whatever_is_cut_off_is_seen() {
    for (extension, bytes) in forms(60.0) {
        for less in [1, 7, 16, bytes.len() / 3, bytes.len() - 500] {
            // Cutting off part of the last line may leave a valid line, and an OBJ does not say how
            // many lines there are.
            let is_line = match extension {
                "obj" => less != 16 && less < bytes.len() / 2,
                "stl" => bytes.starts_with(b"solid") && less < 20,
                _ => bytes.ends_with(b" 0\n") && less == 1,
            };
            if is_line {
                continue;
            }
            let facts = look(extension, &bytes[..bytes.len() - less], 1000);
            let is_seen = facts
                .troubles
                .iter()
                .any(|one| matches!(one, Trouble::Cut | Trouble::Empty | Trouble::Unreadable));
            assert!(is_seen, "{extension} {less}: {facts:?}");
        }
    }
}

#[test]
fn what_is_wrong_has_a_name() {
    let (points, faces) = bowl(60.0);
    let troubles = |extension, bytes: &[u8]| look(extension, bytes, 999).troubles;
    let text = stl_text(&points, &faces);
    assert_eq!(troubles("stl", &stl(&points, &[])), [Trouble::Empty]);
    assert_eq!(troubles("stl", b""), [Trouble::Empty]);
    assert_eq!(troubles("stl", b"solid a\nendsolid a\n"), [Trouble::Empty]);
    assert_eq!(troubles("stl", b"<html>an error page</html>"), [Trouble::Unreadable]);
    assert_eq!(troubles("ply", b"solid a\n"), [Trouble::Unreadable]);
    assert_eq!(troubles("obj", b"\0\x01\x02"), [Trouble::Unreadable]);
    assert_eq!(troubles("obj", b"# nothing\n"), [Trouble::Empty]);
    let longer = [stl(&points, &faces), vec![0; 50]].concat();
    assert_eq!(troubles("stl", &longer), [Trouble::Longer]);
    let commas = text.replace('.', ",");
    assert_eq!(troubles("stl", commas.as_bytes()), [Trouble::Commas]);
    let mut odd = points.clone();
    odd[100][1] = f32::INFINITY;
    assert_eq!(troubles("stl", &stl(&odd, &faces)), [Trouble::NotNumbers]);
    assert_eq!(troubles("stl", stl_text(&odd, &faces).as_bytes()), [Trouble::NotNumbers]);
    for coding in ["binary_little_endian", "binary_big_endian", "ascii"] {
        assert_eq!(troubles("ply", &ply(coding, &odd, &faces, false)), [Trouble::NotNumbers]);
        assert_eq!(troubles("ply", &ply(coding, &points, &[], false)), [Trouble::Empty]);
    }
}

#[test]
fn rows_of_different_lengths_are_measured() {
    let (points, faces) = bowl(60.0);
    let mut bytes = ply("binary_little_endian", &points, &faces, false);
    let text = String::from_utf8_lossy(&bytes).replace("face 800", "face 801");
    let end = text.find("end_header").expect("a header") + 11;
    let mut header = text.as_bytes()[..end].to_vec();
    header.extend(bytes.split_off(end));
    bytes = header;
    bytes.extend([4, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0]);
    for size in [3, 1000, bytes.len()] {
        assert_eq!(look("ply", &bytes, size).troubles, []);
        assert_eq!(look("ply", &bytes[..bytes.len() - 2], size).troubles, [Trouble::Cut]);
    }
    // A list that claims billions of values.
    let mad = String::from_utf8_lossy(&header_of(&bytes)).replace("uchar int", "uint int");
    let mad = [mad.into_bytes(), vec![0; 441 * 13], vec![0xFF; 70_000]].concat();
    assert!(look("ply", &mad, 4096).troubles.contains(&Trouble::Unreadable));
}

#[test]
fn what_stands_behind_a_point_is_not_taken_for_a_part_of_it() {
    let (points, faces) = bowl(60.0);
    let plain = ply("binary_little_endian", &points, &faces, false);
    let header = String::from_utf8(header_of(&plain)).expect("text");
    // Four bytes that would be NaN.
    let colours =
        "property uchar red\nproperty uchar green\nproperty uchar blue\nproperty uchar alpha\n";
    let mut bytes = header.replace("property uchar red\n", colours).into_bytes();
    let rows = plain.get(header.len()..).expect("a body");
    let (rows, rest) = rows.split_at(points.len() * 13);
    for row in rows.chunks(13) {
        bytes.extend_from_slice(&row[..12]);
        bytes.extend_from_slice(&[0xff; 4]);
    }
    bytes.extend_from_slice(rest);
    for size in [7, 100, 32 << 10] {
        assert_eq!(look("ply", &bytes, size), look("ply", &plain, size));
    }
}

fn header_of(ply: &[u8]) -> Vec<u8> {
    let end = ply_head::end(ply).expect("a header");
    ply[..end].to_vec()
}

#[test]
fn two_jaws_in_one_file_are_seen() {
    let (mut points, mut faces) = bowl(40.0);
    let count = u32::try_from(points.len()).expect("few");
    let others: Vec<_> = points.iter().map(|[x, y, z]| [*x, *y, *z + 60.0]).collect();
    points.extend(others);
    let more: Vec<_> = faces.iter().map(|face| face.map(|corner| corner + count)).collect();
    faces.extend(more);
    assert!(look("stl", &stl(&points, &faces), 4096).is_apart);
    assert!(look("stl", stl_text(&points, &faces).as_bytes(), 4096).is_apart);
    for coding in ["binary_little_endian", "binary_big_endian"] {
        assert!(look("ply", &ply(coding, &points, &faces, false), 4096).is_apart);
    }
}

#[test]
fn two_jaws_of_many_points_are_seen_too() {
    // As scanners write them: points 0.2 mm apart.
    let grid = |height: f32| {
        let row = move |y: u16| {
            (0..200_u16).map(move |x| [f32::from(x) / 5.0, f32::from(y) / 5.0, height])
        };
        (0_u16..200).flat_map(row)
    };
    let faces = [[0, 1, 200], [40_000, 40_001, 40_200]];
    for (second, is_apart) in [(2.0, false), (30.0, true)] {
        let points: Vec<[f32; 3]> = grid(0.0).chain(grid(second)).collect();
        for coding in ["binary_little_endian", "binary_big_endian"] {
            let bytes = ply(coding, &points, &faces, false);
            assert_eq!(look("ply", &bytes, 32 << 10).is_apart, is_apart, "{coding}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_fail(
        start in 0..9_usize,
        keep in 0..3000_usize,
        noise in proptest::collection::vec(any::<u8>(), 0..3000),
        claimed in any::<u64>(),
        size in 1..500_usize,
        extension in 0..3_usize,
    ) {
        let (_, mut bytes) = forms(60.0).swap_remove(start);
        bytes.truncate(keep);
        bytes.extend(noise);
        let extension = ["stl", "ply", "obj"][extension];
        let mut probe = Probe::new(extension, claimed).expect("a mesh");
        bytes.chunks(size).for_each(|chunk| probe.feed(chunk));
        let facts = probe.finish();
        prop_assert!(facts.troubles.len() <= 4);
        let _ = look(extension, &bytes, size);
    }
}
