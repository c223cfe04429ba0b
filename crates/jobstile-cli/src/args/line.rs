//! The command line as it was typed, before anybody has understood it.

use std::ffi::OsString;

use crate::args::Output;

/// Options of every verb that take the next word as their value.
const TAKE_A_WORD: [&str; 5] = ["--config", "--store", "--output", "-o", "--color"];

/// The position of the first word that is not an option.
pub(super) fn verb_at(line: &[OsString]) -> Option<usize> {
    let mut at = 1;
    while let Some(word) = line.get(at).map(|word| word.to_string_lossy()) {
        match &*word {
            option if TAKE_A_WORD.contains(&option) => at += 2,
            option if option.starts_with('-') => at += 1,
            _ => return Some(at),
        }
    }
    None
}

/// `top` is `monitor -c`.
pub(super) fn written_out(line: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut line: Vec<OsString> = line.into_iter().collect();
    if let Some(at) = verb_at(&line).filter(|at| line[*at] == "top") {
        let has = line.iter().any(|word| word == "-c" || word == "--continuous");
        line[at] = "monitor".into();
        line.splice(at + 1..at + 1, (!has).then(|| "-c".into()));
    }
    line
}

/// How to print, as far as it can be seen without understanding the rest: errors of usage have a form too.
pub(crate) fn output(line: &[OsString]) -> Output {
    let words: Vec<String> =
        line.iter().map(|word| word.to_string_lossy().into_owned()).take_while(|word| word != "--").collect();
    let asked = words.iter().enumerate().rev().find_map(|(at, word)| {
        let joined = word.strip_prefix("--output=").or_else(|| word.strip_prefix("-o")).filter(|form| !form.is_empty());
        match joined {
            Some(form) => Some(form.trim_start_matches('=')),
            None if word == "-o" || word == "--output" => words.get(at + 1).map(String::as_str),
            None => None,
        }
    });
    match asked {
        Some("json") => Output::Json,
        Some("jsonl") => Output::Jsonl,
        _ => Output::Table,
    }
}

/// What was typed, for a sentence about it.
pub(super) struct Typed {
    words: Vec<String>,
    all: clap::Command,
    /// The verb, if it is one of ours.
    verb: Option<clap::Command>,
}

impl Typed {
    pub(super) fn of(line: &[OsString]) -> Self {
        let mut all = super::command();
        all.build();
        let verb = verb_at(line).and_then(|at| all.find_subcommand(&line[at]).cloned());
        Self { all, words: line.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect(), verb }
    }

    pub(super) fn verb(&self) -> Option<&str> {
        self.verb.as_ref().map(clap::Command::get_name)
    }

    /// `jobstile runs`.
    pub(super) fn shown(&self) -> String {
        self.verb().map_or_else(|| "jobstile".to_owned(), |verb| format!("jobstile {verb}"))
    }

    /// Every verb.
    pub(super) fn verbs(&self) -> impl Iterator<Item = &str> {
        self.all
            .get_subcommands()
            .filter(|verb| !verb.is_hide_set())
            .flat_map(|verb| verb.get_name_and_visible_aliases())
    }

    /// The long names of the options that would be understood.
    pub(super) fn options(&self) -> impl Iterator<Item = &str> {
        self.verb.as_ref().unwrap_or(&self.all).get_arguments().filter_map(clap::Arg::get_long)
    }

    pub(super) fn help(&self) -> String {
        format!("all options: {} --help", self.shown())
    }

    /// `jobstile runs [JOB]`.
    pub(super) fn usage(&self) -> String {
        let Some(verb) = &self.verb else { return self.help() };
        let places: Vec<String> = verb.get_positionals().map(ToString::to_string).collect();
        match places.is_empty() {
            true => format!("write {} without it      {}", self.shown(), self.help()),
            false => format!("write {} {}      {}", self.shown(), places.join(" "), self.help()),
        }
    }

    /// The word before this one.
    pub(super) fn before(&self, word: &str) -> Option<&str> {
        let at = self.words.iter().position(|other| other == word)?;
        at.checked_sub(1).map(|at| self.words[at].as_str())
    }

    /// Whether an option has its value after an equals sign alone.
    pub(super) fn takes_with_equals(&self, option: &str) -> bool {
        let all = self.verb.iter().flat_map(clap::Command::get_arguments);
        all.into_iter()
            .any(|one| one.is_require_equals_set() && one.get_long().is_some_and(|long| option.ends_with(long)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Vec<OsString> {
        text.split(' ').map(Into::into).collect()
    }

    #[test]
    fn top_is_a_monitor_that_goes_on() {
        for (typed, meant) in [
            ("jobstile top", "jobstile monitor -c"),
            ("jobstile top backup", "jobstile monitor -c backup"),
            ("jobstile --store top -o json top", "jobstile --store top -o json monitor -c"),
            ("jobstile top -c", "jobstile monitor -c"),
            ("jobstile trigger top", "jobstile trigger top"),
        ] {
            assert_eq!(written_out(line(typed)), line(meant));
        }
    }

    #[test]
    fn the_form_is_seen_whatever_else_is_wrong() {
        for (typed, form) in [
            ("jobstile ls --al -o json", Output::Json),
            ("jobstile -ojsonl nonsense", Output::Jsonl),
            ("jobstile --output=json", Output::Json),
            ("jobstile ls -o table", Output::Table),
            ("jobstile ls -o", Output::Table),
            ("jobstile trigger x -- -o json", Output::Table),
        ] {
            assert_eq!(output(&line(typed)), form, "{typed}");
        }
    }
}
