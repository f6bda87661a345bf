//! Whether an item that comes again is a newer version of the one that is stored.
//!
//! Numbers of versions decide first, then the times at which versions were made, then the content itself. A later time
//! alone is no version: feeds give their entries new times without changing a word.

use dateline_formats::{Fields, Item, parse_time};
use sha2::{Digest, Sha256};

/// How an item stands to the stored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// There is none of its guid.
    New,
    /// It takes the place of the stored one.
    Newer,
    /// The stored one stays.
    Known,
}

/// The member of a stored item that says what its sender sent.
pub(crate) const FINGERPRINT: &str = "ingest_fingerprint";

/// What says nothing about the content, and changes by itself.
const PASSING: [&str; 6] =
    ["version", "versioncreated", "firstcreated", "expiry", "ingest_provider_sequence", FINGERPRINT];

/// Decides by the item as it was read and the one that is stored.
#[must_use]
pub fn novelty(stored: Option<&Fields>, incoming: &Fields) -> Novelty {
    let Some(stored) = stored else { return Novelty::New };
    let (old, new) = (Item::from(stored), Item::from(incoming));
    let number =
        |item: Item<'_>| item.scalar("version").parse::<f64>().ok().filter(|number| number.is_finite());
    let versions = number(old).zip(number(new));
    if let Some((old, new)) = versions
        && old != new
    {
        return if new > old { Novelty::Newer } else { Novelty::Known };
    }
    let differs = old.text(FINGERPRINT) != fingerprint(incoming);
    let made = |item: Item<'_>| parse_time(item.text("versioncreated"));
    match made(old).zip(made(new)) {
        Some((old, new)) if new < old => Novelty::Known,
        Some((old, new)) if new > old && differs => Novelty::Newer,
        // Who counts versions means what the numbers say.
        _ if versions.is_some() || !differs => Novelty::Known,
        _ => Novelty::Newer,
    }
}

/// A digest of the content.
pub(crate) fn fingerprint(item: &Fields) -> String {
    let content: Fields = item
        .iter()
        .filter(|(name, _)| !PASSING.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let text = serde_json::Value::Object(content).to_string();
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn versions_then_times_then_content() {
        let early = "2026-01-01T00:00:00+0000";
        let late = "2026-01-02T00:00:00+0000";
        let check = |stored: Value, incoming: Value, expected: Novelty| {
            let mut stored = stored.as_object().cloned().unwrap();
            let incoming = incoming.as_object().unwrap();
            stored.insert(FINGERPRINT.to_owned(), fingerprint(&stored).into());
            assert_eq!(novelty(Some(&stored), incoming), expected, "{stored:?} {incoming:?}");
        };
        let (newer, known) = (Novelty::Newer, Novelty::Known);
        check(json!({"version": "1"}), json!({"version": "2"}), newer);
        check(json!({"version": 9}), json!({"version": "10"}), newer);
        check(json!({"version": "2"}), json!({"version": "1", "headline": "b"}), known);
        check(
            json!({"version": "1", "versioncreated": late}),
            json!({"version": "2", "versioncreated": early}),
            newer,
        );
        check(json!({"version": "1"}), json!({"version": "1", "headline": "b"}), known);
        check(
            json!({"version": "1", "versioncreated": early}),
            json!({"version": "1", "versioncreated": late, "headline": "b"}),
            newer,
        );
        check(json!({"versioncreated": early}), json!({"versioncreated": late, "headline": "b"}), newer);
        check(json!({"versioncreated": early}), json!({"versioncreated": late}), known);
        check(json!({"versioncreated": late}), json!({"versioncreated": early, "headline": "b"}), known);
        check(json!({"versioncreated": early}), json!({"versioncreated": early, "headline": "b"}), newer);
        check(json!({"headline": "a"}), json!({"headline": "b"}), newer);
        check(json!({"headline": "a"}), json!({"headline": "a"}), known);
        check(json!({"version": "a"}), json!({"version": "b"}), known);
        assert_eq!(novelty(None, &Fields::new()), Novelty::New);
    }
}
