//! The kinds of findings about an order's files: a single list of codes for the checks, the texts
//! on the status page and the documentation.

/// Defines the enum, its words for programs and the list of all codes.
macro_rules! codes {
    ($($(#[doc = $text:literal])+ $kind:ident = $word:literal,)+) => {
        /// One kind of finding. Manifests written by other versions may have more.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FindingCode {
            $($(#[doc = $text])+ $kind,)+
        }

        impl FindingCode {
            /// All kinds known to this version.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// The short stable word used in manifests.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)+
                }
            }
        }
    };
}

codes! {
    /// A file of the archive could not be read and was left out.
    MemberUnreadable = "member-unreadable",
    /// A file without a name, or a folder with content, was left out.
    MemberNameless = "member-nameless",
    /// The archive contains a file twice, with the same content.
    MemberTwice = "member-twice",
    /// The archive contains files that its directory does not list.
    ZipUnlisted = "zip-unlisted",
    /// The archive describes files twice, with small differences.
    ZipHeaders = "zip-headers",
    /// The archive contains bytes that belong to no file.
    ZipStrayBytes = "zip-stray-bytes",
    /// Names are not UTF-8.
    NamesGuessed = "names-guessed",
    /// A name was too long for a file.
    NameShortened = "name-shortened",
    /// The order keeps the vendor's names although plain ones are configured.
    NamesKept = "names-kept",
    /// The package has no scan.
    ScanAbsent = "scan-absent",
    /// The XML lists a file that is missing.
    FileNamedAbsent = "file-named-absent",
    /// A jaw was not scanned.
    JawAbsent = "jaw-absent",
    /// The opposing jaw was not scanned.
    AntagonistAbsent = "antagonist-absent",
    /// The jaws are far apart.
    BiteAbsent = "bite-absent",
    /// Both jaws are the same mesh.
    JawsAlike = "jaws-alike",
    /// A scan is present or listed twice.
    JawTwice = "jaw-twice",
    /// The XML and the file name disagree on the jaw.
    JawContradicted = "jaw-contradicted",
    /// A file is not a valid mesh of its format.
    MeshUnreadable = "mesh-unreadable",
    /// A mesh has no triangles.
    MeshEmpty = "mesh-empty",
    /// A mesh is cut off.
    MeshCut = "mesh-cut",
    /// A mesh is longer than it declares.
    MeshLonger = "mesh-longer",
    /// A mesh has numbers with decimal commas.
    MeshDecimalComma = "mesh-decimal-comma",
    /// A mesh has coordinates that are not numbers.
    MeshNotNumbers = "mesh-not-numbers",
    /// A mesh is too small to be in millimetres.
    MeshTooSmall = "mesh-too-small",
    /// A mesh is too large to be in millimetres.
    MeshTooLarge = "mesh-too-large",
    /// Parts of one jaw are far apart.
    MeshInPieces = "mesh-in-pieces",
    /// A mesh's texture is missing.
    TextureAbsent = "texture-absent",
    /// A mesh's material file is missing.
    MaterialAbsent = "material-absent",
    /// A fixed restoration is ordered, but no XML lists a tooth.
    RxWithoutTeeth = "rx-without-teeth",
    /// A prescription may not open.
    RxUnreadable = "rx-unreadable",
    /// The prescription page shows none of the teeth in the XML.
    RxPageWithoutTeeth = "rx-page-without-teeth",
    /// An XML is cut off or damaged.
    XmlUnreadable = "xml-unreadable",
    /// An XML belongs to another order.
    XmlOfOtherOrder = "xml-of-other-order",
    /// The order code differs from the one in Align's list.
    XmlContradictsOrder = "xml-contradicts-order",
    /// A file name contains another order's number.
    FileOfOtherOrder = "file-of-other-order",
}

impl FindingCode {
    /// Returns the kind with this word; `None` if it comes from another version.
    pub fn known(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_documentation_has_a_line_for_each_code_and_for_no_other() {
        let page = include_str!("../../../docs/hot-folder.md");
        let (_, table) = page.split_once("The codes of findings:").expect("the table");
        let rows = table.lines().skip_while(|line| !line.starts_with('|')).skip(2);
        let first_cells = rows
            .take_while(|line| line.starts_with('|'))
            .filter_map(|line| line.trim_start_matches('|').split('|').next());
        let documented: BTreeSet<&str> =
            first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
        let known: BTreeSet<&str> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(documented, known);
        assert_eq!(known.len(), FindingCode::ALL.len(), "two kinds share a word");
    }

    #[test]
    fn a_word_leads_to_its_kind_and_one_of_another_version_to_none() {
        for code in FindingCode::ALL {
            assert_eq!(FindingCode::known(code.as_str()), Some(*code));
        }
        assert_eq!(FindingCode::known("of-another-version"), None);
    }
}
