//! `reload`: asks the daemon to read its configuration again, and says what became of it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use jobstile::answer::Changes;
use jobstile::client::{Client, NodeInfo};
use jobstile::clock;
use jobstile::engine::host;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::args::{Global, Output};
use crate::cmd::open::{Opened, open_quietly};
use crate::error::{Error, Problems};
use crate::exit::Code;
use crate::text::{self, json, words};

/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks for its answer.
const LOOK: Duration = Duration::from_millis(20);

/// Arguments of `reload`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile check && jobstile reload
Sends HUP to the daemon and prints its answer: what changed, or why the file is refused. A refused file changes \
nothing. Runs that have started keep the definition that they started with.")]
pub(crate) struct Args {}

pub(crate) fn run(_: Args, global: &Global) -> Result<Code, Error> {
    let opened = open_quietly(global)?;
    let daemons: Vec<&NodeInfo> = opened.alive.iter().filter(|node| node.row.kind == "daemon").collect();
    if daemons.is_empty() {
        return Err(Error::new(Code::NotFound, format!("no daemon works on this store: {}", opened.shown))
            .hint("start one, which reads the file: jobstile serve"));
    }
    let mut all = vec![];
    for daemon in daemons {
        ask(&opened, daemon)?;
        all.push(answer(&opened, daemon, global.output)?);
    }
    if global.output != Output::Table {
        text::out(&json::list("daemons", all, Value::Null, global.output == Output::Jsonl))?;
    }
    Ok(Code::Done)
}

// A row in the store is no reason to send a signal: the process must hold the lock of that node.
fn ask(opened: &Opened, node: &NodeInfo) -> Result<(), Error> {
    let (name, pid) = (opened.named(node), node.row.pid);
    let lock = Path::new(&node.row.dir).join(format!("{}.lock", node.row.id));
    let cannot = |why: &str| Error::new(Code::NotAllowed, format!("{name} (pid {pid}) cannot be asked: {why}"));
    let elsewhere = cannot("it does not run here").hint("send HUP to it on its own machine or in its container");
    if node.row.host != host::name() {
        return Err(elsewhere);
    }
    match holds(pid, &lock) {
        Ok(true) => {}
        Ok(false) => return Err(elsewhere),
        Err(_) => return Err(cannot("it belongs to another user").hint(format!("sudo -u {} jobstile reload", node.row.user))),
    }
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(|| cannot("not a process"))?;
    kill_process(pid, Signal::HUP).map_err(|error| cannot(&error.to_string()))
}

/// Whether a process has this file open.
fn holds(pid: u32, file: &Path) -> std::io::Result<bool> {
    let file = std::fs::metadata(file)?;
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"))?;
    let same = |meta: std::fs::Metadata| (meta.dev(), meta.ino()) == (file.dev(), file.ino());
    Ok(open.flatten().any(|fd| std::fs::metadata(fd.path()).is_ok_and(same)))
}

fn answer(opened: &Opened, before: &NodeInfo, form: Output) -> Result<Value, Error> {
    let name = opened.named(before);
    let node = wait(&opened.client, before)?.ok_or_else(|| {
        Error::new(Code::TimedOut, format!("{name} has not answered for {} s", PATIENCE.as_secs()))
            .hint("its log says what it does; how it is: jobstile nodes")
    })?;
    if let Some(refused) = node.refused {
        return Err(refusal(&name, &refused));
    }
    let text = node.changes.unwrap_or_default();
    let changes = Changes::read(&text);
    if form == Output::Table {
        let lines = words::changes::lines(&changes);
        let what = if lines.is_empty() { "; nothing changed" } else { "" };
        let (file, version) = (jobstile::text::clean(&changes.file), jobstile::text::clean(&changes.version));
        text::out(&format!("{name} has read {file} again: version {version}{what}\n"))?;
        lines.iter().try_for_each(|line| text::out(&format!("  {}\n", jobstile::text::clean(line))))?;
    }
    Ok(json!({ "node": name, "changes": json::kept(Some(&text)) }))
}

// It has answered when it says so in its row.
fn wait(client: &Client, before: &NodeInfo) -> Result<Option<NodeInfo>, Error> {
    let watch = clock::Stopwatch::start();
    while watch.read() < PATIENCE {
        let node = client.node(before.row.id.as_str())?;
        if let Some(node) = node.filter(|node| node.reloaded_at != before.reloaded_at) {
            return Ok(Some(node));
        }
        clock::block(LOOK);
    }
    Ok(None)
}

fn refusal(name: &str, refused: &str) -> Error {
    let (sentence, rest) = refused.split_once('\n').unwrap_or((refused, ""));
    let rest: Vec<String> = rest.trim().lines().map(|line| jobstile::text::clean(line).into_owned()).collect();
    let shown = if rest.is_empty() { format!("error: {}", jobstile::text::clean(sentence)) } else { rest.join("\n") };
    let text = format!("{shown}\n\n{name} keeps the configuration that it has");
    let hint = Some("mend the file, then: jobstile reload".to_owned());
    Error::problems(Code::Configuration, Problems { text, sentence: sentence.to_owned(), hint, all: vec![] })
}
