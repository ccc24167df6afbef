//! The plan as a person sees it before they decide: made by the program from the very content
//! that the hash covers.

use ecs_agent_ecs::{Advice, Alternative, Inverse, PlanContent, Risk, Step};

use super::style::{Meaning, Palette};
use super::wrap::wrap;
use ecs_agent_untrusted::escape_line;

/// Column that the values of a step's fields begin in.
const VALUES: usize = 15;

/// Renders the plan, line by line.
pub(crate) fn plan_lines(
    plan: &PlanContent,
    hash: &str,
    palette: Palette,
    width: u16,
) -> Vec<String> {
    let mut lines = Page {
        palette,
        width,
        lines: Vec::new(),
    };
    lines.push(&palette.paint(Meaning::Heading, "Repair plan"));
    lines.field("service", &plan.service);
    lines.field("account", &format!("{} in {}", plan.account, plan.region));
    lines.field("repairs", &plan.repairs.join(", "));
    for step in &plan.steps {
        lines.step(step);
    }
    for advice in &plan.advice {
        lines.advice(advice);
    }
    for warning in &plan.warnings {
        let label = palette.paint(Meaning::Warning, "warning:");
        lines.push(&format!("{label} {}", escape_line(warning)));
    }
    for alternative in &plan.alternatives {
        lines.alternative(alternative);
    }
    let short: String = hash.chars().take(12).collect();
    lines.push("");
    lines.field("permissions", &permissions(plan));
    lines.field("plan", &short);
    lines.lines
}

/// Lines with their colours.
struct Page {
    palette: Palette,
    width: u16,
    lines: Vec<String>,
}

impl Page {
    /// A line that is broken between words where it is too long.
    fn push(&mut self, line: &str) {
        self.push_under(line, 2);
    }

    fn push_under(&mut self, line: &str, indent: usize) {
        self.lines.push(wrap(line, self.width, indent));
    }

    fn field(&mut self, name: &str, value: &str) {
        let name = self.palette.paint(Meaning::Quiet, format!("{name:<12}"));
        self.push_under(&format!("  {name} {}", escape_line(value)), VALUES);
    }

    fn step(&mut self, step: &Step) {
        self.push("");
        let title = format!("{}. {}", step.number, escape_line(&step.effect));
        let title = self.palette.paint(Meaning::Heading, title);
        self.push_under(&title, 3);
        self.field("why", &step.reason);
        let risk = self
            .palette
            .paint(risk_meaning(step.risk), step.risk.as_str());
        let name = self
            .palette
            .paint(Meaning::Quiet, format!("{:<12}", "risk"));
        let line = format!("  {name} {risk}: {}", escape_line(&step.risk_note));
        self.push_under(&line, VALUES);
        self.field("touches", &step.blast_radius);
        for line in &step.diff {
            self.lines.push(format!("    {}", escape_line(&line.field)));
            if let Some(before) = &line.before {
                let removed = format!("    - {}", escape_line(before));
                self.lines
                    .push(self.palette.paint(Meaning::Removed, removed));
            }
            if let Some(after) = &line.after {
                let added = format!("    + {}", escape_line(after));
                self.lines.push(self.palette.paint(Meaning::Added, added));
            }
        }
        self.field("checked by", &step.effect_check);
        self.field("undone by", &undone_by(&step.inverse));
        for unproven in &step.unproven {
            let label = self.palette.paint(Meaning::Warning, "unproven:");
            self.push_under(&format!("  {label} {}", escape_line(unproven)), 4);
        }
    }

    fn advice(&mut self, advice: &Advice) {
        self.push("");
        let label = self.palette.paint(Meaning::Warning, "for you to do:");
        self.push(&format!("{label} {}", escape_line(&advice.title)));
        self.field("why you", &advice.why_a_person);
        for command in &advice.commands {
            let command = self.palette.paint(Meaning::Name, escape_line(command));
            self.lines.push(format!("    {command}"));
        }
    }

    fn alternative(&mut self, alternative: &Alternative) {
        self.push("");
        let label = self.palette.paint(Meaning::Quiet, "not chosen:");
        self.push(&format!(
            "{label} {} ({})",
            escape_line(&alternative.title),
            escape_line(&alternative.trade_off)
        ));
    }
}

fn risk_meaning(risk: Risk) -> Meaning {
    match risk {
        Risk::Low => Meaning::Good,
        Risk::Medium => Meaning::Warning,
        Risk::High => Meaning::Bad,
    }
}

fn undone_by(inverse: &Inverse) -> String {
    match inverse {
        Inverse::Operation { operation } => serde_json::to_value(operation)
            .ok()
            .and_then(|value| {
                value
                    .get("kind")?
                    .as_str()
                    .map(|kind| kind.replace('_', " "))
            })
            .unwrap_or_else(|| "its inverse operation".to_owned()),
        Inverse::NothingToUndo { why } => format!("nothing to undo: {why}"),
        Inverse::Irreversible { why } => format!("cannot be undone: {why}"),
    }
}

fn permissions(plan: &PlanContent) -> String {
    let mut actions: Vec<&str> = plan
        .session_policy
        .iter()
        .flat_map(|permission| permission.actions.iter().map(String::as_str))
        .collect();
    actions.sort_unstable();
    actions.dedup();
    actions.join(", ")
}
