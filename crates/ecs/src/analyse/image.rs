//! Images that cannot be pulled.

use super::Finding;
use super::view::{View, has_any, reasons, short};
use crate::observation::{Cited, ContainerDefinition, ImageSnapshot, TaskSnapshot};

const PULL_ACTIONS: [&str; 3] = [
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchCheckLayerAvailability",
];

/// `image-tag-not-found`, `image-repo-not-found`, `image-platform-mismatch-manifest`: the reference
/// names nothing that can run.
pub(crate) fn reference(view: &View<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for task in view.failures() {
        let text = reasons(task);
        if !has_any(&text, &["CannotPull", "pull image", "can't pull the image"])
            || is_denied(&text)
        {
            continue;
        }
        let Some((container, image)) = failing_image(view, task, &text) else {
            continue;
        };
        let repository_missing = image.is_some_and(|image| image.repository_exists == Some(false))
            || (image.is_none_or(|image| image.repository_exists.is_none())
                && has_any(&text, &["name unknown", "repository does not exist"]));
        let tag_missing = image.is_some_and(|image| image.image_exists == Some(false))
            || has_any(
                &text,
                &[
                    "manifest unknown",
                    ": not found",
                    "Requested image not found",
                ],
            );
        let other_platform = has_any(
            &text,
            &["descriptor matching platform", "no matching manifest for"],
        );
        let pinned_digest = text.contains("@sha256:") && !container.image.contains("@sha256:");
        let mode = if other_platform {
            "image-platform-mismatch-manifest"
        } else if repository_missing {
            "image-repo-not-found"
        } else if tag_missing && !pinned_digest {
            "image-tag-not-found"
        } else {
            continue;
        };
        if findings
            .iter()
            .any(|finding| finding.mode == mode && finding.affected.contains(&container.image))
        {
            continue;
        }
        let what = if other_platform {
            "names an image without this task's architecture"
        } else if repository_missing {
            "names a repository that does not exist"
        } else {
            "names a tag that does not exist"
        };
        let draft = view.draft(mode).map(|draft| {
            let draft = draft
                .because(format!(
                    "Container `{}` of {} {what}: `{}`.",
                    container.name,
                    short(&task.task_definition),
                    container.image,
                ))
                .affects(&container.image)
                .cite_task(task);
            match image {
                _ if other_platform => draft.decided(true, ""),
                Some(image) => {
                    let asked = if repository_missing {
                        image.repository_exists.is_some()
                    } else {
                        image.image_exists == Some(false)
                    };
                    let draft = draft.decided(asked, "ecr:DescribeImages of the repository");
                    cite_absence(draft, image, repository_missing)
                }
                None => draft.decided(false, "ecr:DescribeImages of the repository"),
            }
        });
        findings.extend(draft.and_then(super::view::Draft::finish));
    }
    findings
}

/// `ecr-pull-denied-execution-role`, `ecr-auth-token-denied`: the role may not pull.
pub(crate) fn permission(view: &View<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for task in view.failures() {
        let text = reasons(task);
        if !is_denied(&text) || text.contains("explicit deny") {
            continue;
        }
        let role = view
            .revision_of(task)
            .and_then(|definition| definition.execution_role_arn.clone())
            .unwrap_or_else(|| "the role that pulls".to_owned());
        let image = failing_image(view, task, &text);
        let (mode, action) = if text.contains("ecr:GetAuthorizationToken") {
            ("ecr-auth-token-denied", "ecr:GetAuthorizationToken")
        } else if text.contains("no resource-based policy") {
            continue;
        } else {
            let action = PULL_ACTIONS
                .into_iter()
                .find(|action| text.contains(action));
            (
                "ecr-pull-denied-execution-role",
                action.unwrap_or("ecr:BatchGetImage"),
            )
        };
        if findings.iter().any(|finding| finding.mode == mode) {
            continue;
        }
        let named_image = image.as_ref().map_or_else(String::new, |(container, _)| {
            format!(
                " of `{}` for container `{}`",
                container.image, container.name
            )
        });
        let simulated = view
            .observation
            .roles
            .iter()
            .find(|known| known.arn == role)
            .and_then(|known| {
                let denied = known
                    .simulated
                    .iter()
                    .find(|one| one.action == action && one.decision != "allowed")?;
                Some((known.evidence, denied))
            });
        let draft = view.draft(mode).map(|draft| {
            let draft = draft
                .because(format!(
                    "Execution role `{role}` may not call `{action}`, so the pull{named_image} is refused."
                ))
                .affects(&role)
                .cite_task(task)
                // The refusal names the action: an HTTP answer arrived and it said no.
                .decided(
                    simulated.is_some() || text.contains(action),
                    "iam:SimulatePrincipalPolicy on the execution role",
                );
            match simulated {
                Some((evidence, denied)) => draft.cite(evidence, &[&denied.decision]),
                None => draft,
            }
        });
        findings.extend(draft.and_then(super::view::Draft::finish));
    }
    findings
}

fn is_denied(text: &str) -> bool {
    let named = PULL_ACTIONS.iter().any(|action| text.contains(action))
        || text.contains("ecr:GetAuthorizationToken");
    (named && has_any(text, &["not authorized", "AccessDenied"]))
        || text.contains("Check that the role has the permissions to pull images")
        || (text.contains(".dkr.ecr.") && text.contains("403 Forbidden"))
}

/// The container whose image the text names, or the first whose image the registry lacks.
fn failing_image<'a>(
    view: &View<'a>,
    task: &'a Cited<TaskSnapshot>,
    text: &str,
) -> Option<(&'a ContainerDefinition, Option<&'a Cited<ImageSnapshot>>)> {
    let definition = view.revision_of(task)?;
    let image_of = |container: &ContainerDefinition| {
        view.observation
            .images
            .iter()
            .find(|image| image.reference == container.image)
    };
    let failing = definition
        .containers
        .iter()
        .find(|container| {
            task.containers.iter().any(|state| {
                state.name == container.name
                    && state
                        .reason
                        .as_deref()
                        .is_some_and(|reason| reason.contains("CannotPull"))
            })
        })
        .or_else(|| {
            definition.containers.iter().find(|container| {
                image_of(container).is_some_and(|image| {
                    image.image_exists == Some(false) || image.repository_exists == Some(false)
                })
            })
        })
        .or_else(|| {
            definition
                .containers
                .iter()
                .find(|container| text.contains(&container.image))
        })
        .or_else(|| definition.containers.first())?;
    Some((failing, image_of(failing)))
}

fn cite_absence<'a>(
    draft: super::view::Draft<'a>,
    image: &Cited<ImageSnapshot>,
    repository: bool,
) -> super::view::Draft<'a> {
    let quotes: &[&str] = if repository {
        &[
            "RepositoryNotFoundException",
            "repositoryExists: false",
            "repository_exists: false",
        ]
    } else {
        &[
            "ImageNotFoundException",
            "imageExists: false",
            "image_exists: false",
            "exists: false",
        ]
    };
    draft
        .cite(image.evidence, quotes)
        .cite(image.evidence, &[&image.tag_or_digest, &image.repository])
}
