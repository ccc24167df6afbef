//! The services that a signing endpoint knows, and how they are spoken to.
//!
//! Sources: the `json`, `query`, `ec2` and `smithy-rpc-v2-cbor` traits, target prefixes, signing
//! names and endpoint rules in the AWS service models.

use crate::endpoint::Endpoints;
use crate::identity::Region;

/// One service.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// The name in a signature's scope.
    pub(super) signing_name: &'static str,
    /// The name in IAM actions.
    pub(super) iam_prefix: &'static str,
    /// Prefixes of `X-Amz-Target`, and the service shape of an RPC path; none for a service that
    /// only speaks a Query protocol.
    targets: &'static [&'static str],
    /// Whether operations are named by `Action=`.
    pub(super) speaks_query: bool,
    /// The host below the region, where it is not the signing name.
    host: Host,
}

#[derive(Debug, PartialEq, Eq)]
enum Host {
    /// `SIGNING-NAME.REGION.SUFFIX`.
    Usual,
    /// `NAME.REGION.SUFFIX`.
    Named(&'static str),
    /// One for each partition, with the region that it is signed for.
    Global,
}

const SERVICES: [Service; 9] = [
    json("ecs", "ecs", &["AmazonEC2ContainerServiceV20141113"]),
    json("logs", "logs", &["Logs_20140328"]),
    Service {
        host: Host::Named("api.ecr"),
        ..json("ecr", "ecr", &["AmazonEC2ContainerRegistry_V20150921"])
    },
    json(
        "application-autoscaling",
        "application-autoscaling",
        &["AnyScaleFrontendService"],
    ),
    Service {
        speaks_query: true,
        ..json(
            "monitoring",
            "cloudwatch",
            &["GraniteServiceVersion20100801"],
        )
    },
    query("cloudformation"),
    query("ec2"),
    query("elasticloadbalancing"),
    Service {
        host: Host::Global,
        ..query("iam")
    },
];

const fn json(
    signing_name: &'static str,
    iam_prefix: &'static str,
    targets: &'static [&'static str],
) -> Service {
    Service {
        signing_name,
        iam_prefix,
        targets,
        speaks_query: false,
        host: Host::Usual,
    }
}

const fn query(name: &'static str) -> Service {
    Service {
        signing_name: name,
        iam_prefix: name,
        targets: &[],
        speaks_query: true,
        host: Host::Usual,
    }
}

impl Service {
    pub(super) fn signed_as(signing_name: &str) -> Option<&'static Self> {
        SERVICES
            .iter()
            .find(|service| service.signing_name == signing_name)
    }

    /// Tells whether a target prefix or a service shape is this service's own.
    pub(super) fn is_named(&self, target: &str) -> bool {
        self.targets.contains(&target)
    }

    /// The regions that a client in `region` may sign for.
    pub(super) fn accepts_scope(&self, scope: &str, region: &Region) -> bool {
        scope == region.as_str() || (self.host == Host::Global && scope == global_region(region))
    }

    /// Where the context's own requests for this service go, and the region they are signed for.
    pub(super) fn place(&self, endpoints: &Endpoints, region: &Region) -> (String, String) {
        let usual = || region.as_str().to_owned();
        match (endpoints, &self.host) {
            (Endpoints::Override(_), _) | (Endpoints::Aws, Host::Usual) => {
                (endpoints.url_for(self.signing_name, region), usual())
            }
            (Endpoints::Aws, Host::Named(host)) => (endpoints.url_for(host, region), usual()),
            (Endpoints::Aws, Host::Global) => {
                let signed_for = global_region(region).to_owned();
                let suffix = region.dns_suffix();
                let name = self.signing_name;
                let host = match signed_for.as_str() {
                    "us-east-1" => format!("{name}.{suffix}"),
                    "us-gov-west-1" => format!("{name}.us-gov.{suffix}"),
                    other => format!("{name}.{other}.{suffix}"),
                };
                (format!("https://{host}"), signed_for)
            }
        }
    }
}

/// The region that a partition's global services are signed for.
///
/// Source: `partitions.json` of the AWS endpoint rules.
fn global_region(region: &Region) -> &'static str {
    const REGIONS: [(&str, &str); 7] = [
        ("cn-", "cn-north-1"),
        ("us-gov-", "us-gov-west-1"),
        ("us-isob-", "us-isob-east-1"),
        ("us-isof-", "us-isof-south-1"),
        ("us-iso-", "us-iso-east-1"),
        ("eu-isoe-", "eu-isoe-west-1"),
        ("eusc-", "eusc-de-east-1"),
    ];
    REGIONS
        .iter()
        .find(|(prefix, _)| region.as_str().starts_with(prefix))
        .map_or("us-east-1", |(_, global)| global)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(service: &str, region: &str) -> (String, String) {
        let region = region.parse().unwrap();
        Service::signed_as(service)
            .unwrap()
            .place(&Endpoints::Aws, &region)
    }

    #[test]
    fn requests_go_where_the_sdk_would_send_them() {
        for (service, region, url, signed_for) in [
            (
                "ecs",
                "eu-west-1",
                "https://ecs.eu-west-1.amazonaws.com",
                "eu-west-1",
            ),
            (
                "ecr",
                "eu-west-1",
                "https://api.ecr.eu-west-1.amazonaws.com",
                "eu-west-1",
            ),
            ("iam", "eu-west-1", "https://iam.amazonaws.com", "us-east-1"),
            (
                "iam",
                "cn-north-1",
                "https://iam.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            (
                "iam",
                "us-gov-east-1",
                "https://iam.us-gov.amazonaws.com",
                "us-gov-west-1",
            ),
            (
                "monitoring",
                "cn-northwest-1",
                "https://monitoring.cn-northwest-1.amazonaws.com.cn",
                "cn-northwest-1",
            ),
        ] {
            let expected = (url.to_owned(), signed_for.to_owned());
            assert_eq!(place(service, region), expected, "{service} {region}");
        }
    }

    #[test]
    fn a_stand_in_gets_everything_in_the_contexts_region() {
        let endpoints = Endpoints::Override("http://127.0.0.1:4566".parse().unwrap());
        let region = "eu-west-1".parse().unwrap();
        for service in &SERVICES {
            let place = service.place(&endpoints, &region);
            assert_eq!(
                place,
                ("http://127.0.0.1:4566".to_owned(), "eu-west-1".to_owned())
            );
        }
    }

    #[test]
    fn only_a_global_service_may_be_signed_for_another_region() {
        let region = "eu-west-1".parse().unwrap();
        let accepts = |service, scope| {
            Service::signed_as(service)
                .unwrap()
                .accepts_scope(scope, &region)
        };
        assert!(accepts("ecs", "eu-west-1"));
        assert!(accepts("iam", "us-east-1") && accepts("iam", "eu-west-1"));
        assert!(!accepts("ecs", "us-east-1") && !accepts("iam", "eu-west-2"));
    }
}
