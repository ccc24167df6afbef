//! How many tokens a text is about, without a tokeniser: the core must be fast and know no model.

use crate::message::Message;

/// What a message costs beside its text: its role and its frame.
const MESSAGE_TOKENS: u64 = 4;

/// About how many tokens a model makes of a text, rather too many than too few.
///
/// Four letters or spaces count as a token, two digits, one and a half signs, and each character
/// outside ASCII as a whole one. Prose comes out about right, JSON and log lines somewhat high.
///
/// ```
/// assert_eq!(ecs_agent_runtime::estimated_tokens("the service keeps restarting"), 7);
/// ```
#[must_use]
pub fn estimated_tokens(text: &str) -> u64 {
    // In twelfths of a token, so that nothing is rounded before the end.
    let mut twelfths: u64 = 0;
    for byte in text.bytes() {
        twelfths += match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b' ' => 3,
            b'0'..=b'9' => 6,
            0..=0x7f => 8,
            // A character's first byte; the ones after it are the same character.
            0xc0..=0xff => 12,
            0x80..=0xbf => 0,
        };
    }
    twelfths.div_ceil(12)
}

/// The same for a message, with its calls and their arguments.
pub(crate) fn message_tokens(message: &Message) -> u64 {
    let content = match message {
        Message::Human { text } => estimated_tokens(text),
        Message::Tool { text, name, .. } => estimated_tokens(text) + estimated_tokens(name),
        Message::Ai {
            text,
            tool_calls,
            reasoning,
        } => {
            let calls = tool_calls.iter().map(|call| {
                estimated_tokens(&call.name) + estimated_tokens(&call.arguments.to_string())
            });
            let reasoning = reasoning
                .iter()
                .map(|block| estimated_tokens(&block.data.to_string()));
            calls
                .chain(reasoning)
                .fold(estimated_tokens(text), u64::saturating_add)
        }
    };
    content.saturating_add(MESSAGE_TOKENS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_other_scripts_count_for_more_than_letters() {
        assert_eq!(estimated_tokens(""), 0);
        assert_eq!(estimated_tokens("abcdabcd"), 2);
        assert_eq!(estimated_tokens("12345678"), 4);
        assert_eq!(estimated_tokens("{}[]()"), 4);
        assert_eq!(estimated_tokens("服务重启"), 4);
    }
}
