//! The decision alone: no store, no clock.

use std::hint::black_box;
use std::time::Instant;

use jobstile::Priority;
use jobstile::core::decide::{Asked, Seen, Tally, Target, View, decide};
use jobstile::core::id::RunId;
use jobstile::core::policy::{Dedup, KeyRule, OnDuplicate, Policy, Switches, Until};
use jobstile::core::run::State;
use jobstile::core::trigger::{Source, When};

use crate::Effort;
use crate::figure::{Aim, Report, median};

const DECISIONS: u32 = 1_000_000;

pub(crate) fn measure(report: &mut Report, effort: Effort) {
    let mut policy = Policy::new(false, None);
    policy.dedup = Some(Dedup { key: KeyRule::AllArguments, until: Until::Finish, on_duplicate: OnDuplicate::Skip });
    let rules = policy.rules(Switches::default());
    let asked =
        Asked { source: Source::Library, when: When::Now, priority: Priority::Normal, seen: Seen::New, problem: None };
    let free = View { paused: false, target: None, tally: Tally::default() };
    let target = Target { run: RunId(1), state: State::Running, started: true, priority: Priority::Normal };
    let taken = View { target: Some(target), tally: Tally { running: 1, ..Tally::default() }, ..free };
    for (name, view) in [("a trigger admitted", free), ("a duplicate skipped", taken)] {
        let rounds = (0..effort.rounds)
            .map(|_| {
                let began = Instant::now();
                for _ in 0..DECISIONS {
                    black_box(decide(black_box(&rules), black_box(&asked), black_box(&view)));
                }
                began.elapsed().as_nanos() as f64 / f64::from(DECISIONS)
            })
            .collect();
        report.add(format!("decide, {name}"), median(rounds), "ns", Aim::None);
    }
}
