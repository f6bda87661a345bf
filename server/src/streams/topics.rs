//! What a stream is about.

use std::collections::BTreeSet;

use crate::app::App;
use crate::eve::problem::Problem;

/// Topics of one stream. At least one is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topics {
    /// Every collection's changes.
    pub(crate) all_changes: bool,
    /// Changes of these collections.
    pub(crate) changes: BTreeSet<String>,
    pub(crate) matches: bool,
    pub(crate) fences: bool,
    pub(crate) queue: bool,
    pub(crate) notifications: bool,
}

impl Topics {
    /// Reads `changes:ads,matches`. Without any the stream carries every change.
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        Self::of(text.split(','))
    }

    /// Reads topics one by one. Without any the stream carries every change.
    pub(crate) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Problem> {
        let mut topics = Self::default();
        for topic in names.into_iter().map(str::trim).filter(|topic| !topic.is_empty()) {
            match topic {
                "changes" => topics.all_changes = true,
                "matches" => topics.matches = true,
                "fences" => topics.fences = true,
                "queue" => topics.queue = true,
                "notifications" => topics.notifications = true,
                other => match other.strip_prefix("changes:").filter(|name| !name.is_empty()) {
                    Some(name) => {
                        topics.changes.insert(name.to_owned());
                    }
                    None => {
                        return Err(Problem::query("topics", format!("'{other}' is not a topic"))
                            .issue("topics", other));
                    }
                },
            }
        }
        if topics == Self::default() {
            topics.all_changes = true;
        }
        Ok(topics)
    }

    /// A named collection whose documents have no place on the earth, if there is one.
    ///
    /// # Errors
    /// 404 for a collection that does not exist.
    pub(crate) fn without_place(&self, app: &App) -> Result<Option<&str>, Problem> {
        for name in &self.changes {
            if app.resources().get(name)?.geo.is_empty() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_by_comma() {
        let topics = Topics::parse("changes:ads, matches,,changes:cars").unwrap();
        assert!(topics.matches && !topics.fences && !topics.all_changes);
        assert_eq!(topics.changes.iter().map(String::as_str).collect::<Vec<_>>(), ["ads", "cars"]);
        assert!(Topics::parse("").unwrap().all_changes);
        for bad in ["match", "changes:", "Changes", "matches;fences"] {
            assert!(Topics::parse(bad).is_err(), "{bad}");
        }
    }
}
