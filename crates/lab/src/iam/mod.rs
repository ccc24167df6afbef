//! Who the caller is and what it may do.

mod directory;
mod evaluate;
mod policy;

pub(crate) use directory::{AssumeRole, Directory, Identity};
pub(crate) use evaluate::{Access, Verdict, authorize};
pub(crate) use policy::PolicyDocument;
