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
pub(crate) mod working;

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use jobstile::text::clean;

use crate::args::{Colour, Output};
use crate::error::Error;

/// Writes data to standard output, as it is.
///
/// # Errors
/// [`Error::broken_pipe`] if nobody reads it any more, which ends the program as a success; or it cannot be written.
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

/// Says one line that may hold anything; under `-o json` as `{"note":…}`.
pub(crate) fn say_line(line: &str) {
    match in_json() {
        true => say(&json::document(&serde_json::json!({ "note": line }), true)),
        false => say(&format!("{}\n", clean(line))),
    }
}

/// Says what to do next, a line each.
pub(crate) fn suggest(lines: &[String]) {
    if !in_json() {
        lines.iter().for_each(|line| say(&format!("  {}\n", clean(line))));
    }
}

/// Says why the program ends; under `-o json` in one line, `{"error":{"kind","message","hint"}}`.
pub(crate) fn error(error: &Error) {
    match in_json() && !error.is_silent() {
        true => say(&json::document(&error.to_json(), true)),
        false => say(&error.to_string()),
    }
}

static FORM: OnceLock<Output> = OnceLock::new();

/// How errors and notes are said from now on; the first call counts.
pub(crate) fn set_form(form: Output) {
    let _ = FORM.set(form);
}

fn in_json() -> bool {
    FORM.get().is_some_and(|form| *form != Output::Table)
}

static COLOUR: OnceLock<Colour> = OnceLock::new();

/// Whether to use colours from now on; the first call counts.
pub(crate) fn set_colour(colour: Colour) {
    let _ = COLOUR.set(colour);
}

/// Colour on standard output.
pub(crate) fn colour_on_stdout() -> bool {
    wants_colour(&std::io::stdout())
}

/// Colour on standard error.
pub(crate) fn colour_on_stderr() -> bool {
    wants_colour(&std::io::stderr())
}

// As --color says; else on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
fn wants_colour(on: &impl IsTerminal) -> bool {
    match COLOUR.get().unwrap_or(&Colour::Auto) {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => on.is_terminal() && terminal_takes_colour(),
    }
}

fn terminal_takes_colour() -> bool {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_color && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
