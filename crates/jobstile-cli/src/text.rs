//! What people read: the way out for text, and its forms.

pub(crate) mod columns;
pub(crate) mod duration;
pub(crate) mod fit;
pub(crate) mod json;
pub(crate) mod log;
pub(crate) mod safe;
pub(crate) mod table;
pub(crate) mod time;
pub(crate) mod words;

use std::io::{IsTerminal, Write};

use jobstile::text::clean;

use crate::error::Error;

/// Writes data to standard output, as it is.
///
/// # Errors
/// Where nobody reads it any more, [`Error::broken_pipe`], which ends the program as a success; or it cannot be written.
pub(crate) fn out(text: &str) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Writes words to standard error. There is nobody left to tell if that fails.
pub(crate) fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Says one line that may hold anything.
pub(crate) fn say_line(line: &str) {
    say(&format!("{}\n", clean(line)));
}

/// Says what to do next, a line each.
pub(crate) fn suggest(lines: &[String]) {
    lines.iter().for_each(|line| say(&format!("  {}\n", clean(line))));
}

/// Says why the program ends.
pub(crate) fn error(error: &Error) {
    say(&error.to_string());
}

/// Colour on standard output, likewise.
pub(crate) fn colour_on_stdout() -> bool {
    std::io::stdout().is_terminal() && wants_colour()
}

/// Colour on standard error: it is a terminal, and nobody asked for none (`NO_COLOR`, <https://no-color.org>).
pub(crate) fn colour_on_stderr() -> bool {
    std::io::stderr().is_terminal() && wants_colour()
}

fn wants_colour() -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_color && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
