//! Who exists in an account: a user that may only assume the agent's role, that role, and the
//! managed policies that the templates attach.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::world::{AccessKey, Account, Ids, ManagedPolicy, Role, RolePolicy, User};

/// What the agent's role may do: read everything that a diagnosis needs, and write what repairs do.
const AGENT_ACTIONS: [&str; 14] = [
    "ecs:*",
    "ec2:*",
    "ecr:*",
    "elasticloadbalancing:*",
    "logs:*",
    "cloudwatch:*",
    "application-autoscaling:*",
    "autoscaling:*",
    "cloudformation:*",
    "cloudtrail:*",
    "iam:*",
    "secretsmanager:DescribeSecret",
    "secretsmanager:ListSecrets",
    "ssm:DescribeParameters",
];

/// AWS's managed policy for task execution roles, as documented.
pub(super) const EXECUTION_POLICY: &str =
    "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";

pub(super) fn furnish(account: &mut Account, ids: &Ids, at: DateTime<Utc>) {
    let mut ids = ids.child("identities");
    let role = "ecs-deep-agent";
    let role_arn = format!("arn:aws:iam::{}:role/{role}", account.id);
    let user = "ecs-agent-operator";
    let user_arn = format!("arn:aws:iam::{}:user/{user}", account.id);
    account.managed_policies.insert(
        EXECUTION_POLICY.to_owned(),
        ManagedPolicy {
            name: "AmazonECSTaskExecutionRolePolicy".to_owned(),
            arn: EXECUTION_POLICY.to_owned(),
            document: allow(
                &[
                    "ecr:GetAuthorizationToken",
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:GetDownloadUrlForLayer",
                    "ecr:BatchGetImage",
                    "logs:CreateLogStream",
                    "logs:PutLogEvents",
                ],
                &["*"],
            ),
        },
    );
    account.users.insert(
        user.to_owned(),
        User {
            name: user.to_owned(),
            arn: user_arn.clone(),
            id: format!("AIDA{}", ids.base32(16)),
            access_keys: vec![AccessKey {
                access_key_id: format!("AKIA{}", ids.base32(16)),
                secret_access_key: ids.hex(40),
            }],
            inline_policies: vec![RolePolicy {
                name: "assume-agent-role".to_owned(),
                document: allow(
                    &["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
                    &[&role_arn],
                ),
            }],
        },
    );
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": user_arn},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": account.external_id}},
            },
            {
                "Effect": "Allow",
                "Principal": {"AWS": user_arn},
                "Action": ["sts:SetSourceIdentity", "sts:TagSession"],
            },
        ],
    });
    account.roles.insert(
        role.to_owned(),
        Role {
            name: role.to_owned(),
            arn: role_arn,
            id: format!("AROA{}", ids.base32(16)),
            trust,
            inline_policies: vec![RolePolicy {
                name: "operate-ecs".to_owned(),
                document: allow(&AGENT_ACTIONS, &["*"]),
            }],
            attached_policies: Vec::new(),
            created_at: at,
        },
    );
}

/// A role that ECS tasks may use.
pub(super) fn task_role(
    account: &mut Account,
    name: &str,
    id: String,
    inline: Vec<RolePolicy>,
    attached: Vec<String>,
    at: DateTime<Utc>,
) -> String {
    let arn = format!("arn:aws:iam::{}:role/{name}", account.id);
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }],
    });
    account.roles.insert(
        name.to_owned(),
        Role {
            name: name.to_owned(),
            arn: arn.clone(),
            id: format!("AROA{id}"),
            trust,
            inline_policies: inline,
            attached_policies: attached,
            created_at: at,
        },
    );
    arn
}

pub(super) fn allow(actions: &[&str], resources: &[&str]) -> Value {
    document("Allow", actions, resources)
}

pub(super) fn document(effect: &str, actions: &[&str], resources: &[&str]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": effect, "Action": actions, "Resource": resources}],
    })
}
