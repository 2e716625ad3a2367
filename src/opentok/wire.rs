//! Tolerant reading of JSON: a value that is missing, null or of a wrong type becomes the default
//! instead of an error. And OpenTok's unusual ways of writing values.

use serde::{Deserialize, Deserializer, Serializer, de::DeserializeOwned};
use serde_json::Value;

/// Reads a `T`, or its default if the value is not one.
pub(super) fn lenient<'de, D, T>(input: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = Value::deserialize(input)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// Reads an integer, also as text or with a fraction; 0 if it does not fit.
pub(super) fn number<'de, D, T>(input: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64> + Default,
{
    let whole = match Value::deserialize(input)? {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float beyond i64 saturates, and is refused by a narrower type"
        )]
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().map(|float| float as i64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    Ok(whole
        .and_then(|whole| T::try_from(whole).ok())
        .unwrap_or_default())
}

/// Reads a boolean whose default is true.
pub(super) fn yes<'de, D: Deserializer<'de>>(input: D) -> Result<bool, D::Error> {
    Ok(Value::deserialize(input)?.as_bool().unwrap_or(true))
}

/// Writes a number as text.
pub(super) fn text<S: Serializer>(number: &i64, output: S) -> Result<S::Ok, S::Error> {
    output.collect_str(number)
}
