//! Names of people and rooms: one rule for all of them.
//!
//! The rule holds wherever a name enters: joining a room, `POST /users`, a moderator's account, a room's name, and names
//! that a cookie or a link brings back. Names in the connection data of other applications are theirs to choose.
//!
//! - Whitespace around a name is removed, and the text is brought into Unicode's normal form C, so `é` is one character
//!   however it was typed.
//! - Invisible characters are removed: zero-width spaces, direction marks, fillers. Joiners and variation
//!   selectors stay, because emoji and some scripts need them; alone they are no name.
//! - Control characters, line breaks and characters that reorder text are refused. A page shows names in places where
//!   they cannot be isolated, such as its title.
//! - 1 to 60 characters (Unicode scalar values, so the limit is the same in every script) remain.
//!
//! Markup, emoji and right-to-left scripts are names like any other. Pages escape names.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};
use unicode_normalization::{UnicodeNormalization, is_nfc};

/// Maximum length, in Unicode scalar values.
pub const MAX_NAME_CHARS: usize = 60;

/// The name of a person or a room.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Name {
    text: Arc<str>,
    /// The same allocation as `text` if both read the same.
    folded: Arc<str>,
}

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("enter a name")]
    Empty,
    #[error("use at most {MAX_NAME_CHARS} characters for a name")]
    TooLong,
    /// The text contains a control character, a line break or a character that reorders text.
    #[error("remove the special characters from the name")]
    SpecialCharacter,
}

impl Name {
    /// Reads a name as a person typed it.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Name, NameError> {
        let text = text.trim();
        if text.contains(is_refused) {
            return Err(NameError::SpecialCharacter);
        }
        let visible = text.chars().filter(|char| !is_removed(*char));
        let text: String = visible.nfc().collect();
        let text = text.trim();
        if text.chars().all(is_invisible) {
            return Err(NameError::Empty);
        }
        if text.chars().count() > MAX_NAME_CHARS {
            return Err(NameError::TooLong);
        }
        Ok(Name::from_saved(text))
    }

    /// A name that was checked before it was saved. Earlier versions of Parlor had other rules.
    pub fn from_saved(text: &str) -> Name {
        let folded = fold(text);
        let text = Arc::<str>::from(text);
        let folded = if *folded == *text {
            Arc::clone(&text)
        } else {
            Arc::from(folded)
        };
        Name { text, folded }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text that names are compared and sorted by. Names that look alike have the same, apart from their case, their
    /// whitespace and invisible characters.
    pub fn folded(&self) -> &Arc<str> {
        &self.folded
    }
}

/// The text that names and searches are compared by.
pub fn fold(text: &str) -> String {
    let visible: String = text
        .chars()
        .filter(|char| char.is_whitespace() || !is_invisible(*char))
        .collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    let folded = words.join(" ").to_lowercase();
    if is_nfc(&folded) {
        folded
    } else {
        folded.nfc().collect()
    }
}

/// Control characters, line breaks, and characters that embed, override or isolate a writing direction.
fn is_refused(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_removed(char: char) -> bool {
    is_invisible(char) && !char.is_whitespace() && !shapes_neighbours(char)
}

/// Joiners, variation selectors, and the tags of flags.
fn shapes_neighbours(char: char) -> bool {
    matches!(char,
        '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{e0020}'..='\u{e007f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whitespace, joiners, direction marks and fillers, which are invisible on their own. `static/js/buddies/sorting.js` has the
/// same list.
fn is_invisible(char: char) -> bool {
    char.is_whitespace()
        || matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Name::parse(&text)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> String {
        Name::parse(text).unwrap().to_string()
    }

    #[test]
    fn any_script_makes_a_name() {
        for text in [
            "A",
            "<b>Ann</b>",
            "דנה",
            "👩‍👩‍👧‍👦",
            "❤️",
            "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
            "می‌خواهم",
            "Ann \"the\" Great",
        ] {
            assert_eq!(parsed(text), text);
        }
    }

    #[test]
    fn composed_and_decomposed_letters_are_one_name() {
        let (composed, decomposed) = ("Jos\u{e9}", "Jose\u{301}");
        assert_eq!(Name::parse(decomposed), Name::parse(composed));
        assert_eq!(parsed(decomposed), composed);
        assert_eq!(
            fold(decomposed),
            *Name::parse(composed).unwrap().folded().to_string()
        );
        // Sixty letters, however they were typed.
        assert_eq!(parsed(&"e\u{301}".repeat(60)), "\u{e9}".repeat(60));
    }

    #[test]
    fn whitespace_around_a_name_and_invisible_characters_are_removed() {
        assert_eq!(parsed(" \tAnn Lee\r\n"), "Ann Lee");
        assert_eq!(parsed("\u{feff}\u{200b} An\u{ad}n\u{200e} "), "Ann");
    }

    #[test]
    fn an_invisible_text_is_not_a_name() {
        for text in [
            "",
            "   ",
            "\n",
            "\u{a0}",
            "\u{200b}\u{2060}",
            "\u{3164}",
            "\u{200d}",
            "\u{fe0f}",
        ] {
            assert_eq!(Name::parse(text), Err(NameError::Empty), "{text:?}");
        }
    }

    #[test]
    fn characters_that_break_or_reorder_text_are_refused() {
        for text in [
            "a\nb",
            "a\tb",
            "\u{0}",
            "a\u{85}b",
            "a\u{2028}b",
            "a\u{202e}b",
            "a\u{2066}b",
        ] {
            assert_eq!(
                Name::parse(text),
                Err(NameError::SpecialCharacter),
                "{text:?}"
            );
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        for char in ["x", "ß", "字", "😀"] {
            assert!(Name::parse(&char.repeat(60)).is_ok());
            assert_eq!(Name::parse(&char.repeat(61)), Err(NameError::TooLong));
        }
        assert!(Name::parse(&format!("  {}  ", "x".repeat(60))).is_ok());
    }

    #[test]
    fn names_that_look_alike_are_compared_as_equal() {
        let ann = Name::parse("Ann Lee").unwrap();
        for text in [
            "ann lee",
            "ANN  LEE",
            "Ann\u{200b} Lee",
            "Ann\u{200d} Lee",
            "Ann\u{a0}Lee",
        ] {
            assert_eq!(Name::parse(text).unwrap().folded(), ann.folded(), "{text}");
        }
        assert_ne!(Name::parse("Anne Lee").unwrap().folded(), ann.folded());
    }

    proptest! {
        #[test]
        fn a_parsed_name_is_parsed_as_itself(text in "\\PC{0,70}|[a\u{301}\u{200b}\u{200d}\u{2003} e]{0,9}") {
            if let Ok(name) = Name::parse(&text) {
                prop_assert_eq!(Name::parse(name.as_str()), Ok(name));
            }
        }
    }
}
