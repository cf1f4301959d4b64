//! Errors of the journal, and what they mean.

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_DELETE_NOENT;

/// The journal cannot be used now. Without it, nothing may be fetched; [`kind`](StoreError::kind)
/// says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An error of SQLite.
    #[error("the journal cannot be read or written")]
    Sqlite(#[from] rusqlite::Error),
    /// A row that this version cannot read.
    #[error("the journal contains a row that cannot be read ({0})")]
    Row(String),
    /// Not something this program wrote.
    #[error("the journal is damaged ({0})")]
    Damaged(String),
    /// Something other than a file is in place of one of its files.
    #[error("the journal cannot be opened: {name} in the state folder is {what}, not a file")]
    NoFile {
        /// The file's name.
        name: String,
        /// What it is instead.
        what: &'static str,
    },
    /// Written by a newer version of the agent.
    #[error(
        "the journal has version {found}, but this agent supports versions up to {known}: install \
         the newer agent again"
    )]
    Newer {
        /// The version in the file.
        found: usize,
        /// The newest version this agent knows.
        known: usize,
    },
}

/// What is wrong with the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreTrouble {
    /// Its content is damaged: it must be rebuilt.
    Damaged,
    /// A newer agent wrote it.
    Newer,
    /// Another program has it locked.
    Locked,
    /// Its volume is full.
    Full,
    /// No permission to open or write it.
    Forbidden,
    /// Its volume fails in another way.
    Unreachable,
}

impl StoreTrouble {
    /// Returns how to fix it, for a person.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Damaged => {
                "the agent moves it aside and rebuilds it at its next start (`casedrop run` or \
                 `casedrop sync`)"
            }
            Self::Newer => "install the newer agent again",
            Self::Locked => {
                "close the program that has it open, such as a backup or a database viewer"
            }
            Self::Full => "free some space on the volume of the state folder",
            Self::Forbidden => {
                "give the agent's user the right to read and write the state folder and everything \
                 in it"
            }
            Self::Unreachable => "check the volume with the state folder",
        }
    }
}

impl StoreError {
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
                // `Unknown` is "no such table", and a violated constraint is not our doing either.
                // Without a code, a column contains a value of the wrong type.
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

    /// Returns how to fix it, for a person.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoFile { .. } => {
                "something else is in the place of a file; move it out of the state folder"
            }
            _ => self.kind().hint(),
        }
    }

    /// Returns the error with its causes, on one line.
    pub fn chain(&self) -> String {
        match self {
            Self::Sqlite(cause) => format!("{self}: {cause}"),
            Self::Row(_) | Self::Damaged(_) | Self::Newer { .. } | Self::NoFile { .. } => {
                self.to_string()
            }
        }
    }
}

/// Whether a file that SQLite was about to delete was deleted at the same moment by another process
/// that opens or closes the journal.
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
