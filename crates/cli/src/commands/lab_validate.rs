//! `lab validate`: what is wrong with scenario files, by line and field.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ecs_agent_ecs::Catalogue;
use ecs_agent_lab::{Review, Scenario};
use serde_json::{Value, json};

use crate::args::Format;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;
use crate::render::{Meaning, Palette, escape_line};

/// One file and what was found about it.
struct Reviewed {
    file: String,
    review: Review,
}

pub(super) fn run(output: &Output, files: &[PathBuf]) -> Result<Exit, CliError> {
    let catalogue = Catalogue::embedded()?;
    let modes: BTreeSet<&str> = catalogue.modes().map(|mode| mode.id.as_str()).collect();
    // All are read before the first is answered: a file that is not there is a slip of the pen.
    let mut texts = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path).map_err(|source| CliError::ScenarioFile {
            path: path.clone(),
            source,
        })?;
        texts.push((path.display().to_string(), text));
    }
    let reviewed: Vec<Reviewed> = texts
        .into_iter()
        .map(|(file, text)| {
            let review = Scenario::review(&file, &text, Some(&modes));
            Reviewed { file, review }
        })
        .collect();
    match output.format() {
        Format::Json => {
            let files: Vec<Value> = reviewed.iter().map(Reviewed::json).collect();
            output.json(&json!({ "files": files }));
        }
        Format::Terminal | Format::Markdown => {
            for one in &reviewed {
                output.text(&one.lines());
            }
        }
    }
    let in_order = reviewed.iter().all(|one| one.review.mistakes.is_empty());
    Ok(if in_order { Exit::Success } else { Exit::Usage })
}

impl Reviewed {
    fn json(&self) -> Value {
        json!({
            "file": self.file,
            "valid": self.review.mistakes.is_empty(),
            "mistakes": self.review.mistakes,
            "not_checked": self.review.not_checked,
        })
    }

    /// `FILE:LINE:COLUMN: field: problem`, as compilers write it and editors find it.
    fn lines(&self) -> String {
        let palette = Palette::of_stdout();
        let file = escape_line(&self.file);
        if self.review.mistakes.is_empty() {
            return format!("{file}: {}\n", palette.paint(Meaning::Good, "in order"));
        }
        let mut text = String::new();
        for mistake in &self.review.mistakes {
            let field = palette.paint(Meaning::Name, escape_line(&mistake.field));
            text.push_str(&format!(
                "{file}:{}:{}: {field}: {}\n",
                mistake.line,
                mistake.column,
                escape_line(&mistake.problem)
            ));
        }
        if let Some(rest) = self.review.not_checked {
            text.push_str(&format!("{file}: not checked until then: {rest}\n"));
        }
        text
    }
}
