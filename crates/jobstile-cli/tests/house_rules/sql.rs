//! Rules for SQL and the databases' drivers.

use super::source::Source;

const BEHIND_ITS_BACK: [&str; 2] = ["crates/jobstile/tests/store/", "crates/jobstile/tests/migration"];

pub(super) fn sql_lies_under_store(file: &Source) -> Vec<(usize, String)> {
    const STORE: &str = "crates/jobstile/src/store/";
    if file.path.starts_with(STORE) || file.is_test() {
        return vec![];
    }
    if file.path.ends_with(".sql") {
        return vec![(1, format!("a statement outside {STORE}"))];
    }
    file.strings
        .iter()
        .filter(|(_, text)| is_sql(text))
        .map(|(line, text)| (*line, format!("SQL outside {STORE}: {}", text.lines().next().unwrap_or_default())))
        .collect()
}

/// Whether a string literal is a statement, or a path to one.
fn is_sql(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let starts = |word: &str| text.starts_with(word);
    starts("select ") && text.contains(" from ")
        || starts("insert into ")
        || starts("insert or ")
        || starts("update ") && text.contains(" set ") && text.contains('=')
        || starts("delete from ")
        || ["create ", "drop ", "alter "].iter().any(|verb| {
            ["table", "index", "unique index", "trigger", "view"].iter().any(|what| starts(&format!("{verb}{what} ")))
        })
        || starts("pragma ")
        || starts("begin immediate")
        || text.ends_with(".sql") && !text.contains(' ')
}

pub(super) fn a_driver_stays_in_its_store(file: &Source) -> Vec<(usize, String)> {
    const DRIVERS: [(&str, &str); 2] = [("rusqlite", "sqlite"), ("tokio_postgres", "postgres")];
    let mut found = vec![];
    for (driver, store) in DRIVERS {
        let home = format!("crates/jobstile/src/store/{store}");
        // Tests that damage a store, or make one of an older version, do so behind its back.
        let behind_its_back = BEHIND_ITS_BACK.iter().any(|folder| file.path.starts_with(folder));
        if !file.path.starts_with(&home) && !behind_its_back {
            found.extend(file.finds(&[driver]).into_iter().map(|(line, _)| (line, format!("{driver} outside {home}"))));
        }
    }
    found
}

/// The statements of a `.sql` file that is not a migration: without comments, in lower case, single spaces.
fn statements(file: &Source) -> Vec<String> {
    if !file.path.ends_with(".sql") || file.path.contains("/migrations/") || file.path.contains("/tests/migration/") {
        return vec![];
    }
    let text: String =
        file.text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    let text = text.to_ascii_lowercase().replace('=', " = ").replace(',', " , ").replace(['(', ')'], " ");
    text.split(';')
        .map(|one| one.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|one| !one.is_empty())
        .collect()
}

pub(super) fn one_statement_a_file(file: &Source) -> Vec<(usize, String)> {
    let statements = statements(file);
    let mut found = vec![];
    if statements.len() > 1 {
        found.push((1, format!("{} statements in one file", statements.len())));
    }
    for one in &statements {
        let all_columns = one.split(' ').collect::<Vec<_>>().windows(2).any(|pair| match pair {
            ["select" | "," | "distinct" | "returning", column] => *column == "*" || column.ends_with(".*"),
            _ => false,
        });
        if all_columns {
            found.push((1, "columns without their names: *".into()));
        }
    }
    found
}

pub(super) fn an_update_of_a_run_is_fenced(file: &Source) -> Vec<(usize, String)> {
    // What a claim, an attempt's end or a cancel writes. What follows from the policy alone may change for many runs at
    // once, without their fences.
    const LIFE: [&str; 14] = [
        "state",
        "outcome",
        "code",
        "node",
        "fence",
        "due",
        "rank",
        "claims",
        "failures",
        "lost",
        "claimed_at",
        "ended_at",
        "cancel_at",
        "args",
    ];
    let mut found = vec![];
    for one in statements(file) {
        let Some((_, rest)) = one.split_once("update run ") else { continue };
        let (set, condition) = rest.rsplit_once(" where ").unwrap_or((rest, ""));
        let compares = |text: &str, column: &str| {
            let words: Vec<&str> = text.split(' ').collect();
            words
                .windows(2)
                .any(|pair| pair[1] == "=" && (pair[0] == column || pair[0].ends_with(&format!(".{column}"))))
        };
        let life = LIFE.iter().any(|column| compares(set, column));
        if life && !(compares(condition, "id") && compares(condition, "fence")) {
            found.push((1, "an update of a run's life without `where id = ? and fence = ?`".into()));
        }
    }
    found
}
