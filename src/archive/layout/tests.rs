//! Tests of [`super`].

use super::*;
use crate::opentok::Resolution;

const ALL: [Arrangement; 5] = [
    Arrangement::BestFit,
    Arrangement::Pip,
    Arrangement::VerticalPresentation,
    Arrangement::HorizontalPresentation,
    Arrangement::Focus,
];

fn places(arrangement: Arrangement, size: (u32, u32), screens: &[bool]) -> Vec<Option<Rect>> {
    let layout = Layout {
        arrangement,
        screenshare: None,
    };
    arrange(layout, size, &traits(screens))
}

fn traits(screens: &[bool]) -> Vec<StreamTraits<'static>> {
    let of = |&is_screen| StreamTraits {
        is_screen,
        classes: &[],
    };
    screens.iter().map(of).collect()
}

fn overlap(a: Rect, b: Rect) -> bool {
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}

fn rect(x: u32, y: u32, width: u32, height: u32) -> Option<Rect> {
    Some(Rect {
        x,
        y,
        width,
        height,
    })
}

#[test]
fn at_every_size_each_tile_is_inside_even_and_apart_from_the_others() {
    for resolution in Resolution::ALL {
        let (width, height) = resolution.size();
        for arrangement in ALL {
            for people in 0..=20 {
                let rects = places(arrangement, (width, height), &vec![false; people]);
                assert_eq!(rects.len(), people);
                let seen: Vec<Rect> = rects.into_iter().flatten().collect();
                let expected = match arrangement {
                    Arrangement::Pip => people.min(2),
                    _ => people.min(MAX_TILES),
                };
                assert_eq!(seen.len(), expected, "{arrangement:?} of {people}");
                for (index, a) in seen.iter().enumerate() {
                    let what = format!("{arrangement:?} of {people} in {resolution}: {a:?}");
                    assert!(a.width >= 16 && a.height >= 16, "{what}");
                    assert!(a.x + a.width <= width, "{what}");
                    assert!(a.y + a.height <= height, "{what}");
                    let odd = (a.x | a.y | a.width | a.height) & 1;
                    assert_eq!(odd, 0, "{what}");
                    if arrangement != Arrangement::Pip {
                        for b in &seen[index + 1..] {
                            assert!(!overlap(*a, *b), "{what} and {b:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn best_fit_puts_people_side_by_side_and_then_into_rows() {
    let vga = (640, 480);
    assert_eq!(
        places(Arrangement::BestFit, vga, &[false]),
        [rect(0, 0, 640, 480)]
    );
    assert_eq!(
        places(Arrangement::BestFit, vga, &[false; 4]),
        [
            rect(0, 0, 320, 240),
            rect(320, 0, 320, 240),
            rect(0, 240, 320, 240),
            rect(320, 240, 320, 240)
        ]
    );
    // The third is in the middle of the second row.
    assert_eq!(
        places(Arrangement::BestFit, vga, &[false; 3])[2],
        rect(160, 240, 320, 240)
    );
    let wide = places(Arrangement::BestFit, (1280, 720), &[false; 2]);
    assert_eq!(wide, [rect(0, 0, 640, 720), rect(640, 0, 640, 720)]);
    // On a portrait canvas, two landscape videos are largest one above the other.
    let upright = places(Arrangement::BestFit, (720, 1280), &[false; 2]);
    assert_eq!(upright, [rect(0, 0, 720, 640), rect(0, 640, 720, 640)]);
}

#[test]
fn the_seventeenth_is_not_seen() {
    let rects = places(Arrangement::BestFit, (1280, 720), &[false; 17]);
    assert_eq!(rects.iter().flatten().count(), 16);
    assert_eq!(rects[16], None);
}

#[test]
fn a_shared_screen_takes_the_large_place_although_it_came_last() {
    let screens = [false, false, true];
    for arrangement in [
        Arrangement::VerticalPresentation,
        Arrangement::HorizontalPresentation,
        Arrangement::Focus,
        Arrangement::Pip,
    ] {
        let rects = places(arrangement, (1280, 720), &screens);
        let area = |rect: Option<Rect>| rect.map_or(0, |rect| rect.width * rect.height);
        assert!(area(rects[2]) > area(rects[0]), "{arrangement:?}");
    }
    // In a grid it comes first.
    let rects = places(Arrangement::BestFit, (640, 480), &screens);
    assert_eq!(rects[2], rect(0, 0, 320, 240));
}

#[test]
fn the_screen_share_layout_applies_only_while_a_screen_is_shared() {
    let layout = Layout {
        arrangement: Arrangement::BestFit,
        screenshare: Some(Arrangement::VerticalPresentation),
    };
    assert_eq!(
        arrange(layout, (640, 480), &traits(&[false, false])),
        places(Arrangement::BestFit, (640, 480), &[false, false])
    );
    assert_eq!(
        arrange(layout, (640, 480), &traits(&[false, true])),
        [rect(0, 0, 128, 480), rect(128, 0, 512, 480)]
    );
}

#[test]
fn a_class_gives_the_large_place_in_the_layouts_that_know_it() {
    let classes = |class: &str| vec![class.to_owned()];
    let (full, focus) = (classes("full"), classes("focus"));
    let area = |rect: Option<Rect>| rect.map_or(0, |rect| rect.width * rect.height);
    for arrangement in ALL {
        for (classes, knows) in [
            (&full, [Arrangement::Pip].as_slice()),
            (
                &focus,
                &[
                    Arrangement::VerticalPresentation,
                    Arrangement::HorizontalPresentation,
                    Arrangement::Focus,
                ],
            ),
        ] {
            // A screen is older and would take the rectangle otherwise.
            let mut streams = traits(&[true, false, false]);
            streams[2].classes = classes;
            let layout = Layout {
                arrangement,
                screenshare: None,
            };
            let rects = arrange(layout, (1280, 720), &streams);
            let is_large = area(rects[2]) > area(rects[0]);
            assert_eq!(is_large, knows.contains(&arrangement), "{arrangement:?}");
        }
    }
}

#[test]
fn pip_shows_two_and_presentations_share_the_strip_evenly() {
    let pip = places(Arrangement::Pip, (640, 480), &[false; 3]);
    assert_eq!(pip, [rect(0, 0, 640, 480), rect(466, 346, 160, 120), None]);
    let horizontal = places(Arrangement::HorizontalPresentation, (640, 480), &[false; 3]);
    assert_eq!(
        horizontal,
        [
            rect(0, 0, 640, 384),
            rect(0, 384, 320, 96),
            rect(320, 384, 320, 96)
        ]
    );
}

#[test]
fn a_layout_is_open_toks_json() {
    let layout = Layout {
        arrangement: Arrangement::HorizontalPresentation,
        screenshare: Some(Arrangement::Focus),
    };
    let json = r#"{"type":"horizontalPresentation","screenshareType":"focus"}"#;
    assert_eq!(layout.to_json(), json);
    assert_eq!(Layout::from_json(json), Ok(layout));
    assert_eq!(Layout::from_json("{}"), Ok(Layout::default()));
    assert!(Layout::from_json(r#"{"type":"custom"}"#).is_err());
}
