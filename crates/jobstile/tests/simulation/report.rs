//! What was covered: a test of faults that injected none has proved nothing.

use std::collections::BTreeMap;

use jobstile::core::decide::{Code, Decision};
use jobstile::core::outcome::Outcome;
use jobstile::core::run::State;
use jobstile::fact::Came;
use jobstile_model::Switches;

use crate::faults::FAULTS;

/// Codes that wait for the rest of the policy model.
const LATER: [Code; 4] = [Code::DuplicateRecent, Code::MergeFull, Code::Preempted, Code::Expired];

/// Every step of a run's life.
const STEPS: [&str; 16] = [
    "admitted -> queued",
    "admitted -> scheduled",
    "scheduled -> queued",
    "scheduled -> refused",
    "scheduled -> cancelled",
    "queued -> refused",
    "queued -> running",
    "queued -> cancelled",
    "running -> succeeded",
    "running -> retrying",
    "running -> dead attempts_used_up",
    "running -> dead crash_budget",
    "running -> queued",
    "running -> cancelled",
    "retrying -> queued",
    "retrying -> cancelled",
];

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) seeds: u64,
    pub(crate) twice: u64,
    pub(crate) steps: u64,
    pub(crate) operations: u64,
    pub(crate) micros: i64,
    pub(crate) sql_checks: u64,
    faults: BTreeMap<&'static str, u64>,
    codes: BTreeMap<&'static str, u64>,
    decisions: BTreeMap<&'static str, u64>,
    steps_of_runs: BTreeMap<String, u64>,
    outcomes: BTreeMap<&'static str, u64>,
    switches: BTreeMap<Switches, u64>,
}

impl Counts {
    pub(crate) fn fault(&mut self, fault: &'static str) {
        debug_assert!(FAULTS.contains(&fault), "{fault} is not in the list");
        *self.faults.entry(fault).or_default() += 1;
    }

    pub(crate) fn fault_if(&mut self, fault: &'static str, happened: bool) {
        if happened {
            self.fault(fault);
        }
    }

    pub(crate) fn code(&mut self, code: Code, decision: Decision) {
        *self.codes.entry(code.as_str()).or_default() += 1;
        *self.decisions.entry(decision.as_str()).or_default() += 1;
    }

    pub(crate) fn outcome(&mut self, outcome: Outcome) {
        *self.outcomes.entry(outcome.as_str()).or_default() += 1;
    }

    pub(crate) fn switches(&mut self, switches: Switches) {
        *self.switches.entry(switches).or_default() += 1;
    }

    pub(crate) fn step(&mut self, from: &str, to: State) {
        *self.steps_of_runs.entry(format!("{from} -> {to}")).or_default() += 1;
    }

    pub(crate) fn transition(&mut self, from: State, to: &Came) {
        if let Some(code) = to.code {
            *self.codes.entry(code.as_str()).or_default() += 1;
        }
        match to.code {
            Some(code) if to.state == State::Dead => {
                *self.steps_of_runs.entry(format!("{from} -> dead {code}")).or_default() += 1;
            }
            _ => self.step(from.as_str(), to.state),
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.twice += other.twice;
        self.steps += other.steps;
        self.operations += other.operations;
        self.micros += other.micros;
        self.sql_checks += other.sql_checks;
        merge(&mut self.faults, &other.faults);
        merge(&mut self.codes, &other.codes);
        merge(&mut self.decisions, &other.decisions);
        merge(&mut self.steps_of_runs, &other.steps_of_runs);
        merge(&mut self.outcomes, &other.outcomes);
        merge(&mut self.switches, &other.switches);
    }

    /// What never happened.
    pub(crate) fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let mut want = |kind: &str, name: &str, there: bool| {
            if !there {
                missing.push(format!("{kind} {name}"));
            }
        };
        for fault in FAULTS {
            want("fault", fault, self.faults.contains_key(fault));
        }
        for code in Code::ALL.iter().filter(|code| !LATER.contains(code)) {
            want("code", code.as_str(), self.codes.contains_key(code.as_str()));
        }
        for step in STEPS {
            want("step", step, self.steps_of_runs.contains_key(step));
        }
        for outcome in Outcome::ALL {
            want("outcome", outcome.as_str(), self.outcomes.contains_key(outcome.as_str()));
        }
        for bits in 0..8 {
            let switches = Switches { dedup: bits & 4 != 0, aggressive: bits & 2 != 0, stacking: bits & 1 != 0 };
            want("switches", &on_or_off(&switches), self.switches.contains_key(&switches));
        }
        for decision in [Decision::Admitted, Decision::Skipped, Decision::Rejected, Decision::Missed] {
            want("decision", decision.as_str(), self.decisions.contains_key(decision.as_str()));
        }
        missing
    }
}

/// Deduplication, aggressive, stacking prevention.
fn on_or_off(switches: &Switches) -> String {
    [switches.dedup, switches.aggressive, switches.stacking].map(|on| if on { "on" } else { "off" }).join("-")
}

fn merge<K: Ord + Clone>(into: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
    for (key, count) in from {
        *into.entry(key.clone()).or_default() += count;
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let hours = self.micros as f64 / 3.6e9;
        writeln!(
            f,
            "{} seeds ({} of them twice), {} steps, {} operations, {hours:.1} simulated hours, {} checks by SQL",
            self.seeds, self.twice, self.steps, self.operations, self.sql_checks
        )?;
        let list = |counts: &BTreeMap<&'static str, u64>| {
            counts.iter().map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")
        };
        writeln!(f, "faults: {}", list(&self.faults))?;
        writeln!(f, "codes: {}", list(&self.codes))?;
        writeln!(f, "decisions: {}", list(&self.decisions))?;
        writeln!(f, "outcomes: {}", list(&self.outcomes))?;
        let switches: Vec<String> = self.switches.iter().map(|(of, n)| format!("{} {n}", on_or_off(of))).collect();
        writeln!(f, "switches: {}", switches.join(", "))?;
        let steps: Vec<String> = self.steps_of_runs.iter().map(|(name, n)| format!("{name} {n}")).collect();
        write!(f, "steps of runs: {}", steps.join(", "))
    }
}
