//! The closed sets of words, written out once more: as the design has them.

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? })+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($variant),+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As it is written everywhere.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The one with this word.
            #[must_use]
            pub fn named(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    )+ };
}

words! {
    /// Where a run is in its life.
    State {
        Scheduled = "scheduled",
        Queued = "queued",
        Running = "running",
        Retrying = "retrying",
        Succeeded = "succeeded",
        Dead = "dead",
        Cancelled = "cancelled",
        Refused = "refused",
        Expired = "expired",
    }

    /// What became of a trigger.
    Decision {
        Admitted = "admitted",
        Skipped = "skipped",
        Replaced = "replaced",
        Merged = "merged",
        Preempted = "preempted",
        Rejected = "rejected",
        Missed = "missed",
    }

    /// Why.
    Code {
        WithinLimits = "within_limits",
        DuplicateWaiting = "duplicate_waiting",
        DuplicateRunning = "duplicate_running",
        DuplicateRecent = "duplicate_recent",
        ConcurrencyLimit = "concurrency_limit",
        QueueFull = "queue_full",
        MergeFull = "merge_full",
        Paused = "paused",
        UnknownJob = "unknown_job",
        BadArguments = "bad_arguments",
        MissingKeyField = "missing_key_field",
        TriggerIdReused = "trigger_id_reused",
        Missed = "missed",
        ConcurrentExecutionDetected = "concurrent_execution_detected",
        Superseded = "superseded",
        Preempted = "preempted",
        CancelledByHand = "cancelled_by_hand",
        CrashBudget = "crash_budget",
        AttemptsUsedUp = "attempts_used_up",
        Expired = "expired",
    }

    /// How an attempt ended.
    Outcome {
        Success = "success",
        Failure = "failure",
        Timeout = "timeout",
        Cancelled = "cancelled",
        Lost = "lost",
        Interrupted = "interrupted",
        NotStarted = "not_started",
    }

    /// Where a trigger came from.
    Source {
        Schedule = "schedule",
        Cli = "cli",
        Api = "api",
        Library = "library",
        Script = "script",
    }
}

impl Code {
    /// Rule 4: another run does the same.
    #[must_use]
    pub fn is_duplicate(self) -> bool {
        matches!(self, Self::DuplicateWaiting | Self::DuplicateRunning | Self::DuplicateRecent)
    }

    /// Rule 5: there is no place.
    #[must_use]
    pub fn is_full(self) -> bool {
        matches!(self, Self::ConcurrencyLimit | Self::QueueFull)
    }
}
