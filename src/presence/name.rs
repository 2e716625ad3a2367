//! The name a buddy is listed under.

use std::{fmt, sync::Arc};

use serde::{Serialize, Serializer};

/// Characters of a name, at most.
const MAX_CHARS: usize = 100;

/// A name as somebody typed it: 1–100 characters, not blank. Markup, emoji and right-to-left text are
/// names like any other; whoever shows them escapes and isolates them.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    text: Arc<str>,
    /// What names are compared and sorted by; the same allocation where it reads the same.
    folded: Arc<str>,
}

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a name is needed, so that others know who you are")]
    Blank,
    #[error("a name has at most {MAX_CHARS} characters, and this one has {0}")]
    TooLong(usize),
}

impl Name {
    /// Reads a name, without the blanks around it. Control characters count as blanks.
    ///
    /// # Errors
    /// When nothing of it can be seen, or it is longer than 100 characters (Unicode scalar values, so
    /// that the limit is the same in every script; an emoji may be several).
    pub fn parse(text: &str) -> Result<Name, NameError> {
        let text = text.replace(char::is_control, " ");
        let text = text.trim();
        let chars = text.chars().count();
        if text.chars().all(is_unseen) {
            return Err(NameError::Blank);
        }
        if chars > MAX_CHARS {
            return Err(NameError::TooLong(chars));
        }
        let folded = fold(text);
        let text = Arc::<str>::from(text);
        Ok(Name {
            folded: if *folded == *text {
                Arc::clone(&text)
            } else {
                Arc::from(folded)
            },
            text,
        })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same for all names that look alike but for case, blanks and unseen characters.
    pub(super) fn folded(&self) -> &Arc<str> {
        &self.folded
    }
}

/// What names and searches are compared by.
pub(super) fn fold(text: &str) -> String {
    let seen: String = text
        .chars()
        .filter(|char| char.is_whitespace() || !is_unseen(*char))
        .collect();
    seen.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

/// Blanks, joiners, marks of direction and fillers: alone they show nothing.
fn is_unseen(char: char) -> bool {
    char.is_whitespace()
        || matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
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
    use super::*;

    #[test]
    fn any_script_makes_a_name() {
        for text in ["A", "<b>Ann</b>", "דנה", "👩‍👩‍👧‍👦", "❤️", "Ann \"the\" Great"]
        {
            assert_eq!(Name::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn blanks_around_a_name_and_control_characters_go() {
        assert_eq!(Name::parse(" \tAnn\nLee\r\n").unwrap().as_str(), "Ann Lee");
    }

    #[test]
    fn what_cannot_be_seen_is_no_name() {
        for text in [
            "",
            "   ",
            "\n",
            "\u{a0}",
            "\u{200b}\u{2060}",
            "\u{3164}",
            "\u{0}",
        ] {
            assert_eq!(Name::parse(text), Err(NameError::Blank), "{text:?}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        for char in ["x", "ß", "字", "😀"] {
            assert!(Name::parse(&char.repeat(100)).is_ok());
            assert_eq!(Name::parse(&char.repeat(101)), Err(NameError::TooLong(101)));
        }
        assert!(Name::parse(&format!("  {}  ", "x".repeat(100))).is_ok());
    }

    #[test]
    fn names_that_look_alike_are_the_same() {
        let ann = Name::parse("Ann Lee").unwrap();
        for text in ["ann lee", "ANN  LEE", "Ann\u{200b} Lee", "Ann\u{a0}Lee"] {
            assert_eq!(Name::parse(text).unwrap().folded(), ann.folded(), "{text}");
        }
        assert_ne!(Name::parse("Anne Lee").unwrap().folded(), ann.folded());
    }
}
