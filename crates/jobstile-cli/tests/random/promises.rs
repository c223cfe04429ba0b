//! What facts must keep to whatever the rules say: read from the facts alone.

use std::collections::BTreeMap;

use serde_json::Value;

const LIVE: [&str; 4] = ["scheduled", "queued", "running", "retrying"];

/// What may follow what; the empty state is before admission.
fn may_follow(before: &str, after: &str) -> bool {
    let next: &[&str] = match before {
        "" => &["scheduled", "queued"],
        "scheduled" => &["queued", "refused", "cancelled"],
        "queued" => &["running", "refused", "cancelled"],
        "running" => &["queued", "retrying", "succeeded", "dead", "cancelled"],
        "retrying" => &["queued", "cancelled"],
        _ => &[],
    };
    next.contains(&after)
}

fn same_but_at(a: &Value, b: &Value) -> bool {
    let (mut a, mut b) = (a.clone(), b.clone());
    (a["at"], b["at"]) = (Value::Null, Value::Null);
    a == b
}

/// The first fact that breaks a promise.
pub(crate) fn broken(facts: &[Value]) -> Option<String> {
    let mut states: BTreeMap<u64, String> = BTreeMap::new();
    let mut attempts: BTreeMap<u64, u64> = BTreeMap::new();
    let mut ids: Vec<u64> = Vec::new();
    let mut at = 0.0;
    for (i, fact) in facts.iter().enumerate() {
        let word = |key: &str| fact[key].as_str().unwrap_or("");
        let state = |run: Option<u64>| states.get(&run.unwrap_or(0)).map_or("", String::as_str);
        let (run, by) = (fact["run"].as_u64(), fact["by"].as_u64());
        let complain = |what: &str| Some(format!("{what}: {fact}\n"));
        match fact["at"].as_f64() {
            Some(time) if time >= at => at = time,
            _ => return complain("time goes back"),
        }
        let named = state(by);
        let by_is_right = match word("code") {
            "duplicate_waiting" => ["queued", "retrying", "scheduled"].contains(&named),
            "duplicate_running" | "concurrent_execution_detected" => named == "running",
            "concurrency_limit" => ["queued", "retrying", "running"].contains(&named),
            "queue_full" => by.is_none() || ["queued", "retrying", "running"].contains(&named),
            "superseded" => named == "succeeded" || LIVE[1..].contains(&named),
            _ => by.is_none(),
        };
        // The answer to a repeated trigger id speaks of another time.
        let repeated = || word("source") == "script" && facts[..i].iter().any(|first| same_but_at(first, fact));
        if !by_is_right && !repeated() {
            return complain("names a run that is not in the way");
        }
        if by.is_some() && by == run {
            return complain("names itself");
        }
        if word("what") == "decision" {
            let Some(run) = run else { continue };
            if ids.contains(&run) && repeated() {
                continue;
            }
            if run != ids.len() as u64 + 1 {
                return complain("runs are numbered in the order of admission");
            }
            ids.push(run);
        } else if word("what") == "state" {
            let Some(run) = run.filter(|run| ids.contains(run)) else {
                return complain("a run that nobody admitted");
            };
            if !may_follow(state(Some(run)), word("state")) {
                return complain(&format!("after {:?}", state(Some(run))));
            }
            if word("state") == "running" {
                let attempt = attempts.entry(run).or_default();
                *attempt += 1;
                if fact["attempt"].as_u64() != Some(*attempt) {
                    return complain("attempts are counted one by one");
                }
            }
            states.insert(run, word("state").to_owned());
        }
    }
    None
}
