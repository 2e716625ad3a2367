//! The appearance of a composed archive: its resolution, its layout and the layout classes of its streams.

use serde::{Deserialize, Serialize};

use super::wire_enum::wire_enum;

wire_enum! {
    /// Width and height of a composed archive, in pixels. OpenTok "resolution".
    #[derive(Default)]
    Resolution {
        #[default]
        R640X480 = "640x480",
        R1280X720 = "1280x720",
        R1920X1080 = "1920x1080",
        R480X640 = "480x640",
        R720X1280 = "720x1280",
        R1080X1920 = "1080x1920",
    }
}

impl Resolution {
    /// Returns width and height in pixels.
    pub fn size(self) -> (u32, u32) {
        match self {
            Resolution::R640X480 => (640, 480),
            Resolution::R1280X720 => (1280, 720),
            Resolution::R1920X1080 => (1920, 1080),
            Resolution::R480X640 => (480, 640),
            Resolution::R720X1280 => (720, 1280),
            Resolution::R1080X1920 => (1080, 1920),
        }
    }
}

/// The layout of a composed archive. OpenTok "layout".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Layout {
    #[serde(rename = "type")]
    pub kind: LayoutType,
    /// CSS. It is required with [`LayoutType::Custom`], and forbidden with the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stylesheet: Option<String>,
    /// The layout while a screen is shared; with [`LayoutType::BestFit`] only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screenshare_type: Option<LayoutType>,
}

/// OpenTok's layout types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LayoutType {
    /// A grid that wastes little space.
    #[default]
    BestFit,
    /// One large, another in its corner.
    Pip,
    /// One large, the others in a column beside it.
    VerticalPresentation,
    /// One large, the others in a row beneath it.
    HorizontalPresentation,
    /// The stylesheet defines the layout.
    Custom,
    /// The screen only; allowed as a `screenshare_type` only.
    Focus,
}

impl Layout {
    pub fn new(kind: LayoutType) -> Layout {
        Layout {
            kind,
            stylesheet: None,
            screenshare_type: None,
        }
    }

    /// Returns a custom layout; `stylesheet` is CSS.
    pub fn custom(stylesheet: impl Into<String>) -> Layout {
        Layout {
            stylesheet: Some(stylesheet.into()),
            ..Layout::new(LayoutType::Custom)
        }
    }

    /// Returns best fit, with another layout while a screen is shared.
    pub fn screenshare(kind: LayoutType) -> Layout {
        Layout {
            screenshare_type: Some(kind),
            ..Layout::new(LayoutType::BestFit)
        }
    }

    /// Checks that the fields do not conflict.
    ///
    /// # Errors
    /// A sentence that names the conflict.
    pub fn check(&self) -> Result<(), &'static str> {
        let has_stylesheet = self.stylesheet.as_ref().is_some_and(|css| !css.is_empty());
        match (self.kind, has_stylesheet) {
            (LayoutType::Custom, false) => return Err("a custom layout needs a stylesheet"),
            (LayoutType::Focus, _) => return Err("focus is a screenshare type only"),
            (LayoutType::Custom, true) | (_, false) => {}
            (_, true) => return Err("only a custom layout has a stylesheet"),
        }
        match self.screenshare_type {
            None => Ok(()),
            Some(_) if self.kind != LayoutType::BestFit => {
                Err("a screenshare type goes with the layout type bestFit only")
            }
            Some(LayoutType::Custom) => Err("a screenshare type cannot be custom"),
            Some(_) => Ok(()),
        }
    }
}

/// The maximum number of layout classes of a stream.
pub const MAX_LAYOUT_CLASSES: usize = 16;

/// Whether this may be a stream's layout class: a CSS class name of 1 to 64 letters, digits, hyphens and underscores.
pub fn is_layout_class(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_resolution_is_read_as_it_is_written() {
        for &resolution in Resolution::ALL {
            assert_eq!(
                resolution.as_str().parse::<Resolution>().unwrap(),
                resolution
            );
            let (width, height) = resolution.size();
            assert_eq!(format!("{width}x{height}"), resolution.as_str());
            let json = serde_json::to_value(resolution).unwrap();
            assert_eq!(json, resolution.as_str());
            assert_eq!(
                serde_json::from_value::<Resolution>(json).unwrap(),
                resolution
            );
        }
        for text in ["", "640X480", "640x481", "640x480 "] {
            assert!(text.parse::<Resolution>().is_err(), "{text}");
        }
    }

    #[test]
    fn layouts_are_written_as_open_tok_reads_them() {
        for (layout, json) in [
            (
                Layout::new(LayoutType::HorizontalPresentation),
                json!({ "type": "horizontalPresentation" }),
            ),
            (
                Layout::custom("stream { width: 50% }"),
                json!({ "type": "custom", "stylesheet": "stream { width: 50% }" }),
            ),
            (
                Layout::screenshare(LayoutType::Pip),
                json!({ "type": "bestFit", "screenshareType": "pip" }),
            ),
        ] {
            assert_eq!(serde_json::to_value(&layout).unwrap(), json);
            assert_eq!(serde_json::from_value::<Layout>(json).unwrap(), layout);
            assert_eq!(layout.check(), Ok(()));
        }
    }

    #[test]
    fn fields_of_a_layout_that_do_not_go_together_are_refused() {
        let stylesheet = Some("css".to_owned());
        for layout in [
            Layout::new(LayoutType::Custom),
            Layout::custom(""),
            Layout::new(LayoutType::Focus),
            Layout {
                stylesheet,
                ..Layout::new(LayoutType::Pip)
            },
            Layout {
                kind: LayoutType::Pip,
                ..Layout::screenshare(LayoutType::Pip)
            },
            Layout::screenshare(LayoutType::Custom),
        ] {
            assert!(layout.check().is_err(), "{layout:?}");
        }
    }
}
