//! How the program ends: one number a meaning, the same for every command.

use std::process::ExitCode;

/// What an exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Healthy, or repaired and verified; or the command did what it was asked.
    Success,
    /// A defect of this program.
    Internal,
    /// The command line, the configuration or a scenario is wrong; nothing was started.
    Usage,
    /// The service is not known to be healthy and nothing was changed.
    Findings,
    /// A question or an approval is open and nobody was there to answer.
    NeedsPerson,
    /// Credentials are missing, expired or refused, or a permission is missing.
    Credentials,
    /// AWS, or the endpoint that stands in for it, could not be reached.
    Unreachable,
    /// The repair failed, was rolled back, or could not be verified.
    NotRepaired,
    /// A step, token, time or prompt budget was spent.
    Budget,
    /// Nothing matches: no such service, thread or report.
    NotFound,
    /// The isolation demo saw a request under another invocation's key, or a context left over.
    NotIsolated,
    /// The audit chain was changed, cut or written anew.
    Tampered,
    /// Cancelled by Ctrl-C, or by the signal that a supervisor sends.
    Cancelled,
}

impl Exit {
    /// Every code, in the order of the table that people read.
    pub(crate) const ALL: [Self; 13] = [
        Self::Success,
        Self::Internal,
        Self::Usage,
        Self::Findings,
        Self::NeedsPerson,
        Self::Credentials,
        Self::Unreachable,
        Self::NotRepaired,
        Self::Budget,
        Self::NotFound,
        Self::NotIsolated,
        Self::Tampered,
        Self::Cancelled,
    ];

    /// The number that the shell sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Findings => 3,
            Self::NeedsPerson => 4,
            Self::Credentials => 5,
            Self::Unreachable => 6,
            Self::NotRepaired => 7,
            Self::Budget => 8,
            Self::NotFound => 9,
            Self::NotIsolated => 10,
            Self::Tampered => 11,
            // 128 + SIGINT, as shells report it.
            Self::Cancelled => 130,
        }
    }

    /// The meaning in one line.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Success => "healthy, or repaired and verified; or the command did its work",
            Self::Internal => "a defect of this program",
            Self::Usage => "wrong command line, configuration or scenario; nothing was started",
            Self::Findings => "the service is not known to be healthy; nothing was changed",
            Self::NeedsPerson => "a question or an approval is open: answer it with `resume`",
            Self::Credentials => "credentials missing, expired or refused; permission missing",
            Self::Unreachable => "AWS or the endpoint could not be reached",
            Self::NotRepaired => "the repair failed, was rolled back or could not be verified",
            Self::Budget => "a budget was spent (steps, tokens, time, prompts)",
            Self::NotFound => "nothing matches: no such service, thread or report",
            Self::NotIsolated => "`demo isolation` saw a crossing or a context left over",
            Self::Tampered => "`audit verify` found a record changed, removed or put in",
            Self::Cancelled => "cancelled with Ctrl-C or SIGTERM",
        }
    }

    /// The table at the end of `--help`.
    pub(crate) fn table() -> String {
        let mut table = String::from("Exit codes:\n");
        for exit in Self::ALL {
            table.push_str(&format!("  {:>3}  {}\n", exit.code(), exit.meaning()));
        }
        table
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_meanings_share_a_number() {
        let codes: BTreeSet<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes.len(), Exit::ALL.len());
    }

    #[test]
    fn the_document_has_the_same_table() {
        let document = include_str!("../../../docs/cli.md");
        for exit in Exit::ALL {
            let row = format!("| {} | {} |", exit.code(), exit.meaning());
            assert!(document.contains(&row), "docs/cli.md lacks the row `{row}`");
        }
    }
}
