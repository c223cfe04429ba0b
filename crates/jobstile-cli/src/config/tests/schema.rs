use jsonschema::Validator;
use serde_json::Value;

use super::*;
use crate::config::schema::schema;

fn validator() -> Validator {
    let schema = schema();
    jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|error| panic!("no schema: {error}"));
    jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("no schema: {error}"))
}

fn json_of(text: &str) -> Value {
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
    serde_json::to_value(table).expect("JSON")
}

fn errors(validator: &Validator, text: &str) -> Vec<String> {
    validator.iter_errors(&json_of(text)).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Every configuration of the project: the examples, the first file of `init`, and those that the pages show.
fn all_good() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut all = vec![("init.toml".to_owned(), include_str!("../../cmd/init.toml").to_owned())];
    for folder in ["examples", "docs", "."] {
        for entry in std::fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            match path.extension().and_then(|kind| kind.to_str()) {
                Some("toml") if folder == "examples" => {
                    all.push((name, std::fs::read_to_string(&path).expect("text")));
                }
                Some("md") => {
                    let text = std::fs::read_to_string(&path).expect("text");
                    let text = text.replace("<!-- page: wrong -->\n```toml", "");
                    let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
                    // A page shows parts of files too, and scenarios.
                    let whole = blocks.filter(|block| block.contains("[jobs.") && !block.contains("[scenario]"));
                    all.extend(whole.map(|block| (name.clone(), block.to_owned())));
                }
                _ => {}
            }
        }
    }
    all
}

#[test]
fn the_schema_takes_every_configuration_that_is_shown() {
    let validator = validator();
    let all = all_good();
    assert!(all.len() >= 4, "{all:?}");
    for (name, text) in all {
        assert_eq!(errors(&validator, &text), Vec::<String>::new(), "{name}: {text}");
    }
}

/// What editors and the reader both refuse.
#[test]
fn the_schema_and_the_reader_refuse_the_same() {
    let validator = validator();
    let job = |keys: &str| format!("[jobs.a]\nevery = \"1h\"\ncommand = [\"df\"]\n{keys}\n");
    assert_eq!(errors(&validator, &job("")), Vec::<String>::new());
    let inside = [
        "evry = \"1h\"",
        "cron = \"* * * * *\"",
        "first = \"later\"",
        "catch_up = \"all\"",
        "args = [1]",
        "enabled = \"yes\"",
        "monitoring = 1",
        "monitoring = true\ndedup = {}",
        "monitoring = true\noverlap = \"skip\"",
        "overlap = \"replace\"",
        "overlap = \"skip\"\ndedup = {}",
        "overlap = \"skip\"\nmax_concurrent = 2",
        "overlap = \"skip\"\nmax_waiting = 2",
        "dedup = \"start\"",
        "dedup = { key = \"wallet\" }",
        "dedup = { key = [\"a\", \"a\"] }\nargs = { a = 1 }",
        "dedup = { key = [\"\"] }",
        "dedup = { until = \"10m\" }",
        "dedup = { on_duplicate = \"merge\" }",
        "dedup = { kye = [] }",
        "max_concurrent = 0",
        "max_concurrent = 10001",
        "max_concurrent = \"many\"",
        "max_waiting = -1",
        "max_waiting = 10000001",
        "on_full = \"drop\"",
        "priority = \"urgent\"",
        "priority = 1",
        "attempts = 0",
        "attempts = 1001",
        "attempts = 3.5",
        "backoff = \"30s\"",
        "backoff = { delay = 5 }",
        "backoff = { factor = 0.5 }",
        "backoff = { factor = 101 }",
        "backoff = { jitter = 1 }",
        "timeout = 90",
        "timeout = \"90\"",
        "timeout = \"5 fortnights\"",
        "timeout = \"never\"",
        "shell = \"df\"",
        "http = { url = \"http://h/\" }",
        "cwd = 3",
        "cwd = \"\"",
        "env = { A = 1 }",
        "env = { JOBSTILE_RUN_ID = \"1\" }",
        "env = { \"A=B\" = \"1\" }",
        "env_file = false",
        "pass_env = \"HIRO_*\"",
        "pass_env = [\"A*B\"]",
    ];
    let whole = [
        "workers = 0",
        "workers = 100001",
        "kill_after = 5",
        "shutdown_grace = \"soon\"",
        "store = 1",
        "stoer = \"a.db\"",
        "jobs = 3",
        "defaults = \"x\"",
        "[jobs]\na = 1",
        "[jobs.\"a b\"]\ncommand = [\"df\"]",
        "[jobs.-rf]\ncommand = [\"df\"]",
        "[jobs.a]\ncommand = []",
        "[jobs.a]\ncommand = \"df -h\"",
        "[jobs.a]\ncommand = [1]",
        "[jobs.a]\nshell = \"\"",
        "[jobs.a]\nhttp = {}",
        "[jobs.a]\nhttp = \"http://h/\"",
        "[jobs.a]\nhttp = { url = \"ftp://h/\" }",
        "[jobs.a]\nhttp = { url = \"http:///x\" }",
        "[jobs.a]\nhttp = { url = \"http://h/\", method = \"get\" }",
        "[jobs.a]\nhttp = { url = \"http://h/\", headers = { \"a b\" = \"x\" } }",
        "[jobs.a]\nhttp = { url = \"http://h/\", headers = { A = 1 } }",
        "[jobs.a]\nhttp = { url = \"http://h/\", headers = { A = \"Bearer ${TOKEN}\" } }",
        "[jobs.a]\nhttp = { url = \"http://h/\", headers = { A = { prefix = \"Bearer \" } } }",
        "[jobs.a]\nhttp = { url = \"http://h/\", headers = { A = { env = \"T\", suffix = \"x\" } } }",
        "[jobs.a]\nhttp = { url = \"http://h/\", on_cancel = \"http://h/c\" }",
        "[jobs.a]\nhttp = { url = \"http://h/\", on_cancel = {} }",
        "[jobs.a]\nhttp = { url = \"http://h/\", on_cancel = { url = \"h\" } }",
        "[jobs.a]\ncommand = [\"df\"]\nlog_output = \"no\"",
        "[defaults]\nattempts = 0\n[jobs.a]\ncommand = [\"df\"]",
    ];
    let inside = inside.iter().map(|keys| job(keys));
    for text in inside.chain(whole.iter().map(|text| (*text).to_owned())) {
        assert!(load(&text, &Environment::default()).is_err(), "the reader takes\n{text}");
        assert!(!errors(&validator, &text).is_empty(), "the schema takes\n{text}");
    }
}

/// Every key of the table says what it is for, and its default is one that it takes.
#[test]
fn every_key_has_its_sentence_and_a_default_that_it_takes() {
    let validator = validator();
    for key in jobstile_core::policy::keys::KEYS {
        assert!(key.about.ends_with('.') && key.about.len() > 10, "{}", key.path);
        let jobstile_core::policy::keys::Default::Value(value) = key.default else { continue };
        let path: Vec<&str> = key.path.split('.').collect();
        let line = match path.as_slice() {
            [table, inner] if *table == "http" => format!("http = {{ url = \"http://h/\", {inner} = {value} }}"),
            [table, inner] => format!("{table} = {{ {inner} = {value} }}"),
            [name] => format!("{name} = {value}"),
            _ => panic!("{}", key.path),
        };
        let text = match key.table {
            jobstile_core::policy::keys::Table::File => line.clone(),
            _ => format!("[jobs.a]\n{line}\n"),
        };
        assert_eq!(errors(&validator, &text), Vec::<String>::new(), "{text}");
        // It is what holds where nobody writes it.
        let Some(field) = key.field() else { continue };
        let schedule = "[jobs.a]\nevery = \"1h\"\ncommand = [\"df\"]\n";
        let schedule =
            if key.path.starts_with("dedup.") { format!("{schedule}dedup = {{}}\n") } else { schedule.into() };
        let holds = |text: &str| (field.holds)(&good(text).jobs["a"].policy);
        let written = schedule.replace("dedup = {}\n", "");
        assert_eq!(holds(&schedule), holds(&format!("{written}{line}\n")), "{line}");
    }
}
