//! The position of each stream in the composed video: a pure function from a canvas and the streams to rectangles.
//!
//! The rules are OpenTok's ("Customizing the video layout for composed archives"):
//!
//! ```text
//! bestFit             up to 16 in a grid of equal cells
//! pip                 one fills the canvas, the next is in a corner of it; of the others only the audio is recorded
//! verticalPresentation    one large on the right, the others share the left edge
//! horizontalPresentation  one large on top, the others share the bottom edge
//! focus               as horizontalPresentation; for screen shares
//! ```
//!
//! "One" is the stream with the layout class `full` in `pip` and `focus` in the others. Without such a stream it is the first
//! screen share, and without a screen share the oldest stream. While a screen is shared, the archive's `screenshareType`
//! applies if it has one. Videos keep their aspect ratio: they are letterboxed in their cells.

pub use crate::session::recording::{Arrangement, Layout};

use crate::opentok::{self, LayoutType, UnknownWord};

/// The maximum number of tiles. Of further streams only the audio is recorded.
pub const MAX_TILES: usize = 16;

/// The share of the canvas that the strip of a presentation takes.
const STRIP: f64 = 0.2;
/// The share of the canvas's width and height that the inset of `pip` takes.
const INSET: f64 = 0.25;
/// The gap between the inset and the edges of the canvas, as a share of the canvas's height.
const INSET_MARGIN: f64 = 0.03;

impl Layout {
    /// Returns the layout as JSON.
    pub fn to_json(self) -> String {
        serde_json::to_string(&self).expect("two words are always JSON")
    }

    /// # Errors
    /// The text is not the JSON of a supported layout.
    pub fn from_json(text: &str) -> Result<Layout, UnknownWord> {
        serde_json::from_str(text).map_err(|_| UnknownWord {
            given: text.to_owned(),
            allowed: "bestFit, pip, verticalPresentation, horizontalPresentation, focus".to_owned(),
        })
    }
}

/// A custom layout: the composer does not support a stylesheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this server has no custom layouts with a stylesheet; choose bestFit, pip, verticalPresentation or \
     horizontalPresentation"
)]
pub struct CustomLayout;

impl TryFrom<LayoutType> for Arrangement {
    type Error = CustomLayout;

    fn try_from(kind: LayoutType) -> Result<Arrangement, CustomLayout> {
        match kind {
            LayoutType::BestFit => Ok(Arrangement::BestFit),
            LayoutType::Pip => Ok(Arrangement::Pip),
            LayoutType::VerticalPresentation => Ok(Arrangement::VerticalPresentation),
            LayoutType::HorizontalPresentation => Ok(Arrangement::HorizontalPresentation),
            LayoutType::Focus => Ok(Arrangement::Focus),
            LayoutType::Custom => Err(CustomLayout),
        }
    }
}

impl TryFrom<&opentok::Layout> for Layout {
    type Error = CustomLayout;

    fn try_from(layout: &opentok::Layout) -> Result<Layout, CustomLayout> {
        Ok(Layout {
            arrangement: layout.kind.try_into()?,
            screenshare: layout
                .screenshare_type
                .map(Arrangement::try_from)
                .transpose()?,
        })
    }
}

/// A part of the canvas, in pixels. All values are even, because 4:2:0 video has half the colour resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rect {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// The properties of a stream that determine its position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamTraits<'a> {
    pub is_screen: bool,
    /// The stream's layout classes.
    pub classes: &'a [String],
}

impl StreamTraits<'_> {
    /// Whether its class gives the stream the large rectangle.
    fn is_chosen(self, arrangement: Arrangement) -> bool {
        let class = match arrangement {
            Arrangement::BestFit => return false,
            Arrangement::Pip => "full",
            Arrangement::VerticalPresentation
            | Arrangement::HorizontalPresentation
            | Arrangement::Focus => "focus",
        };
        self.classes.iter().any(|of_stream| of_stream == class)
    }
}

/// Returns one rectangle for each stream, in the order of `streams` (the oldest first); `None` for a stream without a tile.
///
/// Rectangles overlap in `pip` only, where the larger one is drawn first.
pub fn arrange(
    layout: Layout,
    (width, height): (u32, u32),
    streams: &[StreamTraits<'_>],
) -> Vec<Option<Rect>> {
    let canvas = Rect {
        x: 0,
        y: 0,
        width: even(width),
        height: even(height),
    };
    let shares = streams.iter().any(|stream| stream.is_screen);
    let arrangement = match layout.screenshare {
        Some(arrangement) if shares => arrangement,
        _ => layout.arrangement,
    };

    // Streams with the class first, then screens, then the oldest.
    let mut order: Vec<usize> = (0..streams.len()).collect();
    order.sort_by_key(|&index| {
        let stream = streams[index];
        (!stream.is_chosen(arrangement), !stream.is_screen)
    });
    order.truncate(MAX_TILES);

    let rects = match (arrangement, order.len()) {
        (_, 0) => Vec::new(),
        (_, 1) => vec![canvas],
        (Arrangement::BestFit, people) => grid(canvas, people),
        (Arrangement::Pip, _) => vec![canvas, inset(canvas)],
        (Arrangement::VerticalPresentation, people) => {
            let (strip, main) = split_left(canvas);
            presentation(main, column(strip, people - 1))
        }
        (Arrangement::HorizontalPresentation | Arrangement::Focus, people) => {
            let (main, strip) = split_bottom(canvas);
            presentation(main, row(strip, people - 1))
        }
    };

    let mut places = vec![None; streams.len()];
    for (index, rect) in order.into_iter().zip(rects) {
        places[index] = Some(rect);
    }
    places
}

fn presentation(main: Rect, others: Vec<Rect>) -> Vec<Rect> {
    [main].into_iter().chain(others).collect()
}

/// Returns equal cells, in the number of columns that makes videos of the canvas's aspect ratio largest. The last row is
/// centred.
fn grid(canvas: Rect, people: usize) -> Vec<Rect> {
    // Cameras are landscape also on a portrait canvas.
    let shape = f64::from(canvas.width.max(canvas.height))
        / f64::from(canvas.width.min(canvas.height).max(1));
    let columns = (1..=people)
        .max_by(|&a, &b| {
            let (a, b) = (
                shown_area(canvas, a, people, shape),
                shown_area(canvas, b, people, shape),
            );
            a.total_cmp(&b)
        })
        .unwrap_or(1);
    let rows = people.div_ceil(columns);
    let (width, height) = (
        even(canvas.width / count(columns)),
        even(canvas.height / count(rows)),
    );
    let top = even((canvas.height - height * count(rows)) / 2);
    (0..people)
        .map(|index| {
            let (row, column) = (index / columns, index % columns);
            let in_row = columns.min(people - row * columns);
            let left = even((canvas.width - width * count(in_row)) / 2);
            Rect {
                x: left + width * count(column),
                y: top + height * count(row),
                width,
                height,
            }
        })
        .collect()
}

/// Returns the pixels of one video of aspect ratio `shape`, letterboxed into a cell of a grid with this number of columns.
fn shown_area(canvas: Rect, columns: usize, people: usize, shape: f64) -> f64 {
    let width = f64::from(canvas.width / count(columns));
    let height = f64::from(canvas.height / count(people.div_ceil(columns)));
    let width = width.min(height * shape);
    width * width / shape
}

fn inset(canvas: Rect) -> Rect {
    let (width, height) = (share(canvas.width, INSET), share(canvas.height, INSET));
    let margin = share(canvas.height, INSET_MARGIN);
    Rect {
        x: canvas.width - width - margin,
        y: canvas.height - height - margin,
        width,
        height,
    }
}

/// Splits the canvas into the strip on the left and the rest.
fn split_left(canvas: Rect) -> (Rect, Rect) {
    let strip = share(canvas.width, STRIP);
    (
        Rect {
            width: strip,
            ..canvas
        },
        Rect {
            x: strip,
            width: canvas.width - strip,
            ..canvas
        },
    )
}

/// Splits the canvas into the rest and the strip at the bottom.
fn split_bottom(canvas: Rect) -> (Rect, Rect) {
    let strip = share(canvas.height, STRIP);
    (
        Rect {
            height: canvas.height - strip,
            ..canvas
        },
        Rect {
            y: canvas.height - strip,
            height: strip,
            ..canvas
        },
    )
}

fn column(strip: Rect, people: usize) -> Vec<Rect> {
    let height = even(strip.height / count(people));
    (0..people)
        .map(|index| Rect {
            y: strip.y + height * count(index),
            height,
            ..strip
        })
        .collect()
}

fn row(strip: Rect, people: usize) -> Vec<Rect> {
    let width = even(strip.width / count(people));
    (0..people)
        .map(|index| Rect {
            x: strip.x + width * count(index),
            width,
            ..strip
        })
        .collect()
}

fn even(pixels: u32) -> u32 {
    pixels & !1
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a u32 between 0 and 1 is a u32"
)]
fn share(pixels: u32, share: f64) -> u32 {
    even((f64::from(pixels) * share) as u32)
}

fn count(tiles: usize) -> u32 {
    u32::try_from(tiles).expect("there are 16 tiles at most")
}

#[cfg(test)]
mod tests;
