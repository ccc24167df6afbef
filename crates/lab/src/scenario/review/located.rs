//! A YAML document as a tree whose every part knows where it stands.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// Line and column, both counted from 1.
pub(super) type Place = (u64, u64);

/// One part of a document.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Flag(bool),
    Integer(i128),
    Fraction(f64),
    Text(String),
    Sequence(Vec<Spanned<Node>>),
    Mapping(Vec<(Spanned<String>, Spanned<Node>)>),
}

/// Where a part stands.
pub(super) fn place<T>(part: &Spanned<T>) -> Place {
    (part.referenced.line(), part.referenced.column())
}

/// The place of every part, by its path (`events[0].change`).
pub(super) fn places(root: &Spanned<Node>) -> BTreeMap<String, Place> {
    let mut places = BTreeMap::new();
    collect(root, "", &mut places);
    places
}

fn collect(part: &Spanned<Node>, path: &str, places: &mut BTreeMap<String, Place>) {
    places.insert(path.to_owned(), place(part));
    match &part.value {
        Node::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &format!("{path}[{index}]"), places);
            }
        }
        Node::Mapping(entries) => {
            for (key, value) in entries {
                collect(value, &member(path, &key.value), places);
            }
        }
        Node::Null | Node::Flag(_) | Node::Integer(_) | Node::Fraction(_) | Node::Text(_) => {}
    }
}

/// The path of a member.
pub(super) fn member(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

impl Node {
    /// What a person would call it.
    pub(super) fn description(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Flag(flag) => format!("`{flag}`"),
            Self::Integer(number) => format!("the number {number}"),
            Self::Fraction(number) => format!("the number {number}"),
            Self::Text(text) => format!("the text `{text}`"),
            Self::Sequence(_) => "a list".to_owned(),
            Self::Mapping(_) => "a mapping".to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Node, E> {
        Ok(Node::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Integer(i128::from(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Integer(i128::from(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Node, E> {
        Ok(Node::Fraction(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut found = Vec::new();
        while let Some(item) = items.next_element()? {
            found.push(item);
        }
        Ok(Node::Sequence(found))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut found = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            found.push(entry);
        }
        Ok(Node::Mapping(found))
    }
}
