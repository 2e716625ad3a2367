//! Reading JSON as other people's servers write it: what is missing, null or of another type
//! becomes the default instead of an error. And writing what is oddly written.

use serde::{Deserialize, Deserializer, Serializer, de::DeserializeOwned};
use serde_json::Value;

/// Any `T`; its default when the value cannot be one.
pub(super) fn lenient<'de, D, T>(input: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = Value::deserialize(input)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// A whole number, also one that arrives as text or with a fraction; 0 when it does not fit.
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

/// A boolean that means yes when nothing else is said.
pub(super) fn yes<'de, D: Deserializer<'de>>(input: D) -> Result<bool, D::Error> {
    Ok(Value::deserialize(input)?.as_bool().unwrap_or(true))
}

/// A number as text.
pub(super) fn text<S: Serializer>(number: &i64, output: S) -> Result<S::Ok, S::Error> {
    output.collect_str(number)
}
