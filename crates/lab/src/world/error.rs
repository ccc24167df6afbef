use serde::Serialize;

/// An error as an AWS API reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct AwsError {
    /// AWS's error code, for example `ClientException`.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The HTTP status AWS sends with it.
    pub(crate) status: u16,
}

impl AwsError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            status: 400,
        }
    }

    pub(crate) fn client(message: impl Into<String>) -> Self {
        Self::new("ClientException", message)
    }

    pub(crate) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }
}
