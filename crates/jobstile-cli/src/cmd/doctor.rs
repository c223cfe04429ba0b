//! `doctor`: is everything in order around the store? Looks, and changes nothing.

mod configuration;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use jobstile::answer::Attention;
use jobstile::client::{Client, Liveness, NodeInfo};
use jobstile::engine::{host, node_dir};
use jobstile::store::sqlite;
use serde_json::json;

use crate::args::{Global, Output};
use crate::cmd::open::{Opened, SILENCE, open_quietly};
use crate::error::Error;
use crate::exit::Code;
use crate::text;
use crate::text::table::{Cell, Paint, Table};
use crate::text::time::Times;
use crate::text::words::attention::attention;

/// A write-ahead log larger than this has not been taken into the file for long.
const LARGE_LOG: u64 = 256 << 20;
/// Damages of the file that are named.
const DAMAGES: usize = 5;
/// Nodes that are looked at.
const NODES: usize = 200;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  jobstile doctor      exits with 1 if something is wrong")]
pub(crate) struct Args {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Note,
    Bad,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Bad => "bad",
        }
    }
}

struct Finding {
    what: &'static str,
    verdict: Verdict,
    says: String,
}

pub(crate) fn run(_: Args, global: &Global) -> Result<Code, Error> {
    let opened = open_quietly(global)?;
    let mut found = vec![];
    let mut say = |what, verdict, says: String| found.push(Finding { what, verdict, says });
    files(&opened, &mut say)?;
    database(&opened.client, &mut say)?;
    nodes(&opened, &mut say)?;
    let (verdict, says) = configuration::compare(&opened)?;
    say("configuration", verdict, says);
    let bad = found.iter().any(|finding| finding.verdict == Verdict::Bad);
    match global.output {
        Output::Table => {
            let mut table = Table::new(&["LOOKED AT", "IS", "FOUND"]);
            for finding in &found {
                let paint = match finding.verdict {
                    Verdict::Good => Paint::Good,
                    Verdict::Note => Paint::Attention,
                    Verdict::Bad => Paint::Bad,
                };
                table.row([
                    Cell::from(finding.what),
                    Cell::new(finding.verdict.word(), paint),
                    Cell::from(&finding.says),
                ]);
            }
            text::out(&table.render(text::colour_on_stdout()))?;
        }
        form => {
            let one = |f: &Finding| json!({ "what": f.what, "verdict": f.verdict.word(), "found": f.says });
            let all = found.iter().map(one).collect();
            text::out(&crate::text::json::list("findings", all, json!({}), form == Output::Jsonl))?;
        }
    }
    Ok(if bad { Code::Failed } else { Code::Done })
}

type Say<'s> = dyn FnMut(&'static str, Verdict, String) + 's;

fn files(opened: &Opened, say: &mut Say<'_>) -> Result<(), Error> {
    let store = opened.client.path();
    let meta = std::fs::metadata(store)?;
    let owner = host::user_name(meta.uid()).unwrap_or_else(|| meta.uid().to_string());
    let mode = meta.permissions().mode() & 0o777;
    let open_to_all = mode & 0o007 != 0;
    let verdict = if open_to_all { Verdict::Bad } else { Verdict::Good };
    let more = if open_to_all { ": everybody on this machine may look; chmod o= it" } else { "" };
    say("file", verdict, format!("{}, {} bytes, of user {owner}, mode {mode:o}{more}", opened.shown, meta.len()));
    if let Some(folder) = store.parent() {
        let mode = std::fs::metadata(folder)?.permissions().mode();
        // In a folder like /tmp others can add files, but neither remove nor replace any.
        let (verdict, more) = match (mode & 0o002 != 0, mode & 0o1000 != 0) {
            (false, _) => (Verdict::Good, ""),
            (true, true) => (Verdict::Note, ": everybody on this machine can put files beside the store"),
            (true, false) => (Verdict::Bad, ": everybody on this machine can replace the store; chmod o-w it"),
        };
        say("folder", verdict, format!("{}, mode {:o}{more}", folder.display(), mode & 0o7777));
    }
    let system = sqlite::file_system(store);
    let layered = matches!(system.as_str(), "overlay" | "fuse");
    let verdict = if layered { Verdict::Note } else { Verdict::Good };
    let more = if layered { ": make sure that nothing else has the file under another name" } else { "" };
    say("file system", verdict, format!("{system}{more}"));
    let mut log = store.as_os_str().to_owned();
    log.push("-wal");
    let bytes = std::fs::metadata(Path::new(&log)).map_or(0, |meta| meta.len());
    let verdict = if bytes > LARGE_LOG { Verdict::Note } else { Verdict::Good };
    let more = if bytes > LARGE_LOG { ": some reader keeps it from being taken into the file" } else { "" };
    say("write-ahead log", verdict, format!("{bytes} bytes{more}"));
    Ok(())
}

fn database(client: &Client, say: &mut Say<'_>) -> Result<(), Error> {
    say("SQLite", Verdict::Good, sqlite::version().to_owned());
    say("schema", Verdict::Good, format!("{}, as this program knows it", sqlite::SCHEMA));
    let damages = client.quick_check(DAMAGES)?;
    match damages.is_empty() {
        true => say("contents", Verdict::Good, "no damage found".to_owned()),
        false => say("contents", Verdict::Bad, format!("damaged: {}", damages.join("; "))),
    }
    for (job, damage) in client.jobs()?.into_iter().filter_map(|job| Some((job.name, job.damage?))) {
        say("job", Verdict::Bad, format!("{job} does not run: {damage}; loading its configuration again mends it"));
    }
    let broken = client.verify()?;
    match broken.is_empty() {
        true => say("promises", Verdict::Good, "every one is kept, no slot is held without a live run".to_owned()),
        false => say("promises", Verdict::Bad, format!("{} broken: jobstile verify", broken.len())),
    }
    Ok(())
}

fn nodes(opened: &Opened, say: &mut Say<'_>) -> Result<(), Error> {
    let client = &opened.client;
    let times = Times::here(client.now());
    let overview = client.overview(None)?;
    let holds = |node: &NodeInfo| {
        let mut running = overview.jobs.iter().flat_map(|job| &job.running);
        running.any(|run| run.run.row.node.as_ref() == Some(&node.row.id))
    };
    let all = client.nodes(NODES)?;
    for node in all.iter().filter(|node| node.liveness != Liveness::Ended) {
        let name = format!("{} (pid {}, user {})", node.row.name, node.row.pid, node.row.user);
        let seen = times.ago(node.seen_at);
        let (verdict, says) = match node.liveness {
            Liveness::Alive if client.now().since(node.seen_at) > SILENCE => {
                (Verdict::Bad, format!("{name} is there, but was last seen {seen}: is it stopped?"))
            }
            Liveness::Alive => (Verdict::Good, format!("{name} is alive, seen {seen}")),
            Liveness::Gone => (Verdict::Note, format!("{name} is gone, seen {seen}: the next daemon takes its runs over")),
            Liveness::Unknown | Liveness::Ended if holds(node) => {
                (Verdict::Bad, format!("{name}: its lock cannot be looked at, which proves nothing; its runs go on"))
            }
            Liveness::Unknown | Liveness::Ended => {
                (Verdict::Note, format!("{name}: its lock cannot be looked at; it has no runs, so nothing waits for it"))
            }
        };
        say("node", verdict, says);
        if node.liveness == Liveness::Unknown {
            let lock = node_dir(client.path()).join(format!("{}.lock", node.row.id));
            say("node", Verdict::Note, format!("if it is dead for sure: touch {}", lock.display()));
        }
        if node.seen_at > client.now().plus(std::time::Duration::from_secs(5)) {
            say("clock", Verdict::Bad, format!("{name} was seen in the future: the clock stepped back"));
        }
    }
    if !all.iter().any(|node| node.liveness == Liveness::Alive) {
        say("node", Verdict::Note, "none is alive: nothing starts; jobstile serve".to_owned());
    }
    for one in overview.attention().iter().filter(|one| matches!(one, Attention::Remains { .. })) {
        let said = attention(one, &times);
        say("run", Verdict::Bad, format!("{} {}", said.says, said.commands.join(" · ")));
    }
    let unable: Vec<String> = opened
        .alive
        .iter()
        .map(|node| client.offers(&node.row.id))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .filter_map(|offer| offer.reason.map(|reason| format!("{}: {reason}", offer.job)))
        .collect();
    for reason in unable {
        say("job", Verdict::Bad, reason);
    }
    Ok(())
}
