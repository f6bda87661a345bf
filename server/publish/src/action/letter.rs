//! What people read of an action.

use dateline_formats::{Fields, Item};

use super::production::Message;
use crate::filter::html;

/// Characters of a subject at the most.
const SUBJECT_CHARS_MAX: usize = 200;

/// A letter in plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// Lines.
    pub text: String,
}

impl Message {
    /// What is written to those whom it is for.
    #[must_use]
    pub fn letter(&self) -> Letter {
        match self {
            Self::Withdrawn { item, .. } => withdrawn(item),
            Self::TranslationChanged { item, .. } => translation_changed(item),
        }
    }
}

fn withdrawn(item: &Fields) -> Letter {
    let own = Item::from(item);
    let action = if own.text("action") == "kill" { "Kill" } else { "Takedown" };
    let headline = html::text(own.text("headline"));
    let mut lines = vec![format!("{action} of a story that you may have. Do not use it any more.")];
    for (name, value) in [
        ("Headline", headline.clone()),
        ("Slugline", html::text(own.text("slugline"))),
        ("Id", own.text("item_id").into()),
        ("City", own.text("city").into()),
        ("Desk", own.text("desk_name").into()),
    ] {
        if !value.is_empty() {
            lines.push(format!("{name}: {value}"));
        }
    }
    let body = html::text(own.text("body_html"));
    if !body.is_empty() {
        lines.extend([String::new(), body.into_owned()]);
    }
    letter(&format!("{action}: {headline}"), &lines)
}

fn translation_changed(item: &Fields) -> Letter {
    let own = Item::from(item);
    let headline = html::text(own.text("headline"));
    let lines = [
        "A story of which you have written a translation was corrected.".to_owned(),
        format!("Headline: {headline}"),
        format!("Id: {}", own.text("guid")),
    ];
    letter(&format!("Corrected: {headline}"), &lines)
}

fn letter(subject: &str, lines: &[String]) -> Letter {
    let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    Letter { subject: subject.chars().take(SUBJECT_CHARS_MAX).collect(), text: lines.join("\n") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_withdrawal_names_the_story() {
        let item = json!({
            "action": "kill", "headline": "A <b>bridge</b>\nopens", "slugline": "bridge", "item_id": "urn:1", "city": "Oslo",
            "desk_name": "", "body_html": "<p>Wrong &amp; late.</p>",
        });
        let item = item.as_object().cloned().unwrap();
        let written = Message::Withdrawn { addresses: Vec::new(), item }.letter();
        assert_eq!(written.subject, "Kill: A bridge opens");
        let expected = "Headline: A bridge\nopens\nSlugline: bridge\nId: urn:1\nCity: Oslo\n\nWrong & late.";
        assert!(written.text.ends_with(expected), "{}", written.text);
    }
}
