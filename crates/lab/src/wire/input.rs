//! The input of one operation, whichever protocol it came in.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::ApiError;

/// An operation's parameters as one JSON object.
///
/// Query parameters (`Filter.1.Value.2`, `Tags.member.1.Key`) are folded into the same shape that
/// the JSON protocols have, so a handler reads both in one way.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Input(Value);

impl Input {
    /// An object that a JSON or CBOR body held.
    pub(crate) fn from_value(value: Value) -> Self {
        Self(value)
    }

    /// A form body.
    pub(crate) fn from_form(body: &str) -> Self {
        let mut root = Node::default();
        for pair in body.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            root.insert(&decode(name), decode(value));
        }
        Self(root.into_value())
    }

    /// The object itself, for the request log and for echoing.
    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    /// A member, if it is there and not null.
    pub(crate) fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A non-empty string.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.member(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// A whole number; the query protocols send them as text.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        let value = self.member(name)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }

    /// A flag; the query protocols send them as text.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        let value = self.member(name)?;
        value.as_bool().or_else(|| value.as_str()?.parse().ok())
    }

    /// A list of strings; empty when absent.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        match self.member(name) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) if !one.is_empty() => vec![one],
            Some(_) | None => Vec::new(),
        }
    }

    /// A list of structures; empty when absent.
    pub(crate) fn items(&self, name: &str) -> Vec<Self> {
        match self.member(name) {
            Some(Value::Array(items)) => items.iter().cloned().map(Self).collect(),
            Some(_) | None => Vec::new(),
        }
    }

    /// A nested structure; empty when absent.
    pub(crate) fn nested(&self, name: &str) -> Self {
        Self(self.member(name).cloned().unwrap_or_default())
    }

    /// The EC2 style `Filter` list as name and accepted values.
    pub(crate) fn filters(&self) -> Vec<(String, Vec<String>)> {
        let filters = self.items("Filter").into_iter();
        filters
            .filter_map(|filter| {
                let values = filter
                    .texts("Value")
                    .into_iter()
                    .map(str::to_owned)
                    .collect();
                Some((filter.text("Name")?.to_owned(), values))
            })
            .collect()
    }

    /// A string that must be there.
    pub(crate) fn required(&self, name: &str, code: &'static str) -> Result<&str, ApiError> {
        self.text(name)
            .ok_or_else(|| ApiError::invalid(code, format!("{name} must not be empty or missing")))
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

/// A form name split at its dots.
#[derive(Default)]
struct Node {
    leaf: Option<String>,
    children: BTreeMap<String, Node>,
}

impl Node {
    fn insert(&mut self, name: &str, value: String) {
        let mut node = self;
        for part in name.split('.') {
            // The list markers of the query protocol carry no meaning of their own.
            if part == "member" || part == "entry" {
                continue;
            }
            node = node.children.entry(part.to_owned()).or_default();
        }
        node.leaf = Some(value);
    }

    fn into_value(self) -> Value {
        if self.children.is_empty() {
            return Value::String(self.leaf.unwrap_or_default());
        }
        if self.children.keys().all(|key| key.parse::<u32>().is_ok()) {
            let mut items: Vec<(u32, Self)> = self
                .children
                .into_iter()
                .map(|(key, node)| (key.parse().unwrap_or_default(), node))
                .collect();
            items.sort_by_key(|(index, _)| *index);
            return items
                .into_iter()
                .map(|(_, node)| node.into_value())
                .collect();
        }
        let members = self.children.into_iter();
        Value::Object(
            members
                .map(|(key, node)| (key, node.into_value()))
                .collect::<Map<_, _>>(),
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn forms_fold_into_objects() {
        let input = Input::from_form(
            "Action=X&Filter.1.Name=vpc-id&Filter.1.Value.1=a%2Bb&Filter.1.Value.2=c+d\
             &Tags.member.10.Key=z&Tags.member.2.Key=y&Empty=",
        );
        assert_eq!(
            input.value(),
            &json!({
                "Action": "X",
                "Empty": "",
                "Filter": [{"Name": "vpc-id", "Value": ["a+b", "c d"]}],
                "Tags": [{"Key": "y"}, {"Key": "z"}],
            }),
        );
        assert_eq!(
            input.filters(),
            [(
                "vpc-id".to_owned(),
                vec!["a+b".to_owned(), "c d".to_owned()]
            )]
        );
        assert!(input.texts("Empty").is_empty());
    }
}
