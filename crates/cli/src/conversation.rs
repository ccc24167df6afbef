//! A thread's way from a request to a result: invocations, with a person between them.

use std::io;

use ecs_agent_core::{
    Input, InvocationResult, InvocationSettings, InvocationStatus, OpenInterrupt, invoke,
};
use ecs_agent_credentials::Sources;
use ecs_agent_runtime::ThreadId;

use crate::cancel::Interrupts;
use crate::error::CliError;
use crate::person::Person;

/// Makes an invocation's sources: keys are read anew for each one and live no longer than it.
pub(crate) type MakeSources<'a> = &'a dyn Fn() -> Result<Sources, CliError>;

/// Invocations on one thread until it ends or waits for someone who is not here.
pub(crate) struct Conversation<'a> {
    pub(crate) settings: InvocationSettings,
    pub(crate) sources: MakeSources<'a>,
    pub(crate) person: Person,
    pub(crate) interrupts: &'a Interrupts,
    pub(crate) thread: ThreadId,
}

impl Conversation<'_> {
    /// Runs invocation after invocation. Each has a context of its own, which is cleared before the
    /// person is asked: nobody's keys wait while they think.
    pub(crate) async fn hold(mut self, first: Input) -> Result<InvocationResult, CliError> {
        let mut input = first;
        loop {
            let result = invoke(
                self.settings.clone(),
                (self.sources)()?,
                self.thread,
                input,
                self.interrupts.token(),
            )
            .await?;
            let InvocationStatus::Interrupted(open) = &result.status else {
                return Ok(result);
            };
            let Some(question) = open.first().cloned() else {
                return Ok(result);
            };
            match self.ask(&question).await? {
                Some(answer) => input = answer,
                None => return Ok(result),
            }
        }
    }

    /// Asks on a thread of its own, so that Ctrl-C is heard meanwhile.
    async fn ask(&mut self, question: &OpenInterrupt) -> Result<Option<Input>, CliError> {
        let mut person = self.person.for_one_question();
        let by = person.name.clone();
        let payload = question.payload.clone();
        let asked = tokio::task::spawn_blocking(move || person.answer(&payload));
        let Some(answered) = self.interrupts.or_cancelled(asked).await else {
            restore_cursor();
            return Ok(None);
        };
        let answer = match answered {
            Ok(Err(CliError::Prompt(dialoguer::Error::IO(error))))
                if error.kind() == io::ErrorKind::Interrupted
                    || self.interrupts.token().is_cancelled() =>
            {
                // Ctrl-C reached the prompt before it reached the listener.
                self.interrupts.token().cancel();
                restore_cursor();
                None
            }
            Ok(answer) => answer?,
            // The prompt panicked: as good as nobody there.
            Err(_) => None,
        };
        Ok(answer.map(|answer| Input::Answer {
            interrupt: question.id,
            answer,
            by,
        }))
    }
}

/// A prompt that was left hides the cursor.
fn restore_cursor() {
    let terminal = console::Term::stderr();
    // The prompt's line is not over yet.
    let _not_a_terminal = terminal
        .show_cursor()
        .and_then(|()| terminal.write_line(""));
}
