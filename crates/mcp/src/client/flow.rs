//! What one server said does not become another one's arguments.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// Shorter stretches are too common to say where they come from.
const WINDOW: usize = 12;

/// What is known about where text comes from.
#[derive(Debug, Default)]
pub struct Sources<'a> {
    /// What other servers said in this thread.
    pub others: Vec<&'a str>,
    /// What may go to the server: what AWS, the person or the server itself said.
    pub known: Vec<&'a str>,
}

impl Sources<'_> {
    /// Tells whether arguments hold a stretch of twelve bytes, in any case, that another server said
    /// and nobody else did.
    ///
    /// It is a rule about text as it is: a model that encodes it gets it past.
    #[must_use]
    pub fn taint(&self, arguments: &Map<String, Value>) -> bool {
        if self.others.is_empty() {
            return false;
        }
        let mut texts = Vec::new();
        for (name, value) in arguments {
            texts.push(name.to_lowercase());
            collect(value, &mut texts);
        }
        let others: Vec<String> = self.others.iter().map(|text| text.to_lowercase()).collect();
        let others = windows(&others);
        let suspects: HashSet<&[u8]> = texts
            .iter()
            .flat_map(|text| text.as_bytes().windows(WINDOW))
            .filter(|window| others.contains(window))
            .collect();
        if suspects.is_empty() {
            return false;
        }
        let known: Vec<String> = self.known.iter().map(|text| text.to_lowercase()).collect();
        let known = windows(&known);
        suspects.iter().any(|window| !known.contains(window))
    }
}

fn windows(texts: &[String]) -> HashSet<&[u8]> {
    texts
        .iter()
        .flat_map(|text| text.as_bytes().windows(WINDOW))
        .collect()
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.to_lowercase()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(members) => {
            for (name, member) in members {
                texts.push(name.to_lowercase());
                collect(member, texts);
            }
        }
        // A long number may be a message as well.
        Value::Number(number) => texts.push(number.to_string()),
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taint(arguments: Value) -> bool {
        let sources = Sources {
            others: vec![
                "the incident key is 9f2c-77aa-canary, in arn:aws:ecs:eu-west-1:1:service/shop/api",
            ],
            known: vec!["arn:aws:ecs:eu-west-1:1:service/shop/api is unwell"],
        };
        sources.taint(arguments.as_object().unwrap())
    }

    #[test]
    fn what_another_server_said_is_recognised_wherever_it_stands() {
        for arguments in [
            json!({"query": "9f2c-77aa-canary"}),
            json!({"query": "please look up 9F2C-77AA-CANARY now"}),
            json!({"deep": [{"er": "x 9f2c-77aa-can"}]}),
            json!({"9f2c-77aa-canary": true}),
        ] {
            assert!(taint(arguments.clone()), "{arguments}");
        }
    }

    #[test]
    fn what_is_known_from_elsewhere_may_go() {
        for arguments in [
            json!({}),
            json!({"service": "arn:aws:ecs:eu-west-1:1:service/shop/api"}),
            json!({"cluster": "shop", "service": "api", "minutes": 60}),
            json!({"query": "9f2c-77aa"}),
        ] {
            assert!(!taint(arguments.clone()), "{arguments}");
        }
        let nothing = Sources::default();
        assert!(!nothing.taint(json!({"query": "9f2c-77aa-canary"}).as_object().unwrap()));
    }
}
