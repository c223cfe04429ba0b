//! The verbs that need no store, as somebody types them: what they print, where, and how they exit.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use jobstile_child::Limited as _;

use insta::assert_snapshot;

/// A folder, also the user's home, in which the program is run with nothing in its environment.
struct Place {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        Self { folder, variables: vec![] }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.replace("HOME", &self.path().display().to_string())));
        self
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobstile"));
        command.args(line.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        command.env_clear().with_bug().env("PATH", "/usr/bin:/bin").env("HOME", self.path());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).limited().expect("the program starts")
    }

    /// The command, what it printed on both, and its exit code; the folder is `HOME`.
    fn screen(&self, line: &str) -> String {
        let output = self.run(line);
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).expect("text");
            without_times(&text.replace(&self.path().display().to_string(), "HOME"))
        };
        let mut screen = format!("$ jobstile {line}\n{}", text(output.stdout));
        let words = text(output.stderr);
        if !words.is_empty() {
            screen.push_str(&format!("--- to standard error\n{words}"));
        }
        screen + &format!("[exit {}]\n", output.status.code().expect("a code"))
    }
}

/// Without what depends on the moment: the last column of the table of next times, the line below it, their JSON.
fn without_times(text: &str) -> String {
    let (mut lines, mut column) = (String::new(), None);
    for line in text.lines() {
        if line.is_empty() {
            column = None;
        }
        match (column, line.split_once("\"next\":[\"")) {
            (Some(at), _) if line[at..].starts_with(|c: char| !c.is_lowercase()) => {
                lines.push_str(&format!("{}(times)\n", &line[..at]));
            }
            (None, Some((start, rest))) => {
                let (_, rest) = rest.split_once(']').expect("a list");
                lines.push_str(&format!("{start}\"next\":[(times)]{rest}\n"));
            }
            _ if line.starts_with("as on a first start now, ") => lines.push_str("as on a first start now, (time)\n"),
            _ => lines.push_str(&format!("{line}\n")),
        }
        column = column.or(line.find("NEXT, in UTC"));
    }
    lines
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("a code")
}

const GOOD: &str = "\
[defaults]
timeout = \"5m\"
command = [\"true\"]
cwd = \"/\"

[jobs.chain_state_monitor]
every = \"90s\"

[jobs.tweet]
every = \"2m\"
first = \"after_interval\"

[jobs.by_hand]
";

#[test]
fn init_writes_a_file_that_check_likes() {
    let place = Place::new(&[]);
    assert_snapshot!(
        [
            place.screen("init"),
            place.screen("check"),
            place.screen("init"),
            place.screen("init --config sub/other.toml"),
        ]
        .join("\n")
    );
    fs::create_dir(place.path().join("sub")).expect("a folder");
    assert_eq!(code(&place.run("init --config sub/other.toml")), 0);
    assert_eq!(code(&place.run("check --config sub/other.toml")), 0);
}

#[test]
fn check_of_a_good_file() {
    let place = Place::new(&[("jobstile.toml", GOOD), (".env", "# a\nAIBTC_TWEET_ENABLED=0\n")]);
    assert_snapshot!([place.screen("check"), place.screen("check --env-file .env -o jsonl")].join("\n"));
}

#[test]
fn check_of_what_looks_wrong_is_a_success() {
    let file = GOOD
        .replace("[jobs.tweet]", "[jobs.tweet]\nattempts = 3\nbackoff = { delay = \"3m\" }")
        .replace("\"true\"", "\"./nowhere\"");
    assert_snapshot!(Place::new(&[("jobstile.toml", &file)]).screen("check"));
}

#[test]
fn check_marks_what_is_missing() {
    let jobs = "[defaults]\nevery = \"1h\"\ntimeout = \"1m\"\ncommand = [\"true\"]\n[jobs.a]\ncwd = \"nowhere\"\n\
                [jobs.b]\nenv_file = \"nowhere.env\"\n";
    let shown = Place::new(&[("jobstile.toml", jobs)]).screen("check");
    assert!(shown.contains("jobstile.toml:6:1") && shown.contains("jobstile.toml:8:1"), "{shown}");
}

#[test]
fn check_of_a_bad_file() {
    let file = GOOD.replace("every = \"90s\"", "evry = 90").replace("\"2m\"", "120");
    let place = Place::new(&[("jobstile.toml", &file)]);
    assert_snapshot!(
        [
            place.screen("check"),
            place.screen("check -o json"),
            place.screen("config"),
            place.screen("check --config elsewhere.toml"),
            place.screen("check --env-file nowhere.env"),
            Place::new(&[]).screen("check"),
            Place::new(&[("jobstile.toml", GOOD)]).with("JOBSTILE_STROE", "x").screen("check"),
            Place::new(&[("jobstile.toml", GOOD)]).with("JOBSTILE_LOG", "loud").screen("ls"),
        ]
        .join("\n")
    );
    fs::write(place.path().join("jobstile.toml"), b"# \xff\n").expect("a file");
    assert_snapshot!("check_of_a_file_that_is_no_text", place.screen("check"));
}

#[test]
fn config_says_where_every_value_came_from() {
    let env = "AIBTC_CHAIN_STATE_MONITOR_INTERVAL_SECONDS=300\nAIBTC_TWEET_ENABLED=1\nAIBTC_TWITTER_ENABLED=true\n\
               AIBTC_SUPABASE_URL=secret\nAIBTC_WEBHOOK_AUTH_TOKEN=secret\n";
    let place =
        Place::new(&[("jobstile.toml", GOOD), (".env", env)]).with("JOBSTILE_JOB_STACKING_PREVENTION_ENABLED", "off");
    let (table, lines) = (place.screen("config --env-file .env"), place.screen("config --env-file .env -o jsonl"));
    let json = place.screen("config --env-file .env -o json --store other.db");
    assert!(![&table, &lines, &json].iter().any(|screen| screen.contains("secret")));
    assert_snapshot!(table);
    assert_snapshot!("config_as_lines", lines);
    let json: String = json.lines().filter(|line| !line.starts_with(['$', '['])).collect();
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["settings"]["store"], serde_json::json!({ "value": "other.db", "origin": "--store" }));
    assert_eq!(
        json["jobs"]["chain_state_monitor"]["every"],
        serde_json::json!({
            "value": "5m",
            "origin": ".env:1 AIBTC_CHAIN_STATE_MONITOR_INTERVAL_SECONDS",
            "instead_of": { "value": "90s", "origin": "jobstile.toml:7" },
        })
    );
    assert_eq!(json["not_ours"], serde_json::json!(["AIBTC_SUPABASE_URL", "AIBTC_WEBHOOK_AUTH_TOKEN"]));
}

/// The line of the store in `config`.
fn store(place: &Place, line: &str) -> String {
    let output = place.run(&format!("config {line}"));
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    let line = text.lines().find(|line| line.starts_with("store ") || line.contains("error")).unwrap_or(&text);
    let line = line.replace(&place.path().display().to_string(), "HOME");
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn where_the_store_is() {
    let with = |top: &str| format!("{top}\n{GOOD}");
    let place = |top: &str| Place::new(&[("jobstile.toml", &with(top)), ("conf/shop.toml", &with(top))]);
    for (place, line, expected) in [
        (place(""), "", "store ./.jobstile/jobstile.db default"),
        (place(""), "--config conf/shop.toml", "store conf/.jobstile/shop.db default"),
        (place("store = \"a.db\""), "", "store ./a.db jobstile.toml:1"),
        (place("store = \"a.db\""), "--config conf/shop.toml", "store conf/a.db conf/shop.toml:1"),
        (place("store = \"sqlite:///srv/a.db\""), "", "store /srv/a.db jobstile.toml:1"),
        (place("store = \"sqlite://a.db\""), "", "store ./a.db jobstile.toml:1"),
        (place("store = \"env:DB\"").with("DB", "b.db"), "", "store ./b.db environment DB"),
        (
            place("store = \"a.db\"").with("JOBSTILE_STORE", "c.db"),
            "",
            "store c.db environment JOBSTILE_STORE (file: a.db)",
        ),
        (place("store = \"a.db\"").with("JOBSTILE_STORE", ""), "", "store ./a.db jobstile.toml:1"),
        (place("store = \"a.db\"").with("JOBSTILE_STORE", "c.db"), "--store d.db", "store d.db --store (file: a.db)"),
        (place("").with("DATABASE_URL", "postgres://h/db"), "", "store ./.jobstile/jobstile.db default"),
        (place(""), "--store postgres://u:p@h/db", "error: --store: PostgreSQL is not in this version yet"),
        (place(""), "--store redis://h", "error: --store: redis:// is not a kind of store"),
        (
            place(""),
            "--store sqlite::memory:",
            "error: --store: a store in memory ends with its process: it is for programs that embed Jobstile",
        ),
        (place(""), "--store sqlite://a.db?mode=ro", "error: --store: a store takes no parameters"),
        (place(""), "--store dir/", "error: --store: a store needs a file name"),
        (place("store = \"postgres://u:p@h/db\""), "", "error: PostgreSQL is not in this version yet"),
    ] {
        assert_eq!(store(&place, line), expected, "{line}");
    }
    let user = Place::new(&[(".config/jobstile/jobstile.toml", GOOD)]);
    assert_eq!(store(&user, ""), "store HOME/.local/state/jobstile/jobstile.db default");
    let xdg = Place::new(&[("x/jobstile/jobstile.toml", GOOD)])
        .with("XDG_CONFIG_HOME", "HOME/x")
        .with("XDG_STATE_HOME", "HOME/s");
    assert_eq!(store(&xdg, ""), "store HOME/s/jobstile/jobstile.db default");
    // A relative one is none.
    let relative = Place::new(&[("x/jobstile/jobstile.toml", GOOD)]).with("XDG_CONFIG_HOME", "x");
    assert_eq!(store(&relative, ""), "error: there is no configuration file");
}

#[test]
fn what_cannot_be_understood() {
    let place = Place::new(&[("jobstile.toml", GOOD)]);
    let lines = ["run", "chekc", "quux", "status", "check --envfile x", "check -o xml", "check extra", ""];
    for line in lines {
        assert_eq!(code(&place.run(line)), 2, "{line}");
    }
    assert_snapshot!(["run", "chekc", "quux", "check --envfile x"].map(|line| place.screen(line)).join("\n"));
}

#[test]
fn a_broken_pipe_is_success() {
    let place = Place::new(&[("jobstile.toml", GOOD)]);
    for line in ["config", "check", "completions bash", "--help"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output =
            place.command(line).stdout(writer).stderr(Stdio::piped()).limited_as_it_is().expect("the program starts");
        assert_eq!((code(&output), String::from_utf8_lossy(&output.stderr).as_ref()), (0, ""), "{line}");
    }
}

#[test]
fn a_full_disk_is_no_success() {
    let place = Place::new(&[("jobstile.toml", GOOD)]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let output =
        place.command("config").stdout(full).stderr(Stdio::piped()).limited_as_it_is().expect("the program starts");
    assert_eq!(code(&output), 1);
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: cannot write the output: "));
}

#[test]
fn completions_name_the_verbs() {
    let place = Place::new(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = place.run(&format!("completions {shell}"));
        assert_eq!(code(&output), 0, "{shell}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("completions"), "{shell}");
    }
}
