//! What only the names of files tell: of the pictures, and of all files in manifests of older versions.

use super::{names, stage_of};
use casedrop_model::manifest::{Manifest, ManifestFile, Role};
use casedrop_model::path::RelPath;

/// What a picture may show, as the words in its name say.
const VIEWS: [&str; 5] = ["front", "left", "right", "upper", "lower"];

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_alphanumeric())
}

/// Takes over what the names of a manifest's files say, for the same manifest with stand-ins for names.
pub fn complete_from(shown: &mut Manifest, named: &Manifest) {
    let mut named = named.clone();
    complete(&mut named);
    for (file, named) in shown.files.iter_mut().zip(named.files) {
        (file.stage, file.part) = (named.stage, named.part);
    }
}

/// Adds `stage`, `part` and `copy_of` where an older version left them out. For showing an order
/// only: the published manifest stays as it is.
pub fn complete(manifest: &mut Manifest) {
    let is_copy = |file: &ManifestFile, of: &ManifestFile| {
        file.original_name.as_deref() == Some(of.path.as_str())
            && file.path != of.path
            && file.sha256 == of.sha256
    };
    let copies: Vec<Option<RelPath>> = manifest
        .files
        .iter()
        .map(|file| {
            let of = manifest.files.iter().find(|of| is_copy(file, of));
            of.map(|of| of.path.clone())
        })
        .collect();
    for (file, copy_of) in manifest.files.iter_mut().zip(copies) {
        if file.role == Role::Thumbnail {
            let name = file.path.file_name().to_lowercase();
            let view = VIEWS.into_iter().find(|view| words(&name).any(|word| word == *view));
            file.part = file.part.take().or(view.map(str::to_owned));
        }
        if file.stage.is_some() || !matches!(file.role, Role::Scan | Role::Texture) {
            continue;
        }
        let original = file.original_name.as_deref().and_then(|name| RelPath::make_safe(name).ok());
        let hint = names::hint(original.as_ref().unwrap_or(&file.path));
        file.stage = stage_of(file.role, hint.pretreatment);
        file.part = hint.part.map(|part| part.word.to_owned());
        file.copy_of = copy_of;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casedrop_model::manifest::Stage;

    #[test]
    fn pictures_say_what_they_show_even_where_their_names_are_not_shown() {
        let names = ["thumbnails/gallery_#17_penta_front_m.jpg", "gallery_#17.jpg"];
        let mut named = casedrop_testing::manifest_of(1, &[(names[0], "a"), (names[1], "b")]);
        for file in &mut named.files {
            file.role = Role::Thumbnail;
        }
        let mut shown = named.without_names();
        complete_from(&mut shown, &named);
        let parts: Vec<_> = shown.files.iter().map(|file| file.part.as_deref()).collect();
        assert_eq!(parts, [Some("front"), None]);
        assert!(!shown.files[0].path.contains("penta"));
    }

    #[test]
    fn what_an_older_manifest_leaves_out_is_told_from_the_names() {
        let mut manifest = casedrop_testing::manifest_of(
            1,
            &[
                ("1_shell_occlusion_l.stl", "a"),
                ("1_shell_occlusion_l_bite1.stl", "b"),
                ("rx.pdf", "c"),
                ("scan-lower.stl", "a"),
                ("upper_jaw_pretreatment_#1.stl", "d"),
            ],
        );
        for file in &mut manifest.files {
            file.role = if file.path.extension() == "pdf" { Role::RxPdf } else { Role::Scan };
        }
        manifest.files[3].original_name = Some("1_shell_occlusion_l.stl".to_owned());
        let bytes = manifest.to_bytes();
        let text = String::from_utf8(bytes.clone()).expect("text");
        for key in ["stage", "part", "copy_of", "due_date", "doctor", "teeth"] {
            assert!(!text.contains(&format!("\"{key}\"")), "{key} is in {text}");
        }
        assert_eq!(Manifest::parse(&bytes).expect("an older one").to_bytes(), bytes);

        complete(&mut manifest);
        let told: Vec<_> = manifest
            .files
            .iter()
            .map(|file| (file.stage, file.part.as_deref(), file.copy_of.as_deref()))
            .collect();
        let working = Some(Stage::Working);
        assert_eq!(
            told,
            [
                (working, None, None),
                (working, Some("bite"), None),
                (None, None, None),
                (working, None, Some("1_shell_occlusion_l.stl")),
                (Some(Stage::Pretreatment), None, None),
            ]
        );
    }
}
