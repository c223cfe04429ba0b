//! Whether a job stacks up.

use jobstile_core::policy::{Policy, Switches, Until};
use serde_json::{Value, json};

use super::scratch::Counted;
use crate::text::table::Paint;
use crate::text::words::number;

/// What a job did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No more runs were live than may run at once.
    Passes,
    /// More were live, and no more than its policy lets wait.
    QueuesByDesign,
    /// It has no limit.
    SideBySideByDesign,
    /// It stacks up.
    Fails,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Passes => "passes",
            Self::QueuesByDesign => "queues_by_design",
            Self::SideBySideByDesign => "side_by_side_by_design",
            Self::Fails => "fails",
        }
    }
}

/// A job, what became of its triggers, and the judgement.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    job: String,
    monitoring: bool,
    /// Runs that may be live; `None` means any number.
    allowed: Option<u64>,
    counted: Counted,
    pub(super) verdict: Verdict,
    /// In a sentence.
    pub(super) why: String,
}

/// Judges a job. `causes`: where deduplication and aggressive deduplication were set.
pub(super) fn judge(
    job: &str,
    policy: &Policy,
    switches: Switches,
    counted: &Counted,
    causes: &[String; 2],
) -> Judged {
    let monitoring = policy.monitoring;
    let allowed = if monitoring { Some(1) } else { policy.slots().map(u64::from) };
    let (live, running) = (counted.live, counted.running);
    let waiting = may_wait(policy, switches);
    let verdict = match allowed {
        None if live <= 1 => Verdict::Passes,
        None => Verdict::SideBySideByDesign,
        Some(allowed) if live <= allowed => Verdict::Passes,
        Some(allowed) if running <= allowed && live <= allowed + waiting => Verdict::QueuesByDesign,
        Some(_) => Verdict::Fails,
    };
    let why = match verdict {
        Verdict::Passes => "passes".to_owned(),
        Verdict::QueuesByDesign => match &policy.dedup {
            Some(_) => "queues by design: one of the same arguments may wait".to_owned(),
            None => format!("queues by design: {} may wait", number(policy.max_waiting.into())),
        },
        Verdict::SideBySideByDesign => "side by side by design: max_concurrent is unlimited".to_owned(),
        Verdict::Fails => blame(policy, switches, causes),
    };
    Judged { job: job.to_owned(), monitoring, allowed, counted: counted.clone(), verdict, why }
}

/// Runs that may wait by the job's own policy, where all triggers have the same arguments.
fn may_wait(policy: &Policy, switches: Switches) -> u64 {
    match &policy.dedup {
        _ if policy.monitoring => 0,
        // Without deduplication its rule is not in force, and more than it lets wait do.
        Some(_) if !switches.deduplication => 0,
        Some(dedup) if dedup.until == Until::Finish => 0,
        Some(_) => u64::from(policy.max_waiting.min(1)),
        None => policy.max_waiting.into(),
    }
}

/// Which setting lets runs stack up.
fn blame(policy: &Policy, switches: Switches, [deduplication, aggressive]: &[String; 2]) -> String {
    if !switches.deduplication {
        return format!("deduplication is off: {deduplication}");
    }
    if policy.monitoring && !switches.aggressive {
        return format!("aggressive deduplication is off: {aggressive}");
    }
    "no switch is off: its rules let them in".to_owned()
}

impl Judged {
    /// As the cells of a row.
    pub(super) fn row(&self) -> [(String, Paint); 6] {
        let turned_away: Vec<String> =
            self.counted.turned_away.iter().map(|(code, count)| format!("{count} {code}")).collect();
        let verdict = match self.verdict {
            Verdict::Passes => ("passes".to_owned(), Paint::Good),
            Verdict::Fails => ("FAILS".to_owned(), Paint::Bad),
            _ => (self.why.clone(), Paint::Plain),
        };
        let plain = |text: String| (text, Paint::Plain);
        [
            plain(self.job.clone()),
            plain(self.counted.live.to_string()),
            plain(self.allowed.map_or("any".to_owned(), |allowed| allowed.to_string())),
            plain(self.counted.admitted.to_string()),
            plain(turned_away.join(", ")),
            verdict,
        ]
    }

    pub(super) fn to_json(&self) -> Value {
        let codes = self.counted.turned_away.iter().map(|(code, count)| (code.to_string(), Value::from(*count)));
        json!({
            "job": self.job,
            "monitoring": self.monitoring,
            "admitted": self.counted.admitted,
            "turned_away": Value::Object(codes.collect()),
            "live": self.counted.live,
            "running": self.counted.running,
            "allowed": self.allowed,
            "verdict": self.verdict.as_str(),
            "why": self.why,
        })
    }
}
