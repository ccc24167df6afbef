//! Roles, secrets, parameters, and repositories of other accounts.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Hand, missing, templates};
use crate::world::{
    AppBehaviour, Architecture, ForeignRepository, KmsKey, KmsKeyState, Parameter, Repository,
    Secret,
};

impl Hand<'_> {
    pub(super) fn policy_arn(&self, policy: &str) -> Result<String, String> {
        self.world
            .account(self.account)
            .and_then(|account| account.managed_policies.values().find(|p| p.name == policy))
            .map(|policy| policy.arn.clone())
            .ok_or_else(|| missing("managed policy", policy))
    }

    pub(super) fn detach(&mut self, role: &str, policy: &str) -> Result<(), String> {
        let arn = self.policy_arn(policy)?;
        let found = self
            .world
            .accounts
            .get_mut(self.account)
            .and_then(|account| account.roles.get_mut(role))
            .ok_or_else(|| missing("role", role))?;
        found.attached_policies.retain(|attached| *attached != arn);
        Ok(())
    }

    pub(super) fn attach(&mut self, role: &str, policy: &str) -> Result<(), String> {
        let arn = self.policy_arn(policy)?;
        self.world
            .attach_role_policy(self.account, role, &arn)
            .map_err(|error| error.to_string())
    }

    pub(super) fn delete_role_policy(&mut self, role: &str, policy: &str) -> Result<(), String> {
        let found = self
            .world
            .accounts
            .get_mut(self.account)
            .and_then(|account| account.roles.get_mut(role))
            .ok_or_else(|| missing("role", role))?;
        found.inline_policies.retain(|inline| inline.name != policy);
        Ok(())
    }

    pub(super) fn set_role_trust(&mut self, role: &str, services: &[String]) -> Result<(), String> {
        let found = self
            .world
            .accounts
            .get_mut(self.account)
            .and_then(|account| account.roles.get_mut(role))
            .ok_or_else(|| missing("role", role))?;
        found.trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": services},
                "Action": "sts:AssumeRole",
            }],
        });
        self.wake()
    }

    pub(super) fn secret(&mut self, secret: &str) -> Result<&mut Secret, String> {
        self.region()?
            .secrets
            .values_mut()
            .find(|known| known.name == secret)
            .ok_or_else(|| missing("secret", secret))
    }

    pub(super) fn encrypt_secret(
        &mut self,
        secret: &str,
        state: KmsKeyState,
    ) -> Result<(), String> {
        let region = self.region()?;
        let id = region.ids.child(&format!("key/{secret}")).hex(32);
        let arn = region.arn("kms", &format!("key/{}", crate::world::uuid_shaped(&id)));
        region.kms_keys.insert(
            arn.clone(),
            KmsKey {
                arn: arn.clone(),
                state,
            },
        );
        self.secret(secret)?.kms_key = Some(arn);
        self.wake()
    }

    pub(super) fn put_parameter(&mut self, name: &str) -> Result<(), String> {
        let now = self.world.now;
        let region = self.region()?;
        let arn = region.arn(
            "ssm",
            &format!("parameter/{}", name.trim_start_matches('/')),
        );
        region.parameters.insert(
            name.to_owned(),
            Parameter {
                name: name.to_owned(),
                arn,
                kind: "String".to_owned(),
                created_at: now,
            },
        );
        self.wake()
    }

    pub(super) fn push_foreign_image(
        &mut self,
        account: &str,
        repository: &str,
        tag: &str,
    ) -> Result<(), String> {
        let now = self.world.now;
        let region = self.region()?;
        let host = format!("{account}.dkr.ecr.{}.amazonaws.com", region.name);
        let mut image =
            templates::image(&AppBehaviour::default(), vec![Architecture::X86_64], false);
        let digest = region
            .ids
            .child(&format!("foreign/{repository}:{tag}"))
            .hex(64);
        image.digest = format!("sha256:{digest}");
        image.tags = vec![tag.to_owned()];
        image.pushed_at = now;
        let uri = format!("{host}/{repository}");
        let known = region
            .foreign_repositories
            .entry(uri.clone())
            .or_insert_with(|| ForeignRepository {
                repository: Repository {
                    name: repository.to_owned(),
                    arn: format!(
                        "arn:aws:ecr:{}:{account}:repository/{repository}",
                        region.name
                    ),
                    uri,
                    created_at: now,
                    images: BTreeMap::new(),
                },
                shared: false,
            });
        known.repository.images.insert(image.digest.clone(), image);
        self.wake()
    }

    pub(super) fn share_foreign_repository(
        &mut self,
        account: &str,
        repository: &str,
        shared: bool,
    ) -> Result<(), String> {
        let region = self.region()?;
        let uri = format!(
            "{account}.dkr.ecr.{}.amazonaws.com/{repository}",
            region.name
        );
        region
            .foreign_repositories
            .get_mut(&uri)
            .ok_or_else(|| missing("repository", &uri))?
            .shared = shared;
        self.wake()
    }
}
