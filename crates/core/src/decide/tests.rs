use super::*;
use crate::policy::{Concurrency, Dedup, KeyRule, OnDuplicate, Policy, Switches, Until};
use crate::table::{check, number, word};
use crate::time::Time;

const ON: Switches = Switches { deduplication: true, aggressive: true, stacking_prevention: true };

/// `3+2`: `max_concurrent` and `max_waiting`; `*` is unlimited.
fn limited(text: &str) -> Policy {
    let (running, waiting) = text.split_once('+').expect("running+waiting");
    let max_concurrent = match running {
        "*" => Concurrency::Unlimited,
        n => Concurrency::Limited(n.parse().expect("a number")),
    };
    Policy { max_concurrent, max_waiting: waiting.parse().expect("a number"), dedup: None, ..Policy::new(false, None) }
}

fn dedup(until: Until, on_duplicate: OnDuplicate) -> Option<Dedup> {
    Some(Dedup { key: KeyRule::AllArguments, until, on_duplicate })
}

fn asked(source: Source, when: When) -> Asked {
    Asked { source, when, priority: Priority::Normal, seen: Seen::New, problem: None }
}

/// `queued`, `running+` (started), `high` …: a target as a word; `-` is none.
fn target(text: &str) -> Option<Target> {
    let state = text.trim_end_matches('+');
    (text != "-").then(|| Target {
        run: RunId(1),
        state: word(state),
        started: text.ends_with('+'),
        priority: Priority::Normal,
    })
}

/// `1/2/3/4`: scheduled, queued, running, retrying.
fn tally(text: &str) -> Tally {
    let counts: Vec<u64> = text.split('/').map(number).collect();
    Tally { scheduled: counts[0], queued: counts[1], running: counts[2], retrying: counts[3] }
}

fn words(verdict: Verdict) -> String {
    let ruling = match verdict {
        Verdict::Replay => return "replay".into(),
        Verdict::New(ruling) => ruling,
    };
    let by = match ruling.by {
        By::Nobody => "",
        By::Run(_) => " by target",
        By::OldestTaking => " by oldest_taking",
        By::OldestWaiting => " by oldest_waiting",
    };
    let lift = if ruling.lift { " lift" } else { "" };
    format!("{} {}{by}{lift}", ruling.decision, ruling.code)
}

#[test]
fn the_rules_in_their_order_and_the_first_match_wins() {
    check(
        "
        # seen        problem            paused source   target   tally    | decision
        before        unknown_job        yes    schedule running+ 0/0/1/0  | replay
        other_args    bad_arguments      yes    schedule running+ 0/0/1/0  | rejected trigger_id_reused
        new           unknown_job        yes    schedule running+ 0/0/1/0  | rejected unknown_job
        new           bad_arguments      yes    schedule running+ 0/0/1/0  | rejected bad_arguments
        new           missing_key_field  yes    schedule running+ 0/0/1/0  | rejected missing_key_field
        new           -                  yes    schedule running+ 0/0/1/0  | skipped paused
        new           -                  yes    cli      running+ 0/0/1/0  | skipped duplicate_running by target
        new           -                  yes    cli      -        0/0/1/0  | skipped concurrency_limit by oldest_taking
        new           -                  yes    cli      -        0/0/0/0  | admitted within_limits
        new           -                  -      schedule -        0/0/0/0  | admitted within_limits
        ",
        |row| {
            let rules = Policy { dedup: dedup(Until::Finish, OnDuplicate::Skip), ..limited("1+0") }.rules(ON);
            let seen = match row[0] {
                "before" => Seen::Before,
                "other_args" => Seen::WithOtherArguments,
                _ => Seen::New,
            };
            let problem = match row[1] {
                "unknown_job" => Some(Problem::UnknownJob),
                "bad_arguments" => Some(Problem::BadArguments),
                "missing_key_field" => Some(Problem::MissingKeyField),
                _ => None,
            };
            let asked = Asked { seen, problem, ..asked(word(row[3]), When::Now) };
            let view = View { paused: row[2] == "yes", target: target(row[4]), tally: tally(row[5]) };
            words(decide(&rules, &asked, &view))
        },
    );
}

#[test]
fn a_duplicate_waits_behind_its_target_or_is_told_of_it() {
    check(
        "
        # on_duplicate priority target     | decision
        skip           normal   queued     | skipped duplicate_waiting by target
        skip           high     queued     | skipped duplicate_waiting by target lift
        skip           low      queued     | skipped duplicate_waiting by target
        skip           high     queued+    | skipped duplicate_waiting by target
        skip           high     running+   | skipped duplicate_running by target
        skip           high     retrying+  | skipped duplicate_waiting by target
        fail           high     queued     | rejected duplicate_waiting by target
        fail           normal   running+   | rejected duplicate_running by target
        skip           normal   -          | admitted within_limits
        ",
        |row| {
            let rules = Policy { dedup: dedup(Until::Finish, word(row[0])), ..limited("9+9") }.rules(ON);
            let asked = Asked { priority: word(row[1]), ..asked(Source::Cli, When::Now) };
            words(decide(&rules, &asked, &View { target: target(row[2]), ..View::default() }))
        },
    );
}

#[test]
fn places_are_the_slots_and_the_waiting_ones() {
    check(
        "
        # limits on_full tally        | decision
        1+0      -       0/0/0/0      | admitted within_limits
        1+0      -       0/0/1/0      | skipped concurrency_limit by oldest_taking
        1+0      -       0/0/0/1      | skipped concurrency_limit by oldest_taking
        1+0      -       0/1/0/0      | skipped concurrency_limit by oldest_taking
        1+0      -       9/0/0/0      | admitted within_limits
        1+0      fail    0/0/1/0      | rejected concurrency_limit by oldest_taking
        1+2      -       0/1/1/0      | admitted within_limits
        1+2      -       0/1/1/1      | rejected queue_full by oldest_taking
        1+2      skip    0/2/1/0      | skipped queue_full by oldest_taking
        3+0      -       0/0/2/0      | admitted within_limits
        3+0      -       0/0/3/0      | skipped concurrency_limit by oldest_taking
        3+0      -       0/0/7/0      | skipped concurrency_limit by oldest_taking
        *+2      -       0/1/900/0    | admitted within_limits
        *+2      -       0/1/900/1    | rejected queue_full by oldest_waiting
        *+2      skip    0/2/0/0      | skipped queue_full by oldest_waiting
        ",
        |row| {
            let on_full = (row[1] != "-").then(|| word(row[1]));
            let rules = Policy { on_full, ..limited(row[0]) }.rules(ON);
            words(decide(&rules, &asked(Source::Cli, When::Now), &View { tally: tally(row[2]), ..View::default() }))
        },
    );
}

#[test]
fn a_trigger_for_later_takes_no_place() {
    check(
        "
        # when target     tally        | decision
        at     -          0/9/9/9      | admitted within_limits
        in     -          0/9/9/9      | admitted within_limits
        at     scheduled  1/0/0/0      | skipped duplicate_waiting by target
        at     -          9999/0/0/0   | admitted within_limits
        at     -          10000/0/0/0  | rejected queue_full
        in     scheduled  10000/0/0/0  | skipped duplicate_waiting by target
        ",
        |row| {
            let rules = Policy { dedup: dedup(Until::Finish, OnDuplicate::Skip), ..limited("1+0") }.rules(ON);
            let when = if row[0] == "at" { When::At(Time(1)) } else { When::In(std::time::Duration::from_secs(1)) };
            let view = View { target: target(row[1]), tally: tally(row[2]), ..View::default() };
            words(decide(&rules, &asked(Source::Cli, when), &view))
        },
    );
}

#[test]
fn the_oracle_of_the_switches() {
    // O: an ordinary scheduled job with two slots; M: a monitoring one. `check`: the final execution check is on.
    check(
        "
        # job dedup aggressive stacking target   tally    | decision                                  check
        O     on    on         on       -        0/0/1/0  | admitted within_limits                    -
        O     on    on         off      -        0/0/2/0  | skipped concurrency_limit by oldest_taking -
        O     on    off        on       -        0/1/1/0  | skipped concurrency_limit by oldest_taking -
        O     off   on         on       -        0/9/2/0  | admitted within_limits                    -
        O     off   off        off      -        0/9/2/0  | admitted within_limits                    -
        O     off   on         on       -        0/9999/2/0  | admitted within_limits                 -
        O     off   on         on       -        0/10000/2/0 | rejected queue_full by oldest_waiting  -
        M     on    on         on       -        0/0/0/0  | admitted within_limits                    check
        M     on    on         on       running+ 0/0/1/0  | skipped duplicate_running by target       check
        M     on    on         off      queued   0/1/0/0  | skipped duplicate_waiting by target       -
        M     on    on         on       -        0/0/1/0  | skipped concurrency_limit by oldest_taking check
        M     on    off        on       -        0/0/1/0  | admitted within_limits                    -
        M     on    off        on       -        0/0/2/0  | skipped concurrency_limit by oldest_taking -
        M     off   on         on       running+ 0/0/1/0  | admitted within_limits                    check
        M     off   on         off      running+ 0/0/1/0  | admitted within_limits                    -
        M     off   off        on       running+ 0/0/1/0  | admitted within_limits                    -
        ",
        |row| {
            let on = |at: usize| row[at] == "on";
            let switches = Switches { deduplication: on(1), aggressive: on(2), stacking_prevention: on(3) };
            let rules = Policy { monitoring: row[0] == "M", ..limited("2+0") }.rules(switches);
            let view = View { target: target(row[4]), tally: tally(row[5]), ..View::default() };
            let check = if rules.final_check { "check" } else { "-" };
            format!("{} {check}", words(decide(&rules, &asked(Source::Schedule, When::Now), &view)))
        },
    );
}

#[test]
fn what_would_be_admitted_is_what_is_decided() {
    for taken in 0..3 {
        let rules = limited("1+1").rules(ON);
        let view = View { tally: Tally { running: taken, ..Tally::default() }, ..View::default() };
        let decided = decide(&rules, &asked(Source::Schedule, When::Now), &view);
        assert_eq!(Verdict::New(would_admit(&rules, Priority::Normal, &view)), decided);
    }
    let paused = View { paused: true, ..View::default() };
    let rules = limited("1+1").rules(ON);
    let decided = decide(&rules, &asked(Source::Schedule, When::Now), &paused);
    assert_eq!(Verdict::New(would_admit(&rules, Priority::Normal, &paused)), decided);
}
