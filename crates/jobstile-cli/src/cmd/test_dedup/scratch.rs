//! The scratch store: the real policy, triggers of source `schedule`, a worker for each, handlers that never end.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use jobstile::args::Args;
use jobstile::clock::Clock;
use jobstile::fact::Fact;
use jobstile::op::{Answer, Apply, Claim, Enter, Free, JobPolicy, Op, Trigger, Weight};
use jobstile::store::NodeRow;
use jobstile::store::sqlite::Store;
use jobstile_core::decide::{Code, Decision};
use jobstile_core::id::NodeId;
use jobstile_core::policy::{KeyRule, Policy};
use jobstile_core::run::State;
use jobstile_core::trigger::{Source, When};
use serde_json::Value;

use crate::error::Error;

/// What became of the triggers of one job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) admitted: u64,
    /// Skipped and rejected triggers, and runs that the final execution check refused, by code.
    pub(super) turned_away: BTreeMap<Code, u64>,
    /// The most runs that were live at once.
    pub(super) live: u64,
    /// The most that were running at once.
    pub(super) running: u64,
}

/// Triggers one job so many times; after each every run that may be claimed is claimed.
pub(super) fn count(policy: &Apply, job: &JobPolicy, triggers: u32) -> Result<Counted, Error> {
    let mut store = Store::in_memory()?;
    let clock = Clock::system();
    let node: NodeId = "test-dedup".into();
    let mut execute = |op: Op| {
        let mut done = store.execute(clock.now(), std::slice::from_ref(&op));
        done.answers.pop().unwrap_or(Ok(Answer::Done(0))).map(|_| done.facts)
    };
    execute(policy.clone().into())?;
    execute(Enter(stub(&node)).into())?;
    let trigger = Trigger {
        job: job.name.as_str().into(),
        args: Args::parse(arguments(&job.policy).as_bytes()),
        priority: None,
        when: When::Now,
        id: None,
        source: Source::Schedule,
        by: node.as_str().into(),
    };
    let claim = Claim {
        node: node.clone(),
        jobs: Arc::new(HashMap::from([(job.name.clone(), Weight::Light)])),
        free: Free { total: usize::MAX, heavy: usize::MAX, light: usize::MAX },
    };
    let (mut counted, mut states) = (Counted::default(), HashMap::new());
    for _ in 0..triggers {
        let mut facts = execute(trigger.clone().into())?;
        facts.extend(execute(claim.clone().into())?);
        for fact in facts {
            match fact {
                Fact::Decided(fact) if fact.decision == Decision::Admitted => counted.admitted += 1,
                Fact::Decided(fact) => *counted.turned_away.entry(fact.code).or_default() += 1,
                Fact::Came(fact) => {
                    if let (State::Refused, Some(code)) = (fact.state, fact.code) {
                        *counted.turned_away.entry(code).or_default() += 1;
                    }
                    states.insert(fact.run, fact.state);
                }
            }
        }
        let of = |pick: fn(State) -> bool| states.values().filter(|state| pick(**state)).count() as u64;
        counted.live = counted.live.max(of(State::takes_place));
        counted.running = counted.running.max(of(|state| state == State::Running));
    }
    Ok(counted)
}

/// Those of its schedule, and a value for each field of its key that they do not have: without one nothing would be tested.
fn arguments(policy: &Policy) -> String {
    let mut args: Value = policy.args.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let Some(KeyRule::Fields(fields)) = policy.dedup.as_ref().map(|dedup| &dedup.key) else { return args.to_string() };
    for field in fields.iter().filter(|field| args[field.as_str()].is_null()).cloned().collect::<Vec<_>>() {
        args[field.as_str()] = "test".into();
    }
    args.to_string()
}

fn stub(node: &NodeId) -> NodeRow {
    NodeRow {
        id: node.clone(),
        name: node.to_string(),
        kind: "scenario".to_owned(),
        host: String::new(),
        pid: 0,
        user: String::new(),
        program: String::new(),
        dir: String::new(),
        workers: u32::MAX,
        boot_id: None,
        lock_uid: None,
    }
}
