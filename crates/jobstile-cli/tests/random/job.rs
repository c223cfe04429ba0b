//! Random jobs, and changes to them.

use toml::{Table, Value};

use super::{Rng, priority, span, words};

/// A job of one of the kinds that the rules tell apart.
pub(crate) fn job(rng: &mut Rng, step: usize, others: &Table) -> (String, Table) {
    let mut job = Table::new();
    let mut name = rng.pick(&["a", "b-c", "d"]).to_owned();
    match rng.range(1, 100) {
        1..=22 => {
            schedule(rng, &mut job, step);
            if rng.chance(50) {
                limits(rng, &mut job);
            }
        }
        23..=52 => {
            job.insert("dedup".to_owned(), dedup(rng));
            if rng.chance(30) {
                schedule(rng, &mut job, step);
                job.insert("args".to_owned(), args());
            }
            if rng.chance(70) {
                limits(rng, &mut job);
            }
        }
        53..=72 => {
            if rng.chance(50) {
                name = "chain_state_monitor".to_owned();
            } else {
                job.insert("monitoring".to_owned(), Value::Boolean(true));
            }
            if rng.chance(60) {
                schedule(rng, &mut job, step);
            }
            if rng.chance(40) {
                job.insert("max_concurrent".to_owned(), Value::Integer(rng.range(1, 3) as i64));
            }
        }
        73..=84 => {
            job.insert("overlap".to_owned(), overlap(rng));
            if rng.chance(40) {
                schedule(rng, &mut job, step);
            }
        }
        85..=92 => {
            job.insert("max_waiting".to_owned(), Value::Integer(rng.range(1, 3) as i64));
        }
        _ => limits(rng, &mut job),
    }
    if rng.chance(50) {
        job.insert("attempts".to_owned(), Value::Integer(rng.range(2, 4) as i64));
        if rng.chance(85) {
            job.insert("backoff".to_owned(), backoff(rng, step));
        }
    }
    if rng.chance(30) {
        job.insert("timeout".to_owned(), span(step * rng.range(1, 8)));
    }
    if rng.chance(10) {
        job.insert("priority".to_owned(), Value::from(priority(rng)));
    }
    if rng.chance(10) {
        job.insert("on_full".to_owned(), Value::from(rng.pick(&["skip", "fail"])));
    }
    while others.contains_key(&name) {
        name.push('2');
    }
    (name, job)
}

/// How its attempts go.
pub(crate) fn takes(rng: &mut Rng, step: usize) -> Value {
    let mut list = Vec::new();
    for _ in 0..rng.range(1, 5) {
        let time = if rng.chance(6) { 0 } else { step * rng.pick(&[1, 1, 2, 3, 4, 6, 9]) };
        list.push(Value::from(match rng.range(1, 100) {
            1..=50 => words(time),
            51..=90 => format!("{} fail", words(time)),
            _ => "hang".to_owned(),
        }));
    }
    Value::Array(list)
}

/// New values for one or two keys of a job.
pub(crate) fn change(rng: &mut Rng, job: &Table, step: usize) -> Table {
    let mut new = Table::new();
    let has = |key: &str| job.contains_key(key);
    for _ in 0..rng.pick(&[1, 1, 2]) {
        match rng.range(1, 11) {
            1 | 2 if !has("overlap") => limits(rng, &mut new),
            3 | 4 if has("dedup") => {
                new.insert("dedup".to_owned(), dedup(rng));
            }
            3 if has("overlap") => {
                new.insert("overlap".to_owned(), overlap(rng));
            }
            3 => {
                new.insert("dedup".to_owned(), dedup(rng));
            }
            4 => {
                new.insert("monitoring".to_owned(), Value::Boolean(rng.chance(50)));
            }
            5 => {
                new.insert("attempts".to_owned(), Value::Integer(rng.range(1, 4) as i64));
            }
            6 => {
                new.insert("backoff".to_owned(), backoff(rng, step));
            }
            7 => {
                new.insert("timeout".to_owned(), span(step * rng.range(1, 8)));
            }
            8 => {
                new.insert("priority".to_owned(), Value::from(priority(rng)));
            }
            9 if has("every") => {
                new.insert("enabled".to_owned(), Value::Boolean(rng.chance(50)));
            }
            10 if !has("dedup") || has("args") => {
                new.insert("every".to_owned(), span(step * rng.range(2, 10)));
            }
            _ => {
                new.insert("on_full".to_owned(), Value::from(rng.pick(&["skip", "fail"])));
            }
        }
    }
    new
}

fn schedule(rng: &mut Rng, job: &mut Table, step: usize) {
    job.insert("every".to_owned(), span(step * rng.range(2, 10)));
    if rng.chance(30) {
        job.insert("first".to_owned(), Value::from("after_interval"));
    }
    if rng.chance(30) {
        job.insert("catch_up".to_owned(), Value::from(rng.pick(&["none", "latest"])));
    }
    if rng.chance(5) {
        job.insert("enabled".to_owned(), Value::Boolean(false));
    }
    if rng.chance(20) {
        job.insert("args".to_owned(), args());
    }
}

fn limits(rng: &mut Rng, job: &mut Table) {
    let unlimited = rng.chance(15);
    if unlimited {
        job.insert("max_concurrent".to_owned(), Value::from("unlimited"));
    } else if rng.chance(75) {
        job.insert("max_concurrent".to_owned(), Value::Integer(rng.pick(&[1, 1, 1, 2, 3])));
    }
    if rng.chance(60) {
        let low = usize::from(unlimited);
        job.insert("max_waiting".to_owned(), Value::Integer(rng.range(low, 3) as i64));
    }
}

fn dedup(rng: &mut Rng) -> Value {
    let mut table = Table::new();
    match rng.range(1, 100) {
        1..=30 => {}
        31..=60 => {
            table.insert("key".to_owned(), Value::Array(Vec::new()));
        }
        _ => {
            table.insert("key".to_owned(), Value::Array(vec![Value::from("w")]));
        }
    }
    if rng.chance(65) {
        table.insert("until".to_owned(), Value::from(rng.pick(&["start", "start", "finish"])));
    }
    if rng.chance(20) {
        table.insert("on_duplicate".to_owned(), Value::from(rng.pick(&["skip", "fail", "fail"])));
    }
    Value::Table(table)
}

fn overlap(rng: &mut Rng) -> Value {
    Value::from(rng.pick(&["skip", "queue-one", "queue-one", "queue", "allow"]))
}

fn backoff(rng: &mut Rng, step: usize) -> Value {
    let mut table = Table::new();
    table.insert("delay".to_owned(), span(step * rng.range(1, 6)));
    if rng.chance(50) {
        table.insert("factor".to_owned(), Value::Integer(rng.range(1, 3) as i64));
    }
    if rng.chance(30) {
        table.insert("max".to_owned(), span(step * rng.range(6, 10)));
    }
    Value::Table(table)
}

fn args() -> Value {
    let mut table = Table::new();
    table.insert("w".to_owned(), Value::Integer(1));
    Value::Table(table)
}
