//! Colours by meaning, from the terminal's own palette.

use console::Style;

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Something is as it should be.
    Good,
    /// Something needs a look.
    Warning,
    /// Something is wrong.
    Bad,
    /// A heading.
    Heading,
    /// A name that can be copied: an id, a command, an ARN.
    Name,
    /// Less important than what is around it.
    Quiet,
    /// Text that a change takes away.
    Removed,
    /// Text that a change brings.
    Added,
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Palette {
    /// Coloured.
    Colours,
    /// Not coloured.
    Plain,
}

impl Palette {
    /// The palette of standard output: plain when it is not a terminal or `NO_COLOR` is set.
    pub(crate) fn of_stdout() -> Self {
        if console::colors_enabled() {
            Self::Colours
        } else {
            Self::Plain
        }
    }

    /// The palette of standard error.
    pub(crate) fn of_stderr() -> Self {
        if console::colors_enabled_stderr() {
            Self::Colours
        } else {
            Self::Plain
        }
    }

    /// The text in the colour of its meaning.
    pub(crate) fn paint(self, meaning: Meaning, text: impl std::fmt::Display) -> String {
        match self {
            Self::Plain => text.to_string(),
            Self::Colours => style(meaning)
                .force_styling(true)
                .apply_to(text)
                .to_string(),
        }
    }
}

fn style(meaning: Meaning) -> Style {
    match meaning {
        Meaning::Good | Meaning::Added => Style::new().green(),
        Meaning::Warning => Style::new().yellow(),
        Meaning::Bad | Meaning::Removed => Style::new().red(),
        Meaning::Heading => Style::new().bold(),
        Meaning::Name => Style::new().cyan(),
        Meaning::Quiet => Style::new().dim(),
    }
}
