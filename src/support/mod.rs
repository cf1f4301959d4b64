//! The support bundle: what support needs to see of this installation, in one zip without secrets
//! or names of people.
//!
//! The content is gathered piece by piece ([`gather`]), so that a piece that cannot be obtained
//! does not affect the others. Everything passes through a [`Redactor`], which knows the secrets of
//! this installation ([`secrets`]).

mod bundle;
pub mod gather;
mod redact;
pub mod secrets;

pub use bundle::{Bundle, Member};
pub use redact::{Known, MAIL, REDACTED, Redactor, USER};
