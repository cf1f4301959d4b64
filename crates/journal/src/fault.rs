//! What it means when the journal cannot be used.

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_DELETE_NOENT;

/// The journal cannot be used now. Without it nothing may be fetched; what to do about it is told by
/// its [`kind`](StoreError::kind).
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite says no.
    #[error("the journal cannot be read or written")]
    Sqlite(#[from] rusqlite::Error),
    /// A row that this version cannot read.
    #[error("the journal holds a row that cannot be read ({0})")]
    Row(String),
    /// It is not what this program wrote.
    #[error("the journal is damaged ({0})")]
    Damaged(String),
    /// Something else than a file stands in the place of one of its files.
    #[error("the journal cannot be opened: {name} in the state folder is {what}, not a file")]
    NoFile {
        /// The file's name.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// Written by a newer version of the agent.
    #[error(
        "the journal has version {found}, this agent knows versions up to {known}: install the newer agent again"
    )]
    Newer {
        /// The version in the file.
        found: usize,
        /// The newest version that this agent knows.
        known: usize,
    },
}

/// What is the matter with the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreTrouble {
    /// Its content is damaged: it is to be made anew.
    Damaged,
    /// A newer agent wrote it.
    Newer,
    /// Another program holds it.
    Locked,
    /// Its volume is full.
    Full,
    /// It may not be opened or written.
    Forbidden,
    /// Its volume fails otherwise.
    Unreachable,
}

impl StoreTrouble {
    /// The way out, for a person.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Damaged => {
                "the agent sets it aside and makes a new one at its next start (`casedrop run` or `casedrop sync`)"
            }
            Self::Newer => "install the newer agent again",
            Self::Locked => "end the program that holds it, such as a backup or a database viewer",
            Self::Full => "free some space on the volume of the state folder",
            Self::Forbidden => {
                "give the agent's user the right to read and write the state folder and all that is in it"
            }
            Self::Unreachable => "check the volume that holds the state folder",
        }
    }
}

impl StoreError {
    /// What is the matter.
    pub fn kind(&self) -> StoreTrouble {
        match self {
            Self::Newer { .. } => StoreTrouble::Newer,
            Self::NoFile { .. } => StoreTrouble::Forbidden,
            Self::Row(_) | Self::Damaged(_) => StoreTrouble::Damaged,
            Self::Sqlite(error) if is_gone(error) => StoreTrouble::Locked,
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreTrouble::Locked,
                Some(ErrorCode::DiskFull) => StoreTrouble::Full,
                Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                    StoreTrouble::Forbidden
                }
                // `Unknown` is "no such table", and a broken constraint is no work of ours either.
                // Without a code, a column holds what it cannot hold.
                None
                | Some(
                    ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::ConstraintViolation
                    | ErrorCode::TypeMismatch
                    | ErrorCode::Unknown,
                ) => StoreTrouble::Damaged,
                Some(_) => StoreTrouble::Unreachable,
            },
        }
    }

    /// The way out, for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoFile { .. } => {
                "somebody put something else in the place of a file; move it out of the state folder"
            }
            _ => self.kind().hint(),
        }
    }

    /// The error with its causes, in one line.
    pub fn chain(&self) -> String {
        match self {
            Self::Sqlite(cause) => format!("{self}: {cause}"),
            Self::Row(_) | Self::Damaged(_) | Self::Newer { .. } | Self::NoFile { .. } => {
                self.to_string()
            }
        }
    }
}

/// Whether a file that SQLite was about to delete was deleted in that moment by another process that
/// opens or closes the journal.
fn is_gone(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_DELETE_NOENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_another_process_deleted_first_is_worth_another_try() {
        let error = rusqlite::ffi::Error::new(SQLITE_IOERR_DELETE_NOENT);
        let gone = StoreError::Sqlite(rusqlite::Error::SqliteFailure(error, None));
        assert_eq!(gone.kind(), StoreTrouble::Locked);
        let error = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_WRITE);
        let broken = StoreError::Sqlite(rusqlite::Error::SqliteFailure(error, None));
        assert_eq!(broken.kind(), StoreTrouble::Unreachable);
    }
}
