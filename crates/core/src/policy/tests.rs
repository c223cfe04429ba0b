use super::keys::Value;
use super::*;

/// Reads `key = value` pairs as the table of keys takes them.
fn written(pairs: &str) -> Written {
    let mut written = Written::default();
    for pair in pairs.split(',').map(str::trim).filter(|pair| !pair.is_empty() && *pair != "-") {
        let (path, text) = pair.split_once('=').unwrap_or_else(|| panic!("{pair}"));
        let key = keys::KEYS.iter().find(|key| key.path == path).unwrap_or_else(|| panic!("no key {path}"));
        let number = text.parse::<i64>();
        let value = match key.takes {
            keys::Takes::Flag => Value::Flag(text == "true"),
            keys::Takes::Whole { .. } => number.map_or(Value::Word(text.into()), Value::Whole),
            keys::Takes::Fraction { .. } => Value::Fraction(text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))),
            keys::Takes::Span { .. } => {
                number.map_or(Value::Word(text.into()), |ms| Value::Span(Duration::from_millis(ms.unsigned_abs())))
            }
            keys::Takes::Word(_) => Value::Word(text.into()),
            keys::Takes::Fields { .. } => {
                Value::List(text.split('+').filter(|f| *f != "[]").map(str::to_owned).collect())
            }
            keys::Takes::Table(_) => Value::Table,
            keys::Takes::Arguments => {
                let fields = text.split('+').map(|field| (field.to_owned(), written::Part::Fits(3))).collect();
                Value::Args(written::TickArgs { canonical: Some("{}".into()), fields })
            }
            _ => panic!("{path} is no key of a policy"),
        };
        let field = key.field().unwrap_or_else(|| panic!("{path} is no key of a policy"));
        assert!((field.put)(&mut written, value), "{pair}");
    }
    written
}

/// Each line: what is written, and what it comes to: slots, places beyond them, what becomes of the rest, and the
/// identity rule.
fn check(table: &str) {
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (pairs, expected) = rest.split_once('|').unwrap_or_else(|| panic!("{line}"));
        let come = match written(pairs).policy(name) {
            Err(mistakes) => {
                let all: Vec<String> = mistakes.iter().map(|m| format!("{}: {}", m.field, m.sentence(name))).collect();
                all.join("; ")
            }
            Ok(policy) => {
                let rules = policy.rules(Switches { aggressive: false, ..Switches::default() });
                let slots = policy.slots().map_or("unlimited".into(), |slots| slots.to_string());
                let dedup = rules.dedup.map_or(String::new(), |dedup| {
                    let key = match dedup.key {
                        KeyRule::AllArguments => "all".into(),
                        KeyRule::Fields(fields) => format!("[{}]", fields.join("+")),
                    };
                    format!(" {key} {} {}", dedup.until, dedup.on_duplicate)
                });
                format!("{slots}+{} {}{dedup}", policy.max_waiting, rules.on_full)
            }
        };
        assert_eq!(come, expected.trim(), "{line}");
    }
}

#[test]
fn a_job_never_stacks_up_by_default() {
    check(
        "
        j   -                               | 1+100000 fail all start skip
        j   attempts=3                      | 1+100000 fail all start skip
        j   enabled=false                   | 1+100000 fail all start skip
        j   monitoring=false                | 1+100000 fail all start skip
        j   every=1000                      | 1+0 skip
        j   monitoring=true                 | 1+0 skip
        chainhook_monitor -                 | 1+0 skip
        chainhook_monitor monitoring=false  | 1+100000 fail all start skip
        # Whoever writes one of the rules has written them all; one runs at a time.
        j   dedup=table                     | 1+100000 fail all finish skip
        j   max_concurrent=3                | 3+100000 fail
        j   max_waiting=3                   | 1+3 fail
        j   overlap=allow                   | unlimited+100000 fail
    ",
    );
}

#[test]
fn overlap_writes_both_rules() {
    check(
        "
        j   overlap=skip                    | 1+0 skip
        j   overlap=queue-one               | 1+100000 fail all start skip
        j   overlap=queue                   | 1+100000 fail
        j   overlap=allow                   | unlimited+100000 fail
        j   every=1000, overlap=queue-one   | 1+100000 fail all start skip
        j   every=1000, overlap=allow       | unlimited+100000 fail
        # The words that a person would write instead.
        j   dedup.until=start, max_concurrent=1  | 1+100000 fail all start skip
        j   max_concurrent=1, max_waiting=0      | 1+0 skip
        j   every=1000, max_concurrent=3         | 3+0 skip
        j   every=1000, max_waiting=5            | 1+5 fail
        j   every=1000, dedup=table              | 1+100000 fail all finish skip
        j   every=1000, on_full=fail             | 1+0 fail
    ",
    );
}

#[test]
fn what_cannot_be_is_refused() {
    check(
        "
        j   overlap=skip, max_concurrent=2  | max_concurrent: `max_concurrent` beside `overlap`, which writes it (one of the two)
        j   overlap=skip, max_waiting=2     | max_waiting: `max_waiting` beside `overlap`, which writes it (one of the two)
        j   overlap=skip, dedup=table       | dedup: `dedup` beside `overlap`, which writes it (one of the two)
        j   monitoring=true, dedup=table    | dedup: `dedup` in job `j`, which is a monitoring job (such a job has one live run at a time, retries included)
        j   monitoring=true, overlap=queue  | overlap: `overlap` in job `j`, which is a monitoring job (such a job has one live run at a time, retries included)
        chainhook_monitor dedup=table       | dedup: `dedup` in job `chainhook_monitor`, which is a monitoring job by its name (such a job has one live run at a time, retries included)
        j   max_concurrent=unlimited, max_waiting=0 | max_waiting: `max_waiting = 0` lets nothing into job `j`: its `max_concurrent` is unlimited (1 or more, or give `max_concurrent` a number)
        j   max_concurrent=0                | max_concurrent: `max_concurrent` is out of range (1 to 10000, or \"unlimited\")
        j   max_concurrent=10000            | 10000+100000 fail
        j   max_concurrent=10001            | max_concurrent: `max_concurrent` is out of range (1 to 10000, or \"unlimited\")
        j   max_concurrent=1, max_waiting=10000000 | 1+10000000 fail
        j   max_waiting=10000001            | max_waiting: `max_waiting` is out of range (0 to 10000000)
        j   attempts=0                      | attempts: `attempts` is out of range (1 to 1000)
        j   attempts=1000, every=1000       | 1+0 skip
        j   attempts=1001                   | attempts: `attempts` is out of range (1 to 1000)
        j   every=0                         | every: `every` cannot be zero (longer than that)
        j   every=99                        | every: `every` is too short (at least \"100ms\")
        j   every=100                       | 1+0 skip
        j   every=316224000001              | every: `every` is too long (at most \"3660d\")
        j   timeout=0                       | timeout: `timeout` cannot be zero (longer than that)
        j   backoff.factor=0.5, every=1000  | backoff.factor: `factor` is out of range (1 to 100)
        j   backoff.factor=101, every=1000  | backoff.factor: `factor` is out of range (1 to 100)
        j   backoff.delay=3600001           | backoff.delay: `delay` of job `j` is longer than its `max` of 1h, the default (max = \"1h 1ms\" or longer)
        j   backoff.delay=2000, backoff.max=1000 | backoff.max: `delay` of job `j` is longer than its `max` of 1s (max = \"2s\" or longer)
        j   dedup.key=a+a                   | dedup.key: `key` names `a` twice (each field once)
        j   dedup.key=a                     | 1+100000 fail [a] finish skip
        j   dedup.key=[]                    | 1+100000 fail [] finish skip
        j   every=1000, dedup.key=a         | args: the ticks of job `j` have no key: its `args` have no `a` (give the ticks these fields)
        j   every=1000, dedup.key=a, args=b | args: the ticks of job `j` have no key: its `args` have no `a` (give the ticks these fields)
        j   every=1000, dedup.key=a, args=a | 1+100000 fail [a] finish skip
        # All at once.
        j   attempts=0, max_waiting=10000001 | max_waiting: `max_waiting` is out of range (0 to 10000000); attempts: `attempts` is out of range (1 to 1000)
    ",
    );
}

/// What is written comes back from the policy: every key of the table is one.
#[test]
fn every_key_of_the_table_reaches_the_policy() {
    let all = "every=90000, first=after_interval, catch_up=none, args=a, enabled=false, monitoring=false, dedup.key=a, \
               dedup.until=start, dedup.on_duplicate=fail, max_concurrent=2, max_waiting=7, on_full=skip, \
               priority=high, attempts=4, backoff.delay=5000, backoff.factor=1.5, backoff.max=60000, timeout=none";
    let written = written(all);
    let policy = written.policy("j").unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let holds = keys::values(&policy);
    for key in keys::KEYS.iter().filter(|key| !matches!(key.path, "overlap" | "dedup" | "backoff" | "args")) {
        let Some(field) = key.field() else { continue };
        let value = (field.written)(&written);
        assert!(value.is_some(), "{} is not tested here", key.path);
        assert_eq!(
            holds.iter().find(|(path, _)| *path == key.path).map(|(_, value)| value.clone()),
            value,
            "{}",
            key.path
        );
    }
}

#[test]
fn a_jobs_own_table_displaces_the_defaults() {
    for (own, defaults, expected) in [
        ("-", "overlap=queue-one", "overlap=queue-one"),
        ("max_concurrent=2", "overlap=queue-one", "max_concurrent=2, dedup.until=start"),
        ("overlap=skip", "dedup=table, max_concurrent=4, max_waiting=9", "overlap=skip"),
        ("overlap=skip", "overlap=queue", "overlap=skip"),
        ("monitoring=true", "dedup=table", "monitoring=true"),
        ("monitoring=true", "overlap=queue", "monitoring=true"),
        ("monitoring=false", "overlap=queue", "monitoring=false, overlap=queue"),
        ("backoff.max=5000", "backoff.delay=1000", "backoff.max=5000"),
        ("attempts=2", "attempts=3, timeout=none", "attempts=2, timeout=none"),
    ] {
        assert_eq!(written(own).over(&written(defaults)), written(expected), "{own} over {defaults}");
    }
}
