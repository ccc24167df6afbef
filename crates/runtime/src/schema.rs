//! A first look at a model's arguments: enough to tell it what is wrong before a tool is called.
//! The tool itself parses in full.

use serde_json::Value;

/// Why arguments do not fit a tool's schema; the text is for the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentsError {
    #[error("arguments must be a JSON object")]
    NotAnObject,
    #[error("argument `{0}` is missing")]
    Missing(String),
    #[error("argument `{name}` must be of type {expected}")]
    Type { name: String, expected: String },
    #[error("argument `{name}` must be one of {accepted}")]
    NotOneOf { name: String, accepted: String },
    #[error("argument `{0}` is not known")]
    Unknown(String),
}

/// Checks the top level: an object, what is required, plain types, enums, unknown names.
pub(crate) fn check(schema: &Value, arguments: &Value) -> Result<(), ArgumentsError> {
    let given = arguments.as_object().ok_or(ArgumentsError::NotAnObject)?;
    let required = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let required: Vec<&str> = required.filter_map(Value::as_str).collect();
    if let Some(missing) = required.iter().find(|name| !given.contains_key(**name)) {
        return Err(ArgumentsError::Missing((*missing).to_owned()));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, value) in given {
        let Some(property) = properties.and_then(|properties| properties.get(name)) else {
            if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
                return Err(ArgumentsError::Unknown(name.chars().take(80).collect()));
            }
            continue;
        };
        // Models write null for an optional argument that they leave out.
        if value.is_null() && !required.contains(&name.as_str()) {
            continue;
        }
        check_value(name, property, value)?;
    }
    Ok(())
}

fn check_value(name: &str, property: &Value, value: &Value) -> Result<(), ArgumentsError> {
    let types: Vec<&str> = match property.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|expected| is_of_type(expected, value)) {
        return Err(ArgumentsError::Type {
            name: name.to_owned(),
            expected: types.join(" or "),
        });
    }
    if let Some(accepted) = property.get("enum").and_then(Value::as_array)
        && !accepted.contains(value)
    {
        let accepted: Vec<String> = accepted.iter().map(Value::to_string).collect();
        return Err(ArgumentsError::NotOneOf {
            name: name.to_owned(),
            accepted: accepted.join(", "),
        });
    }
    Ok(())
}

fn is_of_type(expected: &str, value: &Value) -> bool {
    match expected {
        "string" => value.is_string(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        // A type that JSON Schema does not have is the schema author's mistake, not the model's.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_checked_at_the_top_level() {
        let schema = json!({
            "type": "object",
            "properties": {
                "cluster": {"type": "string"},
                "count": {"type": ["integer", "null"]},
                "mode": {"type": "string", "enum": ["a", "b"]},
                "free": true,
            },
            "required": ["cluster"],
            "additionalProperties": false,
        });
        let cases = [
            (
                json!({"cluster": "c", "count": 2, "mode": "a", "free": [1]}),
                Ok(()),
            ),
            (json!({"cluster": "c", "mode": null}), Ok(())),
            (
                json!("{\"cluster\""),
                Err("arguments must be a JSON object"),
            ),
            (json!({}), Err("argument `cluster` is missing")),
            (
                json!({"cluster": null}),
                Err("argument `cluster` must be of type string"),
            ),
            (
                json!({"cluster": "c", "count": 1.5}),
                Err("argument `count` must be of type integer or null"),
            ),
            (
                json!({"cluster": "c", "mode": "z"}),
                Err("argument `mode` must be one of \"a\", \"b\""),
            ),
            (
                json!({"cluster": "c", "x": 1}),
                Err("argument `x` is not known"),
            ),
        ];
        for (arguments, expected) in cases {
            let result = check(&schema, &arguments).map_err(|error| error.to_string());
            assert_eq!(result, expected.map_err(str::to_owned), "{arguments}");
        }
    }
}
