//! This program as another process on the same store.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use jobstile::args::Args;
use jobstile::client::Client;
use jobstile::core::trigger::{Source, When};
use jobstile::op::Trigger;

use crate::runs::Stamped;
use crate::schedules;
use crate::triggers::JOB;

/// The first argument of such a process.
pub(crate) const VERB: &str = "as-other-process";

pub(crate) struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        // It has ended already, but where the measurement failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Other {
    pub(crate) fn start(words: &[&str]) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?;
        let child = Command::new(program).arg(VERB).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Ok(Self(child.context("another process")?))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.0.stdout.take()
    }

    /// Tells it to end.
    pub(crate) fn close_stdin(&mut self) {
        drop(self.0.stdin.take());
    }

    /// Waits until it has ended well; what it printed.
    pub(crate) fn ended(mut self) -> anyhow::Result<String> {
        let mut printed = String::new();
        if let Some(mut stdout) = self.0.stdout.take() {
            stdout.read_to_string(&mut printed)?;
        }
        let status = self.0.wait()?;
        ensure!(status.success(), "the other process ended with {status}");
        Ok(printed)
    }
}

/// Triggers so many runs whose arguments say when.
pub(crate) fn trigger_stamped(store: &Path, n: usize, pause: Duration) -> anyhow::Result<Other> {
    Other::start(&["trigger-stamped", &store.to_string_lossy(), &n.to_string(), &pause.as_millis().to_string()])
}

/// How long each of so many triggers takes, from asking to the answer.
pub(crate) fn time_triggers(store: &Path, n: usize, pause: Duration) -> anyhow::Result<Vec<Duration>> {
    let words = ["time-triggers", &store.to_string_lossy(), &n.to_string(), &pause.as_millis().to_string()];
    let printed = Other::start(&words)?.ended()?;
    printed.lines().map(|line| Ok(Duration::from_nanos(line.parse()?))).collect()
}

pub(crate) fn run(words: &[String]) -> anyhow::Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["trigger-stamped", store, n, pause] => {
            let mut client = Client::open(Path::new(store))?;
            repeat(n, pause, |_| {
                let args = serde_json::to_vec(&Stamped::now())?;
                client.trigger(trigger(&args)).map(drop).map_err(Into::into)
            })
        }
        ["time-triggers", store, n, pause] => {
            let mut client = Client::open(Path::new(store))?;
            let mut took = vec![];
            repeat(n, pause, |i| {
                let args = format!(r#"{{"wallet":"visitor-{i}"}}"#);
                let began = Instant::now();
                client.trigger(trigger(args.as_bytes()))?;
                took.push(began.elapsed());
                Ok(())
            })?;
            for took in took {
                println!("{}", took.as_nanos());
            }
            Ok(())
        }
        ["schedules", store] => schedules::node(Path::new(store)),
        _ => anyhow::bail!("what is {words:?}?"),
    }
}

fn repeat(n: &str, pause_ms: &str, mut call: impl FnMut(usize) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let (n, pause) = (n.parse()?, Duration::from_millis(pause_ms.parse()?));
    for i in 0..n {
        call(i)?;
        jobstile::clock::block(pause);
    }
    Ok(())
}

fn trigger(args: &[u8]) -> Trigger {
    Trigger {
        job: JOB.into(),
        args: Args::parse(args),
        priority: None,
        when: When::Now,
        id: None,
        source: Source::Library,
        by: "other process".into(),
    }
}

/// Kernel ticks of processor time a second (`USER_HZ`): the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time that a process has used so far, and its memory in bytes.
pub(crate) fn used(pid: u32) -> anyhow::Result<(Duration, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may contain anything; what follows its bracket does not.
    let (_, rest) = stat.rsplit_once(')').context("a process's numbers")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |at: usize| -> anyhow::Result<u64> { Ok(fields.get(at).context("a number")?.parse()?) };
    let time = Duration::from_secs_f64((ticks(11)? + ticks(12)?) as f64 / TICKS_PER_SECOND);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("its memory")?;
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse()?;
    Ok((time, kib << 10))
}
