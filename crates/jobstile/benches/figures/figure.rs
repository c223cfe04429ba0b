//! One figure with its aim; a table of them for people, and the same as JSON.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Aim {
    AtLeast(f64),
    Below(f64),
    /// It is there to compare others with.
    None,
}

impl Aim {
    fn number(self) -> Option<f64> {
        match self {
            Self::AtLeast(aim) | Self::Below(aim) => Some(aim),
            Self::None => None,
        }
    }
}

struct Figure {
    group: &'static str,
    name: String,
    value: f64,
    unit: &'static str,
    aim: Aim,
}

/// Everything that was measured in one run of this program.
pub(crate) struct Report {
    began: Instant,
    quick: bool,
    group: &'static str,
    figures: Vec<Figure>,
}

impl Report {
    pub(crate) fn begin(quick: bool) -> Self {
        println!("{:<58} {:>12} {:<6} {:>12} {:>11}", "", "ours", "", "aim", "ours / aim");
        Self { began: Instant::now(), quick, group: "", figures: vec![] }
    }

    pub(crate) fn group(&mut self, name: &'static str, what: &str) {
        println!("\n{name}: {what}");
        self.group = name;
    }

    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str, aim: Aim) {
        let name = name.into();
        let (wanted, ratio) = match aim {
            Aim::AtLeast(aim) => (format!("≥ {}", shown(aim)), shown(value / aim)),
            Aim::Below(aim) => (format!("< {}", shown(aim)), shown(value / aim)),
            Aim::None => (String::new(), String::new()),
        };
        let met = match aim {
            Aim::AtLeast(aim) if value < aim => "  short",
            Aim::Below(aim) if value >= aim => "  short",
            _ => "",
        };
        println!("  {name:<56} {:>12} {unit:<6} {wanted:>12} {ratio:>11}{met}", shown(value));
        self.figures.push(Figure { group: self.group, name, value, unit, aim });
    }

    /// The median of these rates, and of the processor time that one took in this process: the latter hardly depends on
    /// what else the machine does.
    pub(crate) fn rate(&mut self, name: impl Into<String>, rounds: Vec<Round>, aim: Aim) {
        let name = name.into();
        self.add(name.clone(), median(rounds.iter().map(|round| round.rate).collect()), "/s", aim);
        self.add(
            format!("{name}, processor"),
            median(rounds.iter().map(|round| round.cost_us).collect()),
            "µs",
            Aim::None,
        );
    }

    /// The middle and the 99th of 100 of these times.
    pub(crate) fn times(&mut self, name: &str, mut times: Vec<Duration>, p50: Aim, p99: Aim) {
        times.sort();
        for (word, share, aim) in [("p50", 0.5, p50), ("p99", 0.99, p99)] {
            self.add(format!("{name}, {word}"), quantile(&times, share).as_secs_f64() * 1e3, "ms", aim);
        }
    }

    /// Writes `bench.json` into the folder of build results.
    pub(crate) fn write(&self) -> std::io::Result<()> {
        let figures: Vec<_> = self
            .figures
            .iter()
            .map(|figure| {
                json!({
                    "group": figure.group, "name": figure.name, "value": figure.value, "unit": figure.unit,
                    "aim": figure.aim.number(), "ratio": figure.aim.number().map(|aim| figure.value / aim),
                })
            })
            .collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let whole = json!({
            "version": env!("CARGO_PKG_VERSION"), "sqlite": crate::ceiling::sqlite_version(), "cores": cores, "quick": self.quick,
            "seconds": self.began.elapsed().as_secs(), "figures": figures,
        });
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(Path::new("."));
        let path = folder.join("bench.json");
        std::fs::write(&path, format!("{whole:#}\n"))?;
        println!(
            "\n{} figures in {} s, also in {}",
            self.figures.len(),
            self.began.elapsed().as_secs(),
            path.display()
        );
        Ok(())
    }
}

/// One measurement of a rate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    rate: f64,
    /// Processor time of one, in microseconds.
    cost_us: f64,
}

/// A round that goes on.
pub(crate) struct Watch {
    began: Instant,
    used: Duration,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), used: processor_time() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// So many were done.
    pub(crate) fn stop(self, done: u64) -> Round {
        let (took, used) = (self.began.elapsed(), processor_time() - self.used);
        Round { rate: done as f64 / took.as_secs_f64(), cost_us: used.as_secs_f64() * 1e6 / done as f64 }
    }
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Of sorted times.
pub(crate) fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

// Three digits, and thousands apart.
fn shown(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 {
        let digits = format!("{value:.0}");
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |rest| ("-", rest));
        let groups: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
        return format!("{sign}{}", groups.join(","));
    }
    match size {
        0.0 => "0".to_owned(),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
