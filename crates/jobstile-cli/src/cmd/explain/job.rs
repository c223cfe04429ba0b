//! Why a job does not run now: the first reason in the way, then what happened, and what to change.

use std::time::Duration;

use jobstile::client::{JobInfo, Liveness, RunFilter, RunInfo, hour_of};
use jobstile::engine::LOOK_FOR_COMMANDS;
use jobstile::origin::{Origin, Origins};
use jobstile::store::numbers::Numbers;
use jobstile_core::policy::{Concurrency, KeyRule, Policy, Switches, Until};
use jobstile_core::run::State;
use jobstile_core::time::Time;

use super::events;
use super::page::Page;
use super::run::{unable, waits};
use crate::cmd::open::Opened;
use crate::error::Error;
use crate::text::duration::{short, spoken};
use crate::text::time::Times;
use crate::text::words::{self, count, number};

/// Hours that the pattern is taken from.
const PATTERN_HOURS: i64 = 24;
const HOUR: i64 = 3_600_000_000;

struct Known<'a> {
    opened: &'a Opened,
    job: JobInfo,
    policy: Policy,
    switches: Switches,
    times: Times,
    live: Vec<RunInfo>,
    last: Option<RunInfo>,
}

/// Explains a job.
pub(super) fn explain(opened: &Opened, name: &str) -> Result<Page, Error> {
    let job = opened.job(name)?;
    let client = &opened.client;
    let Some(policy) = job.policy.clone() else {
        let times = Times::here(client.now());
        let mut page = Page::new(name, format!("{name} is out of the policy: no configuration in force names it."), &times);
        let left = crate::cmd::ls::standing(&job);
        if left != "idle" {
            page.says("waits", format!("{left}: nothing of it starts until a configuration names it again"));
        }
        page.says("to change", "put it back into the configuration, or end what is left: jobstile cancel RUN");
        page.says("history", format!("jobstile runs {name}"));
        return Ok(page);
    };
    let states = |states: &[State]| RunFilter {
        job: Some(name.to_owned()),
        states: states.to_vec(),
        limit: 50,
        ..RunFilter::default()
    };
    let live = client.runs(&states(&[State::Running, State::Queued, State::Retrying]))?;
    let ended = [State::Succeeded, State::Dead, State::Cancelled, State::Refused, State::Expired];
    let last = client.runs(&states(&ended))?.into_iter().max_by_key(|run| run.row.ended_at);
    let times = Times::here(client.now());
    let known = Known { opened, switches: client.switches()?, job, policy, times, live, last };
    let mut page = Page::new(name, known.sentence()?, &known.times);
    let attempts = known.policy.attempts;
    events::of_job(opened, &mut page, &known.times, name, &known.live, known.last.as_ref(), attempts)?;
    known.waiting(&mut page);
    known.rule(&mut page);
    known.lost(&mut page)?;
    known.catch_up(&mut page);
    known.pattern(&mut page)?;
    known.advice(&mut page)?;
    Ok(page)
}

impl Known<'_> {
    fn first(&self, state: State) -> Option<&RunInfo> {
        self.live.iter().filter(|run| run.row.state == state).min_by_key(|run| (run.row.first_due, run.row.id))
    }

    fn ticks(&self) -> bool {
        self.policy.schedule.is_some() && self.policy.enabled
    }

    fn sentence(&self) -> Result<String, Error> {
        let (name, now) = (&self.job.name, self.times.now());
        if let Some(pause) = self.job.paused(now) {
            let why = pause.why.as_ref().map_or(String::new(), |why| format!(": {why}"));
            let until = pause.until.map_or(String::new(), |until| format!(" until {}", self.times.at(until)));
            return Ok(format!("{name} is paused{until} by {}, since {}{why}.", pause.by, self.times.at(pause.at)));
        }
        if self.opened.alive.is_empty() {
            return Ok(format!("{name} does not run: no daemon works on this store."));
        }
        if let Some(reason) = unable(self.opened, name)? {
            return Ok(format!("{name} waits: {reason} (looked for every {LOOK_FOR_COMMANDS} s)."));
        }
        if let Some(run) = self.first(State::Running) {
            let for_ = spoken(now.since(run.row.claimed_at.unwrap_or(run.row.due)));
            let more = self.live.iter().filter(|run| run.row.state == State::Running).count();
            let others = if more > 1 { format!(" and {} more", more - 1) } else { String::new() };
            let then = if self.full() { self.until_then("until it ends") } else { String::new() };
            return Ok(format!("{name} is running: run {}{others}, for {for_}.{then}", run.row.id));
        }
        if self.first(State::Retrying).is_some() {
            return Ok(match self.until_then("until then") {
                then if then.is_empty() => format!("{name} is waiting for its retry."),
                _ => format!("{name} is waiting for its retry; its ticks are skipped until then."),
            });
        }
        if let Some(run) = self.first(State::Queued) {
            return Ok(format!("{name} has run {} waiting: {}.", run.row.id, waits(self.opened, run)?));
        }
        if self.policy.schedule.is_some() && !self.policy.enabled {
            return Ok(format!("{name} does not run by itself: it is switched off by {}.", self.switched_off_by()));
        }
        if let Some(dead) = self.last.as_ref().filter(|run| run.row.state == State::Dead) {
            let attempts = count(dead.row.failures.max(1).into(), "attempt");
            return Ok(format!("{name} is idle; its last run, {}, is dead after {attempts}.", dead.row.id));
        }
        Ok(match self.job.fires(now, 1).first() {
            Some(next) => format!("{name} is idle: its next tick is {}, at {}.", self.times.ago(*next), self.times.at(*next)),
            None => format!("{name} is idle: it has no schedule and runs when it is triggered."),
        })
    }

    // Would the next tick be skipped as things are?
    fn full(&self) -> bool {
        let rules = self.policy.rules(self.switches);
        let (taken, places) = match rules.places {
            jobstile_core::policy::Places::Taking(places) => (self.job.tally.taking(), places),
            jobstile_core::policy::Places::Waiting(places) => (self.job.tally.waiting(), places),
        };
        taken >= places || (rules.dedup.is_some() && self.job.tally.taking() > 0)
    }

    fn until_then(&self, then: &str) -> String {
        if self.ticks() && self.full() { format!(" Its ticks are skipped {then}.") } else { String::new() }
    }

    // `AIBTC_TWEET_ENABLED=false (environment of web1)`, or the line of the file that says so.
    fn switched_off_by(&self) -> String {
        let origins = Origins::read(&self.job.origins);
        let Origin::Variable { name, place: None } = origins.origin("enabled") else {
            return words::origin(origins.origin("enabled"));
        };
        let nodes: Vec<&str> = self.opened.alive.iter().map(|node| node.row.name.as_str()).collect();
        let whose = if nodes.is_empty() { "the daemon".to_owned() } else { nodes.join(", ") };
        let written = match origins.instead_of("enabled") {
            None => String::new(),
            Some((value, _)) => format!("; the file says enabled = {value}"),
        };
        format!("{name}=false (environment of {whose}{written})")
    }

    // Runs that wait besides the one that the answer is about, and one that only counts as running.
    fn waiting(&self, page: &mut Page) {
        let mut queued: Vec<i64> =
            self.live.iter().filter(|run| run.row.state == State::Queued).map(|run| run.row.id.0).collect();
        queued.sort_unstable();
        let others = self.first(State::Running).is_some() || self.first(State::Retrying).is_some();
        if !queued.is_empty() && (queued.len() > 1 || others || self.held_up()) {
            let shown = queued.iter().take(5).map(i64::to_string).collect::<Vec<_>>().join(", ");
            let more = if queued.len() > 5 { ", …" } else { "" };
            page.says("waiting", format!("{}: {shown}{more}", count(queued.len() as u64, "run")));
        }
        if let Some(run) = self.first(State::Running)
            && let Some(node) = run.row.node.as_deref().and_then(|node| self.opened.client.node(node).ok().flatten())
            && node.liveness == Liveness::Unknown
        {
            let (id, name, pid) = (run.row.id, &node.row.name, node.row.pid);
            let why = "whose lock file is not here, which proves nothing";
            page.says("held", format!("run {id} is of {name} (pid {pid}), {why}   jobstile doctor"));
        }
    }

    // Does the answer name no run, although some may wait?
    fn held_up(&self) -> bool {
        let cannot = unable(self.opened, &self.job.name).ok().flatten().is_some();
        self.job.paused(self.times.now()).is_some() || self.opened.alive.is_empty() || cannot
    }

    // Whether the run in the way may have missed what the last tick would have seen.
    fn lost(&self, page: &mut Page) -> Result<(), Error> {
        let Some(run) = self.first(State::Running).filter(|_| self.full()) else { return Ok(()) };
        let away = self.opened.client.refusals_by(run.row.id)?;
        let Some(began) = run.row.claimed_at.filter(|_| away.count > 0) else { return Ok(()) };
        let (id, began) = (run.row.id, self.times.at(began));
        let said = format!("run {id} began at {began} and may not see what changed since; the next run will");
        page.says("lost?", said);
        Ok(())
    }

    // What became of ticks that nobody was there to fire.
    fn catch_up(&self, page: &mut Page) {
        let runs = self.live.iter().chain(self.last.as_ref());
        if let Some(said) = runs.filter_map(|run| events::catch_up(run, &self.times)).next() {
            page.says("catch-up", said);
        }
    }

    fn rule(&self, page: &mut Page) {
        let rules = self.policy.rules(self.switches);
        if !self.switches.deduplication {
            let slots = "deduplication is off: nothing is skipped, only slots bound what runs";
            let check = if rules.final_check { "; one that is about to start beside another is refused" } else { "" };
            return page.says("rule", format!("{slots}{check}"));
        }
        if rules.aggressive {
            let from = crate::cmd::ls::origin(&self.job.origins, "monitoring");
            let said = "at most one live run, retries included: monitoring job";
            return page.says("rule", format!("{said} ({from}), aggressive deduplication on"));
        }
        let waiting = self.policy.max_waiting;
        let same = rules.dedup.as_ref().map_or(String::new(), |dedup| {
            let of = match &dedup.key {
                KeyRule::Fields(fields) if fields.is_empty() => String::new(),
                KeyRule::Fields(fields) => format!(" per {}", fields.join(", ")),
                KeyRule::AllArguments => " per arguments".to_owned(),
            };
            let which = if dedup.until == Until::Start { "waiting" } else { "live" };
            format!("one {which} run{of}; ")
        });
        let places = match (self.policy.max_concurrent, waiting) {
            (Concurrency::Limited(n), 0) => format!("at most {n} at a time, the rest is skipped"),
            (Concurrency::Limited(n), _) => format!("at most {n} at a time, {} may wait", number(waiting.into())),
            (Concurrency::Unlimited, _) => format!("any number at a time, {} may wait", number(waiting.into())),
        };
        page.says("rule", format!("{same}{places}"));
    }

    fn numbers(&self) -> Result<(Numbers, Time), Error> {
        let since = hour_of(self.times.now()) - PATTERN_HOURS;
        let hours = self.opened.client.numbers_by_hour(self.job.id, since)?;
        let first = hours.first().map_or(since, |(hour, _)| *hour);
        let mut all = Numbers::default();
        hours.iter().for_each(|(_, numbers)| all.merge(numbers));
        Ok((all, Time(first * HOUR)))
    }

    fn load(&self, numbers: &Numbers) -> Option<f64> {
        let (mean, schedule) = numbers.run.mean().zip(self.policy.schedule)?;
        let slots = match (self.policy.rules(self.switches).aggressive, self.policy.max_concurrent) {
            (true, _) => 1.0,
            (false, Concurrency::Limited(n)) => f64::from(n),
            (false, Concurrency::Unlimited) => return None,
        };
        Some(mean.as_secs_f64() / schedule.every.as_secs_f64() / slots)
    }

    fn pattern(&self, page: &mut Page) -> Result<(), Error> {
        let (numbers, since) = self.numbers()?;
        let Some((mean, schedule)) = numbers.run.mean().zip(self.policy.schedule) else { return Ok(()) };
        let ticks = numbers.count(|source, _| source == "schedule");
        let of_ticks = |is: fn(&str) -> bool| numbers.count(|source, code| source == "schedule" && is(code));
        let runs = of_ticks(|code| code == "within_limits");
        let skips =
            of_ticks(|code| code.starts_with("duplicate") || code == "concurrency_limit" || code == "paused");
        let load = self.load(&numbers).map_or(String::new(), |load| {
            let over = if load > 1.0 { ", over 1 cannot keep up" } else { "" };
            format!(": load {load:.2}{over}")
        });
        let missed = match numbers.count(|_, code| code == "missed") {
            0 => String::new(),
            n => format!(", {} missed", number(n)),
        };
        let asked = match numbers.count(|source, _| source != "schedule") {
            0 => String::new(),
            n => format!(" · {}", count(n, "trigger")),
        };
        let counts =
            format!("{}, {}, {}{missed}{asked}", count(ticks, "tick"), count(runs, "run"), count(skips, "skip"));
        let (since, every) = (self.times.at(since), short(schedule.every));
        let said = format!("since {since}: {counts}. Takes {}, fires every {every}{load}", spoken(mean));
        page.says("pattern", said);
        Ok(())
    }

    fn advice(&self, page: &mut Page) -> Result<(), Error> {
        let (numbers, _) = self.numbers()?;
        if let Some(run) = self.first(State::Retrying) {
            if let Some(schedule) = self.policy.schedule
                && (run.row.due.since(self.times.now()) > schedule.every || self.policy.backoff.delay > schedule.every)
            {
                let delay = spoken(self.policy.backoff.delay);
                page.says("note", format!("its retry delay ({delay}) is longer than its interval ({}): without retries the next tick would already have run it", spoken(schedule.every)));
                page.says("to change", "attempts = 1");
            }
            let (id, next) = (run.row.id, run.row.failures + 1);
            page.says("now", format!("jobstile retry {id}   (starts attempt {next} at once)"));
            page.says("output", format!("jobstile logs {}", run.row.id));
            return Ok(());
        }
        if let (Some(load), Some(schedule), Some(mean)) = (self.load(&numbers), self.policy.schedule, numbers.run.mean())
            && load > 1.0
        {
            let times = (mean.as_secs_f64() / schedule.every.as_secs_f64()).ceil();
            let every = Duration::from_secs_f64(schedule.every.as_secs_f64() * times);
            page.says("to change", format!("every = \"{}\"   the same number of runs, no skips", short(every)));
        }
        if self.job.paused(self.times.now()).is_some() {
            page.says("to change", format!("jobstile resume {}", self.job.name));
        } else if self.opened.alive.is_empty() {
            page.says("to change", "jobstile serve");
        } else if let Some(dead) = self.last.as_ref().filter(|run| run.row.state == State::Dead && self.live.is_empty()) {
            page.says("output", format!("jobstile logs {}", dead.row.id));
            page.says("again", format!("jobstile retry {}", dead.row.id));
        }
        Ok(())
    }
}
