//! Holds a document against the scenarios' own JSON Schema, and goes on after a mistake.
//!
//! It knows what `schemars` writes for this crate's types and no more. A general validator would
//! say of an unknown change that it fits none of forty alternatives; this one knows that the one
//! key decides which alternative was meant.

use serde_json::{Map, Value, json};
use serde_saphyr::Spanned;

use super::located::{Node, Place, member, place};

/// Lists whose faulty items can be left out without making the rest wrong.
const LOOSE: [&str; 2] = ["events", "symptoms"];

/// A mistake at a place.
#[derive(Debug)]
pub(super) struct Misshape {
    pub(super) place: Place,
    pub(super) field: String,
    pub(super) problem: String,
}

/// What a document's form allows.
#[derive(Debug)]
pub(super) struct Shaped {
    pub(super) mistakes: Vec<Misshape>,
    /// The document without what is not understood; absent when too much is missing.
    pub(super) usable: Option<Value>,
    /// For each of the loose lists, which of its items are in the usable document.
    pub(super) kept: Vec<(&'static str, Vec<usize>)>,
}

/// Holds `document` against `schema`.
pub(super) fn hold(schema: &Value, document: &Spanned<Node>) -> Shaped {
    let mut ruler = Ruler {
        root: schema,
        mistakes: Vec::new(),
        kept: Vec::new(),
    };
    let usable = ruler.check(document, schema, "");
    Shaped {
        mistakes: ruler.mistakes,
        usable,
        kept: ruler.kept,
    }
}

struct Ruler<'s> {
    root: &'s Value,
    mistakes: Vec<Misshape>,
    kept: Vec<(&'static str, Vec<usize>)>,
}

impl<'s> Ruler<'s> {
    fn wrong(&mut self, at: Place, field: &str, problem: impl Into<String>) {
        let field = if field.is_empty() { "the file" } else { field };
        self.mistakes.push(Misshape {
            place: at,
            field: field.to_owned(),
            problem: problem.into(),
        });
    }

    /// The value as the schema's type takes it; `None` when it does not.
    fn check(&mut self, part: &Spanned<Node>, schema: &'s Value, path: &str) -> Option<Value> {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let root = self.root;
            return match name.strip_prefix('#').and_then(|name| root.pointer(name)) {
                Some(target) => self.check(part, target, path),
                None => None,
            };
        }
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            if matches!(part.value, Node::Null) {
                return Some(Value::Null);
            }
            let some = choices.iter().find(|choice| !is_null(choice))?;
            return self.check(part, some, path);
        }
        if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
            return self.choose(part, choices, path);
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            return self.word(part, &words, path);
        }
        let kinds: Vec<&str> = match schema.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            Some(_) | None => Vec::new(),
        };
        if matches!(part.value, Node::Null) && kinds.contains(&"null") {
            return Some(Value::Null);
        }
        match kinds.first().copied() {
            Some("object") => self.object(part, schema, path),
            Some("array") => self.array(part, schema, path),
            Some("string") => self.text(part, path),
            Some("boolean") => match part.value {
                Node::Flag(flag) => Some(json!(flag)),
                Node::Null
                | Node::Integer(_)
                | Node::Fraction(_)
                | Node::Text(_)
                | Node::Sequence(_)
                | Node::Mapping(_) => self.refuse(part, path, "`true` or `false`"),
            },
            Some("integer") => self.integer(part, schema, path),
            Some(_) | None => None,
        }
    }

    fn refuse(&mut self, part: &Spanned<Node>, path: &str, wanted: &str) -> Option<Value> {
        let found = part.value.description();
        self.wrong(
            place(part),
            path,
            format!("is {found}; it must be {wanted}"),
        );
        None
    }

    fn text(&mut self, part: &Spanned<Node>, path: &str) -> Option<Value> {
        match &part.value {
            Node::Text(text) => Some(json!(text)),
            Node::Flag(_) | Node::Integer(_) | Node::Fraction(_) => {
                self.refuse(part, path, "text: put it in quotes")
            }
            Node::Null | Node::Sequence(_) | Node::Mapping(_) => self.refuse(part, path, "text"),
        }
    }

    fn word(&mut self, part: &Spanned<Node>, words: &[&str], path: &str) -> Option<Value> {
        match &part.value {
            Node::Text(text) if words.contains(&text.as_str()) => Some(json!(text)),
            Node::Text(text) => {
                let problem = format!("`{text}` is not one of {}", listed(text, words));
                self.wrong(place(part), path, problem);
                None
            }
            Node::Null
            | Node::Flag(_)
            | Node::Integer(_)
            | Node::Fraction(_)
            | Node::Sequence(_)
            | Node::Mapping(_) => self.refuse(part, path, &format!("one of {}", listed("", words))),
        }
    }

    fn integer(&mut self, part: &Spanned<Node>, schema: &Value, path: &str) -> Option<Value> {
        let (low, high) = match schema.get("format").and_then(Value::as_str) {
            Some("uint16") => (0, i128::from(u16::MAX)),
            Some("uint32") => (0, i128::from(u32::MAX)),
            Some("int32") => (i128::from(i32::MIN), i128::from(i32::MAX)),
            Some(_) | None => (0, i128::from(u64::MAX)),
        };
        match part.value {
            Node::Integer(number) if (low..=high).contains(&number) => {
                if number < 0 {
                    i64::try_from(number).ok().map(|number| json!(number))
                } else {
                    u64::try_from(number).ok().map(|number| json!(number))
                }
            }
            _ if high >= i128::from(u32::MAX) => {
                self.refuse(part, path, "a whole number, 0 or more")
            }
            Node::Null
            | Node::Flag(_)
            | Node::Integer(_)
            | Node::Fraction(_)
            | Node::Text(_)
            | Node::Sequence(_)
            | Node::Mapping(_) => {
                self.refuse(part, path, &format!("a whole number from {low} to {high}"))
            }
        }
    }

    fn array(&mut self, part: &Spanned<Node>, schema: &'s Value, path: &str) -> Option<Value> {
        let Node::Sequence(items) = &part.value else {
            return self.refuse(part, path, "a list");
        };
        let item_schema = schema.get("items")?;
        let checked: Vec<Option<Value>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| self.check(item, item_schema, &format!("{path}[{index}]")))
            .collect();
        if let Some(list) = LOOSE.into_iter().find(|name| *name == path) {
            let kept = checked.iter().enumerate();
            let kept = kept.filter(|(_, item)| item.is_some());
            self.kept
                .push((list, kept.map(|(index, _)| index).collect()));
            return Some(Value::Array(checked.into_iter().flatten().collect()));
        }
        checked
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .map(Value::Array)
    }

    fn object(&mut self, part: &Spanned<Node>, schema: &'s Value, path: &str) -> Option<Value> {
        let Node::Mapping(entries) = &part.value else {
            return self.refuse(part, path, "a mapping of fields to values");
        };
        let known = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let mut object = Map::new();
        for (key, value) in entries {
            let name = key.value.as_str();
            let field = member(path, name);
            if let Some(schema) = known.and_then(|known| known.get(name)) {
                if let Some(value) = self.check(value, schema, &field) {
                    object.insert(name.to_owned(), value);
                }
            } else if let Some(schema) = others.filter(|others| others.is_object()) {
                if let Some(value) = self.check(value, schema, &field) {
                    object.insert(name.to_owned(), value);
                }
            } else {
                let names: Vec<&str> = known.into_iter().flatten().map(|(n, _)| &**n).collect();
                let problem = format!("there is no such field; here are {}", listed(name, &names));
                self.wrong(place(key), &field, problem);
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        let required = required.into_iter().flatten().filter_map(Value::as_str);
        let mut complete = true;
        for name in required.filter(|name| !object.contains_key(*name)) {
            complete = false;
            if !entries.iter().any(|(key, _)| key.value == name) {
                let meaning = known
                    .and_then(|known| known.get(name)?.get("description")?.as_str())
                    .map(|text| format!(" ({})", text.trim_end_matches('.')));
                let meaning = meaning.unwrap_or_default();
                self.wrong(
                    place(part),
                    &member(path, name),
                    format!("is missing{meaning}"),
                );
            }
        }
        complete.then_some(Value::Object(object))
    }

    /// One of several words, or a mapping of one of several keys.
    fn choose(&mut self, part: &Spanned<Node>, choices: &'s [Value], path: &str) -> Option<Value> {
        let words: Vec<&str> = choices.iter().flat_map(words_of).collect();
        let keyed: Vec<(&str, &'s Value)> = choices.iter().filter_map(key_of).collect();
        let names = |words: &[&'s str]| {
            let mut names = words.to_vec();
            names.extend(keyed.iter().map(|(key, _)| *key));
            names
        };
        match &part.value {
            Node::Text(text) if words.contains(&text.as_str()) => Some(json!(text)),
            Node::Text(text) if keyed.iter().any(|(key, _)| key == text) => {
                self.wrong(
                    place(part),
                    path,
                    format!("`{text}` needs its fields: `{text}: {{…}}`"),
                );
                None
            }
            Node::Text(text) => {
                let problem = format!("`{text}` is not one of {}", listed(text, &names(&words)));
                self.wrong(place(part), path, problem);
                None
            }
            Node::Mapping(entries) if !keyed.is_empty() => {
                let [(key, value)] = entries.as_slice() else {
                    let count = entries.len();
                    let problem = format!("holds {count} entries; it must hold exactly one");
                    self.wrong(place(part), path, problem);
                    return None;
                };
                let name = key.value.as_str();
                if let Some((_, schema)) = keyed.iter().find(|(key, _)| *key == name) {
                    let value = self.check(value, schema, &member(path, name))?;
                    return Some(json!({ name: value }));
                }
                let problem = if words.contains(&name) {
                    format!("`{name}` has no fields: write the name alone")
                } else {
                    format!("`{name}` is not one of {}", listed(name, &names(&words)))
                };
                self.wrong(place(key), path, problem);
                None
            }
            Node::Null
            | Node::Flag(_)
            | Node::Integer(_)
            | Node::Fraction(_)
            | Node::Sequence(_)
            | Node::Mapping(_) => self.refuse(
                part,
                path,
                &format!("one of {}", listed("", &names(&words))),
            ),
        }
    }
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

fn words_of(choice: &Value) -> Vec<&str> {
    let many = choice.get("enum").and_then(Value::as_array);
    let one = choice.get("const").into_iter();
    let all = many.into_iter().flatten().chain(one);
    all.filter_map(Value::as_str).collect()
}

fn key_of(choice: &Value) -> Option<(&str, &Value)> {
    let properties = choice.get("properties")?.as_object()?;
    properties
        .iter()
        .next()
        .map(|(key, schema)| (&**key, schema))
}

/// The names that fit, and first of all the one that was probably meant.
pub(super) fn listed(written: &str, names: &[&str]) -> String {
    let all = names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    let closest = names
        .iter()
        .map(|name| (strsim::jaro_winkler(written, name), *name))
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    match closest {
        Some((likeness, name)) if likeness > 0.85 => format!("{all}; did you mean `{name}`?"),
        Some(_) | None => all,
    }
}
