//! The command folder: staff drop a small file, the agent does what it says and answers with a
//! receipt.
//!
//! [`read`] understands a file by its name or its content, and is pure. [`Folder`] runs the folder:
//! it takes files, has their requests carried out, and files them away with receipts.

mod content;
mod error;
mod execute;
mod folder;
mod folders;
mod name;
mod read_receipts;
mod readme;
mod receipt;
mod text;
mod waiting;
mod watcher;
mod words;

#[cfg(test)]
mod folder_tests;
#[cfg(test)]
mod read_tests;

pub use error::CommandError;
pub use folder::{Folder, Look, SCAN};
pub use read_receipts::receipts;
pub use receipt::{FileContent, Receipt};
pub use watcher::{Watcher, watch};

use crate::model::request::Request;

/// The subfolders that the agent creates in a command folder.
pub const FOLDERS: [&str; 3] = [folders::WORKING, folders::DONE, folders::FAILED];

/// Maximum size of a command file, in bytes.
pub const MAX_BYTES: u64 = 64 << 10;

/// What a file asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub request: Request,
    /// The command in the file's name, if the content asks for a different one; the content counts.
    pub name_says: Option<&'static str>,
}

/// The names of all commands.
pub fn names() -> impl Iterator<Item = &'static str> {
    words::Word::ALL.into_iter().map(words::Word::as_str)
}

/// Whether a word is a command, in any spelling.
pub fn is_command(word: &str) -> bool {
    words::Word::from_text(word).is_some()
}

/// Understands a command file. Its content counts; if that is blank, its name does.
///
/// # Errors
/// What is wrong with the file and how to write it correctly. Of the content, only names of
/// commands and keys are repeated: it may hold a login or name a patient.
pub fn read(file_name: &str, bytes: &[u8]) -> Result<Command, CommandError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(CommandError::too_large());
    }
    let text = text::decode(bytes)?;
    let named = name::of_file_name(file_name);
    let word = name::word_of(file_name);
    let Some(written) = content::read(&text, word) else {
        return named.map(|request| Command { request, name_says: None });
    };
    let request = written?;
    let name_says =
        word.filter(|word| Some(*word) != words::word_of(&request)).map(words::Word::as_str);
    Ok(Command { request, name_says })
}
