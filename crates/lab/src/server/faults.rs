//! Failures of the wire: what the scenario's causes do not explain.

use serde::Deserialize;

use crate::wire::ApiError;

/// Makes the next requests of a kind fail.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WireFault {
    /// The service, as IAM names it; any when absent.
    #[serde(default)]
    pub service: Option<String>,
    /// The operation; any when absent.
    #[serde(default)]
    pub operation: Option<String>,
    /// How they fail.
    pub kind: WireFaultKind,
    /// How many fail.
    #[serde(default = "once")]
    pub times: u32,
}

const fn once() -> u32 {
    1
}

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WireFaultKind {
    /// `ThrottlingException` and its kin.
    Throttled,
    /// HTTP 500.
    ServerError,
    /// The credentials are reported as expired.
    Expired,
    /// It is carried out, and HTTP 500 is the answer.
    ErrorAfterwards,
    /// It is carried out, and the connection ends without an answer.
    AnswerLost,
}

/// What becomes of the answer to a request that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Afterwards {
    /// HTTP 500 instead.
    Error,
    /// None.
    Lost,
}

impl WireFaultKind {
    /// The error of a request that is not carried out, or what becomes of the answer to one that is.
    fn strikes(self) -> Result<Afterwards, ApiError> {
        match self {
            Self::Throttled => Err(ApiError::Throttled),
            Self::ServerError => Err(Afterwards::error()),
            Self::Expired => Err(ApiError::ExpiredToken),
            Self::ErrorAfterwards => Ok(Afterwards::Error),
            Self::AnswerLost => Ok(Afterwards::Lost),
        }
    }
}

impl Afterwards {
    /// The error that AWS gives when something went wrong on its side.
    pub(super) fn error() -> ApiError {
        ApiError::Internal {
            message: "An internal error occurred. Try again.".to_owned(),
        }
    }
}

/// The failures that are still due.
#[derive(Debug, Default)]
pub(super) struct WireFaults {
    due: Vec<WireFault>,
}

impl WireFaults {
    pub(super) fn add(&mut self, fault: WireFault) {
        self.due.push(fault);
    }

    /// Uses one up, if one fits.
    pub(super) fn take(
        &mut self,
        service: &str,
        operation: &str,
    ) -> Result<Option<Afterwards>, ApiError> {
        let fits = |wanted: &Option<String>, present: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == present)
        };
        self.due.retain(|fault| fault.times > 0);
        let fault = self
            .due
            .iter_mut()
            .find(|fault| fits(&fault.service, service) && fits(&fault.operation, operation));
        let Some(fault) = fault else { return Ok(None) };
        fault.times -= 1;
        fault.kind.strikes().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_used_up() {
        let mut faults = WireFaults::default();
        faults.add(WireFault {
            service: Some("ecs".to_owned()),
            operation: None,
            kind: WireFaultKind::Throttled,
            times: 2,
        });
        assert_eq!(faults.take("logs", "FilterLogEvents"), Ok(None));
        assert_eq!(faults.take("ecs", "ListTasks"), Err(ApiError::Throttled));
        assert_eq!(faults.take("ecs", "ListServices"), Err(ApiError::Throttled));
        assert_eq!(faults.take("ecs", "ListTasks"), Ok(None));
        faults.add(WireFault {
            service: None,
            operation: None,
            kind: WireFaultKind::AnswerLost,
            times: 1,
        });
        assert_eq!(faults.take("ecs", "StopTask"), Ok(Some(Afterwards::Lost)));
    }
}
