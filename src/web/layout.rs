//! The frame around every page, and the filters of templates.

use actix_web::{HttpResponse, HttpResponseBuilder, http::header};
use askama::Template;

use super::error::WebError;

/// The data of the frame: the current section and the visitor.
pub struct PageLayout {
    section: Section,
    /// The name of the signed-in moderator.
    pub moderator: Option<String>,
    /// The visitor's CSRF token, for every form on the page.
    pub csrf: String,
}

/// The current entry of the navigation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Rooms,
    Buddies,
    History,
    None,
}

impl PageLayout {
    pub fn new(section: Section, moderator: Option<String>, csrf: String) -> PageLayout {
        PageLayout {
            section,
            moderator,
            csrf,
        }
    }

    pub fn is_rooms(&self) -> bool {
        self.section == Section::Rooms
    }

    pub fn is_buddies(&self) -> bool {
        self.section == Section::Buddies
    }

    pub fn is_history(&self) -> bool {
        self.section == Section::History
    }
}

/// Renders a page. It is for one visitor and the present moment, so no cache stores it.
///
/// # Errors
/// The template cannot be rendered.
pub fn page(template: &impl Template) -> Result<HttpResponse, WebError> {
    Ok(no_store()
        .content_type("text/html; charset=utf-8")
        .body(template.render()?))
}

/// A response for one visitor and the present moment, so no cache stores it.
pub fn no_store() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response
}

/// The response to a form: a redirect to the next page.
pub fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, path))
        .finish()
}

/// "3 people", "1 person".
pub fn people_count(count: usize) -> String {
    match count {
        1 => "1 person".to_owned(),
        _ => format!("{count} people"),
    }
}

/// The initials of a name's first and last word: `AL` for "Ann Marie Lee". `static/js/ui/dom.js` has the same rule.
pub fn initials(name: &str) -> String {
    let mut words = name.split_whitespace();
    let ends = [words.next(), words.next_back()];
    let letters = ends
        .into_iter()
        .flatten()
        .filter_map(|word| word.chars().next());
    letters.flat_map(char::to_uppercase).collect()
}

/// `12:40`, `1:02:03`.
pub fn clock_time(ms: u64) -> String {
    let seconds = ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// `412 MB`; a kB has 1000 bytes.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes / 100;
    for unit in UNITS {
        if tenths < 100 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        if tenths < 10_000 {
            return format!("{} {unit}", tenths / 10);
        }
        tenths /= 1000;
    }
    format!("{} TB", tenths * 100)
}

/// Filters for templates.
pub mod filters {
    use std::fmt::Display;

    use askama::{Values, filters::Safe};

    /// An icon of the sprite, hidden from screen readers: `{{ "mic-fill"|icon }}`.
    #[askama::filter_fn]
    pub fn icon(name: impl Display, _: &dyn Values) -> askama::Result<Safe<String>> {
        Ok(Safe(format!(
            r##"<svg class="icon" aria-hidden="true"><use href="/static/vendor/bootstrap-icons/icons.svg#{name}"/></svg>"##
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_those_of_the_first_and_the_last_word() {
        for (name, letters) in [
            ("Ann Marie Lee", "AL"),
            ("ann", "A"),
            ("Ann lee", "AL"),
            ("👩🏽‍🚀 Ann", "👩A"),
            ("", ""),
        ] {
            assert_eq!(initials(name), letters, "{name}");
        }
    }

    #[test]
    fn times_read_like_a_clock() {
        assert_eq!(clock_time(0), "0:00");
        assert_eq!(clock_time(760_999), "12:40");
        assert_eq!(clock_time(4_364_000), "1:12:44");
    }

    #[test]
    fn sizes_have_two_or_three_digits() {
        let sizes = [
            0,
            999,
            1000,
            12_345,
            412_000_000,
            1_100_000_000,
            3_200_000_000_000,
        ];
        let shown = [
            "0 B", "999 B", "1.0 kB", "12 kB", "412 MB", "1.1 GB", "3.2 TB",
        ];
        assert_eq!(sizes.map(size), shown);
    }
}
