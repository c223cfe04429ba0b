//! What is answered in such a store: the next tick becomes what was said of it, and all answers agree, with each other
//! and with the rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jobstile::answer::{Asker, Counts, Explained, ExplainedRun, Job, KeyAnswer, Overview};
use jobstile::args::Args;
use jobstile::client::{Liveness, NodeInfo};
use jobstile::fact::Fact;
use jobstile::op::{Answer, Due, Op, Runnable, Ticks, Trigger, Weight};
use jobstile::runner::lock::Tree;
use jobstile::store::sqlite::{OpenAs, Reader, Store};
use jobstile_core::id::{Fence, RunId};
use jobstile_core::run::State;
use jobstile_core::trigger::{Source, When};
use proptest::prelude::*;

use crate::{JOBS, JobSteps, Step, World, job_steps, step};

/// A store in a file, for those who ask beside those who work.
struct Asked {
    world: World,
    reader: Reader,
    _folder: tempfile::TempDir,
}

// Nothing is left of any attempt: no process ever ran.
fn over(attempts: &[(RunId, Fence)]) -> Vec<Tree> {
    attempts.iter().map(|_| Tree::Over).collect()
}

fn alive(node: &mut NodeInfo) {
    if node.liveness != Liveness::Ended {
        node.liveness = Liveness::Alive;
    }
}

impl Asked {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let file = folder.path().join("s.db");
        let world = World::of(vec![Store::open(&file, OpenAs::Owner).unwrap()], vec![0]);
        Self { world, reader: Reader::open(&file).unwrap(), _folder: folder }
    }

    fn asker(&self) -> Asker<'_, Reader> {
        Asker { store: &self.reader, now: self.world.now, presence: &alive, trees: &over }
    }

    fn explain(&self, job: &str) -> Explained {
        Explained::ask(&self.asker(), job).unwrap().unwrap()
    }

    fn overview(&self) -> Overview {
        Overview::ask(&self.asker(), None).unwrap()
    }

    fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        self.world.stores[0].rows(sql).unwrap()
    }

    fn number(&self, sql: &str) -> u64 {
        self.rows(sql)[0][0].parse().unwrap()
    }

    /// Waits for the job's next tick, asks what it would become, and lets it fire.
    fn foretell(&mut self, job: &str) -> Result<(), TestCaseError> {
        let Some(next) = self.explain(job).next_tick else {
            let fires = self.number(&format!("select count(*) from job where name = '{job}' and next_at is not null"));
            prop_assert_eq!(fires, 0, "{} fires, and nothing is said of it", job);
            return Ok(());
        };
        self.world.now = next.at.max(self.world.now);
        self.world.op(Op::Due(Due { max: 1_000 })).unwrap();
        let explained = self.explain(job);
        let said = explained.next_tick.unwrap();
        let overdue = self.overview().job(job).unwrap().overdue(self.world.now);
        let jobs: Runnable = [(job.to_owned(), Weight::Light)].into();
        self.world.op(Op::Ticks(Ticks { jobs: Some(Arc::new(jobs)), by: "n1".into() })).unwrap();
        let ticks: Vec<_> = (self.world.facts.iter())
            .filter_map(|fact| match fact {
                Fact::Decided(decided) if decided.source == Source::Schedule => Some(decided.clone()),
                Fact::Decided(_) | Fact::Came(_) => None,
            })
            .collect();
        let Some(tick) = ticks.last().filter(|tick| tick.count.is_none()) else { return Ok(()) };
        prop_assert_eq!(
            (said.at, said.decision, said.code, said.by),
            (self.world.now, tick.decision, tick.code, tick.by),
            "the tick of {}",
            job
        );
        if explained.job.info.paused(self.world.now).is_none() {
            let looked_at: u64 = ticks.iter().map(|tick| tick.count.unwrap_or(1)).sum();
            prop_assert_eq!(overdue, looked_at, "instants of {} that had come", job);
        }
        Ok(())
    }

    /// The same of a tick of this moment.
    fn foretell_now(&mut self, job: &str) -> Result<(), TestCaseError> {
        let explained = self.explain(job);
        let Some(said) = explained.next_tick else { return Ok(()) };
        let args = explained.job.info.policy.as_ref().and_then(|policy| policy.args.clone());
        let tick = Trigger {
            job: job.into(),
            args: args.map_or_else(|| Ok(Args::none()), |args| Args::parse(args.as_bytes())),
            priority: None,
            when: When::Now,
            id: None,
            source: Source::Schedule,
            by: "n1".into(),
        };
        let Ok(Answer::Decided(tick)) = self.world.op(Op::Trigger(tick)) else { return Ok(()) };
        let told = (said.decision, said.code, said.by);
        prop_assert_eq!(told, (tick.decision, tick.code, tick.by), "a tick of {} now", job);
        Ok(())
    }

    /// All answers agree, with each other and with the rows.
    fn agree(&self) -> Result<(), TestCaseError> {
        let all = self.overview();
        let runs = self.runs();
        let count = |state: State| runs.values().filter(|run| run.state == state).count() as u64;
        prop_assert_eq!(all.active() + all.orphans(), count(State::Running));
        prop_assert_eq!((all.queued(), all.retrying()), (count(State::Queued), count(State::Retrying)));
        prop_assert_eq!(all.dead() as u64, self.number(include_str!("dead_without_a_success.sql")));
        prop_assert_eq!(all.counts(), all.jobs.iter().map(|job| job.counts).sum::<Counts>());
        prop_assert_eq!(all.jobs.len() as u64, self.number("select count(*) from job"));
        for job in &all.jobs {
            let name = &*job.info.name;
            let explained = self.explain(name);
            prop_assert_eq!(&explained.job, job, "explain beside monitor");
            prop_assert_eq!(&explained.pattern.counts, &job.counts);
            self.counted(name, &job.counts)?;
            let of = |state: State| runs.values().filter(|run| *run.job == *name && run.state == state).count() as u64;
            let tally = job.info.tally;
            prop_assert_eq!(
                (tally.scheduled, tally.queued, tally.running, tally.retrying),
                (of(State::Scheduled), of(State::Queued), of(State::Running), of(State::Retrying))
            );
            let listed = job.running.iter().map(|running| &running.run);
            let listed = listed.chain(&job.upcoming).chain(&explained.waiting).chain(&job.last);
            for told in listed.chain(job.dead.iter().map(|dead| &dead.run)) {
                prop_assert_eq!(&self.run(told.row.id).run, told, "explain of the run beside that of its job");
            }
            let live = runs.iter().filter(|(_, run)| *run.job == *name && !run.state.is_terminal());
            for (id, _) in live {
                let one = self.run(RunId(*id));
                prop_assert_eq!(&one.waits, &all.waits(&one.run));
                self.key(job, &one)?;
            }
            self.away(job)?;
        }
        for (id, run) in &runs {
            let one = self.run(RunId(*id)).run;
            let code = one.row.code.map_or("null", |code| code.as_str());
            prop_assert_eq!((&*one.job, one.row.state, code), (&*run.job, run.state, &*run.code), "run {}", id);
        }
        Ok(())
    }

    fn run(&self, id: RunId) -> ExplainedRun {
        ExplainedRun::ask(&self.asker(), id).unwrap().unwrap()
    }

    fn runs(&self) -> BTreeMap<i64, Row> {
        let rows = self.rows("select run.id, name, state, code from run join job on job.id = run.job");
        let row = |row: Vec<String>| {
            let [id, job, state, code] = row.try_into().unwrap();
            (id.parse().unwrap(), Row { job, state: state.parse().unwrap(), code })
        };
        rows.into_iter().map(row).collect()
    }

    // As many ticks, runs and skips as there are rows of them. Nothing was pruned.
    fn counted(&self, job: &str, counts: &Counts) -> Result<(), TestCaseError> {
        for (became, of) in [(counts.ticks, "="), (counts.triggers, "<>")] {
            let count = |decision: &str| {
                self.number(&format!(
                    "select coalesce(sum(count), 0) from decision join job on job.id = decision.job
                     where name = '{job}' and source {of} 'schedule' and decision in ({decision})"
                ))
            };
            prop_assert_eq!(became.all, count("select decision from decision"), "triggers of {} {}", job, of);
            prop_assert_eq!(became.runs, count("'admitted'"), "runs of {} {}", job, of);
            prop_assert_eq!(became.skips, count("'skipped'"), "skips of {} {}", job, of);
            prop_assert_eq!(became.rejected, count("'rejected'"), "rejections of {} {}", job, of);
            prop_assert_eq!(became.missed, count("'missed'"), "missed of {} {}", job, of);
        }
        let refused = self.runs().values().filter(|run| *run.job == *job && run.state == State::Refused).count() as u64;
        prop_assert_eq!(counts.refused, refused);
        Ok(())
    }

    // Who holds its key: the run that turns duplicates away, or the first of those that wait behind each other.
    fn key(&self, job: &Job, one: &ExplainedRun) -> Result<(), TestCaseError> {
        let key = &one.run.row.key;
        let answer = KeyAnswer::ask(&self.asker(), &job.info, key).unwrap();
        let of_key = format!("from run where job = {} and key = '{}'", job.info.id.0, key.as_str());
        let target = self.rows(&format!("select id {of_key} and target = 1"));
        let first = self
            .rows(&format!("select id {of_key} and lineage = 1 and ended_at is null order by first_due, id limit 1"));
        let expected = target.first().or(first.first()).map(|row| RunId(row[0].parse().unwrap()));
        prop_assert_eq!(answer.holder.as_ref().map(|holder| holder.run.run.row.id), expected, "key {:?}", key);
        if let Some(holder) = answer.holder {
            prop_assert_eq!(&holder.run, &self.run(holder.run.run.row.id));
            prop_assert_eq!(holder.usual, job.numbers.run.mean());
        }
        Ok(())
    }

    // What each run that runs turned away, however one asks.
    fn away(&self, job: &Job) -> Result<(), TestCaseError> {
        for running in &job.running {
            let id = running.run.row.id;
            let rows = self.number(&format!("select coalesce(sum(count), 0) from refusal where by_run = {}", id.0));
            prop_assert_eq!(running.turned_away.count, rows);
            prop_assert_eq!(self.run(id).turned_away, running.turned_away);
        }
        Ok(())
    }
}

/// A run as its row has it.
struct Row {
    job: String,
    state: State,
    code: String,
}

/// A policy for each job, with a schedule that is on.
fn scheduled() -> impl Strategy<Value = Vec<(bool, JobSteps)>> {
    let on = |steps: JobSteps| JobSteps { every: Some(steps.every.unwrap_or(30)), enabled: true, ..steps };
    prop::collection::vec(job_steps().prop_map(move |steps| (true, on(steps))), JOBS.len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_next_tick_becomes_what_was_said_of_it(
        jobs in scheduled(),
        steps in prop::collection::vec((step(), prop::option::weighted(0.6, (0..3usize, any::<bool>()))), 1..40),
    ) {
        let mut asked = Asked::new();
        asked.world.apply(&jobs, (true, true, true));
        for (step, job) in &steps {
            asked.world.take(step);
            match job {
                Some((job, true)) => asked.foretell_now(JOBS[*job])?,
                Some((job, false)) => asked.foretell(JOBS[*job])?,
                None => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn all_answers_agree_with_each_other_and_with_the_rows(
        jobs in scheduled(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut asked = Asked::new();
        asked.world.apply(&jobs, (true, true, true));
        // The numbers of an hour outlive its rows.
        for step in steps.iter().filter(|step| !matches!(step, Step::Prune)) {
            asked.world.take(step);
            asked.agree()?;
        }
    }
}
