//! Log lines against those of the model, which knows no thinning of identical skips.

use std::collections::BTreeMap;

use serde_json::Value;

/// Skips of the last ten seconds may not have been printed yet.
const THINNED: f64 = 10.0;

/// The facts without their log lines, and the log lines.
pub(crate) fn split(facts: Vec<Value>) -> (Vec<Value>, Vec<Value>) {
    facts.into_iter().partition(|fact| fact["what"] != "log")
}

fn line(fact: &Value) -> &str {
    fact["line"].as_str().unwrap_or("")
}

/// A skip, as its job and how often it is said to have been. Skips of one job, code and holder are
/// identical, whatever their line.
fn skip(fact: &Value) -> Option<(String, u64)> {
    let (text, repeated) = line(fact).split_once(" repeated=").unwrap_or((line(fact), "1"));
    let skips = text.contains("action=skipped") || text.contains("Deduplicating");
    let job = text.split_whitespace().find(|word| word.starts_with("job_type="))?;
    skips.then(|| (job.to_owned(), repeated.parse().unwrap_or(0)))
}

/// What the two logs say differently, or nothing.
pub(crate) fn difference(expected: &[Value], got: &[Value]) -> Option<String> {
    let until = expected.iter().chain(got).filter_map(|fact| fact["at"].as_f64()).fold(0.0, f64::max);
    let all = |log: &[Value]| log.iter().filter(|fact| skip(fact).is_none()).cloned().collect::<Vec<_>>();
    if all(expected) != all(got) {
        let (a, b) = (all(expected), all(got));
        let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
        return Some(format!("log\n  expected {:?}\n  got      {:?}\n", a.get(same), b.get(same)));
    }
    let count = |log: &[Value], to: f64| {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for fact in log.iter().filter(|fact| fact["at"].as_f64().is_some_and(|at| at <= to)) {
            if let Some((job, times)) = skip(fact) {
                *counts.entry(job).or_default() += times;
            }
        }
        counts
    };
    let (least, most, printed) = (count(expected, until - THINNED), count(expected, until), count(got, until));
    for job in most.keys().chain(printed.keys()) {
        let of = |counts: &BTreeMap<String, u64>| counts.get(job).copied().unwrap_or(0);
        if of(&printed) < of(&least) || of(&printed) > of(&most) {
            return Some(format!(
                "log\n  expected {} to {} times, got {}: skips of {job}\n",
                of(&least),
                of(&most),
                of(&printed)
            ));
        }
    }
    None
}
