use proptest::prelude::*;

use super::*;

/// A file with everything in it.
const WHOLE: &str = r#"store = "sqlite:///var/lib/jobstile/é.db" # ünïcode
kill_after = '2s'
shutdown_grace = "1m"
workers = 16

[defaults]
http     = { method = "POST", url = "http://127.0.0.1:8000/jobs/{job}", headers = { A = "b" } }
attempts = 3
timeout  = "5m"

[jobs.chain_state_monitor]
every   = "90s"
backoff = { delay = "2m", factor = 1.5, max = "1h" }

[jobs."sync-prices"]
every    = "5m"
command  = ["./bin/sync", """two
lines"""]
cwd      = "/srv/app"
env      = { MODE = "fast" }
pass_env = ["HIRO_*"]
args     = { wallet = "SP2X0", n = 1, deep = [[{ a = 2020-01-01 }]] }
dedup    = { key = ["wallet"], until = "start", on_duplicate = "fail" }

[jobs.pg-dump]
shell = 'pg_dump -Fc app > /backup/app-$(date +%F).dump'
overlap = "queue-one"
"#;

/// Reads it, and renders whatever is said about it.
fn survives(text: &str) {
    let environment = variables(&[("AIBTC_PG_DUMP_ENABLED", "no")]);
    let source = source(text);
    let found = match read(&source, Path::new("/srv/app"), &environment) {
        Ok(loaded) => loaded.warnings,
        Err(failed) => failed.found,
    };
    for diagnostic in &found {
        assert!(!diagnostic.render(false).is_empty());
        diagnostic.to_json();
    }
}

#[test]
fn a_file_may_end_anywhere() {
    assert!(load(WHOLE, &Environment::default()).is_ok());
    for (end, _) in WHOLE.char_indices() {
        survives(&WHOLE[..end]);
    }
}

#[test]
fn a_file_may_lack_any_character() {
    for (at, c) in WHOLE.char_indices() {
        survives(&format!("{}{}", &WHOLE[..at], &WHOLE[at + c.len_utf8()..]));
    }
}

proptest! {
    #[test]
    fn any_change_is_survived(at in 0..WHOLE.len(), len in 0usize..12, with in "[\\[\\]{}=\"'#.,\n a0é\\\\-]{0,6}") {
        let border = |mut at: usize| {
            at = at.min(WHOLE.len());
            while !WHOLE.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (start, end) = (border(at), border(at + len));
        survives(&format!("{}{with}{}", &WHOLE[..start], &WHOLE[end.max(start)..]));
    }

    #[test]
    fn any_text_is_survived(text in "\\PC{0,40}") {
        survives(&text);
    }

    #[test]
    fn any_value_of_any_key_is_survived(
        key in prop::sample::select(crate::config::keys::JOB.known()),
        value in prop::sample::select(vec![
            "1", "-1", "0", "1.5", "inf", "nan", "true", "\"\"", "\"x\"", "\"5s\"", "\"none\"", "[]", "[1]", "[\"a\"]", "{}",
            "{ a = 1 }", "{ key = [] }", "{ delay = 1 }", "{ url = \"x\" }", "2020-01-01", "9223372036854775807", "0xff",
        ]),
    ) {
        survives(&format!("[defaults]\ncommand = [\"df\"]\n[jobs.a]\n{key} = {value}\n"));
        survives(&format!("[defaults]\n{key} = {value}\n[jobs.a]\nevery = \"1h\"\nhttp = {{ url = \"http://h/\" }}\n"));
    }
}
