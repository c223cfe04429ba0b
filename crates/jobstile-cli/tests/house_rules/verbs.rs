//! A verb's file imports no other verb's: what two of them need is a module of its own.

use super::source::{Source, line_of, word};

/// Where the verbs are.
const VERBS: &str = "crates/jobstile-cli/src/cmd/";
/// The modules there that are no verb.
const SHARED: [&str; 6] = ["able", "changes", "first", "in_force", "open", "switched"];

pub(crate) fn imports_no_other_verb(file: &Source) -> Vec<(usize, String)> {
    let Some(inner) = file.path.strip_prefix(VERBS) else { return vec![] };
    let mut folders = inner.trim_end_matches(".rs").split('/');
    let (verb, depth) = (folders.next().unwrap_or_default(), folders.count());
    let up = "super::".repeat(depth + 1);
    let mut found = vec![];
    for prefix in ["crate::cmd::", up.as_str()] {
        for (at, _) in file.code.match_indices(prefix) {
            if file.code[..at].ends_with("::") {
                continue;
            }
            let named = &file.code[at + prefix.len()..];
            let group = named.strip_prefix('{').and_then(|group| group.split_once('}'));
            let names = group.map_or(named, |(group, _)| group);
            let names = if group.is_some() { names.split(',').collect() } else { vec![names] };
            for other in names.into_iter().map(|name| word(name.trim())) {
                // A function of `cmd` itself, `super::super`, or a glob is no verb.
                let module = other.starts_with(char::is_lowercase) && other != "super" && other != "self";
                if module && other != verb && !SHARED.contains(&other) {
                    found.push((line_of(&file.code, at), format!("{verb} imports {other}, another verb's")));
                }
            }
        }
    }
    found
}
