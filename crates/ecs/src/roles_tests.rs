use std::path::Path;

use super::*;

/// The shipped files are what the program prints.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a person asks the test to write the files again"
)]
fn the_shipped_templates_are_the_programs_own() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/iam");
    let files = [
        ("policies.json", RoleTemplate::Json),
        ("roles.yaml", RoleTemplate::CloudFormation),
        ("roles.tf", RoleTemplate::Terraform),
    ];
    for (name, form) in files {
        let path = folder.join(name);
        let text = role_template(form);
        if std::env::var_os("UPDATE_TEMPLATES").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let shipped = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            shipped, text,
            "set UPDATE_TEMPLATES=1 to write {name} again"
        );
    }
}

#[test]
fn every_form_has_every_action_and_asks_who() {
    for form in [
        RoleTemplate::Json,
        RoleTemplate::CloudFormation,
        RoleTemplate::Terraform,
    ] {
        let text = role_template(form);
        for word in observe_actions().chain(operate_actions()).chain([
            "sts:ExternalId",
            "sts:SourceIdentity",
            "sts:SetSourceIdentity",
            "sts:TagSession",
            "aws:RequestTag/tenant",
            "aws:RequestTag/thread",
            "aws:TagKeys",
        ]) {
            assert!(
                text.contains(&format!("\"{word}\"")),
                "{form:?} lacks {word}"
            );
        }
    }
}

/// What the roles allow is what the program does: no wildcard action, no IAM change, no secret.
#[test]
fn the_roles_allow_no_more_than_the_program_does() {
    for action in observe_actions().chain(operate_actions()) {
        assert!(!action.contains('*'), "{action}");
        for never in [
            "iam:Put",
            "iam:Attach",
            "iam:Create",
            "iam:Delete",
            "iam:Update",
            "GetSecretValue",
            "GetParameter",
            "kms:",
            "ExecuteCommand",
            "RunTask",
            "sts:",
        ] {
            assert!(!action.contains(never), "{action}");
        }
    }
}

/// CloudFormation reads YAML: the template parses, and its parameters are references.
#[test]
fn the_cloudformation_template_parses() {
    let text = role_template(RoleTemplate::CloudFormation);
    // `!GetAtt` is CloudFormation's own tag.
    let plain = text.replace("!GetAtt ", "");
    let read: Value = serde_saphyr::from_str(&plain).unwrap();
    for role in ["Observe", "Operate"] {
        let properties = &read["Resources"][role]["Properties"];
        let trusted = &properties["AssumeRolePolicyDocument"]["Statement"][0];
        assert_eq!(trusted["Principal"]["AWS"]["Ref"], "PrincipalArn");
        assert_eq!(
            trusted["Condition"]["StringEquals"]["sts:ExternalId"]["Ref"],
            "ExternalId"
        );
        let statements = &properties["Policies"][0]["PolicyDocument"]["Statement"];
        assert_eq!(statements[0]["Sid"], "Observe");
    }
}
