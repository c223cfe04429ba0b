//! Every example of every page works: what a page shows is what the program prints.
//!
//! A page is a session. Its blocks run from top to bottom in a folder of their own that holds a copy of `examples/`,
//! with the program in the path:
//!
//! - `console`: each `$ command` runs, and what follows it must be what it printed, once times, durations, sizes, process
//!   ids and host names are blanked. `jobstile serve` runs until the end of the page; the lines shown must be in its log.
//! - `sh`: each `jobstile` command must be one that the program understands; so must every code span that is one.
//! - `toml`: `jobstile check` must accept it; `json` and `python` must parse.
//!
//! A comment above a block says more, `<!-- page: … -->`:
//!
//! | mark | meaning |
//! | --- | --- |
//! | `file NAME` | write the block to this file of the session's folder |
//! | `append NAME` | add the block to the end of that file |
//! | `from FILE` | the block is a part of this file of the repository |
//! | `wrong` | `jobstile check` must refuse the block |
//! | `first N lines` | the output is cut after N lines |
//! | `pick WORDS \|\| WORDS` | of the output, the first line with each of these words |
//! | `without LINE` | the output lacks the paragraph that begins with this line |
//! | `exact` | nothing but the folder is blanked |
//! | `numbers vary` | all numbers are blanked |
//! | `run COMMAND` | a command that the reader does not see |
//! | `until COMMAND` | wait until this command succeeds |
//!
//! `JOBSTILE_PAGES=write cargo test -p jobstile-cli --test pages` writes what the program prints into the pages;
//! `JOBSTILE_PAGES=write:operating` does so for pages of that name. A block that differs only in what is blanked stays.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};

#[path = "pages/blank.rs"]
mod blank;
#[path = "pages/page.rs"]
mod page;
#[path = "pages/session.rs"]
mod session;
#[path = "pages/spoken.rs"]
mod spoken;

/// What a reader takes in at once.
const README_LINES: usize = 200;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// The pages of the repository, from its root.
fn pages() -> Vec<String> {
    let mut pages: Vec<String> =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "ARCHITECTURE.md"].map(ToOwned::to_owned).into();
    for entry in fs::read_dir(root().join("docs")).expect("docs") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        if name.ends_with(".md") {
            pages.push(format!("docs/{name}"));
        }
    }
    pages.sort();
    pages
}

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|e| panic!("{page}: {e}"))
}

#[test]
fn every_example_of_every_page_works() {
    let wish = std::env::var("JOBSTILE_PAGES").unwrap_or_default();
    let (write, only) = match wish.split_once(':') {
        Some(("write", only)) => (true, only.to_owned()),
        _ => (wish == "write", String::new()),
    };
    let threads: Vec<_> = pages()
        .into_iter()
        .filter(|page| page.contains(&only))
        .map(|page| {
            std::thread::spawn(move || {
                let text = read(&page);
                let mut played = session::play(&root(), &page, &text, write);
                if !write && !played.faults.is_empty() {
                    // A machine that was busy elsewhere shows another moment of a page than the one that is written.
                    played = session::play(&root(), &page, &text, write);
                }
                if write && played.text != text {
                    fs::write(root().join(&page), &played.text).expect("the page");
                }
                played.faults
            })
        })
        .collect();
    let faults: Vec<String> = threads.into_iter().flat_map(|page| page.join().expect("a page")).collect();
    assert!(
        faults.is_empty(),
        "{}\n\nif this is what the program should print: JOBSTILE_PAGES=write cargo test -p jobstile-cli --test pages",
        faults.join("\n\n")
    );
}

#[test]
fn the_readme_is_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= README_LINES, "README.md has {lines} lines; what is longer is a page under docs/");
}

#[test]
fn every_link_leads_somewhere() {
    let mut faults = vec![];
    for page in pages() {
        let folder = root().join(&page).parent().expect("a folder").to_owned();
        for (line, link) in page::links(&read(&page)) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { root().join(&page) } else { folder.join(file) };
            if !target.exists() {
                faults.push(format!("{page}:{line}: no file {file}"));
            } else if !anchor.is_empty() && file_has_no(&target, anchor) {
                faults.push(format!("{page}:{line}: no heading #{anchor} in {}", target.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn file_has_no(file: &Path, anchor: &str) -> bool {
    let text = fs::read_to_string(file).expect("a page");
    !page::headings(&text).iter().any(|heading| heading == anchor)
}

#[test]
fn every_word_of_an_answer_is_explained() {
    use jobstile_core::decide::{Code, Decision};
    use jobstile_core::outcome::Outcome;
    use jobstile_core::run::State;
    let page = read("docs/codes.md");
    let words = Decision::ALL.iter().map(|word| word.as_str());
    let words =
        words.chain(Code::ALL.iter().map(|word| word.as_str())).chain(State::ALL.iter().map(|word| word.as_str()));
    for word in words.chain(Outcome::ALL.iter().map(|word| word.as_str())) {
        assert!(page.contains(&format!("| `{word}` |")), "docs/codes.md does not explain `{word}`");
    }
}

#[test]
fn every_command_has_its_page() {
    let page = read("docs/commands.md");
    let help = spoken::help_of("");
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verbs: Vec<&str> = commands
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|verb| *verb != "help")
        .collect();
    assert!(verbs.len() > 20, "{verbs:?}");
    for verb in verbs {
        assert!(page.contains(&format!("\n$ jobstile {verb} --help\n")), "docs/commands.md lacks {verb}");
    }
}

/// A backup or a restore that misses one of them loses runs.
#[test]
fn all_files_of_a_store_are_documented() {
    let mut session = session::Session::new(&root(), false);
    session.start("jobstile serve --config examples/monitors.toml");
    let folder = session.path().join("examples/.jobstile");
    let there = || fs::read_dir(&folder).into_iter().flatten().flatten().map(|file| file.file_name());
    assert!(session.wait("jobstile runs chainhook_monitor | grep succeeded"));
    let page = read("docs/operating.md");
    let mut seen = 0;
    for name in there() {
        let name = name.into_string().expect("a name").replace("monitors.db", "jobstile.db");
        assert!(page.contains(&format!("`{name}`")) || page.contains(&format!("`{name}/`")), "{name}");
        seen += 1;
    }
    assert!(seen >= 7, "only {seen} files");
}

/// The checks are proved: a page with planted faults fails at each of them, a page without passes.
#[test]
fn a_planted_fault_is_found() {
    let play = |text: &str| session::play(&root(), "planted.md", text, false).faults.join("\n");
    let console = |text: &str| format!("```console\n{text}```\n");
    for (planted, complaint) in [
        (console("$ echo one\ntwo\n"), "+ one"),
        (console("$ sh -c 'echo one; exit 3'\none\n"), "[exit 3]"),
        (console("$ echo took 3 s\ntook 3 s, twice\n"), "+ took"),
        ("```toml\n[jobs.a]\nevrey = \"3s\"\n```\n".into(), "did you mean `every`"),
        ("<!-- page: wrong -->\n```toml\n[jobs.a]\ncommand = [\"true\"]\n```\n".into(), "should be refused"),
        ("<!-- page: from README.md -->\n```toml\nnot there\n```\n".into(), "is not a part of README.md"),
        ("<!-- page: perhaps -->\n".into(), "unknown mark"),
        ("```sh\njobstile explian backup\n```\n".into(), "no command `explian`"),
        ("Type `jobstile runs --filed`.\n".into(), "no flag --filed"),
        ("```json\n{\"a\": }\n```\n".into(), "planted.md:1"),
        ("```console\n$ echo\n".into(), "does not end"),
    ] {
        let found = play(&planted);
        assert!(found.contains(complaint), "{complaint:?} is not in what was found in\n{planted}\n{found}");
    }
    let good = console("$ echo took 3 s\ntook 14.2 s\n$ sh -c 'exit 3'\n[exit 3]\n")
        + "```sh\njobstile runs backup --failed | head   # `jobstile` understands it\n```\n";
    assert_eq!(play(&good), "");
}

/// The same mechanism makes the blocks: what differs in more than times is replaced, the rest stays as it was.
#[test]
fn writing_a_page_replaces_what_has_changed() {
    let page = "A.\n\n```console\n$ echo one 3 s\none 4 s\n$ echo two\n2\n```\n\nB.\n";
    let written = session::play(&root(), "planted.md", page, true);
    assert_eq!(written.faults, [""; 0]);
    assert_eq!(written.text, "A.\n\n```console\n$ echo one 3 s\none 4 s\n$ echo two\ntwo\n```\n\nB.\n");
}
