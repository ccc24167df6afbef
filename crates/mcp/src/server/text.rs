//! Results as text, for clients and models that do not read structured content.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::message::{
    DiagnoseResponse, DiagnosisStatus, ExecuteResponse, IdentifyResponse, Match, PlanResponse,
    ProposalStatus, ProposeResponse, Question, RepairStatus, ReportResponse, ThreadsResponse,
};

/// A result that can be read.
pub(crate) trait Readable {
    /// The result in words.
    fn text(&self) -> String;
}

impl Readable for IdentifyResponse {
    fn text(&self) -> String {
        let mut text = match self.matched {
            Match::One => "One service matches:\n".to_owned(),
            Match::Several => {
                "Several services match; ask the person which one is meant:\n".to_owned()
            }
            Match::None => format!(
                "No service matches. Searched: {}",
                self.searched.as_deref().unwrap_or("nothing")
            ),
        };
        for service in &self.services {
            let reasons = service.reasons.join("; ");
            line(
                &mut text,
                format_args!(
                    "- {} in cluster {} ({reasons})",
                    service.service, service.cluster
                ),
            );
        }
        text
    }
}

impl Readable for DiagnoseResponse {
    fn text(&self) -> String {
        let mut text = match self.status {
            DiagnosisStatus::Done => self.summary.clone(),
            DiagnosisStatus::Cancelled => "The diagnosis was cancelled.".to_owned(),
            DiagnosisStatus::BudgetExhausted => {
                format!("The diagnosis stopped at a limit. {}", self.summary)
            }
            DiagnosisStatus::Question => String::new(),
        };
        if let Some(question) = &self.question {
            ask(&mut text, question);
        }
        if let Some(report) = &self.report {
            line(&mut text, format_args!("\n{report}"));
        }
        line(&mut text, format_args!("\nThread: {}", self.thread));
        text
    }
}

impl Readable for ProposeResponse {
    fn text(&self) -> String {
        let mut text = match self.status {
            ProposalStatus::Waiting => "A plan waits for the person:".to_owned(),
            ProposalStatus::NoPlan => self.summary.clone(),
            ProposalStatus::Cancelled => "The proposal was cancelled.".to_owned(),
            ProposalStatus::BudgetExhausted => {
                format!("The proposal stopped at a limit. {}", self.summary)
            }
            ProposalStatus::Question => String::new(),
        };
        if let Some(question) = &self.question {
            ask(&mut text, question);
        }
        let document = self.waiting.as_ref().map(|waiting| &waiting.rendered);
        if let Some(document) = document.or(self.document.as_ref()) {
            line(&mut text, format_args!("\n{document}"));
        }
        if let Some(waiting) = &self.waiting {
            line(
                &mut text,
                format_args!(
                    "\nNothing was changed. execute_repair with thread {} and plan_hash {} asks the person and, if \
                     they approve, carries it out.",
                    self.thread, waiting.plan_hash
                ),
            );
        }
        line(&mut text, format_args!("\nThread: {}", self.thread));
        text
    }
}

impl Readable for ExecuteResponse {
    fn text(&self) -> String {
        let mut text = match self.status {
            RepairStatus::Done | RepairStatus::Question => self.summary.clone(),
            RepairStatus::Rejected => {
                "The person rejected the plan; nothing was changed.".to_owned()
            }
            RepairStatus::Unanswered => {
                "The person did not decide; the plan goes on waiting and nothing was changed."
                    .to_owned()
            }
            RepairStatus::Cancelled => "The repair was cancelled between two steps.".to_owned(),
            RepairStatus::BudgetExhausted => {
                format!("The repair stopped at a limit. {}", self.summary)
            }
        };
        if let Some(report) = &self.report {
            line(&mut text, format_args!("\n{report}"));
        }
        line(&mut text, format_args!("\nThread: {}", self.thread));
        text
    }
}

impl Readable for Map<String, Value> {
    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Readable for ThreadsResponse {
    fn text(&self) -> String {
        if self.threads.is_empty() {
            return "There are no threads yet.".to_owned();
        }
        let mut text = String::new();
        for thread in &self.threads {
            line(
                &mut text,
                format_args!(
                    "- {} [{}] {} ({})",
                    thread.thread, thread.status, thread.title, thread.updated_at
                ),
            );
        }
        text
    }
}

impl Readable for ReportResponse {
    fn text(&self) -> String {
        self.report.clone()
    }
}

impl Readable for PlanResponse {
    fn text(&self) -> String {
        let plan = self
            .document
            .as_deref()
            .unwrap_or("This thread has no plan.");
        if self.awaiting_approval {
            format!(
                "{plan}\n\nThis plan waits for a person's approval: execute_repair asks them, and so does \
                 `ecs-deep-agent resume {}`.",
                self.thread
            )
        } else {
            plan.to_owned()
        }
    }
}

fn ask(text: &mut String, question: &Question) {
    line(
        text,
        format_args!("Question for the person: {}", question.question),
    );
    for option in &question.options {
        line(text, format_args!("- {}", option.label));
    }
    line(
        text,
        format_args!("Call again with `cluster` and `service` once they chose."),
    );
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{words}");
}
