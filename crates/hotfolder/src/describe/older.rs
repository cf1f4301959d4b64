//! Manifests of older versions, which say less about each file: what can be told from names.

use super::{names, stage_of};
use casedrop_model::manifest::{Manifest, ManifestFile, Role};
use casedrop_model::path::RelPath;

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
