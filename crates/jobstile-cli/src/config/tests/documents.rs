use super::*;
use crate::config::file::source;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_examples_are_good() {
    for name in ["monitors.toml", "aibtc.toml"] {
        let text = source(&root().join("examples").join(name)).expect("an example").text.clone();
        assert_eq!(said(&text, &Environment::default()), "", "{name}");
    }
    let (mut environment, mut mistakes) = (Environment::default(), vec![]);
    environment.add_file(&source(&root().join("examples/aibtc.env")).expect("an example"), &mut mistakes);
    assert_eq!(mistakes, []);
    let text = source(&root().join("examples/aibtc.toml")).expect("an example").text.clone();
    assert_eq!(said(&text, &environment), "");
}

#[test]
fn the_template_of_init_is_good_also_with_what_it_has_in_comments() {
    let template = include_str!("../../cmd/init.toml");
    assert_eq!(said(template, &Environment::default()), "");
    for line in template.lines().filter_map(|line| line.strip_prefix("#   ")) {
        if line.contains('=') {
            let handler = if line.starts_with("http") { "" } else { "command = [\"df\"]\n" };
            good(&format!("[jobs.a]\nevery = \"1h\"\n{handler}{line}\n"));
        }
    }
}
