//! OpenTok's XML replies: a created session, and errors.

use roxmltree::{Document, Node};

/// Returns the session id in `<sessions><Session><session_id>…`.
pub(super) fn session_id(body: &[u8]) -> Option<String> {
    let text = str::from_utf8(body).ok()?;
    let document = Document::parse(text).ok()?;
    child_text(document.root_element(), "session_id")
}

/// Returns the code and message in `<errorPayload><code/><message/>…`, or in the older
/// `<error code="…"><… message="…"/>`.
pub(super) fn complaint(body: &[u8]) -> Option<(Option<i64>, Option<String>)> {
    let text = str::from_utf8(body).ok()?;
    let document = Document::parse(text).ok()?;
    let root = document.root_element();
    let code = child_text(root, "code").or_else(|| attribute(root, "code"));
    let message = child_text(root, "message").or_else(|| attribute(root, "message"));
    Some((code.and_then(|code| code.trim().parse().ok()), message))
}

fn child_text(root: Node<'_, '_>, name: &str) -> Option<String> {
    root.descendants()
        .find(|node| node.has_tag_name(name))?
        .text()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

fn attribute(root: Node<'_, '_>, name: &str) -> Option<String> {
    root.descendants()
        .find_map(|node| node.attribute(name))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_id_is_read_however_the_reply_is_laid_out() {
        for xml in [
            r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?><sessions><Session><session_id>1_abc</session_id><partner_id>123456</partner_id><create_dt>Mon Mar 17 00:41:31 PDT 2014</create_dt></Session></sessions>"#,
            "<sessions>\n <Session>\n  <partner_id>1</partner_id>\n  <session_id>\n   1_abc\n  </session_id>\n </Session>\n</sessions>\n",
        ] {
            assert_eq!(session_id(xml.as_bytes()).as_deref(), Some("1_abc"));
        }
        for other in ["", "<", "<sessions/>", "<html><body>hello</body></html>"] {
            assert_eq!(session_id(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn both_kinds_of_complaint_are_read() {
        for xml in [
            "<errorPayload><code>-1</code><message>Invalid token</message><description>d</description></errorPayload>",
            r#"<error code="-1"><AuthError message="Invalid token"/></error>"#,
        ] {
            let read = complaint(xml.as_bytes()).unwrap();
            assert_eq!(read, (Some(-1), Some("Invalid token".to_owned())));
        }
        assert_eq!(
            complaint(b"<html><p>Bad gateway</p></html>"),
            Some((None, None))
        );
        assert_eq!(complaint(b"<!DOCTYPE html><br>"), None);
    }
}
