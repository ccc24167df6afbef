//! AWS IAM: roles and their policies.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::page::{Paging, page};
use super::{Answer, Call, Effect, Need, Operation, compact, iso};
use crate::iam::{Access, PolicyDocument, Verdict, authorize};
use crate::wire::ApiError;
use crate::world::{Account, ManagedPolicy, Role};

const fn reads(
    name: &'static str,
    needs: fn(&Call<'_>) -> Vec<Need>,
    run: fn(&mut Call<'_>) -> Answer,
) -> Operation {
    Operation {
        service: "iam",
        name,
        effect: Effect::Reads,
        needs,
        run,
    }
}

const fn mutates(
    name: &'static str,
    needs: fn(&Call<'_>) -> Vec<Need>,
    run: fn(&mut Call<'_>) -> Answer,
) -> Operation {
    Operation {
        service: "iam",
        name,
        effect: Effect::Mutates,
        needs,
        run,
    }
}

pub(super) const OPERATIONS: &[Operation] = &[
    reads("GetRole", |call| on_role(call, "iam:GetRole"), get_role),
    reads(
        "ListRoles",
        |_| super::everything("iam:ListRoles"),
        list_roles,
    ),
    reads(
        "ListRolePolicies",
        |call| on_role(call, "iam:ListRolePolicies"),
        list_inline,
    ),
    reads(
        "GetRolePolicy",
        |call| on_role(call, "iam:GetRolePolicy"),
        get_inline,
    ),
    reads(
        "ListAttachedRolePolicies",
        |call| on_role(call, "iam:ListAttachedRolePolicies"),
        list_attached,
    ),
    reads(
        "GetPolicy",
        |call| on_policy(call, "iam:GetPolicy"),
        get_policy,
    ),
    reads(
        "GetPolicyVersion",
        |call| on_policy(call, "iam:GetPolicyVersion"),
        get_policy_version,
    ),
    reads("SimulatePrincipalPolicy", simulate_needs, simulate),
    mutates(
        "PutRolePolicy",
        |call| on_role(call, "iam:PutRolePolicy"),
        put_inline,
    ),
    mutates(
        "AttachRolePolicy",
        |call| on_role(call, "iam:AttachRolePolicy"),
        attach,
    ),
];

const PAGES: Paging = Paging {
    size: "MaxItems",
    token: "Marker",
    default: 100,
    most: 1000,
    bad_token: "ValidationError",
};
const INVALID: &str = "ValidationError";
/// Every managed policy of the lab has one version.
const VERSION: &str = "v1";

fn on_role(call: &Call<'_>, action: &'static str) -> Vec<Need> {
    let name = call.input.text("RoleName").unwrap_or("*");
    let arn = match call.account().and_then(|account| account.role(name)) {
        Some(role) => role.arn.clone(),
        None => format!("arn:aws:iam::{}:role/{name}", call.caller.account),
    };
    let need = Need::on(action, arn);
    vec![match call.input.text("PolicyArn") {
        Some(policy) => need.with("iam:policyarn", policy),
        None => need,
    }]
}

fn on_policy(call: &Call<'_>, action: &'static str) -> Vec<Need> {
    vec![Need::on(
        action,
        call.input.text("PolicyArn").unwrap_or("*"),
    )]
}

fn no_entity(message: String) -> ApiError {
    ApiError::absent("NoSuchEntity", message)
}

fn account<'a>(call: &'a Call<'_>) -> Result<&'a Account, ApiError> {
    call.account()
        .ok_or_else(|| no_entity("The account cannot be found.".to_owned()))
}

fn role<'a>(call: &'a Call<'_>) -> Result<&'a Role, ApiError> {
    let name = call.input.required("RoleName", INVALID)?;
    account(call)?
        .roles
        .get(name)
        .ok_or_else(|| no_entity(format!("The role with name {name} cannot be found.")))
}

fn managed<'a>(call: &'a Call<'_>) -> Result<&'a ManagedPolicy, ApiError> {
    let arn = call.input.required("PolicyArn", INVALID)?;
    account(call)?
        .managed_policies
        .get(arn)
        .ok_or_else(|| no_entity(format!("Policy {arn} was not found.")))
}

/// IAM sends policy documents percent-encoded.
fn encoded(document: &Value) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    utf8_percent_encode(&document.to_string(), KEPT).to_string()
}

/// The path between `role/` and the name.
fn path_of(arn: &str) -> String {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let inner = resource
        .split_once('/')
        .map(|(_, rest)| rest)
        .unwrap_or_default();
    match inner.rsplit_once('/') {
        Some((path, _)) => format!("/{path}/"),
        None => "/".to_owned(),
    }
}

fn render_role(role: &Role) -> Value {
    json!({
        "Path": path_of(&role.arn),
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": iso(role.created_at),
        "AssumeRolePolicyDocument": encoded(&role.trust),
        "MaxSessionDuration": 7200,
        "RoleLastUsed": {},
    })
}

fn get_role(call: &mut Call<'_>) -> Answer {
    Ok(compact(json!({"Role": render_role(role(call)?)})))
}

fn list_roles(call: &mut Call<'_>) -> Answer {
    let prefix = call.input.text("PathPrefix").unwrap_or("/");
    let roles = account(call)?
        .roles
        .values()
        .filter(|role| path_of(&role.arn).starts_with(prefix));
    let (roles, next) = page(roles, call.input, PAGES)?;
    let roles: Vec<Value> = roles.into_iter().map(render_role).collect();
    Ok(compact(
        json!({"Roles": roles, "IsTruncated": next.is_some(), "Marker": next}),
    ))
}

fn list_inline(call: &mut Call<'_>) -> Answer {
    let names = role(call)?
        .inline_policies
        .iter()
        .map(|policy| policy.name.clone());
    let (names, next) = page(names, call.input, PAGES)?;
    Ok(compact(
        json!({"PolicyNames": names, "IsTruncated": next.is_some(), "Marker": next}),
    ))
}

fn get_inline(call: &mut Call<'_>) -> Answer {
    let role = role(call)?;
    let name = call.input.required("PolicyName", INVALID)?;
    let policy = role
        .inline_policies
        .iter()
        .find(|policy| policy.name == name)
        .ok_or_else(|| no_entity(format!("The role policy with name {name} cannot be found.")))?;
    Ok(json!({
        "RoleName": role.name,
        "PolicyName": policy.name,
        "PolicyDocument": encoded(&policy.document),
    }))
}

fn list_attached(call: &mut Call<'_>) -> Answer {
    let attached = role(call)?.attached_policies.iter().map(
        |arn| json!({"PolicyName": arn.rsplit('/').next().unwrap_or_default(), "PolicyArn": arn}),
    );
    let (attached, next) = page(attached, call.input, PAGES)?;
    Ok(compact(json!({
        "AttachedPolicies": attached, "IsTruncated": next.is_some(), "Marker": next,
    })))
}

fn get_policy(call: &mut Call<'_>) -> Answer {
    let policy = managed(call)?;
    let attached = account(call)?
        .roles
        .values()
        .filter(|role| role.attached_policies.contains(&policy.arn))
        .count();
    Ok(json!({"Policy": {
        "PolicyName": policy.name,
        "PolicyId": "ANPALABPOLICY",
        "Arn": policy.arn,
        "Path": path_of(&policy.arn),
        "DefaultVersionId": VERSION,
        "AttachmentCount": attached,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": true,
    }}))
}

fn get_policy_version(call: &mut Call<'_>) -> Answer {
    let policy = managed(call)?;
    let version = call.input.required("VersionId", INVALID)?;
    if version != VERSION {
        return Err(no_entity(format!(
            "Policy {} version {version} does not exist or is not attachable.",
            policy.arn
        )));
    }
    Ok(json!({"PolicyVersion": {
        "Document": encoded(&policy.document),
        "VersionId": VERSION,
        "IsDefaultVersion": true,
    }}))
}

fn simulate_needs(call: &Call<'_>) -> Vec<Need> {
    let source = call.input.text("PolicySourceArn").unwrap_or("*");
    vec![Need::on("iam:SimulatePrincipalPolicy", source)]
}

fn simulate(call: &mut Call<'_>) -> Answer {
    let account = account(call)?;
    let source = call.input.required("PolicySourceArn", INVALID)?;
    let documents: Vec<PolicyDocument> = match (
        account.roles.values().find(|role| role.arn == source),
        account.users.values().find(|user| user.arn == source),
    ) {
        (Some(role), _) => account
            .policies_of(role)
            .filter_map(|one| PolicyDocument::from_value(one).ok())
            .collect(),
        (None, Some(user)) => user
            .inline_policies
            .iter()
            .filter_map(|one| PolicyDocument::from_value(&one.document).ok())
            .collect(),
        (None, None) => {
            return Err(no_entity(format!(
                "{source} does not exist or is not attachable."
            )));
        }
    };
    let mut context: BTreeMap<String, Vec<String>> = BTreeMap::from([(
        "aws:requestedregion".to_owned(),
        vec![call.region.to_owned()],
    )]);
    for entry in call.input.items("ContextEntries") {
        if let Some(key) = entry.text("ContextKeyName") {
            let values = entry
                .texts("ContextKeyValues")
                .into_iter()
                .map(str::to_owned)
                .collect();
            context.insert(key.to_ascii_lowercase(), values);
        }
    }
    let resources = call.input.texts("ResourceArns");
    let resources = if resources.is_empty() {
        vec!["*"]
    } else {
        resources
    };
    let mut results = Vec::new();
    for action in call.input.texts("ActionNames") {
        for resource in &resources {
            let access = Access {
                action,
                resource,
                context: &context,
            };
            let decision = match authorize(&access, &documents, None) {
                Verdict::Allowed => "allowed",
                Verdict::ExplicitDeny(_) => "explicitDeny",
                Verdict::NoAllow(_) => "implicitDeny",
            };
            results.push(json!({
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": decision,
                "MatchedStatements": [],
                "MissingContextValues": [],
            }));
        }
    }
    let (results, next) = page(results, call.input, PAGES)?;
    Ok(compact(json!({
        "EvaluationResults": results, "IsTruncated": next.is_some(), "Marker": next,
    })))
}

fn put_inline(call: &mut Call<'_>) -> Answer {
    let role = role(call)?.name.clone();
    let name = call.input.required("PolicyName", INVALID)?;
    let text = call.input.required("PolicyDocument", INVALID)?;
    let malformed = |message: String| ApiError::invalid("MalformedPolicyDocument", message);
    PolicyDocument::parse(text).map_err(|problem| malformed(problem.to_string()))?;
    let document: Value =
        serde_json::from_str(text).map_err(|problem| malformed(problem.to_string()))?;
    call.world
        .put_role_policy(&call.caller.account, &role, name, document)?;
    Ok(json!({}))
}

fn attach(call: &mut Call<'_>) -> Answer {
    let role = role(call)?.name.clone();
    let policy = call.input.required("PolicyArn", INVALID)?;
    call.world
        .attach_role_policy(&call.caller.account, &role, policy)?;
    Ok(json!({}))
}
