//! An item that arrives: taken or not, and how it is stored.

use crate::novelty::{FINGERPRINT, Novelty, fingerprint, novelty};
use crate::provider::Provider;
use crate::{rule_set, subjects};
use dateline_formats::{Fields, Item, Site, parse_time, wire_time};
use jiff::{SignedDuration, Timestamp};

/// What is known when an item arrives.
#[derive(Debug, Clone, Copy)]
pub struct Arriving<'a> {
    /// Whose item it is.
    pub provider: &'a Provider,
    /// The stored item of its guid.
    pub stored: Option<&'a Fields>,
    /// Vocabularies and names.
    pub site: &'a Site,
    /// The provider's rule set.
    pub rule_set: Option<&'a Fields>,
    /// The time.
    pub now: Timestamp,
    /// The id that it gets if it is new.
    pub id: &'a str,
    /// The provider's next number.
    pub sequence: u64,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrival {
    /// It is too old.
    Expired,
    /// The provider takes no items of its type.
    Unwanted,
    /// It is known, in this version or a newer one.
    Known,
    /// It is stored like this.
    Stored {
        /// The whole document, without its id.
        fields: Fields,
        /// Whether there was none of its guid.
        is_new: bool,
        /// Whether it took the number.
        took_sequence: bool,
    },
}

/// Decides about an item as a parser gave it.
#[must_use]
pub fn arrive(item: Fields, arriving: &Arriving<'_>) -> Arrival {
    let Arriving { provider, stored, now, .. } = *arriving;
    let view = Item::from(&item);
    if is_expired(view, provider.expiry_minutes, now) {
        return Arrival::Expired;
    }
    if !provider.takes(view.text("type")) {
        return Arrival::Unwanted;
    }
    let novelty = novelty(stored, &item);
    if novelty == Novelty::Known || (novelty == Novelty::Newer && provider.keeps_first) {
        return Arrival::Known;
    }
    let (fields, took_sequence) = settled(item, arriving);
    Arrival::Stored { fields, is_new: novelty == Novelty::New, took_sequence }
}

fn settled(mut item: Fields, arriving: &Arriving<'_>) -> (Fields, bool) {
    let Arriving { provider, stored, site, now, .. } = *arriving;
    let mark = fingerprint(&item);
    subjects::settle(&mut item, site);
    if let Some(rules) = arriving.rule_set {
        rule_set::apply(rules, &mut item);
    }
    let mut usual = |field: &str, value: String| {
        if !Item::from(&item).has(field) && !value.is_empty() {
            item.insert(field.to_owned(), value.into());
        }
    };
    usual("versioncreated", wire_time(now));
    usual("source", provider.source.clone());
    usual("pubstatus", "usable".to_owned());
    usual("language", site.language.clone());
    let view = Item::from(&item);
    let (guid, made) = (view.text("guid").to_owned(), view.text("versioncreated").to_owned());
    let is_canceled = view.text("pubstatus") == "canceled";
    let took_sequence = !view.has("ingest_provider_sequence");
    let expiry = match expiry_of(view, provider.expiry_minutes, now) {
        // Its sender wants it to be used for longer than its age allows.
        past if past <= now => later(now, provider.expiry_minutes),
        expiry => expiry,
    };
    let before = stored.map(Item::from);
    let number = before
        .map(|own| own.scalar("ingest_provider_sequence"))
        .filter(|own| took_sequence && !own.is_empty());
    let took_sequence = took_sequence && number.is_none();
    let mut set = |field: &str, value: String| drop(item.insert(field.to_owned(), value.into()));
    if took_sequence || number.is_some() {
        set("ingest_provider_sequence", number.unwrap_or_else(|| arriving.sequence.to_string()));
    }
    set("ingest_provider", provider.id.clone());
    set("state", if is_canceled { "killed" } else { "ingested" }.to_owned());
    set("expiry", wire_time(expiry));
    set("family_id", arriving.id.to_owned());
    set(FINGERPRINT, mark);
    for (field, value) in [("uri", guid), ("firstcreated", made)] {
        if !Item::from(&item).has(field) {
            item.insert(field.to_owned(), value.into());
        }
    }
    (item, took_sequence)
}

/// Whether its own end, or its age, is past. An item without a date is as new as can be.
fn is_expired(item: Item<'_>, minutes: u32, now: Timestamp) -> bool {
    let own = parse_time(item.text("expiry"));
    let by_age = || Some(later(parse_time(item.text("versioncreated"))?, minutes));
    own.or_else(by_age).is_some_and(|end| end <= now)
}

/// How much longer a known item is kept, if it is time to say so: one that its sender does not date would end while it is
/// still sent, and come again as a new one.
#[must_use]
pub fn prolonged(item: &Fields, stored: &Fields, minutes: u32, now: Timestamp) -> Option<Timestamp> {
    let end = parse_time(Item::from(stored).text("expiry"))?;
    let next = later(now, minutes);
    let half = SignedDuration::from_mins(i64::from(minutes) / 2);
    let is_undated = !Item::from(item).has("versioncreated");
    (is_undated && next.duration_since(end) > half).then_some(next)
}

/// When a stored item ends: so long after the event it is about, its version, or its arrival.
#[must_use]
pub fn expiry_of(item: Item<'_>, minutes: u32, now: Timestamp) -> Timestamp {
    let end = item.object("dates").and_then(|dates| parse_time(dates.text("end")));
    later(end.or_else(|| parse_time(item.text("versioncreated"))).unwrap_or(now), minutes)
}

fn later(from: Timestamp, minutes: u32) -> Timestamp {
    from.checked_add(SignedDuration::from_mins(minutes.into())).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn arrived(item: Value, provider: Value, stored: Option<Value>) -> Arrival {
        let provider = Provider::read("p", provider.as_object().unwrap(), 2880);
        let site = Site::default();
        arrive(
            item.as_object().cloned().unwrap(),
            &Arriving {
                provider: &provider,
                stored: stored.as_ref().and_then(Value::as_object),
                site: &site,
                rule_set: None,
                now: "2026-01-03T00:00:00Z".parse().unwrap(),
                id: "urn:1",
                sequence: 7,
            },
        )
    }

    fn stored(arrival: Arrival) -> Fields {
        match arrival {
            Arrival::Stored { fields, .. } => fields,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_missing_is_added() {
        let item = json!({"guid": "g", "type": "text", "versioncreated": "2026-01-02T00:00:00+0000"});
        let found = stored(arrived(item, json!({"source": "Wire"}), None));
        let expected = json!({
            "guid": "g", "type": "text", "versioncreated": "2026-01-02T00:00:00+0000", "source": "Wire", "uri": "g",
            "pubstatus": "usable", "language": "en", "ingest_provider_sequence": "7", "ingest_provider": "p",
            "state": "ingested", "expiry": "2026-01-04T00:00:00+0000", "family_id": "urn:1",
            "firstcreated": "2026-01-02T00:00:00+0000", "ingest_fingerprint": found["ingest_fingerprint"],
        });
        assert_eq!(Value::Object(found), expected);
    }

    #[test]
    fn old_and_unwanted_items_are_left() {
        let at = |time: &str| json!({"guid": "g", "type": "text", "versioncreated": time});
        assert_eq!(arrived(at("2026-01-01T00:00:00Z"), json!({}), None), Arrival::Expired);
        assert_eq!(
            arrived(at("2026-01-02T23:00:00Z"), json!({"content_expiry": 60}), None),
            Arrival::Expired
        );
        assert!(matches!(arrived(at("2026-01-01T00:00:01Z"), json!({}), None), Arrival::Stored { .. }));
        let own = json!({"guid": "g", "type": "text", "expiry": "2026-01-02T00:00:00Z"});
        assert_eq!(arrived(own, json!({}), None), Arrival::Expired);
        assert_eq!(
            arrived(at("2026-01-02T00:00:00Z"), json!({"content_types": ["picture"]}), None),
            Arrival::Unwanted
        );
    }

    #[test]
    fn what_is_still_sent_does_not_end() {
        let now: Timestamp = "2026-01-03T00:00:00Z".parse().unwrap();
        let check = |item: Value, expiry: &str, expected: Option<&str>| {
            let stored = json!({"expiry": expiry});
            let found = prolonged(item.as_object().unwrap(), stored.as_object().unwrap(), 60, now);
            assert_eq!(found, expected.map(|at| at.parse().unwrap()), "{item} {expiry}");
        };
        check(json!({}), "2026-01-03T00:40:00Z", None);
        check(json!({}), "2026-01-03T00:20:00Z", Some("2026-01-03T01:00:00Z"));
        check(json!({"versioncreated": "2026-01-02T00:00:00Z"}), "2026-01-03T00:20:00Z", None);
    }

    #[test]
    fn versions() {
        let item =
            |version: &str| json!({"guid": "g", "type": "text", "version": version, "headline": version});
        let first = Value::Object(stored(arrived(item("1"), json!({}), None)));
        assert_eq!(arrived(item("1"), json!({}), Some(first.clone())), Arrival::Known);
        let second = arrived(item("2"), json!({}), Some(first.clone()));
        assert!(matches!(&second, Arrival::Stored { is_new: false, took_sequence: false, fields }
            if fields["ingest_provider_sequence"] == "7"));
        assert_eq!(arrived(item("2"), json!({"disable_item_updates": true}), Some(first)), Arrival::Known);
        let killed =
            json!({"guid": "g", "type": "text", "pubstatus": "canceled", "ingest_provider_sequence": "3"});
        let killed = stored(arrived(killed, json!({}), None));
        assert_eq!((&killed["state"], &killed["ingest_provider_sequence"]), (&json!("killed"), &json!("3")));
    }
}
