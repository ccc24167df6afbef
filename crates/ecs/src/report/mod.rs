//! Documents for people, in Markdown: every claim cites the evidence it rests on.
//!
//! Pure functions of typed data: nothing in a report was told by a language model but what stands
//! in its own section, where its quotes were checked and what failed is struck. Text that AWS or a
//! program wrote is shown with its control characters and Markdown made harmless.

mod credentials;
mod execution;
mod markdown;
mod service;
mod view;

pub use credentials::credentials_section;
pub use execution::{FinalReport, WrittenReport, execution_log, final_report, repair_plan};
pub use service::{DiagnosticReport, ServiceContextFacts, diagnostic_report, service_context};
pub use view::{MadeBy, PromptVersion, made_by};

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
