//! Reads JSON that clients send.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

/// Reads JSON as `serde_json` does, with U+FFFD in place of each lone surrogate.
///
/// A JavaScript string may contain half an emoji, for example after `substring`. `JSON.stringify` writes it as an escape
/// such as `\ud83d`, which is valid JSON, but not a character.
///
/// # Errors
/// The text is not JSON, or not a `T`.
pub fn from_slice_lossy<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(&replace_lone_surrogates(json))
}

/// The same text with `\ufffd` for each escape of a lone surrogate. Its length stays the same.
fn replace_lone_surrogates(json: &[u8]) -> Cow<'_, [u8]> {
    const ESCAPE_LEN: usize = r"\u0000".len();
    let mut replaced = Cow::Borrowed(json);
    let mut at = 0;
    while let Some(step) = json
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'\\'))
    {
        at += step;
        at += match (escaped_unit(json, at), escaped_unit(json, at + ESCAPE_LEN)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 2 * ESCAPE_LEN,
            (Some(0xd800..=0xdfff), _) => {
                if let Some(escape) = replaced.to_mut().get_mut(at..at + ESCAPE_LEN) {
                    escape.copy_from_slice(br"\ufffd");
                }
                ESCAPE_LEN
            }
            (Some(_), _) => ESCAPE_LEN,
            // Another escape, such as `\\`.
            (None, _) => 2,
        };
    }
    replaced
}

/// The UTF-16 code unit of the escape `\uXXXX` at a position; `None` if there is no such escape.
fn escaped_unit(json: &[u8], at: usize) -> Option<u32> {
    let digits = json.get(at..)?.strip_prefix(br"\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| {
        Some(unit * 16 + char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn read(json: &str) -> String {
        from_slice_lossy(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_lone_surrogate_becomes_the_replacement_character() {
        for (json, text) in [
            (r#""Ann \ud83d""#, "Ann \u{fffd}"),
            (r#""\uD83Dx""#, "\u{fffd}x"),
            (r#""\ude00""#, "\u{fffd}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
        ] {
            assert_eq!(read(json), text, "{json}");
        }
    }

    #[test]
    fn everything_else_is_read_as_it_is() {
        for (json, text) in [
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\\ud83d""#, r"\ud83d"),
            (r#""\u0041\\""#, r"A\"),
            (r#""\"\u00e9""#, "\"é"),
        ] {
            assert_eq!(read(json), text, "{json}");
            assert!(matches!(
                replace_lone_surrogates(json.as_bytes()),
                Cow::Borrowed(_)
            ));
        }
        for json in [r#""\ud8""#, r#""\u""#, r#""\"#, "\"", r#""\ud83g""#] {
            assert!(
                from_slice_lossy::<String>(json.as_bytes()).is_err(),
                "{json}"
            );
        }
    }

    proptest! {
        #[test]
        fn valid_json_is_not_changed(text in "\\PC{0,40}") {
            let json = Value::from(text).to_string();
            prop_assert_eq!(&*replace_lone_surrogates(json.as_bytes()), json.as_bytes());
        }

        #[test]
        fn escapes_of_any_units_are_a_string(units in proptest::collection::vec(0xd700_u16..0xe100, 0..6)) {
            let escapes: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let text: String = from_slice_lossy(format!("\"{escapes}\"").as_bytes()).unwrap();
            prop_assert_eq!(text, String::from_utf16_lossy(&units));
        }
    }
}
