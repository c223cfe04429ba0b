//! Nothing of a paused job is claimed until somebody resumes it, or its time is over.

use super::Paused;
use super::view::View;
use crate::error::{Error, Kind, Result};
use crate::store::JobRow;

/// Pauses a job, or resumes it; `None` means every job.
pub(super) fn pause(view: &mut View<'_>, name: Option<&str>, pause: Option<&Paused>) -> Result<Vec<String>> {
    let rows: Vec<JobRow> = match name {
        None => view.tables().jobs()?.into_iter().filter(|row| row.policy.is_some()).collect(),
        Some(name) => {
            let row = view.tables().job_by_name(name)?.filter(|row| row.policy.is_some());
            vec![row.ok_or_else(|| Error::new(Kind::NotFound, format!("there is no job {name}")))?]
        }
    };
    let now = view.now;
    let mut touched = Vec::new();
    for row in rows.into_iter().filter(|row| pause.is_some() || row.paused_at.is_some()) {
        view.tables().set_pause(row.id, pause, now)?;
        // A pause that has run out ended by itself.
        if pause.is_some() || row.paused_until.is_none_or(|until| now < until) {
            touched.push(row.name.to_string());
        }
    }
    view.reread()?;
    view.note_ready();
    view.note_timed();
    Ok(touched)
}
