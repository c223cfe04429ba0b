//! Values on the command line. What a parser here refuses is one sentence; a second line says what to write instead.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::error::Error;
use crate::exit::Code;
use crate::text::words::number;

/// A whole number from 1 to `most`.
pub(crate) fn up_to<T: TryFrom<u64>>(most: u64) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync {
    move |text| {
        let good = text.parse().ok().filter(|n| (1..=most).contains(n)).and_then(|n| T::try_from(n).ok());
        good.ok_or_else(|| format!("not a whole number from 1 to {}\nwrite a number, as in 5", number(most)))
    }
}

/// Fields as they are typed, `wallet=3 note=hello`, as the text of a JSON object: a value that is JSON stays what it is,
/// everything else is text.
///
/// # Errors
/// If a field has no name or no `=`, or comes twice.
pub(crate) fn object(fields: &[String]) -> Result<String, Error> {
    let wrong = |what: String| Error::new(Code::Usage, what).hint("write FIELD=VALUE, as in wallet=SP2X0");
    let mut parts: Vec<String> = vec![];
    let mut names: Vec<&str> = vec![];
    for field in fields {
        let (name, value) = match field.split_once('=') {
            Some((name, value)) if !name.is_empty() => (name, value),
            _ => return Err(wrong(format!("`{field}` is not a field with its value"))),
        };
        if names.contains(&name) {
            return Err(wrong(format!("`{name}` is given twice")));
        }
        names.push(name);
        let value = match serde_json::from_str::<IgnoredAny>(value) {
            Ok(_) => value.to_owned(),
            Err(_) => Value::from(value).to_string(),
        };
        parts.push(format!("{}:{value}", Value::from(name)));
    }
    Ok(format!("{{{}}}", parts.join(",")))
}

/// Words as a shell takes them.
pub(crate) fn typed_again(words: &[String]) -> String {
    let safe = |c: char| c.is_alphanumeric() || "_-./:=@%+,".contains(c);
    let quoted = words.iter().map(|word| match !word.is_empty() && word.chars().all(safe) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_json_stays_what_it_is() {
        for (typed, meant) in [
            ("wallet=SP2X0", r#"{"wallet":"SP2X0"}"#),
            ("n=3 ok=true none=null", r#"{"n":3,"ok":true,"none":null}"#),
            (r#"n="3""#, r#"{"n":"3"}"#),
            ("ids=[1,2] at=007 eq=a=b empty=", r#"{"ids":[1,2],"at":"007","eq":"a=b","empty":""}"#),
            // Longer than 64 bits: it keeps its digits, and the door refuses it.
            ("n=123456789012345678901", r#"{"n":123456789012345678901}"#),
            ("", "{}"),
        ] {
            let fields: Vec<String> = typed.split_whitespace().map(ToOwned::to_owned).collect();
            assert_eq!(object(&fields).expect("fields"), meant, "{typed}");
        }
        for typed in ["wallet", "=3", "", "a=1 a=2"] {
            let fields: Vec<String> = typed.split(' ').map(ToOwned::to_owned).collect();
            assert!(object(&fields).is_err(), "{typed}");
        }
    }

    #[test]
    fn a_count_has_both_its_ends() {
        let parse = up_to::<u16>(10_000);
        assert_eq!((parse("1"), parse("10000")), (Ok(1), Ok(10_000)));
        for text in ["0", "10001", "-1", "x", "", "1.5", "99999999999999999999"] {
            assert_eq!(
                parse(text),
                Err("not a whole number from 1 to 10,000\nwrite a number, as in 5".to_owned()),
                "{text}"
            );
        }
    }
}
