//! Which cause was taken for which.

use std::collections::BTreeMap;

use serde::Serialize;

use super::score::Score;

/// Stands for the absence of a cause.
const NOTHING: &str = "(nothing)";

/// One cell of the matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Cell {
    /// The real cause; `(nothing)` where there was none.
    pub(crate) expected: String,
    /// What was reported instead or rightly; `(nothing)` where nothing was.
    pub(crate) found: String,
    /// How often.
    pub(crate) count: usize,
}

/// The matrix, without its empty cells.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub(crate) struct Confusion(Vec<Cell>);

impl Confusion {
    /// Counts right causes on the diagonal; a missed cause is set against each false one.
    pub(crate) fn of(scores: &[Score]) -> Self {
        let mut cells: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut count = |expected: &str, found: &str| {
            *cells
                .entry((expected.to_owned(), found.to_owned()))
                .or_default() += 1;
        };
        for score in scores {
            for cause in score
                .expected
                .iter()
                .filter(|cause| score.found.contains(cause))
            {
                count(cause, cause);
            }
            if score.expected.is_empty() && score.found.is_empty() && score.error.is_none() {
                count(NOTHING, NOTHING);
            }
            let missed: Vec<&str> = or_nothing(score.missed().map(String::as_str).collect());
            let wrong: Vec<&str> =
                or_nothing(score.false_causes.iter().map(String::as_str).collect());
            for expected in &missed {
                for found in wrong
                    .iter()
                    .filter(|found| (*expected, **found) != (NOTHING, NOTHING))
                {
                    count(expected, found);
                }
            }
        }
        Self(
            cells
                .into_iter()
                .map(|((expected, found), count)| Cell {
                    expected,
                    found,
                    count,
                })
                .collect(),
        )
    }

    /// The cells off the diagonal.
    pub(crate) fn mistakes(&self) -> impl Iterator<Item = &Cell> {
        self.0.iter().filter(|cell| cell.expected != cell.found)
    }
}

fn or_nothing(causes: Vec<&str>) -> Vec<&str> {
    match causes.is_empty() {
        true => vec![NOTHING],
        false => causes,
    }
}

#[cfg(test)]
mod tests {
    use ecs_agent_lab::{Target, Truth};

    use super::*;

    fn score(expected: &[&str], found: &[&str]) -> Score {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let truth = Truth {
            target: Target {
                account: None,
                region: None,
                cluster: "production".to_owned(),
                service: "api".to_owned(),
            },
            causes: texts(expected),
            repairable: true,
            needs_person: false,
            ambiguous: false,
        };
        let found: Vec<String> = texts(found);
        Score {
            false_causes: found
                .iter()
                .filter(|cause| !truth.causes.contains(cause))
                .cloned()
                .collect(),
            found,
            error: None,
            ..Score::broken("x", &truth, String::new())
        }
    }

    #[test]
    fn a_mistake_is_off_the_diagonal() {
        let matrix = Confusion::of(&[
            score(&["a"], &["a"]),
            score(&["a"], &["b"]),
            score(&["a", "c"], &["a"]),
            score(&[], &[]),
            score(&[], &["b"]),
        ]);
        let mistakes: Vec<(&str, &str, usize)> = matrix
            .mistakes()
            .map(|cell| (cell.expected.as_str(), cell.found.as_str(), cell.count))
            .collect();
        assert_eq!(
            mistakes,
            [("(nothing)", "b", 1), ("a", "b", 1), ("c", "(nothing)", 1)]
        );
        assert_eq!(matrix.0.iter().map(|cell| cell.count).sum::<usize>(), 6);
    }
}
