//! Texts that are too large for a context window: kept whole as a file, shown in part.

use std::fmt::Write as _;

use crate::files::{VirtualFiles, clipped};
use crate::ids::{FramePath, ToolCallId};
use crate::path::FilePath;

/// The longest result that a model gets whole, in characters.
const MAX_CHARS: usize = 80_000;
/// The longest message of a person that a model gets whole, in characters.
const MAX_HUMAN_CHARS: usize = 200_000;
const PREVIEW_LINES: usize = 5;
const PREVIEW_LINE_BYTES: usize = 1_000;

/// The text for the model: the result itself, or a preview after the whole was put in a file.
pub(crate) fn shown(
    text: &str,
    frame: &FramePath,
    call: &ToolCallId,
    files: &mut VirtualFiles,
) -> String {
    if fits(text, MAX_CHARS) {
        return text.to_owned();
    }
    let name: Vec<String> = frame.calls().iter().chain([call]).map(sanitised).collect();
    let path = free_path("/large_tool_results", &name.join("_"), files);
    preview("result", text, path, files)
}

/// The same for what a person said.
pub(crate) fn shown_words(text: &str, files: &mut VirtualFiles) -> String {
    if fits(text, MAX_HUMAN_CHARS) {
        return text.to_owned();
    }
    let path = free_path("/large_messages", "message", files);
    preview("message", text, path, files)
}

fn fits(text: &str, chars: usize) -> bool {
    text.len() <= chars || text.chars().nth(chars).is_none()
}

fn preview(what: &str, text: &str, path: Option<FilePath>, files: &mut VirtualFiles) -> String {
    let kept = path.and_then(|path| files.keep(path.clone(), text).ok().map(|()| path));
    let mut shown = String::new();
    let _ = match kept {
        Some(path) => writeln!(
            shown,
            "The {what} is too large to show ({} bytes). All of it is in `{path}`: read_file and \
             grep it. Its first and last lines:",
            text.len()
        ),
        None => writeln!(
            shown,
            "The {what} is too large to show or keep ({} bytes). Its first and last lines:",
            text.len()
        ),
    };
    let lines: Vec<&str> = text.lines().collect();
    let tail_from = lines.len().saturating_sub(PREVIEW_LINES).max(PREVIEW_LINES);
    for line in lines.iter().take(PREVIEW_LINES) {
        let _ = writeln!(shown, "{}", clipped(line, PREVIEW_LINE_BYTES));
    }
    if lines.len() > 2 * PREVIEW_LINES {
        let _ = writeln!(
            shown,
            "({} lines not shown)",
            lines.len() - 2 * PREVIEW_LINES
        );
    }
    for line in lines.iter().skip(tail_from) {
        let _ = writeln!(shown, "{}", clipped(line, PREVIEW_LINE_BYTES));
    }
    shown
}

/// A path that no file has: ids come from a model, so they may hold anything and may repeat.
pub(crate) fn free_path(directory: &str, name: &str, files: &VirtualFiles) -> Option<FilePath> {
    (1_u32..1_000)
        .map(|n| match n {
            1 => format!("{directory}/{name}"),
            _ => format!("{directory}/{name}~{n}"),
        })
        .find(|path| files.get(path).is_none())
        .and_then(|path| path.parse().ok())
}

pub(crate) fn sanitised(id: &ToolCallId) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    id.as_str().chars().take(64).map(plain).collect()
}
