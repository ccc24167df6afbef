//! AWS Signature Version 4, from the side that checks it.
//!
//! The steps are those of the *Signature Version 4 signing process* in the AWS IAM User Guide:
//! canonical request, string to sign, signature; the lab recomputes all three from the request as
//! it arrived and compares in constant time.

use std::time::SystemTime;

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use http::{HeaderMap, Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What RFC 3986 leaves unreserved; SigV4 encodes everything else.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// AWS refuses a signature that is further than this from its own clock.
const MAX_SKEW: TimeDelta = TimeDelta::minutes(5);

/// A parsed `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) access_key_id: String,
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
    signed_headers: Vec<String>,
    signature: String,
}

impl Authorization {
    /// Reads the `Authorization` header; `Ok(None)` when there is none.
    pub(crate) fn parse(headers: &HeaderMap) -> Result<Option<Self>, SignatureProblem> {
        let Some(header) = headers.get(http::header::AUTHORIZATION) else {
            return Ok(None);
        };
        let header = header
            .to_str()
            .map_err(|_| SignatureProblem::Incomplete("Authorization"))?;
        let Some(rest) = header.strip_prefix(ALGORITHM) else {
            return Err(SignatureProblem::Incomplete("AWS4-HMAC-SHA256"));
        };
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in rest.split(',') {
            match part.trim().split_once('=') {
                Some(("Credential", value)) => credential = Some(value),
                Some(("SignedHeaders", value)) => signed_headers = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                Some(_) | None => {}
            }
        }
        let credential = credential.ok_or(SignatureProblem::Incomplete("Credential"))?;
        let signed_headers = signed_headers.ok_or(SignatureProblem::Incomplete("SignedHeaders"))?;
        let signature = signature.ok_or(SignatureProblem::Incomplete("Signature"))?;
        let mut scope = credential.split('/');
        let mut next = || {
            scope
                .next()
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
        };
        let (Some(access_key_id), Some(date), Some(region), Some(service), Some("aws4_request")) =
            (next(), next(), next(), next(), next().as_deref())
        else {
            return Err(SignatureProblem::Incomplete("Credential"));
        };
        Ok(Some(Self {
            access_key_id,
            date,
            region,
            service,
            signed_headers: signed_headers
                .split(';')
                .map(str::to_ascii_lowercase)
                .collect(),
            signature: signature.to_owned(),
        }))
    }
}

/// Why a signature was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SignatureProblem {
    /// The header lacks the named part.
    Incomplete(&'static str),
    /// The date is missing or not an ISO 8601 basic date.
    BadDate,
    /// The signature is older or newer than AWS tolerates.
    Skewed {
        signed_at: DateTime<Utc>,
        now: DateTime<Utc>,
    },
    /// The recomputed signature differs.
    Mismatch,
}

/// A request as it arrived, with all that its signature covers.
#[derive(Debug)]
pub(crate) struct SignedRequest<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl SignedRequest<'_> {
    /// Checks date and signature. `clocks` are the times that count as "now": real time, and the
    /// lab's own, because some SDKs move their clock to the `Date` header of the last response.
    pub(crate) fn verify(
        &self,
        authorization: &Authorization,
        secret: &str,
        clocks: [DateTime<Utc>; 2],
    ) -> Result<(), SignatureProblem> {
        let amz_date = self.header("x-amz-date").ok_or(SignatureProblem::BadDate)?;
        let signed_at = NaiveDateTime::parse_from_str(amz_date, "%Y%m%dT%H%M%SZ")
            .map_err(|_| SignatureProblem::BadDate)?
            .and_utc();
        if !amz_date.starts_with(&authorization.date) {
            return Err(SignatureProblem::Incomplete("Credential"));
        }
        if clocks.iter().all(|now| (signed_at - *now).abs() > MAX_SKEW) {
            let [now, _] = clocks;
            return Err(SignatureProblem::Skewed { signed_at, now });
        }
        // SECURITY: an attacker must not be able to leave the host or the operation unsigned.
        for needed in ["host", "x-amz-target", "x-amz-security-token"] {
            let present = self.headers.contains_key(needed);
            if present
                && !authorization
                    .signed_headers
                    .iter()
                    .any(|name| name == needed)
            {
                return Err(SignatureProblem::Incomplete("SignedHeaders"));
            }
        }
        let body_hash = hex::encode(Sha256::digest(self.body));
        if let Some(claimed) = self.header("x-amz-content-sha256")
            && claimed != "UNSIGNED-PAYLOAD"
            && claimed != body_hash
        {
            return Err(SignatureProblem::Mismatch);
        }
        let canonical = self.canonical(authorization, &body_hash);
        let Authorization {
            date,
            region,
            service,
            ..
        } = authorization;
        let to_sign = format!(
            "{ALGORITHM}\n{amz_date}\n{date}/{region}/{service}/aws4_request\n{}",
            hex::encode(Sha256::digest(canonical.as_bytes())),
        );
        let key = generate_signing_key(secret, SystemTime::from(signed_at), region, service);
        let expected = calculate_signature(key, to_sign.as_bytes());
        if bool::from(
            expected
                .as_bytes()
                .ct_eq(authorization.signature.as_bytes()),
        ) {
            Ok(())
        } else {
            Err(SignatureProblem::Mismatch)
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn canonical(&self, authorization: &Authorization, body_hash: &str) -> String {
        let payload = match self.header("x-amz-content-sha256") {
            Some("UNSIGNED-PAYLOAD") => "UNSIGNED-PAYLOAD",
            Some(_) | None => body_hash,
        };
        let mut text = format!(
            "{}\n{}\n{}\n",
            self.method,
            canonical_path(self.uri.path()),
            canonical_query(self.uri.query().unwrap_or_default()),
        );
        for name in &authorization.signed_headers {
            text.push_str(name);
            text.push(':');
            let values = self.headers.get_all(name).iter();
            let values: Vec<String> = values
                .map(|value| {
                    let value = String::from_utf8_lossy(value.as_bytes());
                    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
                })
                .collect();
            text.push_str(&values.join(","));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&authorization.signed_headers.join(";"));
        text.push('\n');
        text.push_str(payload);
        text
    }
}

/// Every segment is encoded once more on top of what the client sent (only S3 does not).
fn canonical_path(path: &str) -> String {
    if path.is_empty() {
        return "/".to_owned();
    }
    let segments = path
        .split('/')
        .map(|part| utf8_percent_encode(part, RESERVED).to_string());
    segments.collect::<Vec<_>>().join("/")
}

fn canonical_query(query: &str) -> String {
    let encode = |text: &str| {
        let raw: Vec<u8> = percent_decode_str(text).collect();
        percent_encoding::percent_encode(&raw, RESERVED).to_string()
    };
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(name), encode(value))
        })
        .collect();
    pairs.sort();
    let pairs = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
