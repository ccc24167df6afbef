//! JSON values as the XML of the query protocols.

use quick_xml::escape::escape;
use serde_json::Value;

/// How a list's elements are named: `member` in AWS Query, `item` in EC2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListStyle {
    Member,
    Item,
}

/// Appends `<name>value</name>`; nulls are left out, as AWS does.
pub(super) fn element(out: &mut String, name: &str, value: &Value, style: ListStyle) {
    if value.is_null() {
        return;
    }
    open(out, name);
    content(out, value, style);
    close(out, name);
}

/// Appends the children of an object, or the text of a scalar.
pub(super) fn content(out: &mut String, value: &Value, style: ListStyle) {
    match value {
        Value::Null => {}
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => out.push_str(&escape(text.as_str())),
        Value::Array(items) => {
            let name = match style {
                ListStyle::Member => "member",
                ListStyle::Item => "item",
            };
            for item in items {
                element(out, name, item, style);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                element(out, name, member, style);
            }
        }
    }
}

fn open(out: &mut String, name: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
}

fn close(out: &mut String, name: &str) {
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_elements() {
        let mut out = String::new();
        let value = json!({"a": [1, {"b": "<&>"}], "gone": null, "flag": true});
        element(&mut out, "R", &value, ListStyle::Member);
        assert_eq!(
            out,
            "<R><a><member>1</member><member><b>&lt;&amp;&gt;</b></member></a>\
             <flag>true</flag></R>",
        );
    }
}
