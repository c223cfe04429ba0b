//! Arguments of a trigger: checked once, at the door, and made canonical (RFC 8785), so that equal arguments are equal
//! bytes in every store and language.

mod strict;

use std::collections::BTreeMap;
use std::sync::Arc;

use jobstile_core::decide::Problem;
use jobstile_core::key::{Key, MAX_KEY};
use jobstile_core::policy::KeyRule;
use jobstile_core::policy::written::{Part, TickArgs};
use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Kind};

/// The largest arguments, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// The deepest arguments, in levels of arrays and objects.
pub const MAX_DEPTH: usize = 64;

/// The arguments of a trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct Args {
    canonical: Arc<str>,
    value: Arc<Value>,
}

/// Why a text is not valid arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadArgs {
    /// Not JSON, with what the parser says.
    #[error("the arguments are not JSON: {0}")]
    NotJson(String),
    /// Larger than [`MAX_BYTES`].
    #[error("the arguments are larger than 1 MiB ({0} bytes)")]
    TooLarge(usize),
    /// JSON, but no object: arguments have names.
    #[error("the arguments are {0}, not an object: arguments have names")]
    NoObject(&'static str),
    /// A whole number of more than 64 bits: it would be rounded, and then be the same as another one.
    #[error("{0} has more than 64 bits: write it as a string")]
    TooLongANumber(String),
    /// Deeper than [`MAX_DEPTH`].
    #[error("the arguments are deeper than 64 levels")]
    TooDeep,
}

impl Args {
    /// No arguments.
    #[must_use]
    pub fn none() -> Self {
        Self { canonical: "null".into(), value: Arc::new(Value::Null) }
    }

    /// Reads JSON text.
    ///
    /// # Errors
    /// [`BadArgs`] if it is not JSON, too large or too deep.
    pub fn parse(text: &[u8]) -> Result<Self, BadArgs> {
        if text.len() > MAX_BYTES {
            return Err(BadArgs::TooLarge(text.len()));
        }
        // The parser's own bound is 128 levels; a text beyond it is too deep, not malformed.
        if depth_of(text) > MAX_DEPTH {
            return Err(BadArgs::TooDeep);
        }
        let strict: strict::Strict = serde_json::from_slice(text).map_err(|e| BadArgs::NotJson(e.to_string()))?;
        if let Some(number) = strict::too_long_a_number(text) {
            return Err(BadArgs::TooLongANumber(number.chars().take(40).collect()));
        }
        Self::of(strict.0)
    }

    /// Takes a JSON object; `null` and an empty one are no arguments.
    ///
    /// # Errors
    /// [`BadArgs`] if it is not an object, too large or too deep.
    pub fn of(value: Value) -> Result<Self, BadArgs> {
        let kind = match &value {
            Value::Null => return Ok(Self::none()),
            Value::Object(fields) if fields.is_empty() => return Ok(Self::none()),
            Value::Object(_) => None,
            Value::Array(_) => Some("a list"),
            Value::String(_) => Some("a string"),
            Value::Number(_) => Some("a number"),
            Value::Bool(_) => Some("true or false"),
        };
        if let Some(kind) = kind {
            return Err(BadArgs::NoObject(kind));
        }
        let canonical = canonical(&value).map_err(|e| BadArgs::NotJson(e.to_string()))?;
        if canonical.len() > MAX_BYTES {
            return Err(BadArgs::TooLarge(canonical.len()));
        }
        if depth_of(canonical.as_bytes()) > MAX_DEPTH {
            return Err(BadArgs::TooDeep);
        }
        Ok(Self { canonical: canonical.into(), value: Arc::new(value) })
    }

    /// Takes what a program has.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if it is not JSON of at most 1 MiB.
    pub fn from(args: &impl Serialize) -> Result<Self, Error> {
        let value = serde_json::to_value(args)
            .map_err(|e| Error::new(Kind::Invalid, "the arguments are not JSON").because(e))?;
        Self::of(value).map_err(|e| Error::new(Kind::Invalid, e.to_string()))
    }

    /// Canonical JSON text; `null` where there are none.
    #[must_use]
    pub fn canonical(&self) -> &Arc<str> {
        &self.canonical
    }

    /// As the store keeps them: nothing where there are none.
    #[must_use]
    pub fn stored(&self) -> Option<Arc<str>> {
        (!self.value.is_null()).then(|| Arc::clone(&self.canonical))
    }

    /// As the rules look at the arguments of a schedule's ticks.
    #[must_use]
    pub fn of_ticks(&self) -> TickArgs {
        let part = |name: &String| match self.field(name) {
            Ok(value) => Part::Fits(value.to_string().len()),
            Err(Problem::MissingKeyField) => Part::Null,
            Err(Problem::BadArguments | Problem::UnknownJob) => Part::Unfit,
        };
        let fields = self.value.as_object().into_iter().flatten();
        let fields = fields.map(|(name, _)| (name.clone(), part(name))).collect();
        TickArgs { canonical: self.stored().map(|text| text.to_string()), fields }
    }

    /// The key that a rule gives these arguments.
    ///
    /// # Errors
    /// [`Problem::MissingKeyField`] if a field is absent or null; [`Problem::BadArguments`] if it is no string,
    /// whole number or boolean, or the key would be too long.
    pub fn key(&self, rule: &KeyRule) -> Result<Key, Problem> {
        let names = match rule {
            KeyRule::AllArguments => return Ok(self.key_of_all()),
            KeyRule::Fields(names) if names.is_empty() => return Ok(Key::empty()),
            KeyRule::Fields(names) => names,
        };
        let fields: Result<BTreeMap<&str, &Value>, Problem> =
            names.iter().map(|name| self.field(name).map(|value| (name.as_str(), value))).collect();
        let text = serde_json::to_string(&fields?).map_err(|_| Problem::BadArguments)?;
        if text.len() > MAX_KEY { Err(Problem::BadArguments) } else { Ok(Key::from(text)) }
    }

    // A key of long arguments is their hash; it is still compared in full, and the arguments stand beside it.
    fn key_of_all(&self) -> Key {
        use sha2::{Digest, Sha256};
        if self.value.is_null() {
            return Key::empty();
        }
        if self.canonical.len() <= MAX_KEY {
            return Key::from(Arc::clone(&self.canonical));
        }
        let hash: String = Sha256::digest(self.canonical.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        Key::from(format!("sha256:{hash}"))
    }

    fn field(&self, name: &str) -> Result<&Value, Problem> {
        match self.value.get(name) {
            None | Some(Value::Null) => Err(Problem::MissingKeyField),
            Some(value @ (Value::String(_) | Value::Bool(_))) => Ok(value),
            Some(value @ Value::Number(number)) if number.is_i64() => Ok(value),
            Some(_) => Err(Problem::BadArguments),
        }
    }
}

/// The one text of a JSON value: RFC 8785, but that whole numbers keep all their digits.
///
/// # Errors
/// If a number cannot be written.
pub fn canonical(value: &Value) -> Result<String, serde_json::Error> {
    let mut text = String::new();
    write_canonical(value, &mut text)?;
    Ok(text)
}

fn write_canonical(value: &Value, into: &mut String) -> Result<(), serde_json::Error> {
    match value {
        Value::Number(number) if number.is_f64() => into.push_str(&serde_json_canonicalizer::to_string(number)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            into.push_str(&serde_json::to_string(value)?);
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                into.push(if n == 0 { '[' } else { ',' });
                write_canonical(item, into)?;
            }
            into.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            for (n, (name, value)) in fields.iter().enumerate() {
                into.push(if n == 0 { '{' } else { ',' });
                into.push_str(&serde_json::to_string(name)?);
                into.push(':');
                write_canonical(value, into)?;
            }
            into.push_str(if fields.is_empty() { "{}" } else { "}" });
        }
    }
    Ok(())
}

// Brackets outside strings; enough to bound the depth before anything recursive looks at the text.
fn depth_of(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for &byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Args, BadArgs> {
        Args::parse(text.as_bytes())
    }

    #[test]
    fn equal_arguments_are_equal_bytes() {
        let canonical = |text: &str| parse(text).map(|a| a.canonical().to_string());
        assert_eq!(canonical(r#"{"b":1.0, "a":"x"}"#), canonical(r#"{"a":"\u0078","b":1}"#));
        assert_eq!(parse("null").map(|a| a.stored()), Ok(None));
        assert_eq!(parse("{}"), parse("null"));
    }

    #[test]
    fn bad_arguments_are_refused_at_the_door() {
        assert!(matches!(parse("{"), Err(BadArgs::NotJson(_))));
        assert!(matches!(Args::parse(b"\"\xff\""), Err(BadArgs::NotJson(_))));
        let deep = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert_eq!(parse(&deep(64)).err(), None);
        assert_eq!(parse(&deep(65)), Err(BadArgs::TooDeep));
        assert!(
            matches!(parse(r#"{"a":[{"b":1,"b":1}]}"#), Err(BadArgs::NotJson(why)) if why.contains("`b` is there twice"))
        );
        assert_eq!(parse("[1]"), Err(BadArgs::NoObject("a list")));
        assert_eq!(parse(&"[".repeat(100_000)), Err(BadArgs::TooDeep));
        assert_eq!(parse(&format!("\"{}\"", "x".repeat(MAX_BYTES))), Err(BadArgs::TooLarge(MAX_BYTES + 2)));
    }

    #[test]
    fn keys() {
        let args = parse(r#"{"wallet":"SP","n":3,"f":1.5,"none":null,"list":[]}"#).unwrap();
        let key = |names: &[&str]| {
            args.key(&KeyRule::Fields(names.iter().map(|n| (*n).to_owned()).collect())).map(|k| k.as_str().to_owned())
        };
        assert_eq!(key(&[]), Ok(String::new()));
        assert_eq!(key(&["wallet", "n"]), Ok(r#"{"n":3,"wallet":"SP"}"#.to_owned()));
        assert_eq!(key(&["n", "wallet"]), key(&["wallet", "n"]));
        assert_eq!(key(&["none"]), Err(Problem::MissingKeyField));
        assert_eq!(key(&["absent"]), Err(Problem::MissingKeyField));
        assert_eq!(key(&["f"]), Err(Problem::BadArguments));
        assert_eq!(key(&["list"]), Err(Problem::BadArguments));
        let wallet = KeyRule::Fields(vec!["wallet".to_owned()]);
        assert_eq!(Args::none().key(&wallet), Err(Problem::MissingKeyField));
        assert!(args.key(&KeyRule::AllArguments).is_ok_and(|k| k.as_str().starts_with('{')));
        assert_eq!(Args::none().key(&KeyRule::AllArguments), Ok(Key::empty()));
    }

    #[test]
    fn another_field_of_the_same_value_is_another_key() {
        let args = parse(r#"{"a":1,"b":1}"#).unwrap();
        let key = |name: &str| args.key(&KeyRule::Fields(vec![name.to_owned()]));
        assert_ne!(key("a"), key("b"));
    }

    proptest! {
        #[test]
        fn different_fields_never_give_one_key(a in fields(), b in fields()) {
            let key = |fields: &BTreeMap<String, Value>| {
                let names = fields.keys().cloned().collect();
                Args::of(serde_json::to_value(fields).unwrap()).unwrap().key(&KeyRule::Fields(names))
            };
            prop_assert_eq!(a == b, key(&a) == key(&b));
        }
    }

    fn fields() -> impl Strategy<Value = BTreeMap<String, Value>> {
        let value = prop_oneof![
            "[\"\\\\,a0{}:]{0,6}".prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
        ];
        prop::collection::btree_map("[ab\",:]{1,3}", value, 1..4)
    }

    #[test]
    fn the_canonical_text_is_that_of_rfc_8785() {
        let text = r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001,-0.0],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false],"\ufb33":{},"\ud83d\ude00":[]}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(canonical(&value).unwrap(), serde_json_canonicalizer::to_string(&value).unwrap());
    }

    #[test]
    fn large_whole_numbers_stay_what_they_are() {
        let text = r#"{"id":9007199254740993,"negative":-9223372036854775808}"#;
        assert_eq!(parse(text).unwrap().canonical().as_ref(), text);
        for good in
            [r#"{"a":18446744073709551615}"#, r#"{"a":1e300}"#, r#"{"a":"99999999999999999999\""}"#, r#"{"9":-1.5}"#]
        {
            assert_eq!(parse(good).err(), None, "{good}");
        }
        for bad in ["18446744073709551616", "-9223372036854775809", "100000000000000000001"] {
            let text = format!(r#"{{"a":[1,{bad}]}}"#);
            assert_eq!(parse(&text), Err(BadArgs::TooLongANumber(bad.to_owned())), "{text}");
        }
    }
}
