//! Many services at once: which of them are unwell, and why.

use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;

use super::cluster;
use crate::analyse::{Verdict, analyse};
use crate::aws::{AwsClients, AwsError};
use crate::catalogue::Catalogue;
use crate::identify::list_clusters;
use crate::observe::{ObserveOptions, ServiceTarget, name_in_arn, observe};

/// Services that are observed at the same time; each is dozens of calls.
const AT_ONCE: usize = 4;

/// What a scan found.
#[derive(Debug, Clone, Serialize)]
pub struct Scan {
    /// The services that were looked at, the unwell ones first.
    pub services: Vec<ScannedService>,
    /// How many are unwell.
    pub unwell: usize,
    /// How many services there are.
    pub found: usize,
    /// Services that were left out because of the limit, `CLUSTER/SERVICE`.
    pub left_out: Vec<String>,
    /// Clusters and services that could not be read.
    pub not_read: Vec<String>,
}

/// A service of a scan.
#[derive(Debug, Clone, Serialize)]
pub struct ScannedService {
    /// Its cluster.
    pub cluster: String,
    /// Its name.
    pub service: String,
    /// Its ARN.
    pub arn: String,
    /// What the diagnosis says.
    pub verdict: Verdict,
    /// Whether it is well.
    pub healthy: bool,
    /// The diagnosis in a sentence.
    pub summary: String,
    /// The failure modes that were found.
    pub modes: Vec<String>,
    /// How many tasks run.
    pub running_count: i32,
    /// How many are wanted.
    pub desired_count: i32,
    /// How many reads are missing.
    pub gaps: usize,
}

/// Diagnoses the services of a cluster, or of every cluster, at most `most` of them.
///
/// `told` is called whenever one more is done, with how many are and how many will be.
///
/// # Errors
/// [`AwsError`] when the clusters cannot be listed, or the only one not be read.
///
/// # Cancel safety
/// Reads only: may be dropped at any point.
pub async fn scan(
    clients: &AwsClients,
    catalogue: &Catalogue,
    cluster: Option<&str>,
    most: usize,
    options: ObserveOptions,
    told: impl Fn(usize, usize, &str),
) -> Result<Scan, AwsError> {
    let clusters = match cluster {
        Some(cluster) => vec![cluster.to_owned()],
        None => list_clusters(clients).await?,
    };
    let listed = futures_util::future::join_all(
        clusters
            .iter()
            .map(|cluster| cluster::list_services(clients, cluster)),
    )
    .await;
    let (mut targets, mut not_read) = (Vec::new(), Vec::new());
    for (cluster, services) in clusters.iter().zip(listed) {
        match services {
            Ok(pages) => targets.extend(
                pages
                    .items
                    .into_iter()
                    .map(|service| ServiceTarget::new(cluster.clone(), service)),
            ),
            Err(error) if clusters.len() == 1 => return Err(error),
            Err(error) => not_read.push(format!("{}: {error}", name_in_arn(cluster))),
        }
    }
    let found = targets.len();
    let left_out: Vec<String> = targets.iter().skip(most).map(ToString::to_string).collect();
    targets.truncate(most);
    let total = targets.len();
    let mut services = Vec::new();
    let mut looks = stream::iter(targets)
        .map(|target| async move {
            let observed = observe(clients, &target, options).await;
            (target, observed)
        })
        .buffer_unordered(AT_ONCE);
    let mut done = 0;
    while let Some((target, observed)) = looks.next().await {
        done += 1;
        told(done, total, &target.to_string());
        match observed {
            Ok(observation) => {
                let diagnosis = analyse(&observation, catalogue);
                services.push(ScannedService {
                    cluster: target.cluster_name().to_owned(),
                    service: target.service_name().to_owned(),
                    arn: observation.service.arn.clone(),
                    verdict: diagnosis.verdict,
                    healthy: diagnosis.healthy,
                    modes: diagnosis.findings.iter().map(|f| f.mode.clone()).collect(),
                    gaps: diagnosis.gaps.len(),
                    summary: diagnosis.summary,
                    running_count: observation.service.running_count,
                    desired_count: observation.service.desired_count,
                });
            }
            Err(error) => not_read.push(format!("{target}: {error}")),
        }
    }
    drop(looks);
    services.sort_by(|a, b| {
        (a.healthy, &a.cluster, &a.service).cmp(&(b.healthy, &b.cluster, &b.service))
    });
    Ok(Scan {
        unwell: services.iter().filter(|service| !service.healthy).count(),
        services,
        found,
        left_out,
        not_read,
    })
}
