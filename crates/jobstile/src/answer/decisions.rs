//! Decisions in lines: neighbours of one job that say the same are one.

use jobstile_core::decide::Decision;

use crate::store::read::DecisionInfo;

/// Decisions, newest first, with those that say the same as the line above them of the same job taken together: how
/// many there were, and when the first one was.
#[must_use]
pub fn together(decisions: &[DecisionInfo]) -> Vec<DecisionInfo> {
    let mut all: Vec<DecisionInfo> = vec![];
    for older in decisions {
        let newer = all.iter_mut().rfind(|line| line.job == older.job);
        match newer.filter(|newer| are_alike(newer, older)) {
            Some(newer) => {
                newer.count += older.count;
                newer.first_at = newer.first_at.min(older.first_at);
            }
            None => all.push(older.clone()),
        }
    }
    all
}

// A run that was admitted stands by itself.
fn are_alike(newer: &DecisionInfo, older: &DecisionInfo) -> bool {
    let says = |one: &DecisionInfo| (one.source, one.decision, one.code, one.by);
    newer.decision != Decision::Admitted && says(newer) == says(older) && newer.by_whom == older.by_whom
}
