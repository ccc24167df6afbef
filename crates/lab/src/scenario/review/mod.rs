//! Says everything that is wrong with a scenario, by line and field.
//!
//! Three looks, each at what the one before found to be in order: the form of the file, what its
//! parts say about each other, and whether the world that it makes is the one it tells of.

mod located;
mod shape;
mod telling;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_saphyr::Spanned;

use self::located::{Node, Place, places};
use self::shape::{Shaped, hold, listed};
use super::Scenario;

/// Something that is wrong with a scenario's file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Mistake {
    /// Counted from 1.
    pub line: u64,
    /// Counted from 1.
    pub column: u64,
    /// Which field, as a path from the file's top.
    pub field: String,
    /// What is wrong and what fits there.
    pub problem: String,
}

/// Everything that was found about a scenario's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Review {
    /// In the order of the file; empty when the scenario is in order.
    pub mistakes: Vec<Mistake>,
    /// What was not looked at because of these mistakes.
    pub not_checked: Option<&'static str>,
}

/// A mistake that names its field only.
#[derive(Debug)]
pub(super) struct Flaw {
    pub(super) field: String,
    pub(super) problem: String,
}

impl Flaw {
    pub(super) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }
}

impl Scenario {
    /// Looks for everything that is wrong with the text of a scenario's file.
    ///
    /// `file` is the file's path or name; `modes` are the failure modes that `truth.causes` may
    /// name, if they are known here.
    #[must_use]
    pub fn review(file: &str, text: &str, modes: Option<&BTreeSet<&str>>) -> Review {
        let document: Spanned<Node> = match serde_saphyr::from_str(text) {
            Ok(document) => document,
            Err(error) => {
                let at = error.location();
                let place = at.map_or((1, 1), |at| (at.line(), at.column()));
                let problem = error.without_snippet().to_string();
                return Review {
                    mistakes: vec![mistake(place, "the file", problem)],
                    not_checked: Some("everything after it"),
                };
            }
        };
        let schema = Self::schema();
        let shaped = hold(&schema, &document);
        let places = places(&document);
        let mut mistakes: Vec<Mistake> = shaped
            .mistakes
            .iter()
            .map(|found| mistake(found.place, &found.field, found.problem.clone()))
            .collect();
        let mut not_checked = None;
        let scenario = shaped.usable.clone().map(serde_json::from_value::<Self>);
        match scenario {
            None => not_checked = Some("whether its parts fit together, and the world it makes"),
            Some(Err(error)) => {
                // The form says yes and the type says no: told, and a test keeps it from happening.
                mistakes.push(mistake((1, 1), "the file", error.to_string()));
            }
            Some(Ok(scenario)) => {
                let mut flaws = scenario.flaws();
                flaws.extend(scenario.misnamed(file));
                flaws.extend(scenario.unknown_causes(modes));
                if let Some(value) = &shaped.usable {
                    flaws.extend(scenario.misdirected(value));
                }
                if flaws.is_empty() && mistakes.is_empty() {
                    flaws.extend(scenario.telling());
                } else {
                    not_checked = Some("the world it makes");
                }
                let located = flaws.into_iter().map(|flaw| {
                    let field = original(&shaped, &flaw.field);
                    mistake(nearest(&places, &field), &field, flaw.problem)
                });
                mistakes.extend(located);
            }
        }
        mistakes.sort();
        mistakes.dedup();
        Review {
            mistakes,
            not_checked,
        }
    }
}

fn mistake((line, column): Place, field: &str, problem: impl Into<String>) -> Mistake {
    Mistake {
        line,
        column,
        field: field.to_owned(),
        problem: problem.into(),
    }
}

/// The path in the file of a path in the usable document, where faulty items are left out.
fn original(shaped: &Shaped, field: &str) -> String {
    for (list, kept) in &shaped.kept {
        let rest = field.strip_prefix(list).and_then(|f| f.strip_prefix('['));
        let Some((index, rest)) = rest.and_then(|rest| rest.split_once(']')) else {
            continue;
        };
        let index = index.parse::<usize>().ok();
        if let Some(index) = index.and_then(|index| kept.get(index)) {
            return format!("{list}[{index}]{rest}");
        }
    }
    field.to_owned()
}

/// The place of a part, or of the nearest one around it that is written down.
fn nearest(places: &BTreeMap<String, Place>, field: &str) -> Place {
    let mut path = field;
    loop {
        if let Some(place) = places.get(path) {
            return *place;
        }
        match path.rfind(['.', '[']) {
            Some(end) => path = path.get(..end).unwrap_or_default(),
            None => return places.get("").copied().unwrap_or((1, 1)),
        }
    }
}

/// Names that fit, for a message.
fn suggestions<'n>(written: &str, names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    listed(written, &names)
}

#[cfg(test)]
#[path = "review_tests.rs"]
mod tests;
