//! Pages of lists.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::wire::{ApiError, Input};

/// How one operation names its paging parameters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paging {
    pub(super) size: &'static str,
    pub(super) token: &'static str,
    pub(super) default: usize,
    pub(super) most: usize,
    /// The error for a token that the lab never gave.
    pub(super) bad_token: &'static str,
}

/// One page of `items`, and the token of the next.
pub(super) fn page<T>(
    items: impl IntoIterator<Item = T>,
    input: &Input,
    paging: Paging,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let start = match input.text(paging.token) {
        None => 0,
        Some(token) => {
            offset(token).ok_or_else(|| ApiError::invalid(paging.bad_token, "Invalid token"))?
        }
    };
    let size = match input.integer(paging.size) {
        None => paging.default,
        Some(size) => usize::try_from(size).unwrap_or(0).clamp(1, paging.most),
    };
    let mut rest = items.into_iter().skip(start);
    let taken: Vec<T> = rest.by_ref().take(size).collect();
    let next = rest.next().map(|_| token(start + size));
    Ok((taken, next))
}

fn token(offset: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("lab:{offset}"))
}

fn offset(token: &str) -> Option<usize> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    String::from_utf8(bytes)
        .ok()?
        .strip_prefix("lab:")?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PAGING: Paging = Paging {
        size: "maxResults",
        token: "nextToken",
        default: 2,
        most: 3,
        bad_token: "Bad",
    };

    #[test]
    fn pages_cover_the_list_once() {
        let (mut seen, mut input) = (Vec::new(), Input::default());
        loop {
            let (items, next) = page(0..5, &input, PAGING).unwrap();
            seen.extend(items);
            match next {
                Some(next) => input = Input::from_value(json!({"nextToken": next})),
                None => break,
            }
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
        let input = Input::from_value(json!({"nextToken": "x"}));
        assert!(page(0..5, &input, PAGING).is_err());
    }
}
