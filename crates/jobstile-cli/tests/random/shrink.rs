//! The smallest scenario that still shows what a large one showed.

use toml::{Table, Value};

/// Leaves out events, jobs and keys, one at a time, while `still` holds.
pub(crate) fn shrink(file: &Table, still: impl Fn(&Table) -> bool) -> Table {
    let mut small = file.clone();
    let mut changed = true;
    while changed {
        changed = false;
        for candidate in candidates(&small) {
            if still(&candidate) {
                small = candidate;
                changed = true;
                break;
            }
        }
    }
    small
}

/// Everything that is one step smaller, the largest steps first.
fn candidates(file: &Table) -> Vec<Table> {
    let mut all = Vec::new();
    let events = list(file, "event");
    for half in [events / 2, events / 4] {
        if half > 1 {
            for start in (0..events).step_by(half) {
                all.push(changed(file, |script| remove(script, "event", start, half)));
            }
        }
    }
    let jobs: Vec<String> = file["jobs"].as_table().expect("jobs").keys().cloned().collect();
    for job in &jobs {
        all.push(without_job(file, job));
    }
    for i in 0..events {
        all.push(changed(file, |script| remove(script, "event", i, 1)));
    }
    for key in ["workers", "env", "takes", "dies"] {
        all.push(changed(file, |script| drop(script.remove(key))));
    }
    let mut without = file.clone();
    without.remove("defaults");
    all.push(without);
    for key in keys(&file["scenario"], "env") {
        all.push(changed(file, |script| drop(inner(script, "env").remove(&key))));
    }
    for job in keys(&file["scenario"], "takes") {
        let takes = file["scenario"]["takes"][&job].as_array().map_or(0, Vec::len);
        for i in 0..takes {
            if takes > 1 {
                all.push(changed(file, |script| remove(inner(script, "takes"), &job, i, 1)));
            }
        }
    }
    for job in &jobs {
        for key in file["jobs"][job].as_table().expect("a job").keys() {
            let mut without = file.clone();
            if let Some(jobs) = without["jobs"].as_table_mut() {
                inner(jobs, job).remove(key);
            }
            all.push(without);
        }
    }
    for i in 0..events {
        for key in ["args", "priority", "in", "id"] {
            all.push(changed(file, |script| {
                if let Some(event) = script["event"][i].as_table_mut() {
                    event.remove(key);
                }
            }));
        }
    }
    all.retain(|candidate| candidate != file);
    all
}

fn list(file: &Table, key: &str) -> usize {
    file["scenario"].get(key).and_then(Value::as_array).map_or(0, Vec::len)
}

fn keys(table: &Value, key: &str) -> Vec<String> {
    table.get(key).and_then(Value::as_table).map_or(Vec::new(), |t| t.keys().cloned().collect())
}

fn changed(file: &Table, change: impl FnOnce(&mut Table)) -> Table {
    let mut file = file.clone();
    change(inner(&mut file, "scenario"));
    file
}

fn inner<'a>(table: &'a mut Table, key: &str) -> &'a mut Table {
    table.get_mut(key).and_then(Value::as_table_mut).expect("a table")
}

fn remove(table: &mut Table, key: &str, from: usize, count: usize) {
    if let Some(list) = table.get_mut(key).and_then(Value::as_array_mut) {
        let end = list.len().min(from + count);
        list.drain(from.min(end)..end);
    }
}

/// Without a job and the events that name it.
fn without_job(file: &Table, job: &str) -> Table {
    let mut file = changed(file, |script| {
        for key in ["takes", "dies"] {
            if let Some(table) = script.get_mut(key).and_then(Value::as_table_mut) {
                table.remove(job);
            }
        }
        if let Some(events) = script.get_mut("event").and_then(Value::as_array_mut) {
            events.retain(|e| {
                let named =
                    ["trigger", "pause", "resume"].iter().any(|k| e.get(k).and_then(Value::as_str) == Some(job));
                let changed = e.get("jobs").is_some_and(|jobs| jobs.get(job).is_some());
                !named && !changed
            });
        }
    });
    inner(&mut file, "jobs").remove(job);
    file
}
