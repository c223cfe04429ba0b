//! What needs somebody: a sentence each, and what to type, the worst first.

use std::collections::BTreeMap;

use jobstile::client::PauseInfo;

use super::state::{Job, State};
use crate::text::duration::{compact, short};
use crate::text::fit::{Form, Piece};
use crate::text::table::{Paint, width};
use crate::text::time::Times;
use crate::text::words::count;

/// Between a sentence and what to type.
const GAP: &str = "   ";
/// So much of a sentence says enough, in columns.
const SENTENCE: usize = 40;

/// One thing that needs somebody.
#[derive(Debug)]
pub(super) struct Worry {
    pub(super) says: String,
    pub(super) commands: Vec<String>,
    paint: Paint,
}

impl Worry {
    fn new(paint: Paint, says: String, commands: Vec<String>) -> Self {
        Self { says, commands, paint }
    }

    /// In one line, or in several where what to type would not stay whole.
    pub(super) fn lines(&self, form: Form) -> Vec<String> {
        let typed = self.commands.join(" · ");
        if form.fits(&format!("{}{GAP}{typed}", self.says)) {
            return vec![format!("{}{GAP}{typed}", form.line(&self.says, self.paint))];
        }
        if let Some(line) = self.with_first(form, width(&self.says)).filter(|_| form.height.is_some()) {
            return vec![line];
        }
        let mut lines = form.flow("", &[Piece::new(&self.says, self.paint)], "");
        let commands = if form.fits(&format!("  {typed}")) { vec![typed] } else { self.commands.clone() };
        lines.extend(commands.iter().map(|command| form.line(&format!("  {command}"), Paint::Plain)));
        lines
    }

    /// Where lines are few: the first thing to type, and as much of the sentence as there is room for.
    pub(super) fn few_lines(&self, form: Form) -> Vec<String> {
        self.with_first(form, SENTENCE).map_or_else(
            || {
                let first = self.commands.first().map_or("", String::as_str);
                vec![form.line(&self.says, self.paint), form.line(&format!("  {first}"), Paint::Plain)]
            },
            |line| vec![line],
        )
    }

    // In one line, if so much of the sentence has room there.
    fn with_first(&self, form: Form, sentence: usize) -> Option<String> {
        let first = self.commands.first()?;
        let room = form.width.unwrap_or(usize::MAX).saturating_sub(width(first) + GAP.len());
        let says = Form { width: Some(room), ..form }.line(&self.says, self.paint);
        (room >= sentence.min(width(&self.says))).then(|| format!("{says}{GAP}{first}"))
    }
}

pub(super) fn of(state: &State) -> Vec<Worry> {
    let times = Times::here(state.now);
    let mut all: Vec<Worry> = state.jobs.iter().filter_map(unable).collect();
    let late: Vec<&str> = state.late().map(|job| &*job.info.name).collect();
    if let Some(first) = late.first() {
        let who = if late.len() == 1 { (*first).to_owned() } else { count(late.len() as u64, "job") };
        let are = if late.len() == 1 { "is" } else { "are" };
        let says = format!("{who} {are} overdue: nobody could fire.");
        all.push(Worry::new(Paint::Bad, says, vec!["jobstile doctor".to_owned()]));
    }
    all.extend(state.jobs.iter().filter_map(|job| dead(job, &times)));
    all.extend(state.jobs.iter().filter(|job| job.stacking).map(stacking));
    all.extend(paused(state, &times));
    all.extend(state.jobs.iter().filter_map(slow));
    all
}

fn unable(job: &Job) -> Option<Worry> {
    let (name, reason) = (&job.info.name, job.unable.as_ref()?);
    let waiting = match job.info.tally.waiting() {
        0 => String::new(),
        n => format!("; {} waiting", count(n, "run")),
    };
    let says = format!("{name} cannot run: {reason}{waiting}.");
    Some(Worry::new(Paint::Bad, says, vec![format!("jobstile explain {name}")]))
}

fn dead(job: &Job, times: &Times) -> Option<Worry> {
    let name = &job.info.name;
    let last = job.unrecovered().map(|dead| &dead.run.row).max_by_key(|row| row.ended_at)?;
    let (id, at) = (last.id, times.at(last.ended_at.unwrap_or(last.due)));
    let logs = format!("jobstile logs {id}");
    let (says, again) = match job.unrecovered().count() {
        1 => (format!("{name} has a dead run since {at}."), format!("jobstile retry {id}")),
        n => {
            let runs = count(n as u64, "dead run");
            (format!("{name} has {runs}, the last since {at}."), format!("jobstile retry --job {name} --dead"))
        }
    };
    Some(Worry::new(Paint::Bad, says, vec![logs, again]))
}

fn stacking(job: &Job) -> Worry {
    let name = &job.info.name;
    let says = format!("{name} is STACKING: {} waiting.", count(job.info.tally.waiting(), "run"));
    Worry::new(Paint::Bad, says, vec![format!("jobstile explain {name}")])
}

type Held<'a> = (&'a Job, &'a PauseInfo);

// Jobs that are paused alike are one line.
fn paused(state: &State, times: &Times) -> Vec<Worry> {
    let mut alike: BTreeMap<_, Vec<Held<'_>>> = BTreeMap::new();
    for job in &state.jobs {
        if let Some(pause) = job.info.paused(state.now) {
            alike.entry((&pause.by, pause.until, &pause.why)).or_default().push((job, pause));
        }
    }
    let all = state.jobs.iter().filter(|job| job.info.policy.is_some()).count();
    alike.into_values().filter_map(|held| paused_alike(&held, all, times)).collect()
}

fn paused_alike(held: &[Held<'_>], all: usize, times: &Times) -> Option<Worry> {
    let (_, pause) = held.first()?;
    let waiting = held.iter().map(|(job, _)| job.info.tally.waiting()).sum();
    let since = held.iter().map(|(_, pause)| pause.at).min()?;
    let (by, until, why) = (&pause.by, pause.until, &pause.why);
    let until = until.map_or(String::new(), |until| format!(" until {}", times.at(until)));
    let why = why.as_ref().map_or(String::new(), |why| format!(": {why}"));
    let waiting = if waiting > 0 { format!(", {} waiting", count(waiting, "run")) } else { String::new() };
    let names: Vec<&str> = held.iter().map(|(job, _)| &*job.info.name).collect();
    let (who, command) = match names.as_slice() {
        [one] => (format!("{one} is"), format!("jobstile resume {one}")),
        many if many.len() == all => (format!("all {} are", count(all as u64, "job")), "jobstile resume --all".to_owned()),
        many => (format!("{} are", many.join(", ")), "jobstile ls".to_owned()),
    };
    let says = format!("{who} paused{until} by {by}{why}; since {}{waiting}.", times.at(since));
    Some(Worry::new(Paint::Attention, says, vec![command]))
}

fn slow(job: &Job) -> Option<Worry> {
    let (name, mean, every) = (&job.info.name, job.all.run.mean()?, job.every()?);
    let says = format!("{name} cannot keep up: takes {}, fires every {}.", compact(mean), short(every));
    job.cannot_keep_up().then(|| Worry::new(Paint::Attention, says, vec![format!("jobstile explain {name}")]))
}
