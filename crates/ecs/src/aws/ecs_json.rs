//! The ECS API's own answers, for whoever wants to see them as AWS gives them.

use serde_json::Value;

use super::reading::Source;
use super::{AwsClients, AwsError, Reading};

/// What names the ECS API in `X-Amz-Target`, from its service model.
const API: &str = "AmazonEC2ContainerServiceV20141113";

impl AwsClients {
    /// Makes one read of the ECS API. `call` is the operation as IAM names it.
    ///
    /// The answer is AWS's, unmasked: who shows it masks it first.
    pub(crate) async fn ecs_json(&self, call: &'static str, params: &Value) -> Reading<Value> {
        let operation = call.split(':').next_back().unwrap_or(call);
        let target = format!("{API}.{operation}");
        let request = self
            .context()
            .post_signed_json("ecs", &target, params.to_string());
        let (mut request_id, mut read_at) = (None, None);
        let outcome = match self.take_turn(Box::pin(request)).await {
            Ok(response) => {
                request_id = response.request_id;
                read_at = response.date;
                self.note_date(read_at);
                self.read_json(call, response.status, &response.body)
            }
            Err(error) => Err(AwsError::from_request(call, &error, &self.cleaner)),
        };
        Reading {
            source: Source {
                call,
                subject: operation.to_owned(),
                request_id,
                read_at,
            },
            outcome,
        }
    }

    fn read_json(&self, call: &str, status: u16, body: &str) -> Result<Value, AwsError> {
        let answer: Option<Value> = serde_json::from_str(body).ok();
        if let (200..=299, Some(answer)) = (status, &answer) {
            return Ok(answer.clone());
        }
        let told = |name: &str| answer.as_ref()?.get(name)?.as_str();
        let code = told("__type").map(|code| code.rsplit('#').next().unwrap_or(code));
        let message = told("message").or_else(|| told("Message"));
        Err(AwsError::from_code(
            call,
            code,
            Some(status),
            message.unwrap_or_default(),
            &self.cleaner,
        ))
    }
}
