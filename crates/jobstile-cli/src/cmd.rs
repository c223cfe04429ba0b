//! One file a verb: what its arguments are, and what it does.

use crate::args::Global;
use crate::error::Error;
use crate::exit::Code;

// What several verbs share.
mod changes;
mod first;
mod in_force;
mod open;
mod switched;

/// The verbs, in the order of `--help`: its line there, its name in clap, its file. A file has a `struct Args` and a
/// `fn run(Args, &Global) -> Result<Code, Error>`.
macro_rules! verbs {
    ($($(#[$meta:meta])+ $name:ident = $file:ident,)+) => {
        $(pub(crate) mod $file;)+

        /// What the program is asked to do.
        #[derive(Debug, clap::Subcommand)]
        pub(crate) enum Verb {
            $($(#[$meta])+ $name($file::Args),)+
        }

        impl Verb {
            /// Does it.
            pub(crate) fn run(self, global: &Global) -> Result<Code, Error> {
                match self {
                    $(Self::$name(args) => $file::run(args, global),)+
                }
            }
        }
    };
}

verbs! {
    /// Write a starter jobstile.toml with two jobs
    Init = init,
    /// Run the daemon: fire schedules, execute runs
    Serve = serve,
    /// Make the daemon read its configuration again
    Reload = reload,
    /// Show what is going on now
    #[command(visible_alias = "top")]
    Monitor = monitor,
    /// Run a job now or later
    Trigger = trigger,
    /// End a run before its time
    Cancel = cancel,
    /// Try a run again
    Retry = retry,
    /// Hold a job back
    Pause = pause,
    /// Let a paused job go on
    Resume = resume,
    /// List the jobs: when they fire, where they stand
    Ls = ls,
    /// Show one job: its rules in full, and where each came from
    Show = show,
    /// List runs and how they ended
    Runs = runs,
    /// Show what a run printed
    Logs = logs,
    /// Check the configuration, and show when its jobs fire next
    Check = check,
    /// Show every effective setting and where it came from
    Config = config,
    /// Try policies: replay a scenario file on a virtual clock
    Simulate = simulate,
    /// Say why a job did not run, or who holds a key
    Explain = explain,
    /// Test whether jobs stack up, on a scratch store
    TestDedup = test_dedup,
    /// List the next ticks, scheduled runs and retries
    Next = next,
    /// List every trigger and what became of it
    Decisions = decisions,
    /// List live runs by key: who holds what
    Keys = keys,
    /// List the processes that work on the store
    Nodes = nodes,
    /// Take a job that no live node defines out of the policy
    Forget = forget,
    /// Check that everything around the store is in order
    Doctor = doctor,
    /// Check that the store keeps its promises
    Verify = verify,
    /// Copy the store while it is in use
    Backup = backup,
    /// Bring the store's schema up to date
    Migrate = migrate,
    /// Print a completion script for your shell
    Completions = completions,
}
