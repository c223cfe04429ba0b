//! What the program says when it cannot do what it was asked: one sentence, what to do about it, an exit code.

use std::fmt;

use jobstile::text::clean;

use crate::exit::Code;

/// The end of a command.
#[derive(Debug)]
pub(crate) struct Error {
    /// How the program ends.
    pub(crate) code: Code,
    /// What is wrong, without `error:`.
    what: What,
    /// What to do about it, a line each.
    hints: Vec<String>,
}

#[derive(Debug)]
enum What {
    /// One sentence.
    Message(String),
    /// Text that has its own `error:` lines: several errors, each with its place.
    Rendered(String),
    /// Nothing is wrong: nobody reads our output any more.
    Nothing,
}

impl Error {
    /// An error in one sentence that names the thing.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, what: What::Message(message.into()), hints: vec![] }
    }

    /// Errors that are rendered already.
    pub(crate) fn rendered(code: Code, text: String) -> Self {
        Self { code, what: What::Rendered(text), hints: vec![] }
    }

    /// The reader of our output is gone: that is success, and there is nothing to say to anybody.
    pub(crate) fn broken_pipe() -> Self {
        Self { code: Code::Done, what: What::Nothing, hints: vec![] }
    }

    /// What is wrong, in one line.
    pub(crate) fn sentence(&self) -> String {
        let whole = self.to_string();
        let first = whole.lines().next().unwrap_or_default();
        first.strip_prefix("error: ").unwrap_or(first).to_owned()
    }

    /// Adds a line that says what to do.
    pub(crate) fn hint(mut self, line: impl Into<String>) -> Self {
        self.hints.push(line.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Message(message) => writeln!(f, "error: {}", clean(message))?,
            What::Rendered(text) => writeln!(f, "{}", text.trim_end())?,
            What::Nothing => {}
        }
        self.hints.iter().try_for_each(|line| writeln!(f, "  {}", clean(line)))
    }
}

impl std::error::Error for Error {}

impl From<jobstile::Error> for Error {
    /// The library's error with its exit code.
    fn from(error: jobstile::Error) -> Self {
        use jobstile::Kind;
        let code = match error.kind() {
            Kind::NotAllowed => Code::NotAllowed,
            Kind::NotFound => Code::NotFound,
            Kind::Invalid | Kind::Taken => Code::Usage,
            Kind::Invariant => Code::Scheduler,
            _ => Code::Store,
        };
        let ours = Self::new(code, error.to_string());
        match error.kind() {
            Kind::Newer => ours.hint("upgrade this program; nothing was changed"),
            _ => ours,
        }
    }
}

impl From<std::io::Error> for Error {
    /// For what goes wrong with our own output.
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::broken_pipe(),
            _ => Self::new(Code::Failed, format!("cannot write the output: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_an_error_cannot_act_on_the_terminal() {
        let error = Error::new(Code::Failed, "no \u{1b}[31m").hint("try\n\u{202e}");
        assert_eq!(error.to_string(), "error: no \\x1b[31m\n  try\\n\\u{202e}\n");
    }
}
