//! The welcome of a new installation: from the folder to the first order, step by step. Pure except
//! for what the journal stores.

use serde::{Deserialize, Serialize};

use crate::journal::{Store, StoreError};
use crate::model::ids::LabName;

/// The fact that stores which steps the user is done with.
const PASSED: &str = "welcome";

/// How far a new installation has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Welcome {
    /// The next step.
    pub step: WelcomeStep,
    /// What is done.
    pub so_far: SoFar,
}

/// What the user does next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum WelcomeStep {
    /// Choose where orders are written, or confirm the current folder.
    ChooseFolder,
    /// Log a lab in.
    LogIn {
        /// The first lab that is logged out.
        lab: LabName,
    },
    /// Choose the account to pair the lab with.
    ChooseAccount {
        /// The first lab that is logged in but not paired.
        lab: LabName,
    },
    /// Publish a test order and see it in the CAD program.
    TestOrder,
    /// Nothing: no welcome is needed.
    Done,
}

/// What a new installation has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct SoFar {
    /// An order was published.
    pub published: bool,
    /// A user chose where orders are written.
    pub folder: bool,
    /// A test order was published, or the user wants none.
    pub tested: bool,
    /// The user wants no further welcome.
    pub dismissed: bool,
}

/// A lab's access to Align.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    LoggedOut,
    LoggedIn,
    Paired,
}

/// The stored steps.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Passed {
    folder: bool,
    tested: bool,
    dismissed: bool,
}

/// Returns the next step. The folder comes first: orders arrive as soon as a lab is paired, and
/// then it is too late to choose another one. One paired lab is enough to continue: others can be
/// logged in at any time.
pub(super) fn next_step(labs: &[(LabName, Access)], so_far: SoFar) -> WelcomeStep {
    if so_far.dismissed || so_far.published {
        return WelcomeStep::Done;
    }
    if !so_far.folder {
        return WelcomeStep::ChooseFolder;
    }
    let first = |wanted| labs.iter().find(|(_, access)| *access == wanted);
    if first(Access::Paired).is_none() {
        if let Some((lab, _)) = first(Access::LoggedIn) {
            return WelcomeStep::ChooseAccount { lab: lab.clone() };
        }
        if let Some((lab, _)) = first(Access::LoggedOut) {
            return WelcomeStep::LogIn { lab: lab.clone() };
        }
    }
    if so_far.tested { WelcomeStep::Done } else { WelcomeStep::TestOrder }
}

impl SoFar {
    /// Returns what is done; `tested` says whether a test order was ever published.
    pub(super) fn of(store: &Store, tested: bool) -> Result<Self, StoreError> {
        let passed = passed(store)?;
        Ok(Self {
            published: store.has_published()?,
            folder: passed.folder,
            tested: passed.tested || tested,
            dismissed: passed.dismissed,
        })
    }

    /// Records that the user is done with a step; `Done` means all of them. A login needs no
    /// record.
    pub(super) fn pass(store: &Store, step: &WelcomeStep) -> Result<(), StoreError> {
        let mut passed = passed(store)?;
        match step {
            WelcomeStep::ChooseFolder => passed.folder = true,
            WelcomeStep::TestOrder => passed.tested = true,
            WelcomeStep::Done => passed.dismissed = true,
            WelcomeStep::LogIn { .. } | WelcomeStep::ChooseAccount { .. } => return Ok(()),
        }
        store.set_fact(PASSED, &serde_json::to_string(&passed).unwrap_or_default())
    }
}

fn passed(store: &Store) -> Result<Passed, StoreError> {
    // An unreadable record counts as none: the user is asked once more.
    Ok(store.fact(PASSED)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(labs: &[Access], so_far: SoFar) -> WelcomeStep {
        let name = |index: usize| format!("lab-{index}").parse().expect("valid");
        let labs: Vec<_> =
            labs.iter().enumerate().map(|(index, access)| (name(index), *access)).collect();
        next_step(&labs, so_far)
    }

    fn lab(index: usize) -> LabName {
        format!("lab-{index}").parse().expect("valid")
    }

    #[test]
    fn the_steps_come_one_after_the_other() {
        let mut so_far = SoFar::default();
        for access in [Access::LoggedOut, Access::LoggedIn, Access::Paired] {
            assert_eq!(step(&[access], so_far), WelcomeStep::ChooseFolder);
        }
        so_far.folder = true;
        assert_eq!(step(&[Access::LoggedOut], so_far), WelcomeStep::LogIn { lab: lab(0) });
        assert_eq!(step(&[Access::LoggedIn], so_far), WelcomeStep::ChooseAccount { lab: lab(0) });
        assert_eq!(step(&[Access::Paired], so_far), WelcomeStep::TestOrder);
        so_far.tested = true;
        assert_eq!(step(&[Access::Paired], so_far), WelcomeStep::Done);
    }

    #[test]
    fn of_several_labs_one_is_enough_and_the_one_that_is_furthest_comes_first() {
        let so_far = SoFar { folder: true, ..SoFar::default() };
        let labs = [Access::LoggedOut, Access::LoggedIn];
        assert_eq!(step(&labs, so_far), WelcomeStep::ChooseAccount { lab: lab(1) });
        let labs = [Access::LoggedOut, Access::Paired];
        assert_eq!(step(&labs, so_far), WelcomeStep::TestOrder);
    }

    #[test]
    fn who_works_already_is_not_welcomed_whatever_became_of_the_login() {
        for so_far in [
            SoFar { published: true, ..SoFar::default() },
            SoFar { dismissed: true, ..SoFar::default() },
        ] {
            assert_eq!(step(&[Access::LoggedOut], so_far), WelcomeStep::Done);
        }
    }

    #[test]
    fn what_people_passed_is_remembered() {
        let store = Store::in_memory().expect("journal");
        let so_far = || SoFar::of(&store, false).expect("read");
        assert_eq!(so_far(), SoFar::default());
        SoFar::pass(&store, &WelcomeStep::ChooseFolder).expect("kept");
        SoFar::pass(&store, &WelcomeStep::LogIn { lab: lab(0) }).expect("nothing to keep");
        assert_eq!(so_far(), SoFar { folder: true, ..SoFar::default() });
        assert!(SoFar::of(&store, true).expect("read").tested);
        SoFar::pass(&store, &WelcomeStep::Done).expect("kept");
        assert!(so_far().dismissed && so_far().folder);
    }
}
