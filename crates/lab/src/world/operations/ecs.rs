use serde_json::Value;

use super::UpdateServiceInput;
use crate::world::{AwsError, Service, Task, TaskDefinition, World};

impl World {
    /// `RegisterTaskDefinition`: `input` is the request's JSON; the revision is the family's next.
    pub(crate) fn register_task_definition(
        &mut self,
        account: &str,
        region: &str,
        registered_by: &str,
        input: &Value,
    ) -> Result<TaskDefinition, AwsError> {
        let _ = (account, region, registered_by, input);
        Err(AwsError::client("not yet"))
    }

    /// `DeregisterTaskDefinition`: `family:revision` or ARN; running tasks are left alone.
    pub(crate) fn deregister_task_definition(
        &mut self,
        account: &str,
        region: &str,
        reference: &str,
    ) -> Result<TaskDefinition, AwsError> {
        let _ = (account, region, reference);
        Err(AwsError::client("not yet"))
    }

    /// `UpdateService`.
    pub(crate) fn update_service(
        &mut self,
        account: &str,
        region: &str,
        input: &UpdateServiceInput,
    ) -> Result<Service, AwsError> {
        let _ = (account, region, input);
        Err(AwsError::client("not yet"))
    }

    /// `StopTask`: cluster and task by name, id or ARN.
    pub(crate) fn stop_task(
        &mut self,
        account: &str,
        region: &str,
        cluster: &str,
        task: &str,
        reason: Option<&str>,
    ) -> Result<Task, AwsError> {
        let _ = (account, region, cluster, task, reason);
        Err(AwsError::client("not yet"))
    }
}
