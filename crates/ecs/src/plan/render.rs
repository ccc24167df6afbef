//! The text that a person decides on, made from exactly the content that is hashed.

use super::{Inverse, Permission, PlanContent, Step};

/// The whole plan as plain text without terminal codes.
pub(crate) fn text(content: &PlanContent) -> String {
    let mut lines = vec![
        format!("Target   {}", content.service),
        format!("Account  {} in {}", content.account, content.region),
        format!(
            "Repairs  {}",
            if content.repairs.is_empty() {
                "-".to_owned()
            } else {
                content.repairs.join(", ")
            }
        ),
    ];
    for step in &content.steps {
        lines.push(String::new());
        lines.extend(step_lines(step));
    }
    if content.steps.is_empty() {
        lines.push(String::new());
        lines.push(
            "Nothing here can be done by the program; the advice is for a person.".to_owned(),
        );
    }
    for advice in &content.advice {
        lines.push(String::new());
        lines.push(format!("For a person: {}", advice.title));
        lines.push(format!("  why      {}", advice.why_a_person));
        lines.extend(
            advice
                .commands
                .iter()
                .map(|command| format!("  run      {command}")),
        );
    }
    for alternative in &content.alternatives {
        lines.push(String::new());
        lines.push(format!("Instead: {}", alternative.title));
        lines.push(format!("  trade    {}", alternative.trade_off));
    }
    for warning in &content.warnings {
        lines.push(String::new());
        lines.push(format!("Note: {warning}"));
    }
    let mut text: String = lines.join("\n").chars().map(shown).collect();
    text.push('\n');
    text
}

/// The lines of one step.
pub(crate) fn step_lines(step: &Step) -> Vec<String> {
    let mut lines = vec![
        format!("Step {}: {}", step.number, step.effect),
        format!("  why      {}", step.reason),
    ];
    for line in &step.diff {
        if let Some(before) = &line.before {
            lines.push(format!("  -        {}: {before}", line.field));
        }
        if let Some(after) = &line.after {
            lines.push(format!("  +        {}: {after}", line.field));
        }
    }
    lines.extend(
        step.unproven
            .iter()
            .map(|what| format!("  UNPROVEN {what}")),
    );
    lines.push(format!(
        "  risk     {}: {}",
        step.risk.as_str(),
        step.risk_note
    ));
    lines.push(format!("  touches  {}", step.blast_radius));
    lines.push(format!("  calls    {}", step.calls.join(", ")));
    lines.push(format!("  needs    {}", needs(&step.permissions)));
    lines.push(format!("  check    {}", step.effect_check));
    lines.push(format!("  undo     {}", undo(&step.inverse)));
    lines
}

pub(crate) fn needs(permissions: &[Permission]) -> String {
    permissions
        .iter()
        .map(|permission| {
            format!(
                "{} on {}",
                permission.actions.join(", "),
                permission.resources.join(", ")
            )
        })
        .collect::<Vec<_>>()
        .join("; ")
}

pub(crate) fn undo(inverse: &Inverse) -> String {
    match inverse {
        Inverse::Operation { operation } => format!("{} with the values before", operation.name()),
        Inverse::NothingToUndo { why } => format!("nothing to undo: {why}"),
        Inverse::Irreversible { why } => format!("cannot be undone: {why}"),
    }
}

/// SECURITY: control, bidirectional and invisible characters could make the text say something
/// else than what is executed.
pub(crate) fn shown(letter: char) -> char {
    if ecs_agent_untrusted::is_active(letter) && letter != '\n' {
        '\u{fffd}'
    } else {
        letter
    }
}
