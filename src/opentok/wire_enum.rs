//! Closed sets of words: one enum for the wire, the database and the code.

/// A text that is none of the words allowed in its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is none of {allowed}")]
pub struct UnknownWord {
    pub given: String,
    /// The words that are allowed, separated by commas.
    pub allowed: String,
}

/// Declares an enum whose variants are words: `as_str`, `Display`, `FromStr` and serde agree on them.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$word_meta:meta])* $word:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$word_meta])* #[serde(rename = $text)] $word,)+
        }

        impl $name {
            /// All of them, in the order in which they are declared.
            pub const ALL: &'static [$name] = &[$($name::$word),+];

            /// The word on the wire and in the database.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$word => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::opentok::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $name::ALL
                    .iter()
                    .copied()
                    .find(|word| word.as_str() == text)
                    .ok_or_else(|| $crate::opentok::UnknownWord {
                        given: text.to_owned(),
                        allowed: [$($text),+].join(", "),
                    })
            }
        }
    };
}

pub(crate) use wire_enum;

#[cfg(test)]
mod tests {
    use crate::opentok::OutputMode;

    #[test]
    fn the_error_for_an_unknown_word_lists_the_words_that_are_allowed() {
        let error = "zipped".parse::<OutputMode>().unwrap_err().to_string();
        assert_eq!(error, "'zipped' is none of composed, individual");
    }
}
