//! Image references, and what `ecr:DescribeImages` says about them.

use aws_sdk_ecr::types::ImageDetail;

/// An image reference in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageReference {
    /// Account of an Amazon ECR registry, when it is one.
    pub(crate) ecr_account: Option<String>,
    /// Region of an Amazon ECR registry, when it is one.
    pub(crate) ecr_region: Option<String>,
    /// Repository without the host.
    pub(crate) repository: String,
    /// Tag or digest; `latest` when the reference names neither.
    pub(crate) tag_or_digest: String,
}

impl ImageReference {
    pub(crate) fn parse(reference: &str) -> Self {
        let (name, digest) = match reference.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (reference, None),
        };
        let (host, path) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
                (first, rest)
            }
            _ => ("", name),
        };
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (path, None),
        };
        let (ecr_account, ecr_region) = match host.split('.').collect::<Vec<_>>().as_slice() {
            [
                account,
                "dkr",
                "ecr" | "ecr-fips",
                region,
                "amazonaws",
                "com",
                ..,
            ]
            | [account, "dkr-ecr", region, "on", "aws", ..] => {
                (Some((*account).to_owned()), Some((*region).to_owned()))
            }
            _ => (None, None),
        };
        let in_ecr = ecr_account.is_some();
        Self {
            ecr_account,
            ecr_region,
            repository: if in_ecr || host.is_empty() {
                path.to_owned()
            } else {
                format!("{host}/{path}")
            },
            tag_or_digest: digest.or(tag).unwrap_or("latest").to_owned(),
        }
    }

    pub(crate) fn is_digest(&self) -> bool {
        self.tag_or_digest.starts_with("sha256:")
    }
}

/// The tags of the newest images, newest first.
pub(crate) fn newest_tags(images: &[ImageDetail], most: usize) -> Vec<String> {
    let mut newest: Vec<&ImageDetail> = images.iter().collect();
    newest.sort_by_key(|image| std::cmp::Reverse(image.image_pushed_at().map(|at| at.secs())));
    newest
        .iter()
        .flat_map(|image| image.image_tags())
        .take(most)
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart() {
        let check = |reference: &str, account: Option<&str>, repository: &str, tag: &str| {
            let parsed = ImageReference::parse(reference);
            assert_eq!(parsed.ecr_account.as_deref(), account, "{reference}");
            assert_eq!(parsed.repository, repository, "{reference}");
            assert_eq!(parsed.tag_or_digest, tag, "{reference}");
        };
        let host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
        check(
            &format!("{host}/team/api:1.2"),
            Some("123456789012"),
            "team/api",
            "1.2",
        );
        check(
            &format!("{host}/api@sha256:ab"),
            Some("123456789012"),
            "api",
            "sha256:ab",
        );
        check(
            &format!("{host}/api:1@sha256:ab"),
            Some("123456789012"),
            "api",
            "sha256:ab",
        );
        check(
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/api",
            Some("123456789012"),
            "api",
            "latest",
        );
        check("nginx", None, "nginx", "latest");
        check("library/nginx:1", None, "library/nginx", "1");
        check("ghcr.io/org/app:2", None, "ghcr.io/org/app", "2");
        check("localhost:5000/app:2", None, "localhost:5000/app", "2");
    }
}
