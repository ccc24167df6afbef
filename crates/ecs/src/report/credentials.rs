//! What a report says about the credentials it rests on.

use ecs_agent_credentials::ContextDescription;

use super::markdown::safe;

/// Whether AWS itself holds the credentials to what their phase needs, in a few words.
pub(super) fn limits(credentials: &ContextDescription) -> &'static str {
    if credentials.narrowed {
        "AWS, by a session policy of what this phase needs"
    } else {
        "nothing but this program: AWS lets these keys do whatever their owner may"
    }
}

/// The section `Credentials` of a report.
///
/// A reader must see when a run rested on keys that could have done more than it did.
#[must_use]
pub fn credentials_section(credentials: &ContextDescription) -> String {
    let reference = credentials
        .reference
        .as_ref()
        .map_or_else(|| "-".to_owned(), ToString::to_string);
    let advice = if credentials.narrowed {
        ""
    } else {
        " Prefer a role; `require_narrowed` refuses keys like these."
    };
    format!(
        "\n## Credentials\n\n{}. Limited by: {}.{advice}\n",
        safe(&reference),
        limits(credentials)
    )
}
