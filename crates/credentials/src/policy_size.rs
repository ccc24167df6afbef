//! Making a session policy smaller without making it wider, and estimating its packed size.

use std::collections::{BTreeMap, BTreeSet};

use crate::scope::Statement;

/// Condition operator, then key, then accepted values.
type Conditions = BTreeMap<String, BTreeMap<String, Vec<String>>>;
/// One action on one resource.
type Atom = (String, String);

/// Most packed bytes that a policy may take by [`packed_bytes`].
///
/// STS packs policies and tags together and tells only a percentage of a limit that AWS does not
/// publish. The `AssumeRole` example of the API reference has a policy of about 100 characters with
/// three short tags at 8 %; the estimate calls that policy 70 bytes, which puts the real limit well
/// above 1,024 bytes. A fifth of those is kept for the session's tags.
pub(crate) const MOST_PACKED_BYTES: usize = 800;

/// Estimates from above what a policy document takes once STS has packed it: every word counts once
/// with its length and one more, every repetition two bytes, as in a dictionary coding. A capital
/// letter begins a word, so that `DescribeTasks` repeats `Describe`.
///
/// For the observation's policy that is half as much again as deflate needs.
pub(crate) fn packed_bytes(document: &str) -> usize {
    let mut seen = BTreeSet::new();
    let mut bytes: usize = 0;
    let mut rest = document;
    while let Some(letter) = rest.chars().next() {
        let end = match letter.is_alphanumeric() {
            true => rest
                .char_indices()
                .skip(1)
                .find(|(_, next)| next.is_uppercase() || !next.is_alphanumeric())
                .map_or(rest.len(), |(at, _)| at),
            false => letter.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        if letter.is_alphanumeric() {
            bytes += if seen.insert(word) { word.len() + 1 } else { 2 };
        }
        rest = after;
    }
    bytes
}

/// Writes the same permissions in as few characters as can be had without widening: no names,
/// nothing twice, and statements joined where conditions and resources, or conditions and actions,
/// are the same.
///
/// INVARIANT: the result allows an action on a resource under conditions if and only if the
/// statements given do. No two ARNs are ever joined into a pattern.
pub(crate) fn compressed(statements: &[Statement]) -> Vec<Statement> {
    let mut atoms: BTreeMap<Conditions, BTreeSet<Atom>> = BTreeMap::new();
    for statement in statements {
        let under = atoms.entry(normalised(&statement.conditions)).or_default();
        for action in &statement.actions {
            for resource in &statement.resources {
                under.insert((action.clone(), resource.clone()));
            }
        }
    }
    let unconditional = atoms.get(&Conditions::new()).cloned().unwrap_or_default();
    let mut written = Vec::new();
    for (conditions, atoms) in &atoms {
        let needed: BTreeSet<&Atom> = atoms
            .iter()
            .filter(|atom| {
                let wider = |other: &Atom| other != *atom && covers(other, atom);
                let said_without_conditions =
                    !conditions.is_empty() && unconditional.iter().any(|other| covers(other, atom));
                !said_without_conditions && !atoms.iter().any(wider)
            })
            .collect();
        let by_resources = joined(&needed, conditions, |(action, resource)| (action, resource));
        let by_actions = joined(&needed, conditions, |(action, resource)| (resource, action));
        let by_actions: Vec<Statement> = by_actions
            .into_iter()
            .map(|statement| Statement {
                actions: statement.resources,
                resources: statement.actions,
                ..statement
            })
            .collect();
        if length(&by_resources) <= length(&by_actions) {
            written.extend(by_resources);
        } else {
            written.extend(by_actions);
        }
    }
    // Joining can repeat an action for another resource: what was given may have been shorter.
    let unnamed: Vec<Statement> = statements
        .iter()
        .map(|statement| Statement {
            sid: None,
            ..statement.clone()
        })
        .collect();
    if length(&unnamed) < length(&written) {
        return unnamed;
    }
    written
}

fn length(statements: &[Statement]) -> usize {
    statements
        .iter()
        .map(|statement| statement.to_json().to_string().len() + 1)
        .sum()
}

/// Joins atoms whose right sides are the same set: left sides become the actions.
fn joined<'a>(
    atoms: &BTreeSet<&'a Atom>,
    conditions: &Conditions,
    sides: impl Fn(&'a Atom) -> (&'a String, &'a String),
) -> Vec<Statement> {
    let mut rights: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for atom in atoms {
        let (left, right) = sides(atom);
        rights.entry(left).or_default().insert(right);
    }
    let mut lefts: BTreeMap<BTreeSet<&String>, Vec<String>> = BTreeMap::new();
    for (left, rights) in rights {
        lefts.entry(rights).or_default().push(left.clone());
    }
    lefts
        .into_iter()
        .map(|(rights, lefts)| Statement {
            sid: None,
            actions: lefts,
            resources: rights.into_iter().cloned().collect(),
            conditions: conditions.clone(),
        })
        .collect()
}

/// Whether what `wider` says includes `atom`: equal, a longer wildcard action, or any resource.
fn covers(wider: &Atom, atom: &Atom) -> bool {
    let action = wider.0 == atom.0
        || wider
            .0
            .strip_suffix('*')
            .is_some_and(|stem| atom.0.starts_with(stem));
    let resource = wider.1 == atom.1 || wider.1 == "*";
    action && resource
}

fn normalised(conditions: &Conditions) -> Conditions {
    let mut conditions = conditions.clone();
    for values in conditions.values_mut().flat_map(BTreeMap::values_mut) {
        values.sort();
        values.dedup();
    }
    conditions
}

#[cfg(test)]
#[path = "policy_size_tests.rs"]
mod tests;
