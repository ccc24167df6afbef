//! Where signed requests go.

use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::identity::{IdentityError, Region, text_identity};

/// Where an invocation's signed requests go. Chosen at its start and never afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoints {
    /// Each service's own endpoint in the context's region.
    Aws,
    /// One endpoint for every service: the fault lab, or another stand-in for AWS.
    Override(EndpointUrl),
}

impl Endpoints {
    /// Returns the URL that requests for `service` are posted to, without a trailing slash.
    pub(crate) fn url_for(&self, service: &str, region: &Region) -> String {
        match self {
            Self::Aws => format!("https://{service}.{region}.{}", region.dns_suffix()),
            Self::Override(url) => url.as_str().to_owned(),
        }
    }

    /// Tells whether every request goes over plain HTTP on the loopback interface.
    pub(crate) fn is_plain_http(&self) -> bool {
        match self {
            Self::Aws => false,
            Self::Override(url) => url.as_str().starts_with("http://"),
        }
    }
}

/// The root URL of an endpoint that stands in for AWS.
///
/// # Security
/// Session tokens travel in request headers, so plain `http` is accepted on the loopback
/// interface only. Credentials in the URL, a path, a query and a fragment are refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EndpointUrl(String);

text_identity!(EndpointUrl);

impl FromStr for EndpointUrl {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || {
            IdentityError::new(
                "an endpoint URL: `https://host[:port]`, or `http://` on the loopback interface, \
                 such as `http://127.0.0.1:5000`",
                text,
            )
        };
        let trimmed = text.strip_suffix('/').unwrap_or(text);
        let (scheme, authority) = trimmed.split_once("://").ok_or_else(refused)?;
        let uri: http::Uri = trimmed.parse().map_err(|_| refused())?;
        let host = uri.host().ok_or_else(refused)?;
        let plain = authority
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
        let allowed = match scheme {
            "https" => true,
            "http" => is_loopback(host),
            _ => false,
        };
        let port_ok = match authority
            .strip_prefix(host)
            .map(|rest| rest.split_once(':'))
        {
            Some(None) => authority == host,
            Some(Some(("", port))) => port.parse().is_ok_and(|port: u16| port != 0),
            Some(Some(_)) | None => false,
        };
        if plain && allowed && port_ok {
            return Ok(Self(trimmed.to_owned()));
        }
        Err(refused())
    }
}

/// Tells whether `host` can only mean this machine.
fn is_loopback(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || literal.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
