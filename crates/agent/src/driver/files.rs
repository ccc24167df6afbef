//! The file tools on files that live outside the thread: laid beside the thread's own for the length
//! of one call, so that every tool does the same everywhere.

use ecs_agent_runtime::{FileOperation, ToolOutcome, VirtualFiles};

use crate::folder;
use crate::session::Session;

/// Carries an operation out on the thread's files with those of every mounted folder.
///
/// Folders are only looked at: the state machine lets no change through to them.
pub(super) async fn carry_out(
    session: &Session,
    operation: FileOperation,
    mut files: VirtualFiles,
) -> ToolOutcome {
    let mut notes = String::new();
    for mounted in &session.settings.guidance.folders {
        let read = folder::read(&mounted.folder);
        if let Some(problem) = read.problem {
            notes.push_str(&format!("\n({}: {problem})", mounted.directory));
        }
        for (path, content) in read.files {
            // What does not fit beside the thread's own files is named, not read.
            let laid = format!("{}/{path}", mounted.directory)
                .parse()
                .map_err(|error: ecs_agent_runtime::FilePathError| error.to_string())
                .and_then(|path| files.put(path, content).map_err(|error| error.to_string()));
            if let Err(reason) = laid {
                notes.push_str(&format!("\n({reason})"));
            }
        }
    }
    match operation.carry_out(&mut files) {
        Ok(text) => ToolOutcome::success(text + &notes),
        Err(refusal) => ToolOutcome::error(refusal.to_string() + &notes),
    }
}
