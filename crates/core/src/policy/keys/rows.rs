//! The rows of the table, in the order in which people read them.

use super::Default::{Nothing, Value as Is, Words};
use super::{
    Field, Key, LONGEST, MOST_ATTEMPTS, MOST_KEY_FIELDS, MOST_WAITING, MOST_WORKERS, Meaning, Plain, SHORTEST,
    SHORTEST_EVERY, Table, Takes, Value,
};
use crate::policy::written::{Overlap, TickArgs};
use crate::policy::{KeyRule, MAX_CONCURRENT, OnDuplicate, OnFull, Priority, Switches, Until, Written};
use crate::schedule::{CatchUp, First};

/// A field of [`Written`], perhaps in a table of its own, and what of a policy it shows.
macro_rules! field {
    ($field:ident, $holds:expr) => {
        Meaning::Policy(Field {
            put: |written, value| match Plain::of(value) {
                None => false,
                some => {
                    written.$field = some;
                    true
                }
            },
            written: |written| written.$field.as_ref().map(Plain::value),
            holds: $holds,
        })
    };
    ($table:ident . $field:ident, $holds:expr) => {
        Meaning::Policy(Field {
            put: |written, value| match Plain::of(value) {
                None => false,
                some => {
                    written.$table.get_or_insert_default().$field = some;
                    true
                }
            },
            written: |written| written.$table.as_ref()?.$field.as_ref().map(Plain::value),
            holds: $holds,
        })
    };
}

/// A table of [`Written`] that may be there without any of its keys.
macro_rules! table {
    ($field:ident, $holds:expr) => {
        Meaning::Policy(Field {
            put: |written, value| {
                written.$field.get_or_insert_default();
                value == Value::Table
            },
            written: |written: &Written| written.$field.as_ref().map(|_| Value::Table),
            holds: $holds,
        })
    };
}

const SPAN: Takes = Takes::Span { least: SHORTEST, most: LONGEST, or: None };
const fn whole(least: i64, most: i64) -> Takes {
    Takes::Whole { least, most, or: None }
}

/// Every key of a configuration file.
pub const KEYS: &[Key] = &[
    // The whole file.
    Key {
        path: "store",
        table: Table::File,
        takes: Takes::Text,
        default: Words("a file in `.jobstile` beside the configuration"),
        about: "Where the state is kept: `sqlite:///var/lib/jobstile/jobstile.db`, a path, or `env:NAME` to read it from a variable.",
        meaning: Meaning::Program,
    },
    Key {
        path: "workers",
        table: Table::File,
        takes: whole(1, MOST_WORKERS),
        default: Words("by kind of job"),
        about: "How many attempts one process runs at once, over all its jobs.",
        meaning: Meaning::Program,
    },
    Key {
        path: "shutdown_grace",
        table: Table::File,
        takes: SPAN,
        default: Is("\"25s\""),
        about: "How long runs may take to finish after the daemon is asked to stop.",
        meaning: Meaning::Program,
    },
    Key {
        path: "kill_after",
        table: Table::File,
        takes: SPAN,
        default: Is("\"5s\""),
        about: "How long a command may take to end after it is asked to, before it is killed.",
        meaning: Meaning::Program,
    },
    Key {
        path: "defaults",
        table: Table::File,
        takes: Takes::Table(Table::Job),
        default: Nothing,
        about: "What holds for every job that does not say otherwise; it takes every key of a job.",
        meaning: Meaning::Program,
    },
    Key {
        path: "jobs",
        table: Table::File,
        takes: Takes::Jobs,
        default: Nothing,
        about: "The jobs by name: a letter or digit, then up to 63 letters, digits, `.`, `_` or `-`.",
        meaning: Meaning::Program,
    },
    // When a job fires.
    Key {
        path: "every",
        table: Table::Job,
        takes: Takes::Span { least: SHORTEST_EVERY, most: LONGEST, or: None },
        default: Words("no schedule"),
        about: "The interval of its schedule.",
        meaning: field!(every, |p| Some(p.schedule.map_or(Value::Nothing, |schedule| Value::Span(schedule.every)))),
    },
    Key {
        path: "first",
        table: Table::Job,
        takes: Takes::Word(First::WORDS),
        default: Is("\"now\""),
        about: "When a new schedule fires first: at once, or after one interval.",
        meaning: field!(first, |p| p.schedule.map(|schedule| schedule.first.value())),
    },
    Key {
        path: "catch_up",
        table: Table::Job,
        takes: Takes::Word(CatchUp::WORDS),
        default: Is("\"latest\""),
        about: "What becomes of the instants that no daemon was there for: one run for all of them, or none.",
        meaning: field!(catch_up, |p| p.schedule.map(|schedule| schedule.catch_up.value())),
    },
    Key {
        path: "args",
        table: Table::Job,
        takes: Takes::Arguments,
        default: Words("no arguments"),
        about: "The arguments that its schedule triggers it with.",
        meaning: field!(args, |p| {
            p.schedule?;
            Some(p.args.as_ref().map_or(Value::Nothing, |args| {
                Value::Args(TickArgs { canonical: Some(args.clone()), ..TickArgs::default() })
            }))
        }),
    },
    Key {
        path: "enabled",
        table: Table::Job,
        takes: Takes::Flag,
        default: Is("true"),
        about: "`false` switches its schedule off; it can still be triggered.",
        meaning: field!(enabled, |p| Some(p.enabled.value())),
    },
    // What may run.
    Key {
        path: "monitoring",
        table: Table::Job,
        takes: Takes::Flag,
        default: Words("`true` for four names that are known, else `false`"),
        about: "A monitoring job has one live run at a time, retries included, whatever triggers it.",
        meaning: field!(monitoring, |p| Some(p.monitoring.value())),
    },
    Key {
        path: "overlap",
        table: Table::Job,
        takes: Takes::Word(Overlap::WORDS),
        default: Words(
            "`\"skip\"` with a schedule, else `\"queue-one\"`, if none of `dedup`, `max_concurrent` and `max_waiting` is written",
        ),
        about: "What happens when it is triggered while it runs; a short way to write `dedup`, `max_concurrent` and `max_waiting`.",
        meaning: field!(overlap, |_| None),
    },
    Key {
        path: "dedup",
        table: Table::Job,
        takes: Takes::Table(Table::Dedup),
        default: Words("every trigger is distinct"),
        about: "Which triggers are duplicates of a live run.",
        meaning: table!(dedup, |p| p.dedup.is_none().then_some(Value::Nothing)),
    },
    Key {
        path: "dedup.key",
        table: Table::Dedup,
        takes: Takes::Fields { most: MOST_KEY_FIELDS },
        default: Words("all arguments"),
        about: "The argument fields that make two triggers the same; `[]` means the job itself.",
        meaning: field!(dedup.key, |p| match &p.dedup.as_ref()?.key {
            KeyRule::AllArguments => Some(Value::Word("all arguments".to_owned())),
            KeyRule::Fields(fields) => Some(fields.value()),
        }),
    },
    Key {
        path: "dedup.until",
        table: Table::Dedup,
        takes: Takes::Word(Until::WORDS),
        default: Is("\"finish\""),
        about: "How long a run makes later triggers duplicates: until it first starts, or until it ends.",
        meaning: field!(dedup.until, |p| Some(p.dedup.as_ref()?.until.value())),
    },
    Key {
        path: "dedup.on_duplicate",
        table: Table::Dedup,
        takes: Takes::Word(OnDuplicate::WORDS),
        default: Is("\"skip\""),
        about: "What becomes of a duplicate: it is skipped, or its caller gets an error.",
        meaning: field!(dedup.on_duplicate, |p| Some(p.dedup.as_ref()?.on_duplicate.value())),
    },
    Key {
        path: "max_concurrent",
        table: Table::Job,
        takes: Takes::Whole { least: 1, most: MAX_CONCURRENT as i64, or: Some("unlimited") },
        default: Is("1"),
        about: "How many attempts of it run at once, on all machines together.",
        meaning: field!(max_concurrent, |p| Some(p.max_concurrent.value())),
    },
    Key {
        path: "max_waiting",
        table: Table::Job,
        takes: whole(0, MOST_WAITING),
        default: Words("`0` with a schedule, a number as `max_concurrent` and no `dedup`, else `100000`"),
        about: "How many runs may wait beyond that.",
        meaning: field!(max_waiting, |p| Some(p.max_waiting.value())),
    },
    Key {
        path: "on_full",
        table: Table::Job,
        takes: Takes::Word(OnFull::WORDS),
        default: Words("`\"skip\"` if nothing may wait, else `\"fail\"`"),
        about: "What becomes of a trigger when there is no room: it is skipped, or its caller gets an error.",
        meaning: field!(on_full, |p| Some(p.rules(Switches::default()).on_full.value())),
    },
    Key {
        path: "priority",
        table: Table::Job,
        takes: Takes::Word(Priority::WORDS),
        default: Is("\"normal\""),
        about: "The head start of its runs in line: none, 30 s, 60 s, 5 min or 1 h.",
        meaning: field!(priority, |p| Some(p.priority.value())),
    },
    // How it is executed.
    Key {
        path: "attempts",
        table: Table::Job,
        takes: whole(1, MOST_ATTEMPTS),
        default: Is("1"),
        about: "How often a run is executed in all, if it keeps failing.",
        meaning: field!(attempts, |p| Some(p.attempts.value())),
    },
    Key {
        path: "backoff",
        table: Table::Job,
        takes: Takes::Table(Table::Backoff),
        default: Words("the defaults of its keys"),
        about: "How long a failed run waits for its next attempt; up to a tenth more is added at random.",
        meaning: table!(backoff, |_| None),
    },
    Key {
        path: "backoff.delay",
        table: Table::Backoff,
        takes: SPAN,
        default: Is("\"30s\""),
        about: "The wait before the second attempt.",
        meaning: field!(backoff.delay, |p| Some(p.backoff.delay.value())),
    },
    Key {
        path: "backoff.factor",
        table: Table::Backoff,
        takes: Takes::Fraction { least: 1.0, most: 100.0 },
        default: Is("2"),
        about: "How many times longer each next wait is.",
        meaning: field!(backoff.factor, |p| Some(p.backoff.factor.value())),
    },
    Key {
        path: "backoff.max",
        table: Table::Backoff,
        takes: SPAN,
        default: Is("\"1h\""),
        about: "The longest wait.",
        meaning: field!(backoff.max, |p| Some(p.backoff.max.value())),
    },
    Key {
        path: "timeout",
        table: Table::Job,
        takes: Takes::Span { least: SHORTEST, most: LONGEST, or: Some("none") },
        default: Is("\"1h\""),
        about: "The longest that one attempt may take; then it is ended, and has failed.",
        meaning: field!(timeout, |p| Some(p.timeout.value())),
    },
    // What it runs.
    Key {
        path: "command",
        table: Table::Job,
        takes: Takes::Argv,
        default: Nothing,
        about: "The program that it runs, and its arguments. A job has one of `command`, `shell` and `http`.",
        meaning: Meaning::Program,
    },
    Key {
        path: "shell",
        table: Table::Job,
        takes: Takes::Text,
        default: Nothing,
        about: "The line that it gives to `/bin/sh -c`.",
        meaning: Meaning::Program,
    },
    Key {
        path: "http",
        table: Table::Job,
        takes: Takes::Table(Table::Http),
        default: Nothing,
        about: "The HTTP call that it makes; 2xx is a success.",
        meaning: Meaning::Program,
    },
    Key {
        path: "http.method",
        table: Table::Http,
        takes: Takes::Word(METHODS),
        default: Is("\"POST\""),
        about: "The method of the call.",
        meaning: Meaning::Program,
    },
    Key {
        path: "http.url",
        table: Table::Http,
        takes: Takes::Address,
        default: Words("must be written"),
        about: "The address of the call; `{job}` in its path stands for the job's name.",
        meaning: Meaning::Program,
    },
    Key {
        path: "http.headers",
        table: Table::Http,
        takes: Takes::Headers,
        default: Words("none besides its own"),
        about: "Headers of the call: text, or `{ env = \"TOKEN\", prefix = \"Bearer \" }` for a variable. Their values are never shown.",
        meaning: Meaning::Program,
    },
    Key {
        path: "http.on_cancel",
        table: Table::Http,
        takes: Takes::Table(Table::OnCancel),
        default: Nothing,
        about: "Whom to tell that an attempt was cancelled, interrupted or timed out, so that the server can stop its work.",
        meaning: Meaning::Program,
    },
    Key {
        path: "http.on_cancel.url",
        table: Table::OnCancel,
        takes: Takes::Address,
        default: Words("must be written"),
        about: "Gets one POST with the headers of the call and `Jobstile-Outcome`.",
        meaning: Meaning::Program,
    },
    Key {
        path: "cwd",
        table: Table::Job,
        takes: Takes::Text,
        default: Words("the folder of the configuration"),
        about: "The folder that a command runs in.",
        meaning: Meaning::Program,
    },
    Key {
        path: "env",
        table: Table::Job,
        takes: Takes::Variables,
        default: Nothing,
        about: "Variables that a command sees, and that a header may name. Their values are never shown.",
        meaning: Meaning::Program,
    },
    Key {
        path: "env_file",
        table: Table::Job,
        takes: Takes::Text,
        default: Nothing,
        about: "A file of such variables, read before each attempt.",
        meaning: Meaning::Program,
    },
    Key {
        path: "pass_env",
        table: Table::Job,
        takes: Takes::Names,
        default: Nothing,
        about: "Variables of the daemon that are given too.",
        meaning: Meaning::Program,
    },
    Key {
        path: "inherit_lock",
        table: Table::Job,
        takes: Takes::Flag,
        default: Is("true"),
        about: "Whether a command inherits the descriptor that proves its attempt is still going.",
        meaning: Meaning::Program,
    },
    Key {
        path: "log_output",
        table: Table::Job,
        takes: Takes::Flag,
        default: Is("true"),
        about: "Whether the log may quote the last line that a failed attempt printed, or the answer of a server.",
        meaning: Meaning::Program,
    },
];

/// The methods of an HTTP call.
const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
