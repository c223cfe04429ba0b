//! Exit codes: one table, the same for every verb.

/// What the program says with its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// It is done.
    Done,
    /// It failed.
    Failed,
    /// The command line cannot be understood.
    Usage,
    /// No such job, run or daemon.
    NotFound,
    /// The store cannot be reached or used.
    Store,
    /// The trigger was skipped, and the caller asked to know.
    Skipped,
    /// The user may not do that.
    NotAllowed,
    /// The configuration cannot be used.
    Configuration,
    /// It took too long.
    TimedOut,
    /// The scheduler failed, not the command.
    Scheduler,
    /// A command's own code, passed through.
    Command(u8),
}

/// As `--help` ends.
pub(crate) const TABLE: &str = "\
Exit codes:
  0   done                                  75   skipped, if asked to say so
  1   failed                                77   not allowed
  2   the command line is wrong             78   the configuration is wrong
  3   no such job, run or daemon            124  timed out
  69  the store cannot be reached or used   125  the scheduler failed
  `trigger --wait` passes the code of the job's command through.";

impl Code {
    /// Every code of our own.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 10] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::NotFound,
        Self::Store,
        Self::Skipped,
        Self::NotAllowed,
        Self::Configuration,
        Self::TimedOut,
        Self::Scheduler,
    ];

    /// The word for it in JSON.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::Store => "store",
            Self::Skipped => "skipped",
            Self::NotAllowed => "not_allowed",
            Self::Configuration => "configuration",
            Self::TimedOut => "timed_out",
            Self::Scheduler => "scheduler",
            Self::Command(_) => "command",
        }
    }

    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Store => 69,
            Self::Skipped => 75,
            Self::NotAllowed => 77,
            Self::Configuration => 78,
            Self::TimedOut => 124,
            Self::Scheduler => 125,
            Self::Command(code) => code,
        }
    }
}

impl From<Code> for std::process::ExitCode {
    fn from(code: Code) -> Self {
        code.number().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_code() {
        for code in Code::ALL {
            assert!(TABLE.contains(&format!("  {} ", code.number())), "{code:?}");
        }
        assert_eq!(Code::Command(7).number(), 7);
    }
}
