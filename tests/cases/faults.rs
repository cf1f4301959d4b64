//! What goes wrong with cases: each fault, the change that causes it, and the finding it must
//! raise.

use crate::mesh::{Colour, Form, jaw};
use crate::pack::Pack;
use crate::whole::{Kind, Style, pack};

/// A fault: its name, the whole case, the change that spoils it, and the expected finding.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) base: Pack,
    pub(crate) spoil: Box<dyn Fn(&mut Pack)>,
    pub(crate) code: &'static str,
    pub(crate) is_serious: bool,
}

fn style(kind: Kind, form: Form) -> Style {
    Style::new(kind, form)
}

fn textured(kind: Kind, form: Form) -> Style {
    Style { is_textured: true, ..Style::new(kind, form) }
}

fn cut(pack: &mut Pack, part: &str, less: usize) {
    let bytes = &mut pack.file(part).1;
    bytes.truncate(bytes.len() - less);
}

fn to_upper(pack: &mut Pack, form: Form, scale: f32) {
    pack.file("upper_jaw").1 = jaw(true, 9, scale).bytes(form, &Colour::None, "");
}

/// Puts one wrong number into a mesh.
fn with(form: Form, value: f32) -> impl Fn(&mut Pack) {
    move |pack| {
        let mut mesh = jaw(true, 9, 1.0);
        mesh.points[40][1] = value;
        pack.file("upper_jaw").1 = mesh.bytes(form, &Colour::None, "");
    }
}

fn empty(form: Form) -> impl Fn(&mut Pack) {
    move |pack| {
        let mut mesh = jaw(true, 9, 1.0);
        mesh.faces.clear();
        pack.file("upper_jaw").1 = mesh.bytes(form, &Colour::None, "");
    }
}

/// Removes a file and everything that the XML says about it.
fn forget(pack: &mut Pack, part: &str) {
    pack.remove(part);
    for (_, bytes) in pack.files.iter_mut().filter(|(name, _)| name.ends_with("xml")) {
        let text = String::from_utf8(bytes.clone()).expect("text");
        let is_about = |line: &&str| line.contains("<Object ") && line.contains(part);
        let kept: Vec<&str> = text.lines().filter(|line| !is_about(line)).collect();
        *bytes = kept.join("\n").into_bytes();
    }
}

#[expect(clippy::too_many_lines, reason = "a list")]
pub(crate) fn all() -> Vec<Fault> {
    let mut all = Vec::new();
    let mut add = |name, base: &Style, code, is_serious, spoil: Box<dyn Fn(&mut Pack)>| {
        all.push(Fault { name, base: pack(base), spoil, code, is_serious });
    };
    macro_rules! fault {
        ($name:literal, $base:expr, $code:literal, $serious:literal, $spoil:expr) => {
            add($name, &$base, $code, $serious, Box::new($spoil))
        };
    }
    let crown = |form| style(Kind::Crown, form);
    let shell = |form| style(Kind::Shell, form);

    fault!("an STL cut by 7 bytes", crown(Form::Stl), "mesh-cut", true, |p| cut(p, "upper_jaw", 7));
    fault!("an STL cut in half", crown(Form::Stl), "mesh-cut", true, |p| {
        cut(p, "upper_jaw", 9000);
    });
    fault!("an STL cut in its title", crown(Form::Stl), "mesh-cut", true, |p| {
        p.file("upper_jaw").1.truncate(60);
        p.file("upper_jaw").1[0] = 0;
    });
    fault!("an STL without triangles", crown(Form::Stl), "mesh-empty", true, empty(Form::Stl));
    fault!("an STL of no bytes", crown(Form::Stl), "mesh-empty", true, |p| {
        p.file("upper_jaw").1.clear();
    });
    fault!("an STL that counts none of its triangles", crown(Form::Stl), "mesh-empty", true, |p| {
        p.file("upper_jaw").1[80..84].fill(0);
    });
    fault!("an STL that goes on", crown(Form::Stl), "mesh-longer", false, |p| {
        p.file("upper_jaw").1.extend([0; 25]);
    });
    fault!("an error page called STL", crown(Form::Stl), "mesh-unreadable", true, |p| {
        p.file("upper_jaw").1 = b"<html>503 Service Unavailable</html>".to_vec();
    });
    fault!("a text STL without its end", crown(Form::StlText), "mesh-cut", true, |p| {
        cut(p, "upper_jaw", 900);
    });
    fault!(
        "a text STL without facets",
        crown(Form::StlText),
        "mesh-empty",
        true,
        empty(Form::StlText)
    );
    fault!("a text STL with commas", crown(Form::StlText), "mesh-decimal-comma", true, |p| {
        p.replace("upper_jaw", ".", ",");
    });
    fault!(
        "a point that is no number",
        crown(Form::Stl),
        "mesh-not-numbers",
        true,
        with(Form::Stl, f32::NAN)
    );
    fault!(
        "a point that is infinite",
        crown(Form::StlText),
        "mesh-not-numbers",
        true,
        with(Form::StlText, f32::INFINITY)
    );
    fault!("a word for a number", crown(Form::PlyText), "mesh-not-numbers", true, |p| {
        let text = String::from_utf8(p.file("upper_jaw").1.clone()).expect("text");
        let (head, body) = text.split_once("end_header\n").expect("a header");
        let (_, rest) = body.split_once(' ').expect("numbers");
        p.file("upper_jaw").1 = format!("{head}end_header\nx0 {rest}").into_bytes();
    });
    fault!("metres", crown(Form::Stl), "mesh-too-small", true, |p| to_upper(p, Form::Stl, 0.001));
    fault!("inches", crown(Form::Ply), "mesh-too-small", true, |p| to_upper(
        p,
        Form::Ply,
        1.0 / 25.4
    ));
    fault!("micrometres", crown(Form::Obj), "mesh-too-large", true, |p| to_upper(
        p,
        Form::Obj,
        1000.0
    ));
    fault!("a PLY cut in its points", crown(Form::Ply), "mesh-cut", true, |p| {
        p.file("upper_jaw").1.truncate(900);
    });
    fault!("a PLY cut by a byte", crown(Form::PlyBig), "mesh-cut", true, |p| cut(
        p,
        "upper_jaw",
        1
    ));
    fault!("a PLY cut in its header", crown(Form::Ply), "mesh-cut", true, |p| {
        p.file("upper_jaw").1.truncate(70);
    });
    fault!("a PLY without points", crown(Form::Ply), "mesh-empty", true, |p| {
        let mut mesh = jaw(true, 9, 1.0);
        mesh.points.clear();
        mesh.faces.clear();
        p.file("upper_jaw").1 = mesh.bytes(Form::Ply, &Colour::None, "");
    });
    fault!(
        "a PLY without faces",
        crown(Form::PlyDouble),
        "mesh-empty",
        true,
        empty(Form::PlyDouble)
    );
    fault!("a text PLY with too few rows", crown(Form::PlyText), "mesh-cut", true, |p| {
        cut(p, "upper_jaw", 300);
    });
    fault!("a text PLY with commas", crown(Form::PlyText), "mesh-decimal-comma", true, |p| {
        p.replace("upper_jaw", ".", ",");
        p.replace("upper_jaw", "ascii 1,0", "ascii 1.0");
    });
    fault!(
        "a big-endian PLY with a point that is no number",
        crown(Form::PlyBig),
        "mesh-not-numbers",
        true,
        with(Form::PlyBig, f32::NAN)
    );
    fault!("an OBJ without faces", crown(Form::Obj), "mesh-empty", true, empty(Form::Obj));
    fault!("an OBJ cut in a face", crown(Form::Obj), "mesh-cut", true, |p| cut(p, "upper_jaw", 8));
    fault!("an OBJ with commas", crown(Form::Obj), "mesh-decimal-comma", true, |p| {
        p.replace("upper_jaw", ".", ",");
    });
    fault!(
        "an OBJ without its materials",
        textured(Kind::Crown, Form::Obj),
        "material-absent",
        false,
        |p| {
            p.remove("upper_jaw_without_ditch_#17544402.mtl");
        }
    );
    fault!(
        "materials without their picture",
        textured(Kind::Crown, Form::Obj),
        "texture-absent",
        false,
        |p| {
            forget(p, "upper_jaw_without_ditch_#17544402_texture.jpg");
        }
    );
    fault!(
        "a PLY without its texture",
        textured(Kind::Crown, Form::Ply),
        "texture-absent",
        false,
        |p| {
            forget(p, "upper_jaw_without_ditch_#17544402_texture.jpg");
        }
    );
    fault!("a PLY with places in no texture", crown(Form::Ply), "texture-absent", false, |p| {
        let colour = Colour::Texture(String::new());
        p.file("upper_jaw").1 = jaw(true, 9, 1.0).bytes(Form::Ply, &colour, "");
    });
    fault!("a lower jaw that the XML lists", crown(Form::Stl), "file-named-absent", true, |p| p
        .remove("lower_jaw"));
    fault!(
        "an upper jaw of an orthodontic case",
        shell(Form::Ply),
        "file-named-absent",
        true,
        |p| {
            p.remove("_occlusion_u");
        }
    );
    fault!("a second bite", style(Kind::SecondBite, Form::Stl), "file-named-absent", false, |p| p
        .remove("_bite1"));
    fault!(
        "a scan from before",
        Style { pretreatment: true, ..crown(Form::Stl) },
        "file-named-absent",
        false,
        |p| {
            p.remove("pretreatment");
        }
    );
    fault!(
        "a texture that the XML lists",
        textured(Kind::Crown, Form::Ply),
        "file-named-absent",
        false,
        |p| {
            p.remove("lower_jaw_without_ditch_#17544402_texture.jpg");
        }
    );
    fault!(
        "a margin that the XML lists",
        Style { modeled: true, ..crown(Form::Stl) },
        "file-named-absent",
        false,
        |p| {
            p.remove("margin_3");
        }
    );
    // The tooth of this case is in the upper jaw.
    fault!("a crown without its antagonist", crown(Form::Stl), "antagonist-absent", true, |p| {
        forget(p, "lower_jaw");
    });
    fault!("a crown without its own jaw", crown(Form::Stl), "jaw-absent", true, |p| forget(
        p,
        "upper_jaw"
    ));
    fault!("no scan at all", shell(Form::Stl), "scan-absent", true, |p| forget(p, "_shell_"));
    fault!("jaws without a bite", crown(Form::Stl), "bite-absent", false, |p| {
        p.file("upper_jaw").1 =
            jaw(true, 9, 1.0).moved([0.0, 0.0, 70.0]).bytes(Form::Stl, &Colour::None, "");
    });
    fault!("the same jaw as upper and lower", crown(Form::Stl), "jaws-alike", true, |p| {
        p.file("upper_jaw").1 = p.file("lower_jaw").1.clone();
    });
    fault!("the same jaw under another title", shell(Form::Stl), "jaws-alike", true, |p| {
        p.file("occlusion_u").1 = p.file("occlusion_l").1.clone();
        p.file("occlusion_u").1[9] = b'X';
    });
    fault!("two jaws in the file of one", crown(Form::Stl), "mesh-in-pieces", false, |p| {
        let both = jaw(true, 9, 1.0).with(&jaw(false, 8, 1.0).moved([0.0, 0.0, -25.0]));
        p.file("upper_jaw").1 = both.bytes(Form::Stl, &Colour::None, "");
    });
    fault!(
        "a lower jaw that the XML calls upper",
        crown(Form::Stl),
        "jaw-contradicted",
        false,
        |p| {
            p.replace("xml", "JawId=\"Lower\"", "JawId=\"Upper\"");
        }
    );
    fault!("one jaw under both words", shell(Form::Stl), "jaw-twice", false, |p| {
        p.replace("xml", "_occlusion_u.stl", "_occlusion_l.stl");
    });
    fault!("a jaw twice in the package", crown(Form::Stl), "jaw-twice", false, |p| {
        let again = jaw(true, 77, 1.0).bytes(Form::Stl, &Colour::None, "");
        p.add("upper_jaw_without_ditch_17544402.stl", again);
    });
    fault!("the XML of another order", crown(Form::Stl), "xml-of-other-order", true, |p| {
        p.replace("_v50.xml", "17544402</OrderID>", "17599999</OrderID>");
    });
    fault!(
        "an older XML with another case number",
        crown(Form::Stl),
        "xml-of-other-order",
        false,
        |p| {
            p.replace("_v24.xml", "17544402</CaseId>", "17599999</CaseId>");
        }
    );
    fault!("another order code", shell(Form::Stl), "xml-contradicts-order", false, |p| {
        p.replace("xml", "02NR8VTN", "ZZZZ8VTN");
    });
    fault!("a scan of another order", shell(Form::Stl), "file-of-other-order", false, |p| {
        p.replace("xml", "17544402_shell_occlusion_u", "17599999_shell_occlusion_u");
        let name = p.file("occlusion_u").0.replace("17544402", "17599999");
        p.file("occlusion_u").0 = name;
    });
    fault!("a crown of no tooth", crown(Form::Stl), "rx-without-teeth", true, |p| {
        for tooth in ["3", "12", "19", "28"].map(|ada| format!("<Tooth AdaId=\"{ada}\"")) {
            if p.file("_v50").1.windows(tooth.len()).any(|found| found == tooth.as_bytes()) {
                for version in ["_v24", "_v50"] {
                    let text = String::from_utf8(p.file(version).1.clone()).expect("text");
                    let (start, rest) = text.split_once("<Teeth>").expect("teeth");
                    let (_, end) = rest.split_once("</Teeth>").expect("teeth");
                    p.file(version).1 = format!("{start}<Teeth/>{end}").into_bytes();
                }
            }
        }
    });
    fault!("an XML that is cut", crown(Form::Stl), "xml-unreadable", false, |p| cut(p, "_v50", 40));
    fault!("a PDF that is cut", crown(Form::Stl), "rx-unreadable", false, |p| cut(p, ".pdf", 9));
    fault!("a prescription of no bytes", crown(Form::Stl), "rx-unreadable", false, |p| {
        p.file("Rx_17544402.html").1.clear();
    });
    all
}
