//! The roles that an administrator makes for this program, from the same lists that its sessions are
//! narrowed with: a trust policy, what may be read, what may be written, and how to end sessions.

use serde_json::{Value, json};

use crate::observe_policy::observe_actions;
use crate::plan::WRITE_ACTIONS;

/// Session tags that every session carries; those of a plan carry [`PLAN_TAG`] beside them.
const SESSION_TAGS: [&str; 2] = ["tenant", "thread"];
/// The session tag that names the approved plan.
const PLAN_TAG: &str = "plan";

/// In what form the roles are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleTemplate {
    /// The policy documents alone.
    Json,
    /// An AWS CloudFormation template.
    CloudFormation,
    /// A Terraform module.
    Terraform,
}

/// Writes the roles in a form that can be deployed as it is.
///
/// They are the most that this program ever needs; every session is narrowed further, to reading or
/// to one approved plan.
#[must_use]
pub fn role_template(form: RoleTemplate) -> String {
    match form {
        RoleTemplate::Json => pretty(&documents()),
        RoleTemplate::CloudFormation => cloudformation(),
        RoleTemplate::Terraform => terraform(),
    }
}

/// The actions that the operate role is allowed beside those of the observe role.
pub fn operate_actions() -> impl Iterator<Item = &'static str> {
    WRITE_ACTIONS.iter().map(|write| write.action)
}

fn documents() -> Value {
    json!({
        "trust": trust(&json!("PRINCIPAL_ARN"), &json!("EXTERNAL_ID")),
        "observe": policy(vec![observe_statement()]),
        "operate": policy(operate_statements()),
        "deny_sessions": deny_sessions(),
    })
}

fn policy(statements: Vec<Value>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Whoever assumes the role proves the external id, and says for whom, for which tenant and thread.
fn trust(principal: &Value, external_id: &Value) -> Value {
    let mut told = serde_json::Map::new();
    told.insert("sts:SourceIdentity".to_owned(), json!("*"));
    for tag in SESSION_TAGS {
        told.insert(format!("aws:RequestTag/{tag}"), json!("*"));
    }
    let tags: Vec<&str> = SESSION_TAGS.into_iter().chain([PLAN_TAG]).collect();
    policy(vec![json!({
        "Sid": "AssumedForSomebody",
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
        "Condition": {
            "StringEquals": {"sts:ExternalId": external_id},
            "StringLike": told,
            "ForAllValues:StringEquals": {"aws:TagKeys": tags},
        },
    })])
}

fn observe_statement() -> Value {
    json!({
        "Sid": "Observe",
        "Effect": "Allow",
        "Action": observe_actions().collect::<Vec<_>>(),
        "Resource": "*",
    })
}

fn operate_statements() -> Vec<Value> {
    let plain: Vec<&str> = WRITE_ACTIONS
        .iter()
        .filter(|write| write.condition.is_none())
        .map(|write| write.action)
        .collect();
    let mut statements = vec![
        observe_statement(),
        json!({"Sid": "Operate", "Effect": "Allow", "Action": plain, "Resource": "*"}),
    ];
    for write in WRITE_ACTIONS {
        if let Some((key, value)) = write.condition {
            let name: String = write
                .action
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .collect();
            statements.push(json!({
                "Sid": name,
                "Effect": "Allow",
                "Action": write.action,
                "Resource": "*",
                "Condition": {"StringEquals": {key: value}},
            }));
        }
    }
    statements
}

/// No API ends a session that was issued: these end the sessions of one person, or all that are
/// older than a moment. They are attached to the role when that is wanted, and taken away again.
fn deny_sessions() -> Value {
    policy(vec![
        json!({
            "Sid": "SessionsOfOnePerson",
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceIdentity": "PERSON"}},
        }),
        json!({
            "Sid": "SessionsBefore",
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"DateLessThan": {"aws:TokenIssueTime": "MOMENT"}},
        }),
    ])
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// JSON is YAML, so that the documents go into the template as they are, indented.
fn cloudformation() -> String {
    let trust = trust(&json!("${PrincipalArn}"), &json!("${ExternalId}"));
    let role = |name: &str, title: &str, document: Value| {
        format!(
            "  {name}:\n    Type: AWS::IAM::Role\n    Properties:\n      Description: {title}\n      \
             MaxSessionDuration: 3600\n      AssumeRolePolicyDocument:\n{}\n      Policies:\n        \
             - PolicyName: {}\n          PolicyDocument:\n{}\n",
            indented(&with_parameters(&trust), 8),
            name.to_ascii_lowercase(),
            indented(&document, 12),
        )
    };
    let output = |name: &str| format!("  {name}Arn:\n    Value: !GetAtt {name}.Arn\n");
    format!(
        "# Roles of ECS Deep Agent. Generated: `ecs-deep-agent permissions --template cloudformation`.\n\
         AWSTemplateFormatVersion: \"2010-09-09\"\n\
         Description: Roles that ECS Deep Agent assumes, to observe and to carry out approved plans\n\
         Parameters:\n  PrincipalArn:\n    Type: String\n    Description: ARN of the identity that \
         assumes the roles\n  ExternalId:\n    Type: String\n    NoEcho: true\n    MinLength: 16\n    \
         Description: Secret word of this installation, asked for by the trust policy\n\
         Resources:\n{}{}Outputs:\n{}{}",
        role(
            "Observe",
            "Reads an ECS service and what it depends on",
            policy(vec![observe_statement()])
        ),
        role(
            "Operate",
            "The same, and the changes of approved plans",
            policy(operate_statements())
        ),
        output("Observe"),
        output("Operate"),
    )
}

/// Parameters are put in by CloudFormation where the documents name them.
fn with_parameters(document: &Value) -> Value {
    match document {
        Value::String(text) if text.starts_with("${") => {
            json!({"Ref": text.trim_matches(['$', '{', '}'])})
        }
        Value::Array(items) => items.iter().map(with_parameters).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), with_parameters(value)))
            .collect(),
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            scalar.clone()
        }
    }
}

fn indented(document: &Value, by: usize) -> String {
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    let lines: Vec<String> = text
        .lines()
        .map(|line| format!("{}{line}", " ".repeat(by)))
        .collect();
    lines.join("\n")
}

/// Policy documents are JSON in here-documents; Terraform puts its variables in.
fn terraform() -> String {
    let trust = trust(&json!("${var.principal_arn}"), &json!("${var.external_id}"));
    let role = |name: &str, title: &str, document: &Value| {
        format!(
            "resource \"aws_iam_role\" \"{name}\" {{\n  name                 = \"ecs-deep-agent-{name}\"\n  \
             description          = \"{title}\"\n  max_session_duration = 3600\n  \
             assume_role_policy   = local.trust\n}}\n\nresource \"aws_iam_role_policy\" \"{name}\" {{\n  \
             name   = \"{name}\"\n  role   = aws_iam_role.{name}.id\n  policy = <<-POLICY\n{}\n  \
             POLICY\n}}\n\noutput \"{name}_role_arn\" {{\n  value = aws_iam_role.{name}.arn\n}}\n",
            indented(document, 4)
        )
    };
    format!(
        "# Roles of ECS Deep Agent. Generated: `ecs-deep-agent permissions --template terraform`.\n\n\
         variable \"principal_arn\" {{\n  type        = string\n  description = \"ARN of the identity \
         that assumes the roles\"\n}}\n\nvariable \"external_id\" {{\n  type        = string\n  \
         sensitive   = true\n  description = \"Secret word of this installation, asked for by the trust \
         policy\"\n}}\n\nlocals {{\n  trust = <<-TRUST\n{}\n  TRUST\n}}\n\n{}\n{}",
        indented(&trust, 4),
        role(
            "observe",
            "Reads an ECS service and what it depends on",
            &policy(vec![observe_statement()])
        ),
        role(
            "operate",
            "The same, and the changes of approved plans",
            &policy(operate_statements())
        ),
    )
}

#[cfg(test)]
#[path = "roles_tests.rs"]
mod tests;
