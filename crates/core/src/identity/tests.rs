use super::*;
use crate::policy::OnDuplicate;

#[test]
fn what_a_new_run_is_to_its_duplicates() {
    crate::table::check(
        "
        # key rule now | identity
        -     -    now   | unkeyed
        -     on   now   | unkeyed
        -     on   later | unkeyed
        key   -    now   | keyed
        key   -    later | keyed
        key   on   now   | target
        key   on   later | later
        ",
        |row| {
            let when = if row[2] == "now" { When::Now } else { When::At(Time(1)) };
            Identity::of_new(row[0] != "-", row[1] != "-", when).to_string()
        },
    );
}

#[test]
fn what_changes_it() {
    crate::table::check(
        "
        # before  change             | after
        unkeyed   due_under_a_rule   | unkeyed
        unkeyed   due_under_none     | unkeyed
        unkeyed   passed_start       | unkeyed
        unkeyed   ended              | unkeyed
        keyed     due_under_a_rule   | target
        keyed     due_under_none     | keyed
        keyed     passed_start       | keyed
        keyed     ended              | keyed
        later     due_under_a_rule   | target
        later     due_under_none     | keyed
        later     passed_start       | keyed
        later     ended              | keyed
        target    due_under_a_rule   | target
        target    due_under_none     | keyed
        target    passed_start       | keyed
        target    ended              | keyed
        ",
        |row| crate::table::word::<Identity>(row[0]).after(crate::table::word(row[1])).to_string(),
    );
}

#[test]
fn a_missing_key_field_is_a_mistake_only_while_deduplication_is_on() {
    let rule = KeyRule::Fields(vec!["wallet".into()]);
    let missing = |_: &KeyRule| Err(Problem::MissingKeyField);
    assert_eq!(key_of(Some(&rule), true, missing), Err(Problem::MissingKeyField));
    assert_eq!(key_of(Some(&rule), false, missing), Ok(None));
    assert_eq!(key_of(Some(&rule), false, |_| Ok("a".into())), Ok(Some("a".into())));
    assert_eq!(key_of(None, true, missing), Ok(None));
}

#[test]
fn who_gives_way_to_whom() {
    // A run is its state and first due time; `*` was asked to end, `+` was claimed before.
    let kin = |run: i64, word: &str| {
        let (state, due) = word.trim_end_matches(['*', '+']).split_once('@').expect("state@due");
        Kin {
            run: RunId(run),
            first_due: Time(due.parse().expect("a number")),
            state: crate::table::word(state),
            started: word.contains('+'),
            asked_to_end: word.contains('*'),
        }
    };
    crate::table::check(
        "
        # rule  older        newer         | gives way
        start   running@1+   succeeded@2+  | yes
        start   running@1+   running@2+    | yes
        start   running@1+   queued@2      | yes
        start   retrying@1+  retrying@2+   | yes
        start   queued@1+    queued@1      | yes
        start   running@1+   queued@2*     | -
        start   running@1+   scheduled@2   | -
        start   running@1+   dead@2+       | -
        start   running@1+   cancelled@2   | -
        start   running@1+   refused@2     | -
        start   running@1+   expired@2     | -
        start   running@3+   succeeded@2+  | -
        start   queued@1     queued@2      | -
        start   dead@1+      succeeded@2+  | -
        finish  running@1+   succeeded@2+  | -
        none    running@1+   succeeded@2+  | -
        ",
        |row| {
            let until = |until| Dedup { key: KeyRule::AllArguments, until, on_duplicate: OnDuplicate::Skip };
            let rule = match row[0] {
                "none" => None,
                word => Some(until(crate::table::word(word))),
            };
            if gives_way(rule.as_ref(), &kin(1, row[1]), &kin(2, row[2])) { "yes" } else { "-" }.to_owned()
        },
    );
}
