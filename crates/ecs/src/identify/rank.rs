//! Ranking services against a person's words: pure.

use std::collections::BTreeSet;

use super::{Identification, SearchHints, ServiceCandidate};

/// Words that say what is wrong or where to look, and name no service.
const IDLE: [&str; 62] = [
    "a",
    "again",
    "alarm",
    "an",
    "and",
    "are",
    "arn",
    "aws",
    "broken",
    "bug",
    "can",
    "cannot",
    "check",
    "cluster",
    "container",
    "containers",
    "crashing",
    "deploy",
    "deployment",
    "diagnose",
    "does",
    "down",
    "ecs",
    "error",
    "errors",
    "failing",
    "fails",
    "fargate",
    "find",
    "fix",
    "flapping",
    "has",
    "help",
    "in",
    "is",
    "issue",
    "it",
    "keeps",
    "look",
    "my",
    "not",
    "of",
    "on",
    "our",
    "out",
    "please",
    "problem",
    "repair",
    "restarting",
    "restarts",
    "running",
    "service",
    "slow",
    "start",
    "starting",
    "stuck",
    "task",
    "tasks",
    "the",
    "unhealthy",
    "why",
    "with",
];

/// How far ahead the first has to be to be the one that is meant.
const CLEAR_LEAD: u32 = 20;

/// Most candidates that are offered.
const MOST_OFFERED: usize = 8;

/// A service as the search found it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) arn: String,
    pub(crate) cluster: String,
    pub(crate) service: String,
    pub(crate) family: String,
    pub(crate) status: String,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) target_groups: Vec<String>,
    pub(crate) images: Vec<String>,
    pub(crate) definition: String,
}

/// Scores every service and says whether one stands out.
pub(crate) fn rank(
    query: &str,
    hints: &SearchHints,
    found: &[Found],
    searched: String,
) -> Identification {
    let mut candidates: Vec<ServiceCandidate> = found
        .iter()
        .filter(|service| service.status != "INACTIVE")
        .filter(|service| {
            hints
                .cluster
                .as_deref()
                .is_none_or(|cluster| same_name(cluster, &service.cluster))
        })
        .filter_map(|service| score(query, hints, service))
        .collect();
    candidates.sort_by(|left, right| {
        right
            .score
            .cmp(&left.score)
            .then_with(|| left.service_arn.cmp(&right.service_arn))
    });
    let lead = |second: &ServiceCandidate, first: &ServiceCandidate| {
        first.score >= second.score.saturating_add(CLEAR_LEAD)
    };
    match candidates.as_slice() {
        [] => Identification::None { searched },
        [one] => Identification::One(one.clone()),
        [first, second, ..] if lead(second, first) => Identification::One(first.clone()),
        [first, ..] => {
            // Only those that could be meant: half the best score or more.
            let least = first.score / 2;
            candidates.retain(|candidate| candidate.score >= least);
            candidates.truncate(MOST_OFFERED);
            Identification::Several(candidates)
        }
    }
}

fn same_name(name_or_arn: &str, name: &str) -> bool {
    name_or_arn.rsplit('/').next() == Some(name)
}

/// Points and the reasons for them.
#[derive(Debug, Default)]
struct Tally {
    points: u32,
    reasons: Vec<String>,
}

impl Tally {
    fn add(&mut self, points: u32, reason: String) {
        self.points = self.points.saturating_add(points);
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }
}

fn score(query: &str, hints: &SearchHints, found: &Found) -> Option<ServiceCandidate> {
    let mut tally = Tally::default();
    let lowered = query.to_lowercase();
    let asked = words(&lowered);
    let spoken: BTreeSet<&str> = lowered
        .split(|c: char| c.is_whitespace() || ",;!?\"'`()".contains(c))
        .map(|word| word.trim_end_matches('.'))
        .filter(|word| !word.is_empty())
        .collect();
    if let Some(hint) = &hints.service
        && same_name(hint, &found.service)
    {
        tally.add(100, format!("service `{}` was named", found.service));
    }
    if !found.arn.is_empty() && spoken.contains(found.arn.to_lowercase().as_str()) {
        tally.add(200, "its ARN was given".to_owned());
    }
    let name = found.service.to_lowercase();
    if spoken.contains(name.as_str()) {
        tally.add(60, format!("the service is called `{}`", found.service));
    }
    let cluster_and_service = format!("{}/{}", found.cluster, found.service).to_lowercase();
    if spoken.contains(cluster_and_service.as_str()) {
        tally.add(
            120,
            format!("`{}/{}` was named", found.cluster, found.service),
        );
    }
    let parts = |text: &str| words(&text.to_lowercase());
    let matching = |text: &str| -> Vec<String> {
        parts(text)
            .into_iter()
            .filter(|part| asked.iter().any(|word| alike(word, part)))
            .collect()
    };
    let of_service = parts(&found.service);
    let hits = matching(&found.service);
    if !hits.is_empty() {
        let share = u32::try_from(40 * hits.len() / of_service.len().max(1)).unwrap_or(40);
        tally.add(share, format!("its name has {}", quoted(&hits)));
    }
    // What else says the same adds little; what distinguishes (cluster, tag) adds more.
    let of_family = matching(&found.family);
    if !of_family.is_empty() && hits.is_empty() {
        tally.add(
            25,
            format!("its task definition family has {}", quoted(&of_family)),
        );
    }
    let of_images: Vec<String> = found
        .images
        .iter()
        .flat_map(|image| matching(image))
        .collect();
    if !of_images.is_empty() && hits.is_empty() && of_family.is_empty() {
        tally.add(20, format!("its image has {}", quoted(&of_images)));
    }
    for image in &found.images {
        if spoken.contains(image.to_lowercase().as_str()) {
            tally.add(60, format!("it runs image `{image}`"));
        }
    }
    for group in &found.target_groups {
        if spoken.contains(group.to_lowercase().as_str()) {
            tally.add(
                100,
                "it registers with the target group that was given".to_owned(),
            );
        }
    }
    let of_tags: Vec<String> = found
        .tags
        .iter()
        .filter(|(key, _)| !key.starts_with("aws:"))
        .flat_map(|(_, value)| matching(value))
        .filter(|word| !hits.contains(word))
        .collect();
    if !of_tags.is_empty() {
        tally.add(20, format!("its tags have {}", quoted(&of_tags)));
    }
    let of_cluster: Vec<String> = matching(&found.cluster)
        .into_iter()
        .filter(|word| !hits.contains(word))
        .collect();
    if tally.points > 0 && !of_cluster.is_empty() {
        tally.add(25, format!("its cluster has {}", quoted(&of_cluster)));
    }
    (tally.points > 0).then(|| ServiceCandidate {
        service_arn: found.arn.clone(),
        cluster: found.cluster.clone(),
        service: found.service.clone(),
        score: tally.points,
        reasons: tally.reasons,
    })
}

fn quoted(words: &[String]) -> String {
    let words: BTreeSet<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.into_iter().collect::<Vec<_>>().join(", ")
}

/// The telling parts of lower-case text.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 1 && !IDLE.contains(word))
        .map(ToOwned::to_owned)
        .collect();
    words.dedup();
    words
}

/// Equal, or one a plain longer form of the other (`order`, `orders`), or a usual short form.
fn alike(asked: &str, part: &str) -> bool {
    const SHORT: [(&str, &str); 4] = [
        ("prod", "production"),
        ("dev", "development"),
        ("stage", "staging"),
        ("stg", "staging"),
    ];
    asked == part
        || asked.strip_suffix('s') == Some(part)
        || part.strip_suffix('s') == Some(asked)
        || SHORT
            .iter()
            .any(|pair| *pair == (asked, part) || *pair == (part, asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(cluster: &str, name: &str) -> Found {
        Found {
            arn: format!("arn:aws:ecs:eu-west-1:123456789012:service/{cluster}/{name}"),
            cluster: cluster.to_owned(),
            service: name.to_owned(),
            family: name.to_owned(),
            status: "ACTIVE".to_owned(),
            ..Found::default()
        }
    }

    fn world() -> Vec<Found> {
        vec![
            service("prod", "checkout-api"),
            service("prod", "orders"),
            service("staging", "checkout-api"),
            service("prod", "payments"),
        ]
    }

    fn ask(query: &str) -> Identification {
        rank(
            query,
            &SearchHints::default(),
            &world(),
            "2 clusters".to_owned(),
        )
    }

    #[track_caller]
    fn one(identification: Identification) -> String {
        match identification {
            Identification::One(candidate) => {
                format!("{}/{}", candidate.cluster, candidate.service)
            }
            other @ (Identification::Several(_) | Identification::None { .. }) => {
                panic!("{other:?}")
            }
        }
    }

    #[test]
    fn loose_words_find_one_service() {
        for (query, expected) in [
            ("my orders service keeps restarting", "prod/orders"),
            ("order is down", "prod/orders"),
            ("checkout in production is flapping", "prod/checkout-api"),
            ("staging/checkout-api", "staging/checkout-api"),
            ("payments.", "prod/payments"),
            (
                "arn:aws:ecs:eu-west-1:123456789012:service/staging/checkout-api",
                "staging/checkout-api",
            ),
        ] {
            assert_eq!(one(ask(query)), expected, "{query}");
        }
    }

    #[test]
    fn what_fits_two_is_asked() {
        for query in ["checkout-api", "checkout is broken", "the checkout api"] {
            match ask(query) {
                Identification::Several(candidates) => assert_eq!(candidates.len(), 2, "{query}"),
                other @ (Identification::One(_) | Identification::None { .. }) => {
                    panic!("{query}: {other:?}")
                }
            }
        }
    }

    #[test]
    fn what_fits_nothing_is_said() {
        for query in ["my service keeps restarting", "billing", ""] {
            assert!(matches!(ask(query), Identification::None { .. }), "{query}");
        }
    }

    #[test]
    fn a_name_is_not_taken_for_a_longer_one() {
        let found = [service("c", "api"), service("c", "api-worker")];
        let answer = rank(
            "the api service",
            &SearchHints::default(),
            &found,
            String::new(),
        );
        assert_eq!(one(answer), "c/api");
    }

    #[test]
    fn hints_decide_and_limit() {
        let hints = |cluster: Option<&str>, service: Option<&str>| SearchHints {
            cluster: cluster.map(ToOwned::to_owned),
            service: service.map(ToOwned::to_owned),
        };
        let within = rank(
            "checkout",
            &hints(Some("staging"), None),
            &world(),
            String::new(),
        );
        assert_eq!(one(within), "staging/checkout-api");
        let named = rank(
            "it is broken",
            &hints(None, Some("orders")),
            &world(),
            String::new(),
        );
        assert_eq!(one(named), "prod/orders");
    }

    #[test]
    fn families_images_and_tags_help() {
        let mut found = world();
        found[1]
            .tags
            .push(("team".to_owned(), "logistics".to_owned()));
        found[3].images.push("ghcr.io/acme/ledger:3".to_owned());
        let ask = |query| rank(query, &SearchHints::default(), &found, String::new());
        assert_eq!(one(ask("the logistics thing")), "prod/orders");
        assert_eq!(
            one(ask("ghcr.io/acme/ledger:3 does not start")),
            "prod/payments"
        );
    }
}
