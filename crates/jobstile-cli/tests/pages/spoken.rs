//! Commands that a page only names: is there such a command, and does it have these flags?

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;

use jobstile_child::Limited as _;

const OPERATORS: [&str; 5] = ["|", "||", "&&", ";", "&"];

static HELP: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

/// What `--help` of a command prints, or nothing if there is no such command.
pub(crate) fn help_of(verb: &str) -> String {
    let mut known = HELP.lock().expect("a map");
    known
        .entry(verb.to_owned())
        .or_insert_with(|| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_jobstile"));
            if !verb.is_empty() {
                command.arg(verb);
            }
            let output = command.arg("--help").env_clear().with_bug().limited().expect("the program");
            if output.status.success() { String::from_utf8(output.stdout).expect("text") } else { String::new() }
        })
        .clone()
}

/// What is wrong with the `jobstile` commands of a shell line.
pub(crate) fn faults(line: &str) -> Vec<String> {
    let mut faults = vec![];
    for command in words(line).split(|word| OPERATORS.contains(&word.as_str())) {
        let mut words = command.iter().skip_while(|word| *word == "sudo" || word.contains('=')).map(String::as_str);
        if !words.next().is_some_and(|word| word == "jobstile" || word.ends_with("/release/jobstile")) {
            continue;
        }
        let words: Vec<&str> = words.collect();
        let Some(verb) = words.iter().find(|word| !word.starts_with('-') && !word.starts_with('>')) else { continue };
        let help = help_of(verb);
        if help.is_empty() {
            faults.push(format!("there is no command `{verb}`: {line}"));
            continue;
        }
        for flag in words.iter().filter(|word| word.starts_with('-') && word.len() > 1) {
            let name = flag.split('=').next().unwrap_or_default();
            let listed = help.split([' ', ',', '\n', '[', '=']).any(|word| word == name);
            if name != "--" && !listed {
                faults.push(format!("{verb} has no flag {name}: {line}"));
            }
        }
    }
    faults
}

/// The words of a shell line without its comment, quotes taken off, operators as words of their own.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let (mut word, mut quote, mut some) = (String::new(), None, false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.push(c),
            (None, '\'' | '"') => (quote, some) = (Some(c), true),
            (None, '#') if word.is_empty() && !some => break,
            (None, ' ' | '|' | '&' | ';') => {
                if !word.is_empty() || some {
                    words.push(std::mem::take(&mut word));
                    some = false;
                }
                if c != ' ' {
                    let double = chars.next_if_eq(&c).is_some();
                    words.push(if double { format!("{c}{c}") } else { c.to_string() });
                }
            }
            (None, _) => word.push(c),
        }
    }
    if !word.is_empty() || some {
        words.push(word);
    }
    words
}
