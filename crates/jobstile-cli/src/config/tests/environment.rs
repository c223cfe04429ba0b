use std::time::Duration;

use insta::assert_snapshot;

use super::*;

const JOBS: &str = "[defaults]\ncommand = [\"df\"]\ntimeout = \"1m\"\n[jobs.chain_state_monitor]\nevery = \"90s\"\n[jobs.tweet]\nevery = \"2m\"\n";

/// The three switches, and `every` and `enabled` of `tweet`, under these variables.
fn check(table: &str) {
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (given, expected) = line.split_once('|').unwrap_or_else(|| panic!("no | in {line}"));
        let pairs: Vec<(&str, &str)> = given.split_whitespace().filter_map(|pair| pair.split_once('=')).collect();
        let jobs = "[jobs.tweet]\nevery = \"2m\"\ntimeout = \"1m\"\ncommand = [\"df\"]\n";
        let is = match load(jobs, &variables(&pairs)) {
            Err(failed) => failed.found.iter().map(|d| d.title.clone()).collect::<Vec<_>>().join("; "),
            Ok(loaded) => {
                let s = loaded.switches;
                let switches = [s.deduplication, s.aggressive, s.stacking_prevention];
                let switches: String = switches.map(|on| if on { '+' } else { '-' }).iter().collect();
                let policy = &loaded.jobs["tweet"].policy;
                let every = policy.schedule.map_or(Duration::ZERO, |schedule| schedule.every).as_secs();
                format!("{switches} {every} {}", policy.enabled)
            }
        };
        assert_eq!(is, expected.trim(), "{given}");
    }
}

#[test]
fn the_rules_of_variables() {
    check(
        "
        # given                                                                 | switches every enabled
                                                                                | +++ 120 true
        AIBTC_JOB_DEDUPLICATION_ENABLED=false                                   | -++ 120 true
        JOBSTILE_JOB_DEDUPLICATION_ENABLED=false                                | -++ 120 true
        AIBTC_AGGRESSIVE_DEDUPLICATION_ENABLED=no                               | +-+ 120 true
        AIBTC_JOB_STACKING_PREVENTION_ENABLED=0                                 | ++- 120 true
        AIBTC_JOB_DEDUPLICATION_ENABLED=FALSE                                   | -++ 120 true
        AIBTC_JOB_DEDUPLICATION_ENABLED=Off                                     | -++ 120 true
        AIBTC_JOB_DEDUPLICATION_ENABLED=1                                       | +++ 120 true
        AIBTC_JOB_DEDUPLICATION_ENABLED=YES                                     | +++ 120 true
        AIBTC_JOB_DEDUPLICATION_ENABLED=on                                      | +++ 120 true
        AIBTC_JOB_DEDUPLICATION_ENABLED=                                        | +++ 120 true
        AIBTC_JOB_DEDUPLICATION_ENABLED=maybe                                   | AIBTC_JOB_DEDUPLICATION_ENABLED=maybe is neither true nor false
        AIBTC_JOB_DEDUPLICATION_ENABLED=2                                       | AIBTC_JOB_DEDUPLICATION_ENABLED=2 is neither true nor false
        # both spellings
        AIBTC_JOB_DEDUPLICATION_ENABLED=0 JOBSTILE_JOB_DEDUPLICATION_ENABLED=no | -++ 120 true
        AIBTC_JOB_DEDUPLICATION_ENABLED= JOBSTILE_JOB_DEDUPLICATION_ENABLED=no  | -++ 120 true
        AIBTC_JOB_DEDUPLICATION_ENABLED=true JOBSTILE_JOB_DEDUPLICATION_ENABLED=false | AIBTC_JOB_DEDUPLICATION_ENABLED=true and JOBSTILE_JOB_DEDUPLICATION_ENABLED=false contradict each other
        # a job's
        AIBTC_TWEET_INTERVAL_SECONDS=300                                        | +++ 300 true
        JOBSTILE_TWEET_INTERVAL_SECONDS=300                                     | +++ 300 true
        AIBTC_TWEET_INTERVAL_SECONDS=                                           | +++ 120 true
        AIBTC_TWEET_INTERVAL_SECONDS=0                                          | AIBTC_TWEET_INTERVAL_SECONDS=0 is not an interval
        AIBTC_TWEET_INTERVAL_SECONDS=-5                                         | AIBTC_TWEET_INTERVAL_SECONDS=-5 is not a whole number of seconds
        AIBTC_TWEET_INTERVAL_SECONDS=+5                                         | AIBTC_TWEET_INTERVAL_SECONDS=+5 is not a whole number of seconds
        AIBTC_TWEET_INTERVAL_SECONDS=1.5                                        | AIBTC_TWEET_INTERVAL_SECONDS=1.5 is not a whole number of seconds
        AIBTC_TWEET_INTERVAL_SECONDS=90s                                        | AIBTC_TWEET_INTERVAL_SECONDS=90s is not a whole number of seconds
        AIBTC_TWEET_INTERVAL_SECONDS=99999999999                                | AIBTC_TWEET_INTERVAL_SECONDS=99999999999 is more than ten years
        AIBTC_TWEET_INTERVAL_SECONDS=99999999999999999999                       | AIBTC_TWEET_INTERVAL_SECONDS=99999999999999999999 is not a whole number of seconds
        AIBTC_TWEET_ENABLED=false                                               | +++ 120 false
        AIBTC_TWEET_ENABLED=f                                                   | AIBTC_TWEET_ENABLED=f is neither true nor false
        # somebody else's, and those that a command is given
        AIBTC_SUPABASE_URL=x AIBTC_TWITTER_ENABLED=what                         | +++ 120 true
        JOBSTILE_STORE=x JOBSTILE_LOG=debug JOBSTILE_JOB=a JOBSTILE_RUN_ID=1    | +++ 120 true
        JOBSTILE_ATTEMPT=1 JOBSTILE_FENCE=1 JOBSTILE_NODE=n JOBSTILE_ARGS={}    | +++ 120 true
        # unknown ones of ours
        JOBSTILE_STROE=x                                                        | there is no variable JOBSTILE_STROE
        JOBSTILE_STROE=                                                         | +++ 120 true
        JOBSTILE_TWEETS_ENABLED=true                                            | JOBSTILE_TWEETS_ENABLED belongs to no job
        ",
    );
}

#[test]
fn what_is_said_about_variables() {
    let said = |pairs: &[(&str, &str)]| format!("{}\n", super::said(JOBS, &variables(pairs)));
    assert_snapshot!(
        [
            said(&[("AIBTC_JOB_DEDUPLICATION_ENABLED", "true"), ("JOBSTILE_JOB_DEDUPLICATION_ENABLED", "false")]),
            said(&[("AIBTC_CHAINSTATE_MONITOR_INTERVAL_SECONDS", "300")]),
            said(&[("AIBTC_JOB_DEDUPLICATOIN_ENABLED", "false")]),
            said(&[("AIBTC_TWEET_INTERVAL", "300")]),
            said(&[("AIBTC_TWEET_ENABLE", "false")]),
            said(&[("JOBSTILE_LOGS", "debug")]),
            said(&[("JOBSTILE_JOB_DEDUPLICATION", "false")]),
            said(&[("AIBTC_TWEET_INTERVAL_SECONDS", "300"), ("JOBSTILE_TWEET_INTERVAL_SECONDS", "200")]),
            said(&[("JOBSTILE_CHAINSTATE_MONITOR_ENABLED", "false")]),
            said(&[("JOBSTILE_SOMETHING_ELSE", "false")]),
            said(&[("AIBTC_TWEET_ENABLED", "nope"), ("AIBTC_TWEET_INTERVAL_SECONDS", "soon")]),
        ]
        .join("\n----\n")
    );
}

fn with_file(text: &str, pairs: &[(&str, &str)]) -> (Environment, Vec<crate::config::diagnostic::Diagnostic>) {
    let (mut environment, mut mistakes) = (variables(pairs), vec![]);
    environment.add_file(&Source::new(".env", text), &mut mistakes);
    (environment, mistakes)
}

#[test]
fn an_environment_file_shows_its_lines() {
    let file = "# switches\nAIBTC_AGGRESSIVE_DEDUPLICATION_ENABLED=false\n\nexport AIBTC_TWEET_INTERVAL_SECONDS=\"300\" # 5 min\nAIBTC_TWEET_ENABLED=no\n";
    let (environment, mistakes) = with_file(file, &[]);
    assert_eq!(mistakes, []);
    let loaded = load(JOBS, &environment).unwrap_or_else(|f| panic!("{}", f.render(false)));
    let tweet = &loaded.jobs["tweet"];
    let origin = |key| tweet.setting(key).map(|setting| (setting.shown(), setting.origin.to_string()));
    assert_eq!(origin("every"), Some(("5m".into(), ".env:4 AIBTC_TWEET_INTERVAL_SECONDS".into())));
    assert_eq!(origin("enabled"), Some(("false".into(), ".env:5 AIBTC_TWEET_ENABLED".into())));
    let instead = tweet.setting("every").and_then(|setting| setting.instead_of.clone());
    assert_eq!(
        instead.map(|(value, origin)| (value, origin.to_string())),
        Some(("2m".into(), "jobstile.toml:7".into()))
    );
    let kept = jobstile::origin::Origins::read(&Loaded::origins(&tweet.settings));
    assert_eq!(kept.instead_of("every").map(|(value, _)| value.clone()), Some("2m".into()));
    assert!(!loaded.switches.aggressive);
    assert_eq!(environment.of_files().last(), Some(("AIBTC_TWEET_INTERVAL_SECONDS", "300")));
}

#[test]
fn mistakes_of_an_environment_file_show_their_lines() {
    let jobs = JOBS;
    let said = |file: &str, pairs: &[(&str, &str)]| {
        let (environment, mistakes) = with_file(file, pairs);
        let read = crate::config::diagnostic::render_all(&mistakes, false);
        format!("{read}{}\n", super::said(jobs, &environment))
    };
    assert_snapshot!(
        [
            said("A=1\nAIBTC_TWEET_INTERVAL_SECONDS=soon\n", &[]),
            said("AIBTC_TWEET_ENABLED=true\nAIBTC_TWEET_ENABLED=false\n", &[]),
            said("AIBTC_TWEET_ENABLED=true\n", &[("AIBTC_TWEET_ENABLED", "false")]),
            said("AIBTC_TWEET_ENABLED=true\n", &[("JOBSTILE_TWEET_ENABLED", "false")]),
            said("AIBTC_CHAINSTATE_MONITOR_ENABLED=false\nJOBSTILE_STOER=x\n", &[]),
            said("nonsense\nA='x\n=1\nB=\"x\" y\n", &[]),
        ]
        .join("\n----\n")
    );
    // The same value twice is one value.
    assert_eq!(said("AIBTC_TWEET_ENABLED=no\n", &[("AIBTC_TWEET_ENABLED", "false")]), "\n");
}

#[test]
fn what_else_is_there_is_listed_without_values() {
    let loaded = load(
        JOBS,
        &variables(&[
            ("AIBTC_SUPABASE_URL", "secret"),
            ("AIBTC_TWITTER_ENABLED", "true"),
            ("AIBTC_TWEET_ENABLED", "1"),
            ("AIBTC_JOB_DEDUPLICATION_ENABLED", "True"),
            ("AIBTC_AGGRESSIVE_DEDUPLICATION_ENABLED", ""),
            ("AIBTC_CHAIN_STATE_MONITOR_ENABLED", "0"),
            ("JOBSTILE_CHAIN_STATE_MONITOR_ENABLED", "no"),
            ("PATH", "/bin"),
        ]),
    );
    let survey = loaded.unwrap_or_else(|f| panic!("{}", f.render(false))).survey;
    assert_eq!(survey.foreign, ["AIBTC_SUPABASE_URL"]);
    assert_eq!(survey.no_job, ["AIBTC_TWITTER_ENABLED"]);
    assert_eq!(
        survey.read_differently,
        [
            "AIBTC_AGGRESSIVE_DEDUPLICATION_ENABLED= (empty): the predecessor took it as false; Jobstile takes it as not set",
            "AIBTC_TWEET_ENABLED=1: the predecessor took anything but `true` as false; Jobstile takes 1 as true",
        ]
    );
}

#[test]
fn a_name_is_spelled_in_upper_case_with_underscores() {
    let jobs = "[jobs.\"sync-prices.v2\"]\nevery = \"1m\"\ntimeout = \"1m\"\ncommand = [\"df\"]\n";
    let loaded = load(jobs, &variables(&[("JOBSTILE_SYNC_PRICES_V2_INTERVAL_SECONDS", "7")]));
    let loaded = loaded.unwrap_or_else(|f| panic!("{}", f.render(false)));
    assert_eq!(loaded.jobs["sync-prices.v2"].policy.schedule.map(|s| s.every), Some(Duration::from_secs(7)));
}

#[test]
fn the_store_may_be_in_a_variable() {
    let file = "store = \"env:JOBS_URL\"\n[jobs.a]\ncommand = [\"df\"]\n";
    let loaded =
        load(file, &variables(&[("JOBS_URL", "sqlite:///a.db")])).unwrap_or_else(|f| panic!("{}", f.render(false)));
    assert_eq!(loaded.store.as_deref(), Some("sqlite:///a.db"));
    assert_eq!(loaded.settings[0].origin.to_string(), "environment JOBS_URL");
    assert!(load(file, &variables(&[("JOBS_URL", "")])).is_err());
    assert!(load(file, &variables(&[("JOBS_URL", "a\u{fffd}")])).is_err());
}
