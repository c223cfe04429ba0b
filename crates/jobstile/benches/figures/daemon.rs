//! The program as a daemon that has nothing to do.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::Effort;
use crate::figure::{Aim, Report};
use crate::other::used;
use crate::place::Place;

/// Where scripts/bench says the program is.
const PROGRAM: &str = "JOBSTILE_BENCH_PROGRAM";
/// How long it may take to settle before it is watched.
const SETTLE: Duration = Duration::from_secs(3);
const MIB: f64 = 1048576.0;

const CONFIG: &str = r#"
[jobs.report]
command = ["true"]
every = "1h"
first = "after_interval"

[jobs.sync]
command = ["true"]
every = "2h"
first = "after_interval"
"#;

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // Its keeper ends with it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn measure(report: &mut Report, effort: Effort) -> anyhow::Result<()> {
    let Some(program) = std::env::var_os(PROGRAM).map(PathBuf::from) else {
        println!("  left out: {PROGRAM} does not name the program; scripts/bench sets it");
        return Ok(());
    };
    let place = Place::new()?;
    let config = place.file("jobstile.toml");
    std::fs::write(&config, CONFIG)?;
    let child = Command::new(&program)
        .args(["serve", "--config"])
        .arg(&config)
        .arg("--store")
        .arg(place.store())
        .env_remove(PROGRAM)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(place.file("log"))?)
        .spawn()
        .with_context(|| program.display().to_string())?;
    let mut daemon = Daemon(child);
    jobstile::clock::block(SETTLE);
    if let Some(status) = daemon.0.try_wait()? {
        let log = std::fs::read_to_string(place.file("log"))?;
        anyhow::bail!("the daemon ended with {status}:\n{log}");
    }
    let processes = with_children(daemon.0.id())?;
    let (before, _) = all(&processes)?;
    jobstile::clock::block(Duration::from_secs(effort.watch_s));
    let (after, bytes) = all(&processes)?;
    ensure!(daemon.0.try_wait()?.is_none(), "the daemon ended while it was watched");
    let share = (after - before).as_secs_f64() / effort.watch_s as f64;
    report.add("an idle daemon with its keeper, of one core", share * 100.0, "%", Aim::Below(1.0));
    report.add("their memory", bytes as f64 / MIB, "MiB", Aim::None);
    Ok(())
}

fn with_children(pid: u32) -> anyhow::Result<Vec<u32>> {
    let mut all = vec![pid];
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let children = std::fs::read_to_string(Path::new(&task?.path()).join("children"))?;
        all.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    Ok(all)
}

fn all(processes: &[u32]) -> anyhow::Result<(Duration, u64)> {
    let (mut time, mut bytes) = (Duration::ZERO, 0);
    for pid in processes {
        let (used, resident) = used(*pid)?;
        time += used;
        bytes += resident;
    }
    Ok((time, bytes))
}
