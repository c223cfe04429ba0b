//! What the program says if it cannot do what it was asked: one sentence, what to do about it, an exit code; or the same
//! as JSON.

use std::fmt;

use jobstile::text::clean;
use serde_json::{Value, json};

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
    /// Several problems, each with its place.
    Problems(Box<Problems>),
    /// Nothing is wrong: nobody reads our output any more.
    Nothing,
}

/// Several problems, each with its place.
#[derive(Debug)]
pub(crate) struct Problems {
    /// Text that has its own `error:` lines.
    pub(crate) text: String,
    /// The first of them in one line.
    pub(crate) sentence: String,
    /// What to do about that one.
    pub(crate) hint: Option<String>,
    /// All of them.
    pub(crate) all: Vec<Value>,
}

impl Error {
    /// An error in one sentence that names the thing.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, what: What::Message(message.into()), hints: vec![] }
    }

    /// Several problems, each with its place.
    pub(crate) fn problems(code: Code, problems: Problems) -> Self {
        Self { code, what: What::Problems(Box::new(problems)), hints: vec![] }
    }

    /// The reader of our output is gone: that is success, and there is nobody to tell.
    pub(crate) fn broken_pipe() -> Self {
        Self { code: Code::Done, what: What::Nothing, hints: vec![] }
    }

    /// What is wrong, in one line.
    pub(crate) fn sentence(&self) -> &str {
        match &self.what {
            What::Message(message) => message,
            What::Problems(problems) => &problems.sentence,
            What::Nothing => "",
        }
    }

    /// Whether there is anybody to tell.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self.what, What::Nothing)
    }

    /// `{"error":{"kind","message","hint"}}`, with all problems of a configuration.
    pub(crate) fn to_json(&self) -> Value {
        let hints = (!self.hints.is_empty()).then(|| self.hints.join("\n"));
        let mut error = json!({ "kind": self.code.kind(), "message": self.sentence(), "hint": hints });
        if let What::Problems(problems) = &self.what {
            error["hint"] = problems.hint.clone().into();
            error["problems"] = problems.all.clone().into();
        }
        json!({ "error": error })
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
            What::Problems(problems) => writeln!(f, "{}", problems.text.trim_end())?,
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
    /// For our own output that cannot be written.
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
