//! The content of an export: every member's name, and what its bytes are made from.
//!
//! The XML's `FileName` values come from this list, so the two cannot disagree.

use super::mesh::{Anatomy, Mesh, Paint, Pose, Shape};
use super::noise::hash;
use super::samples::{Jaw, View};
use super::spec::{CaseSpec, MeshFormat, Placement, ToothRx};

pub(super) struct Member {
    /// Without any folder.
    pub(super) name: String,
    pub(super) body: Body,
}

/// What a file's bytes are made from.
pub(super) enum Body {
    Mesh(JawMesh),
    Texture(Jaw),
    Picture(View),
    Xml(XmlVersion),
    RxHtml,
    RxPdf,
    Logo,
    Bytes(Vec<u8>),
}

/// A mesh, and what the XML says about it.
pub(super) struct JawMesh {
    pub(super) jaws: Vec<Anatomy>,
    pub(super) shape: Shape,
    pub(super) pose: Pose,
    pub(super) paint: Paint,
    pub(super) pretreatment: bool,
}

/// A version of the metadata XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum XmlVersion {
    V24,
    V30,
    V50,
}

impl JawMesh {
    pub(super) fn build(&self, triangles: usize) -> Mesh {
        Mesh::new(&self.jaws.iter().collect::<Vec<_>>(), self.shape, self.pose, triangles)
    }

    /// Returns the exact length of its file.
    pub(super) fn size(&self, spec: &CaseSpec) -> u64 {
        let mesh = self.build(spec.triangles);
        match spec.mesh {
            MeshFormat::Stl => mesh.stl_size(),
            MeshFormat::Ply => mesh.ply_size(&self.paint),
        }
    }

    /// Returns the jaw, if it shows exactly one.
    pub(super) fn jaw(&self) -> Option<Jaw> {
        if let [one] = self.jaws.as_slice() { Some(one.jaw) } else { None }
    }
}

/// Returns everything in the iDE package, in archive order.
pub(super) fn members(spec: &CaseSpec) -> Vec<Member> {
    let id = spec.order_id;
    let mut members = if spec.kind.is_ortho() { ortho(spec) } else { restorative(spec) };
    let mut add = |name: String, body| members.push(Member { name, body });
    add(format!("iTero_Rx_{id}.pdf"), Body::RxPdf);
    add(format!("Rx_{id}.html"), Body::RxHtml);
    add("itero_element_logo.png".to_owned(), Body::Logo);
    if spec.attachments {
        let note = format!("Order {id}\r\n\r\n{}\r\n", spec.notes);
        add("Note for the lab.txt".to_owned(), Body::Bytes(note.into_bytes()));
        add("Foto Zähne.jpg".to_owned(), Body::Picture(View::Capture(77)));
    }
    members
}

/// Returns the six pictures, by the names that they have both in a package and on their own.
pub(super) fn thumbnails(spec: &CaseSpec) -> Vec<Member> {
    let id = spec.order_id;
    let penta = [
        ("front", View::Front),
        ("left", View::Left),
        ("lower", View::Lower),
        ("right", View::Right),
        ("upper", View::Upper),
    ];
    let overview = (format!("gallery_#{id}.jpg"), View::Overview);
    std::iter::once(overview)
        .chain(penta.map(|(word, view)| (format!("gallery_#{id}_penta_{word}_m.jpg"), view)))
        .map(|(name, view)| Member { name, body: Body::Picture(view) })
        .collect()
}

/// Returns what the doctor captured on the scanner's screen.
pub(super) fn screen_captures(count: u32) -> Vec<Member> {
    (1..=count)
        .map(|number| Member {
            name: format!("screen_capture_{number}.jpg"),
            body: Body::Picture(View::Capture(number)),
        })
        .collect()
}

/// Returns the total length of all meshes.
pub(super) fn mesh_bytes(spec: &CaseSpec) -> u64 {
    members(spec)
        .iter()
        .map(|member| if let Body::Mesh(mesh) = &member.body { mesh.size(spec) } else { 0 })
        .sum()
}

/// A jaw as it was scanned.
fn anatomy(spec: &CaseSpec, jaw: Jaw, treated: bool) -> Anatomy {
    let is_prepared =
        |tooth: &ToothRx| tooth.is_prepared() && tooth.is_upper() == (jaw == Jaw::Upper);
    Anatomy {
        jaw,
        patient: hash(spec.order_id, 1, 0),
        scan: hash(spec.order_id, 2 + u64::from(treated), u64::from(spec.revision)),
        prepared: treated && spec.teeth.iter().any(is_prepared),
    }
}

fn ortho(spec: &CaseSpec) -> Vec<Member> {
    let (id, ext) = (spec.order_id, spec.mesh.extension());
    let (kind, shape) = match spec.kind {
        super::spec::CaseKind::OrthoLowProfile => ("lprofile", Shape::LowBase),
        _ => ("shell", Shape::Shell),
    };
    let (placement, pose) = match spec.placement {
        Placement::Occlusion => ("occlusion", Pose::Occlusion),
        Placement::TeethUp => ("teethup", Pose::TeethUp),
        Placement::LockedOcclusion => ("lockedocclusion", Pose::Occlusion),
    };
    let paint = if spec.color { Paint::Vertices } else { Paint::Plain };
    let mesh = |jaws: &[Jaw], suffix: &str, pose| {
        let body = JawMesh {
            jaws: jaws.iter().map(|jaw| anatomy(spec, *jaw, true)).collect(),
            shape,
            pose,
            paint: paint.clone(),
            pretreatment: false,
        };
        let name = format!("{id}_{kind}_{placement}_{suffix}.{ext}");
        Member { name, body: Body::Mesh(body) }
    };
    let mut members = if spec.placement == Placement::LockedOcclusion {
        vec![mesh(&[Jaw::Upper, Jaw::Lower], "ul", pose)]
    } else {
        vec![mesh(&[Jaw::Lower], "l", pose), mesh(&[Jaw::Upper], "u", pose)]
    };
    if spec.bite2 {
        members.push(mesh(&[Jaw::Lower], "l_bite1", Pose::SecondBite));
    }
    members.push(xml(id, XmlVersion::V30));
    members.extend(thumbnails(spec));
    members
}

fn restorative(spec: &CaseSpec) -> Vec<Member> {
    let (id, ext) = (spec.order_id, spec.mesh.extension());
    let hash = if spec.hash_in_names { "#" } else { "" };
    let state = if spec.modeled { "with_ditch" } else { "without_ditch" };
    let mut wanted = vec![(Jaw::Upper, state, true), (Jaw::Lower, state, true)];
    for jaw in [Jaw::Upper, Jaw::Lower] {
        if spec.teeth.iter().any(|tooth| tooth.is_upper() == (jaw == Jaw::Upper)) {
            wanted.push((jaw, "pretreatment", false));
        }
    }
    let textured = spec.texture && spec.mesh == MeshFormat::Ply;
    let mut members = Vec::new();
    for (jaw, state, treated) in wanted {
        let word = if jaw == Jaw::Upper { "upper" } else { "lower" };
        let stem = format!("{word}_jaw_{state}_{hash}{id}");
        let picture = format!("{stem}_texture.jpg");
        let paint = match (textured, spec.color) {
            (true, _) => Paint::Texture(picture.clone()),
            (false, true) => Paint::Vertices,
            (false, false) => Paint::Plain,
        };
        let body = JawMesh {
            jaws: vec![anatomy(spec, jaw, treated)],
            shape: Shape::Shell,
            pose: Pose::Occlusion,
            paint,
            pretreatment: !treated,
        };
        members.push(Member { name: format!("{stem}.{ext}"), body: Body::Mesh(body) });
        if textured {
            members.push(Member { name: picture, body: Body::Texture(jaw) });
        }
    }
    members.extend([xml(id, XmlVersion::V24), xml(id, XmlVersion::V50)]);
    members
}

fn xml(id: u64, version: XmlVersion) -> Member {
    let number = match version {
        XmlVersion::V24 => "24",
        XmlVersion::V30 => "30",
        XmlVersion::V50 => "50",
    };
    Member { name: format!("itero_export_#{id}_v{number}.xml"), body: Body::Xml(version) }
}
