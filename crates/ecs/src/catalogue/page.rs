//! The catalogue in Markdown, for people and for assistants.

use std::fmt::Write as _;

use super::{Catalogue, FixMode, Mode};

impl Catalogue {
    /// Every mode in a line, by category.
    #[must_use]
    pub fn index(&self) -> String {
        let mut text = String::from("# Failure modes\n");
        let mut modes: Vec<&Mode> = self.modes().collect();
        modes.sort_by(|one, other| (&one.category, &one.id).cmp(&(&other.category, &other.id)));
        let mut category = "";
        for mode in modes {
            if mode.category != category {
                category = &mode.category;
                line(&mut text, format_args!("\n## {category}\n"));
            }
            line(&mut text, format_args!("- `{}`: {}", mode.id, mode.title));
        }
        text
    }
}

impl Mode {
    /// The mode on a page of its own.
    #[must_use]
    pub fn page(&self) -> String {
        let mut text = String::new();
        line(&mut text, format_args!("# {}\n", self.title));
        line(
            &mut text,
            format_args!(
                "`{}`, {}, {}. {}\n\n## What is seen\n",
                self.id,
                self.category,
                self.severity.as_str(),
                self.root_cause.trim()
            ),
        );
        for symptom in &self.symptoms {
            let hedge = if symptom.approx {
                " (wording varies)"
            } else {
                ""
            };
            line(
                &mut text,
                format_args!(
                    "- `{}` `{}`: {}{hedge}",
                    symptom.api, symptom.field, symptom.value
                ),
            );
        }
        line(&mut text, format_args!("\n## What decides\n"));
        for check in &self.checks {
            line(
                &mut text,
                format_args!("1. `{}`: {}. {}", check.call, check.look, check.decides),
            );
        }
        if !self.look_alikes.is_empty() {
            line(&mut text, format_args!("\n## What it is confused with\n"));
        }
        for look_alike in &self.look_alikes {
            line(
                &mut text,
                format_args!("- `{}`: {}", look_alike.id, look_alike.tell),
            );
        }
        let who = match self.fix.mode {
            FixMode::Auto | FixMode::Approve => "carried out after approval",
            FixMode::Human => "for a person",
        };
        line(&mut text, format_args!("\n## Repair ({who})\n"));
        for operation in &self.fix.ops {
            line(
                &mut text,
                format_args!("- `{}`: {}", operation.op, operation.change),
            );
        }
        for (title, words) in [
            ("Advice", self.fix.advice.as_str()),
            ("Risk", self.risk.note.as_str()),
            ("Way back", self.rollback.as_str()),
            ("Proof", self.verify.as_str()),
        ] {
            if !words.trim().is_empty() {
                line(&mut text, format_args!("\n{title}: {}", words.trim()));
            }
        }
        text
    }
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{words}");
}
