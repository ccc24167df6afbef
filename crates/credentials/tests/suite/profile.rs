//! Profiles of the machine's own AWS configuration; in a child, which has its own environment.

use std::process::Command;

use ecs_agent_credentials::{
    CredentialContext, CredentialReference, Endpoints, InvocationId, Sources,
};
use uuid::Uuid;

use super::fake_aws::FakeAws;
use super::world::{ACCOUNT, observe};

const CHILD: &str = "ECS_TEST_PROFILE_CHILD";

/// The child: resolves some references and prints what came of each.
#[tokio::test]
async fn child_resolves_profiles() {
    let Ok(url) = std::env::var(CHILD) else {
        return;
    };
    let profile = |name: &str| CredentialReference::Profile {
        name: name.to_owned(),
    };
    let references = [
        profile("ops"),
        profile("nobody"),
        profile("sso"),
        profile("empty"),
    ];
    for reference in references
        .into_iter()
        .chain([CredentialReference::DefaultChain])
    {
        let invocation = InvocationId::new(Uuid::now_v7());
        let endpoints = Endpoints::Override(url.parse().unwrap());
        let context = CredentialContext::new(invocation, None, endpoints);
        let sources = Sources::builder().with_profile_chain().build();
        match sources.fill(&context, &reference, observe()).await {
            Ok(filled) => {
                println!(
                    "{reference}: {} in {}",
                    filled.account.unwrap(),
                    filled.region.unwrap()
                );
            }
            Err(error) => println!("{reference}: {error}"),
        }
        context.clear();
    }
}

#[test]
fn profiles_give_credentials_and_a_region_or_say_why_not() {
    let aws = FakeAws::start();
    let user = aws.user(ACCOUNT);
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config");
    let credentials = home.path().join("credentials");
    let profiles = "[default]\nregion = eu-south-2\n[profile ops]\nregion = eu-north-1\n\
                    [profile empty]\nregion = eu-north-1\n\
                    [profile sso]\nregion = eu-north-1\nsso_start_url = https://example.com\n\
                    sso_region = eu-north-1\nsso_account_id = 123456789012\nsso_role_name = ops\n";
    let keys = format!(
        "aws_access_key_id = {}\naws_secret_access_key = {}\n",
        user.key_id, user.secret
    );
    std::fs::write(&config, profiles).unwrap();
    std::fs::write(&credentials, format!("[default]\n{keys}[ops]\n{keys}")).unwrap();

    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "suite::profile::child_resolves_profiles",
            "--nocapture",
        ])
        .env_clear()
        .env("HOME", home.path())
        .env("AWS_CONFIG_FILE", &config)
        .env("AWS_SHARED_CREDENTIALS_FILE", &credentials)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env(CHILD, aws.url())
        .output()
        .unwrap();
    let output = String::from_utf8(child.stdout).unwrap();
    assert!(child.status.success(), "{output}");
    for expected in [
        "profile `ops`: 123456789012 in eu-north-1\n",
        "the AWS default chain: 123456789012 in eu-south-2\n",
        "profile `nobody`: profile `nobody` gave no credentials: there is no such profile",
        "profile `sso`: profile `sso` gave no credentials: ",
        "profile `empty`: profile `empty` gave no credentials: there is no such profile, or it has no",
    ] {
        assert!(
            output.contains(expected),
            "{expected:?} is not in:\n{output}"
        );
    }
    assert!(!output.contains(&user.secret));
}
