//! What is injected into a task's containers before they run: secrets, parameters, files of variables.

use super::Tick;
use super::reachability::Place;
use super::start::{Caller, INITIALIZATION, StartFailure};
use crate::world::{KmsKeyState, SecretReference};

impl Tick<'_> {
    pub(super) fn resolve_secret(
        &self,
        caller: &Caller<'_>,
        place: Place<'_>,
        secret: &SecretReference,
    ) -> Result<(), StartFailure> {
        if secret.value_from.contains(":secretsmanager:") {
            self.secrets_manager(caller, place, &secret.value_from)
        } else {
            self.parameter_store(caller, place, &secret.value_from)
        }
    }

    fn secrets_manager(
        &self,
        caller: &Caller<'_>,
        place: Place<'_>,
        value_from: &str,
    ) -> Result<(), StartFailure> {
        let parts: Vec<&str> = value_from.splitn(8, ':').collect();
        let arn = parts.iter().take(7).copied().collect::<Vec<_>>().join(":");
        let key = parts
            .get(7)
            .and_then(|rest| rest.split(':').next())
            .filter(|key| !key.is_empty());
        self.resolve_aws(place, "secretsmanager", "execution resource retrieval failed: unable to retrieve secret from asm: There is a connection issue between the task and AWS Secrets Manager. Check your task network configuration. ")?;
        if !self.reaches_aws(place, "secretsmanager") {
            return Err(StartFailure::after_time_out(format!(
                "{INITIALIZATION}execution resource retrieval failed: unable to retrieve secret from asm: There is a connection issue between the task and AWS Secrets Manager. Check your task network configuration. failed to fetch secret {arn} from secrets manager: operation error Secrets Manager: GetSecretValue, https response error StatusCode: 0, RequestID: , canceled, context deadline exceeded"
            )));
        }
        let action = "secretsmanager:GetSecretValue";
        if let Some(because) = self.refusal(caller, action, &arn) {
            return Err(StartFailure::at_once(format!(
                "{INITIALIZATION}execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret {arn} from secrets manager: AccessDeniedException: User: {} is not authorized to perform: {action} on resource: {arn} {because} status code: 400, request id: {}",
                caller.session,
                self.request_id(caller)
            )));
        }
        let found = self.region.secrets.values().find(|secret| {
            secret.arn == arn
                || secret
                    .arn
                    .rsplit_once('-')
                    .is_some_and(|(partial, _)| partial == arn)
        });
        let Some(found) = found else {
            return Err(StartFailure::at_once(format!(
                "{INITIALIZATION}execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): ResourceNotFoundException: The task can't retrieve the secret with ARN '{arn}' from AWS Secrets Manager. Check whether the secret exists in the specified Region. failed to fetch secret {arn} from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret."
            )));
        };
        if found.deleted_at.is_some() {
            return Err(StartFailure::at_once(format!(
                "{INITIALIZATION}execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret {arn} from secrets manager: InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion."
            )));
        }
        if let Some(problem) = found
            .kms_key
            .as_deref()
            .and_then(|key| self.key_problem(caller, key))
        {
            return Err(StartFailure::at_once(format!(
                "{INITIALIZATION}execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret {arn} from secrets manager: {problem}"
            )));
        }
        match key {
            Some(key) if !found.json_keys.iter().any(|k| k == key) => {
                Err(StartFailure::at_once(format!(
                    "{INITIALIZATION}execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): retrieved secret from Secrets Manager did not contain json key {key}"
                )))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn parameter_store(
        &self,
        caller: &Caller<'_>,
        place: Place<'_>,
        value_from: &str,
    ) -> Result<(), StartFailure> {
        let name = value_from
            .split_once(":parameter")
            .map_or(value_from, |(_, name)| name);
        let resource = self.region.arn(
            "ssm",
            &format!("parameter/{}", name.trim_start_matches('/')),
        );
        let failed = "execution resource retrieval failed: unable to retrieve secrets from ssm: ";
        if !self.reaches_aws(place, "ssm") {
            return Err(StartFailure::after_time_out(format!(
                "{INITIALIZATION}{failed}The task cannot pull secrets from AWS Systems Manager. There is a connection issue between the task and AWS Systems Manager Parameter Store. Check your task network configuration. : signal: killed"
            )));
        }
        if let Some(because) = self.refusal(caller, "ssm:GetParameters", &resource) {
            return Err(StartFailure::at_once(format!(
                "{INITIALIZATION}{failed}service call has been retried 1 time(s): operation error SSM: GetParameters, https response error StatusCode: 400, RequestID: {}, api error AccessDeniedException: User: {} is not authorized to perform: ssm:GetParameters on resource: {resource} {because}",
                self.request_id(caller),
                caller.session
            )));
        }
        let exists = self
            .region
            .parameters
            .keys()
            .any(|existing| existing.trim_start_matches('/') == name.trim_start_matches('/'));
        if exists {
            Ok(())
        } else {
            Err(StartFailure::at_once(format!(
                "{INITIALIZATION}{failed}service call has been retried 1 time(s): fetching secret data from SSM Parameter Store in {}: invalid parameters: {name}",
                self.region.name
            )))
        }
    }

    /// What is wrong with the key that a secret is encrypted with, in the words of the APIs.
    fn key_problem(&self, caller: &Caller<'_>, key: &str) -> Option<String> {
        let state = self.region.kms_keys.get(key).map(|key| key.state);
        match state {
            Some(KmsKeyState::Disabled) => Some(format!("DisabledException: {key} is disabled.")),
            Some(KmsKeyState::PendingDeletion) => Some(format!(
                "KMSInvalidStateException: {key} is pending deletion."
            )),
            Some(KmsKeyState::Enabled) | None => self
                .refusal(caller, "kms:Decrypt", key)
                .map(|_| "AccessDeniedException: Access to KMS is not allowed".to_owned()),
        }
    }

    /// A file of variables in S3, given by the object's ARN.
    pub(super) fn environment_file(
        &self,
        caller: &Caller<'_>,
        place: Place<'_>,
        object: &str,
    ) -> Result<(), StartFailure> {
        let failed = "ResourceInitializationError: failed to download env files: ";
        if !self.reaches_aws(place, "s3") {
            return Err(StartFailure::after_time_out(format!(
                "{failed}file download command: non empty error stream: RequestCanceled: request context canceled caused by: context deadline exceeded"
            )));
        }
        let key = object.rsplit_once(":::").map_or(object, |(_, key)| key);
        let exists = self.region.objects.iter().any(|known| known == key);
        let denied = self.refusal(caller, "s3:GetObject", object).is_some();
        // Without s3:ListBucket, S3 answers for a missing object as for a forbidden one.
        if denied || !exists {
            return Err(StartFailure::at_once(format!(
                "{failed}service call has been retried 1 time(s): operation error S3: HeadObject, https response error StatusCode: 403, RequestID: {}, api error Forbidden: Forbidden.",
                self.request_id(caller)
            )));
        }
        Ok(())
    }
}
