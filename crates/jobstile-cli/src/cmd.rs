//! One file a verb: what its arguments are, and what it does.

use crate::args::Global;
use crate::error::Error;
use crate::exit::Code;

mod changes;
mod first;
mod open;

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
    /// Write a first jobstile.toml with two jobs
    Init = init,
    /// Run the daemon: fire schedules, execute runs
    Serve = serve,
    /// Let the daemon read its configuration again
    Reload = reload,
    /// What goes on now
    #[command(visible_alias = "top")]
    Monitor = monitor,
    /// Run a job now or later
    Trigger = trigger,
    /// End a run
    Cancel = cancel,
    /// Try a run again
    Retry = retry,
    /// Hold a job back
    Pause = pause,
    /// Let a paused job go on
    Resume = resume,
    /// The jobs: when they fire, where they stand
    Ls = ls,
    /// One job: its rules written out, and where each came from
    Show = show,
    /// The past: runs and how they ended
    Runs = runs,
    /// What a run printed
    Logs = logs,
    /// Is the configuration good, and when do its jobs fire next?
    Check = check,
    /// Every effective setting and where it came from
    Config = config,
    /// Try policies: replay a scenario file on a virtual clock
    Simulate = simulate,
    /// Why did it not run, and who holds it?
    Explain = explain,
    /// Do jobs stack up? Trigger them again and again on a scratch store
    TestDedup = test_dedup,
    /// The next ticks, scheduled runs and retries
    Next = next,
    /// Every trigger and what became of it
    Decisions = decisions,
    /// Who holds what: live runs by key
    Keys = keys,
    /// The processes that work here, and what each cannot run
    Nodes = nodes,
    /// Take a job that no live node defines out of the policy
    Forget = forget,
    /// Is everything in order around the store?
    Doctor = doctor,
    /// Does the store keep its promises?
    Verify = verify,
    /// Copy the store while it is in use
    Backup = backup,
    /// Bring the store's schema up to date
    Migrate = migrate,
    /// Print a completion script for your shell
    Completions = completions,
}
