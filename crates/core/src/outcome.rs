//! How an attempt ended.

crate::words::words! {
    /// How an attempt ended.
    Outcome {
        /// It did its work.
        Success = "success",
        /// It said that it failed.
        Failure = "failure",
        /// It took longer than its `timeout`; counts as a failure.
        Timeout = "timeout",
        /// Somebody asked it to end.
        Cancelled = "cancelled",
        /// Its node went away; counts against the crash budget, not as an attempt.
        Lost = "lost",
        /// Its node was shut down; counts against nothing.
        Interrupted = "interrupted",
        /// It could not be started at all; counts against nothing.
        NotStarted = "not_started",
    }
}
