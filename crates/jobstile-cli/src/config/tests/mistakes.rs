use insta::assert_snapshot;

use super::*;

/// A job around some keys.
fn job(keys: &str) -> String {
    format!("[jobs.backup]\nevery = \"1h\"\ncommand = [\"df\"]\n{keys}\n")
}

fn job_pages(keys: &[&str]) -> String {
    let texts: Vec<String> = keys.iter().map(|keys| job(keys)).collect();
    pages(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn unknown_keys() {
    assert_snapshot!(pages(&[
        "[jobs.backup]\ncommand = [\"df\"]\n\nevry = \"1h\"",
        "stoer = \"a.db\"\n[job.backup]\ncommand = [\"df\"]\n",
        "every = \"1h\"\nzzz = 1\npools = {}",
        "[defaults]\nretries = 3\ncron = \"* * * * *\"\nworkers = 3",
        "[jobs.a]\ncommand = [\"df\"]\ndedup = { kye = [\"a\"], for = \"10m\" }\nbackoff = { jitter = 1 }",
        "[jobs.a]\nhttp = { url = \"http://h/\", timeout = \"1m\", hedaers = {} }\nquux = 1",
        "[jobs.a]\ncomand = [\"df\"]\nshutdown_grace = \"5s\"",
    ]));
}

#[test]
fn what_toml_says_of_values() {
    assert_snapshot!(pages(&["[jobs.a]\ncwd = foo", "[jobs.a]\nshell =", "[jobs.a\nshell = \"df\"",]));
}

#[test]
fn durations() {
    assert_snapshot!(job_pages(&[
        "timeout = 90",
        "timeout = -90",
        "timeout = \"0s\"",
        "timeout = \"-5s\"",
        "timeout = \"90\"",
        "timeout = \"5 fortnights\"",
        "timeout = \"11y\"",
        "timeout = \"4000d\"",
        "timeout = \"\"",
        "timeout = true",
        "timeout = \"5s 1h\"",
        "backoff = { delay = \"0s\", max = 5 }",
        "backoff = \"30s\"",
    ]));
    assert_snapshot!(
        "the_shortest_interval",
        pages(&["[jobs.a]\ncommand = [\"df\"]\nevery = \"1ms\"", "[jobs.a]\ncommand = [\"df\"]\nevery = 90"])
    );
}

#[test]
fn the_policy_model() {
    assert_snapshot!(job_pages(&[
        "dedup = { until = \"10m\" }",
        "dedup = { until = \"strat\" }",
        "dedup = { key = \"wallet\" }",
        "dedup = { key = [\"wallet\"] }",
        "dedup = { key = [\"wallet\", \"net\"] }\nargs = { wallet = \"a\", net = 1.5 }",
        "dedup = { key = [\"a\", \"a\"] }",
        "dedup = { on_duplicate = \"preempt\" }",
        "dedup = \"start\"",
        "overlap = \"skip\"\nmax_concurrent = 2\ndedup = {}",
        "overlap = \"replace\"",
        "overlap = \"queue_one\"",
        "monitoring = true\noverlap = \"queue\"",
        "max_concurrent = 0",
        "max_concurrent = 10001",
        "max_concurrent = \"many\"",
        "max_concurrent = \"unlimited\"\nmax_waiting = 0",
        "max_waiting = -1",
        "on_full = \"drop\"",
        "priority = \"urgent\"",
        "priority = 1",
        "attempts = 0",
        "attempts = 3.5",
        "backoff = { delay = \"2h\" }",
        "backoff = { delay = \"2m\", max = \"1m\", factor = 0.5 }",
        "catch_up = { mode = \"all\" }",
        "catch_up = \"all\"",
        "first = \"later\"",
        "enabled = \"yes\"",
        "args = [1]",
        "args = { a = inf }",
    ]));
    assert_snapshot!(
        "monitoring_by_name",
        pages(&[
            "[jobs.chain_state_monitor]\nevery = \"90s\"\ntimeout = \"5m\"\ncommand = [\"df\"]\ndedup = { key = [] }",
            "[defaults]\noverlap = \"queue-one\"\n[jobs.chain_state_monitor]\nevery = \"90s\"\ntimeout = \"5m\"\ncommand = [\"df\"]",
        ])
    );
}

#[test]
fn handlers() {
    assert_snapshot!(pages(&[
        "[jobs.a]\nevery = \"1h\"",
        "[jobs.a]\ncommand = [\"df\"]\nshell = \"df\"",
        "[jobs.a]\ncommand = \"df -h\"",
        "[jobs.a]\ncommand = []",
        "[jobs.a]\ncommand = [\"\"]",
        "[jobs.a]\ncommand = [1]",
        "[jobs.a]\nshell = \"\"",
        "[jobs.a]\nhttp = \"http://127.0.0.1:8000/a\"",
        "[jobs.a]\nhttp = {}",
        "[jobs.a]\nhttp = { url = \"ftp://h/\", method = \"get\" }",
        "[jobs.a]\nhttp = { url = \"http://h/{name}\" }",
        "[jobs.a]\nhttp = { url = \"http://{job}/\" }",
        "[jobs.a]\nhttp = { url = \"http:///x\" }",
        "[jobs.a]\nhttp = { url = \"http://h/\", headers = { Authorization = \"Bearer ${TOKEN}\" } }",
        "[jobs.a]\nhttp = { url = \"http://h/\", headers = { Authorization = { prefix = \"Bearer \" } } }",
        "[jobs.a]\nhttp = { url = \"http://h/\", headers = { Authorization = { env = \"TOKEN\", suffix = \"x\" } } }",
        "[jobs.a]\nhttp = { url = \"http://h:99999/\" }",
        "[jobs.a]\nhttp = { url = \"http://h/\", headers = { \"a b\" = \"x\", Jobstile-Fence = \"1\", A = 1 } }\ncwd = \"/\"",
        "[jobs.a]\ncommand = [\"df\"]\nenv = { \"A=B\" = \"1\", JOBSTILE_RUN_ID = \"1\", C = 1 }",
        "[jobs.a]\ncommand = [\"df\"]\npass_env = [\"A*B\"]\ncwd = 3",
        "[jobs.a]\ncommand = [\"df\\u0000\"]",
    ]));
}

#[test]
fn names_and_tables() {
    assert_snapshot!(pages(&[
        "[jobs.\"a b\"]\ncommand = [\"df\"]\n[jobs.\"\"]\ncommand = [\"df\"]",
        "[jobs.sync-prices]\ncommand = [\"df\"]\n[jobs.sync_prices]\ncommand = [\"df\"]",
        "[jobs.job-deduplication]\ncommand = [\"df\"]",
        "[jobs]\na = 1",
        "jobs = 3\ndefaults = \"x\"",
        "workers = 0\nkill_after = \"0s\"\nshutdown_grace = 25\nowner = \"shop\"",
        "store = \"env:JOBS_URL\"\n[jobs.a]\ncommand = [\"df\"]",
        "",
    ]));
}

#[test]
fn no_toml() {
    assert_snapshot!(pages(&[
        "[jobs.a\ncommand = [\"df\"]",
        "[jobs.a]\nevery = 90s\n",
        "[jobs.a]\nevery = \"1h\"\nevery = \"2h\"\n[jobs.a]\n",
        "= 1",
        "a = \"é\u{7}",
    ]));
}

#[test]
fn many_mistakes_are_counted() {
    let text: String = (0..30).map(|n| format!("k{n} = 1\n")).collect();
    let said = said(&text, &Environment::default());
    assert!(said.ends_with("and 10 more"), "{said}");
    assert_eq!(said.matches("error: ").count(), 20);
}

#[test]
fn nothing_in_a_file_acts_on_the_terminal() {
    for text in [
        "\"\\u001b[31m\\n\" = 1",
        "[jobs.a]\n\"\\u202ex\" = 1",
        "[jobs.a]\nshell = \"x\"\npriority = \"\\u001b[2J\"",
        "# \u{1b}[31m\nzzz = 1",
        "zzz = 1 # \u{202e}\u{1b}]0;title\u{7}",
    ] {
        let said = said(text, &Environment::default());
        let acts = said.chars().find(|c| c.is_control() && *c != '\n' || ('\u{202a}'..='\u{202e}').contains(c));
        assert_eq!(acts, None, "{said:?}");
    }
    let said =
        said("[jobs.a]\nshell = \"x\"", &variables(&[("JOBSTILE_\u{1b}[31m", "x"), ("AIBTC_A_ENABLED", "\u{1b}[2J")]));
    assert!(!said.contains('\u{1b}'), "{said:?}");
}

#[test]
fn what_looks_wrong() {
    assert_snapshot!(pages(&[
        // A retry that comes later than the next tick.
        "[defaults]\nattempts = 3\ntimeout = \"5m\"\n[jobs.chain_state_monitor]\nevery = \"90s\"\nbackoff = { delay = \"2m\" }\ncommand = [\"df\"]",
        "[jobs.a]\nevery = \"10m\"\nattempts = 9\nbackoff = { delay = \"11m\", factor = 1 }\noverlap = \"queue-one\"\ndedup = {}\ncommand = [\"df\"]",
        "[jobs.a]\nevery = \"10m\"\nattempts = 9\nbackoff = { delay = \"11m\", factor = 1 }\ndedup = {}\ncommand = [\"df\"]",
        // An attempt that hangs.
        "[jobs.a]\nevery = \"1m\"\ntimeout = \"11m\"\ncommand = [\"df\"]",
        "[jobs.a]\nevery = \"1m\"\ntimeout = \"none\"\ncommand = [\"df\"]",
        "[jobs.a]\nevery = \"1m\"\ncommand = [\"df\"]",
        "[jobs.a]\nevery = \"1m\"\ncommand = [\"df\"]\n[jobs.b]\nevery = \"1m\"\ncommand = [\"df\"]",
        "[defaults]\nevery = \"1m\"\ncommand = [\"df\"]\n[jobs.a]\n[jobs.b]\n[jobs.c]\n",
        // What only a shell would expand.
        "[jobs.a]\ncommand = [\"~/bin/x\"]\ncwd = \"$HOME/app\"\nenv_file = \"${HOME}/env\"",
        "[jobs.a]\nshell = \"cd ~ && echo $HOME\"\ncwd = \"~/app\"",
        // A limit that means nothing.
        "[jobs.a]\nmonitoring = true\nevery = \"1h\"\nmax_concurrent = 4\ncommand = [\"df\"]",
        // Keys that mean nothing.
        "[jobs.a]\ncommand = [\"df\"]\nfirst = \"now\"\ncatch_up = \"none\"\nargs = {}\nenabled = false",
    ]));
}

#[test]
fn nothing_is_said_about_what_is_right() {
    for text in [
        "[jobs.a]\nevery = \"6m\"\nhttp = { url = \"HTTP://h/{job}\", headers = { A = { env = \"T\", prefix = \"Bearer \" } } }\npass_env = [\"T\"]",
        "[jobs.a]\nevery = \"6m\"\nshell = \"echo $HOME ~\"",
        // Exactly at the borders of the lints.
        "[jobs.a]\nevery = \"1m\"\ntimeout = \"10m\"\nattempts = 3\nbackoff = { delay = \"1m\" }\ncommand = [\"df\"]",
        "[jobs.a]\nevery = \"6m\"\ncommand = [\"df\"]",
        // Retries wait beside the ticks.
        "[jobs.a]\nevery = \"10m\"\nattempts = 3\nbackoff = { delay = \"11m\" }\nmax_concurrent = 2\ncommand = [\"df\"]",
        "[jobs.a]\nevery = \"10m\"\nattempts = 3\nbackoff = { delay = \"11m\" }\noverlap = \"queue-one\"\ncommand = [\"df\"]",
        "[jobs.a]\nmonitoring = true\nevery = \"1h\"\nmax_concurrent = 1\ncommand = [\"df\"]",
    ] {
        assert_eq!(said(text, &Environment::default()), "", "{text}");
    }
}
