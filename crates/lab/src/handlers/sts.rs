//! AWS Security Token Service.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Answer, Call, Effect, Operation, compact, iso};
use crate::iam::{AssumeRole, Directory, Identity};
use crate::wire::{ApiError, Input};

pub(super) const OPERATIONS: &[Operation] = &[Operation {
    service: "sts",
    name: "GetCallerIdentity",
    effect: Effect::Reads,
    // AWS lets every principal ask who it is.
    needs: |_| Vec::new(),
    run: caller_identity,
}];

fn caller_identity(call: &mut Call<'_>) -> Answer {
    let caller = call.caller;
    Ok(json!({"Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account}))
}

/// `AssumeRole`: the one operation that changes the directory and not the world.
pub(crate) fn assume_role(
    directory: &mut Directory,
    caller: &Identity,
    region: &str,
    input: &Input,
    now: DateTime<Utc>,
) -> Result<Value, ApiError> {
    const INVALID: &str = "ValidationError";
    let tags = input.items("Tags").into_iter().filter_map(|tag| {
        Some((
            tag.text("Key")?.to_owned(),
            tag.text("Value").unwrap_or_default().to_owned(),
        ))
    });
    let request = AssumeRole {
        role_arn: input.required("RoleArn", INVALID)?,
        session_name: input.required("RoleSessionName", INVALID)?,
        external_id: input.text("ExternalId"),
        policy: input.text("Policy"),
        duration_seconds: input.integer("DurationSeconds"),
        source_identity: input.text("SourceIdentity"),
        tags: tags.collect(),
    };
    let issued = directory.assume_role(caller, region, &request, now)?;
    Ok(compact(json!({
        "Credentials": {
            "AccessKeyId": issued.access_key_id,
            "SecretAccessKey": issued.secret_access_key,
            "SessionToken": issued.session_token,
            "Expiration": iso(issued.expires_at),
        },
        "AssumedRoleUser": {"AssumedRoleId": issued.assumed_role_id, "Arn": issued.arn},
        "PackedPolicySize": issued.packed_policy_percent,
        "SourceIdentity": issued.source_identity,
    })))
}
