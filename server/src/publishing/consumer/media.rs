//! Media beside an item: nobody lends them to transmitters yet, so a destination that wants them is told.

use dateline_transmit::Transmission;
use serde_json::Value;

use super::settling::Trouble;

/// Why a transmission cannot be sent: its destination wants media, and the item has some. Without them it would seem to
/// have arrived whole.
pub(super) fn missing(transmission: &Transmission, item: &Value) -> Option<Trouble> {
    let text = "the destination wants the media of the item (assets_url, push_associated, attach_media), \
                which are not sent yet";
    (transmission.wants_media() && has_media(item)).then(|| Trouble::lasting(text))
}

/// Whether the item, or one associated with it, has files.
fn has_media(item: &Value) -> bool {
    let is_filled = |key: &str| match item.get(key) {
        Some(Value::Object(members)) => members.values().any(|member| !member.is_null()),
        Some(Value::Array(all)) => !all.is_empty(),
        _ => false,
    };
    let mut associations = item.get("associations").and_then(Value::as_object).into_iter().flatten();
    is_filled("renditions") || is_filled("attachments") || associations.any(|(_, own)| has_media(own))
}

#[cfg(test)]
mod tests {
    use dateline_transmit::{Body, Destination};
    use serde_json::json;

    use super::*;

    #[test]
    fn who_wants_media_is_told_that_there_are_none() {
        let check = |delivery_type: &str, config: Value, item: Value, is_missing: bool| {
            let transmission = Transmission {
                item_id: "i".to_owned(),
                item_version: 1,
                published_seq_num: 1,
                subscriber_id: "s".to_owned(),
                destination: Destination {
                    name: "d".to_owned(),
                    format: "ninjs".to_owned(),
                    delivery_type: delivery_type.to_owned(),
                    config: config.into(),
                },
                body: Body::text("{}".to_owned()),
                is_in_package: false,
            };
            let told = missing(&transmission, &item).is_some();
            assert_eq!(told, is_missing, "{delivery_type} {item}");
        };
        let picture = json!({"renditions": {"original": {"href": "h"}}});
        let story = json!({"associations": {"featuremedia": picture, "gone": null}});
        for item in [picture, story, json!({"attachments": [{"attachment": "a"}]})] {
            check("http_push", json!({"assets_url": "http://h/a"}), item.clone(), true);
            check("ftp", json!({"push_associated": true}), item.clone(), true);
            check("email", json!({"attach_media": true}), item.clone(), true);
            check("http_push", json!({"resource_url": "http://h/i"}), item.clone(), false);
            check("File", json!({"assets_url": "http://h/a"}), item, false);
        }
        for item in
            [json!({}), json!({"renditions": {"original": null}, "attachments": [], "associations": null})]
        {
            check("http_push", json!({"assets_url": "http://h/a"}), item, false);
        }
    }
}
