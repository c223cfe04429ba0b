//! Where the values of a policy came from, as JSON: an object by key, each with its `kind`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::origin::{Origin, Origins, Place, Source};

/// The first version kept words.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum EntryDoc {
    Words(String),
    Source(SourceDoc),
}

#[derive(Serialize, Deserialize)]
struct SourceDoc {
    #[serde(flatten)]
    origin: OriginDoc,
    #[serde(skip_serializing_if = "Option::is_none")]
    instead_of: Option<InsteadDoc>,
}

#[derive(Serialize, Deserialize)]
struct InsteadDoc {
    value: Value,
    #[serde(flatten)]
    origin: OriginDoc,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum OriginDoc {
    Default,
    BuiltInList,
    File {
        file: String,
        line: usize,
        defaults: bool,
    },
    Variable {
        name: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
    },
    Flag {
        name: String,
    },
    Words {
        words: String,
    },
}

impl From<&Origin> for OriginDoc {
    fn from(origin: &Origin) -> Self {
        match origin.clone() {
            Origin::Default => Self::Default,
            Origin::BuiltInList => Self::BuiltInList,
            Origin::File { place: Place { file, line }, defaults } => Self::File { file, line, defaults },
            Origin::Variable { name, place } => {
                let (file, line) = place.map(|place| (place.file, place.line)).unzip();
                Self::Variable { name, file, line }
            }
            Origin::Flag(name) => Self::Flag { name },
            Origin::Words(words) => Self::Words { words },
        }
    }
}

impl From<OriginDoc> for Origin {
    fn from(document: OriginDoc) -> Self {
        match document {
            OriginDoc::Default => Self::Default,
            OriginDoc::BuiltInList => Self::BuiltInList,
            OriginDoc::File { file, line, defaults } => Self::File { place: Place { file, line }, defaults },
            OriginDoc::Variable { name, file, line } => {
                Self::Variable { name, place: file.zip(line).map(|(file, line)| Place { file, line }) }
            }
            OriginDoc::Flag { name } => Self::Flag(name),
            OriginDoc::Words { words } => Self::Words(words),
        }
    }
}

pub(crate) fn write(origins: &Origins) -> String {
    let document: BTreeMap<&String, SourceDoc> = origins
        .0
        .iter()
        .map(|(key, source)| {
            let instead_of = source.instead_of.as_ref();
            let instead_of =
                instead_of.map(|(value, origin)| InsteadDoc { value: value.clone(), origin: origin.into() });
            (key, SourceDoc { origin: (&source.origin).into(), instead_of })
        })
        .collect();
    serde_json::to_string(&document).unwrap_or_default()
}

pub(crate) fn read(text: &str) -> Origins {
    let document: BTreeMap<String, EntryDoc> = serde_json::from_str(text).unwrap_or_default();
    let source = |entry| match entry {
        EntryDoc::Words(words) => Source { origin: Origin::Words(words), instead_of: None },
        EntryDoc::Source(SourceDoc { origin, instead_of }) => Source {
            origin: origin.into(),
            instead_of: instead_of.map(|InsteadDoc { value, origin }| (value, origin.into())),
        },
    };
    Origins(document.into_iter().map(|(key, entry)| (key, source(entry))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_come_back_as_they_were() {
        let place = |line| Place { file: "j.toml".into(), line };
        let all = [
            Origin::Default,
            Origin::BuiltInList,
            Origin::File { place: place(4), defaults: true },
            Origin::Variable { name: "AIBTC_J_ENABLED".into(), place: None },
            Origin::Variable { name: "AIBTC_J_ENABLED".into(), place: Some(place(7)) },
            Origin::Flag("--store".into()),
            Origin::Words("as it was".into()),
        ];
        let instead = (Value::Bool(true), Origin::File { place: place(2), defaults: false });
        for instead_of in [None, Some(instead)] {
            let sources = all.iter().map(|origin| Source { origin: origin.clone(), instead_of: instead_of.clone() });
            let origins = Origins(sources.enumerate().map(|(i, source)| (format!("key {i}"), source)).collect());
            assert_eq!(read(&write(&origins)), origins);
        }
    }

    #[test]
    fn what_the_first_version_kept_can_still_be_read() {
        let origins = read(r#"{"priority":"j.toml:2 [defaults]"}"#);
        assert_eq!(origins.origin("priority"), &Origin::Words("j.toml:2 [defaults]".into()));
        assert_eq!(origins.origin("attempts"), &Origin::Default);
        assert_eq!(read("{}"), Origins::default());
        assert_eq!(read("not JSON"), Origins::default());
    }
}
