//! Under `until = "start"` a run that would have to start again gives way to a newer one of its key.

use jobstile_core::decide::Code;
use jobstile_core::id::RunId;
use jobstile_core::identity::gives_way;
use jobstile_core::policy::Until;
use jobstile_core::run::State;

use super::cancel::end;
use super::view::View;
use crate::error::Result;
use crate::store::RunRow;

/// The newest run that does the work of this one, which would have to start again.
pub(super) fn superseding(view: &mut View<'_>, run: &RunRow) -> Result<Option<RunId>> {
    if !run.in_line || !is_superseding(view, run)? {
        return Ok(None);
    }
    let newer = view.tables().superseding(run.job, &run.key, run.first_due, run.id)?;
    let rules = &view.job(run.job)?.rules;
    Ok(newer.filter(|newer| gives_way(rules.dedup.as_ref(), &run.kin(), newer)).map(|newer| newer.run))
}

/// Ends a run that has a newer one of its key, if there is one.
pub(super) fn give_way(view: &mut View<'_>, run: &mut RunRow) -> Result<bool> {
    let Some(newer) = superseding(view, run)? else { return Ok(false) };
    run.code = Some(Code::Superseded);
    run.by_run = Some(newer);
    end(view, run).map(|()| true)
}

/// A run that was admitted now, or came due, takes the place of older ones of its key that would start again.
pub(super) fn older_give_way(view: &mut View<'_>, newer: &RunRow) -> Result<()> {
    if !newer.in_line || newer.state != State::Queued || !is_superseding(view, newer)? {
        return Ok(());
    }
    for id in view.tables().superseded(newer.job, &newer.key, newer.first_due, newer.id)? {
        let mut older = view.run(id)?;
        give_way(view, &mut older)?;
    }
    Ok(())
}

fn is_superseding(view: &mut View<'_>, run: &RunRow) -> Result<bool> {
    Ok(view.job(run.job)?.rules.dedup.as_ref().is_some_and(|dedup| dedup.until == Until::Start))
}
