//! Command lines that somebody may type by mistake: each gets one sentence that names what is wrong, and one that says
//! what to do.

use jobstile_core::outcome::Outcome;

use crate::world::World;

/// As they are typed. What becomes of each stands beside it in the snapshot.
const LINES: &str = r#"
jobstile
jobstile run
jobstile start
jobstile exec --key sync -- ./sync.sh
jobstile status
jobstile stop
jobstile restart
jobstile version
jobstile list
jobstile jobs
jobstile history
jobstile why backup
jobstile daemon
jobstile enable backup
jobstile validate
jobstile log 1
jobstile montor
jobstile trigerr backup
jobstile explian backup
jobstile nonsense
jobstile ''
jobstile --verbose
jobstile --json ls
jobstile -v
jobstile --confg x.toml ls
jobstile --config
jobstile ls --store
jobstile ls -o
jobstile ls -o xml
jobstile ls -o jso
jobstile ls --color
jobstile ls --color sometimes
jobstile ls --store postgres://db/jobs
jobstile ls --store mysql://db/jobs
jobstile ls --store ''
jobstile ls --store :memory:
jobstile ls --store a.db?mode=ro
jobstile ls --store sqlite://a.db?mode=ro
jobstile ls --store nowhere.db
jobstile ls --config nowhere.toml
jobstile ls --al
jobstile ls --json
jobstile ls backup
jobstile ls -f
jobstile init somewhere
jobstile init --force
jobstile serve now
jobstile serve --port 8080
jobstile serve --log-format xml
jobstile serve --log-format
jobstile serve --env-file
jobstile serve --env-file nowhere.env --config serve.toml
jobstile serve --daemon
jobstile reload now
jobstile monitor bakup
jobstile monitor backup report
jobstile monitor backup -j report
jobstile monitor -i 0
jobstile monitor -i 1s
jobstile monitor -i
jobstile monitor -j
jobstile monitor --watch
jobstile monitor -c -c
jobstile top bakup
jobstile trigger
jobstile trigger bakup
jobstile trigger backup report
jobstile trigger backup --wait 1s
jobstile trigger backup --wait=1
jobstile trigger backup --wait=0s
jobstile trigger backup --wait=soon
jobstile trigger backup --in
jobstile trigger backup --in 5
jobstile trigger backup --in 0s
jobstile trigger backup --in tomorrow
jobstile trigger backup --delay 5s
jobstile trigger backup --at tomorrow
jobstile trigger backup --at 25:00
jobstile trigger backup --at 2020-01-01T00:00:00Z
jobstile trigger backup --at 18:30 --in 1h
jobstile trigger backup --priority urgent
jobstile trigger backup --args
jobstile trigger backup --args '{wallet: 3}'
jobstile trigger backup --args '[1]'
jobstile trigger backup --args @nowhere.json
jobstile trigger backup wallet=3 --args '{}'
jobstile trigger backup wallet=1 wallet=2
jobstile trigger backup =3
jobstile trigger backup n=123456789012345678901
jobstile trigger sync_wallet
jobstile trigger sync_wallet walet=SP2X0
jobstile trigger backup --id
jobstile trigger backup --key 3
jobstile cancel
jobstile cancel backup
jobstile cancel 99
jobstile cancel 0
jobstile cancel 1 --force
jobstile retry
jobstile retry x
jobstile retry 99
jobstile retry --dead
jobstile retry --job backup
jobstile retry --since 8h
jobstile retry 1 --job backup --dead
jobstile retry --job bakup --dead
jobstile retry --job backup --dead --since 8
jobstile pause
jobstile pause bakup
jobstile pause backup --all
jobstile pause backup --for ever
jobstile pause backup 2h
jobstile pause backup --for
jobstile resume
jobstile resume bakup
jobstile show
jobstile show bakup
jobstile show 1
jobstile show backup report
jobstile runs 1
jobstile runs 17
jobstile runs bakup
jobstile runs --since 8
jobstile runs --since yesterday
jobstile runs --since -8h
jobstile runs --limit 0
jobstile runs --limit ten
jobstile runs -n 5
jobstile runs --after x
jobstile runs --after 99
jobstile runs --faild
jobstile logs
jobstile logs bakup
jobstile logs 99
jobstile logs report
jobstile logs 1 --attempt 0
jobstile logs 1 --attempt 7
jobstile logs 1 --failed --follow
jobstile logs 1 --tail
jobstile explain
jobstile explain bakup
jobstile explain 99
jobstile explain backup 02:03
jobstile explain --key walet=3
jobstile explain --key sync_wallet walet=3
jobstile explain --key sync_wallet
jobstile explain --key sync_wallet wallet
jobstile explain --key backup wallet=3
jobstile explain backup wallet=3
jobstile next bakup
jobstile next --limit -1
jobstile decisions bakup
jobstile decisions --after x
jobstile decisions --skipped
jobstile keys bakup
jobstile keys --job sync_wallet
jobstile nodes web1
jobstile forget
jobstile forget bakup
jobstile check nowhere.toml
jobstile check --strict
jobstile config backup
jobstile config --env-file
jobstile simulate
jobstile simulate nowhere.toml
jobstile simulate --scenario nowhere.toml
jobstile test-dedup bakup
jobstile test-dedup backup -a
jobstile test-dedup -n 0
jobstile test-dedup -n many
jobstile test-dedup --yes
jobstile test-dedup --live
jobstile doctor store
jobstile verify --deep
jobstile backup
jobstile backup a.db b.db
jobstile backup nowhere/copy.db
jobstile migrate now
jobstile migrate --dry-run
jobstile completions
jobstile completions fsh
"#;

/// What the parser says where nobody words it.
const PARSERS_WORDS: [&str; 9] = [
    "invalid digit",
    "tip:",
    "unexpected argument",
    "invalid value",
    "unrecognized",
    "For more information",
    "Usage:",
    "cannot be used with",
    "required arguments",
];

/// The words of a line, as a shell reads them.
fn words(line: &str) -> Vec<String> {
    let (mut all, mut word, mut quoted) = (vec![], None::<String>, false);
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => all.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    all.extend(word);
    all
}

#[test]
fn every_wrong_command_line_gets_a_sentence_that_says_what_to_do() {
    let mut world = World::new();
    world.ran("backup", "null", 300, 10, Outcome::Success, None);
    std::fs::write(world.path().join("serve.toml"), "[jobs.a]\nevery = \"1h\"\ncommand = [\"true\"]\n").unwrap();
    let lines: Vec<&str> = LINES.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines.len() >= 100);
    let mut table = String::new();
    let mut wrong = vec![];
    for line in lines {
        let typed = words(line);
        let typed: Vec<&str> = typed.iter().skip(1).map(String::as_str).collect();
        let ran = world.run(&typed);
        let said = world.lasting(&ran.err());
        table.push_str(&format!("[{:>2}] {line}\n", ran.code()));
        for (n, text) in said.lines().enumerate() {
            table.push_str(&format!("     {text}\n"));
            let whole = if n == 0 { text.starts_with("error: ") } else { text.starts_with("  ") };
            if !whole || text.chars().count() > 130 {
                wrong.push(format!("{line}: {text}"));
            }
        }
        let foreign = PARSERS_WORDS.iter().find(|word| said.contains(*word));
        if ran.code() == 0 || !ran.out().is_empty() || said.lines().count() != 2 || foreign.is_some() {
            wrong.push(format!("{line}: exit {}, {foreign:?}: {said}{}", ran.code(), ran.out()));
        }
    }
    insta::assert_snapshot!(table);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn under_json_every_error_is_json() {
    let world = World::new();
    for (line, code, kind) in [
        ("ls --al -o json", 2, "usage"),
        ("-o json nonsense", 2, "usage"),
        ("show bakup -ojsonl", 3, "not_found"),
        ("ls --store nowhere.db --output=json", 3, "not_found"),
        ("runs --since 8 --output json", 2, "usage"),
        ("check --config nowhere.toml -o json", 78, "configuration"),
    ] {
        let typed: Vec<&str> = line.split(' ').collect();
        let ran = world.run(&typed);
        let said = ran.err();
        let error: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{line}: {e}: {said}"));
        assert_eq!((ran.code(), error["error"]["kind"].as_str()), (code, Some(kind)), "{line}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        let error = error["error"].as_object().unwrap();
        assert!(error["message"].is_string() && error["hint"].is_string(), "{said}");
    }
    // A configuration has all its problems, each with its place.
    std::fs::write(world.path().join("bad.toml"), "[jobs.a]\nevry = \"1h\"\n[jobs.b]\nevery = 90\n").unwrap();
    let ran = world.run(&["config", "--config", "bad.toml", "-o", "json"]);
    let error: serde_json::Value = serde_json::from_str(&ran.err()).unwrap();
    let problems = error["error"]["problems"].as_array().unwrap();
    assert!(problems.len() >= 2, "{error}");
    assert_eq!((&problems[0]["file"], &problems[0]["line"]), (&"bad.toml".into(), &2.into()));
    assert!(error["error"]["message"].as_str().unwrap().starts_with("bad.toml:2:1: "), "{error}");
}
