//! The keys that are planned, and the ones that people write instead. Those that there are stand in the core's table.

use std::ops::Range;

use jobstile_core::policy::keys::{self, Table};

use crate::config::reader::{Item, Reader};
use crate::config::suggest::nearest;

/// The keys of one kind of table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    known: Known,
    /// Those that are planned.
    later: &'static [&'static str],
    /// What people write, and what they mean.
    instead: &'static [(&'static str, &'static str)],
    /// Those that belong elsewhere, and what to say about it.
    elsewhere: &'static [(&'static str, &'static str)],
}

/// Those that this version reads.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// The rows of the core's table.
    Rows(Table),
    /// These, of a scenario.
    Listed(&'static [&'static str]),
}

/// The top of the file.
pub(crate) const TOP: Names = Names {
    known: Known::Rows(Table::File),
    later: &["owner", "pools"],
    instead: &[
        ("job", "jobs"),
        ("default", "defaults"),
        ("database", "store"),
        ("db", "store"),
        ("grace", "shutdown_grace"),
    ],
    elsewhere: &[
        ("scenario", "it belongs to a scenario file: jobstile simulate --scenario FILE"),
        ("every", "it belongs to a job, or [defaults]"),
        ("timeout", "it belongs to a job, or [defaults]"),
        ("attempts", "it belongs to a job, or [defaults]"),
        ("command", "it belongs to a job"),
        ("shell", "it belongs to a job"),
        ("http", "it belongs to a job, or [defaults]"),
        ("monitoring", "it belongs to a job"),
        ("timezone", "it belongs to [defaults] or a job, and is not in this version yet"),
    ],
};

/// A job, or `[defaults]`.
pub(crate) const JOB: Names = Names {
    known: Known::Rows(Table::Job),
    later: &[
        "cron",
        "timezone",
        "jitter",
        "not_before",
        "not_after",
        "stretch",
        "limits",
        "pools",
        "expires_after",
        "exit",
        "debounce",
        "shutdown_grace",
    ],
    instead: &[
        ("interval", "every"),
        ("interval_seconds", "every"),
        ("schedule", "every"),
        ("cmd", "command"),
        ("exec", "command"),
        ("run", "command"),
        ("script", "shell"),
        ("url", "http"),
        ("retries", "attempts"),
        ("max_retries", "attempts"),
        ("max_attempts", "attempts"),
        ("retry", "attempts"),
        ("retry_delay", "backoff"),
        ("retry_delay_seconds", "backoff"),
        ("concurrency", "max_concurrent"),
        ("max_instances", "max_concurrent"),
        ("parallel", "max_concurrent"),
        ("queue", "max_waiting"),
        ("deduplicate", "dedup"),
        ("deduplication", "dedup"),
        ("unique", "dedup"),
        ("coalesce", "catch_up"),
        ("misfire", "catch_up"),
        ("timeout_seconds", "timeout"),
        ("dir", "cwd"),
        ("working_directory", "cwd"),
        ("environment", "env"),
        ("disabled", "enabled"),
        ("arguments", "args"),
    ],
    elsewhere: &[
        ("workers", "it belongs to the top of the file"),
        ("kill_after", "it belongs to the top of the file"),
        ("store", "it belongs to the top of the file"),
        ("owner", "it belongs to the top of the file"),
        ("key", "it belongs to the job's `dedup`"),
        ("until", "it belongs to the job's `dedup`"),
        ("on_duplicate", "it belongs to the job's `dedup`"),
        ("delay", "it belongs to the job's `backoff`"),
        ("factor", "it belongs to the job's `backoff`"),
        ("method", "it belongs to the job's `http`"),
        ("headers", "it belongs to the job's `http`"),
    ],
};

pub(crate) const DEDUP: Names = Names {
    known: Known::Rows(Table::Dedup),
    later: &["for", "debounce", "merge"],
    instead: &[("keys", "key"), ("by", "key"), ("fields", "key"), ("window", "for"), ("period", "for")],
    elsewhere: &[],
};

pub(crate) const BACKOFF: Names = Names {
    known: Known::Rows(Table::Backoff),
    later: &[],
    instead: &[
        ("base", "delay"),
        ("initial", "delay"),
        ("multiplier", "factor"),
        ("max_delay", "max"),
        ("limit", "max"),
    ],
    elsewhere: &[("attempts", "it belongs to the job"), ("jitter", "up to a tenth more at random is always added")],
};

pub(crate) const HTTP: Names = Names {
    known: Known::Rows(Table::Http),
    later: &[],
    instead: &[("uri", "url"), ("address", "url"), ("header", "headers")],
    elsewhere: &[
        ("timeout", "it belongs to the job"),
        ("body", "it belongs to the job's `args`: they are sent as JSON"),
        ("json", "it belongs to the job's `args`: they are sent as JSON"),
    ],
};

/// `on_cancel` of `http`.
pub(crate) const ON_CANCEL: Names = Names {
    known: Known::Rows(Table::OnCancel),
    later: &[],
    instead: &[("uri", "url"), ("address", "url")],
    elsewhere: &[("headers", "those of the call are sent"), ("method", "it is always POST")],
};

/// `[scenario]` of a scenario file.
pub(crate) const SCENARIO: Names = Names {
    known: Known::Listed(&["until", "start", "workers", "env", "takes", "dies", "event"]),
    later: &[],
    instead: &[("end", "until"), ("events", "event"), ("duration", "until"), ("environment", "env")],
    elsewhere: &[
        ("jobs", "the top of the file; to change them on the way, an event"),
        ("defaults", "the top of the file"),
    ],
};

/// An event: its time, one thing that it does, and what a trigger has besides.
pub(crate) const EVENT: Names = Names {
    known: Known::Listed(&[
        "at", "trigger", "pause", "resume", "cancel", "retry", "env", "jobs", "crash", "args", "priority", "in", "id",
    ]),
    later: &[],
    instead: &[("time", "at"), ("delay", "in"), ("job", "trigger"), ("arguments", "args"), ("run", "trigger")],
    elsewhere: &[],
};

impl Names {
    /// The keys that this version reads.
    pub(crate) fn known(&self) -> Vec<&'static str> {
        match self.known {
            Known::Rows(table) => keys::of(table).map(|key| key.name()).collect(),
            Known::Listed(names) => names.to_vec(),
        }
    }

    /// Says what is wrong with a key that is not known, and which key was probably meant. `place` is as in «in job
    /// `backup`».
    pub(crate) fn unknown(&self, item: Item<'_>, place: &str, reader: &mut Reader) -> Option<&'static str> {
        let (name, span): (&str, Range<usize>) = (item.name(), item.key.span());
        if self.later.contains(&name) {
            let title = format!("`{name}` is not in this version yet ({place})");
            reader.wrong(span, title, "planned; take it out for now");
            return None;
        }
        if let Some((_, whereto)) = self.elsewhere.iter().find(|(word, _)| *word == name) {
            reader.wrong(span, format!("`{name}` does not belong {place}"), *whereto);
            return None;
        }
        let by_meaning = self.instead.iter().find(|(word, _)| *word == name).map(|(_, meant)| *meant);
        let known = self.known();
        let meant = by_meaning.or_else(|| nearest(name, known.iter().chain(self.later).copied()));
        let right = match meant {
            Some(near) if self.later.contains(&near) => format!("`{near}` is not in this version yet"),
            Some(near) => format!("did you mean `{near}`?"),
            None if known.len() <= 7 => format!("there are {}", known.join(", ")),
            None => "no such key".into(),
        };
        reader.wrong(span, format!("unknown key `{name}` {place}"), right);
        meant
    }
}
