//! Keys that open nothing but one child's endpoint, and the check of what is signed with them.

use std::fmt;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use http::request::Parts;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::refusal::Refusal;

/// AWS refuses a signature that is further than this from its own clock, and so does this.
const MAX_SKEW: TimeDelta = TimeDelta::minutes(5);

/// Placeholder keys: random for each child, known to it and to its endpoint, valid nowhere else.
pub(super) struct PlaceholderKeys {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
}

/// What a signature's scope says, once the signature was found right.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SignedScope {
    pub(super) region: String,
    pub(super) service: String,
}

impl PlaceholderKeys {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0_u8; 28];
        getrandom::fill(&mut bytes)?;
        let (id, secret) = bytes.split_at(8);
        Ok(Self {
            access_key_id: format!("PLACEHOLDER{}", hex::encode_upper(id)),
            secret_access_key: Zeroizing::new(hex::encode(secret)),
        })
    }

    pub(super) fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    pub(super) fn secret_access_key(&self) -> &str {
        &self.secret_access_key
    }

    /// Checks that the request is signed with these keys, by a client whose clock agrees with one
    /// of `clocks`, and that the signature covers what decides.
    pub(super) fn verify(
        &self,
        request: &Parts,
        body: &[u8],
        clocks: &[DateTime<Utc>],
    ) -> Result<SignedScope, Refusal> {
        let claim = Claim::read(request)?;
        let known = claim
            .access_key_id
            .as_bytes()
            .ct_eq(self.access_key_id.as_bytes());
        let signed_at = claim.signed_at(clocks)?;
        claim.covers_what_decides(request)?;
        check_body_hash(request, body)?;
        let expected = self.signature_of(request, body, &claim, signed_at);
        let expected = expected.ok_or(Refusal::Signature("it cannot be recomputed"))?;
        let same = expected.as_bytes().ct_eq(claim.signature.as_bytes());
        if bool::from(known & same) {
            return Ok(SignedScope {
                region: claim.region.to_owned(),
                service: claim.service.to_owned(),
            });
        }
        Err(Refusal::Signature("the signature does not match"))
    }

    /// Signs the request again as its client should have.
    fn signature_of(
        &self,
        request: &Parts,
        body: &[u8],
        claim: &Claim<'_>,
        signed_at: SystemTime,
    ) -> Option<String> {
        let host = request.headers.get("host")?.to_str().ok()?;
        let url = format!("http://{host}{}", request.uri.path_and_query()?);
        let mut headers = Vec::new();
        for name in claim.signed_headers.split(';') {
            for value in request.headers.get_all(name) {
                headers.push((name, value.to_str().ok()?));
            }
        }
        let mut settings = SigningSettings::default();
        // The client says which headers it signed, and those are compared; none is left out.
        settings.excluded_headers = None;
        let identity = Credentials::new(
            &self.access_key_id,
            self.secret_access_key.as_str(),
            None,
            None,
            "PlaceholderKeys",
        )
        .into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(claim.region)
            .name(claim.service)
            .time(signed_at)
            .settings(settings)
            .build()
            .ok()?
            .into();
        let signable = SignableRequest::new(
            request.method.as_str(),
            url,
            headers.into_iter(),
            SignableBody::Bytes(body),
        )
        .ok()?;
        let (_instructions, signature) = sign(signable, &params).ok()?.into_parts();
        Some(signature)
    }
}

impl fmt::Debug for PlaceholderKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlaceholderKeys").finish_non_exhaustive()
    }
}

/// What an `Authorization` header claims.
struct Claim<'a> {
    access_key_id: &'a str,
    date: &'a str,
    region: &'a str,
    service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
    amz_date: &'a str,
}

impl<'a> Claim<'a> {
    fn read(request: &'a Parts) -> Result<Self, Refusal> {
        let missing = |what| Refusal::Signature(what);
        let header = only(request, "authorization").ok_or(missing("no `Authorization` header"))?;
        let rest = header
            .strip_prefix("AWS4-HMAC-SHA256 ")
            .ok_or(missing("it is not Signature Version 4"))?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in rest.split(',') {
            match part.trim().split_once('=') {
                Some(("Credential", value)) => credential = Some(value),
                Some(("SignedHeaders", value)) => signed_headers = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                Some(_) | None => return Err(missing("an unknown part in `Authorization`")),
            }
        }
        let credential = credential.ok_or(missing("no `Credential`"))?;
        let mut scope = credential.split('/');
        let mut next = || scope.next().filter(|part| !part.is_empty());
        let (Some(access_key_id), Some(date), Some(region), Some(service), Some("aws4_request")) =
            (next(), next(), next(), next(), next())
        else {
            return Err(missing("an incomplete `Credential`"));
        };
        Ok(Self {
            access_key_id,
            date,
            region,
            service,
            signed_headers: signed_headers.ok_or(missing("no `SignedHeaders`"))?,
            signature: signature.ok_or(missing("no `Signature`"))?,
            amz_date: only(request, "x-amz-date").ok_or(missing("no `X-Amz-Date` header"))?,
        })
    }

    /// Several clocks count: ours, and AWS's as it was last told, since some clients follow the
    /// `Date` of the last answer and a stand-in for AWS may tell a virtual time.
    fn signed_at(&self, clocks: &[DateTime<Utc>]) -> Result<SystemTime, Refusal> {
        let at = NaiveDateTime::parse_from_str(self.amz_date, "%Y%m%dT%H%M%SZ")
            .map_err(|_| Refusal::Signature("`X-Amz-Date` is not a date"))?
            .and_utc();
        if !self.amz_date.starts_with(self.date) {
            return Err(Refusal::Signature("two dates that differ"));
        }
        if clocks.iter().all(|now| (at - *now).abs() > MAX_SKEW) {
            return Err(Refusal::Signature("it is too old or from the future"));
        }
        Ok(at.into())
    }

    /// SECURITY: the host and the operation must not be left for somebody else to choose.
    fn covers_what_decides(&self, request: &Parts) -> Result<(), Refusal> {
        let signed = |name: &str| self.signed_headers.split(';').any(|signed| signed == name);
        let decides = ["x-amz-target", "x-amz-security-token"];
        let left_out = |name: &&str| request.headers.contains_key(*name) && !signed(name);
        if !signed("host") || decides.iter().any(left_out) {
            return Err(Refusal::Signature("it does not cover what it must"));
        }
        Ok(())
    }
}

fn check_body_hash(request: &Parts, body: &[u8]) -> Result<(), Refusal> {
    let Some(claimed) = request.headers.get("x-amz-content-sha256") else {
        return Ok(());
    };
    let found = hex::encode(Sha256::digest(body));
    if claimed.as_bytes() == found.as_bytes() {
        return Ok(());
    }
    Err(Refusal::Signature(
        "the body is not the one that was signed",
    ))
}

/// Returns a header that must be there exactly once.
pub(super) fn only<'a>(request: &'a Parts, name: &str) -> Option<&'a str> {
    let mut values = request.headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
#[path = "placeholder_tests.rs"]
mod tests;
