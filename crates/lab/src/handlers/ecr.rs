//! Amazon ECR.

use serde_json::{Value, json};

use super::page::{Paging, page};
use super::{Answer, Call, Effect, Need, Operation, compact, epoch};
use crate::wire::{ApiError, Input};
use crate::world::{Image, Repository};

const fn reads(
    name: &'static str,
    needs: fn(&Call<'_>) -> Vec<Need>,
    run: fn(&mut Call<'_>) -> Answer,
) -> Operation {
    Operation {
        service: "ecr",
        name,
        effect: Effect::Reads,
        needs,
        run,
    }
}

pub(super) const OPERATIONS: &[Operation] = &[
    reads("DescribeRepositories", repositories_needs, repositories),
    reads(
        "DescribeImages",
        |call| on_repository(call, "ecr:DescribeImages"),
        images,
    ),
    reads(
        "ListImages",
        |call| on_repository(call, "ecr:ListImages"),
        list_images,
    ),
    reads(
        "GetRepositoryPolicy",
        |call| on_repository(call, "ecr:GetRepositoryPolicy"),
        policy,
    ),
    reads(
        "GetLifecyclePolicy",
        |call| on_repository(call, "ecr:GetLifecyclePolicy"),
        lifecycle,
    ),
];

const PAGES: Paging = Paging {
    size: "maxResults",
    token: "nextToken",
    default: 100,
    most: 1000,
    bad_token: "InvalidParameterException",
};

fn on_repository(call: &Call<'_>, action: &'static str) -> Vec<Need> {
    let name = call.input.text("repositoryName").unwrap_or("*");
    vec![Need::on(
        action,
        call.arn("ecr", &format!("repository/{name}")),
    )]
}

fn repositories_needs(call: &Call<'_>) -> Vec<Need> {
    let names = call.input.texts("repositoryNames");
    let names = if names.is_empty() { vec!["*"] } else { names };
    names
        .into_iter()
        .map(|name| {
            let arn = call.arn("ecr", &format!("repository/{name}"));
            Need::on("ecr:DescribeRepositories", arn)
        })
        .collect()
}

fn missing(call: &Call<'_>, name: &str) -> ApiError {
    ApiError::invalid(
        "RepositoryNotFoundException",
        format!(
            "The repository with name '{name}' does not exist in the registry with id '{}'",
            call.caller.account
        ),
    )
}

fn repository<'a>(call: &'a Call<'_>) -> Result<&'a Repository, ApiError> {
    let name = call
        .input
        .required("repositoryName", "InvalidParameterException")?;
    let own = call
        .input
        .text("registryId")
        .is_none_or(|id| id == call.caller.account);
    if let Some(owner) = call.input.text("registryId").filter(|_| !own) {
        return Err(not_shared(call, owner, name));
    }
    call.here()
        .repositories
        .get(name)
        .ok_or_else(|| missing(call, name))
}

/// A repository of another account, whose policy lets this one pull at most.
fn not_shared(call: &Call<'_>, owner: &str, name: &str) -> ApiError {
    let uri = format!("{owner}.dkr.ecr.{}.amazonaws.com/{name}", call.region);
    if !call.here().foreign_repositories.contains_key(&uri) {
        return ApiError::invalid(
            "RepositoryNotFoundException",
            format!(
                "The repository with name '{name}' does not exist in the registry with id '{owner}'"
            ),
        );
    }
    ApiError::invalid(
        "AccessDeniedException",
        format!(
            "User: {} is not authorized to perform: ecr:DescribeImages on resource: \
             arn:aws:ecr:{}:{owner}:repository/{name} because no resource-based policy allows the \
             ecr:DescribeImages action",
            call.caller.arn, call.region
        ),
    )
}

fn repositories(call: &mut Call<'_>) -> Answer {
    let names = call.input.texts("repositoryNames");
    let here = call.here();
    for name in &names {
        if !here.repositories.contains_key(*name) {
            return Err(missing(call, name));
        }
    }
    let chosen = here
        .repositories
        .values()
        .filter(|repository| names.is_empty() || names.contains(&repository.name.as_str()));
    let (chosen, next) = page(chosen, call.input, PAGES)?;
    let list: Vec<Value> = chosen
        .into_iter()
        .map(|repository| {
            json!({
                "repositoryArn": repository.arn,
                "registryId": call.caller.account,
                "repositoryName": repository.name,
                "repositoryUri": repository.uri,
                "createdAt": epoch(repository.created_at),
                "imageTagMutability": "MUTABLE",
                "imageScanningConfiguration": {"scanOnPush": false},
                "encryptionConfiguration": {"encryptionType": "AES256"},
            })
        })
        .collect();
    Ok(compact(json!({"repositories": list, "nextToken": next})))
}

fn images(call: &mut Call<'_>) -> Answer {
    let repository = repository(call)?;
    let ids = call.input.items("imageIds");
    for id in &ids {
        if !repository.images.values().any(|image| is(image, id)) {
            return Err(no_image(call, repository, id));
        }
    }
    let tag_status = call.input.nested("filter");
    let tag_status = tag_status.text("tagStatus").unwrap_or("ANY");
    let chosen = repository.images.values().filter(|image| {
        let fits = match tag_status {
            "TAGGED" => !image.tags.is_empty(),
            "UNTAGGED" => image.tags.is_empty(),
            _ => true,
        };
        fits && (ids.is_empty() || ids.iter().any(|id| is(image, id)))
    });
    let (chosen, next) = page(chosen, call.input, PAGES)?;
    let list: Vec<Value> = chosen
        .into_iter()
        .map(|image| {
            let manifest = if image.manifest_list {
                "application/vnd.docker.distribution.manifest.list.v2+json"
            } else {
                "application/vnd.docker.distribution.manifest.v2+json"
            };
            json!({
                "registryId": call.caller.account,
                "repositoryName": repository.name,
                "imageDigest": image.digest,
                "imageTags": (!image.tags.is_empty()).then_some(&image.tags),
                "imageSizeInBytes": image.size_bytes,
                "imagePushedAt": epoch(image.pushed_at),
                "imageManifestMediaType": manifest,
                "artifactMediaType": "application/vnd.docker.container.image.v1+json",
            })
        })
        .collect();
    Ok(compact(json!({"imageDetails": list, "nextToken": next})))
}

fn is(image: &Image, id: &Input) -> bool {
    let digest = id
        .text("imageDigest")
        .is_none_or(|digest| digest == image.digest);
    let tag = id
        .text("imageTag")
        .is_none_or(|tag| image.tags.iter().any(|own| own == tag));
    digest && tag
}

fn no_image(call: &Call<'_>, repository: &Repository, id: &Input) -> ApiError {
    let quoted = |name: &str| {
        id.text(name)
            .map_or("null".to_owned(), |text| format!("'{text}'"))
    };
    ApiError::invalid(
        "ImageNotFoundException",
        format!(
            "The image with imageId {{imageDigest:{}, imageTag:{}}} does not exist within the \
             repository with name '{}' in the registry with id '{}'",
            quoted("imageDigest"),
            quoted("imageTag"),
            repository.name,
            call.caller.account
        ),
    )
}

fn list_images(call: &mut Call<'_>) -> Answer {
    let images = repository(call)?.images.values();
    let ids = images.flat_map(|image| {
        let tags = image
            .tags
            .iter()
            .map(Some)
            .chain(image.tags.is_empty().then_some(None));
        tags.map(|tag| json!({"imageDigest": image.digest, "imageTag": tag}))
    });
    let (ids, next) = page(ids, call.input, PAGES)?;
    Ok(compact(json!({"imageIds": ids, "nextToken": next})))
}

fn policy(call: &mut Call<'_>) -> Answer {
    let repository = repository(call)?;
    Err(ApiError::invalid(
        "RepositoryPolicyNotFoundException",
        format!(
            "Repository policy does not exist for the repository with name '{}' in the registry \
             with id '{}'",
            repository.name, call.caller.account
        ),
    ))
}

fn lifecycle(call: &mut Call<'_>) -> Answer {
    let repository = repository(call)?;
    Err(ApiError::invalid(
        "LifecyclePolicyNotFoundException",
        format!(
            "Lifecycle policy does not exist for the repository with name '{}' in the registry \
             with id '{}'",
            repository.name, call.caller.account
        ),
    ))
}
