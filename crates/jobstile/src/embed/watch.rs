//! What happens, told to whoever listens: `tracing`, the program's observer, and its subscribers.

use std::sync::Arc;

use jobstile_core::run::State;
use tokio::sync::broadcast;

use crate::engine::{Observer, Started};
use crate::fact::{Came, Decided, Fact, Level};

/// Facts that a slow subscriber may be behind; what is older is lost to it, and counted.
pub const MAX_BEHIND: usize = 1024;

/// Hears everything and passes it on.
pub(super) struct Watch {
    facts: broadcast::Sender<Fact>,
    besides: Arc<dyn Observer>,
}

impl Watch {
    pub(super) fn new(besides: Arc<dyn Observer>) -> (Self, broadcast::Sender<Fact>) {
        let (facts, _) = broadcast::channel(MAX_BEHIND);
        (Self { facts: facts.clone(), besides }, facts)
    }
}

impl Observer for Watch {
    fn facts(&self, facts: &[Fact]) {
        for fact in facts {
            report(fact);
            // Nobody may listen.
            let _ = self.facts.send(fact.clone());
        }
        self.besides.facts(facts);
    }

    fn started(&self, started: &Started<'_>) {
        self.besides.started(started);
    }

    fn others(&self, decisions: &[(Decided, String)]) {
        self.besides.others(decisions);
    }
}

/// Facts of this process as they happen, from [`Jobstile::subscribe`](super::Jobstile::subscribe).
#[derive(Debug)]
pub struct Subscription {
    facts: broadcast::Receiver<Fact>,
    lost: u64,
}

impl Subscription {
    pub(super) fn new(facts: &broadcast::Sender<Fact>) -> Self {
        Self { facts: facts.subscribe(), lost: 0 }
    }

    /// The next fact; `None` means that the store is closed. May be dropped at any time.
    pub async fn next(&mut self) -> Option<Fact> {
        loop {
            match self.facts.recv().await {
                Ok(fact) => return Some(fact),
                Err(broadcast::error::RecvError::Lagged(lost)) => self.lost += lost,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// Facts that this subscriber was too slow for, so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

macro_rules! say {
    ($level:expr, $($event:tt)*) => {
        match $level {
            Level::Error => tracing::error!($($event)*),
            Level::Warn => tracing::warn!($($event)*),
            Level::Info => tracing::info!($($event)*),
            Level::Debug => tracing::debug!($($event)*),
        }
    };
}

/// The words and names of the daemon's log.
fn report(fact: &Fact) {
    match fact {
        Fact::Decided(fact) => decided(fact),
        Fact::Came(fact) => came(fact),
    }
}

fn decided(fact: &Decided) {
    let (level, message) = fact.headline();
    let (run, by) = (fact.run.map(|run| run.0), fact.by.map(|run| run.0));
    say!(
        level,
        job_type = &*fact.job,
        action = fact.decision.as_str(),
        code = fact.code.as_str(),
        source = fact.source.as_str(),
        run,
        by,
        running = fact.running,
        waiting = fact.waiting,
        "{message}"
    );
}

fn came(fact: &Came) {
    let Some((level, message)) = fact.headline() else { return };
    let ended = fact.ended.as_ref();
    let retry_in = fact.due.filter(|_| fact.state == State::Retrying).map(|due| due.since(fact.at).as_secs_f64());
    say!(
        level,
        job_type = &*fact.job,
        run = fact.run.0,
        attempt = fact.attempt,
        attempts = fact.attempts,
        outcome = ended.map(|ended| ended.outcome.as_str()),
        took = ended.map(|ended| ended.took.as_secs_f64()),
        error = ended.and_then(|ended| ended.message.as_deref()),
        retry_in,
        code = fact.code.map(|code| code.as_str()),
        by = fact.by.map(|run| run.0),
        "{message}"
    );
}
