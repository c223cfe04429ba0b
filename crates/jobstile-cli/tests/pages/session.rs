//! A page, played: its blocks run in a folder of their own, and what they print is compared or written.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use jobstile_child::{LIMIT, Limited as _};

use crate::blank::{self, Compare};
use crate::page::{Block, Mark, Part, parts, spans};
use crate::spoken;

/// The longest wait for a condition, or for a daemon to have written a line.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a question is asked again until its answer is the one on the page.
const AGAIN: Duration = Duration::from_secs(20);
/// The same while pages are written: what has changed will not come back.
const AGAIN_TO_WRITE: Duration = Duration::from_secs(3);
/// Commands that change nothing, and so may be asked again.
const QUESTIONS: &[&str] = &[
    "monitor",
    "explain",
    "show",
    "ls",
    "runs",
    "logs",
    "next",
    "decisions",
    "keys",
    "nodes",
    "doctor",
    "verify",
    "check",
    "config",
    "simulate",
    "test-dedup",
];

/// What became of a page.
pub(crate) struct Played {
    pub(crate) text: String,
    pub(crate) faults: Vec<String>,
}

/// Plays a page; with `write` its outputs are replaced by what the program printed.
pub(crate) fn play(root: &Path, page: &str, text: &str, write: bool) -> Played {
    let mut session = Session::new(root, write);
    let (parts, form) = parts(text);
    let mut faults: Vec<String> = form.into_iter().map(|(line, what)| format!("{page}:{line}: {what}")).collect();
    let mut out = String::new();
    let mut at = 0;
    for part in parts {
        let (lines, found) = match part {
            Part::Text(lines) => {
                let spoken = lines.iter().enumerate().flat_map(|(index, line)| {
                    let commands = spans(line).filter(|span| span.starts_with("jobstile "));
                    let found: Vec<String> = commands.flat_map(spoken::faults).collect();
                    found.into_iter().map(move |what| (at + index + 1, what))
                });
                let spoken = spoken.collect();
                (lines, spoken)
            }
            Part::Block(block) => {
                let (lines, found) = session.block(&block);
                (lines, found.into_iter().map(|what| (block.line, what)).collect::<Vec<_>>())
            }
        };
        at += lines.len();
        faults.extend(found.into_iter().map(|(line, what)| format!("{page}:{line}: {what}")));
        for line in lines {
            out.push_str(&line);
            out.push('\n');
        }
    }
    Played { text: if write { out } else { text.to_owned() }, faults }
}

pub(crate) struct Session {
    root: PathBuf,
    folder: tempfile::TempDir,
    daemons: Vec<Daemon>,
    write: bool,
}

/// A `serve` of the page, and where its log lies.
struct Daemon {
    process: Child,
    log: PathBuf,
}

impl Drop for Session {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            // Its keeper ends what it started.
            let _ = daemon.process.kill();
            let _ = jobstile_child::wait(&mut daemon.process, LIMIT);
        }
    }
}

/// A command of a console block and what the page says it prints.
struct Shown {
    command: String,
    output: Vec<String>,
}

fn shown(lines: &[String]) -> Vec<Shown> {
    let mut shown: Vec<Shown> = vec![];
    for line in lines {
        match (line.strip_prefix("$ "), shown.last_mut()) {
            (Some(command), _) => shown.push(Shown { command: command.to_owned(), output: vec![] }),
            (None, Some(last)) => last.output.push(line.clone()),
            (None, None) => {}
        }
    }
    shown
}

/// The last line of an output that was cut.
const CUT: &str = "…";

fn compared(lines: &[String], how: Compare) -> Vec<String> {
    let mut lines: Vec<String> = lines.iter().map(|line| blank::line(line, how)).collect();
    while lines.last().is_some_and(|line| line.is_empty() || line == CUT) {
        lines.pop();
    }
    lines
}

impl Session {
    pub(crate) fn new(root: &Path, write: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        copy(&root.join("examples"), &path.join("examples"));
        fs::create_dir_all(path.join("bin")).expect("a folder");
        fs::create_dir_all(path.join("run/jobstile")).expect("a folder");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_jobstile"), path.join("bin/jobstile")).expect("a link");
        Self { root: root.to_owned(), folder, daemons: vec![], write }
    }

    fn shell(&self, line: &str) -> Command {
        let path = self.folder.path();
        let mut command = Command::new("sh");
        let line = line.replace("cargo run --release -- ", "jobstile ");
        command.args(["-c", &line]).current_dir(path).env_clear().with_bug().stdin(Stdio::null());
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", path.join("bin").display()));
        command.env("HOME", path).env("TZ", "UTC").env("LANG", "C.UTF-8").env("TMPDIR", path);
        // Daemons of others are none of the page's.
        command.env("RUNTIME_DIRECTORY", path.join("run/jobstile")).env("XDG_RUNTIME_DIR", path.join("run"));
        if let Some(daemon) = self.daemons.last() {
            command.env("SERVE", daemon.process.id().to_string());
        }
        command
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until a command succeeds; whether it did.
    pub(crate) fn wait(&self, line: &str) -> bool {
        within(PATIENCE, || self.shell(line).limited().expect("sh").status.success())
    }

    /// The lines of a block as they shall stand in the page, and what is wrong with them.
    fn block(&mut self, block: &Block) -> (Vec<String>, Vec<String>) {
        let mut faults = vec![];
        let text = block.lines.join("\n") + "\n";
        for mark in &block.marks {
            match mark {
                Mark::Run(line) if line.starts_with("jobstile serve") => self.start(line),
                Mark::Run(line) => {
                    let done = self.shell(line).limited().expect("sh");
                    if !done.status.success() {
                        faults.push(format!("{line}: {}\n{}", done.status, both(&done)));
                    }
                }
                Mark::Until(line) => {
                    if !self.wait(line) {
                        faults.push(format!("in vain until: {line}"));
                    }
                }
                Mark::File(name) => {
                    let file = self.folder.path().join(name);
                    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
                    fs::write(file, &text).expect("a file");
                }
                Mark::Append(name) => {
                    let file = self.folder.path().join(name);
                    let before = fs::read_to_string(&file).expect("a file");
                    fs::write(file, format!("{before}\n{text}")).expect("a file");
                }
                Mark::From(name) => {
                    let file = fs::read_to_string(self.root.join(name)).unwrap_or_default();
                    let plain = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
                    if !plain(&file).contains(&plain(&text)) {
                        faults.push(format!("this block is not a part of {name}"));
                    }
                }
                Mark::Wrong | Mark::First(_) | Mark::Pick(_) | Mark::Without(_) | Mark::Exact | Mark::NumbersVary => {}
            }
        }
        let from = block.marks.iter().any(|mark| matches!(mark, Mark::From(_)));
        match block.kind.as_str() {
            "console" => return self.console(block, faults),
            "sh" => faults.extend(block.lines.iter().flat_map(|line| spoken::faults(line))),
            "toml" if !from => faults.extend(self.check(&text, block.marks.contains(&Mark::Wrong))),
            "json" => {
                let values = serde_json::Deserializer::from_str(&text).into_iter::<serde_json::Value>();
                faults.extend(values.filter_map(Result::err).take(1).map(|e| e.to_string()));
            }
            "python" if !from => faults.extend(parse_python(&text)),
            _ => {}
        }
        (block.lines.clone(), faults)
    }

    /// Passes a configuration or a scenario through the program.
    fn check(&self, text: &str, wrong: bool) -> Option<String> {
        let file = self.folder.path().join("block.toml");
        fs::write(&file, text).expect("a file");
        let verb = if text.contains("[scenario]") { "simulate --scenario" } else { "check --config" };
        let done = self.shell(&format!("jobstile {verb} block.toml")).limited().expect("sh");
        match (done.status.code(), wrong) {
            (Some(0), false) | (Some(78), true) => None,
            (_, true) => Some("this block should be refused".into()),
            (_, false) => Some(format!("{}\n{text}", both(&done))),
        }
    }

    fn console(&mut self, block: &Block, mut faults: Vec<String>) -> (Vec<String>, Vec<String>) {
        let how = match () {
            () if block.marks.contains(&Mark::Exact) => Compare::Exactly,
            () if block.marks.contains(&Mark::NumbersVary) => Compare::WithoutNumbers,
            () => Compare::WithoutTimes,
        };
        let cut = Cut::of(&block.marks);
        let mut lines = vec![];
        for shown in shown(&block.lines) {
            let serves = ["jobstile", "--"].iter().any(|word| shown.command.contains(&format!("{word} serve")));
            let got = if serves { self.serve(&shown, &cut) } else { self.ask(&shown, how, &cut) };
            lines.push(format!("$ {}", shown.command));
            match got {
                Err(got) if self.write => {
                    lines.extend(got);
                    continue;
                }
                Err(got) => faults.push(difference(&shown, &got, how)),
                Ok(()) => {}
            }
            lines.extend(shown.output);
        }
        (lines, faults)
    }

    /// Asks until the answer is the one on the page; if it never is, the answer.
    fn ask(&self, shown: &Shown, how: Compare, cut: &Cut) -> Result<(), Vec<String>> {
        let expected = compared(&shown.output, how);
        let question = QUESTIONS.iter().any(|verb| shown.command.contains(&format!("jobstile {verb}")));
        let patience = match () {
            () if !question || how == Compare::Exactly => Duration::ZERO,
            () if self.write => AGAIN_TO_WRITE,
            () => AGAIN,
        };
        let mut got = vec![];
        let good = within(patience, || {
            got = self.printed(&shown.command, cut);
            compared(&got, how) == expected
        });
        if good { Ok(()) } else { Err(got) }
    }

    /// What a command prints on both streams, as a terminal shows it, and its exit code unless that is 0.
    fn printed(&self, line: &str, cut: &Cut) -> Vec<String> {
        let done = self.shell(&format!("{{ {line}\n}} 2>&1")).limited().expect("sh");
        let text = self.as_on_the_page(&both(&done));
        let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
        lines = cut.cut(lines);
        match done.status.code() {
            Some(0) => {}
            Some(code) => lines.push(format!("[exit {code}]")),
            None => lines.push(format!("[{}]", done.status)),
        }
        lines
    }

    /// Without the names of this machine.
    fn as_on_the_page(&self, text: &str) -> String {
        let (user, host) = name_here();
        let folder = self.folder.path().display().to_string();
        let text = text.replace(&folder, "/srv/jobstile").replace(&format!("{user}@{host}"), "anna@web1");
        let text = text.replace(&format!("user {user}"), "user anna").replace(&format!("  {user}  "), "  anna  ");
        whole_words(&text, &host, "web1")
    }

    /// Starts a daemon, which lives as long as the page.
    pub(crate) fn start(&mut self, line: &str) {
        let log = self.folder.path().join(format!("serve-{}.log", self.daemons.len()));
        let file = File::create(&log).expect("a log");
        let line = line.trim_end_matches('&').replace("cargo run --release -- ", "jobstile ");
        let mut command = self.shell(&format!("exec env {line}"));
        let process = command.stdout(file.try_clone().expect("a log")).stderr(file).spawn().expect("sh");
        self.daemons.push(Daemon { process, log });
    }

    /// Starts a daemon and waits for the lines on the page.
    fn serve(&mut self, shown: &Shown, cut: &Cut) -> Result<(), Vec<String>> {
        self.start(&shown.command);
        let expected = compared(&shown.output, Compare::WithoutNumbers);
        let mut got = vec![];
        let patience = if self.write && expected.len() != cut.pick.len() { AGAIN } else { PATIENCE };
        let good = within(patience, || {
            let text = fs::read_to_string(&self.daemons.last().expect("a daemon").log).unwrap_or_default();
            got = cut.cut(self.as_on_the_page(&text).lines().map(ToOwned::to_owned).collect());
            let there = compared(&got, Compare::WithoutNumbers);
            // Until each of the lines wanted has been there, or as many as the page shows.
            cut.is_whole(&got) && !there.is_empty() && expected.iter().all(|line| there.contains(line))
        });
        if good && !expected.is_empty() { Ok(()) } else { Err(got) }
    }
}

/// Which lines of an output a page shows.
struct Cut {
    first: Option<usize>,
    pick: Vec<String>,
    without: Option<String>,
}

impl Cut {
    fn of(marks: &[Mark]) -> Self {
        let mut cut = Self { first: None, pick: vec![], without: None };
        for mark in marks {
            match mark {
                Mark::First(n) => cut.first = Some(*n),
                Mark::Pick(words) => cut.pick.clone_from(words),
                Mark::Without(head) => cut.without = Some(head.clone()),
                Mark::File(_) | Mark::Append(_) | Mark::From(_) | Mark::Run(_) | Mark::Until(_) => {}
                Mark::Wrong | Mark::Exact | Mark::NumbersVary => {}
            }
        }
        cut
    }

    fn is_whole(&self, picked: &[String]) -> bool {
        picked.len() >= self.pick.len()
    }

    fn cut(&self, mut lines: Vec<String>) -> Vec<String> {
        if !self.pick.is_empty() {
            let first = |words: &String| lines.iter().find(|line| line.contains(words)).cloned();
            return self.pick.iter().filter_map(first).collect();
        }
        if let Some(head) = &self.without
            && let Some(from) = lines.iter().position(|line| line == head)
        {
            let end = lines[from..].iter().position(String::is_empty).map_or(lines.len(), |length| from + length + 1);
            lines.drain(from..end);
        }
        if let Some(first) = self.first
            && lines.len() > first
        {
            lines.truncate(first);
            while lines.last().is_some_and(String::is_empty) {
                lines.pop();
            }
            lines.push(CUT.into());
        }
        lines
    }
}

fn difference(shown: &Shown, got: &[String], how: Compare) -> String {
    let (expected, there) = (compared(&shown.output, how), compared(got, how));
    let mut text = format!("$ {}\n", shown.command);
    for line in expected.iter().filter(|line| !there.contains(line)) {
        text += &format!("  - {line}\n");
    }
    for line in there.iter().filter(|line| !expected.contains(line)) {
        text += &format!("  + {line}\n");
    }
    text + &format!("  - on the page only, + printed only; {} and {} lines", expected.len(), there.len())
}

fn parse_python(text: &str) -> Option<String> {
    let mut python = Command::new("python3")
        .args(["-c", "import ast, sys; ast.parse(sys.stdin.read())"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3");
    python.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("a pipe");
    let done = jobstile_child::output_of(python, LIMIT).expect("python3");
    (!done.status.success()).then(|| both(&done))
}

fn both(done: &Output) -> String {
    String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr)
}

/// Who runs this, and where.
fn name_here() -> (String, String) {
    let me = jobstile::engine::host::whoami();
    let (user, host) = me.split_once('@').expect("user@host");
    (user.to_owned(), host.to_owned())
}

/// Replaces a name where it is a word of its own.
fn whole_words(text: &str, name: &str, with: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (before, after) = (&rest[..at], &rest[at + name.len()..]);
        let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let whole = !before.ends_with(inside) && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        out += before;
        out += if whole { with } else { name };
        // A column keeps its width.
        let more = if whole { with.len().saturating_sub(name.len()) } else { 0 };
        rest = after.strip_prefix(&" ".repeat(more + 2)[..]).map_or(after, |_| &after[more..]);
    }
    out + rest
}

/// Looks again and again until it is so, for at most so long.
fn within(patience: Duration, mut look: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + patience;
    loop {
        if look() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        // What a daemon of the developer left there is not part of the example.
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).expect("a copy");
        }
    }
}
