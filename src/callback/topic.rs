//! The topics of webhooks, named as OpenTok's server SDKs name them.

use std::fmt;

use crate::session::MonitorEventKind;

/// One kind of event of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    ArchiveStatus,
    SessionCreated,
    SessionDestroyed,
    ConnectionCreated,
    ConnectionDestroyed,
    StreamCreated,
    StreamDestroyed,
}

impl Topic {
    pub const ALL: [Topic; 7] = [
        Topic::ArchiveStatus,
        Topic::SessionCreated,
        Topic::SessionDestroyed,
        Topic::ConnectionCreated,
        Topic::ConnectionDestroyed,
        Topic::StreamCreated,
        Topic::StreamDestroyed,
    ];

    /// OpenTok "group".
    pub fn group(self) -> &'static str {
        match self {
            Topic::ArchiveStatus => "archive",
            Topic::SessionCreated | Topic::SessionDestroyed => "session",
            Topic::ConnectionCreated | Topic::ConnectionDestroyed => "connection",
            Topic::StreamCreated | Topic::StreamDestroyed => "stream",
        }
    }

    /// OpenTok "event".
    pub fn event(self) -> &'static str {
        match self {
            Topic::ArchiveStatus => "status",
            Topic::SessionCreated | Topic::ConnectionCreated | Topic::StreamCreated => "created",
            Topic::SessionDestroyed | Topic::ConnectionDestroyed | Topic::StreamDestroyed => {
                "destroyed"
            }
        }
    }

    pub fn of(group: &str, event: &str) -> Option<Topic> {
        let mut all = Topic::ALL.into_iter();
        all.find(|topic| topic.group() == group && topic.event() == event)
    }

    pub(super) fn of_event(kind: &MonitorEventKind) -> Topic {
        match kind {
            MonitorEventKind::SessionCreated => Topic::SessionCreated,
            MonitorEventKind::SessionDestroyed => Topic::SessionDestroyed,
            MonitorEventKind::ConnectionCreated(_) => Topic::ConnectionCreated,
            MonitorEventKind::ConnectionDestroyed { .. } => Topic::ConnectionDestroyed,
            MonitorEventKind::StreamCreated { .. } => Topic::StreamCreated,
            MonitorEventKind::StreamDestroyed { .. } => Topic::StreamDestroyed,
        }
    }

    /// Parses the name in the database: group and event.
    pub(super) fn parse(text: &str) -> Option<Topic> {
        let (group, event) = text.split_once(' ')?;
        Topic::of(group, event)
    }
}

/// Group and event.
impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.group(), self.event())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_and_event_name_a_topic_and_nothing_else_does() {
        for topic in Topic::ALL {
            assert_eq!(Topic::of(topic.group(), topic.event()), Some(topic));
            assert_eq!(Topic::parse(&topic.to_string()), Some(topic));
        }
        for (group, event) in [
            ("archive", "created"),
            ("connection", "status"),
            ("Connection", "created"),
            ("", ""),
            ("connection created", ""),
        ] {
            assert_eq!(Topic::of(group, event), None);
        }
    }
}
