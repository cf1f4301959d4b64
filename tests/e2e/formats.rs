//! Each kind of case is requested in the form, and with the pictures, that the config asks for.

use std::collections::BTreeMap;

use casedrop::simulator::{CaseKind, OrderSpec};

use super::world::{World, order};

/// Returns the parameters of the last request for an asset; `None` if there was none.
fn asked(world: &World, id: &str, asset: &str) -> Option<BTreeMap<String, String>> {
    let count = world.align().state().asset(id, asset);
    (count.started + count.not_converted > 0).then_some(count.parameters)
}

fn words(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// An orthodontic order, a restorative one, and one with a case type of its own, all published.
fn published(world: &World) -> [String; 3] {
    let special = OrderSpec { case_type: Some("iCast".to_owned()), ..order(CaseKind::OrthoShell) };
    let specs = [order(CaseKind::OrthoShell), order(CaseKind::Restorative), special];
    let ids = specs.map(|spec| world.align().create_order(&spec).expect("created"));
    world.sync();
    for id in &ids {
        world.published(id);
    }
    ids
}

const ORTHO: [(&str, &str); 3] = [
    ("fileFormat", "TwoFiles_ArchesOrientedInOcclusion"),
    ("fileType", "STL"),
    ("typeFormat", "OpenShell"),
];

#[test]
fn each_kind_of_case_is_asked_for_in_its_default_form() {
    let world = World::new();
    let [ortho, restorative, _] = published(&world);
    assert_eq!(asked(&world, &ortho, "IDE"), Some(words(&ORTHO)));
    assert_eq!(asked(&world, &ortho, "IMAGE_GALLERY"), None, "the archive holds them");
    assert_eq!(asked(&world, &ortho, "SCREEN_CAPTURES"), Some(words(&ORTHO)));
    let three_shape = Some(words(&[("cadCamSystem", "3Shape")]));
    for asset in ["IDE", "IMAGE_GALLERY", "SCREEN_CAPTURES"] {
        assert_eq!(asked(&world, &restorative, asset), three_shape, "{asset}");
    }
}

#[test]
fn a_profile_a_single_key_and_a_case_type_are_asked_for_as_they_stand() {
    let world = World::with_config(
        "formats:\n  profile: exocad\n  ortho: { type_format: SolidModelWithLowProfileBase, \
         thumbnails: true, screen_captures: false }\n  restorative: { thumbnails: false }\n  \
         icast: { file_type: PLY, screen_captures: false }\n",
    );
    let [ortho, restorative, special] = published(&world);
    let solid = [ORTHO[0], ORTHO[1], ("typeFormat", "SolidModelWithLowProfileBase")];
    assert_eq!(asked(&world, &ortho, "IDE"), Some(words(&solid)));
    assert_eq!(asked(&world, &ortho, "IMAGE_GALLERY"), Some(words(&solid)));
    assert_eq!(asked(&world, &ortho, "SCREEN_CAPTURES"), None);
    let exocad = Some(words(&[("cadCamSystem", "exocad")]));
    assert_eq!(asked(&world, &restorative, "IDE"), exocad);
    assert_eq!(asked(&world, &restorative, "IMAGE_GALLERY"), None);
    assert_eq!(asked(&world, &restorative, "SCREEN_CAPTURES"), exocad);
    assert_eq!(asked(&world, &special, "IDE"), Some(words(&[("fileType", "PLY")])));
    for asset in ["IMAGE_GALLERY", "SCREEN_CAPTURES"] {
        assert_eq!(asked(&world, &special, asset), None, "{asset}");
    }
    let files = world.published(&special).files;
    assert!(files.iter().any(|file| file.path.to_lowercase().ends_with(".ply")), "{files:?}");
}
