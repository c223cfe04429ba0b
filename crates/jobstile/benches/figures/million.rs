//! The same rates with a million runs waiting: cost per operation does not depend on the backlog.

use std::sync::Arc;

use jobstile::engine::Nobody;

use crate::figure::{Aim, Report, Watch};
use crate::place::Place;
use crate::triggers::{BULK, Keys, admit, apply, bulk_rate, engine, on_backlog, policy};
use crate::{Effort, runs, runtime};

const WAITING: u64 = 1_000_000;

pub(crate) fn measure(report: &mut Report, effort: Effort) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        for (keys, bulk) in [(Keys::InOrder, Aim::AtLeast(150_000.0)), (Keys::Random, Aim::AtLeast(60_000.0))] {
            let place = Place::new()?;
            let engine = engine(&place, Arc::new(Nobody)).await?;
            apply(&engine, policy()).await?;
            let watch = Watch::start();
            for from in (0..WAITING).step_by(BULK as usize) {
                admit(&engine, from, BULK, keys).await?;
            }
            report.rate(format!("{}: a million admitted", keys.word()), vec![watch.stop(WAITING)], Aim::None);
            let mut next = WAITING;
            let rates = bulk_rate(effort, &engine, &mut next, keys).await?;
            report.rate(format!("{}: bulk of {BULK}", keys.word()), rates, bulk);
            drop(engine);
            let aims = [(16, Aim::AtLeast(25_000.0)), (256, Aim::AtLeast(80_000.0))];
            on_backlog(report, effort, &place, next, keys, aims).await?;
            let rate = runs::drain_backlog(&place, effort.runs as u64).await?;
            report.rate(format!("{}: runs drained", keys.word()), vec![rate], Aim::AtLeast(50_000.0));
        }
        anyhow::Ok(())
    })
}
