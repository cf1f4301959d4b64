use std::collections::HashMap;

use super::super::samples::Jaw;
use super::{Anatomy, Mesh, Paint, Pose, Shape};

type Corner = [f32; 3];

fn anatomy(jaw: Jaw) -> Anatomy {
    Anatomy { jaw, patient: 7, scan: 1, prepared: true }
}

fn stl(mesh: &Mesh) -> Vec<u8> {
    let mut bytes = Vec::new();
    mesh.write_stl("test", &mut bytes).expect("a Vec takes everything");
    bytes
}

fn ply(mesh: &Mesh, paint: &Paint) -> Vec<u8> {
    let mut bytes = Vec::new();
    mesh.write_ply(paint, &mut bytes).expect("a Vec takes everything");
    bytes
}

fn float(bytes: &[u8]) -> f32 {
    f32::from_le_bytes(bytes.try_into().expect("four bytes"))
}

/// The facets of an STL as normal and corners.
fn facets(stl: &[u8]) -> Vec<[Corner; 4]> {
    stl[84..]
        .chunks(50)
        .map(|facet| {
            std::array::from_fn(|vector| {
                std::array::from_fn(|axis| {
                    let at = vector * 12 + axis * 4;
                    float(&facet[at..at + 4])
                })
            })
        })
        .collect()
}

fn cross(a: Corner, b: Corner) -> Corner {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn dot(a: Corner, b: Corner) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn an_stl_has_the_length_that_its_header_promises() {
    for shape in [Shape::Shell, Shape::LowBase] {
        for triangles in [1, 300, 5_000] {
            let mesh = Mesh::new(&[&anatomy(Jaw::Upper)], shape, Pose::Occlusion, triangles);
            let bytes = stl(&mesh);
            let count = u32::from_le_bytes(bytes[80..84].try_into().expect("four bytes"));
            assert_eq!(bytes.len() as u64, 84 + 50 * u64::from(count));
            assert_eq!(bytes.len() as u64, mesh.stl_size());
            assert!(!bytes.starts_with(b"solid"));
        }
    }
}

#[test]
fn the_number_of_triangles_is_about_what_was_asked_for() {
    for shape in [Shape::Shell, Shape::LowBase] {
        for triangles in [500_u64, 40_000, 20_000_000] {
            let wanted = usize::try_from(triangles).expect("fits");
            let mesh = Mesh::new(&[&anatomy(Jaw::Lower)], shape, Pose::Occlusion, wanted);
            let off = mesh.triangles().abs_diff(triangles);
            assert!(off * 5 < triangles, "{} instead of {triangles}", mesh.triangles());
        }
    }
}

#[test]
fn normals_are_finite_unit_vectors_by_the_right_hand_rule() {
    for jaw in [Jaw::Upper, Jaw::Lower] {
        let mesh = Mesh::new(&[&anatomy(jaw)], Shape::LowBase, Pose::Occlusion, 4_000);
        for [normal, a, b, c] in facets(&stl(&mesh)) {
            assert!((dot(normal, normal) - 1.0).abs() < 1e-3, "{normal:?}");
            let edges = [b, c].map(|p| [p[0] - a[0], p[1] - a[1], p[2] - a[2]]);
            assert!(dot(normal, cross(edges[0], edges[1])) >= 0.0);
            assert!([a, b, c].iter().flatten().all(|part| part.is_finite() && part.abs() < 80.0));
        }
    }
}

#[test]
fn a_jaw_on_a_base_is_closed_and_its_normals_point_out() {
    for jaw in [Jaw::Upper, Jaw::Lower] {
        let mesh = Mesh::new(&[&anatomy(jaw)], Shape::LowBase, Pose::Occlusion, 6_000);
        let mut edges = HashMap::new();
        let mut volume = 0.0;
        for [_, a, b, c] in facets(&stl(&mesh)) {
            volume += f64::from(dot(a, cross(b, c))) / 6.0;
            for (from, to) in [(a, b), (b, c), (c, a)] {
                let bits = |corner: Corner| corner.map(f32::to_bits);
                *edges.entry((bits(from), bits(to))).or_insert(0) += 1;
            }
        }
        for (from, to) in edges.keys() {
            assert_eq!(edges.get(&(*from, *to)), Some(&1), "an edge is used twice one way");
            assert_eq!(edges.get(&(*to, *from)), Some(&1), "an edge has no counterpart");
        }
        // Roughly 130 mm of arch, 20 mm high and 11 mm thick.
        assert!((12_000.0..50_000.0).contains(&volume), "{volume} cubic millimetres");
    }
}

#[test]
fn an_open_shell_faces_the_other_jaw() {
    for (jaw, bite) in [(Jaw::Upper, -1.0), (Jaw::Lower, 1.0)] {
        let mesh = Mesh::new(&[&anatomy(jaw)], Shape::Shell, Pose::Occlusion, 8_000);
        let area: f32 = facets(&stl(&mesh))
            .iter()
            .map(|[_, a, b, c]| {
                let [u, v] = [b, c].map(|p| [p[0] - a[0], p[1] - a[1], p[2] - a[2]]);
                cross(u, v)[2] * bite / 2.0
            })
            .sum();
        // Viewed along the bite, the jaw shows its footprint.
        assert!((800.0..2_800.0).contains(&area), "{area} square millimetres");
    }
}

#[test]
fn both_jaws_share_one_coordinate_system_and_meet_at_the_bite() {
    let heights = |jaw| {
        let mesh = Mesh::new(&[&anatomy(jaw)], Shape::Shell, Pose::Occlusion, 8_000);
        let corners: Vec<f32> =
            facets(&stl(&mesh)).iter().flat_map(|f| [f[1][2], f[2][2], f[3][2]]).collect();
        let low = corners.iter().copied().fold(f32::INFINITY, f32::min);
        (low, corners.into_iter().fold(f32::NEG_INFINITY, f32::max))
    };
    let (upper, lower) = (heights(Jaw::Upper), heights(Jaw::Lower));
    assert!((-4.0..0.0).contains(&upper.0) && upper.1 > 12.0, "{upper:?}");
    assert!((-0.5..3.0).contains(&lower.1) && lower.0 < -12.0, "{lower:?}");
}

#[test]
fn a_ply_body_is_as_long_as_its_header_counts() {
    let texture = Paint::Texture("upper_texture.jpg".to_owned());
    for shape in [Shape::Shell, Shape::LowBase] {
        for (paint, vertex, face) in
            [(Paint::Plain, 12, 13), (Paint::Vertices, 15, 13), (texture.clone(), 12, 38)]
        {
            let jaws = [&anatomy(Jaw::Upper), &anatomy(Jaw::Lower)];
            let mesh = Mesh::new(&jaws, shape, Pose::Occlusion, 700);
            let bytes = ply(&mesh, &paint);
            assert_eq!(bytes.len() as u64, mesh.ply_size(&paint));
            let mark = b"end_header\n";
            let end = bytes.windows(mark.len()).position(|at| at == mark).expect("an end");
            let header = std::str::from_utf8(&bytes[..end]).expect("ASCII");
            let count = |what: &str| {
                let line = header.lines().find_map(|line| line.strip_prefix(what));
                line.expect("an element").trim().parse::<usize>().expect("a number")
            };
            let (vertices, faces) = (count("element vertex"), count("element face"));
            let body = &bytes[end + mark.len()..];
            assert_eq!(body.len(), vertices * vertex + faces * face);
            for face in body[vertices * vertex..].chunks(face) {
                assert_eq!(face[0], 3);
                for index in face[1..13].chunks(4) {
                    let index = u32::from_le_bytes(index.try_into().expect("four bytes"));
                    assert!((index as usize) < vertices, "vertex {index} of {vertices}");
                }
            }
        }
    }
}

#[test]
fn a_ply_and_an_stl_of_one_jaw_hold_the_same_triangles() {
    let mesh = Mesh::new(&[&anatomy(Jaw::Lower)], Shape::LowBase, Pose::TeethUp, 700);
    let bytes = ply(&mesh, &Paint::Plain);
    let vertices = usize::try_from(mesh.vertices()).expect("fits");
    let faces = usize::try_from(mesh.triangles()).expect("fits");
    let body = &bytes[bytes.len() - vertices * 12 - faces * 13..];
    let corner = |index: &[u8]| -> Corner {
        let index = u32::from_le_bytes(index.try_into().expect("four bytes")) as usize;
        std::array::from_fn(|axis| {
            let at = index * 12 + axis * 4;
            float(&body[at..at + 4])
        })
    };
    let sorted = |mut triangles: Vec<[[u32; 3]; 3]>| {
        triangles.sort_unstable();
        triangles
    };
    let from_ply = body[vertices * 12..]
        .chunks(13)
        .map(|face| [1, 5, 9].map(|at| corner(&face[at..at + 4]).map(f32::to_bits)))
        .collect();
    let from_stl = facets(&stl(&mesh))
        .into_iter()
        .map(|[_, a, b, c]| [a, b, c].map(|corner| corner.map(f32::to_bits)))
        .collect();
    assert_eq!(sorted(from_ply), sorted(from_stl));
}

#[test]
fn another_scan_of_the_same_patient_is_a_slightly_different_mesh() {
    let mesh = |scan| {
        let anatomy = Anatomy { scan, ..anatomy(Jaw::Upper) };
        stl(&Mesh::new(&[&anatomy], Shape::Shell, Pose::Occlusion, 2_000))
    };
    assert_eq!(mesh(1), mesh(1));
    let (first, second) = (facets(&mesh(1)), facets(&mesh(2)));
    let far = first.iter().zip(&second).filter(|(a, b)| {
        (0..3).map(|axis| (a[1][axis] - b[1][axis]).abs()).fold(0.0, f32::max) > 2.5
    });
    assert!(first != second);
    assert!(far.count() * 50 < first.len(), "the teeth have wandered");
}
