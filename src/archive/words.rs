//! The closed sets of words an archive is described in. They are OpenTok's own ("Archive object" in its REST
//! reference), on the wire as in the database.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A text that is none of the words allowed where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is none of {allowed}")]
pub struct UnknownWord {
    pub given: String,
    /// The words that are allowed, separated by commas.
    pub allowed: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$word_doc])* #[serde(rename = $text)] $word,)+
        }

        impl $name {
            /// All of them, in the order in which they are declared.
            pub const ALL: &'static [$name] = &[$($name::$word),+];

            /// The word on the wire and in the database.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$word => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                $name::ALL
                    .iter()
                    .copied()
                    .find(|word| word.as_str() == text)
                    .ok_or_else(|| UnknownWord {
                        given: text.to_owned(),
                        allowed: [$($text),+].join(", "),
                    })
            }
        }
    };
}

words! {
    /// How far an archive is. OpenTok "status"; the moves between them are in [`super::lifecycle`].
    Status {
        /// It records.
        Started = "started",
        /// It would record if anybody published.
        Paused = "paused",
        /// Recording is over; the file to download is being made.
        Stopped = "stopped",
        /// The file can be downloaded.
        Available = "available",
        /// The file was handed to the integrator's own storage.
        Uploaded = "uploaded",
        /// Nothing came of it.
        Failed = "failed",
        /// Its files were deleted by age; the row tells that it was.
        Expired = "expired",
        /// Gone from every list.
        Deleted = "deleted",
    }
}

words! {
    /// What download gives. OpenTok "outputMode".
    OutputMode {
        /// One MP4 of everybody.
        Composed = "composed",
        /// A ZIP of one file per stream.
        Individual = "individual",
    }
}

words! {
    /// Which streams are recorded. OpenTok "streamMode".
    StreamMode {
        /// All of the session.
        Auto = "auto",
        /// Those that were added by hand.
        Manual = "manual",
    }
}

words! {
    /// Size of the composed picture. OpenTok "resolution".
    Resolution {
        W640H480 = "640x480",
        W1280H720 = "1280x720",
        W1920H1080 = "1920x1080",
        W480H640 = "480x640",
        W720H1280 = "720x1280",
        W1080H1920 = "1080x1920",
    }
}

words! {
    /// Why an archive stopped or failed. OpenTok "reason".
    Reason {
        UserInitiated = "user initiated",
        SessionEnded = "session ended",
        MaximumDuration = "maximum duration exceeded",
        /// The server ended, or was ended, while it recorded.
        ServerRestarted = "server restarted",
        /// The disk was full, or could not be written.
        SystemFailure = "system failure",
        /// Not a packet came while it recorded.
        NobodyPublished = "nobody published",
    }
}

/// How many bits the composed picture may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quality {
    #[default]
    Usual,
    /// Bits per second, from 100,000 to 6,000,000. OpenTok "maxBitrate".
    MaxBitrate(u32),
    /// From 15, good, to 40, small. OpenTok "quantizationParameter".
    Quantization(u8),
}

impl Status {
    /// Whether the archive is being recorded.
    pub fn is_running(self) -> bool {
        matches!(self, Status::Started | Status::Paused)
    }
}

impl OutputMode {
    /// What people call the file.
    pub fn file_kind(self) -> &'static str {
        match self {
            OutputMode::Composed => "MP4",
            OutputMode::Individual => "ZIP",
        }
    }
}

impl Resolution {
    /// Width and height in pixels.
    pub fn size(self) -> (u32, u32) {
        match self {
            Resolution::W640H480 => (640, 480),
            Resolution::W1280H720 => (1280, 720),
            Resolution::W1920H1080 => (1920, 1080),
            Resolution::W480H640 => (480, 640),
            Resolution::W720H1280 => (720, 1280),
            Resolution::W1080H1920 => (1080, 1920),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_read_as_it_is_written() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
        }
    }

    #[test]
    fn an_unknown_word_is_told_with_those_that_are_allowed() {
        let error = "zipped".parse::<OutputMode>().unwrap_err().to_string();
        assert_eq!(error, "'zipped' is none of composed, individual");
    }

    #[test]
    fn a_resolution_is_as_large_as_it_says() {
        for resolution in Resolution::ALL {
            let (width, height) = resolution.size();
            assert_eq!(format!("{width}x{height}"), resolution.as_str());
        }
    }
}
