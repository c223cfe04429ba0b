//! The reference page is made from the table of keys.

use std::fmt::Write;

use jobstile_core::policy::keys::{self, Default, Table, Takes};

use super::*;

const BEGIN: &str = "<!-- made from the table of keys: begin -->\n";
const END: &str = "<!-- made from the table of keys: end -->";
/// Set, it makes the page anew.
const WRITE: &str = "JOBSTILE_WRITE_DOCS";

fn made() -> String {
    let tables = [
        (Table::File, "### The whole file"),
        (Table::Job, "### A job: `[jobs.NAME]`, or `[defaults]` for all of them"),
        (Table::Dedup, "### `dedup` of a job"),
        (Table::Backoff, "### `backoff` of a job"),
        (Table::Http, "### `http` of a job"),
        (Table::OnCancel, "### `on_cancel` of `http`"),
    ];
    let mut page = String::new();
    for (table, title) in tables {
        let _ = write!(page, "\n{title}\n\n| key | takes | default | what it is for |\n| --- | --- | --- | --- |\n");
        for key in keys::of(table) {
            let default = match key.default {
                Default::Value(value) => format!("`{value}`"),
                Default::Words(words) => words.to_owned(),
                Default::Nothing => "none".to_owned(),
            };
            let takes = match key.takes {
                Takes::Table(Table::Job) => "every key of a job".to_owned(),
                Takes::Table(_) => "a table, see below".to_owned(),
                takes => takes.in_words(),
            };
            let _ = writeln!(page, "| `{}` | {takes} | {default} | {} |", key.name(), key.about.replace('|', "\\|"));
        }
    }
    page.push('\n');
    page
}

#[test]
fn the_reference_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference.md");
    let page = std::fs::read_to_string(&path).expect("docs/reference.md");
    let (before, rest) = page.split_once(BEGIN).expect("where the table begins");
    let (_, after) = rest.split_once(END).expect("where the table ends");
    let current = format!("{before}{BEGIN}{}{END}{after}", made());
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &current).expect("written");
    } else {
        assert!(page == current, "docs/reference.md is out of date: run this test again with {WRITE}=1");
    }
}
