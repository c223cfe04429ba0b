//! Rules of the house that a machine can check: who may read the clock, who may import whom, where SQL lies.
//!
//! Each rule reads the sources as text. Each is proved by a planted violation that it must find, and by something that
//! only looks like one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[path = "house_rules/bank.rs"]
mod bank;
#[path = "house_rules/children.rs"]
mod children;
#[path = "house_rules/english.rs"]
mod english;
#[path = "house_rules/source.rs"]
mod source;
#[path = "house_rules/sql.rs"]
mod sql;
#[path = "house_rules/verbs.rs"]
mod verbs;

use source::{Source, line_of, words};

/// A rule: its name, and what it says about one file, line by line.
struct Rule {
    name: &'static str,
    check: fn(&Source) -> Vec<(usize, String)>,
}

const RULES: &[Rule] = &[
    Rule { name: "only the clock file reads time and sleeps", check: only_the_clock_reads_time_and_sleeps },
    Rule { name: "the core does no IO", check: the_core_does_no_io },
    Rule { name: "the core depends on what is pure", check: the_core_depends_on_what_is_pure },
    Rule { name: "SQL lies under store/", check: sql::sql_lies_under_store },
    Rule { name: "a driver stays in its store", check: sql::a_driver_stays_in_its_store },
    Rule { name: "one statement a file, its columns named", check: sql::one_statement_a_file },
    Rule { name: "an update of a run is fenced", check: sql::an_update_of_a_run_is_fenced },
    Rule { name: "imports follow the flow", check: imports_follow_the_flow },
    Rule { name: "no verb imports another", check: verbs::imports_no_other_verb },
    Rule { name: "JSON has one writer", check: json_has_one_writer },
    Rule { name: "no Manager, Helper, Util", check: no_vague_names },
    Rule { name: "no test is skipped", check: no_test_is_skipped },
    Rule { name: "no translated English", check: english::reads_as_translated },
    Rule { name: "a child of a test has a time limit", check: children::has_a_time_limit },
    Rule { name: "the oracle is not what it judges", check: children::the_oracle_is_not_what_it_judges },
];

/// The one file that reads time and sleeps.
const CLOCK: &str = "crates/jobstile/src/clock.rs";

/// Files that may break a rule, and why. A line that is not needed any more fails the test.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("a driver stays in its store", "crates/jobstile/benches/figures/ceiling.rs", "what SQLite gives without us"),
    (
        "a driver stays in its store",
        "crates/jobstile/benches/figures/schedules.rs",
        "spreads phases as no operation does",
    ),
];

fn only_the_clock_reads_time_and_sleeps(file: &Source) -> Vec<(usize, String)> {
    if file.path == CLOCK || file.is_test() {
        return vec![];
    }
    const READS: [&str; 10] = [
        "SystemTime::now",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "clock_gettime",
        ".elapsed()",
        "UNIX_EPOCH.elapsed",
        "thread::sleep",
        "time::sleep",
        "time::interval",
    ];
    file.finds(&READS).into_iter().map(|(line, what)| (line, format!("{what} outside {CLOCK}"))).collect()
}

fn the_core_does_no_io(file: &Source) -> Vec<(usize, String)> {
    if !file.path.starts_with("crates/core/src/") || file.is_test() {
        return vec![];
    }
    const IMPURE: [&str; 17] = [
        "std::fs",
        "std::io",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "std::sync::atomic",
        "Mutex",
        "OnceLock",
        "thread_local!",
        "std::os",
        "SystemTime",
        "Instant",
        "RandomState",
        "HashMap",
        "println!",
        "static mut",
    ];
    file.finds(&IMPURE).into_iter().map(|(line, what)| (line, format!("{what} in the core"))).collect()
}

fn the_core_depends_on_what_is_pure(file: &Source) -> Vec<(usize, String)> {
    const ALLOWED: [&str; 2] = ["thiserror", "jiff"];
    if file.path != "crates/core/Cargo.toml" {
        return vec![];
    }
    let mut found = vec![];
    let mut in_dependencies = false;
    for (index, line) in file.text.lines().enumerate() {
        if let Some(section) = line.trim().strip_prefix('[') {
            let section = section.trim_end_matches(']');
            // [dependencies], [build-dependencies], [target.….dependencies] and [dependencies.NAME] alike.
            let kind = section.rsplit_once("dependencies.").map_or(section, |_| "dependencies");
            in_dependencies = kind.ends_with("dependencies") && !section.contains("dev-dependencies");
            if let (true, Some((_, name))) = (in_dependencies, section.rsplit_once("dependencies.")) {
                in_dependencies = false;
                if !ALLOWED.contains(&name) {
                    found.push((index + 1, format!("the core depends on {name}")));
                }
            }
            continue;
        }
        let name = line.split(['=', '.', ' ']).next().unwrap_or_default().trim();
        if in_dependencies && !name.is_empty() && !name.starts_with('#') && !ALLOWED.contains(&name) {
            found.push((index + 1, format!("the core depends on {name}")));
        }
    }
    found
}

fn imports_follow_the_flow(file: &Source) -> Vec<(usize, String)> {
    // What lies in the first must not name the second: cmd ─► client ─► op ─► store, engine ─► op, runner, clock.
    const LIBRARY: [(&str, &[&str]); 4] = [
        ("op", &["client", "engine", "runner"]),
        ("store", &["client", "engine", "runner"]),
        ("runner", &["client", "engine", "op", "store"]),
        ("engine", &["client"]),
    ];
    const PROGRAM: [(&str, &[&str]); 2] = [("text", &["cmd", "config"]), ("config", &["cmd"])];
    if file.is_test() {
        return vec![];
    }
    let mut found = vec![];
    for (root, layers) in [("crates/jobstile/src/", &LIBRARY[..]), ("crates/jobstile-cli/src/", &PROGRAM[..])] {
        let Some(inner) = file.path.strip_prefix(root) else { continue };
        for (layer, forbidden) in layers {
            if inner != format!("{layer}.rs") && !inner.starts_with(&format!("{layer}/")) {
                continue;
            }
            for (line, name) in file.names_from_crate() {
                let module = name.split("::").next().unwrap_or_default();
                if forbidden.contains(&module) {
                    found.push((line, format!("{layer} names {name}")));
                }
            }
        }
        // A store never decides, and the operations never name a database.
        if inner.starts_with("store") {
            found.extend(file.finds(&["decide("]).into_iter().map(|(line, _)| (line, "a store decides".to_owned())));
        }
        if inner.starts_with("op/") || inner == "op.rs" {
            let databases = file.finds(&["sqlite", "postgres"]);
            found.extend(databases.into_iter().map(|(line, name)| (line, format!("op names {name}"))));
        }
    }
    found
}

fn json_has_one_writer(file: &Source) -> Vec<(usize, String)> {
    const WRITER: &str = "crates/jobstile-cli/src/text/json.rs";
    if !file.path.starts_with("crates/jobstile-cli/src/") || file.path == WRITER || file.is_test() {
        return vec![];
    }
    let called = file.finds(&["serde_json::to_string", "serde_json::to_writer", "serde_json::to_vec"]);
    let pretty = file.strings.iter().filter(|(_, text)| text.contains(":#}")).map(|(line, _)| (*line, "{:#}"));
    called.into_iter().chain(pretty).map(|(line, what)| (line, format!("{what} outside {WRITER}"))).collect()
}

fn no_vague_names(file: &Source) -> Vec<(usize, String)> {
    const VAGUE: [&str; 5] = ["Manager", "Helper", "Helpers", "Util", "Utils"];
    let stem = file.path.rsplit('/').next().unwrap_or_default().split('.').next().unwrap_or_default();
    let mut found = vec![];
    if file.path.ends_with(".rs") && VAGUE.iter().any(|vague| stem.eq_ignore_ascii_case(vague)) {
        found.push((1, format!("{stem} says nothing about what is in it")));
    }
    for (line, pair) in words(&file.code).windows(2).map(|pair| (pair[0].0, (pair[0].1, pair[1].1))) {
        if let ("struct" | "enum" | "trait" | "mod" | "type", name) = pair
            && VAGUE.iter().any(|vague| name.ends_with(vague) || name == vague.to_ascii_lowercase())
        {
            found.push((line_of(&file.code, line), format!("{name} says nothing about what it does")));
        }
    }
    found
}

fn no_test_is_skipped(file: &Source) -> Vec<(usize, String)> {
    file.finds(&["#[ignore", "#![ignore"])
        .into_iter()
        .map(|(line, _)| (line, "a test that does not run".into()))
        .collect()
}

/// What all rules say about these files.
fn violations(files: &[(String, String)]) -> Vec<String> {
    let sources = Source::all(files);
    let mut found = vec![];
    let mut needed = BTreeSet::new();
    for file in &sources {
        for rule in RULES {
            for (line, what) in (rule.check)(file) {
                let exception = EXCEPTIONS.iter().find(|(name, path, _)| *name == rule.name && *path == file.path);
                match exception {
                    Some((name, path, _)) => {
                        needed.insert((*name, *path));
                    }
                    None => found.push(format!("{}:{line}: {what} ({})", file.path, rule.name)),
                }
            }
        }
    }
    for (name, path, _) in EXCEPTIONS {
        if sources.iter().any(|file| file.path == *path) && !needed.contains(&(*name, *path)) {
            found.push(format!("{path}: the exception from \"{name}\" is not needed any more"));
        }
    }
    found
}

/// Every Rust, SQL, TOML and Markdown file of the workspace, by path from its root.
fn tree() -> Vec<(String, String)> {
    const KINDS: [&str; 4] = ["rs", "sql", "toml", "md"];
    fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("a folder of the workspace") {
            let path = entry.expect("an entry of a folder").path();
            if path.is_dir() {
                walk(root, &path, files);
            } else if path.extension().is_some_and(|kind| KINDS.iter().any(|known| kind == *known)) {
                let name = path.strip_prefix(root).expect("a path below the root").to_string_lossy().into_owned();
                files.push((name, fs::read_to_string(&path).expect("a text file")));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = vec![];
    for folder in ["crates", "docs", "examples", "scenarios"] {
        walk(&root, &root.join(folder), &mut files);
    }
    for page in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"] {
        files.push((page.to_owned(), fs::read_to_string(root.join(page)).expect("a page")));
    }
    files.sort();
    files
}

#[test]
fn the_tree_keeps_the_rules_of_the_house() {
    let files = tree();
    assert!(files.len() > 20, "only {} files: the walk is wrong", files.len());
    let found = violations(&files);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn each_rule_finds_a_planted_violation() {
    const PLANTED: &[(&str, &str, &str, usize)] = &[
        // rule                                     path                                text                        line
        (
            "only the clock file reads time and sleeps",
            "crates/jobstile/src/op/due.rs",
            "fn f() {\n    let t = Instant::now();\n}",
            2,
        ),
        (
            "only the clock file reads time and sleeps",
            "crates/jobstile-cli/src/cmd/ls.rs",
            "let t = jiff::Timestamp::now();",
            1,
        ),
        (
            "only the clock file reads time and sleeps",
            "crates/jobstile/src/runner.rs",
            "while began.elapsed() < limit {}",
            1,
        ),
        ("only the clock file reads time and sleeps", "crates/jobstile/src/runner.rs", "std::thread::sleep(wait);", 1),
        (
            "only the clock file reads time and sleeps",
            "crates/jobstile/src/engine.rs",
            "tokio::time::sleep(wait).await;",
            1,
        ),
        (
            "only the clock file reads time and sleeps",
            "crates/jobstile/src/op.rs",
            "#[cfg(test)]\nmod tests {\n    fn f() { Instant::now(); }\n}\nfn g() { SystemTime::now(); }",
            5,
        ),
        ("the core does no IO", "crates/core/src/decide.rs", "use std::env;", 1),
        ("the core does no IO", "crates/core/src/key.rs", "use std::collections::HashMap;", 1),
        (
            "the core depends on what is pure",
            "crates/core/Cargo.toml",
            "[dependencies]\nthiserror = \"2\"\ntokio = \"1\"",
            3,
        ),
        ("the core depends on what is pure", "crates/core/Cargo.toml", "[dependencies]\nrand.workspace = true", 2),
        ("the core depends on what is pure", "crates/core/Cargo.toml", "[dependencies.rand]\nversion = \"1\"", 1),
        (
            "the core depends on what is pure",
            "crates/core/Cargo.toml",
            "[target.'cfg(unix)'.dependencies]\nlibc = \"1\"",
            2,
        ),
        ("SQL lies under store/", "crates/jobstile/src/op/claim.rs", "let s = \"select id from run\";", 1),
        ("SQL lies under store/", "crates/jobstile/src/engine/pruner.rs", "let s = r#\"\n  DELETE FROM run\n\"#;", 1),
        ("SQL lies under store/", "crates/jobstile-cli/src/cmd/doctor.rs", "include_str!(\"../../slots.sql\")", 1),
        ("SQL lies under store/", "crates/jobstile/src/op/due.sql", "select id from run", 1),
        ("a driver stays in its store", "crates/jobstile/src/client.rs", "use rusqlite::Connection;", 1),
        ("a driver stays in its store", "crates/jobstile/src/error.rs", "\n\nfrom: rusqlite::Error,", 3),
        (
            "one statement a file, its columns named",
            "crates/jobstile/src/store/sqlite/sql/a.sql",
            "select id, r.* from run r",
            1,
        ),
        (
            "one statement a file, its columns named",
            "crates/jobstile/src/store/sqlite/sql/a.sql",
            "delete from a; delete from b;",
            1,
        ),
        (
            "an update of a run is fenced",
            "crates/jobstile/src/store/sqlite/sql/a.sql",
            "update run set fence=?2\nwhere id = ?1",
            1,
        ),
        (
            "an update of a run is fenced",
            "crates/jobstile/src/store/sqlite/sql/a.sql",
            "UPDATE run -- where id = ?1 and fence = ?2\nSET state = ?3",
            1,
        ),
        ("imports follow the flow", "crates/jobstile/src/op/claim.rs", "use crate::engine::node::Node;", 1),
        ("imports follow the flow", "crates/jobstile/src/op/claim.rs", "use crate::{args, runner::Exit};", 1),
        ("imports follow the flow", "crates/jobstile/src/op/claim.rs", "use crate::{args, engine};", 1),
        ("imports follow the flow", "crates/jobstile/src/store/sqlite.rs", "\nfn f() { crate::client::open() }", 2),
        ("imports follow the flow", "crates/jobstile/src/runner/http.rs", "use crate::op::Op;", 1),
        ("imports follow the flow", "crates/jobstile/src/engine/reaper.rs", "use crate::client::Jobstile;", 1),
        ("imports follow the flow", "crates/jobstile/src/op/reap.rs", "use crate::store::sqlite::Store;", 1),
        ("imports follow the flow", "crates/jobstile/src/store/sqlite.rs", "let d = decide(&rules, &view);", 1),
        ("imports follow the flow", "crates/jobstile-cli/src/text/log.rs", "use crate::cmd::Verb;", 1),
        ("no verb imports another", "crates/jobstile-cli/src/cmd/show.rs", "\nuse super::ls::standing;", 2),
        ("no verb imports another", "crates/jobstile-cli/src/cmd/show.rs", "use super::{open, ls::standing};", 1),
        ("no verb imports another", "crates/jobstile-cli/src/cmd/trigger/wait.rs", "use super::super::ls;", 1),
        ("no verb imports another", "crates/jobstile-cli/src/cmd/trigger/wait.rs", "use crate::cmd::ls::origin;", 1),
        ("JSON has one writer", "crates/jobstile-cli/src/cmd/a.rs", "\nlet s = serde_json::to_string(&all)?;", 2),
        ("JSON has one writer", "crates/jobstile-cli/src/cmd/a.rs", "let s = format!(\"{all:#}\\n\");", 1),
        ("no Manager, Helper, Util", "crates/jobstile/src/engine.rs", "\npub struct JobManager {}", 2),
        ("no Manager, Helper, Util", "crates/jobstile/src/utils.rs", "", 1),
        ("no test is skipped", "crates/jobstile/tests/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}", 2),
        ("no translated English", "crates/jobstile/src/op.rs", "/// Which; none: all of them.", 1),
        (
            "no translated English",
            "crates/jobstile/src/op.rs",
            "\n/// # Errors\n/// Where the store cannot be read.",
            3,
        ),
        ("no translated English", "crates/jobstile-cli/src/args.rs", "format!(\"`{text}` is no duration\")", 1),
        ("no translated English", "README.md", "It makes the store where none is there; none: it asks.", 1),
        ("a child of a test has a time limit", "crates/jobstile-cli/tests/a.rs", "let o = command\n.output()?;", 2),
        ("a child of a test has a time limit", "crates/jobstile/tests/a/b.rs", "child.wait().unwrap();", 1),
        ("the oracle is not what it judges", "crates/model/src/trigger.rs", "\nuse jobstile_core::decide::decide;", 2),
        ("the oracle is not what it judges", "crates/model/Cargo.toml", "[dependencies]\njobstile.workspace = true", 2),
    ];
    for (rule, path, text, line) in PLANTED {
        let found = violations(&[(path.to_string(), text.to_string())]);
        let expected = format!("{path}:{line}: ");
        assert!(
            found.iter().any(|one| one.starts_with(&expected) && one.ends_with(&format!("({rule})"))),
            "not found: {rule} in {path}\n{text}\nfound: {found:?}"
        );
    }
    for rule in RULES {
        assert!(PLANTED.iter().any(|planted| planted.0 == rule.name), "nothing planted for: {}", rule.name);
    }
}

#[test]
fn what_only_looks_like_a_violation_is_none() {
    const HARMLESS: &[(&str, &str)] = &[
        (CLOCK, "pub fn now() -> Instant { Instant::now() }"),
        ("crates/jobstile/tests/a.rs", "let t = Instant::now(); let s = \"select id from run\";"),
        (
            "crates/jobstile/src/op/due.rs",
            "// Instant::now() is for the clock\n/* /* SystemTime::now */ */ fn f<'a>(x: &'a str) {}",
        ),
        (
            "crates/jobstile/src/op/due.rs",
            "let s = \"Instant::now\"; let c = '\"'; let l = b'\\''; let t = r#\"a\"b\"#;",
        ),
        ("crates/jobstile/src/op/due.rs", "#[cfg(test)]\nmod tests {\n    fn f() { Instant::now(); }\n}\n"),
        (
            "crates/jobstile/src/op/due.rs",
            "#[cfg(test)]\n#[derive(Debug)]\nstruct A { t: B }\n#[cfg(test)]\nuse std::{a, b};",
        ),
        (
            "crates/core/Cargo.toml",
            "[dependencies]\n# why\nthiserror.workspace = true\n\n[dev-dependencies]\nproptest = \"1\"\n[lints]\nworkspace = true",
        ),
        ("crates/jobstile-cli/src/cmd/ls.rs", "let s = \"select a job first\"; let u = \"update the policy\";"),
        ("crates/jobstile/src/store/sqlite/sql/a.sql", "select count(*), a * b from run"),
        (
            "crates/jobstile/src/store/sqlite/sql/a.sql",
            "update run set state = ?3 where run.id=?1 and fence = ?2 returning id",
        ),
        ("crates/jobstile/src/store/sqlite/sql/a.sql", "update run_note set a = 1 where b = 2;"),
        ("crates/jobstile/src/store/sqlite/migrations/0001.sql", "create table a (b);\ncreate table c (d);"),
        (
            "crates/jobstile/src/op/claim.rs",
            "use crate::store::Tables; use jobstile_core::decide::decide; let e = self.engineer;",
        ),
        ("crates/jobstile/src/engine/reaper.rs", "use crate::{op, runner::Exit};"),
        ("crates/jobstile/src/store/queue.rs", "use crate::clock::Clock; use crate::{op, clock};"),
        ("crates/jobstile-cli/src/cmd/ls.rs", "use crate::text::table; use crate::config::Config;"),
        (
            "crates/jobstile-cli/src/cmd/ls.rs",
            "use super::open::{Opened, open}; use crate::cmd::able; mod a { use super::Args; }",
        ),
        ("crates/jobstile-cli/src/cmd/trigger/wait.rs", "use super::answer::Answer; use crate::cmd::trigger::Args;"),
        ("crates/jobstile-cli/src/text/json.rs", "let s = serde_json::to_string(one)?;"),
        ("crates/jobstile/src/runner/util_linux.rs", "struct Managed;"),
        (
            "crates/jobstile/src/op.rs",
            "/// Where it runs.\n/// There is no duration.\n/// # Errors\n/// If it cannot be read.\n\n/// Where it is.",
        ),
    ];
    for (path, text) in HARMLESS {
        let found = violations(&[(path.to_string(), text.to_string())]);
        assert!(found.is_empty(), "{path}\n{text}\n{found:?}");
    }
    // A module that is declared for tests only is one, wherever its file lies.
    let declared = [
        ("crates/jobstile/src/op.rs".to_owned(), "#[cfg(test)]\nmod proof;".to_owned()),
        ("crates/jobstile/src/op/proof.rs".to_owned(), "fn f() { Instant::now(); }".to_owned()),
    ];
    assert_eq!(violations(&declared), [""; 0]);
    assert_eq!(violations(&declared[1..]).len(), 1);
}
