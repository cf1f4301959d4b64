//! The table at the heart of the agent: three pictures of an order give one action.
//!
//! | Published | Remote | Local | Action |
//! |---|---|---|---|
//! | – | ready | – | fetch, publish revision 1 |
//! | – | ready | same content | adopt: record only |
//! | – | ready | something else | keep it; publish beside it |
//! | P | same | as P | nothing |
//! | P | changed | as P | fetch; publish the next revision |
//! | P | changed, same bytes | as P | record only |
//! | P | same | gone | consumed: leave, or restore, by policy |
//! | P | changed | gone | fetch; publish the next revision |
//! | P | any change | altered by others | keep it; publish beside it |
//! | P | gone from the list | any | nothing: downloaded orders leave the list by design |

use crate::model::manifest::{Manifest, ManifestFile};
use crate::model::record::IntentTarget;

/// What Align has for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remote<'a> {
    /// Nothing newer than what we fetched, as far as anyone told us.
    Same,
    /// Something to fetch; its content is not known yet.
    Changed,
    /// Its content lies in staging.
    Fetched(&'a [ManifestFile]),
}

/// What we last published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published<'a> {
    /// The newest revision.
    pub newest: &'a Manifest,
    /// The revision that we put at the order's own path, if any; older than `newest` where that one
    /// had to go beside it.
    pub at_main: Option<u32>,
}

/// What stands at the order's own path, compared with what we put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local<'a> {
    /// Nothing.
    Absent,
    /// Exactly what we put there.
    AsPublished,
    /// What we put there, less some files: somebody is taking it. Nothing else was changed.
    Reduced,
    /// What we put there, changed by others.
    Altered,
    /// A complete order that we have no record of.
    Ours(&'a Manifest),
    /// Something else.
    Foreign,
}

/// What the person who configured the agent wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether a published order that is gone is published again.
    pub restore: bool,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// All is as it should be.
    Nothing,
    /// Download it.
    Fetch,
    /// It stands there already; take it into the journal as it is.
    Adopt,
    /// The content is the published one; remember that it was confirmed.
    RecordUnchanged,
    /// Publish the staged content as that revision.
    Publish {
        /// Its number.
        revision: u32,
        /// Where it goes.
        target: IntentTarget,
    },
}

/// Decides. Total over its arguments: whatever the pictures are, one action follows. `forced` says
/// that a person asked for the order.
pub fn plan(
    remote: Remote<'_>,
    published: Option<Published<'_>>,
    local: Local<'_>,
    forced: bool,
    policy: Policy,
) -> Action {
    let missing = matches!(local, Local::Absent | Local::Reduced);
    let files = match (remote, published) {
        (Remote::Same, Some(_)) if forced || (missing && policy.restore) => return Action::Fetch,
        (Remote::Same, _) => return Action::Nothing,
        (Remote::Changed, _) => return Action::Fetch,
        (Remote::Fetched(files), _) => files,
    };
    match published {
        None => first(files, local),
        Some(published) => next(files, published, local, forced || (missing && policy.restore)),
    }
}

fn first(files: &[ManifestFile], local: Local<'_>) -> Action {
    match local {
        Local::Absent => Action::Publish { revision: 1, target: IntentTarget::Fresh },
        Local::Ours(found) if found.same_content(files) => Action::Adopt,
        Local::Ours(found) => {
            // Its number is taken, even though we have no record of it.
            Action::Publish { revision: found.revision + 1, target: IntentTarget::Beside }
        }
        Local::AsPublished | Local::Reduced | Local::Altered | Local::Foreign => {
            Action::Publish { revision: 1, target: IntentTarget::Beside }
        }
    }
}

fn next(
    files: &[ManifestFile],
    published: Published<'_>,
    local: Local<'_>,
    wanted_anyway: bool,
) -> Action {
    let same = published.newest.same_content(files);
    let untouched = matches!(local, Local::AsPublished) && published.at_main.is_some();
    if same && (!wanted_anyway || untouched) {
        return Action::RecordUnchanged;
    }
    let target = match (local, published.at_main) {
        (Local::Absent, _) => IntentTarget::Fresh,
        (Local::AsPublished | Local::Reduced, Some(old)) => IntentTarget::Replace(old),
        (
            Local::AsPublished | Local::Reduced | Local::Altered | Local::Ours(_) | Local::Foreign,
            _,
        ) => IntentTarget::Beside,
    };
    Action::Publish { revision: published.newest.revision + 1, target }
}

#[cfg(test)]
mod tests;
