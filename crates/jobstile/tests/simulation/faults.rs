//! What goes wrong. Each kind is on in half of the seeds, each time with its own intensity: a seed in which everything
//! happens at once hides what one fault alone would show.

use crate::rng::Rng;

/// Everything that must have happened at least once in a box.
pub(crate) const FAULTS: &[&str] = &[
    "crash",
    "crash after claim",
    "crash between end and settle",
    "shutdown",
    "settle sent twice",
    "late settle of a dead node",
    "stale settle rejected",
    "node paused",
    "node reaped while paused",
    "hint lost",
    "claim delayed",
    "clock forward",
    "clock back",
    "old time",
    "attempt fails",
    "attempt times out",
    "attempt hangs",
    "attempt not started",
    "poison run",
    "cancel ignored",
    "shared batch",
    "batch on a node's own connection",
    "store opened again",
    "cursor returned",
    "trigger id repeated",
    "arguments unreadable",
    "trigger for later",
    "run cancelled",
    "run retried by hand",
    "job paused",
    "job resumed",
    "all jobs paused",
    "policy changed",
    "limit lowered",
    "limit raised",
    "switches changed",
    "interval changed",
    "job removed",
    "job added again",
    "job forgotten",
    "history pruned",
    "node cannot run a job",
    "asked to wait before a retry",
    "target lifted",
];

/// The probabilities of one seed; 0 where the kind is off.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    pub(crate) crash: f64,
    pub(crate) crash_after_claim: f64,
    pub(crate) slow_settle: f64,
    pub(crate) shutdown: f64,
    pub(crate) twice: f64,
    pub(crate) late: f64,
    pub(crate) pause: f64,
    pub(crate) reap_paused: f64,
    pub(crate) lost_hint: f64,
    pub(crate) delayed_claim: f64,
    pub(crate) clock: f64,
    pub(crate) old_time: f64,
    pub(crate) fails: f64,
    pub(crate) hangs: f64,
    pub(crate) not_started: f64,
    pub(crate) poison: f64,
    pub(crate) ignores_cancel: f64,
    pub(crate) policy: f64,
    pub(crate) shared_batch: f64,
}

impl Faults {
    pub(crate) fn swarm(rng: &mut Rng) -> Self {
        let mut one = |most: f64| if rng.chance(0.5) { most * (0.1 + 0.9 * rng.share()) } else { 0.0 };
        Self {
            crash: one(0.2),
            crash_after_claim: one(0.08),
            slow_settle: one(0.4),
            shutdown: one(0.1),
            twice: one(0.3),
            late: one(1.0),
            pause: one(0.2),
            reap_paused: one(1.0),
            lost_hint: one(0.9),
            delayed_claim: one(0.6),
            clock: one(0.12),
            old_time: one(0.2),
            fails: one(0.7),
            hangs: one(0.25),
            not_started: one(0.3),
            poison: one(0.15),
            ignores_cancel: one(1.0),
            policy: one(0.9),
            shared_batch: one(0.9),
        }
    }
}
