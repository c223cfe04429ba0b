//! A Markdown page as the steps of a session.

/// What is to be done, in the order of the page.
#[derive(Debug)]
pub(crate) struct Block {
    /// The line of its fence, from 1.
    pub(crate) line: usize,
    pub(crate) kind: String,
    /// What stands between the fences.
    pub(crate) lines: Vec<String>,
    pub(crate) marks: Vec<Mark>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mark {
    File(String),
    Append(String),
    From(String),
    Wrong,
    First(usize),
    Pick(Vec<String>),
    Without(String),
    Exact,
    NumbersVary,
    Run(String),
    Until(String),
}

impl Mark {
    fn parse(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim().to_owned();
        Some(match (word, rest.as_str()) {
            ("file", _) => Self::File(rest),
            ("append", _) => Self::Append(rest),
            ("from", _) => Self::From(rest),
            ("run", _) => Self::Run(rest),
            ("until", _) => Self::Until(rest),
            ("first", _) => Self::First(rest.strip_suffix(" lines")?.parse().ok()?),
            ("pick", _) => Self::Pick(rest.split(" || ").map(ToOwned::to_owned).collect()),
            ("without", _) => Self::Without(rest),
            ("wrong", "") => Self::Wrong,
            ("exact", "") => Self::Exact,
            ("numbers", "vary") => Self::NumbersVary,
            _ => return None,
        })
    }
}

/// A part of a page.
#[derive(Debug)]
pub(crate) enum Part {
    /// Lines that are kept as they are.
    Text(Vec<String>),
    Block(Block),
}

/// The parts of a page, and what is wrong with its form: a line and what to say of it.
pub(crate) fn parts(page: &str) -> (Vec<Part>, Vec<(usize, String)>) {
    let (mut parts, mut faults) = (vec![], vec![]);
    let (mut text, mut marks) = (vec![], vec![]);
    let mut lines = page.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if let Some(mark) = line.strip_prefix("<!-- page: ").and_then(|rest| rest.strip_suffix(" -->")) {
            match Mark::parse(mark.trim()) {
                Some(mark) => marks.push(mark),
                None => faults.push((index + 1, format!("unknown mark: {mark}"))),
            }
        }
        text.push(line.to_owned());
        let Some(kind) = line.strip_prefix("```") else { continue };
        parts.push(Part::Text(std::mem::take(&mut text)));
        let mut inside = vec![];
        loop {
            match lines.next() {
                Some((_, "```")) => break,
                Some((_, line)) => inside.push(line.to_owned()),
                None => {
                    faults.push((index + 1, "this block does not end".into()));
                    break;
                }
            }
        }
        let marks = std::mem::take(&mut marks);
        parts.push(Part::Block(Block { line: index + 1, kind: kind.trim().to_owned(), lines: inside, marks }));
        text.push("```".into());
    }
    parts.push(Part::Text(text));
    (parts, faults)
}

/// The code spans of a line.
pub(crate) fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The links of a page to files of the repository, with their lines.
pub(crate) fn links(page: &str) -> Vec<(usize, String)> {
    let (parts, _) = parts(page);
    let mut links = vec![];
    let mut at = 0;
    for part in &parts {
        let Part::Text(lines) = part else {
            at += if let Part::Block(block) = part { block.lines.len() } else { 0 };
            continue;
        };
        for line in lines {
            at += 1;
            for (index, _) in line.match_indices("](") {
                let link = line[index + 2..].split(')').next().unwrap_or_default();
                if !link.contains("://") && !link.starts_with("mailto:") {
                    links.push((at, link.to_owned()));
                }
            }
        }
    }
    links
}

/// The anchors of a page's headings.
pub(crate) fn headings(page: &str) -> Vec<String> {
    page.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}
