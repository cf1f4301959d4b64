//! A bundle for support: what somebody elsewhere needs to see of this installation, in one zip, and
//! nothing that is secret or names people.
//!
//! What goes in is gathered piece by piece ([`gather`]), so that one that cannot be had leaves the others
//! there. All of it passes a [`Redactor`], which knows the secrets of this installation ([`secrets`]).

mod bundle;
pub mod gather;
mod redact;
pub mod secrets;

pub use bundle::{Bundle, Member};
pub use redact::{Known, MAIL, REDACTED, Redactor, USER};
