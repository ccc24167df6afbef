//! Documents for people, in Markdown: every claim cites the evidence it rests on.
//!
//! Pure functions of typed data: nothing in a report was told by a language model but what is
//! marked as a hypothesis, and its quotes were checked. Text that AWS or a program wrote is shown
//! with its control characters and Markdown made harmless.

mod credentials;
mod execution;
mod markdown;
mod service;

pub use credentials::credentials_section;
pub use execution::{FinalReport, WrittenReport, execution_log, final_report, repair_plan};
pub use service::{Hypothesis, ServiceContextFacts, diagnostic_report, service_context};

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
