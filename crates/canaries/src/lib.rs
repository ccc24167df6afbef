//! Finds planted secrets in any form: for the tests that attack the rooms holding them.
//!
//! A test plants a [`Canary`] wherever a secret would be, and asks a [`Scanner`] afterwards whether
//! any twelve consecutive characters of it are anywhere they should not be: in a file or a folder,
//! in a process's memory, environment or arguments, or in bytes that the test caught itself. A
//! [`Hit`] names the canary, the [`Form`] it was found in and the place, and never shows it.
//!
//! ```
//! use ecs_agent_canaries::{Canary, Scanner};
//!
//! let canary = Canary::text("secret of invocation 1", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")?;
//! let scanner = Scanner::new([canary]);
//! assert!(scanner.bytes("a log line", b"the key is not here").is_clean());
//! let found = scanner.bytes("a log line", b"GET /?k=RUtnFEMI%2FK7MDENG%2Fb");
//! assert!(!found.is_clean());
//! # Ok::<(), ecs_agent_canaries::CanaryError>(())
//! ```
//!
//! **Invariant:** nothing but tests and benchmarks depends on this crate.

mod canary;
mod decoders;
mod encodings;
mod findings;
mod index;
mod process;
mod scanner;

pub use crate::canary::{Canary, CanaryError, WINDOW};
pub use crate::encodings::Form;
pub use crate::findings::{Findings, Hit};
pub use crate::process::{descendants, file_descriptors, threads};
pub use crate::scanner::Scanner;
