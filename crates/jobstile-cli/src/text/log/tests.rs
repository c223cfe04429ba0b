use std::time::Duration;

use jobstile_core::outcome::Outcome;

use super::*;

use std::sync::Arc;

const START: i64 = 1_795_442_820_000_000; // 2026-11-23T14:07:00Z

fn at(seconds: f64) -> Time {
    Time(START + (seconds * 1e6) as i64)
}

fn decided(decision: Decision, code: Code) -> Decided {
    Decided {
        at: at(3.0),
        job: "chain_state_monitor".into(),
        source: Source::Schedule,
        decision,
        code,
        run: None,
        by: Some(RunId(1)),
        count: None,
        replayed: false,
        aggressive: true,
        later: false,
        waiting: 0,
        running: 1,
    }
}

fn admission() -> Decided {
    let fact = decided(Decision::Admitted, Code::WithinLimits);
    Decided { run: Some(RunId(1)), by: None, waiting: 1, running: 0, ..fact }
}

fn state(state: State) -> Came {
    Came {
        at: at(8.0),
        job: "slow_sync".into(),
        run: RunId(1),
        state,
        attempt: Some(1),
        attempts: 3,
        args: None,
        code: None,
        by: None,
        ended: None,
        due: None,
        waited: None,
    }
}

fn ended(outcome: Outcome, message: Option<&str>) -> Option<Ended> {
    Some(Ended { outcome, took: Duration::from_secs(8), message: message.map(str::to_owned) })
}

#[test]
fn a_duration_in_the_log_is_spelled_as_in_answers() {
    for (ms, spelled) in [(13, "took=13ms"), (8_040, "took=8s"), (72_000, "took=\"1m 12s\"")] {
        let took = Duration::from_millis(ms);
        let ended = Some(Ended { outcome: Outcome::Success, took, message: None });
        let line = text(Fact::Came(Came { ended, ..state(State::Succeeded) }));
        assert!(line.contains(spelled), "{line}");
    }
}

fn text(fact: Fact) -> String {
    texts(&Log::default().take(&fact, None))
}

fn texts(lines: &[Line]) -> String {
    lines.iter().map(|line| line.to_text(&Stamp::Nothing)).collect::<Vec<_>>().join("\n")
}

fn seed(fact: Decided) -> String {
    Log::default().take(&Fact::Decided(fact), None).iter().map(Line::to_seed).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_seeds_five_lines_stay_to_the_letter() {
    let job = "job_type=chain_state_monitor";
    let skip = format!(
        "INFO | Skipping job execution - concurrency limit reached | {job} action=skipped reason=concurrency_limit"
    );
    let duplicate = format!("INFO | Deduplicating monitoring job in executor | {job} aggressive_deduplication=True");
    let decided = |source, code| Decided { source, ..decided(Decision::Skipped, code) };
    use Code::{ConcurrencyLimit, DuplicateRunning, DuplicateWaiting, QueueFull};
    assert_eq!(seed(decided(Source::Schedule, ConcurrencyLimit)), skip);
    assert_eq!(seed(decided(Source::Cli, ConcurrencyLimit)), skip);
    assert_eq!(seed(decided(Source::Library, QueueFull)), skip);
    assert_eq!(seed(decided(Source::Schedule, DuplicateRunning)), skip);
    assert_eq!(seed(decided(Source::Schedule, DuplicateWaiting)), skip);
    assert_eq!(seed(decided(Source::Cli, DuplicateRunning)), duplicate);
    assert_eq!(seed(decided(Source::Script, DuplicateWaiting)), duplicate);
    assert_eq!(
        seed(admission()),
        format!(
            "DEBUG | Job execution allowed | {job} action=scheduled reason=within_limits\n\
             INFO | Scheduled job enqueued successfully | {job} pending_count=1"
        )
    );
    let refused = Came {
        code: Some(Code::ConcurrentExecutionDetected),
        by: Some(RunId(5)),
        attempt: None,
        ..state(State::Refused)
    };
    let lines = Log::default().take(&Fact::Came(refused), None);
    assert_eq!(
        lines[0].to_seed(),
        "INFO | Final execution check - skipping duplicate monitoring job | reason=concurrent_execution_detected"
    );
    assert_eq!(texts(&lines), format!("{} job_type=slow_sync run=1 by=5", lines[0].to_seed()));
    assert_eq!(lines[0].level(), Level::Info);
}

#[test]
fn our_fields_follow_the_seeds() {
    assert_eq!(
        text(Fact::Decided(decided(Decision::Skipped, Code::DuplicateRunning))),
        "INFO | Skipping job execution - concurrency limit reached | job_type=chain_state_monitor action=skipped \
         reason=concurrency_limit code=duplicate_running source=schedule by=1 running=1 waiting=0"
    );
    assert_eq!(
        text(Fact::Decided(Decided { source: Source::Api, ..decided(Decision::Skipped, Code::DuplicateRunning) })),
        "INFO | Deduplicating monitoring job in executor | job_type=chain_state_monitor aggressive_deduplication=True \
         code=duplicate_running source=api by=1 running=1 waiting=0"
    );
    assert_eq!(
        text(Fact::Decided(admission())),
        "DEBUG | Job execution allowed | job_type=chain_state_monitor action=scheduled reason=within_limits \
         code=within_limits source=schedule run=1 running=0 waiting=1\n\
         INFO | Scheduled job enqueued successfully | job_type=chain_state_monitor pending_count=1 source=schedule \
         run=1 running=0"
    );
}

#[test]
fn every_other_decision_is_a_trigger_decided() {
    let ordinary = |decision, code, source| Decided { aggressive: false, source, ..decided(decision, code) };
    let line = |decision, code| {
        format!("INFO | Trigger decided | job_type=chain_state_monitor action={decision} reason={code}")
    };
    for (decision, code, source) in [
        (Decision::Skipped, Code::Paused, Source::Schedule),
        (Decision::Skipped, Code::DuplicateRunning, Source::Schedule),
        (Decision::Skipped, Code::DuplicateRecent, Source::Cli),
        (Decision::Rejected, Code::DuplicateWaiting, Source::Cli),
        (Decision::Rejected, Code::ConcurrencyLimit, Source::Cli),
        (Decision::Rejected, Code::QueueFull, Source::Schedule),
        (Decision::Rejected, Code::UnknownJob, Source::Library),
        (Decision::Missed, Code::Missed, Source::Schedule),
    ] {
        assert_eq!(seed(ordinary(decision, code, source)), line(decision, code));
    }
    let missed =
        Decided { by: None, count: Some(31), running: 0, ..ordinary(Decision::Missed, Code::Missed, Source::Schedule) };
    assert_eq!(
        text(Fact::Decided(missed)),
        format!("{} code=missed source=schedule running=0 waiting=0 count=31", line(Decision::Missed, Code::Missed))
    );
}

#[test]
fn a_run_tells_its_life() {
    let line = |came| text(Fact::Came(came));
    assert_eq!(line(state(State::Running)), "INFO | Run started | job_type=slow_sync run=1 attempt=1/3");
    assert_eq!(
        line(Came { ended: ended(Outcome::Success, None), ..state(State::Succeeded) }),
        "INFO | Run succeeded | job_type=slow_sync run=1 attempt=1/3 took=8s"
    );
    assert_eq!(
        line(Came {
            ended: ended(Outcome::Failure, Some("exit code 1, \"502 Bad Gateway\"")),
            due: Some(at(38.0)),
            ..state(State::Retrying)
        }),
        "WARN | Run failed, retrying | job_type=slow_sync run=1 attempt=1/3 took=8s outcome=failure \
         error=\"exit code 1, \\\"502 Bad Gateway\\\"\" retry_in=30s"
    );
    assert_eq!(
        line(Came {
            ended: ended(Outcome::Timeout, None),
            attempt: Some(3),
            code: Some(Code::AttemptsUsedUp),
            ..state(State::Dead)
        }),
        "ERROR | Run dead | job_type=slow_sync run=1 attempt=3/3 took=8s outcome=timeout code=attempts_used_up"
    );
    assert_eq!(
        line(Came { attempt: None, code: Some(Code::DuplicateRunning), by: Some(RunId(7)), ..state(State::Refused) }),
        "INFO | Run refused | job_type=slow_sync run=1 code=duplicate_running by=7"
    );
    for (outcome, message) in [
        (Outcome::Interrupted, "INFO | Run interrupted, starts again"),
        (Outcome::Lost, "WARN | Run lost, starts again"),
        (Outcome::NotStarted, "WARN | Run could not be started, starts again"),
    ] {
        assert_eq!(
            line(Came { ended: ended(outcome, None), ..state(State::Queued) }),
            format!("{message} | job_type=slow_sync run=1 attempt=1/3 took=8s outcome={outcome}")
        );
    }
    assert_eq!(
        line(Came { code: Some(Code::Superseded), by: Some(RunId(9)), ..state(State::Cancelled) }),
        "INFO | Run cancelled | job_type=slow_sync run=1 code=superseded by=9"
    );
    // The decision has said it.
    assert_eq!(line(Came { attempt: None, ..state(State::Queued) }), "");
    assert_eq!(line(Came { attempt: None, ..state(State::Scheduled) }), "");
    // Lost attempts do not count against the bound.
    assert_eq!(
        line(Came { attempt: Some(4), ..state(State::Running) }),
        "INFO | Run started | job_type=slow_sync run=1 attempt=4"
    );
}

#[test]
fn an_ended_run_tells_how_many_ticks_it_kept_away() {
    let mut log = Log::default();
    let skip = |source| Fact::Decided(Decided { source, ..decided(Decision::Skipped, Code::ConcurrencyLimit) });
    for source in [Source::Schedule, Source::Cli, Source::Schedule] {
        log.take(&skip(source), None);
    }
    let ended = Came { ended: ended(Outcome::Success, None), ..state(State::Succeeded) };
    let lines = texts(&log.take(&Fact::Came(ended.clone()), None));
    let end = "INFO | Run succeeded | job_type=slow_sync run=1 attempt=1/3 took=8s ticks_skipped=2";
    assert_eq!(lines.lines().last(), Some(end));
    assert!(!texts(&log.take(&Fact::Came(ended), None)).contains("skipped"));
}

#[test]
fn what_a_run_turned_away_is_said_before_its_end_and_never_after() {
    let mut log = Log::default();
    for seconds in [3.0, 4.0, 5.0] {
        log.take(&skip(seconds, 1), None);
    }
    let failed = Came { ended: ended(Outcome::Failure, None), at: at(6.0), ..state(State::Retrying) };
    let lines = log.take(&Fact::Came(failed), None);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].to_text(&Stamp::Rfc3339).starts_with("2026-11-23T14:07:05.000Z | INFO | Skipping job execution"));
    assert_eq!(repeated(&lines[..1]), [" repeated=2"]);
    // It goes on, and turns one more away: that is said at once again.
    assert_eq!(repeated(&log.take(&skip(7.0, 1), None)), [""]);
    log.take(&skip(7.5, 1), None);
    let ended = Came { ended: ended(Outcome::Success, None), ..state(State::Succeeded) };
    let lines = texts(&log.take(&Fact::Came(ended), None));
    assert!(lines.lines().count() == 2 && lines.ends_with("ticks_skipped=5"), "{lines}");
    assert_eq!((log.due(at(60.0)), log.rest(at(60.0))), (vec![], vec![]));
}

#[test]
fn what_another_process_did_is_said_to_be_its() {
    let lines = Log::default().take(&Fact::Decided(admission()), Some("jobstile trigger 4711"));
    assert!(texts(&lines).ends_with("running=0 from=\"jobstile trigger 4711\""), "{}", texts(&lines));
}

#[test]
fn a_first_answer_given_again_is_no_decision() {
    let again = Decided { replayed: true, ..admission() };
    assert_eq!(
        text(Fact::Decided(again)),
        "DEBUG | Trigger id seen before, first answer given again | job_type=chain_state_monitor action=admitted \
         reason=within_limits source=schedule run=1"
    );
}

#[test]
fn times_are_for_their_reader() {
    let lines = Log::default().take(&Fact::Came(state(State::Running)), None);
    let text = |stamp| lines[0].to_text(&stamp);
    assert!(text(Stamp::Clock(jiff::tz::TimeZone::UTC)).starts_with("14:07:08 | INFO | Run started | "));
    assert!(text(Stamp::Rfc3339).starts_with("2026-11-23T14:07:08.000Z | INFO | Run started | "));
    assert!(text(Stamp::Nothing).starts_with("INFO | Run started | "));
}

#[test]
fn json_has_the_same_facts() {
    let json = |fact| {
        let lines = Log::default().take(&fact, None);
        lines.iter().map(|line| line.to_json()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        json(Fact::Decided(Decided { source: Source::Cli, ..decided(Decision::Skipped, Code::DuplicateRunning) })),
        r#"{"time":"2026-11-23T14:07:03.000000Z","level":"INFO","message":"Deduplicating monitoring job in executor","job_type":"chain_state_monitor","aggressive_deduplication":true,"code":"duplicate_running","source":"cli","by":"1","running":1,"waiting":0}"#
    );
    let failed = Came { ended: ended(Outcome::Failure, Some("a\nb")), due: Some(at(38.0)), ..state(State::Retrying) };
    assert_eq!(
        json(Fact::Came(failed)),
        r#"{"time":"2026-11-23T14:07:08.000000Z","level":"WARN","message":"Run failed, retrying","job_type":"slow_sync","run":"1","attempt":1,"attempts":3,"took_s":8.0,"outcome":"failure","error":"a\nb","retry_in_s":30.0}"#
    );
}

#[test]
fn a_value_cannot_be_taken_for_something_else() {
    let line = |value: &str| Line::new(at(0.0), Level::Info, "M").text("k", value).to_text(&Stamp::Nothing);
    for (value, shown) in [
        ("plain-1.5/x:y|é", "plain-1.5/x:y|é"),
        ("", "\"\""),
        ("two words", "\"two words\""),
        ("a=b", "\"a=b\""),
        ("say \"hi\"", "\"say \\\"hi\\\"\""),
        ("back\\slash", "\"back\\\\slash\""),
        ("line\nend\r\t", "\"line\\nend\\r\\t\""),
        ("\u{1b}[2J", "\"\\x1b[2J\""),
        ("\u{202e}cba", "\"\\u{202e}cba\""),
    ] {
        assert_eq!(line(value), format!("INFO | M | k={shown}"));
    }
}

// Identical skips.

fn skip(seconds: f64, by: i64) -> Fact {
    Fact::Decided(Decided {
        at: at(seconds),
        by: Some(RunId(by)),
        ..decided(Decision::Skipped, Code::ConcurrencyLimit)
    })
}

fn repeated(lines: &[Line]) -> Vec<String> {
    lines.iter().map(|line| line.to_seed().rsplit("concurrency_limit").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn identical_skips_are_said_at_once_and_then_at_most_once_in_ten_seconds() {
    let mut log = Log::default();
    let first: Vec<Line> = [0.0, 0.0, 3.0, 9.9].iter().flat_map(|s| log.take(&skip(*s, 1), None)).collect();
    assert_eq!(repeated(&first), [""]);
    assert_eq!(log.next_due(), Some(at(10.0)));
    assert_eq!(repeated(&log.due(at(9.999))), Vec::<String>::new());
    assert_eq!(repeated(&log.due(at(10.0))), [" repeated=3"]);
    // The ten seconds begin again.
    assert_eq!(repeated(&log.take(&skip(10.0, 1), None)), Vec::<String>::new());
    assert_eq!(log.next_due(), Some(at(20.0)));
    // Nobody asked in time: the next one says it, itself counted.
    assert_eq!(repeated(&log.take(&skip(25.0, 1), None)), [" repeated=2"]);
    assert_eq!(log.next_due(), None);
    // After ten quiet seconds it is a first one again.
    assert_eq!(repeated(&log.due(at(35.0))), Vec::<String>::new());
    assert_eq!(repeated(&log.take(&skip(35.1, 1), None)), [""]);
}

#[test]
fn another_job_code_or_holder_is_another_skip() {
    let mut log = Log::default();
    let other_job = Fact::Decided(Decided {
        at: at(0.3),
        job: "other".into(),
        ..decided(Decision::Skipped, Code::ConcurrencyLimit)
    });
    let other_code = Fact::Decided(Decided { at: at(0.4), ..decided(Decision::Skipped, Code::DuplicateRunning) });
    let facts = [skip(0.0, 1), skip(0.1, 2), skip(0.2, 1), other_job, other_code];
    assert_eq!(facts.iter().flat_map(|fact| log.take(fact, None)).count(), 4);
}

#[test]
fn what_is_held_back_is_said_before_the_end() {
    let mut log = Log::default();
    for seconds in [0.0, 1.0, 2.0] {
        log.take(&skip(seconds, 1), None);
    }
    let rest = log.rest(at(4.0));
    assert_eq!(repeated(&rest), [" repeated=2"]);
    assert!(rest[0].to_text(&Stamp::Rfc3339).starts_with("2026-11-23T14:07:04"));
    assert_eq!(log.rest(at(4.0)), []);
}

#[test]
fn a_clock_that_stepped_back_silences_nobody() {
    let mut log = Log::default();
    log.take(&skip(100.0, 1), None);
    assert_eq!(repeated(&log.take(&skip(1.0, 1), None)), [""]);
}

#[test]
fn only_skips_are_held_back() {
    let mut log = Log::default();
    let job: Arc<str> = "j".into();
    let rejected = |seconds| {
        Fact::Decided(Decided {
            at: at(seconds),
            job: Arc::clone(&job),
            ..decided(Decision::Rejected, Code::QueueFull)
        })
    };
    assert_eq!([0.0, 0.1].iter().flat_map(|s| log.take(&rejected(*s), None)).count(), 2);
}

#[test]
fn different_skips_beyond_the_bound_are_printed_each() {
    let mut log = Log::default();
    let lines = |log: &mut Log| (0..10_001).map(|by| log.take(&skip(0.0, by), None).len()).sum::<usize>();
    assert_eq!(lines(&mut log), 10_001);
    assert_eq!(lines(&mut log), 1);
}
