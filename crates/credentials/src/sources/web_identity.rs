//! Roles, assumed with a token of an identity provider that they trust.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::source::{Facts, Link, Resolved, Resolving, Source};
use crate::arn::RoleArn;
use crate::leak_guard::Armed;
use crate::secret::SecretText;
use crate::source_error::SourceError;
use crate::sts::{self, Assumption};

/// Longest token that STS takes is 20,000 characters; a file may have a line end after it.
///
/// Source: `AssumeRoleWithWebIdentity` in the AWS STS API reference.
const LONGEST_FILE_BYTES: usize = 20_480;

/// A role and the token that it is assumed with.
pub(super) struct WebIdentity<'r> {
    pub(super) role_arn: &'r RoleArn,
    pub(super) label: &'r str,
}

/// Where a token is.
pub(super) enum Token {
    Given(SecretText),
    File(PathBuf),
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given(_) => "[given]",
            Self::File(_) => "[file]",
        })
    }
}

impl Source for WebIdentity<'_> {
    fn resolve<'a>(&'a self, link: Link<'a>) -> Resolving<'a> {
        Box::pin(async move {
            let label = || crate::text::excerpt(self.label);
            let token = match link.shared.tokens.get(self.label) {
                None => return Err(SourceError::UnknownToken { label: label() }),
                Some(Token::Given(token)) => token.duplicate(),
                Some(Token::File(file)) => read(file).map_err(|flaw| SourceError::TokenFile {
                    label: label(),
                    flaw,
                })?,
            };
            let _watched = Armed::against(&[&token], link.context);
            let assumption = Assumption {
                role_arn: self.role_arn,
                external_id: None,
                session: link.session,
                attribution: link.shared.attribution,
                plan_hash: link.plan_hash,
                narrowing: link.narrowing,
                reference: link.reference,
            };
            // An empty context: there is nothing in it that the request could be signed with.
            let unsigned = link.context.staging();
            let assumed = sts::assume_role_with_web_identity(&unsigned, &token, assumption).await;
            unsigned.discard();
            let (keys, lifetime) = assumed?;
            Ok(Resolved {
                keys,
                lifetime,
                facts: Facts {
                    renewable: true,
                    narrowed: link.narrowing.is_some(),
                    account: self.role_arn.account(),
                },
            })
        })
    }
}

/// Reads a token's file in one go into a buffer that is wiped: no buffered reader, no growth.
fn read(file: &Path) -> Result<SecretText, &'static str> {
    let unreadable = |error: &std::io::Error| {
        if error.kind() == ErrorKind::NotFound {
            return "does not exist";
        }
        if error.kind() == ErrorKind::PermissionDenied {
            return "may not be read by this user";
        }
        "cannot be read"
    };
    let mut file = File::open(file).map_err(|error| unreadable(&error))?;
    let mut buffer = Zeroizing::new(vec![0; LONGEST_FILE_BYTES]);
    let mut filled = 0;
    loop {
        let rest = buffer.get_mut(filled..).unwrap_or_default();
        if rest.is_empty() {
            return Err("is longer than a token can be");
        }
        match file.read(rest).map_err(|error| unreadable(&error))? {
            0 => break,
            read => filled += read,
        }
    }
    let text = buffer.get(..filled).map(std::str::from_utf8);
    let Some(Ok(text)) = text else {
        return Err("is not text");
    };
    let token = SecretText::copy_of(text.trim());
    match token.flaw() {
        None => Ok(token),
        Some(_) => Err("holds no token: one line of printable characters is expected"),
    }
}
