//! What a finding about an order's files may be: the one list of codes, for the checks, the words on the
//! page and the documentation.

/// Makes the kinds, their words for programs, and the list of all.
macro_rules! codes {
    ($($(#[doc = $text:literal])+ $kind:ident = $word:literal,)+) => {
        /// One kind of finding. Manifests of other versions may have further ones.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FindingCode {
            $($(#[doc = $text])+ $kind,)+
        }

        impl FindingCode {
            /// All that this version knows.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// The short stable word that stands in manifests.
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
    /// The archive holds a file twice, with the same content.
    MemberTwice = "member-twice",
    /// The archive holds files that its directory does not list.
    ZipUnlisted = "zip-unlisted",
    /// The archive describes files twice, with small differences.
    ZipHeaders = "zip-headers",
    /// Bytes that belong to no file.
    ZipStrayBytes = "zip-stray-bytes",
    /// Names are not in UTF-8.
    NamesGuessed = "names-guessed",
    /// A name was too long for a file.
    NameShortened = "name-shortened",
    /// The order keeps the vendor's names although plain ones are wanted.
    NamesKept = "names-kept",
    /// The package has no scan.
    ScanAbsent = "scan-absent",
    /// The XML lists a file that is not there.
    FileNamedAbsent = "file-named-absent",
    /// A jaw was not scanned.
    JawAbsent = "jaw-absent",
    /// The opposing jaw was not scanned.
    AntagonistAbsent = "antagonist-absent",
    /// The jaws lie far apart.
    BiteAbsent = "bite-absent",
    /// Both jaws are the same mesh.
    JawsAlike = "jaws-alike",
    /// One scan is there or listed twice.
    JawTwice = "jaw-twice",
    /// XML and name disagree on the jaw.
    JawContradicted = "jaw-contradicted",
    /// No mesh of its format.
    MeshUnreadable = "mesh-unreadable",
    /// A mesh without triangles.
    MeshEmpty = "mesh-empty",
    /// A mesh that ends too early.
    MeshCut = "mesh-cut",
    /// A mesh that is longer than it says.
    MeshLonger = "mesh-longer",
    /// Numbers with decimal commas.
    MeshDecimalComma = "mesh-decimal-comma",
    /// Points that are no numbers.
    MeshNotNumbers = "mesh-not-numbers",
    /// Too small for millimetres.
    MeshTooSmall = "mesh-too-small",
    /// Too large for millimetres.
    MeshTooLarge = "mesh-too-large",
    /// Parts of one jaw that lie far apart.
    MeshInPieces = "mesh-in-pieces",
    /// The texture of a mesh is not there.
    TextureAbsent = "texture-absent",
    /// A mesh's file of materials is not there.
    MaterialAbsent = "material-absent",
    /// A fixed restoration is ordered, and no XML lists a tooth.
    RxWithoutTeeth = "rx-without-teeth",
    /// A prescription that may not open.
    RxUnreadable = "rx-unreadable",
    /// The prescription's page shows none of the XML's teeth.
    RxPageWithoutTeeth = "rx-page-without-teeth",
    /// An XML that is cut off or damaged.
    XmlUnreadable = "xml-unreadable",
    /// An XML of another order.
    XmlOfOtherOrder = "xml-of-other-order",
    /// Another order code than in Align's list.
    XmlContradictsOrder = "xml-contradicts-order",
    /// A file whose name has another order's number.
    FileOfOtherOrder = "file-of-other-order",
}

impl FindingCode {
    /// The kind of that word; `None` for one of another version.
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
