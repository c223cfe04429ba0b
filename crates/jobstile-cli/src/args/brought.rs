//! Words and options that people bring along from other programs, and what they are called here.

/// Commands of other programs.
const WORDS: [(&[&str], &str); 12] = [
    (
        &["run", "start", "exec"],
        "start the daemon: jobstile serve      run a job now: jobstile trigger JOB --wait      past runs: jobstile runs",
    ),
    (&["daemon", "up", "server", "worker", "scheduler"], "start the daemon: jobstile serve"),
    (&["status", "ps", "stat", "dashboard"], "what is going on now: jobstile monitor"),
    (&["list", "jobs"], "all jobs: jobstile ls      past runs: jobstile runs"),
    (
        &["stop", "kill", "down", "shutdown"],
        "end a run: jobstile cancel RUN      hold a job back: jobstile pause JOB      stop the daemon: Ctrl-C or TERM",
    ),
    (&["restart"], "read the configuration again: jobstile reload      try a run again: jobstile retry RUN"),
    (&["history", "past"], "past runs: jobstile runs      every trigger and what became of it: jobstile decisions"),
    (&["why"], "why a job did not run: jobstile explain JOB"),
    (
        &["validate", "lint", "test"],
        "check the configuration: jobstile check      do jobs stack up: jobstile test-dedup",
    ),
    (&["enable", "disable"], "hold a job back: jobstile pause JOB      let it go on: jobstile resume JOB"),
    (&["version"], "this program's version: jobstile --version"),
    (&["log", "output", "tail"], "what a run printed: jobstile logs RUN -f"),
];

/// Options of other programs.
const OPTIONS: [(&[&str], &str); 12] = [
    (&["--json", "-j", "--format"], "as JSON: -o json"),
    (&["--watch", "-w"], "again and again: jobstile monitor -c"),
    (
        &["--verbose", "-v", "--debug", "--quiet", "-q", "--log-level"],
        "more or less in the daemon's log: JOBSTILE_LOG=debug",
    ),
    (&["--file", "--conf", "-c"], "name the configuration file: --config FILE"),
    (&["--db", "--database", "--url", "--db-url"], "name the store: --store FILE"),
    (&["-n", "--count", "--max", "--lines"], "print at most N: --limit N"),
    (&["--follow", "-f"], "follow what a run prints: jobstile logs RUN -f"),
    (&["--no-color", "--no-colour"], "no colours: --color never, or NO_COLOR=1"),
    (&["--delay"], "later: --in 1h, or --at 18:30"),
    (
        &["--port", "--host", "--listen", "--bind"],
        "there is no server to reach: every command works on the store itself",
    ),
    (&["--daemon", "--daemonize", "--detach", "--background", "-d"], "it stays in the foreground: let systemd run it"),
    (&["--force", "--yes", "-y"], "there is no such option here: nothing is overwritten, nothing is asked"),
];

/// What a command of another program is called here.
pub(super) fn word(asked: &str) -> Option<&'static str> {
    look_up(&WORDS, asked)
}

/// What an option of another program is called here.
pub(super) fn option(asked: &str) -> Option<&'static str> {
    look_up(&OPTIONS, asked)
}

fn look_up(table: &[(&[&str], &'static str)], asked: &str) -> Option<&'static str> {
    table.iter().find(|(words, _)| words.contains(&asked)).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_bring_along_is_not_a_command_already() {
        let mut all = crate::args::command();
        all.build();
        for word in WORDS.iter().flat_map(|(words, _)| *words) {
            assert!(!all.get_subcommands().any(|verb| verb.get_name_and_visible_aliases().contains(word)), "{word}");
        }
    }
}
