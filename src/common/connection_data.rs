//! The connection data in Parlor's tokens, for example `{"name":"Ann"}`.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

use super::id::UserId;

/// The connection data of a token's holder. Other clients of the session can read it.
///
/// Applications may put any text into their tokens, so a field of another type counts as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionData {
    /// Whether the holder is a host of the room.
    #[serde(
        default,
        deserialize_with = "lenient",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub host: bool,
    /// The person's name.
    pub name: String,
    /// The user of the presence session.
    #[serde(
        default,
        deserialize_with = "lenient",
        skip_serializing_if = "Option::is_none"
    )]
    pub user: Option<UserId>,
}

impl ConnectionData {
    /// Connection data with a name only.
    pub fn named(name: impl ToString) -> Self {
        ConnectionData {
            name: name.to_string(),
            ..ConnectionData::default()
        }
    }

    /// Reads connection data; `None` unless it is a JSON object with a name.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The JSON text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("connection data has string keys only")
    }
}

fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_fields_are_not_written() {
        assert_eq!(ConnectionData::named("Ann").to_json(), r#"{"name":"Ann"}"#);
        let host = ConnectionData {
            host: true,
            ..ConnectionData::named("Ada")
        };
        assert_eq!(host.to_json(), r#"{"host":true,"name":"Ada"}"#);
    }

    #[test]
    fn a_name_is_read_beside_foreign_fields() {
        let data = ConnectionData::parse(r#"{"name":"Ann","host":"yes","user":7,"age":3}"#);
        assert_eq!(data, Some(ConnectionData::named("Ann")));
        for text in ["", "Ann", "{}", r#"{"name":7}"#] {
            assert_eq!(ConnectionData::parse(text), None);
        }
    }
}
